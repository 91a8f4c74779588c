"""What a test case is here, and the function it is looked for in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from typing import Literal, TypeVar

from msgspec import Struct

from aiex_ipy.grounding.flow import cut
from aiex_ipy.grounding.names import Function, Names
from aiex_ipy.grounding.parsed import Scope
from aiex_ipy.grounding.tree import NESTED, nodes_in

Node = TypeVar("Node", bound=ast.AST)
Kind = Literal[
    "raise",
    "boundary",
    "branch",
    "handler",
    "recursion",
    "division",
    "loop",
    "index",
    "empty",
    "type",
    "cancel",
    "default",
    "context",
    "return",
    "effect",
]
RANK: dict[Kind, int] = {
    "raise": 1,
    "boundary": 1,
    "branch": 1,
    "handler": 1,
    "recursion": 1,
    "division": 1,
    "loop": 2,
    "index": 2,
    "empty": 2,
    "type": 2,
    "cancel": 2,
    "default": 3,
    "context": 3,
    "return": 3,
    "effect": 3,
}
"""What comes first: 1 decides what the function does, 2 is an edge of its input, 3 the rest."""


class Case(Struct, frozen=True, kw_only=True):
    """One thing to test. `line` is where the branch or boundary stands, `on` its source text,
    `test` what to do, `why` what depends on it. `rank` is 1 (first) to 3. `cell` is the notebook
    cell `line` is counted in."""

    line: int
    kind: Kind
    on: str
    test: str
    why: str = ""
    symbol: str = ""
    rank: int = 1
    cell: int | None = None


class Tested:
    """A function being read: its nodes without those of inner functions, annotations left out.

    `parameters` are the names of its parameters, a method's own object left out.
    """

    def __init__(self, names: Names, scope: Scope, node: Function) -> None:
        self.names = names
        self.parsed = names.parsed
        self.scope = scope
        self.node = node
        args = node.args
        positional = [*args.posonlyargs, *args.args]
        static = any(cut(each) == "staticmethod" for each in node.decorator_list)
        if scope.in_class and positional and not static:
            positional = positional[1:]
        self.parameters = {arg.arg: arg for arg in (*positional, *args.kwonlyargs)}

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the body in source order."""
        return [node for statement in self.node.body for node in _below(statement)]

    def of(self, *kinds: type[Node]) -> Iterator[Node]:
        """Yield the nodes of these types."""
        return (node for node in self.nodes if isinstance(node, kinds))

    def case(self, node: ast.AST | int, kind: Kind, on: str, test: str, why: str = "") -> Case:
        """Return a case at the line of a node."""
        line = node if isinstance(node, int) else getattr(node, "lineno", self.scope.line)
        return Case(
            line=line,
            kind=kind,
            on=on,
            test=test,
            why=why,
            symbol=self.scope.name,
            rank=RANK[kind],
        )

    def holders(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what holds a node inside the function, nearest first."""
        for holder in self.parsed.ancestors(node):
            if holder is self.node:
                return
            yield holder


def _below(statement: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement and the nodes below it that are run with the function."""
    yield statement
    if isinstance(statement, NESTED):
        return
    skipped: set[ast.AST] = set()
    for node in (statement, *nodes_in(statement, nested=False)):
        if isinstance(node, ast.AnnAssign):
            skipped.add(node.annotation)
            skipped.update(nodes_in(node.annotation))
        if node is not statement and node not in skipped:
            yield node


def outcome(body: list[ast.stmt]) -> str:
    """Return in words what a branch does that decides something, `""` for the rest."""
    last = body[-1] if body else None
    if isinstance(last, ast.Raise):
        raised = last.exc.func if isinstance(last.exc, ast.Call) else last.exc
        return "raises again" if raised is None else f"raises {cut(raised)}"
    if isinstance(last, ast.Return):
        return "returns" if last.value is None else f"returns `{short(last.value)}`"
    if isinstance(last, ast.Continue):
        return "goes to the next round"
    if isinstance(last, ast.Break):
        return "leaves the loop"
    return f"runs line {body[0].lineno}" if body else ""


def short(node: ast.AST, most: int = 60) -> str:
    """Return source text on one line, cut to `most` characters."""
    text = cut(node)
    return text if len(text) <= most else text[: most - 1] + "…"


def order_of(case: Case) -> tuple[int, int, int, str, str]:
    """The order in which cases are told."""
    return case.rank, case.cell or 0, case.line, case.kind, case.on
