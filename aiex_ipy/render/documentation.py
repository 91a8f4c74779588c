"""Documentation as text and Markdown: what the source says, then the model's words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from inspect import cleandoc

from aiex_ipy.grounding.documentation.docstring import Item
from aiex_ipy.grounding.documentation.examples import Example
from aiex_ipy.grounding.documentation.uses import Use
from aiex_ipy.grounding.live.text import line
from aiex_ipy.operations.base import NO_JUDGEMENT
from aiex_ipy.operations.doc import DocMember, Documentation
from aiex_ipy.render.safe import escape, plain, safe_markdown, sentence

RULE = "=" * 50
SHOWN_SOURCE = 40
SHOWN_MEMBERS = 20
SHOWN_EXAMPLES = 12
Part = tuple[str, list[str], str]
"""A title, its lines, and the language they are set in as code, `""` for prose."""


def text(result: Documentation, *, symbols: bool = True) -> str:
    """Return the documentation, the model's words and the footer; ends in a newline."""
    mark = "📘 " if symbols else ""
    lines = [f"{mark}{plain(title(result))}", RULE]
    for head, body, _ in parts(result):
        lines += ["", plain(head), *(f"   {plain(each)}" for each in body)]
    if result.text:
        lines += ["", plain(result.text).rstrip()]
    return "\n".join(lines) + "\n\n" + tail(result, symbols=symbols)


def tail(result: Documentation, *, symbols: bool = True) -> str:
    """Return the footer, for when facts and words were shown before."""
    mark = "— " if symbols else "-- "
    return "\n".join(mark + each for each in footer(result)) + "\n"


def markdown(result: Documentation) -> str:
    """Return the same as Markdown."""
    lines = [f"## 📘 {escape(title(result))}"]
    for head, body, language in parts(result):
        lines += ["", f"**{escape(head)}**", ""]
        if language:
            lines += _fenced(body, language)
        else:
            lines += [f"- {sentence(each)}" for each in body]
    if result.text:
        lines += ["", "---", "", safe_markdown(result.text).rstrip()]
    lines += ["", *(f"*{escape(each)}*  " for each in footer(result))]
    return "\n".join(lines) + "\n"


def title(result: Documentation) -> str:
    """Return what it is, and its name where it is defined."""
    return f"{result.kind} {result.name or result.target}".strip()


def parts(result: Documentation) -> list[Part]:
    """Return what is told, part by part, the most useful first."""
    found: list[Part] = []
    if result.value is not None:
        found.append(("The object", [line(result.value)], ""))
    where = result.path + (f", line {result.line}" if result.line else "")
    came = " ".join(each for each in (result.distribution, result.version) if each)
    if where or came:
        told = [each for each in (where, came) if each]
        found.append(("Where it is defined", [" · ".join(told)], ""))
    found.append(("How it is called", list(result.signatures), "python"))
    found.append(("What it is for", [result.summary] if result.summary else [], ""))
    for head, items in (
        ("Parameters", result.parameters),
        ("What comes back", result.returns),
        ("Errors", result.raises),
    ):
        found.append((head, [_item(each) for each in items], ""))
    if not result.parameters and not result.returns and not result.raises:
        rest = _beyond_summary(result)
        found.append(("Docstring", rest, "text"))
    found.append(("Members", _members(result.members, result.members_left_out), ""))
    found.append(("Examples", _examples(result.examples), "python"))
    found.append(("Where it is used", _uses(result.uses, result.uses_left_out), ""))
    found.append(("See also", [", ".join(result.related)] if result.related else [], ""))
    found.append(("Source", _source(result), "python"))
    return [part for part in found if part[1]]


def footer(result: Documentation) -> list[str]:
    """Return the lines below: who spoke, names the source does not hold, notices."""
    if result.model:
        lines = [plain(f"{result.model} ({result.provider})")]
    else:
        failed = any(notice.startswith(NO_JUDGEMENT) for notice in result.notices)
        lines = [f"from the source alone; no model {'answered' if failed else 'was asked'}"]
    if result.unconfirmed:
        names = ", ".join(plain(name) for name in result.unconfirmed[:8])
        lines.append(f"UNCONFIRMED, not found in the source: {names}")
    return lines + [plain(notice) for notice in result.notices]


def _item(item: Item) -> str:
    head = f"{item.name}: {item.type}" if item.name and item.type else item.name or item.type
    said = item.text if len(item.text) <= 300 else f"{item.text[:299]}…"
    return f"{head} — {said}" if head and said else head or said


def _beyond_summary(result: Documentation) -> list[str]:
    import doctest

    try:  # the examples stand apart, with what came of them
        told = doctest.DocTestParser().parse(result.docstring)
        said = "".join(each for each in told if isinstance(each, str))
    except ValueError:
        said = result.docstring
    lines = re.sub(r"\n\s*\n(\s*\n)+", "\n\n", cleandoc(said)).splitlines()
    if " ".join(" ".join(lines).split()) == result.summary:
        return []
    return lines if len(lines) <= 60 else [*lines[:60], f"[… {len(lines) - 60} more lines …]"]


def _members(members: Sequence[DocMember], left_out: int) -> list[str]:
    lines = [
        f"{each.signature or each.name}{f' — {each.purpose}' if each.purpose else ''}"
        for each in members[:SHOWN_MEMBERS]
    ]
    more = left_out + max(0, len(members) - SHOWN_MEMBERS)
    return [*lines, f"and {more} more"] if more else lines


def _examples(examples: Sequence[Example]) -> list[str]:
    lines: list[str] = []
    for each in examples[:SHOWN_EXAMPLES]:
        first, *rest = each.source.splitlines() or [""]
        lines += [f">>> {first}", *(f"... {more}" for more in rest)]
        lines += each.expected.splitlines()
        lines.append(f"# {_came_of(each)}")
    more = len(examples) - SHOWN_EXAMPLES
    return [*lines, f"# and {more} more"] if more > 0 else lines


def _came_of(example: Example) -> str:
    got = " ".join(example.got.split())[:200]
    if example.ran == "ok":
        return "ran: ok"
    if example.ran == "not run":
        return f"not run: {example.reason}"
    return f"ran: {example.ran}{f', it gave {got}' if got else ''}"


def _uses(uses: Sequence[Use], left_out: int) -> list[str]:
    lines = []
    for each in uses:
        marks = [
            word for word, is_so in (("test", each.test), ("likely", not each.certain)) if is_so
        ]
        said = f" ({', '.join(marks)})" if marks else ""
        lines.append(f"{each.path}, line {each.line}{said}: {each.text}")
    return [*lines, f"and {left_out} more"] if left_out else lines


def _source(result: Documentation) -> list[str]:
    lines = result.source.splitlines()
    more = result.source_left_out + max(0, len(lines) - SHOWN_SOURCE)
    shown = lines[:SHOWN_SOURCE]
    return [*shown, f"# {more} more lines"] if more else shown


def _fenced(lines: list[str], language: str) -> list[str]:
    body = [plain(each) for each in lines]
    marks = "```"
    while any(marks in each for each in body):
        marks += "`"
    return [f"{marks}{language}", *body, marks]
