"""What one pass over a module's text leaves: scopes, imports, lines, and the tree for a while.

A `ParsedModule` is a working object of one gathering, not a record: it holds the parse tree
until `release`, after which lines, scopes and imports remain (trees of a thousand files would
fill memory).
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterator
from typing import Literal, TypeVar

from aiex_ipy.grounding.facts import Issue, Subject
from aiex_ipy.grounding.tree import children, index, is_docstring

ScopeKind = Literal["function", "class"]
Node = TypeVar("Node", bound=ast.AST)


class Scope:
    """A function or class. `name` is qualified with dots (`A.method`, `outer.inner`).

    `start` is the first decorator's line, `line` that of `def` or `class`. `statements` counts
    itself and all inside it, nested scopes too, without docstrings, bare constants and `pass`.
    `key` is `name`, with `#2` and so on where the same name is defined again.
    """

    __slots__ = (
        "documented",
        "end_line",
        "key",
        "kind",
        "line",
        "name",
        "node",
        "parent",
        "start",
        "statements",
    )

    def __init__(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
        parent: Scope | None,
    ) -> None:
        self.node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | None = node
        self.parent = parent
        self.kind: ScopeKind = "class" if node.__class__ is ast.ClassDef else "function"
        self.name: str = node.name if parent is None else f"{parent.name}.{node.name}"
        self.key = self.name
        self.line = node.lineno
        self.start = node.decorator_list[0].lineno if node.decorator_list else node.lineno
        self.end_line = node.end_lineno or node.lineno
        self.statements = 0
        self.documented = is_docstring(node.body[0])

    @property
    def public(self) -> bool:
        """True when no part of the qualified name starts with an underscore (dunders count)."""
        return not any(part[0] == "_" and not part.endswith("__") for part in self.name.split("."))

    @property
    def in_class(self) -> bool:
        """True for what stands directly in a class body: methods and inner classes."""
        return self.parent is not None and self.parent.kind == "class"

    @property
    def in_function(self) -> bool:
        """True for what stands inside a function, where callers from outside cannot reach."""
        scope = self.parent
        while scope is not None:
            if scope.kind == "function":
                return True
            scope = scope.parent
        return False


class Import:
    """One imported module. `module` is the dotted name as written, with leading dots for
    relative imports; `names` are the names taken from it and `locals` what they are called here
    (both empty for `import x`); `bound` is the local name of `import x` or `import x as y`
    (`aliased`). `deferred` is True inside a function, `typing_only` under `if TYPE_CHECKING:`."""

    __slots__ = (
        "aliased",
        "bound",
        "deferred",
        "line",
        "locals",
        "module",
        "names",
        "typing_only",
    )

    def __init__(
        self,
        module: str,
        line: int,
        *,
        deferred: bool,
        typing_only: bool,
        alias: ast.alias | None = None,
        taken: list[ast.alias] | None = None,
    ) -> None:
        self.module = module
        self.line = line
        self.deferred = deferred
        self.typing_only = typing_only
        self.names = tuple(item.name for item in taken or ())
        self.locals = tuple(item.asname or item.name for item in taken or ())
        self.aliased = alias is not None and alias.asname is not None
        self.bound = "" if alias is None else alias.asname or alias.name.partition(".")[0]


class ParsedModule:
    """A subject with what one pass over its tree tells. `error` is set when it does not parse;
    then `tree` is None and everything else empty. `script` is True when it has an
    `if __name__ == "__main__":`.

    Lines are those of `text`; `subject.first_line` and notebook cells are applied later, once,
    by `gather`.
    """

    def __init__(self, subject: Subject, text: str | None = None) -> None:
        self.subject = subject
        self.text = (subject.text if text is None else text).removeprefix("\ufeff")
        self.tree: ast.Module | None = None
        self.error: Issue | None = None
        self.scopes: list[Scope] = []
        self.imports: list[Import] = []
        self.statements = 0
        self.module_statements = 0
        self.module_line = 1
        self.documented = False
        self.script = False
        self._lines: list[str] | None = None
        self._starts: list[int] | None = None
        self._by_type: dict[type[ast.AST], list[ast.AST]] | None = None
        self._parents: dict[ast.AST, ast.AST] | None = None

    @property
    def path(self) -> str:
        return self.subject.path

    @property
    def lines(self) -> list[str]:
        """Source lines without line ends, split as Python's parser splits them."""
        if self._lines is None:
            self._lines = self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return self._lines

    def line_text(self, line: int) -> str:
        """Return line number `line` stripped, `""` when there is no such line."""
        return self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""

    def scope_at(self, line: int) -> Scope | None:
        """Return the innermost function or class that spans `line`, decorators included."""
        if self._starts is None:
            self._starts = [scope.start for scope in self.scopes]
        at = bisect_right(self._starts, line) - 1
        scope: Scope | None = self.scopes[at] if at >= 0 else None
        while scope is not None and scope.end_line < line:
            scope = scope.parent
        return scope

    def symbol_at(self, line: int) -> str:
        """Return the qualified name of the enclosing function or class, `""` at module level."""
        scope = self.scope_at(line)
        return "" if scope is None else scope.name

    def of(self, *types: type[Node]) -> list[Node]:
        """Return all nodes of exactly these types, by type, holders before what they hold.

        The first call walks the whole tree once; context nodes (`Load`, operators) are left
        out, and so are the children of `Constant` and `Name`.
        """
        if self._by_type is None:
            self._by_type = index(self.tree) if self.tree is not None else {}
        if len(types) == 1:
            return self._by_type.get(types[0], [])  # type: ignore[return-value]
        found: list[Node] = []
        for kind in types:
            found += self._by_type.get(kind, [])  # type: ignore[arg-type]
        return found

    def parent(self, node: ast.AST) -> ast.AST | None:
        """Return the node that holds `node`. The first call walks the tree once."""
        if self._parents is None:
            self._parents = {}
            for holders in (self._by_type or index(self.tree)).values() if self.tree else ():
                for holder in holders:
                    for child in children(holder):
                        self._parents[child] = holder
        return self._parents.get(node)

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the holders of `node`, nearest first."""
        holder = self.parent(node)
        while holder is not None:
            yield holder
            holder = self.parent(holder)

    def release(self) -> None:
        """Drop the tree and everything that holds its nodes."""
        self.tree = None
        self._by_type = self._parents = None
        for scope in self.scopes:
            scope.node = None
