"""A debug report as text and Markdown: the failure, what the facts say, then the model's words."""

from __future__ import annotations

from collections.abc import Sequence

from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.failure.record import Failure, FrameRecord
from aiex_ipy.grounding.fix import Fix
from aiex_ipy.grounding.live.describe import line
from aiex_ipy.grounding.live.description import Description
from aiex_ipy.operations.base import NO_JUDGEMENT
from aiex_ipy.operations.debug import DebugReport
from aiex_ipy.prompts.failure import error_lines, folded, gap_lines, marked_lines
from aiex_ipy.redaction.shapes import mask_code
from aiex_ipy.render.safe import escape, plain, safe_markdown, sentence

RULE = "=" * 50
SHOWN_LINES = 2
"""Source lines shown before and after the failing one; the model is told more."""
SHOWN_ASKED = 14
"""Values shown where it was a value that was asked about."""
SHOWN_MADE = 12
"""Statements shown that made a wrong value."""
WIDTH = 160
"""Characters of a line of values or of a frame."""
UNTOLD = "The facts alone do not tell the cause."


def text(result: DebugReport, *, symbols: bool = True) -> str:
    """Return the failure, the diagnoses, the model's words and the footer."""
    mark = "🐞 " if symbols else ""
    failure = result.failure
    lines = [f"{mark}{plain(failure.title)}", RULE]
    for title, body in parts(failure):
        lines += ["", plain(title), *(f"   {plain(each)}" for each in body)]
    for diagnosis in result.diagnoses:
        lines += ["", f"{_certainty(diagnosis)}: {plain(diagnosis.cause)}"]
        lines += [f"   - {plain(each)}" for each in diagnosis.evidence]
        if diagnosis.remedy:
            lines.append(f"   {plain(diagnosis.remedy)}")
    if not result.diagnoses and not result.text:
        lines += ["", UNTOLD]
    if result.text:
        lines += ["", plain(result.text).rstrip()]
    fix = result.best_fix
    if fix is not None:
        lines += ["", *_diff(fix)]
    told = "\n".join(lines)
    if not symbols:
        told = told.replace("…", "...")
    return told + "\n\n" + tail(result, symbols=symbols, fix=False)


def tail(result: DebugReport, *, symbols: bool = True, fix: bool = True) -> str:
    """Return the model's fix and the footer, for when facts and words were shown before."""
    mark = "— " if symbols else "-- "
    lines = _diff(result.fix) if fix and result.fix is not None else []
    return "\n".join([*lines, *(mark + line for line in footer(result))]) + "\n"


def markdown(result: DebugReport) -> str:
    """Return the same as Markdown."""
    lines = [f"## 🐞 {escape(result.failure.title)}"]
    for title, body in parts(result.failure):
        lines += ["", f"**{escape(title)}**", *(["", *_fenced(body, "text")] if body else [])]
    for diagnosis in result.diagnoses:
        lines += ["", f"**{_certainty(diagnosis)}:** {sentence(diagnosis.cause)}", ""]
        lines += [f"- {sentence(each)}" for each in diagnosis.evidence]
        if diagnosis.remedy:
            lines += ["", sentence(diagnosis.remedy)]
    if not result.diagnoses and not result.text:
        lines += ["", UNTOLD]
    if result.text:
        lines += ["", "---", "", safe_markdown(result.text).rstrip()]
    fix = result.best_fix
    if fix is not None:
        lines += ["", *_fenced(_diff(fix), "diff")]
    lines += ["", *(f"*{escape(line)}*  " for line in footer(result))]
    return "\n".join(lines) + "\n"


Part = tuple[str, list[str]]


def parts(failure: Failure) -> list[Part]:
    """Return what is shown of a failure: titles with their lines. People have seen the traceback,
    so that of other frames only the place and the failing code are shown."""
    frame = failure.frame
    found: list[Part] = []
    if len(failure.errors) > 1 or any(each.members or each.notes for each in failure.errors):
        found.append(("How it came about", error_lines(failure.errors)))
    if frame is not None:
        found.append((place(frame), _source(frame)))
        if frame.variables:
            found.append(("Values there", _values(frame.variables)))
    if failure.values:
        found.append(("Values", _values(failure.values, SHOWN_ASKED)))
    callers = _callers(failure, frame)
    if callers:
        found.append(("Called from", callers))
    for name, frames in failure.stacks:
        found.append((f"Stack of {name}", [each for f in frames for each in _downwards(f)]))
    if failure.cells:
        labels = ", ".join(each.label for each in failure.cells)
        made = _made(failure) if failure.kind == "value" else []
        found.append((f"Made by {labels}", made))
    return found + _last_parts(failure)


def _last_parts(failure: Failure) -> list[Part]:
    """Words around the failure, versions, and what was left out."""
    found: list[Part] = []
    if failure.context:
        found.append((failure.context[0], list(failure.context[1:])))
    if failure.versions:
        said = ", ".join(f"{each.name} {each.version}" for each in failure.versions)
        found.append((said, []))
    if failure.left_out:
        found.append((f"Left out: {'; '.join(failure.left_out)}", []))
    return found


def _made(failure: Failure) -> list[str]:
    """The statements that made a wrong value, the last ones."""
    lines = [
        f"{cell.label}: {line.removeprefix('-> ')}"
        for cell in failure.cells
        for line in cell.marked.splitlines()
        if line.startswith("->")
    ]
    return lines[-SHOWN_MADE:]


def _callers(failure: Failure, frame: FrameRecord | None) -> list[str]:
    """The frames above the failing one, innermost first, with what was folded between them."""
    error = failure.error
    if error is None:
        return []
    lines = [folded(error.folded_after, error.libraries_after)] if error.folded_after else []
    for each in reversed(error.frames):
        lines += gap_lines(each) if each is frame else _one_line(each)
    return lines


def _one_line(frame: FrameRecord) -> list[str]:
    code = frame.expression or frame.text
    shown = f"{place(frame)}{f': {code}' if code else ''}"
    return [shown if len(shown) <= WIDTH else f"{shown[: WIDTH - 1]}…", *gap_lines(frame)]


def _downwards(frame: FrameRecord) -> list[str]:
    """A frame of a stack told outermost first: what was left out before it stands above it."""
    own, *gap = _one_line(frame)
    return [*gap, own]


def _values(values: Sequence[Description], most: int = 8) -> list[str]:
    lines = [line(each, WIDTH) for each in values[:most]]
    return lines + ([f"… {len(values) - most} more"] if len(values) > most else [])


def place(frame: FrameRecord) -> str:
    """Return where a frame stands."""
    return f"{frame.place}, line {frame.line}, in {frame.function}"


def footer(result: DebugReport) -> list[str]:
    """Return the lines below: who spoke, what was not found, notices."""
    if result.model:
        lines = [plain(f"{result.model} ({result.provider})")]
    else:
        failed = any(notice.startswith(NO_JUDGEMENT) for notice in result.notices)
        lines = [f"facts alone; no model {'answered' if failed else 'was asked'}"]
    if result.unconfirmed:
        names = ", ".join(plain(name) for name in result.unconfirmed[:8])
        lines.append(f"UNCONFIRMED, in nothing that was captured: {names}")
    return lines + [plain(notice) for notice in result.notices]


def _certainty(diagnosis: Diagnosis) -> str:
    return {"certain": "Cause", "likely": "Likely cause", "possible": "Possible cause"}[
        diagnosis.certainty
    ]


def _source(frame: FrameRecord) -> list[str]:
    lines = [f"({frame.missing})"] if frame.missing else []
    return lines + marked_lines(frame, SHOWN_LINES)


def _diff(fix: Fix) -> list[str]:
    """The change as it is shown, which may be kept in a notebook: without the secrets around it."""
    return [plain(each) for each in mask_code(fix.diff).splitlines()]


def _fenced(lines: list[str], language: str) -> list[str]:
    body = [plain(each) for each in lines]
    marks = "```"
    while any(marks in each for each in body):
        marks += "`"
    return [f"{marks}{language}", *body, marks]
