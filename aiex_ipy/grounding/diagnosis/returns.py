"""Functions that give None: on which path, and the return that is missing."""

from __future__ import annotations

import ast

from aiex_ipy.grounding.diagnosis.edit import indent_of, inserted, line_of, rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import (
    Defined,
)
from aiex_ipy.grounding.diagnosis.record import Certainty
from aiex_ipy.grounding.diagnosis.sight import (
    in_scope,
    text_of,
)
from aiex_ipy.grounding.fix import Fix

Why = tuple[str, tuple[str, ...], str, Fix | None, Certainty]


def without_value(own: Defined, label: str, name: str) -> Why | None:
    """Return why a call of a user's function gave None, and the return that is missing."""
    node = own.node
    returns = [each for each in in_scope(node.body) if isinstance(each, ast.Return)]
    with_value = [each for each in returns if not is_none(each.value)]
    bare = [each for each in returns if is_none(each.value)]
    if any(isinstance(each, ast.Yield | ast.YieldFrom) for each in in_scope(node.body)):
        return None
    if not with_value and not bare:
        last = node.body[-1]
        end = last.end_lineno or last.lineno
        return (
            f"{label} is None: {name}() has no return ({own.place}, line {node.lineno}), so it "
            "gives None.",
            (
                f"{own.place}, line {last.lineno}: {node.name} ends with "
                f"{text_of(last) or line_of(own.code, end).strip()}",
            ),
            f"End {node.name} with a return.",
            _return_fix(own, last),
            "certain",
        )
    lines = [f"{own.place}, line {each.lineno}: {text_of(each)}" for each in bare]
    if falls_off(node.body):
        lines.append(
            f"{own.place}, line {node.end_lineno}: {node.name} can end here without a return"
        )
    if not lines:
        return None
    what = "falls off its end" if falls_off(node.body) and not bare else "returns None"
    return (
        f"{label} is None: {name}() {what} on one of its paths "
        f"({own.place}, line {bare[0].lineno if bare else node.end_lineno}).",
        tuple(lines),
        "Return a value on every path, or handle None where it is called.",
        None,
        "certain" if len(lines) == 1 else "likely",
    )


def is_none(node: ast.expr | None) -> bool:
    """True for a bare `return` and for the literal None."""
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def _return_fix(own: Defined, last: ast.stmt) -> Fix | None:
    code = own.code
    match last:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            pass
        case ast.AugAssign(target=ast.Name(id=name)):
            pass
        case ast.Expr(value=value) if not isinstance(value, ast.Call | ast.Await | ast.Constant):
            return rewritten(code, "return", (last, f"return {segment(code, last)}"))
        case ast.For():
            names = _changed_in(last, own.node)
            if len(names) != 1:
                return None
            name = names[0]
        case _:
            return None
    if last.end_lineno is None:
        return None
    text = f"{indent_of(code, last.lineno)}return {name}"
    return inserted(code, last.end_lineno, text, f"return {name}", below=True)


def _changed_in(loop: ast.For, function: ast.AST) -> list[str]:
    """Names made before a loop and changed in it: what the function was to return."""
    inside: dict[str, None] = {}
    for node in in_scope(loop.body):
        match node:
            case ast.AugAssign(target=ast.Name(id=name)):
                inside[name] = None
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)):
                if attr in {"append", "extend", "add", "update", "insert"}:
                    inside[name] = None
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))]):
                inside[name] = None
    before = {
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and node.lineno < loop.lineno
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return [name for name in inside if name in before]


def falls_off(body: list[ast.stmt]) -> bool:
    """True if the end of a block can be reached."""
    match body[-1]:
        case ast.Return() | ast.Raise() | ast.Continue() | ast.Break():
            return False
        case ast.If(body=then, orelse=other):
            return not other or falls_off(then) or falls_off(other)
        case ast.With(body=inner) | ast.AsyncWith(body=inner):
            return falls_off(inner)
        case ast.While(test=ast.Constant(value=True), body=inner):
            return any(isinstance(each, ast.Break) for each in in_scope(inner))
        case ast.Try(body=inner, handlers=handlers, orelse=other, finalbody=final):
            if final and not falls_off(final):
                return False
            ends = falls_off(other or inner)
            return ends or any(falls_off(each.body) for each in handlers)
        case ast.Match(cases=cases):
            open_ended = not any(
                isinstance(each.pattern, ast.MatchAs) and each.pattern.pattern is None
                for each in cases
            )
            return open_ended or any(falls_off(each.body) for each in cases)
    return True
