"""Walking a parse tree: children, nodes below, nodes by type; holders come before what they hold.

Contexts (`Load`), operators and the strings among an `ast` node's fields are no nodes here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {ast.Constant: (), ast.Name: ()}
_SKIP = frozenset(
    {"ctx", "op", "ops", "id", "name", "attr", "arg", "module", "level", "asname"}
    | {"type_comment", "kind", "conversion", "is_async", "simple", "type_ignores", "rest"}
    | {"kwd_attrs", "tag", "str"}
)


def children(node: ast.AST) -> list[ast.AST]:
    """Return the child nodes in the order of the fields, without contexts and operators."""
    found: list[ast.AST] = []
    for name in _fields(node.__class__):
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += [child for child in value if child is not None]
        elif value is not None:
            found.append(value)
    return found


def nodes_in(node: ast.AST, *, nested: bool = True) -> Iterator[ast.AST]:
    """Yield the nodes below `node`, holders first; not those of inner functions and classes
    unless `nested`."""
    stack = children(node)[::-1]
    while stack:
        at = stack.pop()
        yield at
        if nested or not isinstance(at, NESTED):
            stack += children(at)[::-1]


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    known = _FIELDS.get(kind)
    if known is None:
        skip = _SKIP | {"names"} if kind in (ast.Global, ast.Nonlocal) else _SKIP
        keep = skip - {"name"} if kind.__name__ == "TypeAlias" else skip
        known = _FIELDS[kind] = tuple(f for f in kind._fields if f not in keep)
    return known


def index(tree: ast.Module) -> dict[type[ast.AST], list[ast.AST]]:
    """Walk the tree once into lists by node type."""
    by_type: dict[type[ast.AST], list[ast.AST]] = {}
    stack: list[ast.AST] = [tree]
    pop = stack.pop
    fields_of = _FIELDS
    while stack:
        node = pop()
        kind = node.__class__
        try:
            by_type[kind].append(node)
        except KeyError:
            by_type[kind] = [node]
            _fields(kind)
        for name in reversed(fields_of[kind]):
            value = getattr(node, name)
            if value.__class__ is list:
                if value:
                    stack += [child for child in reversed(value) if child is not None]
            elif value is not None:
                stack.append(value)
    return by_type


def is_main_guard(statement: ast.stmt) -> bool:
    """True for `if __name__ == "__main__":`."""
    test = statement.test if isinstance(statement, ast.If) else None
    if not isinstance(test, ast.Compare) or len(test.comparators) != 1:
        return False
    sides = (test.left, test.comparators[0])
    return any(isinstance(s, ast.Name) and s.id == "__name__" for s in sides) and any(
        isinstance(s, ast.Constant) and s.value == "__main__" for s in sides
    )


def is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
