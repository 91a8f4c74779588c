"""Arrays of axes, as `plt.subplots` of matplotlib gives them, used as one."""

from __future__ import annotations

import ast
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    has_class,
    is_a,
    public_attributes,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame


def array_of_axes(
    frame: LiveFrame, nodes: list[ast.Attribute], value: Any, name: str, label: str
) -> Diagnosis | None:
    """Return what `axs.plot` of an array of axes should have been."""
    if not is_a(value, "numpy.ndarray") or value.dtype.kind != "O" or not value.size or not nodes:
        return None
    first = value.flat[0]
    if not has_class(first, "matplotlib", "Axes") or name not in public_attributes(first):
        return None
    node, base = nodes[0].value, segment(frame, nodes[0].value)
    whole, shape, place = node, value.shape, ", ".join("0" * value.ndim)
    new = f"{base}[{place}]"
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Tuple | ast.Slice):
        known, array = value_of(node.value, frame)
        if known and is_a(array, "numpy.ndarray") and array.ndim == 2:
            whole, shape = node.value, array.shape
            new = f"{segment(frame, node.value)}[{segment(frame, node.slice)}, 0]"
    row = f", and {label} is a whole row of it" if whole is not node else ""
    return Diagnosis(
        rule="array-of-axes",
        certainty="certain",
        cause=f"{text_of(whole, 40)} is a {len(shape)}-D array of axes, shape {shape}{row}: "
        f"{name!r} is a method of one of the axes.",
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
        remedy=f"Choose one of them: {new}.{name}, or loop over {text_of(whole, 40)}.flat.",
        fix=rewritten(frame, "one of the axes", (node, new)),
    )
