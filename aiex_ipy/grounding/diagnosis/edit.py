"""Fixes by exact edits of the text that failed: nothing else of it is touched."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Protocol

from aiex_ipy.grounding.fix import Fix, Source
from aiex_ipy.grounding.notebook import read_cell

Edit = tuple[ast.AST, str]


class Code(Protocol):
    """Code that can be mended: as it was typed and as it ran. A live frame is one."""

    @property
    def source(self) -> Source | None: ...

    @property
    def source_text(self) -> str: ...


class Text:
    """Code of a cell or file none of whose frames is alive."""

    __slots__ = ("place", "source", "source_text", "tree")

    def __init__(
        self, source: Source | None, source_text: str, tree: ast.Module, place: str
    ) -> None:
        self.source = source
        self.source_text = source_text
        self.tree = tree
        self.place = place


def rewritten(code: Code, why: str, *edits: Edit) -> Fix | None:
    """Return the fix that puts texts in the place of nodes of a tree, or None.

    None where the code that ran differs there from what was typed (magics), where edits overlap,
    or where the result does not parse.
    """
    if code.source is None or not edits:
        return None
    lines = code.source.text.split("\n")
    ran = code.source_text.split("\n")
    last = None
    for node, text in sorted(edits, key=_start, reverse=True):
        first, column, end, end_column = _span(node)
        if last is not None and (end, end_column) > last:
            return None
        at = _typed_line(ran, lines, first, end)
        if at is None:
            return None
        if not _is_there(code.source_text, node):
            return None
        head = lines[at].encode()[:column].decode()
        tail = lines[at + end - first].encode()[end_column:].decode()
        lines[at : at + end - first + 1] = (head + text + tail).split("\n")
        last = (first, column)
    return parsed(code.source, "\n".join(lines), why)


def inserted(code: Code, line: int, text: str, why: str, *, below: bool = False) -> Fix | None:
    """Return the fix that puts whole lines before (or `below`) a line, 1-based, of the code that
    ran."""
    if code.source is None:
        return None
    lines = code.source.text.split("\n")
    at = _typed_line(code.source_text.split("\n"), lines, line, line)
    if at is None:
        return None
    at += below
    return parsed(code.source, "\n".join([*lines[:at], text, *lines[at:]]), why)


def parsed(source: Source, after: str, why: str) -> Fix | None:
    """Return the fix if its text differs and parses, as a cell where it is for one."""
    if after == source.text:
        return None
    try:
        ast.parse(read_cell(after).text if not source.file else after)
    except (SyntaxError, ValueError, RecursionError):
        return None
    return Fix(source=source, after=after, why=why)


def line_of(code: Code, number: int) -> str:
    """Return a line (1-based) of the code that ran, `""` where there is none."""
    lines = code.source_text.split("\n")
    return lines[number - 1] if 0 < number <= len(lines) else ""


def indent_of(code: Code, number: int) -> str:
    """Return the white space a line begins with."""
    line = line_of(code, number)
    return line[: len(line) - len(line.lstrip())]


def segment(code: Code, node: ast.AST) -> str:
    """Return the text of a node as it was typed."""
    return ast.get_source_segment(code.source_text, node) or ast.unparse(node)


def _typed_line(ran: Sequence[str], typed: Sequence[str], first: int, end: int) -> int | None:
    """Where in the typed text the lines that ran stand, as an index; None unless it is certain."""
    block = [line.rstrip("\r") for line in ran[first - 1 : end]]
    plain = [line.rstrip("\r") for line in typed]
    if plain[first - 1 : end] == block and len(plain) == len(ran):
        return first - 1
    places = [at for at in range(len(plain)) if plain[at : at + len(block)] == block]
    if plain[first - 1 : end] == block and (len(places) == 1 or plain == list(ran)[: len(plain)]):
        return first - 1
    return places[0] if len(places) == 1 else None


def _is_there(text: str, node: ast.AST) -> bool:
    """True unless an expression does not stand where its node says, as in Python 3.11 inside an
    f-string of several lines."""
    if not isinstance(node, ast.Name | ast.Constant | ast.Attribute | ast.Call | ast.BinOp):
        return True
    try:
        found = ast.parse(f"({ast.get_source_segment(text, node)})", mode="eval").body
    except SyntaxError:
        return False
    return ast.unparse(found) == ast.unparse(node)


def _span(node: ast.AST) -> tuple[int, int, int, int]:
    return (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]


def _start(edit: Edit) -> tuple[int, int]:
    return _span(edit[0])[:2]
