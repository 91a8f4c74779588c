"""Nothing came, because an iterator had been used up before."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import Code, rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import (
    Origin,
    earlier_cells,
    in_cells,
    origin,
    told,
    traced,
)
from aiex_ipy.grounding.diagnosis.parts import doubted
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.replay import steps_of
from aiex_ipy.grounding.diagnosis.sight import (
    length,
    name_value,
    nodes_at_fault,
    text_of,
    type_name,
    value_of,
)
from aiex_ipy.grounding.failure.evaluate import Scope
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix

_ITERATORS = frozenset(
    {
        "map", "filter", "zip", "enumerate", "generator", "reversed", "list_iterator",
        "tuple_iterator", "dict_keyiterator", "dict_itemiterator", "dict_valueiterator",
        "str_ascii_iterator", "range_iterator", "set_iterator", "callable_iterator",
        "list_reverseiterator", "_io.TextIOWrapper", "_csv.reader", "csv.DictReader",
        "itertools.chain", "itertools.islice", "itertools.groupby",
    }
)  # fmt: skip
_MAKERS = frozenset({"map", "filter", "zip", "enumerate", "reversed", "iter"})


def is_iterator(value: Any) -> bool:
    """True for exact iterators of Python's own, which give their values once."""
    return type_name(value) in _ITERATORS


def spent_source(moment: Moment) -> Iterator[Diagnosis]:
    """An empty container, or a division by a count of 0, made from an iterator that an earlier
    statement used up."""
    frame = moment.frame
    errors = (ZeroDivisionError, ValueError, IndexError, StopIteration, KeyError)
    if frame is None or not isinstance(moment.error, errors):
        return
    for node in _names_at_fault(frame):
        for step in [Origin(node.id, "assigned", frame.place, frame.line, node, frame),
                     *traced(moment, frame, node)]:  # fmt: skip
            for name in _names(step.node):
                at = step.frame
                known, value = name_value(name, at) if at is not None else (False, None)
                if not known or not is_iterator(value):
                    continue
                empty = node.id != name and _is_empty(frame, node)
                found = _spent(moment, at, name, value, node.id if empty else "")
                if found is not None:
                    yield found
                    return


def _names_at_fault(frame: LiveFrame) -> list[ast.Name]:
    return [each for each in nodes_at_fault(frame, ast.Name) if isinstance(each.ctx, ast.Load)]


def _names(node: ast.AST | None) -> list[str]:
    if node is None:
        return []
    return list(dict.fromkeys(n.id for n in ast.walk(node) if isinstance(n, ast.Name)))


def _is_empty(frame: LiveFrame, node: ast.Name) -> bool:
    known, value = value_of(node, frame)
    return known and (length(value) == 0 or (type(value) in {int, float} and value == 0))


def _spent(
    moment: Moment, frame: LiveFrame | None, name: str, value: Any, empty: str
) -> Diagnosis | None:
    path: list[Origin] = []
    made = origin(moment, frame, name) if frame is not None else in_cells(moment, name)
    while made is not None and isinstance(made.node, ast.Name) and len(path) < 6:
        path.append(made)
        name = made.node.id
        made = origin(moment, made.frame, name) if made.frame else in_cells(moment, name)
    if made is None or made.node is None:
        return None
    uses = _uses(moment, name, made, frame)
    running = type(value) is types.GeneratorType and value.gi_frame is not None
    if not uses or (running and not empty):
        return None
    label = name if not path or path[0].name == name else f"{name} (here {path[0].name})"
    return Diagnosis(
        rule="spent-iterator",
        certainty="certain",
        cause=f"{label} is a {type_name(value)} iterator that was already consumed (used up) at "
        f"{uses[0]}: an iterator gives its values once"
        + (f", so {empty} is empty." if empty else "."),
        evidence=tuple(dict.fromkeys((*told([*path, made]), *uses[:2]))),
        remedy=f"Keep the values in a list where {name} is made: list(…).",
        fix=_listed(made.code, made.node),
    )


def _listed(code: Code | None, node: ast.AST) -> Fix | None:
    if code is None:
        return None
    text = segment(code, node)
    if isinstance(node, ast.GeneratorExp):
        return rewritten(code, "list", (node, f"[{text[1:-1]}]"))
    if isinstance(node, ast.Call) and text_of(node.func) in _MAKERS:
        return rewritten(code, "list", (node, f"list({text})"))
    return None


_ASKING = frozenset({"type", "print", "id", "isinstance", "repr", "len", "iter"})


def _uses(moment: Moment, name: str, made: Origin, frame: LiveFrame | None) -> list[str]:
    """Where the iterator was looped over after it was made and before the failing statement."""
    found: list[str] = []
    for cell in earlier_cells(moment, having=name):
        later = cell.place != made.place
        found += [
            f"{cell.place}, line {node.lineno}: {text_of(node, 60)}"
            for node in _consumers(cell.tree, name)
            if later or node.lineno > made.line
        ]
        if not later:
            break
    outer = [each for each in moment.frames if each.user and each.tree is not None]
    for each in outer:
        found += [
            f"{each.place}, line {node.lineno}: {text_of(node, 60)}"
            for node in _consumers(each.tree, name)
            if each.place == made.place and made.line < node.lineno < each.line
        ]
    return list(dict.fromkeys(found))


def _consumers(tree: ast.AST | None, name: str) -> Iterator[ast.expr | ast.stmt]:
    """The loops over a name, and calls that are given it."""
    for node in ast.walk(tree) if tree is not None else ():
        match node:
            case ast.For(iter=over) if _is(over, name):
                yield node
            case ast.GeneratorExp() | ast.ListComp() | ast.SetComp() | ast.DictComp():
                if any(_is(each.iter, name) for each in node.generators):
                    yield node
            case ast.Call(func=func, args=args) if any(
                _is(each, name) or (isinstance(each, ast.Starred) and _is(each.value, name))
                for each in args
            ):
                if text_of(func) not in _ASKING:
                    yield node


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def spent_value(moment: Moment) -> Iterator[Diagnosis]:
    """A wrong value made from an iterator that an earlier statement used up."""
    if doubted(moment) is None:
        return
    for step in steps_of(moment):
        for node in ast.walk(step.node):
            if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
                continue
            known, value = step.value(node)
            if not known or not is_iterator(value):
                continue
            at_top = type(step.scope) is Scope and moment.error is None
            made = in_cells(moment, node.id) if at_top else None
            if made is None or made.node is None:
                continue
            uses = _uses(moment, node.id, made, None)
            if len(uses) < 2:
                continue
            yield Diagnosis(
                rule="spent-iterator",
                certainty="likely",
                cause=f"{node.id} is a {type_name(value)} iterator, which gives its values once; "
                f"it was already consumed (used up) at {uses[-1]}.",
                evidence=(f"{made.where}: {text_of(made.node, 60)}", *uses[-2:]),
                remedy=f"Keep the values in a list: {node.id} = list(…).",
                fix=_listed(made.code, made.node),
            )
            return
