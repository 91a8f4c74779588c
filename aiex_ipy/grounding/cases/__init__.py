"""What to test in a function, each case with the line of the branch or boundary it rests on."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from aiex_ipy.grounding.cases.case import Case, Kind, Tested, order_of
from aiex_ipy.grounding.cases.conditions import conditions
from aiex_ipy.grounding.cases.values import defaults, divisions, effects, indexes, inputs, texts
from aiex_ipy.grounding.cases.ways import (
    errors,
    loops,
    matches,
    recursion,
    results,
    waits,
)
from aiex_ipy.grounding.names import Function, Names
from aiex_ipy.grounding.parsed import Scope

__all__ = ["Case", "Kind", "cases_of", "order_of", "scopes_in"]

FINDERS: tuple[Callable[[Tested], Iterator[Case]], ...] = (
    conditions,
    errors,
    loops,
    matches,
    recursion,
    divisions,
    indexes,
    inputs,
    texts,
    waits,
    defaults,
    results,
    effects,
)


def cases_of(names: Names, scope: Scope) -> list[Case]:
    """Return what to test in a function or method, without the functions inside it, by rank, then
    by line; the same line, kind and text once. Nothing for a class and for an overload."""
    node = scope.node
    if not isinstance(node, Function) or _is_declaration(node):
        return []
    at = Tested(names, scope, node)
    found: dict[tuple[int, Kind, str], Case] = {}
    for finder in FINDERS:
        for case in finder(at):
            if scope.start <= case.line <= scope.end_line:  # not of a namesake defined again
                found.setdefault((case.line, case.kind, case.on), case)
    return sorted(found.values(), key=order_of)


def scopes_in(names: Names, symbol: str) -> list[Scope]:
    """Return the functions of a module (`symbol` ""), class or function, in source order, those
    inside functions too."""
    return [
        scope
        for scope in names.parsed.scopes
        if scope.kind == "function"
        and (not symbol or scope.name == symbol or scope.name.startswith(f"{symbol}."))
    ]


def _is_declaration(node: Function) -> bool:
    """True for a body of `...` or a docstring alone, as overloads and protocols have it."""
    return all(_is_constant(statement) for statement in node.body)


def _is_constant(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
