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
    """Return what is told of a failure; a lower rank is kept longer when the budget is short.

    The first section is small and is kept longest: the error and the line that failed.
    """
    frame = failure.frame
    found = [Section(title="Error", text=_short(failure, frame), rank=0)]
    if frame is not None:
        found.append(Section(title="Where it failed", text=frame_text(frame), rank=1))
        if frame.variables:
            found.append(Section(title="Values there", text=_values(frame), rank=2))
    if failure.values:
        shown = "\n".join(line(each) for each in failure.values)
        found.append(Section(title="Values asked about", text=shown, rank=1))
    found += _chain(failure)
    if failure.context:
        found.append(Section(title="Context", text="\n".join(failure.context), rank=2))
    if diagnoses:
        said = "\n".join(f"{d.certainty}: {d.cause} {'; '.join(d.evidence)}" for d in diagnoses)
        found.append(Section(title="What the facts say", text=said, rank=3))
    if failure.cells:
        cells = "\n\n".join(f"# {each.label}\n{each.marked}" for each in failure.cells)
        if any(each.lines for each in failure.cells):
            cells = f"-> marks the statements that did.\n\n{cells}"
        found.append(Section(title="Earlier cells that made these values", text=cells, rank=4))
    found += _other_frames(failure, frame)
    if source is not None:
        text = source.text
        found.append(Section(title=f"The whole of {source.path}", text=text, rank=7))
    text = ", ".join(f"{each.name} {each.version}" for each in failure.versions)
    found += [
        Section(title=title, text=text, rank=rank)
        for title, text, rank in (
            ("Versions", text, 5),
            ("Left out", "; ".join(failure.left_out), 8),
        )
        if text
    ]
    return tuple(found)


def _chain(failure: Failure) -> list[Section]:
    if len(failure.errors) < 2 and not any(each.members or each.notes for each in failure.errors):
        return []
    text = "\n".join(error_lines(failure.errors))
    return [Section(title="The errors, the first one first", text=text, rank=2)]


def _short(failure: Failure, frame: FrameRecord | None) -> str:
    lines = [failure.title]
    if frame is not None and frame.text:
        lines.append(f"-> {frame.text}")
    if frame is not None:
        lines.append(f"in {frame.function}, {frame.place}, line {frame.line}")
    error = failure.error
    if error is not None and error.message.count("\n"):
        lines.append(error.message)
    return "\n".join(lines)


def _values(frame: FrameRecord) -> str:
    return "\n".join(line(each) for each in frame.variables)


def _other_frames(failure: Failure, frame: FrameRecord | None) -> list[Section]:
    """The callers of the failing frame, innermost first, then the frames of the errors before it
    and of other stacks."""
    found: list[Section] = []
    error = failure.error
    rank = 5
    for each in failure.errors:
        title = "Called from" if each is error else f"Frames of the {each.type} before"
        rank = 5 if each is error else 6
        found += _frames(title, stack_lines(each, without=frame), rank)
        for member in each.members:
            title = f"Frames of the member {member.type}: {member.message}"
            found += _frames(title, stack_lines(member, without=frame), rank)
    for name, frames in failure.stacks:
        lines = [
            part
            for each in frames
            for part in (*gap_lines(each), *([] if each is frame else _told(each)[:1]))
        ]
        found += _frames(f"Stack of {name}, outermost first", lines, 2 if not error else 6)
    return found


def _frames(title: str, lines: Sequence[str], rank: int) -> list[Section]:
    return [Section(title=title, text="\n".join(lines), rank=rank)] if lines else []


def stack_lines(error: ErrorRecord, *, without: FrameRecord | None = None) -> list[str]:
    """Return an error's frames, innermost first, with what was folded between them."""
    lines = [f"raised in {error.raised_in}"] if error.raised_in else []
    if error.folded_after:
        lines.append(folded(error.folded_after, error.libraries_after))
    for each in reversed(error.frames):
        lines += gap_lines(each) if each is without else _told(each)
    return lines


def _told(frame: FrameRecord) -> list[str]:
    return [frame_text(frame, values=True), *gap_lines(frame)]


def gap_lines(frame: FrameRecord) -> list[str]:
    """Return what was left out just before a frame, in words."""
    lines = []
    if frame.repeated:
        names = ", ".join(frame.repeating)
        lines.append(f"[… {frame.repeated} more calls of {names} …]")
    if frame.folded:
        lines.append(folded(frame.folded, frame.libraries))
    return lines


def folded(count: int, libraries: Sequence[str]) -> str:
    """Return frames of libraries that are not told, in words."""
    names = f" of {', '.join(libraries)}" if libraries else ""
    return f"[… {count} frame{'s' if count != 1 else ''}{names} …]"


def frame_text(frame: FrameRecord, *, values: bool = False) -> str:
    """Return a frame's source with the failing line and expression marked."""
    lines = [f"{frame.place}, line {frame.line}, in {frame.function}"]
    if frame.missing:
        lines.append(f"({frame.missing})")
    lines += marked_lines(frame)
    if frame.expression and not values:
        lines.append(f"failing expression: {frame.expression}")
    if values and frame.variables:
        lines.append(_values(frame))
    return "\n".join(lines)


def marked_lines(frame: FrameRecord, around: int | None = None) -> list[str]:
    """Return the source lines, the failing one with an arrow, other lines of its expression with
    a bar, carets below the failing part; with `around` only so many lines next to it."""
    found: list[str] = []
    first, start, last, end = frame.span or (frame.line, 0, frame.line, 0)
    last_number = 0
    for each in frame.lines:
        failing = each.number == frame.line
        near = first <= each.number <= last
        if around is not None and not near and abs(each.number - frame.line) > around:
            continue
        if last_number and each.number > last_number + 1:
            found.append("        …")
        last_number = each.number
        mark = "->" if failing else " |" if near else "  "
        found.append(f"{mark} {each.number:4} {each.text}")
        whole = (start, end) == (len(each.text) - len(each.text.lstrip()), len(each.text))
        if failing and end > start and first == last and not whole:
            found.append(" " * (8 + start) + "^" * (end - start))
    return found


def error_lines(errors: Sequence[ErrorRecord]) -> list[str]:
    """Return a chain of errors as lines: how each led to the next, notes and members below."""
    lines: list[str] = []
    for each in errors:
        lines += _error_lines(each, 0)
        if each.relation in RELATIONS:
            lines.append(f"({RELATIONS[each.relation]})")
    return lines


RELATIONS = {
    "cause": "which was the direct cause of:",
    "context": "and while it was handled:",
}


def _error_lines(error: ErrorRecord, depth: int) -> list[str]:
    indent = "  " * depth
    head = f"{error.type}: {error.message}" if error.message else error.type
    lines = [indent + head, *(f"{indent}  note: {note}" for note in error.notes)]
    for member in error.members:
        inner = member.frames[-1] if member.frames else None
        member_lines = _error_lines(member, depth + 1)
        if inner is not None:
            member_lines[0] += f" ({inner.place}, line {inner.line}, in {inner.function})"
        lines += member_lines
    return lines
