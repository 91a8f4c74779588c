"""Python text read once: tree, scopes, units, imports; what every other analyzer looks at.

A `ParsedModule` is a working object of one gathering, not a record: it holds the parse tree
until `release`, after which lines, scopes and imports remain (trees of a thousand files would
fill memory).
"""

from __future__ import annotations

import ast
import gc
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from typing import Literal, TypeVar

from aiex_ipy.grounding.facts import Issue, Subject, Unit

PARSE_NAME = "<aiex>"
"""File name given to the parser; warnings about the user's text carry it and stay silent."""

ScopeKind = Literal["function", "class"]
Node = TypeVar("Node", bound=ast.AST)

_BODIES = ("body", "orelse", "finalbody")


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
        self.documented = _is_docstring(node.body[0])

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
        """Return all nodes of exactly these types, in source order per type.

        The first call walks the whole tree once; context nodes (`Load`, operators) are left
        out, and so are the children of `Constant` and `Name`.
        """
        if self._by_type is None:
            self._by_type = _index(self.tree) if self.tree is not None else {}
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
            for holders in (self._by_type or _index(self.tree)).values() if self.tree else ():
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


def parse(subject: Subject, text: str | None = None) -> ParsedModule:
    """Read Python text; never raises. `text` replaces the subject's own (magics taken out)."""
    module = ParsedModule(subject, text)
    _silence_parser()
    try:
        with Uncollected():
            module.tree = ast.parse(module.text, PARSE_NAME)
    except SyntaxError as error:
        module.error = syntax_issue(subject.path, error, module.lines)
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        # ValueError: a null byte (3.11), an integer literal beyond the conversion limit.
        what = SyntaxError(_reason(error))
        module.error = syntax_issue(subject.path, what, module.lines)
    else:
        _structure(module)
    return module


class Uncollected:
    """A context in which Python's cyclic garbage collector rests, in the whole process.

    A tree is many objects and no garbage; collecting while it grows, is walked and is dropped
    cost 40 % of the time over the standard library (12.0 s against 7.4 s CPU).
    """

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *error: object) -> None:
        if self._was_on:
            gc.enable()


def compiles(module: ParsedModule) -> Issue | None:
    """Return the syntax issue of a module that parses but that `compile` refuses, else None."""
    try:
        compile(module.text, PARSE_NAME, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return syntax_issue(module.path, error, module.lines)
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return syntax_issue(module.path, SyntaxError(_reason(error)), module.lines)
    return None


def syntax_issue(path: str, error: SyntaxError, lines: list[str]) -> Issue:
    """Turn Python's own complaint into the one issue a file that does not parse has."""
    line = min(max(error.lineno or 1, 1), max(len(lines), 1))
    last = min(max(error.end_lineno or line, line), max(len(lines), 1))
    message = error.msg.split(" (<aiex>", 1)[0].replace(PARSE_NAME, "the text")
    return Issue(
        severity="critical",
        category="syntax",
        rule="syntax-error",
        path=path,
        line=line,
        end_line=last,
        column=max(error.offset or 1, 1),
        message=_without_lines(message[:1].upper() + message[1:]),
        evidence=lines[line - 1].strip()[:200] if lines else "",
        source="python",
    )


def units(module: ParsedModule, cognitive: dict[int, int]) -> tuple[Unit, ...]:
    """Return the top-level units in source order, `<module>` first.

    `cognitive` maps the first line of a function (decorators included) to its complexity.
    A function or class under a top-level `if`, `try` or `with` is a unit of its own.
    """
    found: list[Unit] = []
    if module.module_statements:
        found.append(
            Unit(
                name="<module>",
                kind="module",
                line=module.module_line,
                end_line=len(module.lines),
                statements=module.module_statements,
                documented=module.documented,
            )
        )
    inner: dict[str, list[Scope]] = {}
    for scope in module.scopes:
        if scope.kind == "function" and not scope.in_function:
            top = scope
            while top.parent is not None:
                top = top.parent
            inner.setdefault(top.key, []).append(scope)
    for scope in module.scopes:
        if scope.parent is None:
            functions = inner.get(scope.key, [])
            found.append(
                Unit(
                    name=scope.name,
                    kind=scope.kind,
                    line=scope.line,
                    end_line=scope.end_line,
                    statements=scope.statements,
                    cognitive={f.key: cognitive.get(f.start, 0) for f in functions},
                    lengths={f.key: f.statements for f in functions},
                    lines={f.key: f.line for f in functions},
                    public=scope.public,
                    documented=scope.documented,
                )
            )
    return tuple(found)


def dedent(text: str) -> str:
    """Take off the indentation of the first code line, for the source of a method or a cell."""
    for line in text.split("\n"):
        bare = line.lstrip(" \t")
        if bare.strip() and not bare.startswith("#"):
            indent = line[: len(line) - len(bare)]
            if not indent:
                return text
            return "\n".join(ln.removeprefix(indent) for ln in text.split("\n"))
    return text


def children(node: ast.AST) -> list[ast.AST]:
    """Return the child nodes in source order of fields, without contexts and operators."""
    found: list[ast.AST] = []
    for name in _fields(node.__class__):
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += [child for child in value if child is not None]
        elif value is not None:
            found.append(value)
    return found


def nodes_in(node: ast.AST, *, nested: bool = True) -> Iterator[ast.AST]:
    """Yield the nodes below `node` in source order; not those of inner functions and classes
    unless `nested`."""
    stack = children(node)[::-1]
    while stack:
        at = stack.pop()
        yield at
        if nested or not isinstance(at, NESTED):
            stack += children(at)[::-1]


NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {ast.Constant: (), ast.Name: ()}
_SKIP = frozenset(
    {"ctx", "op", "ops", "id", "name", "attr", "arg", "module", "level", "asname"}
    | {"type_comment", "kind", "conversion", "is_async", "simple", "type_ignores", "rest"}
    | {"kwd_attrs", "tag", "str"}
)


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    known = _FIELDS.get(kind)
    if known is None:
        skip = _SKIP | {"names"} if kind in (ast.Global, ast.Nonlocal) else _SKIP
        keep = skip - {"name"} if kind.__name__ == "TypeAlias" else skip
        known = _FIELDS[kind] = tuple(f for f in kind._fields if f not in keep)
    return known


def _index(tree: ast.Module) -> dict[type[ast.AST], list[ast.AST]]:
    """Walk the tree once, in source order, into lists by node type."""
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


def _structure(module: ParsedModule) -> None:
    """Fill scopes, imports and counts from the statements alone (an eighth of the nodes)."""
    tree = module.tree
    assert tree is not None
    own: dict[Scope | None, int] = {None: 0}
    first_line = 0
    stack: list[_Body] = [(tree.body, None, "")]
    while stack:
        body, scope, guard = stack.pop()
        for statement in body:
            kind = statement.__class__
            if kind in _INERT and _inert(statement):
                continue
            if kind in _SCOPES:
                inner = Scope(statement, scope)  # type: ignore[arg-type]
                module.scopes.append(inner)
                own[inner] = 1
                stack.append((statement.body, inner, guard))  # type: ignore[attr-defined]
                continue
            own[scope] += 1
            if scope is None and (not first_line or statement.lineno < first_line):
                first_line = statement.lineno
            if kind in _IMPORTS:
                _imports(module, statement, scope, guard)  # type: ignore[arg-type]
            elif kind in _COMPOUND:
                module.script = module.script or (scope is None and is_main_guard(statement))
                _push_bodies(statement, scope, guard, stack)
    module.documented = bool(tree.body) and _is_docstring(tree.body[0])
    module.module_statements = own[None]
    module.module_line = first_line or 1
    module.statements = sum(own.values())
    module.imports.sort(key=lambda item: item.line)
    _add_up(module.scopes, own)


def _add_up(scopes: list[Scope], own: dict[Scope | None, int]) -> None:
    """Bring scopes into source order, give them their keys, add inner counts to outer ones."""
    scopes.sort(key=lambda item: (item.start, -item.end_line))
    seen: dict[str, int] = {}
    for item in scopes:
        count = seen[item.name] = seen.get(item.name, 0) + 1
        if count > 1:
            item.key = f"{item.name}#{count}"
        holder: Scope | None = item
        while holder is not None:
            holder.statements += own[item]
            holder = holder.parent


_Guard = Literal["", "typing", "script"]
_Body = tuple[list[ast.stmt], Scope | None, _Guard]
_SCOPES = {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef}
_IMPORTS = {ast.Import, ast.ImportFrom}
_INERT = {ast.Expr, ast.Pass}
_COMPOUND = {
    ast.If,
    ast.For,
    ast.While,
    ast.With,
    ast.Try,
    ast.AsyncFor,
    ast.AsyncWith,
    ast.Match,
    ast.TryStar,
}


def _inert(statement: ast.stmt) -> bool:
    """True for docstrings, `...`, other bare constants and `pass`: they are not counted."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and statement.value.__class__ is ast.Constant
    )


def _push_bodies(
    statement: ast.stmt, scope: Scope | None, guard: _Guard, stack: list[_Body]
) -> None:
    guarded = guard
    if isinstance(statement, ast.If) and not guard:
        if _names_type_checking(statement.test):
            guarded = "typing"
        elif is_main_guard(statement):
            guarded = "script"
    for name in _BODIES:
        body = getattr(statement, name, None)
        if body:
            stack.append((body, scope, guarded if name == "body" else guard))
    for name in ("handlers", "cases"):
        stack += [(part.body, scope, guard) for part in getattr(statement, name, ())]


def _imports(
    module: ParsedModule,
    statement: ast.Import | ast.ImportFrom,
    scope: Scope | None,
    guard: _Guard,
) -> None:
    inside = scope is not None and (scope.kind == "function" or scope.in_function)
    deferred, typing_only = inside or guard == "script", guard == "typing"
    line = statement.lineno
    if isinstance(statement, ast.Import):
        module.imports += [
            Import(a.name, line, deferred=deferred, typing_only=typing_only, alias=a)
            for a in statement.names
        ]
        return
    source = "." * statement.level + (statement.module or "")
    module.imports.append(
        Import(source, line, deferred=deferred, typing_only=typing_only, taken=statement.names)
    )


def is_main_guard(statement: ast.stmt) -> bool:
    """True for `if __name__ == "__main__":`."""
    test = statement.test if isinstance(statement, ast.If) else None
    if not isinstance(test, ast.Compare) or len(test.comparators) != 1:
        return False
    sides = (test.left, test.comparators[0])
    return any(isinstance(s, ast.Name) and s.id == "__name__" for s in sides) and any(
        isinstance(s, ast.Constant) and s.value == "__main__" for s in sides
    )


def _names_type_checking(test: ast.expr) -> bool:
    if isinstance(test, ast.Attribute):
        return test.attr == "TYPE_CHECKING"
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, RecursionError | MemoryError):
        return "too deeply nested for Python's parser"
    return str(error) or type(error).__name__


def _without_lines(message: str) -> str:
    """Drop `on line 3` from Python's messages: the line is in the record and would drift."""
    import re

    return re.sub(r" (?:on|at|from) line \d+", "", message)


def _silence_parser() -> None:
    """Keep warnings about the user's text (`invalid escape sequence`) off their screen.

    One filter for our own parse name; `catch_warnings` would swap the process's filters under
    the feet of other threads.
    """
    warnings.filterwarnings("ignore", module=PARSE_NAME)
