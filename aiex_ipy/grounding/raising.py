"""Which exceptions a function raises and which it takes, and when."""

from __future__ import annotations

import ast

from msgspec import Struct

from aiex_ipy.grounding.flow import cut, handled
from aiex_ipy.grounding.names import Function
from aiex_ipy.grounding.parsed import ParsedModule
from aiex_ipy.grounding.tree import nodes_in


class Raised(Struct, frozen=True, kw_only=True):
    """An exception raised on purpose. `condition` is the nearest branch it stands in; `caught`
    is True when a handler around it in the same function takes it. `via` names the function of
    this module that raises it, `""` when it is the function itself."""

    name: str
    line: int
    condition: str
    text: str
    caught: bool = False
    via: str = ""


class Caught(Struct, frozen=True, kw_only=True):
    """An exception handler: `names` it takes (`BaseException` for a bare one), `action` what it
    does: `ignores`, `raises again`, `raises ValueError`, `returns`, `continues`, `handles`."""

    names: tuple[str, ...]
    line: int
    action: str


def raised(parsed: ParsedModule, node: Function) -> list[Raised]:
    """Return the exceptions a function raises on purpose, `assert` included, in source order."""
    found = []
    for at in nodes_in(node, nested=False):
        if isinstance(at, ast.Assert):
            text = f"assert {cut(at.test)}"
            name = "AssertionError"
        elif isinstance(at, ast.Raise):
            text = cut(at)
            name = _exception_name(parsed, at)
        else:
            continue
        found.append(
            Raised(
                name=name,
                line=at.lineno,
                condition=_condition_of(parsed, at, node),
                text=text,
                caught=_is_caught(parsed, at, node, name),
            )
        )
    return found


def caught(node: Function) -> list[Caught]:
    """Return the exception handlers of a function in source order."""
    return [
        Caught(names=handled(at), line=at.lineno, action=_action(at))
        for at in nodes_in(node, nested=False)
        if isinstance(at, ast.ExceptHandler)
    ]


def _exception_name(parsed: ParsedModule, node: ast.Raise) -> str:
    if node.exc is None:
        for holder in parsed.ancestors(node):
            if isinstance(holder, ast.ExceptHandler):
                return ", ".join(handled(holder))
        return "the current exception"
    value = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    if isinstance(value, ast.Name) and value is node.exc:
        for holder in parsed.ancestors(node):
            if isinstance(holder, ast.ExceptHandler) and holder.name == value.id:
                return ", ".join(handled(holder))
    return cut(value)


def _condition_of(parsed: ParsedModule, node: ast.AST, function: Function) -> str:
    below: ast.AST = node
    for holder in parsed.ancestors(node):
        if holder is function:
            break
        if isinstance(holder, ast.If):
            inside = below in holder.body
            if inside or below in holder.orelse:
                return f"{'if' if inside else 'unless'} {cut(holder.test)}"
        elif isinstance(holder, ast.ExceptHandler):
            return f"on {', '.join(handled(holder))}"
        elif isinstance(holder, ast.match_case):
            return f"in case {cut(holder.pattern)}"
        below = holder
    return ""


def _is_caught(parsed: ParsedModule, node: ast.AST, function: Function, name: str) -> bool:
    below: ast.AST = node
    for holder in parsed.ancestors(node):
        if holder is function:
            return False
        if isinstance(holder, ast.Try | ast.TryStar) and below in holder.body:
            taken = {n for handler in holder.handlers for n in handled(handler)}
            if not taken.isdisjoint({name, "Exception", "BaseException"}):
                return True
        below = holder
    return False


def _action(handler: ast.ExceptHandler) -> str:
    inside = [at for statement in handler.body for at in (statement, *nodes_in(statement))]
    for at in inside:
        if isinstance(at, ast.Raise):
            if at.exc is None:
                return "raises again"
            return f"raises {cut(at.exc.func if isinstance(at.exc, ast.Call) else at.exc)}"
    if all(isinstance(s, ast.Pass) or _is_constant(s) for s in handler.body):
        return "ignores"
    for kind, word in ((ast.Return, "returns"), (ast.Continue, "continues"), (ast.Break, "stops")):
        if any(isinstance(at, kind) for at in inside):
            return word
    return "handles"


def _is_constant(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
