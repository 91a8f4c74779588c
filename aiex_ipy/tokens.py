"""Estimate how many tokens a text costs before any server is asked."""

from __future__ import annotations

import re

_PIECES = re.compile(r"[A-Za-z]+|[0-9]|[ \t]+|\n|[^\sA-Za-z0-9]")
MESSAGE_OVERHEAD = 8
"""Tokens a chat template adds per message (role and turn marks); ChatML adds 5 to 7."""


def estimate(text: str) -> int:
    """Return a cautious number of tokens of `text`.

    A word costs one token per four letters begun, a digit and a mark one each, a run of
    blanks one only when longer than one, a character outside ASCII its UTF-8 bytes halved.
    Measured against SmolLM2's tokenizer it is above the true count for source and prose
    (tests/prompts/test_fit.py).
    """
    total = 0
    for piece in _PIECES.findall(text):
        first = piece[0]
        if first.isascii():
            if first.isalpha():
                total += (len(piece) + 3) // 4
            elif first in " \t":
                total += len(piece) > 1
            else:
                total += 1
        else:
            total += (len(piece.encode("utf-8", "surrogatepass")) + 1) // 2
    return total


def cut(text: str, budget: int) -> tuple[str, bool]:
    """Return the longest run of whole lines from the start of `text` within `budget` tokens, and
    whether anything was left out. A first line that is too long alone is cut in itself."""
    if len(text) <= budget or estimate(text) <= budget:
        return text, False
    kept: list[str] = []
    left = budget
    for line in text.splitlines(keepends=True):
        cost = estimate(line)
        if cost > left:
            if not kept:
                kept.append(_cut_line(line, left))
            break
        kept.append(line)
        left -= cost
    return "".join(kept), True


def _cut_line(line: str, budget: int) -> str:
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if estimate(line[:middle]) <= budget:
            low = middle
        else:
            high = middle - 1
    return line[:low]
