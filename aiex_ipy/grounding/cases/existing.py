"""The tests there are already, and which cases they show to be tested."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from aiex_ipy.grounding.cases.case import Case, short
from aiex_ipy.grounding.cases.conditions import whole_number
from aiex_ipy.grounding.definitions import parameters
from aiex_ipy.grounding.lint import is_test
from aiex_ipy.grounding.names import Function
from aiex_ipy.grounding.parsed import ParsedModule, Scope
from aiex_ipy.grounding.tree import nodes_in

_RAISES = frozenset({"raises", "assertRaises", "assertRaisesRegex"})
_VALUES = re.compile(r"`(\w+)` at (-?\d+(?:, -?\d+)*) and (-?\d+): true (up to|from) (-?\d+)")


class ExistingTest(Struct, frozen=True, kw_only=True):
    """A test function that uses the target. `name` is qualified within its module."""

    name: str
    path: str
    line: int


class Use:
    """One test's use of a name: its call, None where the name is only mentioned, and the
    exceptions the test expects."""

    __slots__ = ("call", "expects", "test")

    def __init__(self, test: ExistingTest, call: ast.Call | None, expects: set[str]) -> None:
        self.test = test
        self.call = call
        self.expects = expects


def uses(modules: Iterable[ParsedModule]) -> dict[str, list[Use]]:
    """Map the last part of each name that test functions use to its uses, in order of path and
    line. Modules that were released, and those that are no tests, are left out."""
    found: dict[str, list[Use]] = {}
    for module in modules:
        if module.tree is None or not is_test(module.path):
            continue
        for scope in module.scopes:
            last = scope.name.rpartition(".")[2]
            if not last.startswith("test") or not isinstance(scope.node, Function):
                continue
            test = ExistingTest(name=scope.name, path=module.path, line=scope.line)
            for name, use in _uses_in(test, scope.node).items():
                found.setdefault(name, []).extend(use)
    return found


def _uses_in(test: ExistingTest, node: Function) -> dict[str, list[Use]]:
    inside = [n for statement in node.body for n in (statement, *nodes_in(statement))]
    calls = [n for n in inside if isinstance(n, ast.Call)]
    expects = {
        short(argument).rpartition(".")[2]
        for call in calls
        if _last(call.func) in _RAISES and call.args
        for argument in _each(call.args[0])
    }
    found: dict[str, list[Use]] = {}
    for call in calls:
        found.setdefault(_last(call.func), []).append(Use(test, call, expects))
    for each in inside:
        name = each.id if isinstance(each, ast.Name) else getattr(each, "attr", "")
        if name and name not in found:
            found[name] = [Use(test, None, expects)]
    return found


def _each(node: ast.expr) -> Sequence[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else (node,)


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def tested_by(case: Case, scope: Scope, known: Sequence[Use]) -> ExistingTest | None:
    """Return the first test that shows a case to be tested, as far as its text tells: it expects
    the exception, calls with values on both sides of the boundary, or leaves the default out."""
    if not isinstance(scope.node, Function):
        return None
    if case.kind == "raise":
        name = case.test.removeprefix("raises ").split(" ")[0].rpartition(".")[2]
        return next((use.test for use in known if name in use.expects), None)
    names = [each.name for each in parameters(scope.node) if "rest" not in each.kind]
    if scope.in_class and names[:1] in (["self"], ["cls"]):
        names = names[1:]
    calls = [(use.test, _given(use.call, names)) for use in known if use.call is not None]
    if case.kind == "default" and "=" in case.on:
        name = case.on.partition("=")[0]
        return next(
            (test for test, given in calls if given is not None and name not in given), None
        )
    match = _VALUES.match(case.test) if case.kind == "boundary" else None
    if match is None:
        return None
    name, _, _, way, limit = match.groups()
    sides: dict[bool, ExistingTest] = {}
    for test, given in calls:
        value = whole_number(given[name]) if given is not None and name in given else None
        near = int(limit) + (1 if way == "up to" else -1)
        if value is not None and value in (int(limit), near):
            sides.setdefault(value == int(limit), test)
    return sides[True] if len(sides) == 2 else None


def _given(call: ast.Call, names: list[str]) -> dict[str, ast.expr] | None:
    """Map parameters to what a call gives them; None where `*` or `**` hides it."""
    if any(isinstance(a, ast.Starred) for a in call.args) or any(
        k.arg is None for k in call.keywords
    ):
        return None
    given = dict(zip(names, call.args, strict=False))
    return given | {k.arg: k.value for k in call.keywords if k.arg}
