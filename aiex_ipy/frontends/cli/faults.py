"""What ends a command: errors become one line on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

from aiex_ipy.errors import AiexError, UsageError

INTERNAL_FAULT = 70
"""Exit code of a fault of our own. Source: BSD sysexits.h, EX_SOFTWARE."""


_OUTPUT_FAILS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What writing to stdout fails with when the place behind it is full or broken."""


def guarded(work: Callable[[], object]) -> int:
    """Run `work` and return the exit code: its own when it returns an int, else 0 or an error's."""
    _open_missing_streams()
    try:
        code = work()
        sys.stdout.flush()
    except KeyboardInterrupt:
        say("aiex: interrupted.")
        return 130
    except Exception as error:
        return told(error)
    return code if isinstance(code, int) else 0


def told(error: Exception) -> int:
    """Say in a line or two what failed, unless nobody reads; return the exit code."""
    if isinstance(error, AiexError):
        say(f"aiex: {error}")
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        quiet_stdout()
        return 0
    if isinstance(error, OSError) and error.errno in _OUTPUT_FAILS:
        quiet_stdout()
        say(
            f"aiex: The output could not be written: {error.strerror}. Make room, or send it to "
            "another place."
        )
        return 2
    if os.environ.get("AIEX_LOG") == "debug":
        raise error
    say(f"aiex: a fault of aiex itself: {type(error).__name__}: {error}.")
    say("Run it again with AIEX_LOG=debug and report what it prints.")
    return INTERNAL_FAULT


def _open_missing_streams() -> None:
    """Put the null device where the caller closed a stream, for which Python has None.

    Source: Python documentation, `sys.stdin`: "can be None".
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Left open: it is the program's stream until its end.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
            _opened.append(name)


_opened: list[str] = []


def check_stdout() -> None:
    """Raise UsageError where the caller closed stdout: what a model says would be paid for, and
    lost."""
    if "stdout" in _opened:
        raise UsageError(
            "The standard output is closed, so the answer would be lost.",
            code="no_stdout",
            hint="Send it to a file or a program, or name a file with --output.",
        )


def say(line: str) -> None:
    """Write a line to stderr, even where stderr cannot show every character."""
    from aiex_ipy.frontends.cli.output import written

    sys.stderr.write(written(line + "\n", sys.stderr))


def quiet_stdout() -> None:
    """The reader is gone: nothing more can be said, nor must be at exit.

    Source: Python documentation, library `signal`, "Note on SIGPIPE".
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
