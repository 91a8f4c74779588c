"""An evaluation as text and Markdown: what was measured, why it failed, then the model's words."""

from __future__ import annotations

from aiex_ipy.operations.base import NO_JUDGEMENT
from aiex_ipy.operations.evaluate import Evaluation, measured_lines
from aiex_ipy.render import debugging
from aiex_ipy.render.safe import escape, plain, safe_markdown, sentence

RULE = "=" * 50


def text(result: Evaluation, *, symbols: bool = True) -> str:
    """Return what was measured, the facts or the failure, the model's words and the footer."""
    mark = "▶ " if symbols else ""
    lines = [f"{mark}{title(result)}", RULE]
    measured = measured_lines(result.run)
    width = max((len(label) for label, _ in measured), default=0)
    lines += [f"{label:{width}}  {plain(said)}" for label, said in measured]
    if result.report is not None:
        report = debugging.text(result.report, symbols=symbols)
        own = debugging.tail(result.report, symbols=symbols, fix=False)
        lines += ["", report.removesuffix(own).rstrip("\n")]
    for group in result.facts:
        lines += ["", plain(group.title), *(f"   {plain(each)}" for each in group.facts)]
    if result.text:
        lines += ["", plain(result.text).rstrip()]
    return "\n".join(lines) + "\n\n" + _footer_text(result, symbols=symbols)


def tail(result: Evaluation, *, symbols: bool = True) -> str:
    """Return the fix of failed code and the footer, for when facts and words were shown before."""
    fix = ""
    if result.report is not None and result.report.text:
        shown = debugging.tail(result.report, symbols=symbols)
        fix = shown.removesuffix(debugging.tail(result.report, symbols=symbols, fix=False))
    return fix + _footer_text(result, symbols=symbols)


def markdown(result: Evaluation) -> str:
    """Return the same as Markdown."""
    lines = [f"## ▶ {escape(title(result))}", ""]
    lines += [f"- **{escape(label)}:** {escape(said)}" for label, said in _measured(result)]
    if result.report is not None:
        report = debugging.markdown(result.report).rstrip()
        lines += ["", report.rpartition("\n\n")[0].replace("## 🐞", "### 🐞", 1)]
    for group in result.facts:
        lines += ["", f"**{escape(group.title)}**", ""]
        lines += [f"- {sentence(each)}" for each in group.facts]
    if result.text:
        lines += ["", "---", "", safe_markdown(result.text).rstrip()]
    lines += ["", *(f"*{escape(each)}*  " for each in footer(result))]
    return "\n".join(lines) + "\n"


def title(result: Evaluation) -> str:
    """Return how the code ended."""
    if result.run.interrupted:
        return "interrupted"
    if result.report is not None:
        return "failed"
    return "ran"


def footer(result: Evaluation) -> list[str]:
    """Return the lines below: who spoke, what was not found, notices."""
    if result.report is not None:
        notices = [plain(each) for each in result.notices]
        return [*debugging.footer(result.report), *notices]
    if result.model:
        lines = [plain(f"{result.model} ({result.provider})")]
    else:
        failed = any(notice.startswith(NO_JUDGEMENT) for notice in result.notices)
        lines = [f"measured; no model {'answered' if failed else 'was asked'}"]
    if result.unconfirmed:
        names = ", ".join(plain(name) for name in result.unconfirmed[:8])
        lines.append(f"UNCONFIRMED, in neither code nor facts: {names}")
    return lines + [plain(notice) for notice in result.notices]


def _measured(result: Evaluation) -> list[tuple[str, str]]:
    return [(label, plain(said)) for label, said in measured_lines(result.run)]


def _footer_text(result: Evaluation, *, symbols: bool) -> str:
    mark = "— " if symbols else "-- "
    return "\n".join(mark + each for each in footer(result)) + "\n"
