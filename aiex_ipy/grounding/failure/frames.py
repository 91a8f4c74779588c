"""Frames of a traceback: whose code they are, their source and the expression that failed."""

from __future__ import annotations

import ast
import linecache
import os
import sys
import sysconfig
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.failure.moment import LiveFrame
from aiex_ipy.grounding.fix import Source

LIBRARIES = tuple(
    {
        os.path.realpath(path) + os.sep
        for key in ("stdlib", "platstdlib", "purelib", "platlib")
        if (path := sysconfig.get_paths().get(key))
    }
)
"""Directories whose code is not the user's: the standard library and installed packages."""
PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))) + os.sep
NameOf = Callable[[str], str | None]
"""Gives the name people know code by, such as `In[3]`, for the name it was compiled under."""


def nameless(file: str) -> str | None:
    """Know no cells: where there is no notebook."""
    return None


def frames_of(
    traceback: TracebackType | None,
    *,
    cells: Sequence[RanCell] = (),
    name_of: NameOf = nameless,
    project_dir: str = "",
) -> list[LiveFrame]:
    """Return the frames of a traceback, outermost first, with their source and failing node."""
    found = []
    while traceback is not None:
        live = LiveFrame(traceback.tb_frame, traceback.tb_frame.f_code, traceback.tb_lineno or 0)
        _complete(live, traceback, cells, name_of, project_dir)
        found.append(live)
        traceback = traceback.tb_next
    return found


def _complete(
    live: LiveFrame,
    where: TracebackType | FrameType,
    cells: Sequence[RanCell],
    name_of: NameOf,
    project_dir: str,
) -> None:
    import executing

    label = name_of(live.file)
    cell = next((each for each in reversed(cells) if each.label == label), None)
    live.user = label is not None or is_users(live.file)
    live.place = label or shown_path(live.file, project_dir)
    lines = linecache.getlines(live.file, live.globals)  # type: ignore[arg-type]
    if not lines:
        live.missing = "its source is not to be had"
        return
    live.source_text = "".join(lines)
    if live.user:
        live.source = Source(
            path=live.place,
            text=cell.code if cell is not None else live.source_text,
            cell=cell.number if cell is not None else None,
            file=live.file if label is None and os.path.isabs(live.file) else "",
        )
    try:
        live.tree = ast.parse(live.source_text)
        live.node = executing.Source.executing(where).node
    except Exception:  # executing fails in many ways on code that changed
        live.node = None


def is_users(file: str) -> bool:
    """True for code that is neither a library's, nor Python's, nor our own."""
    if file.startswith("<"):
        return not file.startswith("<frozen ")
    real = os.path.realpath(file)
    return not real.startswith((*LIBRARIES, PACKAGE))


def shown_path(file: str, project_dir: str) -> str:
    """Return a path as people read it: relative to the project or to `sys.path`."""
    for root in (project_dir, *sys.path):
        root = os.path.abspath(root or ".") + os.sep
        if file.startswith(root):
            return file[len(root) :].replace(os.sep, "/")
    return file
