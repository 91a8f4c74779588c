"""Items that are None in what a comprehension, a generator expression or a builtin goes over."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import nodes_at_fault, shown, text_of, value_of, where
from aiex_ipy.grounding.failure.evaluate import Scope, evaluate
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

MOST_ITEMS = 10_000
_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_NAMES = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})


def none_among(moment: Moment, frame: LiveFrame, *, attribute: str | None) -> Diagnosis | None:
    """Return which item of what is gone over is None, or has None where a value is used.

    `attribute` is the name asked of None, None where it was used in another way.
    """
    outer = _outer(moment, frame)
    if outer is None or frame.tree is None:
        return None
    for comprehension in ast.walk(frame.tree):
        if not isinstance(comprehension, _COMPREHENSIONS) or not _holds(comprehension, frame):
            continue
        each = comprehension.generators[0]
        known, items = value_of(each.iter, outer)
        if len(comprehension.generators) > 1 or not isinstance(each.target, ast.Name):
            continue
        if not known or type(items) not in {list, tuple} or len(items) > MOST_ITEMS:
            continue
        used = [n for n in _used(frame, attribute) if _reads(n, each.target.id)]
        for at, item in enumerate(items):
            scope = Scope({each.target.id: item}, outer.locals, outer.globals)
            for node in used:
                if evaluate(node, scope) == (True, None):
                    return _said(moment, outer, frame, each, node, at, list(items))
    return None


def none_given(frame: LiveFrame) -> Diagnosis | None:
    """Return which item is None of those a builtin goes over: `sum([1, None])`."""
    for call in nodes_at_fault(frame, ast.Call):
        if text_of(call.func) not in {"sum", "max", "min", "sorted", "any", "all"} or not call.args:
            continue
        sorting = _sorting_key(frame, call)
        if sorting is not None:
            return sorting
        known_, value = value_of(call.args[0], frame)
        if not known_ or type(value) not in {list, tuple} or None not in map(_plain_none, value):
            continue
        at = [i for i, each in enumerate(value) if each is None]
        label = text_of(call.args[0])
        return Diagnosis(
            rule="none-used",
            cause=f"{label}[{at[0]}] is None{f', and {len(at) - 1} more' if len(at) > 1 else ''}: "
            f"{text_of(call.func)}() needs values throughout.",
            certainty="certain",
            evidence=(f"{where(frame)}: {label} is {shown(value)}",),
            remedy=f"Leave them out: {text_of(call.func)}(x for x in {label} if x is not None).",
        )
    return None


def _sorting_key(frame: LiveFrame, call: ast.Call) -> Diagnosis | None:
    """An item whose key= is None: `sorted(points, key=points.get)`."""
    key = next((each.value for each in call.keywords if each.arg == "key"), None)
    found, values = value_of(call.args[0], frame)
    if not found or type(values) not in {list, tuple, dict, set} or len(values) > MOST_ITEMS:
        return None
    holes: list[tuple[str, Any]] = []
    for item in values:
        match key:
            case ast.Attribute(value=base, attr="get" | "__getitem__"):
                known_, table = value_of(base, frame)
                plain = known_ and type(table) is dict and type(item) in {str, int, float}
                if plain and table.get(item) is None:
                    holes.append((f"{text_of(base)}[{item!r}]", item))
            case ast.Lambda(args=ast.arguments(args=[ast.arg(arg=name)]), body=body):
                known_, value = evaluate(body, Scope({name: item}, frame.globals))
                if known_ and value is None:
                    holes.append((f"{text_of(body)} of the item {shown(item)}", item))
    if not holes:
        return None
    label, func = text_of(call.args[0]), text_of(call.func)
    return Diagnosis(
        rule="none-used",
        cause=f"{holes[0][0]} is None{f', and {len(holes) - 1} more' if len(holes) > 1 else ''}: "
        f"{func}() compares these values, and None cannot be compared with others.",
        certainty="certain",
        evidence=(f"{where(frame)}: {text_of(call)}", f"{label} is {shown(values)}"),
        remedy="Leave those out, or give them a value that sorts: key=lambda x: (… is None, …).",
    )


def _plain_none(value: Any) -> Any:
    return None if value is None else 0


def _outer(moment: Moment, frame: LiveFrame) -> LiveFrame | None:
    """The frame the comprehension stands in."""
    if frame.code.co_name not in _NAMES:
        return frame
    frames = list(moment.frames)
    at = next((i for i, each in enumerate(frames) if each is frame), 0)
    for each in reversed(frames[:at]):
        if each.file == frame.file and each.code.co_name not in _NAMES:
            return each if _is_inside(each, frame) else None
    return None


def _is_inside(outer: LiveFrame, frame: LiveFrame) -> bool:
    """True if the code of one frame was compiled inside that of the other."""
    return any(each is frame.code for each in outer.code.co_consts)


def _holds(node: ast.expr, frame: LiveFrame) -> bool:
    if frame.node is not None:
        return any(each is frame.node for each in ast.walk(node))
    return node.lineno <= frame.line <= (node.end_lineno or 0)


def _used(frame: LiveFrame, attribute: str | None) -> Iterator[ast.expr]:
    for node in nodes_at_fault(frame, ast.AST):
        match node:
            case ast.Attribute(value=base, attr=name) if name == attribute:
                yield base
            case ast.Subscript(value=base) if attribute is None:
                yield base
            case ast.BinOp(left=left, right=right) if attribute is None:
                yield from (left, right)
            case ast.Compare(left=left, comparators=[right]) if attribute is None:
                yield from (left, right)


def _reads(node: ast.expr, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(node))


def _said(
    moment: Moment,
    outer: LiveFrame,
    frame: LiveFrame,
    loop: ast.comprehension,
    node: ast.expr,
    at: int,
    items: list[object],
) -> Diagnosis:
    source, target = text_of(loop.iter, 40), text_of(loop.target)
    whole = text_of(node) == target
    more = sum(each is None for each in items) - 1 if whole else 0
    also = f" ({more} more of its {len(items)} items are)" if more else ""
    what = (
        f"item {at} of {source} is None{also}"
        if whole
        else (f"{text_of(node, 40)} is None for item {at} of {source}, {shown(items[at])}")
    )
    return Diagnosis(
        rule="none-used",
        certainty="certain",
        cause=f"{what[0].upper()}{what[1:]}." if whole else f"{what}.",
        evidence=(
            *told(traced(moment, outer, loop.iter)),
            f"{where(frame)}: {text_of(frame.node, 60)}",
        ),
        remedy=f"Leave those out: … for {target} in {source} if {text_of(node, 40)} is not None; "
        "or find what gave None.",
    )
