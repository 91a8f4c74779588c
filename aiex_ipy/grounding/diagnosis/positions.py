"""Indexes outside a sequence: by how much, and which loop made them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import origin, told, traced
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


def index_out_of_range(moment: Moment) -> Iterator[Diagnosis]:
    """An index that is not there: empty sequence, one too far, wrong axis."""
    frame = moment.frame
    if not isinstance(moment.error, IndexError) or frame is None:
        return
    for node in nodes_at_fault(frame, ast.Subscript):
        found = _subscript(moment, frame, node)
        if found is not None:
            yield found
            return
    yield from _pop(moment, frame)


def _subscript(moment: Moment, frame: LiveFrame, node: ast.Subscript) -> Diagnosis | None:
    base: ast.expr = node.value
    if isinstance(base, ast.Attribute) and base.attr in {"iloc", "iat"}:
        base = base.value
    found, value = value_of(base, frame)
    if not found:
        return _argument_vector(moment, frame, node)
    label, at = text_of(base, 40), text_of(node.slice, 40)
    if is_a(value, "numpy.ndarray") or is_a(value, "pandas.DataFrame"):
        return _axis(moment, frame, node, value, label)
    if base is not node.value and is_a(value, "pandas.Series"):
        return None  # told by the rule on tables, with .iloc
    size = length(value)
    known, index = value_of(node.slice, frame)
    if size is None or not known or type(index) is not int or -size <= index < size:
        return None
    if text_of(base) == "sys.argv":
        return Diagnosis(
            rule="missing-argument",
            cause=f"The program was started with {size - 1} argument{'s' * (size != 2)}, and "
            f"{text_of(node)} is number {index}.",
            certainty="certain",
            remedy="Give it the argument, or check len(sys.argv).",
        )
    if size == 0:
        steps = traced(moment, frame, base)
        return Diagnosis(
            rule="empty-sequence",
            cause=f"{label} is empty: there is no {label}[{at}].",
            certainty="certain",
            evidence=tuple(told(steps)) or (f"{where(frame)}: {label} is {shown(value)}",),
            remedy=f"Find why {label} is empty, or check for it first.",
        )
    loop, fix = _loop(moment, frame, node, base, size)
    said = f" (= {index})" if at != str(index) else ""
    what = (
        "one past the end"
        if index == size
        else "past the end"
        if index > 0
        else ("before the beginning")
    )
    return Diagnosis(
        rule="off-by-one" if index == size else "index-out-of-range",
        cause=f"{label}[{at}]{said} is {what}: {label} has {size} item{'s' * (size != 1)}, "
        f"the last at {size - 1}.{' ' + loop if loop else ''}",
        certainty="certain",
        evidence=(f"{where(frame)}: {at} = {index}", f"len({label}) = {size}"),
        remedy=_remedy(loop, label, index, size),
        fix=fix,
    )


def _remedy(loop: str, label: str, index: int, size: int) -> str:
    if loop:
        return "Let the loop end one earlier, or loop over the items themselves."
    if index == size:
        return f"Indexes begin at 0: the last item is {label}[-1], or {label}[{size - 1}]."
    return f"Use an index from 0 to {size - 1}."


def _loop(
    moment: Moment, frame: LiveFrame, node: ast.Subscript, base: ast.expr, size: int
) -> tuple[str, Fix | None]:
    """What the loop over the index says, and the loop mended."""
    names = [each for each in ast.walk(node.slice) if isinstance(each, ast.Name)]
    for name in names:
        made = origin(moment, frame, name.id)
        if made is None or made.node is None or made.how != "loop":
            made = _comprehension(frame, name.id) or made
        if made is None or made.node is None:
            continue
        call = made.node
        if not (isinstance(call, ast.Call) and text_of(call.func) == "range" and call.args):
            continue
        said = f"The loop in line {made.line} goes over {text_of(call)}."
        stop = call.args[0] if len(call.args) == 1 else call.args[1]
        if made.code is None:
            return said, None
        return said, _shorter(made.code, stop, base, node.slice)
    return "", None


def _comprehension(frame: LiveFrame, name: str) -> Any:
    from aiex_ipy.grounding.diagnosis.origin import Origin

    for node in ast.walk(frame.tree) if frame.tree is not None else ():
        if isinstance(node, ast.comprehension) and text_of(node.target) == name:
            line = node.iter.lineno
            if abs(line - frame.line) < 5:
                return Origin(name, "loop", frame.place, line, node.iter, frame)
    return None


def _shorter(frame: Any, stop: ast.expr, base: ast.expr, index: ast.expr) -> Fix | None:
    """`len(x) + 1` → `len(x)`; with an index `i + 1`, `len(x)` → `len(x) - 1`."""
    size = f"len({text_of(base)})"
    match stop:
        case ast.BinOp(left=left, op=ast.Add(), right=ast.Constant(value=1)) if text_of(
            left
        ) == size and isinstance(index, ast.Name):
            return rewritten(frame, "one earlier", (stop, segment(frame, left)))
    match index:
        case ast.BinOp(left=ast.Name(), op=ast.Add(), right=ast.Constant(value=int() as more)):
            if text_of(stop) == size:
                text = f"{segment(frame, stop)} - {more}"
                return rewritten(frame, "one earlier", (stop, text))
    return None


def _axis(
    moment: Moment, frame: LiveFrame, node: ast.Subscript, value: Any, label: str
) -> Diagnosis | None:
    shape = value.shape
    text = message(moment.error)
    if "too many indices" in text:
        return Diagnosis(
            rule="too-many-indices",
            cause=f"{label} has {len(shape)} dimension{'s' * (len(shape) != 1)} (shape {shape}), "
            f"and {text_of(node)} gives more indexes.",
            certainty="certain",
            evidence=(f"{where(frame)}: {label} is {shown(value)}",),
            remedy=f"Give {len(shape)} index{'es' * (len(shape) != 1)}, or reshape {label}.",
        )
    told_axis = re.search(r"index (-?\d+) is out of bounds for axis (\d+) with size (\d+)", text)
    if told_axis is None:
        return None
    index, axis, size = map(int, told_axis.groups())
    if axis >= len(shape) or shape[axis] != size:
        return None
    swapped = [i for i, each in enumerate(shape) if i != axis and index < each]
    hint = f" Axis {swapped[0]} (size {shape[swapped[0]]}) would hold it." if swapped else ""
    loop, fix = "", None
    positions = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if axis < len(positions):
        part = ast.Subscript(value=node.value, slice=positions[axis])
        loop, fix = _loop(moment, frame, part, node.value, size)
    return Diagnosis(
        rule="off-by-one" if index == size else "index-out-of-range",
        cause=f"Index {index} is past the end of axis {axis} of {label} (size {size}, shape "
        f"{shape}).{hint}{' ' + loop if loop else ''}",
        certainty="certain",
        evidence=(f"{where(frame)}: {text_of(node)}", f"{label}.shape = {shape}"),
        remedy=f"Use an index from 0 to {size - 1}"
        + (", or swap the indexes (rows come first)." if swapped else "."),
        fix=fix,
    )


def _argument_vector(moment: Moment, frame: LiveFrame, node: ast.Subscript) -> Diagnosis | None:
    """An item of what a call gave, `text.split(",")[2]`: by the receiver's live value."""
    call = node.value
    known, index = value_of(node.slice, frame)
    if not known or type(index) is not int or not isinstance(call, ast.Call):
        return None
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in {"split", "rsplit"}:
        return None
    found, text = value_of(call.func.value, frame)
    separators = [value_of(each, frame) for each in call.args]
    if not found or type(text) is not str or call.keywords or len(separators) > 1:
        return None
    if any(not told_ or type(value) is not str or not value for told_, value in separators):
        return None
    parts = text.split(*(value for _, value in separators))
    if -len(parts) <= index < len(parts):
        return None
    return Diagnosis(
        rule="index-out-of-range",
        cause=f"{text_of(call)} gave {len(parts)} part{'s' * (len(parts) != 1)}, and [{index}] is "
        f"past the end: the text is {shown(text)}.",
        certainty="certain",
        evidence=(f"{where(frame)}: {text_of(node)}",),
        remedy="Skip or handle texts that have too few parts.",
    )


def _pop(moment: Moment, frame: LiveFrame) -> Iterator[Diagnosis]:
    for node in nodes_at_fault(frame, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in {"pop", "popleft"}:
            found, value = value_of(node.func.value, frame)
            if found and length(value) == 0:
                label = text_of(node.func.value)
                yield Diagnosis(
                    rule="empty-sequence",
                    cause=f"{label} is empty: there is nothing left for {node.func.attr}().",
                    certainty="certain",
                    evidence=(f"{where(frame)}: {label} is {shown(value)}",),
                    remedy=f"Stop when {label} is empty: `while {label}:`.",
                )
                return
        if text_of(node.func) in {"random.choice", "choice"} and node.args:
            found, value = value_of(node.args[0], frame)
            if found and length(value) == 0:
                yield Diagnosis(
                    rule="empty-sequence",
                    certainty="certain",
                    cause=f"{text_of(node.args[0])} is empty: there is nothing to choose from.",
                    remedy="Find why it is empty, or check for it first.",
                )
                return
