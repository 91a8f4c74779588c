"""What ends a command: errors become one line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from aiex_ipy.errors import AiexError

INTERNAL_FAULT = 70
"""Exit code of a fault of our own. Source: BSD sysexits.h, EX_SOFTWARE."""


def guarded(work: Callable[[], object]) -> int:
    """Run `work` and return the exit code: its own when it returns an int, else 0 or an error's."""
    try:
        code = work()
        sys.stdout.flush()
    except AiexError as error:
        say(f"aiex: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        say("aiex: interrupted.")
        return 130
    except BrokenPipeError:
        _quiet_stdout()
        return 0
    except Exception as error:
        if os.environ.get("AIEX_LOG") == "debug":
            raise
        say(f"aiex: a fault of aiex itself: {type(error).__name__}: {error}.")
        say("Run it again with AIEX_LOG=debug and report what it prints.")
        return INTERNAL_FAULT
    return code if isinstance(code, int) else 0


def say(line: str) -> None:
    """Write a line to stderr, even where stderr cannot show every character."""
    from aiex_ipy.frontends.cli.output import written

    sys.stderr.write(written(line + "\n", sys.stderr))


def _quiet_stdout() -> None:
    """The reader is gone: nothing more can be said, nor must be at exit.

    Source: Python documentation, library `signal`, "Note on SIGPIPE".
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
