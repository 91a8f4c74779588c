"""What threads died of, as a front end's `threading.excepthook` notes it."""

from __future__ import annotations

import threading

MOST = 8
"""Deaths remembered, newest: an exception holds its frames and their values."""
_errors: dict[int, BaseException] = {}


def note(args: threading.ExceptHookArgs) -> None:
    """Remember what a thread died of."""
    if args.thread is not None and args.exc_value is not None:
        _errors[id(args.thread)] = args.exc_value
        while len(_errors) > MOST:
            del _errors[next(iter(_errors))]


def died_of(thread: threading.Thread) -> BaseException | None:
    """Return what a thread died of, None where that is not known."""
    return _errors.get(id(thread))


def forget() -> None:
    """Let the exceptions go, and what their frames hold."""
    _errors.clear()
