"""What threads died of, as a front end's `threading.excepthook` notes it."""

from __future__ import annotations

import threading

MOST = 8
"""Deaths remembered, newest: an exception holds its frames and their values."""
_errors: dict[int, tuple[str, BaseException]] = {}


def note(args: threading.ExceptHookArgs) -> None:
    """Remember what a thread died of."""
    if args.thread is not None and args.exc_value is not None:
        _errors[id(args.thread)] = (args.thread.name, args.exc_value)
        while len(_errors) > MOST:
            del _errors[next(iter(_errors))]


def died_of(thread: threading.Thread) -> BaseException | None:
    """Return what a thread died of, None where that is not known."""
    found = _errors.get(id(thread))
    return found[1] if found is not None else None


def all_known() -> list[tuple[str, BaseException]]:
    """Return the threads that died, in words, and what of; oldest first."""
    return [(f"thread {name!r}", error) for name, error in _errors.values()]


def forget() -> None:
    """Let the exceptions go, and what their frames hold."""
    _errors.clear()
