"""A model's fix: placed into the text it is for, and checked to parse and lint."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.fix import Fix, Source
from aiex_ipy.grounding.gather import gather
from aiex_ipy.grounding.notebook import read_cell

if TYPE_CHECKING:
    from aiex_ipy.grounding.ruff_server import RuffServer

FENCE = re.compile(r"^```(?:python|py)?[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
GRAVE = ("critical", "high")


def proposed_fix(text: str, source: Source | None) -> tuple[Fix | None, str]:
    """Return the last fenced code of an answer as a change of `source`, and a notice.

    The code replaces the whole text, or the one top-level function or class of the same name.
    """
    blocks = FENCE.findall(text)
    if not blocks or source is None:
        return None, ""
    code: str = blocks[-1]
    after = _placed(code, source.text)
    if after is None:
        return None, f"The model's code does not tell where in {source.path} it belongs."
    if after.strip() == source.text.strip():
        return None, "The model's code is the code that failed, unchanged."
    return Fix(source=source, after=after), ""


def broken(fix: Fix, ruff: RuffServer | None) -> list[str]:
    """Return what is wrong with a fix that was not wrong before: it does not parse, or it has
    grave findings that the text did not have."""
    before = _findings(fix.source, fix.source.text, ruff)
    after = _findings(fix.source, fix.after, ruff)
    return [message for message in after if message not in before]


def _findings(source: Source, text: str, ruff: RuffServer | None) -> list[str]:
    if source.cell is not None:
        text = read_cell(text).text
    facts = list(gather([Subject(path=source.path, text=text)], ruff=ruff))
    return [
        f"{issue.rule}: {issue.message}"
        for module in facts
        for issue in module.issues
        if issue.severity in GRAVE or issue.category == "syntax"
    ]


def _placed(code: str, text: str) -> str | None:
    """The text with the code in its place; None when it is unclear where that is."""
    try:
        new, old = ast.parse(read_cell(code).text), ast.parse(read_cell(text).text)
    except SyntaxError:
        return code  # shown as broken by the check
    named = {
        node.name: node
        for node in old.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    definitions = [
        node
        for node in new.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    alone = len(new.body) == 1 and len(definitions) == 1
    if alone and len(old.body) > 1:
        there = named.get(definitions[0].name)
        if there is None or there.end_lineno is None:
            return None
        first = min([there.lineno, *(each.lineno for each in there.decorator_list)])
        lines = text.splitlines(keepends=True)
        ending = "" if code.endswith("\n") else "\n"
        return "".join([*lines[: first - 1], code + ending, *lines[there.end_lineno :]])
    return code
