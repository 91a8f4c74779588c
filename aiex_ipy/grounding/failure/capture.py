"""Capture a failure in the thread where it can be seen: the record, and the live side of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.failure.frames import NameOf, frames_of, nameless
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.failure.record import ErrorRecord, Failure, FrameRecord, Line
from aiex_ipy.grounding.live.describe import describe

AROUND = 5
"""Source lines shown before and after the failing one."""


def capture(
    target: BaseException,
    *,
    cells: Sequence[RanCell] = (),
    name_of: NameOf = nameless,
    names: Mapping[str, Any] | None = None,
    project_dir: str = "",
    context: Sequence[str] = (),
    expression: str = "",
) -> tuple[Failure, Moment]:
    """Return the record of a failure and the moment it was seen in."""
    frames = frames_of(target.__traceback__, cells=cells, name_of=name_of, project_dir=project_dir)
    moment = Moment(
        error=target,
        frames=frames,
        cells=cells,
        names=names,
        expression=expression,
        project_dir=project_dir,
    )
    kind = type(target)
    error = ErrorRecord(
        type=kind.__qualname__,
        message=str(target),
        frames=tuple(_record(each) for each in frames if each.user),
    )
    title = f"{error.type}: {error.message}" if error.message else error.type
    return Failure(kind="exception", title=title, errors=(error,), context=tuple(context)), moment


def _record(live: LiveFrame) -> FrameRecord:
    lines = live.source_text.splitlines()
    first = max(1, live.line - AROUND)
    shown = enumerate(lines[first - 1 : live.line + AROUND], first)
    return FrameRecord(
        function=live.function,
        place=live.place,
        file=live.file,
        line=live.line,
        user=live.user,
        missing=live.missing,
        lines=tuple(Line(number=number, text=text) for number, text in shown),
        variables=tuple(
            describe(value, name) for name, value in live.locals.items() if not name.startswith("_")
        ),
    )
