"""A text that failed, and a change that may mend it."""

from __future__ import annotations

import difflib

from msgspec import Struct


class Source(Struct, frozen=True, kw_only=True):
    """The text a fix is for, as it was when the failure was captured.

    `path` is what people read; `cell` the cell's number or None, `file` the absolute path or "".
    `text` is the whole text of the cell or file.
    """

    path: str
    text: str
    cell: int | None = None
    file: str = ""


class Fix(Struct, frozen=True, kw_only=True):
    """A change that makes `source.text` into `after`."""

    source: Source
    after: str
    why: str = ""

    @property
    def diff(self) -> str:
        """The change as a unified diff with three lines of context."""
        lines = difflib.unified_diff(
            self.source.text.splitlines(),
            self.after.splitlines(),
            self.source.path,
            self.source.path,
            lineterm="",
        )
        return "".join(f"{line}\n" for line in lines)
