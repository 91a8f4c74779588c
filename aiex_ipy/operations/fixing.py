"""A model's fix: placed into the text it is for, and checked to parse and lint."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection
from typing import TYPE_CHECKING

from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.fix import Fix, Source
from aiex_ipy.grounding.notebook import read_cell

if TYPE_CHECKING:
    from aiex_ipy.grounding.ruff_server import RuffServer

FENCE = re.compile(r"^```(?:python|py)?[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
GRAVE = ("critical", "high")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
MASKS = re.compile(r"\[(?:withheld|redacted:[^\]]*|\*\*\*)\]")
"""What stands in the place of secrets: `redaction.shapes.WITHHELD`, and the redactor's marks."""


def proposed_fix(text: str, source: Source | None, shown: str) -> tuple[Fix | None, str]:
    """Return the last fenced code of an answer as a change of `source`, and a notice.

    The code replaces the whole text, or the one function, method or class of the same name.
    `shown` is the text as the model saw it: lines in which secrets were masked get them back.
    """
    blocks = FENCE.findall(text)
    if not blocks or source is None:
        return None, ""
    code = _unmasked(blocks[-1], source.text, shown)
    if code is None:
        return None, "The model's code changes a line with a masked secret, so it was not taken."
    after = _placed(code, source.text)
    if after is None:
        return None, f"The model's code does not tell where in {source.path} it belongs."
    after = after.rstrip("\n") + ("\n" if source.text.endswith("\n") else "")
    if after.strip() == source.text.strip():
        return None, "The model's code is the code that failed, unchanged."
    return Fix(source=source, after=after), ""


def _unmasked(code: str, text: str, shown: str) -> str | None:
    """The code with the lines that were masked as they are in `text`; None when a masked line was
    changed, so that what was masked is not known."""
    real, seen = text.splitlines(), shown.splitlines()
    if len(real) != len(seen):  # a secret of several lines
        return code if text == shown else None
    masked = {
        there.strip(): here.strip() for here, there in zip(real, seen, strict=True) if here != there
    }
    marks = {mark for line in masked for mark in MASKS.findall(line)}
    lines = []
    for line in code.splitlines():
        body = line.strip()
        if body in masked:
            line = line.replace(body, masked[body])
        elif any(mark in line for mark in marks):
            return None
        lines.append(line)
    return "\n".join(lines) + "\n"


def broken(fix: Fix, ruff: RuffServer | None, names: Collection[str] = ()) -> list[str]:
    """Return what is wrong with a fix that was not wrong before: it does not parse, or it has
    grave findings that the text did not have. `names` are those that other cells define."""
    before = _findings(fix.source, fix.source.text, ruff, names)
    after = _findings(fix.source, fix.after, ruff, names)
    return [message for message in after if message not in before]


def _findings(
    source: Source, text: str, ruff: RuffServer | None, names: Collection[str]
) -> list[str]:
    from aiex_ipy.grounding.gather import gather

    if source.cell is not None:
        text = read_cell(text).text
    subject = Subject(path=source.path, text=text, whole=source.cell is None)
    facts = list(gather([subject], ruff=ruff, names=names))
    return [
        f"{issue.rule}: {issue.message}"
        for module in facts
        for issue in module.issues
        if issue.severity in GRAVE or issue.category == "syntax"
    ]


def _defined(tree: ast.Module) -> set[str]:
    """The functions and classes of a text: a whole text anew that lacks some is only a part."""
    return {node.name for node in tree.body if isinstance(node, DEFINITIONS)}


def _placed(code: str, text: str) -> str | None:
    """The text with the code in its place; None when it is unclear where that is."""
    code = textwrap.dedent(code)
    try:
        new, old = ast.parse(read_cell(code).text), ast.parse(read_cell(text).text)
    except SyntaxError:
        return code  # shown as broken by the check
    if len(old.body) == 1 and len(new.body) >= 1 and type(new.body[0]) is type(old.body[0]):
        return code
    if len(new.body) != 1 or not isinstance(new.body[0], DEFINITIONS):
        return code if _defined(old) <= _defined(new) else None
    name = new.body[0].name
    there = [node for node in ast.walk(old) if isinstance(node, DEFINITIONS) and node.name == name]
    if len(there) != 1 or there[0].end_lineno is None:
        return None
    [place] = there
    first = min([place.lineno, *(each.lineno for each in place.decorator_list)])
    lines = text.splitlines(keepends=True)
    indented = textwrap.indent(code.rstrip("\n"), " " * place.col_offset)
    last = place.end_lineno or place.lineno
    ending = "\n" if last < len(lines) or text.endswith("\n") else ""
    return "".join([*lines[: first - 1], indented + ending, *lines[last:]])
