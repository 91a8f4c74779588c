"""Help pages, written beforehand so that they cost no import of click.

`docs/generate.py` writes `help/*.txt` from the commands themselves; a test compares them.
"""

from __future__ import annotations

import os
import re

HERE = os.path.join(os.path.dirname(__file__), "help")
_WORD = re.compile(r"[a-z][a-z-]*\Z")


def page(topic: tuple[str, ...]) -> str | None:
    """Return the page of a command (`()` is the whole program), None when there is none."""
    if not all(_WORD.match(word) for word in topic):
        return None
    name = "-".join(("aiex", *topic))
    try:
        with open(os.path.join(HERE, f"{name}.txt"), encoding="utf-8") as stored:
            return stored.read()
    except OSError:
        return None
