"""Python text read once: parse, find scopes, imports and units in one pass over the statements."""

from __future__ import annotations

import ast
import gc
import warnings
from typing import Literal

from aiex_ipy.grounding.facts import Issue, Subject, Unit
from aiex_ipy.grounding.parsed import Import, ParsedModule, Scope
from aiex_ipy.grounding.tree import is_docstring, is_main_guard

PARSE_NAME = "<aiex>"
"""File name given to the parser; warnings about the user's text carry it and stay silent."""

_BODIES = ("body", "orelse", "finalbody")


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
    module.documented = bool(tree.body) and is_docstring(tree.body[0])
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


def _names_type_checking(test: ast.expr) -> bool:
    if isinstance(test, ast.Attribute):
        return test.attr == "TYPE_CHECKING"
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _reason(error: BaseException) -> str:
    if isinstance(error, RecursionError | MemoryError):
        return "too deeply nested for Python's parser"
    return str(error) or type(error).__name__


def _without_lines(message: str) -> str:
    """Drop `on line 3` from Python's messages: the line is in the record and would drift."""
    import re

    return re.sub(r" \(detected at line \d+\)| (?:on|at|from) line \d+", "", message)


def _silence_parser() -> None:
    """Keep warnings about the user's text (`invalid escape sequence`) off their screen.

    One filter for our own parse name; `catch_warnings` would swap the process's filters under
    the feet of other threads.
    """
    warnings.filterwarnings("ignore", module=PARSE_NAME)
