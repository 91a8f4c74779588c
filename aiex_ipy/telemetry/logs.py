"""Log lines: the logger `aiex`, written to stderr where nobody else takes them.

Lines hold names, counts and codes, never words of a user, of a model or of a server.
"""

from __future__ import annotations

import logging
import sys

NAME = "aiex"


class _Stderr(logging.Handler):
    """Writes to what `sys.stderr` is at that moment, as a kernel changes it from cell to cell."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)


def logger(level: str) -> logging.Logger:
    """Return the logger `aiex`, let through from `level` on.

    Where the program has handlers of its own for it or for the root, they get the lines;
    otherwise stderr does.
    """
    log = logging.getLogger(NAME)
    wanted = getattr(logging, level.upper())
    if log.level != wanted:  # setting it makes every logger forget what it lets through
        log.setLevel(wanted)
    if not log.hasHandlers():
        handler = _Stderr()
        handler.setFormatter(logging.Formatter("aiex %(levelname)s %(message)s"))
        log.addHandler(handler)
    return log
