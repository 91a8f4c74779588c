"""numpy: arrays, scalars, dtypes and ufuncs.

An array of a subclass is looked at as the plain array that it holds. Ranges of large arrays are
those of an evenly spaced sample; files mapped into memory are not read for one.
"""

from __future__ import annotations

import sys
from typing import Any

from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import derives, full_name, public_names

WHOLE = 1_000_000
"""Up to so many elements the range is that of all: 1-2 ms for float64."""
_SAMPLE = 100_000
_DTYPE = 120


def describe(value: Any, base: type, printer: Printer) -> Description | None:
    """Return what is known of a value of numpy."""
    numpy = sys.modules["numpy"]
    if base is numpy.ndarray:
        return _array(value, _plain(value), printer)
    if base is numpy.generic:
        return _scalar(value, printer)
    if base is numpy.ufunc:
        shape = f"{value.nin} in, {value.nout} out"
        return Description(type="numpy.ufunc", kind="code", value=value.__name__, signature=shape)
    if derives(base, numpy.dtype):
        return Description(type=full_name(type(value)), kind="scalar", value=dtype_name(value))
    return None


def _plain(value: Any) -> Any:
    ndarray: Any = sys.modules["numpy"].ndarray
    return ndarray.view(value, ndarray)


def dtype_name(dtype: Any) -> str:
    """Return the name of a dtype of numpy, cut."""
    return str(dtype)[:_DTYPE]


def _scalar(value: Any, printer: Printer) -> Description:
    item = value.item()
    numpy = sys.modules["numpy"]
    # Those wider than Python's numbers give themselves.
    shown = str(value) if derives(type(item), numpy.generic) else printer.text(item)
    return Description(type=full_name(type(value)), kind="scalar", value=shown)


def _array(value: Any, array: Any, printer: Printer) -> Description:
    facts: list[tuple[str, str]] = []
    if printer.depth > 0:
        mapped = any(full_name(each) == "numpy.memmap" for each in type(value).__mro__[:-1])
        facts += [("mapped", "from a file, not read")] if mapped else value_range(array)
        facts.append(("memory", size_text(array.nbytes)))
    return Description(
        type=full_name(type(value)),
        kind="array",
        shape=array.shape,
        length=array.shape[0] if array.ndim else None,
        dtype=dtype_name(array.dtype),
        attributes=public_names(value) if printer.depth > 0 else (),
        facts=tuple(facts),
        value=_items(array, printer) if printer.depth > 0 else "",
    )


def _items(array: Any, printer: Printer) -> str:
    """The first elements, row by row of the first axis."""
    few = array[tuple(slice(0, printer.items if axis == 0 else 4) for axis in range(array.ndim))]
    if few.size > 40 * printer.items:
        return ""
    shown = printer.text(few.tolist())
    return shown if few.size == array.size else f"{shown} …"


def value_range(array: Any) -> list[tuple[str, str]]:
    """Return the least, greatest and the number of missing values, as facts."""
    numpy = sys.modules["numpy"]
    if array.dtype.kind not in "biufmM" or not array.size:
        return []
    looked = sample(array)
    note = "" if looked.size == array.size else f" (of {looked.size} sampled)"
    with numpy.errstate(all="ignore"):
        if array.dtype.kind == "b":
            return [("true", f"{int(numpy.count_nonzero(looked))} of {looked.size}{note}")]
        # These pass over NaN and NaT, and say nothing of arrays that hold nothing else.
        least, most = numpy.fmin.reduce(looked, axis=None), numpy.fmax.reduce(looked, axis=None)
        facts = [("range", f"{least} to {most}{note}")] if least == least else []
        if array.dtype.kind in "fmM":
            missing = int(numpy.count_nonzero(looked != looked))
            word = "NaT" if array.dtype.kind in "mM" else "NaN"
            if missing:
                facts.append((word, f"{missing} of {looked.size}{note}"))
            infinite = array.dtype.kind == "f" and int(numpy.count_nonzero(numpy.isinf(looked)))
            if infinite:
                facts.append(("infinite", f"{infinite}{note}"))
    return facts


def sample(array: Any) -> Any:
    """Return a view of evenly spaced elements, or the array where it is small."""
    if array.size <= WHOLE:
        return array
    steps = [1] * array.ndim
    counts = list(array.shape)
    while (size := _product(counts)) > _SAMPLE:
        axis = counts.index(max(counts))
        steps[axis] *= max(2, min(counts[axis], size // _SAMPLE))
        counts[axis] = -(-array.shape[axis] // steps[axis])
    return array[tuple(slice(None, None, step) for step in steps)]


def _product(counts: list[int]) -> int:
    found = 1
    for each in counts:
        found *= each
    return found


def size_text(count: float) -> str:
    """Return a number of bytes in words."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1_000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1_000
    return ""
