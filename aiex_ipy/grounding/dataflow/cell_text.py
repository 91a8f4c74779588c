"""The Python of a cell that ran, statement by statement, and the names its magics use and make."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from aiex_ipy.grounding.notebook import read_cell
from aiex_ipy.grounding.python import PARSE_NAME, Uncollected

_TIMED = re.compile(r"^([ \t]*)%time[ \t]+(?=\S)", re.MULTILINE)
_MADE = re.compile(
    r"^\s*%%capture[ \t]+(?:-\S+[ \t]+)*([^\W\d]\w*)|(?:--into|--out|--err)[ =]([^\W\d]\w*)",
    re.MULTILINE,
)
_RESET = re.compile(r"^[ \t]*%reset[ \t]*(?:-[fs][ \t]*)*$", re.MULTILINE)
_TIMEIT = re.compile(r"\s*%%timeit\b")


class CellText:
    """A cell as Python. `body` is empty where it does not parse, `error` then says so; `used` are
    words in its magics, `made` the names they bind; `opaque` when a magic brings in others,
    `resets` when one deletes all."""

    __slots__ = ("body", "error", "made", "opaque", "resets", "text", "used")

    def __init__(self, code: str) -> None:
        cells = read_cell(_TIMED.sub(r"\1", code))
        self.text = cells.text
        self.body: list[ast.stmt] = []
        self.error = False
        self.opaque = cells.opaque
        self.resets = _RESET.search(code) is not None
        self.used = cells.words
        self.made = tuple(a or b for a, b in _MADE.findall(code))
        try:
            with Uncollected():
                self.body = ast.parse(cells.text, PARSE_NAME).body
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            self.error = True
        if self.body and _TIMEIT.match(code):
            self.body = _in_a_function(self.body)


@lru_cache(maxsize=4096)
def cell_text(code: str) -> CellText:
    """Return a cell read; the same text is read once."""
    return CellText(code)


def _in_a_function(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return `body` as `%%timeit` runs it: what it binds is gone afterwards."""
    made = ast.parse("def __timed__():\n    pass\n__timed__()", PARSE_NAME).body
    assert isinstance(made[0], ast.FunctionDef)
    made[0].body = body
    return made
