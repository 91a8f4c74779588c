"""A completion as text and Markdown: the model's suggestion, the names, and where they are from."""

from __future__ import annotations

from aiex_ipy.operations.base import NO_JUDGEMENT
from aiex_ipy.operations.complete import Completion, CompletionItem
from aiex_ipy.render.safe import escape, plain

SHOWN_ITEMS = 20
DETAIL_CHARACTERS = 60


def text(result: Completion, *, symbols: bool = True) -> str:
    """Return the names as columns, the suggestion and the footer."""
    mark = "⌨ " if symbols else ""
    lines = [f"{mark}{plain(result.line)}".rstrip(), ""]
    names = _names(result)
    width = max((len(plain(each.text)) for each in names[:SHOWN_ITEMS]), default=0)
    for item in names[:SHOWN_ITEMS]:
        detail = f" {_detail(item)}" if item.detail else ""
        lines.append(f"  {plain(item.text).ljust(min(width, 40))}  {item.kind}{detail}".rstrip())
    lines += _left_out(result, names)
    if not names and not result.suggestion:
        lines.append("  Nothing is known that fits here.")
    return "\n".join(lines).rstrip() + "\n\n" + tail(result, symbols=symbols)


def tail(result: Completion, *, symbols: bool = True) -> str:
    """Return the suggestion and the footer, for when the names were shown before."""
    mark = "— " if symbols else "-- "
    lines = []
    if result.suggestion:
        lines = [*plain(_suggested(result)).split("\n"), ""]
    return "\n".join([*lines, *(mark + line for line in footer(result))]) + "\n"


def markdown(result: Completion) -> str:
    """Return the same as Markdown."""
    lines = []
    if result.suggestion:
        lines += [*_fenced(plain(_suggested(result))), ""]
    names = _names(result)
    if names:
        lines += ["| name | kind | type | from |", "|---|---|---|---|"]
        for item in names[:SHOWN_ITEMS]:
            cells = (item.text, item.kind, _detail(item), item.source)
            lines.append(f"| {' | '.join(escape(each) for each in cells)} |")
        lines += ["", *(escape(line.strip()) for line in _left_out(result, names)), ""]
    elif not result.suggestion:
        lines += ["Nothing is known that fits here.", ""]
    lines += [f"*{escape(line)}*  " for line in footer(result)]
    return "\n".join(lines) + "\n"


def footer(result: Completion) -> list[str]:
    """Return the lines below: who spoke, what was not confirmed, notices."""
    if result.model:
        lines = [plain(f"{result.model} ({result.provider})")]
    else:
        failed = any(notice.startswith(NO_JUDGEMENT) for notice in result.notices)
        said = "answered" if failed else "was asked"
        lines = [f"live names and what jedi infers; no model {said}"]
    if result.unconfirmed:
        names = ", ".join(plain(name) for name in result.unconfirmed[:8])
        what = "cut before" if result.suggestion else "dropped for"
        lines.append(f"The suggestion was {what} names that do not exist: {names}")
    return lines + [plain(notice) for notice in result.notices]


def _names(result: Completion) -> list[CompletionItem]:
    return [each for each in result.items if each.source != "model"]


def _left_out(result: Completion, names: list[CompletionItem]) -> list[str]:
    more = result.count - min(len(names), SHOWN_ITEMS)
    return [f"  … and {more} more"] if more > 0 else []


def _suggested(result: Completion) -> str:
    return result.line + result.suggestion


def _detail(item: CompletionItem) -> str:
    found = plain(item.detail)
    return found if len(found) <= DETAIL_CHARACTERS else f"{found[: DETAIL_CHARACTERS - 1]}…"


def _fenced(code: str) -> list[str]:
    marks = "```"
    while marks in code:
        marks += "`"
    return [f"{marks}python", code, marks]
