"""Which values of a frame are told, and in which order: those of the failing expression first."""

from __future__ import annotations

import ast
import builtins
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from msgspec.structs import replace

from aiex_ipy.grounding.failure.evaluate import Scope, evaluate, lookup
from aiex_ipy.grounding.failure.moment import LiveFrame
from aiex_ipy.grounding.failure.sources import Sources
from aiex_ipy.grounding.live.describe import describe
from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.static import derives, is_class, module_of
from aiex_ipy.grounding.owners import shown_path

MOST_INNERMOST = 24
"""Values told of the frame that failed."""
MOST_OTHERS = 8
"""Values told of each frame that called it."""
MOST_PARTS = 12
"""Expressions that are no plain names, such as `rows[i + 1]`, among them."""
SECONDS = 0.12
"""What describing may take in one capture; values after that are counted, not described."""
SHELL_NAMES = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})
"""Names that IPython puts into every namespace."""

_SCOPES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


class Teller:
    """Describes the values of one capture, within a time."""

    def __init__(self, sources: Sources, seconds: float = SECONDS) -> None:
        self._sources = sources
        self._left = seconds
        self.skipped = 0
        self.types: list[type] = []
        """Types of the values in failing expressions, for the versions of their libraries."""

    def described(self, value: Any, name: str) -> Description | None:
        """Return the description of a value, None when the time is up."""
        if self._left <= 0:
            self.skipped += 1
            return None
        began = time.perf_counter()
        told = describe(value, name)
        self._left -= time.perf_counter() - began
        file, colon, line = told.source.rpartition(":")
        if not line.isdigit():
            file, colon, line = told.source, "", ""
        label = self._sources.label(file) if file else None
        if label is None and not os.path.isabs(file):
            return told
        place = label or shown_path(file, self._sources.project_dir)
        return replace(told, source=f"{place}{colon}{line}")

    def variables(self, live: LiveFrame, *, innermost: bool) -> tuple[Description, ...]:
        """Return the values of a frame: of its failing expression and the statement around it,
        its arguments, its other locals."""
        most = MOST_INNERMOST if innermost else MOST_OTHERS
        found: list[Description] = []
        seen: set[str] = set()
        for name, value, near in _candidates(live):
            if name in seen:
                continue
            seen.add(name)
            if len(found) >= most:
                self.skipped += 1
                continue
            if near:
                self.types.append(type(value))
            told = self.described(value, name)
            if told is not None:
                found.append(told)
        return tuple(found)

    def named(self, names: Sequence[str], space: Mapping[str, Any]) -> Iterator[Description]:
        """Yield the values of those names that have one, code left out."""
        for name in names:
            known, value = lookup(space, name)
            if known and _is_told(name, value, argument=False):
                told = self.described(value, name)
                if told is not None:
                    yield told

    def expression(self, node: ast.AST, names: Mapping[str, Any]) -> tuple[Description, ...]:
        """Return the values of the names and parts of an expression that was asked about."""
        found: list[Description] = []
        for name, value in _parts(node, Scope(names)):
            self.types.append(type(value))
            told = self.described(value, name)
            if told is not None and len(found) < MOST_INNERMOST:
                found.append(told)
        return tuple(found)


def _candidates(live: LiveFrame) -> Iterator[tuple[str, Any, bool]]:
    """Yield name, value and whether it is of the failing statement."""
    scope = Scope(live.locals, live.globals)
    statement = statement_of(live)
    for node in (live.node, statement):
        if node is not None:
            for name, value in _parts(node, scope):
                yield name, value, True
    names = _arguments(live.code)
    for name in (*names, *_own_names(live)):
        known, value = lookup(live.locals, name)
        if known and _is_told(name, value, argument=name in names):
            yield name, value, False
    if "self" in names[:1] and statement is not None:
        for name, value in _attributes_of_self(_function(live) or statement, scope):
            yield name, value, False


def _is_told(name: str, value: Any, *, argument: bool) -> bool:
    if name.startswith((".", "__", "@")) or name in SHELL_NAMES:
        return False
    ours = module_of(type(value)).partition(".")[0] == "aiex_ipy"
    return argument or not (name.startswith("_") or ours or _is_code(value))


def _attributes_of_self(node: ast.AST, scope: Scope) -> Iterator[tuple[str, Any]]:
    """The attributes of `self` that the code uses."""
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name):
            known, value = evaluate(each, scope) if each.value.id == "self" else (False, None)
            if known and not _is_code(value):
                yield f"self.{each.attr}", value


def _parts(node: ast.AST, scope: Scope) -> Iterator[tuple[str, Any]]:
    """Yield the names of an expression, then its attributes, items and indices, as far as their
    values are known."""
    named: list[tuple[str, Any]] = []
    parts: list[tuple[str, Any]] = []
    for each in own_nodes(node):
        if isinstance(each, ast.Name):
            known, value = scope.name(each.id)
            if known and not _is_builtin(each.id, value) and not derives(type(value), ModuleType):
                named.append((each.id, value))
        elif len(parts) < MOST_PARTS and _worth(each):
            known, value = evaluate(each, scope)
            if known and not _is_code(value):
                parts.append((ast.unparse(each), value))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        known, value = scope.name(node.value.id)
        if known and derives(type(value), ModuleType):
            named.append((node.value.id, value))
    yield from named
    yield from parts


def _worth(node: ast.AST) -> bool:
    """True for parts whose value is worth telling beside those of their names."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "len"
    if isinstance(node, ast.BinOp):
        return not all(isinstance(each, ast.Constant) for each in (node.left, node.right))
    return isinstance(node, ast.Attribute | ast.Subscript)


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run with a statement, in the order of the source: of a compound one
    its head alone, of functions made in it nothing but names used."""
    waiting = [node]
    while waiting:
        each = waiting.pop(0)
        yield each
        children = [
            child
            for name, value in ast.iter_fields(each)
            if name not in ("body", "orelse", "finalbody", "handlers", "cases", "decorator_list")
            or isinstance(each, ast.Lambda | ast.IfExp)
            for child in (value if isinstance(value, list) else [value])
            if isinstance(child, ast.AST)
        ]
        waiting[:0] = children


def statement_of(live: LiveFrame) -> ast.stmt | None:
    """Return the innermost statement that the failing line stands in."""
    if live.tree is None:
        return None
    best: ast.stmt | None = None
    for node in ast.walk(live.tree):
        if isinstance(node, ast.stmt) and node.lineno <= live.line <= (node.end_lineno or 0):
            smaller = best is None or node.lineno >= best.lineno
            best = node if smaller else best
    return best


def _function(live: LiveFrame) -> ast.AST | None:
    """The definition that a frame runs."""
    for node in ast.walk(live.tree or ast.Module([], [])):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if (node.name, first) == (live.code.co_name, live.code.co_firstlineno):
                return node
    return None


def _arguments(code: CodeType) -> tuple[str, ...]:
    stars = bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + stars]


def _own_names(live: LiveFrame) -> tuple[str, ...]:
    """Local names in the order in which the code first has them; in a module those its code
    uses, of a cell those of the whole cell: IPython compiles each statement by itself."""
    code = live.code
    if code.co_flags & 0x02:  # CO_NEWLOCALS: a function
        return (*code.co_varnames, *code.co_cellvars, *code.co_freevars)
    if live.tree is None:
        return code.co_names
    names = list(module_names(live.tree))
    names.sort(key=lambda each: abs(each.lineno - live.line))
    return tuple(dict.fromkeys(each.id for each in names))


def module_names(tree: ast.AST) -> Iterator[ast.Name]:
    """Yield the names that code of a module uses of the module's own: the parameters and locals of
    functions, lambdas and comprehensions in it are left out."""
    waiting: list[tuple[ast.AST, frozenset[str]]] = [(tree, frozenset())]
    while waiting:
        node, local = waiting.pop(0)
        if isinstance(node, ast.Name):
            if node.id not in local:
                yield node
            continue
        inner = local | _locals_of(node) if isinstance(node, _SCOPES) else local
        waiting[:0] = [(child, inner) for child in ast.iter_child_nodes(node)]


def _locals_of(scope: ast.AST) -> frozenset[str]:
    """The names bound in a function, those of functions in it among them: seldom is one of them
    another's global."""
    bound, elsewhere = set(), set()
    for each in ast.walk(scope):
        if isinstance(each, ast.arg):
            bound.add(each.arg)
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            bound.add(each.id)
        elif isinstance(each, ast.Global):
            elsewhere.update(each.names)
    return frozenset(bound - elsewhere)


def _is_code(value: Any) -> bool:
    kind = type(value)
    return kind in (FunctionType, BuiltinFunctionType, ModuleType) or is_class(value)


def _is_builtin(name: str, value: Any) -> bool:
    return vars(builtins).get(name) is value
