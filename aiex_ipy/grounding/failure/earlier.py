"""The earlier cells that made what the failing lines use."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.failure.evaluate import lookup
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.failure.variables import module_names, own_nodes, statement_of
from aiex_ipy.grounding.notebook import read_cell
from aiex_ipy.grounding.slicing import slice_statements

MOST_CELLS = 400
"""Newest cells that are looked through."""


def earlier_cells(moment: Moment) -> tuple[RanCell, ...]:
    """Return the cells, oldest first, that made what the failing lines use: the backward slice
    from the cell that failed, with the cells that hold the functions of the stack. The failing
    cell itself is left out."""
    cells = moment.cells[-MOST_CELLS:]
    if not cells:
        return ()
    frames = [each for each in moment.frames if each.user and each.source is not None]
    frames = [each for each in frames if each.source is not None and each.source.cell is not None]
    if not frames:
        asked = _of_expression(moment.expression)
        return tuple(_sliced(cells, asked, moment).values()) if asked else ()
    outer = frames[0]
    top = _number(outer) if outer.code.co_name == "<module>" else None
    before = next((n for n, each in enumerate(cells) if each.number == top and top), len(cells))
    ran = list(cells[:before])
    if top is not None:
        ran.append(RanCell(number=top, code=_prefix(outer)))
    names = dict.fromkeys(name for each in frames for name in _globals_used(each))
    found = _sliced(ran, names, moment)
    home = {_number(each) for each in frames} - {top}
    for each in ran:
        if each.number is not None and each.number in home:
            found.setdefault(id(each), each)
    return tuple(
        found[id(each)] for each in ran if id(each) in found and (top is None or each.number != top)
    )


def names_in(cells: Sequence[RanCell]) -> list[str]:
    """Return the names of the namespace that the statements of cells that matter use, those of the
    newest first; names local to a function are none."""
    found: dict[str, None] = {}
    for cell in reversed(cells):
        try:
            tree = ast.parse(read_cell(cell.code).text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for statement in tree.body:
            lines = cell.lines or ((statement.lineno, statement.lineno),)
            if any(first <= statement.lineno <= last for first, last in lines):
                found |= dict.fromkeys(each.id for each in module_names(statement))
    return list(found)


def _sliced(cells: Sequence[RanCell], names: Iterable[str], moment: Moment) -> dict[int, RanCell]:
    """The cells of the slice by the id of what they were given as, each with its lines."""
    return {
        id(each.cell): replace(each.cell, lines=each.lines)
        for each in slice_statements(cells, names, live=moment.names)
    }


def _number(frame: LiveFrame) -> int | None:
    return frame.source.cell if frame.source is not None else None


def _prefix(frame: LiveFrame) -> str:
    """The failing cell before its failing statement: what that uses may come from there."""
    lines = frame.source_text.splitlines(keepends=True)
    for node in frame.tree.body if frame.tree is not None else ():
        if node.lineno <= frame.line <= (node.end_lineno or node.lineno):
            return "".join(lines[: node.lineno - 1])
    return ""


def _globals_used(frame: LiveFrame) -> Iterator[str]:
    """The names that the failing statement uses and that are not local to a function. In a cell
    that is the whole statement of the cell, a loop with what ran of its body for instance."""
    in_module = frame.code.co_name == "<module>"
    node = _outermost(frame) if in_module else statement_of(frame)
    if node is None:
        return
    nodes = ast.walk(node) if in_module else own_nodes(node)
    for each in nodes:
        if not isinstance(each, ast.Name) or each.lineno > max(frame.line, node.lineno):
            continue
        if in_module or not lookup(frame.locals, each.id)[0]:
            yield each.id


def _outermost(frame: LiveFrame) -> ast.stmt | None:
    for node in frame.tree.body if frame.tree is not None else ():
        if node.lineno <= frame.line <= (node.end_lineno or node.lineno):
            return node
    return None


def _of_expression(expression: str) -> list[str]:
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError):
        return []
    return list(dict.fromkeys(each.id for each in ast.walk(tree) if isinstance(each, ast.Name)))
