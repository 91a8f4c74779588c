"""Model text made plain piece by piece, as it arrives."""

from __future__ import annotations

import re

from aiex_ipy.render.safe import plain

LONGEST_HELD = 4096
"""Characters of an unfinished escape sequence kept back before it is taken as text."""
_UNFINISHED = re.compile(
    r"(?:\x1b(?:[\[P\]X^_][^\x07\x1b\x9c]*)?\x1b?|[\x90\x98\x9b\x9d-\x9f][^\x07\x1b\x9c]*\x1b?|\r)\Z"
)


class PlainStream:
    """Feeding pieces gives the same text as `plain` of the whole, up to where it is certain.

    An escape sequence that may go on in the next piece is held back, so that its halves
    never reach a terminal.
    """

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """Return what can be shown now."""
        text = self._held + text
        match = _UNFINISHED.search(text, max(0, len(text) - LONGEST_HELD))
        cut = match.start() if match else len(text)
        self._held = text[cut:]
        return plain(text[:cut])

    def close(self) -> str:
        """Return what was held back."""
        held, self._held = self._held, ""
        return plain(held)
