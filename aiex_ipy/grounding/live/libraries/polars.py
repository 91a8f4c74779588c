"""polars: frames, series, expressions, and lazy frames, which are not collected."""

from __future__ import annotations

import sys
from typing import Any

from aiex_ipy.grounding.live.description import Column, Description
from aiex_ipy.grounding.live.libraries.numpy import size_text
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import MISSING, attribute, full_name, public_names

COLUMNS = 1_000
_ROWS = 3
_SHOWN_COLUMNS = 8
_DTYPE = 80
_TEXT = 10_000
_NESTED = ("List", "Array", "Struct", "Binary", "Unknown", "Extension")


def describe(value: Any, base: type, printer: Printer) -> Description | None:
    """Return what is known of a value of polars."""
    polars = sys.modules["polars"]
    name = full_name(type(value))
    if base is polars.LazyFrame:
        # Even its columns may have to be read from a file, or from a function of the user's.
        return Description(
            type=name,
            kind="table",
            attributes=public_names(value) if printer.depth else (),
            facts=(("lazy", "not collected, its columns not known"),),
        )
    if base is polars.DataFrame:
        inner = attribute(value, "_df")
        if inner is MISSING:
            return None
        frame: Any = polars.DataFrame
        return _frame(name, frame._from_pydf(inner), public_names(value), printer)
    if base is polars.Series:
        inner = attribute(value, "_s")
        if inner is MISSING:
            return None
        series: Any = polars.Series
        return _series(name, series._from_pyseries(inner), public_names(value), printer)
    if base is polars.Expr:
        inner = attribute(value, "_pyexpr")
        if inner is MISSING:
            return None
        shown = printer.cut([inner.to_str()[:_TEXT]], printer.characters)
        return Description(type=name, kind="object", attributes=public_names(value), value=shown)
    return None


def _frame(name: str, frame: Any, names: tuple[str, ...], printer: Printer) -> Description:
    if not printer.depth:
        return Description(type=name, kind="table", shape=frame.shape)
    columns = [frame.to_series(number) for number in range(min(frame.width, COLUMNS))]
    facts = [("memory", size_text(frame.estimated_size()))] if frame.width <= COLUMNS else []
    if frame.width > COLUMNS:
        facts.append(("columns", f"{frame.width}, the first {COLUMNS} of them told"))
    rows = min(_ROWS, frame.height)
    shown = [
        f"{printer.cut([each.name], 60)}=[{', '.join(_values(each, rows, printer))}]"
        for each in columns[:_SHOWN_COLUMNS]
    ]
    more = ["…"] if frame.width > _SHOWN_COLUMNS else []
    return Description(
        type=name,
        kind="table",
        shape=frame.shape,
        length=frame.height,
        columns=tuple(
            Column(name=printer.cut([s.name], 60), dtype=_dtype(s.dtype), nulls=s.null_count())
            for s in columns
        ),
        attributes=names,
        facts=tuple(facts),
        value=printer.cut(
            [f"first {rows} rows: {' '.join([*shown, *more])}"], 2 * printer.characters
        ),
    )


def _series(name: str, series: Any, names: tuple[str, ...], printer: Printer) -> Description:
    if not printer.depth:
        return Description(type=name, kind="column", length=len(series), dtype=_dtype(series.dtype))
    shown = _values(series, printer.items, printer)
    more = len(series) - len(shown)
    return Description(
        type=name,
        kind="column",
        shape=(len(series),),
        length=len(series),
        dtype=_dtype(series.dtype),
        attributes=names,
        facts=(("name", printer.cut([series.name], 60)), ("nulls", str(series.null_count()))),
        value=printer.cut([f"[{', '.join(shown)}{f', … {more} more' if more > 0 else ''}]"], 254),
    )


def _values(series: Any, count: int, printer: Printer) -> list[str]:
    """The first values; of nested ones, which may be of any size, only that they are there."""
    if type(series.dtype).__name__ in _NESTED or str(series.dtype).startswith(_NESTED):
        return ["…"] if len(series) else []
    polars = sys.modules["polars"]
    few = series.head(count)
    if few.dtype == polars.String:
        few = few.str.slice(0, 200)  # one text may be as large as all memory
    return [printer.named(series.name, each, 40) for each in few.to_list()]


def _dtype(dtype: Any) -> str:
    shown = str(dtype)
    return shown if len(shown) <= _DTYPE else f"{shown[: _DTYPE - 1]}…"
