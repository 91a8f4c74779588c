"""The columns of tables: pandas, polars, pyarrow, xarray, numpy records.

A library is looked at only if the user has imported it. Storage is read, no property of a subclass
is called, nothing lazy is computed.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from aiex_ipy.grounding.completing.reading import (
    MOST_KEYS,
    class_names,
    in_class,
    is_a,
    is_one_of,
    own,
    texts,
)
from aiex_ipy.grounding.live.static import module_of

WIDE = 500
MOST_KEPT = 16
_wide: dict[int, tuple[weakref.ref[Any], Columns]] = {}
"""Columns of wide tables by their index, which pandas never changes: reading 10,000 takes 3 ms."""


class Columns(NamedTuple):
    """Column names that are text, in the table's order. `whole` False: there are more, or some
    are no text. `levels`: of a column index with several levels these are the first's."""

    names: list[str]
    whole: bool = True


def columns(value: Any) -> Columns | None:
    """Return the columns of a table, None for what is none."""
    for module, read in _READERS.items():
        library = sys.modules.get(module)
        if library is not None:
            found = read(value, own(library))
            if found is not None:
                return found
    return None


def labels(value: Any, axis: int) -> Columns | None:
    """Return the labels of one axis of a pandas table or series that are text."""
    pandas = sys.modules.get("pandas")
    manager = None if pandas is None else _manager(value, own(pandas))
    if manager is None:
        return None
    axes = manager.axes
    # A block manager has columns first, a series one axis.
    at = 0 if len(axes) == 1 else 1 - axis
    return _index(axes[at]) if len(axes) > at else None


def index_names(value: Any) -> list[str]:
    """Return the names of a pandas table's index, which its methods take like columns."""
    pandas = sys.modules.get("pandas")
    manager = None if pandas is None else _manager(value, own(pandas))
    if manager is None:
        return []
    fields = own(manager.axes[-1])
    return texts([fields.get("_name"), *(fields.get("_names") or ())])


def grouped_names() -> set[str]:
    """Return the names that what `DataFrame.groupby` gives has beside its columns."""
    return class_names(sys.modules["pandas.core.groupby"].DataFrameGroupBy)


def is_table(value: Any) -> bool:
    """True for what has named columns."""
    return columns(value) is not None


def _manager(value: Any, names: dict[str, Any]) -> Any:
    kinds = [names.get("DataFrame"), names.get("Series")]
    if not any(isinstance(kind, type) and is_a(value, kind) for kind in kinds):
        return None
    return own(value).get("_mgr")


def _pandas(value: Any, names: dict[str, Any]) -> Columns | None:
    frame = names.get("DataFrame")
    if not isinstance(frame, type):
        return None
    if not is_a(value, frame):
        # What `groupby`, `rolling` and `resample` give keeps the frame it was made of.
        if not module_of(type(value)).startswith("pandas."):
            return None
        value = own(value).get("obj")
        if not is_a(value, frame):
            return None
    manager = own(value).get("_mgr")
    return None if manager is None else _index(manager.axes[0])


def _index(index: Any) -> Columns:
    levels = own(index).get("_levels")
    if levels:
        return Columns(_index(levels[0]).names)
    known = _wide.get(id(index))
    if known is not None and known[0]() is index:
        return known[1]
    cut = index[:MOST_KEYS] if len(index) > MOST_KEYS else index
    names = texts(cut.tolist())
    found = Columns(names, len(names) == len(index))
    if len(names) > WIDE:
        while len(_wide) >= MOST_KEPT:
            del _wide[next(iter(_wide))]
        _wide[id(index)] = (weakref.ref(index), found)
    return found


def _polars(value: Any, names: dict[str, Any]) -> Columns | None:
    frame = names.get("DataFrame")
    if not isinstance(frame, type) or not is_a(value, frame):
        return None
    inner = own(value).get("_df")
    return None if inner is None else Columns(list(inner.columns()))


def _pyarrow(value: Any, names: dict[str, Any]) -> Columns | None:
    kinds = [names.get("Table"), names.get("RecordBatch")]
    if not is_one_of(type(value), kinds):
        return None
    return Columns(list(value.column_names))


def _xarray(value: Any, names: dict[str, Any]) -> Columns | None:
    dataset = names.get("Dataset")
    if not isinstance(dataset, type) or not is_a(value, dataset):
        return None
    slot = in_class(dataset, "_variables")
    try:
        stored = slot.__get__(value)
    except AttributeError:
        return None
    return Columns(texts(stored)) if type(stored) is dict else None


def _numpy(value: Any, names: dict[str, Any]) -> Columns | None:
    array = names.get("ndarray")
    if not isinstance(array, type) or not is_a(value, array):
        return None
    dtype = array.__dict__["dtype"].__get__(value)
    return Columns(list(dtype.names)) if dtype.names else None


_READERS: dict[str, Callable[[Any, dict[str, Any]], Columns | None]] = {
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _pyarrow,
    "xarray": _xarray,
    "numpy": _numpy,
}
_KEEPING = """
assign collect copy drop_duplicates dropna fillna filter group_by groupby head lazy limit loc
nlargest nsmallest query resample reset_index rolling sample slice sort sort_index sort_values tail
unique where with_columns
"""
KEEP_COLUMNS = frozenset(_KEEPING.split())
"""Methods whose result has, as far as completion goes, the columns of what they are called on."""
_TAKING = """
agg aggregate astype boxplot corrwith drop drop_duplicates drop_nulls dropna explode fill_null
filter get get_column group_by groupby hist insert join join_asof melt merge nlargest nsmallest
partition_by pivot pivot_table plot pop rename rolling select set_index set_sorted sort sort_values
to_dummies top_k unique unnest unpivot unstack value_counts with_columns
"""
TAKE_COLUMNS = frozenset(_TAKING.split())
"""Methods of tables whose string arguments are column names."""
TAKE_EXPRESSIONS = frozenset(("query", "eval"))
_KEYWORDS = """
by c col color columns facet_col facet_row hue id_vars index left_on names on right_on row s size
style subset usecols value_vars values weights x y
"""
COLUMN_KEYWORDS = frozenset(_KEYWORDS.split())
"""Keyword arguments that take column names, in plotting calls too."""
MAKE_COLUMNS = frozenset(("col", "exclude"))
"""Functions of polars whose arguments are columns of the table around them."""
