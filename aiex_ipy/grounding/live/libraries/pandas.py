"""pandas: frames, series, indexes, groupings and scalars.

Read from the blocks a frame is made of, so that neither what a subclass overrides nor an extension
array of the user's is called. What is missing is counted where that is cheap.
"""

from __future__ import annotations

import sys
from typing import Any

from aiex_ipy.grounding.live.description import Column, Description
from aiex_ipy.grounding.live.libraries.numpy import dtype_name, size_text, value_range
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import (
    MISSING,
    attribute,
    derives,
    full_name,
    is_of,
    public_names,
    text_of,
)

COLUMNS = 1_000
_ROWS = 3
_FEW_ROWS = 6
"""A table of so few rows is told whole: the row that is off may be any of them."""
_SHOWN_COLUMNS = 8
_CELLS = 4_000_000
"""So many numbers of a frame are looked at for missing ones: 5-10 ms."""
_OBJECTS = 100_000
"""So many objects are: 5 ms."""
_LABEL = 60


def describe(value: Any, base: type, printer: Printer) -> Description | None:
    """Return what is known of a value of pandas."""
    pandas = sys.modules["pandas"]
    if base is pandas.DataFrame:
        return _frame(value, printer)
    if base is pandas.Series:
        return _series(value, printer)
    if base is pandas.Index:
        return _index(value, printer)
    if any(base is each for each in (pandas.Timestamp, pandas.Timedelta, pandas.Period)):
        return Description(type=full_name(type(value)), kind="scalar", value=_moment(value))
    if value is pandas.NaT or value is pandas.NA:
        return Description(type=full_name(type(value)), kind="scalar", value=str(value))
    if full_name(base).endswith("GroupBy"):
        return _grouping(value, printer)
    if derives(base, pandas.api.extensions.ExtensionArray) and _own(value):
        return Description(
            type=full_name(type(value)),
            kind="array",
            length=len(value),
            dtype=_dtype(value),
            value=_items(value, printer) if printer.depth else "",
        )
    return None


def _moment(value: Any) -> str:
    zone = getattr(value, "tzinfo", None)
    if zone is not None and type(zone).__module__ not in ("datetime", "zoneinfo", "pytz"):
        return type(value).__name__
    return f"{type(value).__name__}({str(value)!r})"


def _frame(value: Any, printer: Printer) -> Description | None:
    blocks = attribute(value, "_mgr")
    if blocks is MISSING or not is_of(type(blocks), "pandas"):
        return None  # half-made: `__init__` has not run
    labels, index = blocks.axes
    if not (_own(labels) and _own(index)):
        return None
    shape = (len(index), len(labels))
    brief = printer.depth <= 0
    if brief:
        return Description(type=full_name(type(value)), kind="table", shape=shape)
    count = min(len(labels), COLUMNS)
    arrays = [blocks.iget_values(number) for number in range(count)]
    names = [_label(each, printer) for each in _values(labels, count)]
    counted = _Nulls()
    columns = tuple(
        Column(name=name, dtype=_dtype(array), nulls=counted.of(array))
        for name, array in zip(names, arrays, strict=True)
    )
    facts = [("index", _index_text(index, printer)), ("memory", _memory(blocks))]
    if len(labels) > COLUMNS:
        facts.append(("columns", f"{len(labels)}, the first {COLUMNS} of them told"))
    if type(labels) is sys.modules["pandas"].MultiIndex:
        facts.append(("column levels", str(len(attribute(labels, "_levels")))))
    return Description(
        type=full_name(type(value)),
        kind="table",
        shape=shape,
        length=len(index),
        columns=columns,
        attributes=public_names(value),
        facts=tuple(facts),
        value=_preview(names, arrays, len(index), printer),
    )


def _preview(names: list[str], arrays: list[Any], rows: int, printer: Printer) -> str:
    """The first rows, as what each of the first columns holds there."""
    rows = rows if rows <= _FEW_ROWS else _ROWS
    shown = [
        f"{name}=[{', '.join(cells)}]"
        for name, array in zip(names[:_SHOWN_COLUMNS], arrays, strict=False)
        if (cells := [printer.named(name, each, 40) for each in _values(array, rows)])
    ]
    if len(names) > _SHOWN_COLUMNS:
        shown.append("…")
    return printer.cut([f"first {rows} rows: {' '.join(shown)}"], 2 * printer.characters)


def _series(value: Any, printer: Printer) -> Description | None:
    blocks = attribute(value, "_mgr")
    if blocks is MISSING or not is_of(type(blocks), "pandas"):
        return None
    index, array = blocks.index, blocks.internal_values()
    if not _own(index):
        return None
    facts = []
    name = attribute(value, "_name")
    if printer.depth:
        if name is not None and name is not MISSING:
            facts.append(("name", _label(name, printer)))
        nulls = _Nulls().of(array)
        if nulls is not None:
            facts.append(("nulls", str(nulls)))
        if type(array) is sys.modules["numpy"].ndarray:
            facts += [each for each in value_range(array) if each[0] != "NaN"]
        facts.append(("index", _index_text(index, printer)))
    return Description(
        type=full_name(type(value)),
        kind="column",
        shape=(len(index),),
        length=len(index),
        dtype=_dtype(array),
        attributes=public_names(value) if printer.depth else (),
        facts=tuple(facts),
        value=_items(array, printer, text_of(name) or "") if printer.depth else "",
    )


def _index(value: Any, printer: Printer) -> Description | None:
    if not _own(value):
        return None
    facts = []
    names = attribute(value, "_names")
    name = attribute(value, "_name")
    if type(value) is sys.modules["pandas"].MultiIndex and names is not MISSING:
        facts.append(("level names", printer.text(list(names))))
    elif name is not None and name is not MISSING:
        facts.append(("name", _label(name, printer)))
    return Description(
        type=full_name(type(value)),
        kind="column",
        shape=(len(value),),
        length=len(value),
        dtype=_dtype(_kept(value)),
        facts=tuple(facts),
        value=_items(value, printer) if printer.depth else "",
    )


def _index_text(index: Any, printer: Printer) -> str:
    name = attribute(index, "_name")
    few = len(index) <= printer.items and type(index) is not sys.modules["pandas"].RangeIndex
    first = _values(index, len(index) if few else 1)
    start = f" from {_label(first[0], printer)}" if first else ""
    if few and len(first) > 1:
        called = text_of(name)
        labels = [
            printer.named(called, each, _LABEL) if called else _label(each, printer)
            for each in first
        ]
        start = f" of {printer.cut([', '.join(labels)], 200)}"
    called = f" {_label(name, printer)}" if name is not None and name is not MISSING else ""
    return f"{type(index).__name__}{called}{start}"


def _grouping(value: Any, printer: Printer) -> Description | None:
    inner, keys = attribute(value, "obj"), attribute(value, "keys")
    if inner is MISSING or keys is MISSING:
        return None
    from aiex_ipy.grounding.live.libraries import in_short

    facts = [("of", in_short(inner) or full_name(type(inner)))]
    if keys is not None:
        facts.append(("by", printer.text(keys, 120)))
    return Description(
        type=full_name(type(value)),
        kind="object",
        attributes=public_names(value),
        facts=(*facts, ("groups", "not computed")),
    )


def _label(value: Any, printer: Printer) -> str:
    """A column's or an index' label: a text as it is, else printed."""
    plain = text_of(value)
    return printer.text(value, _LABEL) if plain is None else printer.cut([plain[:999]], _LABEL)


def _own(value: Any) -> bool:
    """True for instances of exactly one of pandas' own types."""
    return is_of(type(value), "pandas")


def _kept(index: Any) -> Any:
    """What an index keeps its values in: an array, or a range."""
    found = attribute(index, "_range")
    return attribute(index, "_data") if found is MISSING else found


def _known(array: Any) -> bool:
    kind = type(array)
    return kind is sys.modules["numpy"].ndarray or kind is range or _own(array)


def _dtype(array: Any) -> str:
    """The dtype of an array of numpy or pandas; of others the name of the type."""
    numpy = sys.modules["numpy"]
    if type(array) is numpy.ndarray:
        return dtype_name(array.dtype)
    if type(array) is range or array is MISSING:
        return "int64" if type(array) is range else ""
    if not _own(array):
        return full_name(type(array))
    dtype = array.dtype
    own = is_of(type(dtype), "pandas") or derives(type(dtype), numpy.dtype)
    if not own or full_name(type(dtype)).endswith("CategoricalDtype"):
        return "category" if own else full_name(type(dtype))
    return dtype_name(dtype)


def _values(array: Any, count: int) -> list[Any]:
    """The first values, () of arrays that are not numpy's or pandas'."""
    pandas = sys.modules["pandas"]
    if type(array) is pandas.MultiIndex:
        return _tuples(array, count)
    if derives(type(array), pandas.Index):
        array = _kept(array)
    if not _known(array):
        return []
    if type(array) is sys.modules["numpy"].ndarray and array.dtype.kind in "biufc":
        return array[:count].tolist()  # type: ignore[no-any-return]
    if full_name(type(array)).endswith("Categorical"):
        return _categories(array, count)
    return [array[number] for number in range(min(count, len(array)))]


def _tuples(index: Any, count: int) -> list[Any]:
    """The first labels of an index of several levels, put together from levels and codes."""
    levels, codes = attribute(index, "_levels"), attribute(index, "_codes")
    found = []
    for number in range(min(count, len(codes[0]))):
        parts = []
        for level, code in zip(levels, codes, strict=True):
            at = int(code[number])
            parts.append(_at(level, at) if at >= 0 else None)
        found.append(tuple(parts))
    return found


def _at(index: Any, number: int) -> Any:
    """One label of an index, None where it is in an array that is not numpy's or pandas'."""
    kept = _kept(index)
    return kept[number] if _known(kept) else None


def _categories(array: Any, count: int) -> list[Any]:
    codes = array.codes[:count]
    categories = array.dtype.categories
    return [(_at(categories, int(code)) if code >= 0 else None) for code in codes]


def _items(array: Any, printer: Printer, name: str = "") -> str:
    if not (_own(array) or type(array) is sys.modules["numpy"].ndarray):
        return ""
    shown = [printer.named(name, each, 60) for each in _values(array, printer.items)]
    more = len(array) - len(shown)
    return printer.cut([f"[{', '.join(shown)}{f', … {more} more' if more > 0 else ''}]"], 254)


def _memory(blocks: Any) -> str:
    numpy = sys.modules["numpy"]
    total = 0
    holds = False
    for each in blocks.blocks[:COLUMNS]:
        array = each.values
        if type(array) is numpy.ndarray or _own(array):
            total += array.nbytes
            holds = holds or _dtype(array) == "object"
    return size_text(total) + (" without the objects in it" if holds else "")


class _Nulls:
    """Counts missing values as long as there is budget for it, in the order of the columns."""

    def __init__(self) -> None:
        self._numbers = _CELLS
        self._objects = _OBJECTS

    def of(self, array: Any) -> int | None:
        """Return the number of missing values, None where it is not cheap to know."""
        numpy = sys.modules["numpy"]
        if type(array) is numpy.ndarray:
            return self._in_numbers(array) if array.dtype.kind != "O" else self._in_objects(array)
        if not _own(array):
            return None
        mask = attribute(array, "_mask")
        if type(mask) is numpy.ndarray and self._afford(mask.size):
            return int(numpy.count_nonzero(mask))
        arrow = attribute(array, "_pa_array")
        if arrow is not MISSING:
            return int(arrow.null_count)
        codes: Any = getattr(array, "_ndarray", None)
        if type(codes) is numpy.ndarray:
            if full_name(type(array)).endswith("Categorical"):
                return int(numpy.count_nonzero(codes < 0)) if self._afford(codes.size) else None
            return self._in_objects(codes) if codes.dtype.kind == "O" else self._in_numbers(codes)
        return None

    def _afford(self, count: int) -> bool:
        self._numbers -= count
        return self._numbers >= 0

    def _in_numbers(self, array: Any) -> int | None:
        if array.dtype.kind not in "fcmM":
            return 0
        numpy = sys.modules["numpy"]
        return int(numpy.count_nonzero(array != array)) if self._afford(array.size) else None

    def _in_objects(self, array: Any) -> int | None:
        """By identity and exact type: `pandas.isna` asks objects for their `__class__`."""
        self._objects -= array.size
        if self._objects < 0:
            return None
        pandas = sys.modules["pandas"]
        nat, na = pandas.NaT, pandas.NA
        return sum(
            each is None or each is na or each is nat or (type(each) is float and each != each)
            for each in array.flat
        )
