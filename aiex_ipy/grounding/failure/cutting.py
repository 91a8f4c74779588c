"""Keep a captured failure small: what is least useful goes first, and is counted."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.failure.record import ErrorRecord, Failure, FrameRecord
from aiex_ipy.grounding.live.description import Column, Description

MOST_CHARACTERS = 24_000
"""Characters of a failure as JSON: some 6,000 tokens before the prompt's own budget cuts."""
MOST_COLUMNS = 40
MOST_KEYS = 20
MOST_ATTRIBUTES = 20
MOST_CELLS = 12
CELL_CHARACTERS = 2_500

Change = Callable[[FrameRecord], FrameRecord]


def cut(failure: Failure, wanted: Sequence[str] = (), most: int = MOST_CHARACTERS) -> Failure:
    """Return the failure in at most `most` characters of JSON, where its titles and messages
    alone are not longer. `wanted` are texts whose near misses are kept among columns and keys."""
    failure = _shorter_lists(failure, wanted)
    failure = _fewer_cells(failure)
    for said, step in _STEPS:
        if size(failure) <= most:
            break
        changed = step(failure)
        if changed != failure:
            failure = replace(changed, left_out=(*changed.left_out, said))
    return failure


def size(record: Struct) -> int:
    """Return the bytes of a record as JSON."""
    import msgspec

    return len(msgspec.json.encode(record))


def frames_of(failure: Failure, change: Callable[[FrameRecord, bool], FrameRecord]) -> Failure:
    """Return the failure with each frame changed; the change is told whether it is the one that
    failed."""
    inner = failure.frame

    def of_error(error: ErrorRecord) -> ErrorRecord:
        return replace(
            error,
            frames=tuple(change(each, each is inner) for each in error.frames),
            members=tuple(of_error(each) for each in error.members),
        )

    return replace(
        failure,
        errors=tuple(of_error(each) for each in failure.errors),
        stacks=tuple(
            (name, tuple(change(each, each is inner) for each in frames))
            for name, frames in failure.stacks
        ),
    )


def _shorter_lists(failure: Failure, wanted: Sequence[str]) -> Failure:
    def shorter(each: Description) -> Description:
        if max(len(each.columns), len(each.keys), len(each.attributes)) <= MOST_ATTRIBUTES:
            return each
        names = [column.name for column in each.columns]
        kept = set(_kept(names, wanted, MOST_COLUMNS))
        return replace(
            each,
            columns=_columns(each.columns, kept),
            keys=tuple(_kept(each.keys, wanted, MOST_KEYS)),
            attributes=tuple(_kept(each.attributes, wanted, MOST_ATTRIBUTES)),
        )

    def of_frame(frame: FrameRecord, inner: bool) -> FrameRecord:
        return replace(frame, variables=tuple(shorter(each) for each in frame.variables))

    failure = frames_of(failure, of_frame)
    return replace(failure, values=tuple(shorter(each) for each in failure.values))


def _columns(columns: Sequence[Column], kept: set[str]) -> tuple[Column, ...]:
    return tuple(each for each in columns if each.name in kept)[: 2 * MOST_COLUMNS]


def _kept(names: Sequence[str], wanted: Sequence[str], most: int) -> list[str]:
    """The first names, and those that are nearly one of the wanted."""
    if len(names) <= most:
        return list(names)
    near = {
        close for each in wanted for close in difflib.get_close_matches(each, names, 3, cutoff=0.6)
    }
    return [each for number, each in enumerate(names) if number < most or each in near]


GAP = "   […]"
"""Stands for lines of a cell that were left out."""


def _fewer_cells(failure: Failure) -> Failure:
    cells = failure.cells[-MOST_CELLS:]
    left = failure.left_out
    if len(cells) < len(failure.cells):
        left = (*left, f"{len(failure.cells) - len(cells)} earlier cells")
    return replace(failure, cells=tuple(_shorter_cell(each) for each in cells), left_out=left)


def _shorter_cell(cell: RanCell, most: int = CELL_CHARACTERS) -> RanCell:
    if len(cell.code) <= most:
        return cell
    if cell.lines:
        cell = _only_marked(cell)
        if len(cell.code) <= most:
            return cell
    lines = cell.code.splitlines()
    half = most // 2
    head, tail = cell.code[:half], cell.code[-half:]
    left = len(lines) - head.count("\n") - tail.count("\n")
    return replace(cell, code=f"{head}\n# [… about {left} lines …]\n{tail}")


def _only_marked(cell: RanCell) -> RanCell:
    """The cell with its marked lines alone, the marks written into them."""
    kept: list[str] = []
    for line in cell.marked.splitlines():
        if line.startswith("->"):
            kept.append(line)
        elif not kept or kept[-1] != GAP:
            kept.append(GAP)
    return replace(cell, code="\n".join(kept), lines=())


def _outer(change: Change) -> Callable[[Failure], Failure]:
    return lambda failure: frames_of(
        failure, lambda frame, inner: frame if inner else change(frame)
    )


def _inner(change: Change) -> Callable[[Failure], Failure]:
    return lambda failure: frames_of(
        failure, lambda frame, inner: change(frame) if inner else frame
    )


def _near(frame: FrameRecord, around: int) -> FrameRecord:
    return replace(
        frame, lines=tuple(each for each in frame.lines if abs(each.number - frame.line) <= around)
    )


def _plainer(frame: FrameRecord) -> FrameRecord:
    return replace(
        frame,
        variables=tuple(
            replace(each, attributes=(), keys=each.keys[:5], columns=each.columns[:12])
            for each in frame.variables
        ),
    )


def _only_ends(failure: Failure) -> Failure:
    def of_error(error: ErrorRecord) -> ErrorRecord:
        frames = error.frames if len(error.frames) <= 3 else (error.frames[0], *error.frames[-2:])
        return replace(
            error, frames=frames, members=tuple(of_error(each) for each in error.members[:3])
        )

    return replace(
        failure,
        errors=tuple(of_error(each) for each in failure.errors),
        stacks=tuple((name, frames[-3:]) for name, frames in failure.stacks[:4]),
    )


def _no_values(frame: FrameRecord) -> FrameRecord:
    return replace(frame, variables=())


def _steps() -> Iterator[tuple[str, Callable[[Failure], Failure]]]:
    yield "attributes and columns of values in outer frames", _outer(_plainer)
    yield (
        "other values of outer frames",
        _outer(lambda frame: replace(frame, variables=frame.variables[:4])),
    )
    yield "attributes of values in the failing frame", _inner(_plainer)
    yield "values of outer frames", _outer(_no_values)
    yield (
        "the middle of long cells",
        lambda failure: replace(
            failure, cells=tuple(_shorter_cell(each, 800) for each in failure.cells)
        ),
    )
    yield (
        "other values of the failing frame",
        _inner(lambda frame: replace(frame, variables=frame.variables[:8])),
    )
    yield (
        "most source lines of outer frames",
        _outer(lambda frame: _near(frame, 0)),
    )
    yield "frames in the middle", _only_ends
    yield "earlier cells", lambda failure: replace(failure, cells=failure.cells[-2:])
    yield (
        "most values",
        _inner(lambda frame: replace(_near(frame, 2), variables=frame.variables[:3])),
    )
    yield (
        "values asked about",
        lambda failure: replace(failure, values=failure.values[:3], context=failure.context[:2]),
    )


_STEPS = tuple(_steps())
