"""The statements that made a doubted value, with the values their names had, into the functions
they called.

Parameters stand for what the call gave them, local names for what can be calculated; the rest is
not known. Nothing of the user's runs.
"""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from aiex_ipy.grounding.diagnosis.edit import Code
from aiex_ipy.grounding.diagnosis.origin import Function, cell_text, definition
from aiex_ipy.grounding.diagnosis.parts import Part, doubted, parts_of
from aiex_ipy.grounding.diagnosis.sight import in_scope
from aiex_ipy.grounding.diagnosis.worth import worth
from aiex_ipy.grounding.failure.evaluate import UNKNOWN, Found, Scope
from aiex_ipy.grounding.failure.moment import Moment
from aiex_ipy.grounding.slicing import SlicedCell, slice_statements

MOST_STEPS = 150
"""Statements looked at for one value."""
MOST_CELLS = 200
"""Newest cells that are looked through."""
DEEPEST = 4
"""Calls inside calls that are followed."""
MOST_ROUNDS = 3
"""Items of a loop that are followed."""


class Local(Scope):
    """Names of a function: those known, and those that are local but not known."""

    __slots__ = ("local", "unknown")

    def __init__(self, names: Mapping[str, Any], *outer: Mapping[str, Any]) -> None:
        super().__init__(names, *outer)
        self.local = dict(names)
        self.mappings = (self.local, *outer)
        self.unknown: set[str] = set()

    def name(self, name: str) -> Found:
        return UNKNOWN if name in self.unknown else super().name(name)

    def put(self, name: str, found: Found) -> None:
        """Take what a statement gave a name."""
        if found[0]:
            self.local[name] = found[1]
            self.unknown.discard(name)
        else:
            self.unknown.add(name)


class Step:
    """A statement (or expression) that took part, with what its names were worth."""

    __slots__ = ("code", "function", "line", "node", "place", "scope", "values")

    def __init__(
        self, node: ast.AST, scope: Scope, place: str, code: Code | None, function: str
    ) -> None:
        self.node = node
        self.scope = scope
        self.code = code
        self.place = place
        self.function = function
        self.line = getattr(node, "lineno", 0)
        self.values: dict[ast.AST, Found] = {}

    def value(self, node: ast.AST | None) -> Found:
        """Return whether an expression's value can be told here, and the value."""
        if node is None:
            return UNKNOWN
        if node not in self.values:
            self.values[node] = worth(node, self.scope)
        return self.values[node]


_known_steps: WeakKeyDictionary[Moment, list[Step]] = WeakKeyDictionary()
_known_slices: WeakKeyDictionary[Moment, tuple[SlicedCell, ...]] = WeakKeyDictionary()


def steps_of(moment: Moment) -> list[Step]:
    """Return what made the doubted value, nearest first; nothing where no value is doubted."""
    if moment not in _known_steps:
        replay = _Replay(moment)
        replay.run()
        _known_steps[moment] = replay.steps
    return _known_steps[moment]


def sliced(moment: Moment) -> tuple[SlicedCell, ...]:
    """Return the cells and statements that made what the doubted expression names."""
    if moment not in _known_slices:
        node = doubted(moment)
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} if node else ()
        cells = moment.cells[-MOST_CELLS:]
        _known_slices[moment] = (
            slice_statements(cells, sorted(names), live=moment.names) if names and cells else ()
        )
    return _known_slices[moment]


class _Replay:
    def __init__(self, moment: Moment) -> None:
        self.moment = moment
        self.steps: list[Step] = []
        self.called: set[tuple[int, ...]] = set()

    def run(self) -> None:
        if doubted(self.moment) is None:
            return
        for part in parts_of(self.moment):
            self._part(part)
        if self.moment.error is None:
            for each in reversed(sliced(self.moment)):
                self._cell(each)

    def _part(self, part: Part) -> None:
        frame = part.frame
        scope = (
            Scope(frame.locals, frame.globals) if frame is not None else Scope(self.moment.names)
        )
        self._step(part.node, scope, part.place, part.code, "", 0)

    def _cell(self, cell: SlicedCell) -> None:
        text = cell_text(cell.cell)
        if text is None:
            return
        scope = Scope(self.moment.names)
        for statement in reversed(text.tree.body):
            first, last = statement.lineno, statement.end_lineno or statement.lineno
            if not any(first <= b and a <= last for a, b in cell.lines):
                continue
            if isinstance(statement, Function | ast.ClassDef | ast.Import | ast.ImportFrom):
                continue
            if any(each.node is statement for each in self.steps):
                continue
            place = f"{text.place}, line {statement.lineno}"
            self._step(statement, scope, place, text, "", 0)

    def _step(
        self, node: ast.AST, scope: Scope, place: str, code: Code | None, function: str, depth: int
    ) -> None:
        if len(self.steps) >= MOST_STEPS:
            return
        self.steps.append(Step(node, scope, place, code, function))
        for call in [each for each in ast.walk(node) if isinstance(each, ast.Call)][:20]:
            self._call(call, scope, depth)

    def _call(self, call: ast.Call, scope: Scope, depth: int) -> None:
        if depth >= DEEPEST:
            return
        found, function = worth(call.func, scope)
        if not found:
            return
        bound = getattr(function, "__self__", None) if type(function) is types.MethodType else None
        plain = function.__func__ if type(function) is types.MethodType else function
        if type(plain) is not types.FunctionType:
            return
        made = definition(self.moment, plain)
        if made is None:
            return
        local = _given(plain, bound, call, scope)
        key = (id(plain), *(id(each) for each in local.local.values()))
        if key in self.called:
            return
        self.called.add(key)
        self._body(made.node.body, local, made.place, made.code, made.node.name, depth + 1)

    def _body(
        self,
        body: Iterable[ast.stmt],
        scope: Local,
        place: str,
        code: Code | None,
        function: str,
        depth: int,
    ) -> None:
        again = (scope, place, code, function, depth)
        for statement in body:
            if isinstance(statement, Function | ast.ClassDef):
                continue
            where = f"{place}, line {statement.lineno}"
            match statement:
                case ast.For(target=target, iter=over, body=inner):
                    self._step(over, scope, where, code, function, depth)
                    self._loop(target, over, inner, *again)
                case ast.If(test=test, body=inner, orelse=other):
                    self._step(test, scope, where, code, function, depth)
                    told, truth = worth(test, scope)
                    if not told or type(truth) is not bool:
                        self._body(inner, *again)
                        self._body(other, *again)
                    else:
                        self._body(inner if truth else other, *again)
                case ast.While(body=inner) | ast.With(body=inner) | ast.Try(body=inner):
                    _forget(inner, scope)
                    self._body(inner, *again)
                case _:
                    frozen = Local(scope.local, *scope.mappings[1:])
                    frozen.unknown = set(scope.unknown)
                    self._step(statement, frozen, where, code, function, depth)
                    _assign(statement, scope)

    def _loop(
        self,
        target: ast.expr,
        over: ast.expr,
        body: Sequence[ast.stmt],
        scope: Local,
        place: str,
        code: Code | None,
        function: str,
        depth: int,
    ) -> None:
        told, items = worth(over, scope)
        if told and type(items) in {list, tuple, range} and isinstance(target, ast.Name):
            for each in items[:MOST_ROUNDS]:
                scope.put(target.id, (True, each))
                self._body(body, scope, place, code, function, depth)
            if len(items) <= MOST_ROUNDS:
                return
        else:
            for each in ast.walk(target):
                if isinstance(each, ast.Name):
                    scope.put(each.id, UNKNOWN)
            _forget(body, scope)
            self._body(body, scope, place, code, function, depth)
        _forget(body, scope)


def _given(function: types.FunctionType, bound: Any, call: ast.Call, scope: Scope) -> Local:
    """The names a function starts with, as a call gives them."""
    code = function.__code__
    found: dict[str, Found] = dict.fromkeys((*code.co_varnames, *code.co_cellvars), UNKNOWN)
    found |= _defaults(function) | _arguments(function, bound, call, scope)
    closed: dict[str, Any] = {}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        try:
            closed[name] = cell.cell_contents
        except ValueError:  # a cell not filled yet
            continue
    local = Local({}, closed, function.__globals__)
    for name, value in found.items():
        local.put(name, value)
    return local


def _defaults(function: types.FunctionType) -> dict[str, Found]:
    code, values = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount][code.co_argcount - len(values) :]
    given = {**dict(zip(names, values, strict=False)), **(function.__kwdefaults__ or {})}
    return {name: (True, value) for name, value in given.items()}


def _arguments(
    function: types.FunctionType, bound: Any, call: ast.Call, scope: Scope
) -> dict[str, Found]:
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    parameters = code.co_varnames[: code.co_argcount]
    values = [worth(each, scope) for each in call.args]
    if bound is not None:
        values.insert(0, (True, bound))
    found: dict[str, Found] = {}
    if any(isinstance(each, ast.Starred) for each in call.args):
        found |= dict.fromkeys(parameters, UNKNOWN)
    else:
        found |= dict(zip(parameters, values, strict=False))
        rest = values[len(parameters) :]
        if code.co_flags & inspect.CO_VARARGS and all(ok for ok, _ in rest):
            found[code.co_varnames[count]] = (True, tuple(value for _, value in rest))
    for keyword in call.keywords:
        if keyword.arg in code.co_varnames[:count]:
            found[str(keyword.arg)] = worth(keyword.value, scope)
    return found


def _assign(statement: ast.stmt, scope: Local) -> None:
    """Give local names what a statement assigns."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            scope.put(name, worth(value, scope))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            scope.put(name, worth(value, scope))
        case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
            old = ast.Name(id=name, ctx=ast.Load())
            scope.put(name, worth(ast.BinOp(left=old, op=op, right=value), scope))
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(
            names
        ) == len(values):
            found = [worth(each, scope) for each in values]
            for target, each in zip(names, found, strict=True):
                if isinstance(target, ast.Name):
                    scope.put(target.id, each)
        case _:
            _forget([statement], scope)


def _forget(body: Iterable[ast.stmt], scope: Local) -> None:
    """Take names that statements assign or change items of for unknown."""
    for node in in_scope(body):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            scope.put(node.id, UNKNOWN)
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            base = node.value
            while isinstance(base, ast.Subscript | ast.Attribute):
                base = base.value
            if isinstance(base, ast.Name) and base.id in scope.local:
                scope.put(base.id, UNKNOWN)
