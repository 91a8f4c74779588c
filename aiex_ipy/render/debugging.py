"""A debug report as text and Markdown: the failure, what the facts say, then the model's words."""

from __future__ import annotations

from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.failure.record import FrameRecord
from aiex_ipy.grounding.fix import Fix
from aiex_ipy.operations.base import NO_JUDGEMENT
from aiex_ipy.operations.debug import DebugReport
from aiex_ipy.render.safe import escape, plain, safe_markdown, sentence

RULE = "=" * 50
SHOWN_LINES = 2
"""Source lines shown before and after the failing one; the model is told more."""


def text(result: DebugReport, *, symbols: bool = True) -> str:
    """Return the failure, the diagnoses, the model's words and the footer."""
    mark = "🐞 " if symbols else ""
    lines = [f"{mark}{plain(result.failure.title)}", RULE]
    frame = result.failure.frame
    if frame is not None:
        lines += ["", plain(place(frame)), *(f"   {plain(each)}" for each in _source(frame))]
    for diagnosis in result.diagnoses:
        lines += ["", f"{_certainty(diagnosis)}: {plain(diagnosis.cause)}"]
        lines += [f"   - {plain(each)}" for each in diagnosis.evidence]
        if diagnosis.remedy:
            lines.append(f"   {plain(diagnosis.remedy)}")
    if not result.diagnoses and not result.text:
        lines += ["", "The facts alone do not tell the cause."]
    if result.text:
        lines += ["", plain(result.text).rstrip()]
    fix = result.best_fix
    if fix is not None:
        lines += ["", *_diff(fix)]
    return "\n".join(lines) + "\n\n" + tail(result, symbols=symbols, fix=False)


def tail(result: DebugReport, *, symbols: bool = True, fix: bool = True) -> str:
    """Return the model's fix and the footer, for when facts and words were shown before."""
    mark = "— " if symbols else "-- "
    lines = _diff(result.fix) if fix and result.fix is not None else []
    return "\n".join([*lines, *(mark + line for line in footer(result))]) + "\n"


def markdown(result: DebugReport) -> str:
    """Return the same as Markdown."""
    lines = [f"## 🐞 {escape(result.failure.title)}"]
    frame = result.failure.frame
    if frame is not None:
        lines += ["", f"**{escape(place(frame))}**", "", *_fenced(_source(frame), "text")]
    for diagnosis in result.diagnoses:
        lines += ["", f"**{_certainty(diagnosis)}:** {sentence(diagnosis.cause)}", ""]
        lines += [f"- {sentence(each)}" for each in diagnosis.evidence]
        if diagnosis.remedy:
            lines += ["", sentence(diagnosis.remedy)]
    if not result.diagnoses and not result.text:
        lines += ["", "The facts alone do not tell the cause."]
    if result.text:
        lines += ["", "---", "", safe_markdown(result.text).rstrip()]
    fix = result.best_fix
    if fix is not None:
        lines += ["", *_fenced(_diff(fix), "diff")]
    lines += ["", *(f"*{escape(line)}*  " for line in footer(result))]
    return "\n".join(lines) + "\n"


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
    near = [each for each in frame.lines if abs(each.number - frame.line) <= SHOWN_LINES]
    lines = [
        f"{'->' if each.number == frame.line else '  '} {each.number:4} {each.text}"
        for each in near
    ]
    return lines or [f"({frame.missing})"]


def _diff(fix: Fix) -> list[str]:
    return [plain(each) for each in fix.diff.splitlines()]


def _fenced(lines: list[str], language: str) -> list[str]:
    body = [plain(each) for each in lines]
    marks = "```"
    while any(marks in each for each in body):
        marks += "`"
    return [f"{marks}{language}", *body, marks]
