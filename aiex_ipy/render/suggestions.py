"""Suggested tests as text and Markdown: what decides first, then edges, then the rest."""

from __future__ import annotations

from collections.abc import Iterator

from aiex_ipy.operations.base import NO_JUDGEMENT
from aiex_ipy.operations.suggest_tests import SuggestedTest, TestSuggestions
from aiex_ipy.render.safe import escape, plain, sentence

RULE = "=" * 50
MOST_EXISTING = 5
GROUPS = {1: "What decides", 2: "Edges of the input", 3: "The rest"}


def text(result: TestSuggestions, *, symbols: bool = True) -> str:
    """Return one line a suggestion, by group, and the footer; ends in a newline."""
    mark = "🧪 " if symbols else ""
    lines = [f"{mark}{plain(title(result))}", RULE]
    if result.existing:
        lines += ["", plain(_existing(result))]
    for name, group in _groups(result):
        lines += ["", name]
        lines += [f"   {plain(line(each, result))}" for each in group]
    if result.left_out:
        lines += ["", plain(_left_out(result))]
    return "\n".join(lines) + "\n\n" + tail(result, symbols=symbols)


def tail(result: TestSuggestions, *, symbols: bool = True) -> str:
    """Return the model's additions and the footer, for when the facts were shown before."""
    mark = "— " if symbols else "-- "
    added = [each for each in result.suggestions if each.source == "model"]
    lines = ["Added by the model"] if added else []
    lines += [f"   {plain(line(each, result))}" for each in added]
    return "\n".join([*lines, *(mark + plain(each) for each in footer(result))]) + "\n"


def markdown(result: TestSuggestions) -> str:
    """Return the same as Markdown."""
    lines = [f"## 🧪 {escape(title(result))}"]
    if result.existing:
        lines += ["", escape(_existing(result))]
    for name, group in _groups(result):
        lines += ["", f"**{name}**", "", *(f"- {sentence(line(each, result))}" for each in group)]
    added = [each for each in result.suggestions if each.source == "model"]
    if added:
        lines += ["", "**Added by the model**", ""]
        lines += [f"- {sentence(line(each, result))}" for each in added]
    if result.left_out:
        lines += ["", escape(_left_out(result))]
    lines += ["", *(f"*{escape(each)}*  " for each in footer(result))]
    return "\n".join(lines) + "\n"


def title(result: TestSuggestions) -> str:
    """Return what the tests are for."""
    what = result.symbol or result.path or result.target
    where = f" in {result.path}" if result.symbol and result.symbol != result.path else ""
    return f"tests for {result.kind} {what}{where}"


def line(each: SuggestedTest, result: TestSuggestions) -> str:
    """Return one suggestion: where, what, why, and what is known of it."""
    place = f"line {each.line}" if each.cell is None else f"cell {each.cell}, line {each.line}"
    if each.symbol != result.symbol and each.source == "aiex":
        place += f" in {each.symbol}"
    why = f" ({each.why})" if each.why else ""
    marks = []
    if each.tested_by:
        marks.append(f"tested by {each.tested_by}")
    if each.run is False:
        marks.append("not run by the tests")
    if not each.confirmed:
        marks.append("UNCONFIRMED")
    return f"{place}: {each.test}{why}" + (f" [{'; '.join(marks)}]" if marks else "")


def _groups(result: TestSuggestions) -> Iterator[tuple[str, list[SuggestedTest]]]:
    own = [each for each in result.suggestions if each.source == "aiex"]
    for rank, name in GROUPS.items():
        group = [each for each in own if each.rank == rank and not each.tested_by]
        if group:
            yield name, group
    done = [each for each in own if each.tested_by]
    if done:
        yield "Tested already, as the tests' text shows", done


def _existing(result: TestSuggestions) -> str:
    shown = [f"{each.name} ({each.path}, line {each.line})" for each in result.existing]
    more = len(shown) - MOST_EXISTING
    rest = f" and {more} more" if more > 0 else ""
    return f"Used by {', '.join(shown[:MOST_EXISTING])}{rest}."


def _left_out(result: TestSuggestions) -> str:
    more = "1 more is" if result.left_out == 1 else f"{result.left_out} more are"
    return f"{more} left out; name one function to see all of its own."


def footer(result: TestSuggestions) -> list[str]:
    """Return the lines below: who spoke, what was measured, notices."""
    if result.model:
        lines = [f"{result.model} ({result.provider})"]
    else:
        failed = any(notice.startswith(NO_JUDGEMENT) for notice in result.notices)
        lines = [f"from the parse tree alone; no model {'answered' if failed else 'was asked'}"]
    if result.measured:
        lines.append(f"lines run by the tests as {result.measured} has them")
    if result.kind != "text" and not result.existing:
        lines.append("no test that uses it was found")
    return [*lines, *result.notices]
