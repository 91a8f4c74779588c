"""Arrays and tables whose shapes, keys or lengths do not fit."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.operands import is_text_column
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    is_a,
    is_table,
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

_BROADCAST = r"could not be broadcast together|could not broadcast input array|Unable to coerce"
_MATMUL = r"matmul: Input operand|shapes? .* not aligned|mat1 and mat2 shapes"
_RESHAPE = r"cannot reshape array of size (\d+) into shape (\(.*?\))"
_JOIN = r"must match exactly|all input arrays must have the same shape"
MOST_LABELS = 100_000
"""Labels of an index among which doubles are looked for."""
Operand = tuple[ast.expr, Any]


def shape_of(value: Any) -> tuple[int, ...] | None:
    """Return the shape of an exact array, table or column."""
    if is_a(value, "numpy.ndarray") or is_table(value) or is_a(value, "pandas.Series"):
        return tuple(value.shape)
    if is_a(value, "torch.Tensor"):
        return tuple(value.shape)
    return None


def mismatched_shapes(moment: Moment) -> Iterator[Diagnosis]:
    """Operands whose shapes do not fit: which, how, and along which axis."""
    frame = moment.frame
    if frame is None or not isinstance(moment.error, ValueError | RuntimeError):
        return
    said = message(moment.error)
    if re.search(_BROADCAST, said):
        yield from _broadcast(moment, frame)
    elif re.search(_MATMUL, said):
        yield from _product(moment, frame)
    elif re.search(_RESHAPE, said):
        yield from _reshape(frame, said)
    elif re.search(_JOIN, said):
        yield from _joined(frame, said)
    elif "inhomogeneous shape" in said:
        yield Diagnosis(
            rule="ragged",
            certainty="certain",
            cause="The rows have different lengths, and an array needs them equal.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}", *_lengths(frame)),
            remedy="Pad or cut the rows to one length, or keep a list of arrays.",
        )
    elif "must have same first dimension" in said or "x and y must be the same size" in said:
        yield from _plotted(frame)


def operands(frame: LiveFrame) -> list[Operand]:
    found: list[Operand] = []
    for node in nodes_at_fault(frame, ast.AST):
        parts: list[ast.expr] = []
        match node:
            case ast.BinOp(left=left, right=right):
                parts = [left, right]
            case ast.AugAssign(target=left, value=right):
                parts = [left, right]
            case ast.Assign(targets=[left], value=right):
                parts = [left, right]
            case ast.Compare(left=left, comparators=[right]):
                parts = [left, right]
            case ast.Call(func=func, args=args):
                parts = [*([func.value] if isinstance(func, ast.Attribute) else []), *args]
        values = [(each, value_of(each, frame)) for each in parts]
        shapes = [
            (each, value)
            for each, (known, value) in values
            if known and shape_of(value) is not None
        ]
        if len(shapes) >= 2:
            return shapes
        found = found or shapes
    return found


def _broadcast(moment: Moment, frame: LiveFrame) -> Iterator[Diagnosis]:
    parts = operands(frame)
    if len(parts) < 2:
        given = re.findall(r"\([\d, ]*\)", message(moment.error))
        if given:
            yield Diagnosis(
                rule="shape-mismatch",
                certainty="certain",
                cause=f"The shapes {' and '.join(given[:2])} do not fit together in "
                f"{text_of(frame.node, 60)}.",
                evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
                remedy="Make the last axes equal, or one of them 1.",
            )
        return
    (left, a), (right, b) = parts[:2]
    shape_a, shape_b = shape_of(a) or (), shape_of(b) or ()
    axis, fix = _axis(shape_a, shape_b), None
    remedy = "Make the lengths equal, or one of them 1."
    if len(shape_a) == 2 and len(shape_b) == 1 and shape_b[0] == shape_a[0]:
        remedy = f"Make a column of {text_of(right)}: {text_of(right)}[:, None]."
        fix = rewritten(frame, "column", (right, f"{segment(frame, right)}[:, None]"))
    elif len(shape_b) == 2 and len(shape_a) == 1 and shape_a[0] == shape_b[0]:
        remedy = f"Make a column of {text_of(left)}: {text_of(left)}[:, None]."
        fix = rewritten(frame, "column", (left, f"{segment(frame, left)}[:, None]"))
    elif len(shape_a) == len(shape_b) == 2 and shape_a == shape_b[::-1]:
        remedy = f"Transpose one of them: {text_of(right)}.T."
    yield Diagnosis(
        rule="shape-mismatch",
        certainty="certain",
        cause=f"{text_of(left, 40)} has shape {shape_a} and {text_of(right, 40)} has shape "
        f"{shape_b}: they do not fit{axis}.",
        evidence=(
            *told([*traced(moment, frame, left), *traced(moment, frame, right)]),
            f"{where(frame)}: {text_of(frame.node, 60)}",
        ),
        remedy=remedy,
        fix=fix,
    )


def _axis(a: tuple[int, ...], b: tuple[int, ...]) -> str:
    for back, (x, y) in enumerate(zip(reversed(a), reversed(b), strict=False), 1):
        if x != y and 1 not in (x, y):
            return f" along the {'last axis' if back == 1 else f'axis {-back}'} ({x} and {y})"
    return ""


def _product(moment: Moment, frame: LiveFrame) -> Iterator[Diagnosis]:
    parts = operands(frame)
    if len(parts) < 2:
        return
    (left, a), (right, b) = parts[-2:] if len(parts) == 3 else parts[:2]
    shape_a, shape_b = shape_of(a) or (0,), shape_of(b) or (0,)
    inner = shape_b[-2] if len(shape_b) > 1 else shape_b[0]
    remedy, fix = "Transpose or reshape one of them.", None
    if len(shape_b) == 2 and shape_a[-1] == shape_b[1]:
        remedy = f"Transpose the second: {text_of(right)}.T."
        text = segment(frame, right)
        fix = rewritten(frame, "transpose", (right, f"{text}.T"))
    elif len(shape_a) == 2 and shape_a[0] == inner:
        remedy = f"Transpose the first: {text_of(left)}.T."
        fix = rewritten(frame, "transpose", (left, f"{segment(frame, left)}.T"))
    yield Diagnosis(
        rule="shape-mismatch",
        certainty="certain",
        cause=f"{text_of(left, 40)} has shape {shape_a} and {text_of(right, 40)} has shape "
        f"{shape_b}: the last axis of the first ({shape_a[-1]}) and the "
        f"{'second to last' if len(shape_b) > 1 else 'only'} axis of the second ({inner}) must be "
        "equal.",
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
        remedy=remedy,
        fix=fix,
    )


def _reshape(frame: LiveFrame, said: str) -> Iterator[Diagnosis]:
    told_ = re.search(_RESHAPE, said)
    if told_ is None:
        return
    sizes = [int(each) for each in re.findall(r"-?\d+", told_[2])]
    product = 1
    for each in sizes:
        product *= each
    parts = operands(frame)
    label = text_of(parts[0][0]) if parts else "The array"
    shape = f" (shape {shape_of(parts[0][1])})" if parts else ""
    holds = f"holds {product}" if -1 not in sizes else "cannot be filled evenly"
    yield Diagnosis(
        rule="reshape",
        certainty="certain",
        cause=f"{label} has {told_[1]} values{shape}, and shape {told_[2]} {holds}.",
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
        remedy="Give a shape with the same number of values; -1 stands for what follows.",
    )


def _joined(frame: LiveFrame, said: str) -> Iterator[Diagnosis]:
    parts: list[str] = []
    for node in nodes_at_fault(frame, ast.Call):
        for argument in node.args:
            elements = argument.elts if isinstance(argument, ast.List | ast.Tuple) else [argument]
            for each in elements:
                known, value = value_of(each, frame)
                if known and shape_of(value) is not None:
                    parts.append(f"{text_of(each)} has shape {shape_of(value)}")
    axis = re.search(r"along dimension (\d+)", said)
    yield Diagnosis(
        rule="shape-mismatch",
        certainty="certain",
        cause="The arrays cannot be joined: "
        + (", ".join(parts) or "their shapes differ")
        + (f"; they differ along axis {axis[1]}." if axis else "."),
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
        remedy="Join them along the other axis, or make the shapes equal.",
    )


def _lengths(frame: LiveFrame) -> tuple[str, ...]:
    for node in nodes_at_fault(frame, ast.Call):
        for argument in node.args:
            known, value = value_of(argument, frame)
            if known and type(value) is list:
                sizes = [length(each) for each in value[:1000]]
                return (
                    f"{text_of(argument)}: the rows have lengths "
                    f"{', '.join(map(str, dict.fromkeys(sizes)))}",
                )
    return ()


def _plotted(frame: LiveFrame) -> Iterator[Diagnosis]:
    for node in nodes_at_fault(frame, ast.Call):
        sizes = []
        for argument in node.args:
            known, value = value_of(argument, frame)
            if known and length(value) is not None and type(value) is not str:
                sizes.append(f"{text_of(argument)} has {length(value)}")
        if len(sizes) >= 2:
            yield Diagnosis(
                rule="length-mismatch",
                certainty="certain",
                cause=f"x and y have different lengths: {' and '.join(sizes[:2])}.",
                evidence=(f"{where(frame)}: {text_of(node)}",),
                remedy="Give both the same length.",
            )
            return


def table_mismatch(moment: Moment) -> Iterator[Diagnosis]:
    """Tables that do not go together: lengths, keys to merge on, labels twice."""
    frame = moment.frame
    if frame is None or not isinstance(moment.error, ValueError | TypeError | AssertionError):
        return
    said = message(moment.error)
    found = re.search(r"Length of values \((\d+)\) does not match length of index \((\d+)\)", said)
    if found:
        given = next(
            (text_of(n.value, 40) for n in nodes_at_fault(frame, ast.Assign)), "the values"
        )
        yield Diagnosis(
            rule="length-mismatch",
            certainty="certain",
            cause=f"{given} has {found[1]} values, and the table has {found[2]} rows.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy="Give one value for each row.",
        )
    elif "All arrays must be of the same length" in said:
        yield Diagnosis(
            rule="length-mismatch",
            certainty="certain",
            cause="The columns have different lengths: " + _columns_given(frame),
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy="Give each column the same number of values.",
        )
    elif "duplicate labels" in said or "duplicate keys" in said:
        yield Diagnosis(
            rule="duplicate-labels",
            certainty="certain",
            cause="The index has labels that occur twice" + _duplicates(frame) + ".",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy="Call reset_index(drop=True), or drop the doubles first.",
        )
    elif "trying to merge on" in said or "datatypes of join keys" in said:
        yield from _merge_types(frame, said)
    elif "columns overlap but no suffix" in said:
        yield Diagnosis(
            rule="merge-suffix",
            certainty="certain",
            cause=f"Both tables have a column of the same name: {said.partition(':')[2].strip()}.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy="Pass lsuffix= and rsuffix=, or drop one of the columns.",
        )
    elif "identically-labeled" in said:
        yield Diagnosis(
            rule="index-mismatch",
            certainty="certain",
            cause="The two have different indexes, so they cannot be compared row by row.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy="Call reset_index(drop=True) on both, or compare .values.",
        )


def _columns_given(frame: LiveFrame) -> str:
    for node in nodes_at_fault(frame, ast.Dict):
        parts = []
        for key, value in zip(node.keys, node.values, strict=True):
            known, found = value_of(value, frame)
            if known and length(found) is not None:
                parts.append(f"{text_of(key)} has {length(found)}")
        if parts:
            return ", ".join(parts) + "."
    for call in nodes_at_fault(frame, ast.Call):
        for argument in call.args:
            known, found = value_of(argument, frame)
            if known and type(found) is dict:
                return (
                    ", ".join(
                        f"{key!r} has {length(each)}"
                        for key, each in list(found.items())[:10]
                        if type(key) is str and length(each) is not None
                    )
                    + "."
                )
    return "count them."


def _duplicates(frame: LiveFrame) -> str:
    for node in nodes_at_fault(frame, ast.expr):
        known, value = value_of(node, frame)
        if known and (is_a(value, "pandas.DataFrame") or is_a(value, "pandas.Series")):
            index = value.index[:MOST_LABELS]
            twice = index[index.duplicated()]
            if len(twice):
                return (
                    f" ({text_of(node, 40)}: {shown(twice[0])} and {len(twice) - 1} more)"
                    if (len(twice) > 1)
                    else f" ({text_of(node, 40)}: {shown(twice[0])})"
                )
    return ""


def merged(frame: LiveFrame) -> tuple[Operand, Operand, list[str], list[str], ast.Call] | None:
    """Return the two tables of a merge at the failing place, and the columns it goes by."""
    for call in nodes_at_fault(frame, ast.Call):
        found = merge_parts(call, lambda node: value_of(node, frame))
        if found is not None:
            return found
    return None


def merge_parts(
    call: ast.Call, value: Any
) -> tuple[Operand, Operand, list[str], list[str], ast.Call] | None:
    """Return the two tables of a call of merge or join, and the columns it goes by."""
    name = text_of(call.func).rpartition(".")[2]
    if name not in {"merge", "join"}:
        return None
    nodes = list(call.args)
    if isinstance(call.func, ast.Attribute) and text_of(call.func.value) not in {"pd", "pandas"}:
        nodes.insert(0, call.func.value)
    given = {each.arg: each.value for each in call.keywords}
    nodes += [given[each] for each in ("left", "right", "other") if each in given]
    if len(nodes) < 2:
        return None
    known_a, a = value(nodes[0])
    known_b, b = value(nodes[1])
    if not (known_a and known_b and is_table(a) and is_table(b)):
        return None
    on = given.get("on", nodes[2] if len(nodes) > 2 else None)
    left = _names(given.get("left_on", on), value)
    right = _names(given.get("right_on", on), value)
    if not left and not right and name == "merge":
        left = right = [each for each in a.columns if each in set(b.columns)]
    return (nodes[0], a), (nodes[1], b), left, right, call


def _names(node: ast.expr | None, value: Any) -> list[str]:
    found: Any = value(node)[1] if node is not None else None
    if type(found) is str:
        return [found]
    return [each for each in found if type(each) is str] if type(found) in {list, tuple} else []


def _merge_types(frame: LiveFrame, said: str) -> Iterator[Diagnosis]:
    parts = merged(frame)
    if parts is None:
        found = re.search(r"merge on (\S+) and (\S+) columns", said)
        if found:
            yield Diagnosis(
                rule="merge-types",
                certainty="certain",
                cause=f"The keys of the merge have different dtypes: {found[1]} and {found[2]}.",
                evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
                remedy="Convert one with astype first.",
            )
        return
    (left, a), (right, b), keys_a, keys_b, _ = parts
    for x, y in zip(keys_a, keys_b, strict=False):
        if x in a.columns and y in b.columns and str(a[x].dtype) != str(b[y].dtype):
            text_side = left if is_text_column(a[x]) else right
            name = x if text_side is left else y
            other = b[y] if text_side is left else a[x]
            yield Diagnosis(
                rule="merge-types",
                certainty="certain",
                cause=f"The keys of the merge have different dtypes: {text_of(left)}[{x!r}] is "
                f"{a[x].dtype}, {text_of(right)}[{y!r}] is {b[y].dtype}.",
                evidence=(
                    f"{where(frame)}: {text_of(parts[4])}",
                    f"{text_of(left)}[{x!r}] begins with {shown(_first(a[x]))}, "
                    f"{text_of(right)}[{y!r}] with {shown(_first(b[y]))}",
                ),
                remedy=f"Convert one: {text_of(text_side)}[{name!r}].astype({str(other.dtype)!r}).",
                fix=_astype(frame, text_side, name, str(other.dtype)),
            )
            return


def _first(column: Any) -> Any:
    return column[0] if is_a(column, "polars.Series") else column.iloc[0] if len(column) else None


def _astype(frame: LiveFrame, node: ast.expr, column: str, dtype: str) -> Fix | None:
    if not isinstance(node, ast.Name):
        return None
    text = f"{segment(frame, node)}.astype({{{column!r}: {dtype!r}}})"
    return rewritten(frame, "astype", (node, text))
