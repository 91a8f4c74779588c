"""Numbers that are not what they seem: wrapped around, compared exactly, paired by label, averaged
twice."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import in_cells
from aiex_ipy.grounding.diagnosis.parts import doubted
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.replay import Step, steps_of
from aiex_ipy.grounding.diagnosis.sight import is_a, is_number, shown, text_of
from aiex_ipy.grounding.failure.moment import Moment

MOST_ROWS = 100_000
"""Rows of columns whose indexes are compared."""
SAMPLE = 20_000
"""Values of arrays that are calculated with again."""
MOST_LABELS = 3
SMALL = {
    "int8": (-(1 << 7), (1 << 7) - 1),
    "uint8": (0, (1 << 8) - 1),
    "int16": (-(1 << 15), (1 << 15) - 1),
    "uint16": (0, (1 << 16) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "uint32": (0, (1 << 32) - 1),
}
_METHOD = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
_SIGN = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}


def wrong_number(moment: Moment) -> Iterator[Diagnosis]:
    """Small integers that wrapped around, labels of one side only, floats compared exactly, and
    means of means: one of each."""
    said: set[str] = set()
    for step in steps_of(moment):
        for node in ast.walk(step.node):
            for found in _told(moment, step, node):
                if found.rule not in said:
                    said.add(found.rule)
                    yield found


def _told(moment: Moment, step: Step, node: ast.AST) -> Iterator[Diagnosis]:
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            yield from _aligned(step, node, left, op, right)
            yield from _wrapped(step, node, left, op, right)
        case ast.AugAssign(target=target, op=op, value=value):
            yield from _wrapped_in_place(step, node, target, op, value)
        case ast.Call(func=ast.Attribute(value=inner, attr="astype"), args=[dtype]):
            yield from _cast(step, node, inner, dtype)
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]):
            if node is not doubted(moment):  # what is said of a failed comparison says it
                yield from _exactly(step, node, left, right)
        case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[right]):
            yield from _exactly(step, node, right, left)
        case ast.Assign(targets=[ast.Subscript(value=table, slice=column)], value=value):
            yield from _assigned(step, node, table, column, value)
        case ast.Call():
            yield from _mean_of_means(moment, step, node)


def _labels(values: Any) -> str:
    rest = len(values) - MOST_LABELS
    listed = ", ".join(shown(_plain(each)) for each in values[:MOST_LABELS])
    return f"{listed} and {rest} more" if rest > 0 else listed


def _plain(label: Any) -> Any:
    return label.item() if is_number(label) and hasattr(label, "item") else label


def _indexed(value: Any) -> bool:
    return (is_a(value, "pandas.Series") or is_a(value, "pandas.DataFrame")) and (
        len(value) <= MOST_ROWS
    )


def _aligned(
    step: Step, node: ast.BinOp, left: ast.expr, op: ast.operator, right: ast.expr
) -> Iterator[Diagnosis]:
    a, b = step.value(left)[1], step.value(right)[1]
    if not (_indexed(a) and _indexed(b)) or type(a) is not type(b):
        return
    mine, others = a.index.difference(b.index), b.index.difference(a.index)
    if not len(mine) and not len(others):
        return
    shared = len(a.index.intersection(b.index))
    one, two = text_of(left, 40), text_of(right, 40)
    parts = [
        f"{_labels(labels)} {'is' if len(labels) == 1 else 'are'} only in {name}"
        for labels, name in ((mine, one), (others, two))
        if len(labels)
    ]
    method, fix = _METHOD.get(type(op)), None
    remedy = f"Call reset_index(drop=True) on both if they belong together by position, or {one}."
    remedy += "to_numpy()."
    if shared and method:
        remedy = f"Say what is missing: {one}.{method}({two}, fill_value=0), or reindex both."
        if step.code is not None and isinstance(left, ast.Name):
            text = f"{segment(step.code, left)}.{method}({segment(step.code, right)}, fill_value=0)"
            fix = rewritten(step.code, f"{method}(…, fill_value=0)", (node, text))
    yield Diagnosis(
        rule="index-alignment",
        certainty="certain",
        cause=f"{one} and {two} are aligned by their index labels, and {'; '.join(parts)}: the "
        f"result is NaN (missing) there, {shared} of {len(a.index.union(b.index))} labels are in "
        "both. sum() and mean() skip NaN.",
        evidence=(f"{step.place}: {text_of(node, 60)}",),
        remedy=remedy,
        fix=fix,
    )


def _assigned(
    step: Step, node: ast.Assign, table: ast.expr, column: ast.expr, value: ast.expr
) -> Iterator[Diagnosis]:
    a, b = step.value(table)[1], step.value(value)[1]
    if not is_a(a, "pandas.DataFrame") or not is_a(b, "pandas.Series"):
        return
    if len(a) > MOST_ROWS or len(b) > MOST_ROWS or not len(a):
        return
    missing = a.index.difference(b.index)
    if not len(missing):
        return
    name = text_of(table, 40)
    yield Diagnosis(
        rule="index-alignment",
        certainty="certain",
        cause=f"{text_of(value, 40)} is aligned with {name} by its index labels, and has none for "
        f"{len(missing)} of {len(a)} rows ({_labels(missing)}): {name}[{text_of(column)}] is NaN "
        "(missing) there.",
        evidence=(f"{step.place}: {text_of(node, 60)}",),
        remedy=f"Give it the index of {name}, or assign {text_of(value, 40)}.to_numpy() if they "
        "belong together by position.",
    )


def _dtype(value: Any) -> str:
    if (
        is_a(value, "numpy.ndarray")
        or is_a(value, "pandas.Series")
        or (is_number(value) and type(value) not in {int, float, complex, bool})
    ):
        return str(value.dtype)
    return ""


def _sampled(value: Any) -> Any:
    if is_a(value, "pandas.Series"):
        return value.iloc[:SAMPLE].to_numpy()
    if is_a(value, "numpy.ndarray"):
        return value.reshape(-1)[:SAMPLE] if value.flags.c_contiguous else value
    return value


def _wrapped(
    step: Step, node: ast.BinOp, left: ast.expr, op: ast.operator, right: ast.expr
) -> Iterator[Diagnosis]:
    if type(op) not in _SIGN:
        return
    a, b = step.value(left)[1], step.value(right)[1]
    small = [each for each in (_dtype(a), _dtype(b)) if each in SMALL]
    if not small or not all(_dtype(x) in SMALL or type(x) is int for x in (a, b)):
        return
    if hasattr(a, "shape") and hasattr(b, "shape") and a.shape != b.shape and a.shape and b.shape:
        return
    import numpy

    if any(
        is_a(x, "numpy.ndarray") and x.size > SAMPLE and not x.flags.c_contiguous for x in (a, b)
    ):
        return
    x, y = _sampled(a), _sampled(b)
    with numpy.errstate(all="ignore"):
        found = numpy.result_type(x, y)
        if str(found) not in SMALL:
            return
        least, most = SMALL[str(found)]
        wide = _applied(op, numpy.asarray(x, "int64"), numpy.asarray(y, "int64"))
    out = ((wide < least) | (wide > most)).reshape(-1)
    if not out.any():
        return
    at = int(out.argmax())
    first, second = (int(numpy.broadcast_to(v, wide.shape).reshape(-1)[at]) for v in (x, y))
    right_value = int(wide.reshape(-1)[at])
    span = most - least + 1
    side, value = (left, a) if _dtype(a) in SMALL else (right, b)
    fix = None
    if step.code is not None and isinstance(side, ast.Name) and not is_number(value):
        text = f"{segment(step.code, side)}.astype('int64')"
        fix = rewritten(step.code, "int64", (side, text))
    yield Diagnosis(
        rule="small-dtype",
        certainty="certain",
        cause=f"{text_of(node, 40)} is calculated in {found}, which holds {least} to {most}: "
        f"{int(out.sum())} of {out.size} results overflow and wrap around silently, as "
        f"{first} {_SIGN[type(op)]} {second} = {right_value} does, which becomes "
        f"{(right_value - least) % span + least}.",
        evidence=(
            f"{step.place}: {text_of(node, 60)}",
            *(
                f"{text_of(n, 40)} is {shown(v)}"
                for n, v in ((left, a), (right, b))
                if not isinstance(n, ast.Constant)
            ),
        ),
        remedy=f"Calculate in a wider dtype: {text_of(side, 40)}.astype('int64').",
        fix=fix,
    )


def _applied(op: ast.operator, a: Any, b: Any) -> Any:
    return a + b if isinstance(op, ast.Add) else a - b if isinstance(op, ast.Sub) else a * b


def _wrapped_in_place(
    step: Step, node: ast.AugAssign, target: ast.expr, op: ast.operator, value: ast.expr
) -> Iterator[Diagnosis]:
    """`image += 60` has left values below 60: they can only have wrapped around."""
    load = ast.parse(ast.unparse(target), mode="eval").body
    a, b = step.value(load)[1], step.value(value)[1]
    if _dtype(a) not in SMALL or type(b) is not int or b <= 0 or not getattr(a, "size", 0):
        return
    least, most = SMALL[_dtype(a)]
    held = _sampled(a)
    count = 0
    if isinstance(op, ast.Add) and b <= most:
        count = int((held < least + b).sum())
    elif isinstance(op, ast.Sub) and b <= most:
        count = int((held > most - b).sum())
    elif isinstance(op, ast.Mult) and 1 < b <= most:
        count = int((held % b != 0).sum())
    if not count:
        return
    yield Diagnosis(
        rule="small-dtype",
        certainty="likely",
        cause=f"{text_of(target)} is of dtype {_dtype(a)}, which holds {least} to {most}, and "
        f"{text_of(node)} overflows: {count} of its values can only have wrapped around.",
        evidence=(f"{step.place}: {text_of(node, 60)}",),
        remedy=f"Calculate in a wider dtype: {text_of(target)}.astype('int64').",
    )


def _cast(step: Step, node: ast.Call, inner: ast.expr, dtype: ast.expr) -> Iterator[Diagnosis]:
    value, wanted = step.value(inner)[1], step.value(dtype)[1]
    name = wanted if type(wanted) is str else getattr(wanted, "__name__", "")
    if name not in SMALL or not (is_a(value, "numpy.ndarray") or is_a(value, "pandas.Series")):
        return
    held = _sampled(value)
    if getattr(held.dtype, "kind", "O") not in "iuf" or not held.size:
        return
    least, most = SMALL[name]
    out = held[(held < least) | (held > most)]
    if not out.size:
        return
    yield Diagnosis(
        rule="small-dtype",
        certainty="certain",
        cause=f"{text_of(inner, 40)} has {out.size} value{'s' * (out.size != 1)} beyond {name}, "
        f"which holds {least} to {most}, such as {shown(_plain(out.reshape(-1)[0]))}: they "
        "overflow and wrap around silently.",
        evidence=(f"{step.place}: {text_of(node, 60)}",),
        remedy="Use a wider dtype, or clip the values first.",
    )


def _exactly(step: Step, node: ast.Compare, many: ast.expr, one: ast.expr) -> Iterator[Diagnosis]:
    """`times == 0.3` where the array has 0.30000000000000004."""
    for a_node, b_node in ((many, one), (one, many)):
        a, b = step.value(a_node)[1], step.value(b_node)[1]
        near = _nearly(a, b) if not isinstance(a_node, ast.Constant) else None
        if near is None:
            continue
        sign = {ast.Eq: "==", ast.NotEq: "!=", ast.In: "in"}.get(type(node.ops[0]), "not in")
        fix = None
        if step.code is not None and sign == "==" and not isinstance(a, float):
            text = f"np.isclose({segment(step.code, a_node)}, {segment(step.code, b_node)})"
            fix = (
                rewritten(step.code, "isclose", (node, text))
                if _module(step.value(ast.Name(id="np"))[1]) == "numpy"
                else None
            )
        scalar = type(a) is float
        call = "math.isclose" if scalar else "numpy.isclose"
        yield Diagnosis(
            rule="float-equality",
            certainty="certain",
            cause=f"`{sign}` compares floats exactly: {text_of(a_node, 40)} "
            f"{'is' if scalar else 'has'} {near!r}, and {_told_of(b_node, b)}; they differ by "
            "rounding (floating point), so they are not equal.",
            evidence=(f"{step.place}: {text_of(node, 60)}",),
            remedy=f"Compare with {call}({text_of(a_node, 40)}, {text_of(b_node, 40)}).",
            fix=fix,
        )
        return


def _told_of(node: ast.expr, value: Any) -> str:
    is_constant = isinstance(node, ast.Constant)
    return f"{value!r} is asked for" if is_constant else f"{text_of(node, 40)} is {shown(value)}"


def _module(value: Any) -> str:
    return getattr(value, "__name__", "") if type(value) is type(ast) else ""


def _nearly(a: Any, b: Any) -> float | None:
    """A float of `a` that differs from `b` by rounding alone, where none is equal to it."""
    if type(b) is not float and not is_a(b, "numpy.float64") and type(b) is not int:
        return None
    wanted = float(b)
    if type(a) is float or is_a(a, "numpy.float64"):
        values = [float(a)]
    elif _dtype(a) in {"float64", "float32"}:
        held = _sampled(a).reshape(-1)
        close = held[abs(held - wanted) <= 1e-6 * max(abs(wanted), 1e-300)]
        values = [float(each) for each in close[:100]]
    elif type(a) in {list, tuple, set, frozenset} or type(a) is dict:
        values = [each for each in islice(a, SAMPLE) if type(each) is float]
    else:
        return None
    if wanted in values:
        return None
    relative = 1e-6 if _dtype(a) == "float32" else 1e-9
    return next((v for v in values if math.isclose(v, wanted, rel_tol=relative)), None)


def _mean_of_means(moment: Moment, step: Step, call: ast.Call) -> Iterator[Diagnosis]:
    match call:
        case ast.Call(func=ast.Attribute(value=inner, attr="mean"), args=[], keywords=[]):
            means = inner
        case ast.Call(func=func, args=[argument]) if text_of(func) in {
            "np.mean",
            "numpy.mean",
            "mean",
            "statistics.mean",
            "np.average",
            "numpy.average",
            "fmean",
            "statistics.fmean",
        }:
            means = argument
        case _:
            return
    made: ast.AST | None = means
    where = step.place
    while isinstance(made, ast.Subscript | ast.Attribute):
        made = made.value
    if isinstance(made, ast.Name):
        found = in_cells(moment, made.id)
        if found is None or found.node is None:
            return
        made, where = found.node, found.where
    elif isinstance(made, ast.Call):
        made = means
    if made is None or not _is_group_mean(made):
        return
    group = next(
        (
            each
            for each in ast.walk(made)
            if isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and each.func.attr == "groupby"
        ),
        None,
    )
    sizes = _sizes(step, group) if group is not None else None
    if sizes is not None and min(sizes) == max(sizes):
        return
    name = text_of(means, 40)
    how = f" (groups of {min(sizes)} to {max(sizes)} rows)" if sizes else ""
    yield Diagnosis(
        rule="mean-of-means",
        certainty="likely",
        cause=f"{text_of(call, 60)} is the mean of the group means {name}: it is unweighted, so "
        f"small and large groups count alike{how}; it is not the mean of all rows.",
        evidence=(f"{step.place}: {text_of(call, 60)}", f"{where}: {text_of(made, 60)}"),
        remedy="Take the mean of all rows, or weigh each mean by its group's size.",
    )


def _is_group_mean(node: ast.AST) -> bool:
    """True for `….groupby(…)….mean()` and `.agg("mean")`."""
    match node:
        case ast.Call(func=ast.Attribute(value=inner, attr="mean"), args=[]):
            return ".groupby(" in text_of(inner, 500)
        case ast.Call(
            func=ast.Attribute(value=inner, attr="agg" | "aggregate"),
            args=[ast.Constant(value="mean")],
        ):
            return ".groupby(" in text_of(inner, 500)
        case ast.Subscript(value=inner) | ast.Attribute(value=inner):
            return _is_group_mean(inner)
        case ast.Call(func=ast.Attribute(value=inner, attr="sort_values" | "round" | "sort_index")):
            return _is_group_mean(inner)
    return False


def _sizes(step: Step, group: ast.Call) -> list[int] | None:
    """How many rows each group has, where that can be counted."""
    assert isinstance(group.func, ast.Attribute)
    base: ast.expr = group.func.value
    table = step.value(base)[1]
    key = step.value(group.args[0])[1] if group.args else None
    if not is_a(table, "pandas.DataFrame") or type(key) is not str or len(table) > MOST_ROWS:
        return None
    at = [n for n, each in enumerate(table.columns) if type(each) is str and each == key]
    if len(at) != 1:
        return None
    column = table.iloc[:, at[0]]
    if str(column.dtype) == "object" and not all(type(v) in {str, int} for v in column):
        return None
    sizes = [int(each) for each in column.value_counts()]
    return sizes if len(sizes) > 1 else None
