"""The code that `%time` and `%%time` run: IPython compiles it without a source of its own."""

from __future__ import annotations

import linecache
import re
from typing import Any

FILES = ("<timed exec>", "<timed eval>")
"""The names it is compiled under. Source: IPython 9.18, `ExecutionMagics.time`."""
_LINE = re.compile(r"^(?P<head>[ \t]*%time[ \t]+)(?P<code>\S.*)$", re.MULTILINE)


def is_timed(error: BaseException) -> bool:
    """True when an error passed through timed code."""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename in FILES:
            return True
        traceback = traceback.tb_next
    return False


def timed_part(cell: str) -> tuple[str, str, str] | None:
    """Return what stands before, in and after the timed code of a cell; None where that cannot be
    told: several `%time` lines, or code behind `%%time` on its line."""
    if cell.startswith("%%time\n"):
        return "%%time\n", cell.removeprefix("%%time\n"), ""
    found = list(_LINE.finditer(cell))
    if len(found) != 1 or cell.startswith("%%"):
        return None
    [line] = found
    return cell[: line.start("code")], line["code"], cell[line.end() :]


def give_source(code: str, shell: Any) -> None:
    """Let timed code have its source, as code of cells has: tracebacks and `inspect` find it."""
    text = shell.transform_cell(code)
    lines = [f"{line}\n" for line in text.splitlines()]
    for file in FILES:
        linecache.cache[file] = (len(text), None, lines, file)
