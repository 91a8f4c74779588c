"""The record of a captured failure. JSON-able; holds no live object."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.live.description import Description

Relation = Literal["", "cause", "context", "member"]
Kind = Literal["exception", "frame", "thread", "task", "loop", "process", "value", "text"]


class Line(Struct, frozen=True, kw_only=True):
    """One source line of a frame; `number` as in its file or cell."""

    number: int
    text: str


class FrameRecord(Struct, frozen=True, kw_only=True):
    """One frame of a stack.

    `place` is what people read (`In[3]`, a path relative to the project, `pandas/core/frame.py`).
    `lines` are the source lines around `line`, () when the source is gone; `missing` then says
    why, or that the file has been changed since. `expression` is the failing sub-expression and
    `span` its (line, column, end line, end column), lines 1-based, columns 0-based in characters,
    None when unknown. `variables` are those of the failing line first, then arguments, then other
    locals.

    Left out just before this frame are `folded` frames of `libraries`, and `repeated` frames of
    the user's functions `repeating`.
    """

    function: str
    place: str
    line: int
    user: bool = True
    lines: tuple[Line, ...] = ()
    missing: str = ""
    expression: str = ""
    span: tuple[int, int, int, int] | None = None
    variables: tuple[Description, ...] = ()
    folded: int = 0
    libraries: tuple[str, ...] = ()
    repeated: int = 0
    repeating: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The failing line, "" when its source is gone."""
        return next((each.text.strip() for each in self.lines if each.number == self.line), "")


class ErrorRecord(Struct, frozen=True, kw_only=True):
    """One exception: outermost frame first. `relation` is how it relates to the error after it
    in `Failure.errors`; `members` are those of a group. After the last frame `folded_after`
    frames of `libraries_after` are left out, the innermost of them being `raised_in`."""

    type: str
    message: str
    notes: tuple[str, ...] = ()
    relation: Relation = ""
    frames: tuple[FrameRecord, ...] = ()
    folded_after: int = 0
    libraries_after: tuple[str, ...] = ()
    raised_in: str = ""
    members: tuple[ErrorRecord, ...] = ()


class Version(Struct, frozen=True, kw_only=True):
    """An installed distribution that was involved."""

    name: str
    version: str


class Failure(Struct, frozen=True, kw_only=True):
    """A failure as it is told to people and models.

    `kind` is where it was seen. `errors` is the chain, the error to explain last, its causes
    before it; () when nothing was raised (a stack, a wrong value). `title` is one line. `stacks`
    are the frames of threads, tasks or processes where nothing was raised. `cells` are the
    earlier cells that made what the failing lines use, oldest first; `values` the values asked
    about. `left_out` says what was cut for the budget.
    """

    kind: Kind
    title: str
    errors: tuple[ErrorRecord, ...] = ()
    stacks: tuple[tuple[str, tuple[FrameRecord, ...]], ...] = ()
    values: tuple[Description, ...] = ()
    cells: tuple[RanCell, ...] = ()
    versions: tuple[Version, ...] = ()
    context: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def error(self) -> ErrorRecord | None:
        """The error to explain."""
        return self.errors[-1] if self.errors else None

    @property
    def frame(self) -> FrameRecord | None:
        """The innermost frame of the user's own code in the error to explain, or in the first
        member of a group that has one, else the innermost there is."""
        frames = _frames(self.error) if self.error is not None else ()
        if not frames and self.stacks:
            frames = self.stacks[0][1]
        own = [frame for frame in frames if frame.user]
        found = own or list(frames)
        return found[-1] if found else None


def _frames(error: ErrorRecord) -> tuple[FrameRecord, ...]:
    """The error's frames; those of a group end where it was put together, and what failed stands
    in its members."""
    for member in error.members:
        inner = _frames(member)
        if any(each.user for each in inner):
            return inner
    return error.frames
