"""xarray: datasets, arrays and variables; what is still in a file or in dask stays there."""

from __future__ import annotations

import sys
from typing import Any

from aiex_ipy.grounding.live.description import Column, Description
from aiex_ipy.grounding.live.libraries.dask import array_dtype, array_shape
from aiex_ipy.grounding.live.libraries.numpy import value_range
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import (
    MISSING,
    attribute,
    derives,
    entries,
    full_name,
    is_of,
    public_names,
    text_of,
)

_VARIABLES = 1_000


def describe(value: Any, base: type, printer: Printer) -> Description | None:
    """Return what is known of a value of xarray."""
    name = full_name(base)
    if name == "xarray.core.dataset.Dataset":
        return _dataset(value, printer)
    if name == "xarray.core.dataarray.DataArray":
        return _array(value, printer)
    if name == "xarray.core.variable.Variable":
        return _variable(value, full_name(type(value)), printer)
    return None


def _dataset(value: Any, printer: Printer) -> Description | None:
    dims, variables = attribute(value, "_dims"), attribute(value, "_variables")
    coordinates = attribute(value, "_coord_names")
    if type(dims) is not dict or type(variables) is not dict or type(coordinates) is not set:
        return None
    names = {text_of(each) for each in list(coordinates)[:_VARIABLES]}
    facts = [("dims", _sizes(entries(dims), printer))]
    columns = []
    held = []
    for key, variable in entries(variables, _VARIABLES):
        label = _label(key, printer)
        if text_of(key) in names:
            held.append(label)
            continue
        shape, dtype, lazy = _data(attribute(variable, "_data"))
        where = f" ({', '.join(_dims(variable, printer))})" if shape != () else ""
        columns.append(Column(name=label, dtype=f"{dtype}{where}{', lazy' if lazy else ''}"))
    facts.append(("coords", ", ".join(held[:20]) or "none"))
    return Description(
        type=full_name(type(value)),
        kind="table",
        length=len(columns),
        columns=tuple(columns),
        attributes=public_names(value) if printer.depth > 0 else (),
        facts=tuple(facts),
    )


def _array(value: Any, printer: Printer) -> Description | None:
    variable, coordinates = attribute(value, "_variable"), attribute(value, "_coords")
    if variable is MISSING or type(coordinates) is not dict:
        return None
    told = _variable(variable, full_name(type(value)), printer)
    if told is None:
        return None
    held = [_label(key, printer) for key, _ in entries(coordinates, 20)]
    facts = [*told.facts, ("coords", ", ".join(held) or "none")]
    name = attribute(value, "_name")
    if name is not None and name is not MISSING:
        facts.insert(0, ("name", _label(name, printer)))
    return Description(
        type=told.type,
        kind=told.kind,
        shape=told.shape,
        length=told.length,
        dtype=told.dtype,
        attributes=public_names(value) if printer.depth > 0 else (),
        facts=tuple(facts),
    )


def _variable(value: Any, name: str, printer: Printer) -> Description | None:
    data = attribute(value, "_data")
    if data is MISSING:
        return None
    shape, dtype, lazy = _data(data)
    facts = [("dims", ", ".join(_dims(value, printer)) or "none")]
    if lazy:
        facts.append(("lazy", "not loaded"))
    elif printer.depth > 0 and type(data) is sys.modules["numpy"].ndarray:
        facts += value_range(data)
    return Description(
        type=name,
        kind="array",
        shape=shape,
        length=shape[0] if shape else None,
        dtype=dtype,
        facts=tuple(facts),
    )


def _data(data: Any) -> tuple[tuple[int, ...] | None, str, bool]:
    """The shape, the dtype and whether it is still to be loaded, of what a variable holds."""
    numpy = sys.modules["numpy"]
    shape: Any = None
    for _ in range(8):  # an array from a file is wrapped several times
        kind = type(data)
        if kind is numpy.ndarray:
            return shape or data.shape, str(data.dtype)[:80], False
        if full_name(kind) == "dask.array.core.Array":
            return array_shape(data)[0], array_dtype(data), True
        if full_name(kind).endswith(".PandasIndexingAdapter"):
            inner = attribute(data, "array")
            size = len(inner) if is_of(type(inner), "pandas") else None
            dtype = attribute(data, "_dtype")
            own = derives(type(dtype), numpy.dtype)
            return (None if size is None else (size,)), str(dtype) if own else "", False
        own_shape = attribute(data, "_shape")
        shape = own_shape if shape is None and type(own_shape) is tuple else shape
        inner = attribute(data, "array")
        if inner is MISSING or not is_of(kind, "xarray"):
            break
        data = inner
    told, dtype = attribute(data, "shape"), attribute(data, "dtype")
    if shape is None and type(told) is tuple and all(type(each) is int for each in told):
        shape = told
    return shape, str(dtype)[:80] if derives(type(dtype), numpy.dtype) else "", True


def _dims(variable: Any, printer: Printer) -> list[str]:
    dims = attribute(variable, "_dims")
    return [_label(each, printer) for each in dims[:20]] if type(dims) is tuple else []


def _sizes(dims: list[tuple[Any, Any]], printer: Printer) -> str:
    return ", ".join(f"{_label(key, printer)}: {size}" for key, size in dims[:20]) or "none"


def _label(value: Any, printer: Printer) -> str:
    plain = text_of(value)
    return printer.text(value, 60) if plain is None else printer.cut([plain[:999]], 60)
