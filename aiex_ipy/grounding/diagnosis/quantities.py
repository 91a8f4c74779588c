"""Too few values, zeros and numbers out of range."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aiex_ipy.grounding.diagnosis.edit import rewritten
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    close_to,
    is_a,
    is_number,
    length,
    matches,
    message,
    nodes_at_fault,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix


def nothing_to_take(moment: Moment) -> Iterator[Diagnosis]:
    """`max`, `min`, `mean` and `sample` of too few values; `remove` and `index` of none."""
    frame = moment.frame
    if frame is None or not isinstance(moment.error, ValueError | TypeError | StopIteration):
        return
    empty = (
        r"(?:iterable argument|arg) is (?:an )?empty|zero-size array|empty sequence|"
        r"requires at least (?:one|two) data|attempt to get arg\w+ of an empty"
    )
    if matches(moment, ValueError, empty):
        yield from _empty(moment, frame)
    elif matches(moment, ValueError, r"[Ss]ample larger than population|larger sample than pop"):
        yield from _sample(frame)
    elif matches(moment, ValueError, r"not in list|not in tuple|substring not found"):
        yield from _absent(frame)


def _empty(moment: Moment, frame: LiveFrame) -> Iterator[Diagnosis]:
    for call in nodes_at_fault(frame, ast.Call):
        candidates = [*call.args[:1]]
        if isinstance(call.func, ast.Attribute):
            candidates.append(call.func.value)
        for node in candidates:
            known, value = value_of(node, frame)
            spent = known and type(value).__name__ in {"map", "filter", "zip", "generator"}
            size = value.size if known and is_a(value, "numpy.ndarray") else length(value)
            few = "data point" in message(moment.error) and known and size == 1
            if not known and isinstance(node, ast.GeneratorExp | ast.ListComp):
                yield Diagnosis(
                    rule="empty-sequence",
                    certainty="likely",
                    cause=f"{text_of(call.func)}() got no values: none of "
                    f"{text_of(node.generators[0].iter)} passes the condition, or it is empty.",
                    evidence=(f"{where(frame)}: {text_of(call)}",),
                    remedy="Check for the empty case first, or pass default=….",
                )
                return
            if not (known and (size == 0 or spent or few)):
                continue
            steps = traced(moment, frame, node)
            what = (
                "has only one value"
                if few
                else (f"is {shown(value)} and gives nothing (any more)" if spent else "is empty")
            )
            yield Diagnosis(
                rule="empty-sequence",
                certainty="likely" if spent else "certain",
                cause=f"{text_of(node)} {what}, and {text_of(call.func)}() needs "
                f"{'two' if few else 'at least one value'}.",
                evidence=tuple(told(steps)) or (f"{where(frame)}: {text_of(call)}",),
                remedy="Check for the empty case first"
                + (", or pass default=…." if text_of(call.func) in {"max", "min"} else "."),
            )
            return


def _sample(frame: LiveFrame) -> Iterator[Diagnosis]:
    for call in nodes_at_fault(frame, ast.Call):
        arguments = [*call.args, *(each.value for each in call.keywords)]
        values = [value_of(each, frame) for each in arguments]
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        known, owner = value_of(receiver, frame)
        sizes = [
            (text_of(node), length(v))
            for node, (ok, v) in zip(arguments, values, strict=True)
            if ok and length(v) is not None
        ]
        if known and length(owner) is not None:
            sizes.append((text_of(receiver), length(owner)))
        counts = [v for ok, v in values if ok and type(v) is int]
        if not sizes or not counts:
            continue
        numpy = "choice" in text_of(call.func) or (known and is_a(owner, "pandas.DataFrame"))
        yield Diagnosis(
            rule="sample-too-large",
            certainty="certain",
            cause=f"{counts[0]} items are drawn without replacement from {sizes[0][0]}, which has "
            f"{sizes[0][1]}.",
            evidence=(f"{where(frame)}: {text_of(call)}",),
            remedy="Draw fewer, or with replacement: "
            + ("replace=True." if numpy else "random.choices(population, k=…)."),
        )
        return


def _absent(frame: LiveFrame) -> Iterator[Diagnosis]:
    for call in nodes_at_fault(frame, ast.Call):
        if not isinstance(call.func, ast.Attribute) or not call.args:
            continue
        known, owner = value_of(call.func.value, frame)
        found, wanted = value_of(call.args[0], frame)
        if not (known and found and type(owner) in {list, tuple, str}):
            continue
        near = close_to(wanted, owner) if type(wanted) is str and type(owner) is not str else []
        label = text_of(call.func.value)
        yield Diagnosis(
            rule="not-in-sequence",
            certainty="certain",
            cause=f"{shown(wanted)} is not in {label} ({shown(owner)})"
            + (f"; it has {near[0]!r}, spelled almost the same." if near else "."),
            evidence=(f"{where(frame)}: {text_of(call)}",),
            remedy=f"Write {near[0]!r}." if near else f"Check `in {label}` first.",
            fix=_literal_fix(frame, call.args[0], near),
        )
        return


def _literal_fix(frame: LiveFrame, node: ast.expr, near: list[str]) -> Fix | None:
    if not near or not isinstance(node, ast.Constant):
        return None
    return rewritten(frame, near[0], (node, repr(near[0])))


def zero_divisor(moment: Moment) -> Iterator[Diagnosis]:
    """A division by zero: which value is zero and where it came from."""
    frame = moment.frame
    if type(moment.error) is not ZeroDivisionError or frame is None:
        return
    nodes: list[ast.BinOp | ast.AugAssign] = [*nodes_at_fault(frame, ast.BinOp)]
    nodes += nodes_at_fault(frame, ast.AugAssign)
    for node in nodes:
        if not isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod):
            continue
        right = node.right if isinstance(node, ast.BinOp) else node.value
        known, value = value_of(right, frame)
        if not known and not isinstance(right, ast.Call | ast.BinOp):
            continue
        if known and not (is_number(value) and value == 0):
            continue
        steps = traced(moment, frame, right)
        inner = right.args[0] if isinstance(right, ast.Call) and right.args else None
        last = steps[-1].node if steps else None
        if isinstance(last, ast.Call) and text_of(last.func) == "len" and last.args:
            inner = last.args[0]
        label = text_of(right, 40)
        empty = (
            f": {text_of(inner)} is empty"
            if inner is not None and (length(value_of(inner, frame)[1]) == 0)
            else ""
        )
        written = isinstance(right, ast.Constant)
        yield Diagnosis(
            rule="zero-divisor",
            certainty="certain",
            cause=f"{text_of(node, 60)} divides by zero, which is written there."
            if written
            else f"{label} is 0{empty}.",
            evidence=(*told(steps), f"{where(frame)}: {text_of(node)}"),
            remedy="Divide by another number."
            if written
            else f"Handle the case of {'no items' if empty else f'{label} == 0'} first.",
        )
        return


def out_of_domain(moment: Moment) -> Iterator[Diagnosis]:
    """Numbers a function or a dtype cannot take."""
    frame = moment.frame
    if frame is None:
        return
    bounds = matches(moment, OverflowError, r"Python integer (-?\d+) out of bounds for (\w+)")
    if bounds is not None:
        yield Diagnosis(
            rule="dtype-bounds",
            certainty="certain",
            cause=f"{bounds[1]} does not fit into {bounds[2]}.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy="Use a wider dtype, such as int64.",
        )
    if matches(
        moment, ValueError, r"math domain error|expected a (nonnegative|positive) (input|arg)"
    ):
        for call in nodes_at_fault(frame, ast.Call):
            for argument in call.args:
                known, value = value_of(argument, frame)
                if known and type(value) in {int, float} and value <= 1:
                    yield Diagnosis(
                        rule="math-domain",
                        certainty="certain",
                        cause=f"{text_of(call.func)}() is not defined for {text_of(argument, 40)}"
                        + ("." if text_of(argument) == repr(value) else f" = {value!r}."),
                        evidence=(
                            *told(traced(moment, frame, argument)),
                            f"{where(frame)}: {text_of(call)}",
                        ),
                        remedy="Check the value first, or find why it is not positive.",
                    )
                    return
