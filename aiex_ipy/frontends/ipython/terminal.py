"""A request shown in a terminal: words as they come, nothing printed twice."""

from __future__ import annotations

import sys
from typing import Any, cast

from aiex_ipy.frontends.ipython.display import symbols
from aiex_ipy.operations.base import Speaking
from aiex_ipy.render.results import Format, render, tail
from aiex_ipy.render.safe import plain
from aiex_ipy.render.stream import PlainStream


class TerminalScreen:
    """Writes to standard output: the facts, who speaks, the words, then what is left to say.

    Notes go to standard error. In another format than text the result is printed when it is
    whole.
    """

    def __init__(self, output: str | None) -> None:
        self.changed = False
        self.facts_alone: Any = None
        self._format = cast(Format, output or "text")
        self._streams = self._format == "text"
        self._plain = PlainStream()
        self._pending: list[str] = []
        self._facts_shown = False
        self._spoken = ""
        self._header = ""

    def note(self, line: str) -> None:
        """Print a line of progress."""
        self.show()
        print(plain(line), file=sys.stderr, flush=True)

    def speaking(self, who: Speaking) -> None:
        """Keep who will speak, for the line before the words."""
        name = f"{plain(who.model or 'a model')} ({plain(who.provider)})"
        self._header = f"{name}:\n"

    def words(self, text: str) -> None:
        """Add words."""
        if not self._streams:
            return
        if self._header:
            self._line_end()
            self._write(self._header)
            self._header = ""
        self._write(self._plain.feed(text))

    def facts(self, result: Any) -> None:
        """Print the facts without their footer, since a model is about to speak."""
        self.facts_alone = result
        if self._streams:
            facts = render(result, "text", symbols=symbols())
            self._write(facts.removesuffix(tail(result, symbols=symbols())).rstrip("\n") + "\n\n")
            self._facts_shown = True
            self.note("Asking a model …")

    def show(self) -> int:
        """Write what is new."""
        new = "".join(self._pending)
        if new:
            sys.stdout.write(new)
            sys.stdout.flush()
        self._pending.clear()
        self.changed = False
        return len(new)

    def finish(self, result: Any) -> None:
        """Write what is left of the result."""
        if self._spoken or self._facts_shown:
            self._write(self._plain.close())
            self._line_end()
            self._write(tail(result, symbols=symbols()))
        else:
            self._write(render(result, self._format, symbols=symbols()))
        self.show()

    def stop(self, why: str) -> None:
        """Write what is left of the facts and of the words, and why they end."""
        if not self._streams and self.facts_alone is not None:
            self.finish(self.facts_alone)
            return
        self._write(self._plain.close())
        if self._spoken:
            self._line_end()
            self._write(f"[{why}]\n")
        self.show()

    def _line_end(self) -> None:
        if self._spoken and not self._spoken.endswith("\n"):
            self._write("\n")

    def _write(self, text: str) -> None:
        if text:
            self._pending.append(text)
            self._spoken = text
            self.changed = True
