"""The cells that ran in a session, oldest first, as front ends hand them down."""

from __future__ import annotations

from msgspec import Struct


class RanCell(Struct, frozen=True, kw_only=True):
    """One run of a cell. `number` is that of its `In[n]` (None without history), `code` the text
    as typed, magics included; `ok` False when it raised."""

    number: int | None
    code: str
    ok: bool = True

    @property
    def label(self) -> str:
        """What people call it."""
        return f"In[{self.number}]" if self.number is not None else "a cell"
