"""What code prints, passed on at once, with its size and its beginning and end kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiex_ipy.grounding.evaluation.record import Printed

KEPT = 2_000
"""Characters kept of the beginning, and as many of the end."""


class Tee:
    """Stands for a stream: everything goes to it, `write` counts and keeps.

    Code that holds on to it (a logging handler, a thread) goes on writing to the stream after
    `close`, and nothing is kept any more.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._open = True
        self._characters = 0
        self._head = ""
        self._end = ""
        self._pieces: list[str] = []
        self._waiting = 0

    @property
    def stream(self) -> Any:
        """What this stands for."""
        return self._stream

    def write(self, text: str) -> Any:
        """Write to the stream."""
        if self._open and type(text) is str:
            self._characters += len(text)
            self._pieces.append(text)
            self._waiting += len(text)
            if self._waiting > 8 * KEPT:
                self._settle()
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        """Write several pieces to the stream."""
        for each in lines:
            self.write(each)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._stream)

    def _settle(self) -> None:
        """Cut what was written since to the beginning and the end that are kept."""
        text, self._pieces, self._waiting = "".join(self._pieces), [], 0
        room = KEPT - len(self._head)
        self._head += text[:room]
        self._end = (self._end + text[room:])[-KEPT:]

    def close_tee(self) -> Printed:
        """Keep nothing from now on; return what was kept."""
        self._open = False
        self._settle()
        left_out = self._characters - len(self._head) - len(self._end)
        gap = f"\n[… {left_out} characters left out …]\n" if left_out > 0 else ""
        return Printed(characters=self._characters, text=self._head + gap + self._end)


@contextmanager
def kept_output() -> Iterator[tuple[Tee, Tee]]:
    """Put a tee before standard output and standard error; a stream that the code itself put in
    their place stays."""
    tees = Tee(sys.stdout), Tee(sys.stderr)
    try:
        sys.stdout, sys.stderr = tees
        yield tees
    finally:
        _put_back(*tees)


def take_away() -> None:
    """Take every tee away: one stays where an interrupt came before the way out had begun, as in
    `contextlib` itself. For when no evaluation runs."""
    while type(sys.stdout) is Tee:
        sys.stdout = sys.stdout.stream
    while type(sys.stderr) is Tee:
        sys.stderr = sys.stderr.stream


def _put_back(out: Tee, err: Tee) -> None:
    """Take the tees away, once more where an interrupt comes in between: they would stay."""
    while sys.stdout is out or sys.stderr is err:
        try:
            if sys.stdout is out:
                sys.stdout = out.stream
            if sys.stderr is err:
                sys.stderr = err.stream
        except KeyboardInterrupt:
            continue
