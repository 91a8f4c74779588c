"""An explanation as text and Markdown: facts first, then the model's words."""

from __future__ import annotations

from aiex_ipy.operations.base import NO_JUDGEMENT
from aiex_ipy.operations.explain import Explanation
from aiex_ipy.render.safe import escape, plain, safe_markdown, sentence

RULE = "=" * 50


def text(result: Explanation, *, symbols: bool = True) -> str:
    """Return the facts, the model's words and the footer; ends in a newline."""
    mark = "📖 " if symbols else ""
    lines = [f"{mark}{plain(title(result))}", RULE]
    for group in result.facts:
        lines += ["", plain(group.title)]
        lines += [f"   {plain(line)}" for line in group.facts]
    if result.text:
        lines += ["", plain(result.text).rstrip()]
    return "\n".join(lines) + "\n\n" + tail(result, symbols=symbols)


def tail(result: Explanation, *, symbols: bool = True) -> str:
    """Return the footer, for when facts and words were shown before."""
    mark = "— " if symbols else "-- "
    return "\n".join(mark + line for line in footer(result)) + "\n"


def markdown(result: Explanation) -> str:
    """Return the same as Markdown."""
    lines = [f"## 📖 {escape(title(result))}"]
    for group in result.facts:
        lines += ["", f"**{escape(group.title)}**", ""]
        lines += [f"- {sentence(line)}" for line in group.facts]
    if result.text:
        lines += ["", "---", "", safe_markdown(result.text).rstrip()]
    lines += ["", *(f"*{escape(line)}*  " for line in footer(result))]
    return "\n".join(lines) + "\n"


def title(result: Explanation) -> str:
    """Return what is explained, for whom, and under which focus."""
    what = result.symbol or result.path or result.target
    where = f" in {result.path}" if result.symbol and result.symbol != result.path else ""
    focus = "" if result.focus == "comprehensive" else f", {result.focus}"
    return f"{result.kind} {what}{where} ({result.level}{focus})"


def footer(result: Explanation) -> list[str]:
    """Return the lines below: who spoke, names the code does not hold, notices."""
    lines = []
    if result.model:
        lines.append(plain(f"{result.model} ({result.provider})"))
    else:
        failed = any(notice.startswith(NO_JUDGEMENT) for notice in result.notices)
        asked = "answered" if failed else "was asked"
        lines.append(f"facts from the parse tree alone; no model {asked}")
    if result.unconfirmed:
        names = ", ".join(plain(name) for name in result.unconfirmed[:8])
        lines.append(f"UNCONFIRMED, not found in the code: {names}")
    return lines + [plain(notice) for notice in result.notices]
