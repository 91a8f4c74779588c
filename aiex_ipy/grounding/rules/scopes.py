"""What a walk keeps: loops, scopes, the bindings of names, and what rules find."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Literal


class Loop:
    """A loop statement or comprehension. `targets` are the names a comprehension binds itself;
    the names a loop statement binds stand in its scope's bindings."""

    __slots__ = ("kind", "node", "outer", "targets")

    def __init__(
        self, node: Any, kind: Literal["for", "while", "comprehension"], outer: Loop | None
    ) -> None:
        self.node = node
        self.kind = kind
        self.outer = outer
        self.targets: set[str] = set()

    def chain(self) -> Iterator[Loop]:
        """This loop and the loops around it, innermost first."""
        loop: Loop | None = self
        while loop is not None:
            yield loop
            loop = loop.outer

    def inside(self, other: Loop) -> bool:
        return any(loop is other for loop in self.chain())


class Binding:
    """One way a name gets its value in a scope. `value` is None where no expression says it
    (a loop variable, a parameter); `part` marks a name unpacked from `value`, `grown` marks
    `name += value`."""

    __slots__ = ("annotation", "grown", "loop", "part", "value")

    def __init__(
        self,
        value: ast.expr | None,
        loop: Loop | None,
        *,
        grown: bool = False,
        part: bool = False,
        annotation: ast.expr | None = None,
    ) -> None:
        self.value = value
        self.part = part
        self.loop = loop
        self.grown = grown
        self.annotation = annotation


class Scope:
    """A module, class, function or lambda with what happens to names in it."""

    __slots__ = (
        "asynchronous",
        "bindings",
        "calls",
        "edits",
        "foreign",
        "node",
        "outer",
        "paths",
        "qualname",
        "recursions",
        "touched",
    )

    def __init__(self, node: Any, qualname: str, outer: Scope | None) -> None:
        self.node = node
        self.qualname = qualname
        self.outer = outer
        self.asynchronous = type(node) is ast.AsyncFunctionDef
        self.bindings: dict[str, list[Binding]] = {}
        self.foreign: set[str] = set()
        self.calls: list[tuple[ast.Call, Loop | None]] = []
        self.edits: list[tuple[ast.expr, Loop | None]] = []
        self.recursions: list[ast.Call] = []
        self.paths = 1
        self.touched: dict[str, list[tuple[Loop | None, str]]] | None = None

    @property
    def name(self) -> str:
        return self.qualname.rpartition(".")[2]

    def function(self) -> Scope | None:
        """The nearest function this scope is or stands in, lambdas aside."""
        scope: Scope | None = self
        while scope is not None and not isinstance(
            scope.node, (ast.FunctionDef, ast.AsyncFunctionDef)
        ):
            scope = scope.outer
        return scope


class Finding:
    """A rule that fired: where, and the sentence to say. A rule speaks once of a `subject` (a
    name, mostly) in a scope; without a subject, of every place."""

    __slots__ = ("message", "node", "rule", "scope", "subject")

    def __init__(
        self, rule: str, node: Any, scope: Scope, message: str, *, subject: str = ""
    ) -> None:
        self.rule = rule
        self.node = node
        self.scope = scope
        self.message = message
        self.subject = subject
