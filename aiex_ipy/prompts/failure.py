"""A captured failure as sections of a prompt, the most useful first."""

from __future__ import annotations

from collections.abc import Sequence

from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.failure.record import ErrorRecord, Failure, FrameRecord
from aiex_ipy.grounding.fix import Source
from aiex_ipy.grounding.live.describe import line
from aiex_ipy.prompts.fit import Section


def sections(
    failure: Failure, diagnoses: Sequence[Diagnosis], source: Source | None
) -> tuple[Section, ...]:
    """Return what is told of a failure; a lower rank is kept longer when the budget is short."""
    found = [Section(title="Error", text=_errors(failure), rank=0)]
    frame = failure.frame
    if frame is not None:
        found.append(Section(title="Where it failed", text=frame_text(frame), rank=1))
        shown = "\n".join(line(each) for each in frame.variables)
        if shown:
            found.append(Section(title="Values there", text=shown, rank=2))
    if failure.values:
        shown = "\n".join(line(each) for each in failure.values)
        found.append(Section(title="Values asked about", text=shown, rank=1))
    if diagnoses:
        said = "\n".join(f"{d.certainty}: {d.cause} {'; '.join(d.evidence)}" for d in diagnoses)
        found.append(Section(title="What the facts say", text=said, rank=3))
    if failure.cells:
        cells = "\n\n".join(f"# {each.label}\n{each.code}" for each in failure.cells)
        found.append(Section(title="Earlier cells that made these values", text=cells, rank=4))
    others = [each for each in _frames(failure) if each is not frame]
    if others:
        text = "\n\n".join(frame_text(each, values=True) for each in reversed(others))
        found.append(Section(title="Other frames, innermost first", text=text, rank=5))
    if source is not None:
        found.append(Section(title=f"The whole of {source.path}", text=source.text, rank=6))
    if failure.versions:
        text = ", ".join(f"{each.name} {each.version}" for each in failure.versions)
        found.append(Section(title="Versions", text=text, rank=7))
    if failure.context:
        found.append(Section(title="Context", text="\n".join(failure.context), rank=2))
    return tuple(found)


def frame_text(frame: FrameRecord, *, values: bool = False) -> str:
    """Return a frame's source with the failing line and expression marked."""
    lines = [f"{frame.place}, line {frame.line}, in {frame.function}"]
    if frame.missing:
        lines.append(f"({frame.missing})")
    for each in frame.lines:
        mark = "->" if each.number == frame.line else "  "
        lines.append(f"{mark} {each.number:4} {each.text}")
    if frame.expression:
        lines.append(f"failing expression: {frame.expression}")
    if values:
        lines += [line(each) for each in frame.variables]
    return "\n".join(lines)


def _errors(failure: Failure) -> str:
    if not failure.errors:
        return failure.title
    return "\n".join(_error(each) for each in failure.errors)


def _error(error: ErrorRecord, depth: int = 0) -> str:
    relation = {"cause": " (the cause of the next)", "context": " (while handling it, the next)"}
    head = f"{error.type}: {error.message}{relation.get(error.relation, '')}"
    lines = ["  " * depth + head, *("  " * depth + note for note in error.notes)]
    lines += [_error(each, depth + 1) for each in error.members]
    return "\n".join(lines)


def _frames(failure: Failure) -> list[FrameRecord]:
    frames = [frame for error in failure.errors for frame in error.frames]
    return frames + [frame for _, stack in failure.stacks for frame in stack]
