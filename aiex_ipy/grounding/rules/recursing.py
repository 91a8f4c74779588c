"""The rule on recursion that solves the same problem again and again (AX121)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aiex_ipy.grounding.rules.scopes import Finding
from aiex_ipy.grounding.rules.walk import Walk, at_end, nodes


@at_end
def exponential(walk: Walk) -> Iterator[Finding]:
    """Functions that call themselves twice for smaller numbers and keep no results."""
    for scope in walk.scopes:
        node = scope.node
        if len(scope.recursions) < 2 or not isinstance(node, ast.FunctionDef):
            continue
        if any("cache" in ast.unparse(d) or "memo" in ast.unparse(d) for d in node.decorator_list):
            continue
        numbers = {a.arg for a in node.args.args}
        for sum_ in nodes(node):
            if not isinstance(sum_, ast.BinOp):
                continue
            sides = (sum_.left, sum_.right)
            if all(isinstance(s, ast.Call) and s in scope.recursions for s in sides) and all(
                _smaller(s, numbers) for s in sides
            ):
                yield Finding(
                    "AX121",
                    sum_,
                    scope,
                    f"{scope.name!r} calls itself twice for smaller numbers and keeps no "
                    "results, so the work doubles with each level",
                )
                break


def _smaller(call: ast.expr, numbers: set[str]) -> bool:
    assert isinstance(call, ast.Call)
    return any(
        isinstance(a, ast.BinOp)
        and isinstance(a.op, ast.Sub)
        and isinstance(a.left, ast.Name)
        and a.left.id in numbers
        and isinstance(a.right, ast.Constant)
        for a in call.args
    )
