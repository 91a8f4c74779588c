"""The cells that ran in a session, oldest first, as front ends hand them down."""

from __future__ import annotations

from msgspec import Struct


class RanCell(Struct, frozen=True, kw_only=True):
    """One run of a cell. `number` is that of its `In[n]` (None without history), `code` the text
    as typed, magics included; `ok` False when it raised.
    `lines` are the first and last line of each statement that matters to a failure, 1-based, where
    that was asked."""

    number: int | None
    code: str
    ok: bool = True
    lines: tuple[tuple[int, int], ...] = ()

    @property
    def marked(self) -> str:
        """The code with `->` before the lines that matter; as it is where none were asked for."""
        if not self.lines:
            return self.code
        wanted = {n for first, last in self.lines for n in range(first, last + 1)}
        return "\n".join(
            f"{'->' if number in wanted else '  '} {line}"
            for number, line in enumerate(self.code.splitlines(), 1)
        )

    @property
    def label(self) -> str:
        """What people call it."""
        return f"In[{self.number}]" if self.number is not None else "a cell"
