"""Names that were given another meaning than the code that uses them expects: by a function that
sets a global, by a star import, by a second definition."""

from __future__ import annotations

import ast
import builtins
import sys
import types
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import Code
from aiex_ipy.grounding.diagnosis.origin import (
    Defined,
    Function,
    bindings,
    earlier_cells,
    function_called,
    told,
    traced,
)
from aiex_ipy.grounding.diagnosis.parts import texts_of_code
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    in_scope,
    is_number,
    length,
    message,
    nodes_at_fault,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

FAULTS = (
    TypeError,
    ValueError,
    AttributeError,
    KeyError,
    IndexError,
    ZeroDivisionError,
)
Literal = tuple[bool, Any]


def rebound_global(moment: Moment) -> Iterator[Diagnosis]:
    """A global that a function called before has set to what the failing line cannot use."""
    frame = moment.frame
    if frame is None or not isinstance(moment.error, FAULTS):
        return
    for name in dict.fromkeys(each.id for each in nodes_at_fault(frame, ast.Name)):
        if name in frame.code.co_varnames or name not in frame.globals:
            continue
        value = frame.globals[name]
        first = _first_value(moment, name)
        if first is None or not _at_fault(moment, value, first[0]):
            continue
        for tree, place, function, statement in _setters(moment, name):
            call = _called_at(moment, tree, place, function.name)
            if call is None:
                continue
            was = f" (it was {text_of(first[1], 40)}, {first[2]})"
            yield Diagnosis(
                rule="rebound-global",
                certainty="certain",
                cause=f"{name} is {shown(value, name)} because {function.name}() rebinds the "
                f"global {name!r}: `{text_of(statement)}` ({place}, line {statement.lineno}), "
                f"called in {call}{was}.",
                evidence=(
                    f"{place}, line {statement.lineno}: {text_of(statement)}",
                    f"{where(frame)}: {text_of(frame.node, 60)}",
                ),
                remedy=f"Take out `global {name}` and return the value from {function.name} under "
                "another name.",
            )
            return


def _first_value(moment: Moment, name: str) -> tuple[Any, ast.expr, str] | None:
    """The newest literal the name was given at the top level: value, expression, place."""
    for _, tree, place in texts_of_code(moment, name):
        for found in reversed(bindings(tree.body, name)):
            if found.how != "assigned" or found.node is None:
                continue
            try:
                value = ast.literal_eval(found.node)
            except (ValueError, TypeError, SyntaxError, RecursionError):
                return None
            return value, found.node, f"{place}, line {found.line}"
    return None


def _at_fault(moment: Moment, value: Any, first: Any) -> bool:
    """True for a zero, an emptied container or a value of another type than the first, where the
    error is of that."""
    said = message(moment.error)
    if first is None:
        return False
    if is_number(value) and is_number(first):
        return bool(value == 0 and first != 0) and "zero" in said
    if type(value) is not type(first):
        return f"'{type(value).__name__}'" in said and bool(first)
    empty = length(value) == 0 and length(first) != 0
    return empty and (isinstance(moment.error, IndexError) or "empty" in said)


def _setters(
    moment: Moment, name: str
) -> Iterator[tuple[ast.Module, str, ast.FunctionDef | ast.AsyncFunctionDef, ast.stmt]]:
    for _, tree, place in texts_of_code(moment, name):
        for function in ast.walk(tree):
            if not isinstance(function, Function):
                continue
            if not any(isinstance(n, ast.Global) and name in n.names for n in function.body):
                continue
            found = [b for b in bindings(function.body, name) if isinstance(b.statement, ast.stmt)]
            if found and isinstance(found[-1].statement, ast.stmt):
                yield tree, place, function, found[-1].statement


def _called_at(moment: Moment, tree: ast.Module, place: str, name: str) -> str | None:
    """Where a function is called in the code that ran, the newest place."""
    for _, other, at in texts_of_code(moment, name):
        for node in ast.walk(other):
            if isinstance(node, ast.Call) and text_of(node.func) == name:
                return f"{at}, line {node.lineno}"
    return None


def star_import(moment: Moment) -> Iterator[Diagnosis]:
    """A name that `from module import *` gave another meaning."""
    frame = moment.frame
    if frame is None or not isinstance(moment.error, TypeError | AttributeError | ValueError):
        return
    for name in dict.fromkeys(each.id for each in _used(frame)):
        if name in frame.code.co_varnames or name not in frame.globals:
            continue
        value = frame.globals[name]
        for star, at, module in _stars(moment, frame):
            if module.__dict__.get(name, frame) is not value:
                continue
            before = _bound_before(moment, name, at, star.lineno)
            if before is None and getattr(builtins, name, value) is value:
                continue
            what = before or f"the builtin {name}"
            yield Diagnosis(
                rule="star-import",
                certainty="certain",
                cause=f"`{text_of(star)}` ({at}, line {star.lineno}) overwrote {name!r}: it is "
                f"{shown(value)} from {star.module} now, no longer {what}.",
                evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
                remedy=f"Import from {star.module} by name in place of `*`, or import {name!r} "
                "again after it.",
            )
            return


def _used(frame: LiveFrame) -> Iterator[ast.Name]:
    for node in nodes_at_fault(frame, ast.AST):
        match node:
            case ast.Call(func=ast.Name() as name) | ast.Attribute(value=ast.Name() as name):
                yield name


def _stars(
    moment: Moment, frame: LiveFrame
) -> Iterator[tuple[ast.ImportFrom, str, types.ModuleType]]:
    for _, tree, place in texts_of_code(moment, "import"):
        for node in in_scope(tree.body):
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                module = sys.modules.get(node.module or "")
                if type(module) is types.ModuleType:
                    yield node, place, module


def _bound_before(moment: Moment, name: str, star_at: str, line: int) -> str | None:
    """What gave the name its meaning before the star import, in words."""
    for _, tree, place in texts_of_code(moment, name):
        for found in reversed(bindings(tree.body, name)):
            if place == star_at and found.line >= line:
                continue
            statement = text_of(found.statement, 60) if found.how == "import" else name
            if isinstance(found.statement, Function | ast.ClassDef):
                statement = f"your {name}"
            return f"what `{statement}` gave ({place}, line {found.line})"
    return None


def redefined_function(moment: Moment) -> Iterator[Diagnosis]:
    """A function that was defined again and gives something of another kind; a dict unpacked."""
    frame = moment.frame
    if frame is None or not isinstance(moment.error, FAULTS):
        return
    for node in nodes_at_fault(frame, ast.Name):
        steps = traced(moment, frame, node)
        statement = steps[-1].statement if steps else None
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
            continue
        call, target = statement.value, statement.targets[0]
        own = function_called(moment, steps[-1].frame, call)
        if own is None:
            continue
        kind = returned_kind(own.node)
        names = [text_of(each) for each in getattr(target, "elts", ())]
        unpacked = bool(names) and kind.startswith("a dict")
        before = _defined_before(moment, own)
        if not kind or not (unpacked or before):
            continue
        at = f"{own.place}, line {own.node.lineno}"
        name = own.node.name
        said = f"{name}() returns {kind} ({at})"
        if unpacked:
            values = [value_of(ast.Name(id=each), frame) for each in names]
            keys = ", ".join(shown(v) for known, v in values if known)
            said += f", and unpacking a dict gives its keys: {', '.join(names)} are {keys}"
        if before:
            said += f". {name} was redefined there; the earlier definition ({before[1]}) returned "
            said += before[0]
        yield Diagnosis(
            rule="unpacked-dict" if unpacked else "redefined-function",
            certainty="certain" if unpacked else "likely",
            cause=f"{said}.",
            evidence=(*told(steps), f"{steps[-1].where}: {text_of(statement)}"),
            remedy="Give the new function another name, or adapt the code that calls it."
            if before
            else f"Unpack {text_of(call)}.values(), or ask for the keys by name.",
        )
        return


def returned_kind(function: ast.AST) -> str:
    """Return, in words, what kind of value all returns of a function write out; "" if unknown."""
    kinds = set()
    for node in in_scope(getattr(function, "body", [])):
        if isinstance(node, ast.Return):
            kinds.add(_kind(node.value))
        elif isinstance(node, ast.Yield | ast.YieldFrom):
            return "a generator"
    return kinds.pop() if len(kinds) == 1 else ""


def _kind(node: ast.expr | None) -> str:
    match node:
        case ast.Dict() | ast.DictComp() | ast.Call(func=ast.Name(id="dict")):
            return "a dict"
        case ast.Tuple(elts=elements):
            return f"a tuple of {len(elements)} values"
        case ast.List() | ast.ListComp() | ast.Call(func=ast.Name(id="list" | "sorted")):
            return "a list"
        case ast.JoinedStr() | ast.Call(func=ast.Name(id="str")):
            return "a text"
        case ast.Constant(value=value):
            return "None" if value is None else f"a {type(value).__name__}"
        case ast.Call(func=ast.Name(id="int" | "float" | "len" | "sum" | "round")):
            return "a number"
        case ast.Set() | ast.SetComp():
            return "a set"
    return ""


def _defined_before(moment: Moment, own: Defined) -> tuple[str, str] | None:
    """What an earlier definition of the same name returned, and its place."""
    texts: list[tuple[Code, ast.Module, str]] = [
        (each, each.tree, each.place) for each in earlier_cells(moment, having=own.node.name)
    ]
    texts += [t for t in texts_of_code(moment, own.node.name) if t[2] == own.place]
    kind, seen = returned_kind(own.node), False
    for _, tree, place in texts:
        for node in reversed([n for n in tree.body if isinstance(n, Function)]):
            if node.name != own.node.name:
                continue
            if place == own.place and node.lineno == own.node.lineno:
                seen = True
                continue
            other = returned_kind(node)
            if seen and other and other != kind:
                return other, f"{place}, line {node.lineno}"
    return None
