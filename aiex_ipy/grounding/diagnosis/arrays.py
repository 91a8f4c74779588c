"""What numpy refuses: axes, indexes, casts in place, sequences for numbers, matrices."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    is_a,
    length,
    message,
    nodes_at_fault,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix

MOST_SIDE = 100
"""Rows of a matrix whose rank is looked at."""


def refused_array(moment: Moment) -> Iterator[Diagnosis]:
    """The array, its shape and dtype, and what numpy cannot do with it."""
    frame = moment.frame
    errors = (TypeError, ValueError, IndexError)
    if frame is None or not isinstance(moment.error, errors):
        return
    said = message(moment.error)
    for pattern, explain in _RULES:
        found = re.search(pattern, said)
        if found is not None:
            diagnosis = explain(moment, frame, found)
            if diagnosis is not None:
                yield diagnosis
            return


def _arrays(frame: LiveFrame) -> list[tuple[ast.expr, Any]]:
    """The arrays and columns at the failing place."""
    found: list[tuple[ast.expr, Any]] = []
    for node in nodes_at_fault(frame, ast.expr):
        known, value = value_of(node, frame)
        if known and (is_a(value, "numpy.ndarray") or is_a(value, "pandas.Series")):
            found.append((node, value))
    return found


def _certain(
    moment: Moment,
    frame: LiveFrame,
    rule: str,
    cause: str,
    remedy: str,
    *,
    node: ast.expr | None = None,
    fix: Fix | None = None,
) -> Diagnosis:
    steps = told(traced(moment, frame, node)) if node is not None else []
    return Diagnosis(
        rule=rule,
        certainty="certain",
        cause=cause,
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}", *steps),
        remedy=remedy,
        fix=fix,
    )


def _axis(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis:
    axis, count = said[1], int(said[2])
    named = next(((n, v) for n, v in _arrays(frame) if getattr(v, "ndim", 0) == count), None)
    label = f"{text_of(named[0], 40)} (shape {named[1].shape})" if named else "the array"
    axes = "only axis 0" if count == 1 else f"axes 0 to {count - 1}"
    return _certain(
        moment, frame, "no-axis",
        f"There is no axis {axis}: {label} has {count} dimension{'s' * (count != 1)}, so {axes}.",
        f"Use an axis below {count}, or leave axis out.",
        node=named[0] if named else None,
    )  # fmt: skip


def _cast(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis:
    result, held = said[2], said[3]
    for node in nodes_at_fault(frame, ast.AugAssign):
        target = text_of(node.target, 40)
        load = ast.parse(ast.unparse(node.target), mode="eval").body
        operator = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}.get(said[1])
        fix = None
        if operator and isinstance(node.target, ast.Name):
            value = segment(frame, node.value)
            fix = rewritten(frame, "new", (node, f"{target} = {target} {operator} {value}"))
        return _certain(
            moment, frame, "cast-in-place",
            f"{text_of(node)} would put {result} values into {target}, whose dtype is {held}: a "
            "change in place cannot change the dtype.",
            f"Make a new array: {target} = {target} {operator or '…'} {text_of(node.value, 40)}, "
            f"or make {target} as {result}.",
            node=load, fix=fix,
        )  # fmt: skip
    return _certain(
        moment, frame, "cast-in-place",
        f"The result is {result}, and the array it goes into is {held}.",
        f"Convert first: .astype({result!r}).",
    )  # fmt: skip


def _index_by_array(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis | None:
    for node in nodes_at_fault(frame, ast.Subscript):
        owner, index = value_of(node.value, frame)[1], value_of(node.slice, frame)[1]
        if type(owner) not in {list, tuple, str} or not is_a(index, "numpy.ndarray"):
            continue
        label, by = text_of(node.value, 40), text_of(node.slice, 40)
        text = f"[{segment(frame, node.value)}[each] for each in {segment(frame, node.slice)}]"
        return _certain(
            moment, frame, "index-by-array",
            f"{label} is a {type(owner).__name__}, which takes one whole number as an index, and "
            f"{by} is {shown(index)}.",
            f"Make an array of it: np.array({label})[{by}], or take one by one: {text}.",
            node=node.slice,
            fix=rewritten(frame, "each", (node, text)) if index.dtype.kind in "iu" else None,
        )  # fmt: skip
    return _whole_array(moment, frame, said)


def _whole_array(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis | None:
    for call in nodes_at_fault(frame, ast.Call):
        for argument in call.args:
            value = value_of(argument, frame)[1]
            if not (is_a(value, "numpy.ndarray") or is_a(value, "pandas.Series")):
                continue
            function = text_of(call.func, 40)
            fix, remedy = None, "Take one item, or a function that works on arrays."
            if function.startswith("math."):
                name = f"np.{function.removeprefix('math.')}"
                remedy = f"Use numpy's, which works on each item: {name}(…)."
                if "np" in frame.globals:
                    fix = rewritten(frame, "numpy", (call.func, name))
            elif function in {"int", "float"}:
                remedy = f"Convert each item: {text_of(argument, 40)}.astype({function})."
            return _certain(
                moment, frame, "array-for-number",
                f"{function}() takes one number, and {text_of(argument, 40)} is {shown(value)}.",
                remedy, node=argument, fix=fix,
            )  # fmt: skip
    return None


def _singular(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis:
    for node, value in _arrays(frame):
        if getattr(value, "ndim", 0) != 2 or max(value.shape) > MOST_SIDE:
            continue
        return _certain(
            moment, frame, "singular-matrix",
            f"{text_of(node, 40)} (shape {value.shape}) is singular{_dependent(value)}: it has no "
            "inverse, and no single solution.",
            "Leave out the dependent row or column, or use np.linalg.lstsq or np.linalg.pinv.",
            node=node,
        )  # fmt: skip
    return _certain(
        moment, frame, "singular-matrix",
        "The matrix is singular: a row or column follows from the others, so it has no inverse.",
        "Leave out the dependent row or column, or use np.linalg.lstsq or np.linalg.pinv.",
    )  # fmt: skip


def _dependent(matrix: Any) -> str:
    """Which row is zero or a multiple of another."""
    rows = [[float(v) for v in row] for row in matrix.tolist()]
    for at, row in enumerate(rows):
        if not any(row):
            return f", its row {at} is all zeros"
        for other in range(at):
            size = sum(v * v for v in rows[other])
            factor = sum(a * b for a, b in zip(row, rows[other], strict=True)) / size
            if all(
                abs(a - factor * b) <= 1e-9 * max(1.0, abs(a))
                for a, b in zip(row, rows[other], strict=True)
            ):
                return f", its row {at} is {factor:g} times row {other}"
    return ""


def _mask(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis:
    for node in nodes_at_fault(frame, ast.Subscript):
        owner, mask = value_of(node.value, frame)[1], value_of(node.slice, frame)[1]
        if length(owner) is None:
            continue
        what = f" ({shown(mask)})" if mask is not None else ""
        return _certain(
            moment, frame, "mask-length",
            f"The mask {text_of(node.slice, 40)}{what} has {said[2]} values, and "
            f"{text_of(node.value, 40)} has {said[1]} along that axis.",
            "Make the mask from the same array, after the rows were chosen.",
            node=node.slice,
        )  # fmt: skip
    return _certain(
        moment, frame, "mask-length",
        f"The mask has {said[2]} values, and the array {said[1]} along that axis.",
        "Make the mask from the same array.",
    )  # fmt: skip


def _sequence_for_number(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis | None:
    for node in nodes_at_fault(frame, ast.Assign):
        target = node.targets[0]
        if isinstance(target, ast.Subscript):
            known, value = value_of(node.value, frame)
            what = f" is {shown(value)}" if known else " is a sequence"
            return _certain(
                moment, frame, "sequence-for-number",
                f"{text_of(target, 40)} is one item of an array of numbers, and "
                f"{text_of(node.value, 40)}{what}.",
                "Put one number there, or as many items as there are values: a[0:2] = ….",
                node=node.value,
            )  # fmt: skip
    return None


def _shape_as_dtype(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis | None:
    for call in nodes_at_fault(frame, ast.Call):
        if len(call.args) < 2:
            continue
        given = [segment(frame, each) for each in call.args]
        text = f"({', '.join(given)})"
        first, last = call.args[0], call.args[-1]
        fix = None
        if first.lineno == last.end_lineno and not call.keywords:
            name = segment(frame, call.func)
            fix = rewritten(frame, "shape", (call, f"{name}({text})"))
        return _certain(
            moment, frame, "shape-as-dtype",
            f"{text_of(call.func)}() takes the shape as one tuple: {given[1]} is taken for the "
            "dtype.",
            f"Write {text_of(call.func)}({text}).", fix=fix,
        )  # fmt: skip
    return None


_Explain = Callable[[Moment, LiveFrame, "re.Match[str]"], "Diagnosis | None"]
_RULES: tuple[tuple[str, _Explain], ...] = (
    (r"axis (-?\d+) is out of bounds for array of dimension (\d+)", _axis),
    (
        r"Cannot cast ufunc '(\w+)' output from dtype\('(\w+)'\) to dtype\('(\w+)'\)",
        _cast,
    ),
    (r"only integer scalar arrays can be converted to a scalar index", _index_by_array),
    (r"only (?:0-dimensional|length-1|size-1) arrays can be converted", _whole_array),
    (r"cannot convert the series to <class", _whole_array),
    (r"Singular matrix", _singular),
    (
        r"boolean index did not match indexed array.*size of axis is (\d+) but size of "
        r"corresponding boolean axis is (\d+)",
        _mask,
    ),
    (r"setting an array element with a sequence\.$", _sequence_for_number),
    (r"Cannot interpret '\d+' as a data type", _shape_as_dtype),
)
