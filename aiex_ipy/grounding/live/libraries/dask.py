"""dask: arrays, frames, bags and delayed values, none of which is computed.

A frame's number of partitions is told where it is written in its expression: to ask for it may read
files or sort data.
"""

from __future__ import annotations

import math
from typing import Any

from aiex_ipy.grounding.live.description import Column, Description
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import (
    MISSING,
    attribute,
    attributes,
    class_attribute,
    full_name,
    mro,
    public_names,
    text_of,
)

_LAZY = ("lazy", "not computed")
_CHAIN = 50


def describe(value: Any, base: type, printer: Printer) -> Description | None:
    """Return what is known of a collection of dask."""
    name = full_name(base)
    if name == "dask.array.core.Array":
        return _array(value, printer)
    if name.startswith("dask.dataframe.") and name.endswith(".FrameBase"):
        return _frame(value, printer)
    if name == "dask.bag.core.Bag":
        count = attribute(value, "npartitions")
        facts = (("partitions", str(count)), _LAZY) if type(count) is int else (_LAZY,)
        return Description(
            type=full_name(type(value)),
            kind="sequence",
            attributes=public_names(value),
            facts=facts,
        )
    if name == "dask.delayed.Delayed":
        key = text_of(attribute(value, "_key"))
        # A key is a name and a hash of what it is made from, which may be random.
        facts = (("of", key.partition("-")[0][:80] or "?"), _LAZY) if key else (_LAZY,)
        return Description(type=name, kind="object", facts=facts)
    return None


def array_shape(value: Any) -> tuple[tuple[int, ...] | None, str]:
    """Return the shape of an array, None where it is not known, and its chunks in words."""
    chunks = attribute(value, "_Array__chunks")
    if type(chunks) is not tuple:
        return None, ""
    sizes = []
    words = []
    for axis in chunks:
        total = sum(axis)
        sizes.append(total)
        words.append(f"{len(axis)} of up to {max(axis, default=0)}")
    if any(type(each) is not int and math.isnan(each) for each in sizes):
        return None, ", ".join(words)
    return tuple(int(each) for each in sizes), ", ".join(words)


def array_dtype(value: Any) -> str:
    """Return the dtype of an array, as its empty model has it."""
    meta = attribute(value, "_meta")
    return str(meta.dtype)[:80] if full_name(type(meta)) == "numpy.ndarray" else ""


def _array(value: Any, printer: Printer) -> Description:
    shape, chunks = array_shape(value)
    return Description(
        type=full_name(type(value)),
        kind="array",
        shape=shape,
        length=shape[0] if shape else None,
        dtype=array_dtype(value),
        attributes=public_names(value) if printer.depth > 0 else (),
        facts=((("chunks", chunks), _LAZY) if chunks else (_LAZY,)),
    )


def _frame(value: Any, printer: Printer) -> Description | None:
    expression = attribute(value, "_expr")
    if expression is MISSING:
        return None
    count = _partitions(expression)
    facts = [("partitions", str(count))] if count is not None else []
    columns: tuple[Column, ...] = ()
    dtype = ""
    meta = attribute(expression, "_meta")
    if meta is not MISSING:
        from aiex_ipy.grounding.live.libraries import described

        model = described(meta, printer)
        if model is not None:
            columns = tuple(Column(name=each.name, dtype=each.dtype) for each in model.columns)
            dtype = model.dtype
    return Description(
        type=full_name(type(value)),
        kind="table" if columns else "column",
        dtype=dtype,
        columns=columns,
        attributes=public_names(value),
        facts=(*facts, _LAZY),
    )


def _partitions(expression: Any) -> int | None:
    """The number of partitions that an expression was given, or has found already."""
    for _ in range(_CHAIN):
        own = dict(attributes(expression))
        if type(own.get("divisions")) is tuple:
            return len(own["divisions"]) - 1
        operands = own.get("operands")
        if type(operands) is not list:
            return None
        names = class_attribute(type(expression), "_parameters")
        if type(names) is list and "npartitions" in names[: len(operands)]:
            count = operands[names.index("npartitions")]
            return count if type(count) is int else None
        if not any(full_name(each).endswith("._expr.Blockwise") for each in mro(type(expression))):
            return None
        # One done block by block has the partitions of what it is done to.
        inner = [each for each in operands if attribute(each, "operands") is not MISSING]
        if not inner:
            return None
        expression = inner[0]
    return None
