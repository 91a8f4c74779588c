"""pandas, polars, dask and xarray: tables, and that what is lazy stays so."""

from __future__ import annotations

from typing import Any

import dask
import dask.array
import dask.bag
import dask.dataframe
import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

from aiex_ipy.grounding.live.describe import describe, line
from aiex_ipy.grounding.live.description import Column


class Touchy:
    """An object that must not be printed or compared."""

    def __repr__(self) -> str:
        raise AssertionError

    __eq__ = __len__ = __bool__ = __repr__  # type: ignore[assignment]
    __hash__ = object.__hash__


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "a": [1.0, None, 3.0, 4.0],
            "b": ["x", None, "y", "z"],
            "c": np.array([Touchy(), None, 3.5, float("nan")], dtype=object),
            "d": pd.to_datetime(["2020", None, "2021", "2022"]),
            "e": pd.Categorical(["u", None, "v", "u"]),
            "f": pd.array([1, None, 3, 4], dtype="Int64"),
            "password": ["p", "q", "r", "s"],
        },
        index=pd.Index([10, 20, 30, 40], name="id"),
    )


def test_a_frame_is_told_by_columns_nulls_index_and_rows() -> None:
    """Each column with its dtype and what is missing; a few rows; no object printed by itself."""
    found = describe(frame(), "df")
    assert (found.kind, found.shape, found.length) == ("table", (4, 7), 4)
    assert [(each.name, each.nulls) for each in found.columns] == [
        *[(name, 1) for name in "ab"],
        ("c", 2),
        *[(name, 1) for name in "def"],
        ("password", 0),
    ]
    dtypes = [each.dtype for each in found.columns]
    assert dtypes[0] == "float64" and dtypes[2] == "object" and dtypes[4:6] == ["category", "Int64"]
    assert dict(found.facts)["index"] == "Index id of 10, 20, 30, 40"
    assert "a=[1.0, nan, 3.0, 4.0]" in found.value and "c=[<Touchy>, None, 3.5, nan]" in found.value
    assert (
        "password=[[withheld], [withheld], [withheld], [withheld]]" in found.value
        and found.withheld
    )
    assert "groupby" in found.attributes


def test_a_secret_index_is_withheld() -> None:
    """Labels under a secret-looking name are not told, nor more rows than three of a long table."""
    keys = pd.Index(["hunter2", "hunter3"], name="password")
    assert "hunter" not in line(describe(pd.Series([1.0, 2.0], index=keys)))
    assert describe(pd.DataFrame({"n": range(7)})).value == "first 3 rows: n=[0, 1, 2]"


def test_nulls_of_huge_frames_are_not_counted() -> None:
    """Where counting would take long, None stands for the number."""
    huge = pd.DataFrame(np.broadcast_to(np.float64(1), (3_000_000, 3)), columns=list("abc"))
    assert [each.nulls for each in describe(huge).columns] == [0, None, None]
    objects = pd.DataFrame({"o": np.full(200_000, None, dtype=object)})
    assert describe(objects).columns == (Column(name="o", dtype="object", nulls=None),)
    wide = describe(pd.DataFrame(np.zeros((1, 5_000))))
    assert len(wide.columns) == 1_000 and len(line(wide)) <= 1_200


def test_a_frame_of_the_users_own_class_is_told_as_the_frame_it_is() -> None:
    """What it overrides is not called; neither is an extension array of the user's."""

    class Own(pd.DataFrame):
        @property
        def columns(self) -> Any:  # type: ignore[override]
            raise AssertionError

        def __len__(self) -> int:
            raise AssertionError

    value = Own.__new__(Own)
    value.__dict__.update(frame().__dict__)
    assert describe(value).shape == (4, 7)
    assert describe(Own.__new__(Own)).columns == ()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (frame()["a"], "pandas.Series, shape (4,), float64, name a, nulls 1, range 1.0 to 4.0"),
        (
            frame()["e"],
            "category, name e, nulls 1, index Index id of 10, 20, 30, 40 = ['u', None, 'v', 'u']",
        ),
        (frame().columns, "pandas.Index, shape (7,)"),
        (pd.MultiIndex.from_product([["a", "b"], [1]]), "= [('a', 1), ('b', 1)]"),
        (frame().groupby("b"), "of <DataFrame shape (4, 7)>, by 'b', groups not computed"),
        (pd.Timestamp("2020-01-02", tz="UTC"), "= Timestamp('2020-01-02 00:00:00+00:00')"),
        (pd.NaT, "= NaT"),
        (pd.NA, "= <NA>"),
        (pd.DataFrame(), "shape (0, 0)"),
        (frame()["f"].array, "length 4, Int64 = [1, <NA>, 3, 4]"),
        ({"df": frame()}, "= {'df': <DataFrame shape (4, 7)>}"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_of_pandas(value: object, told: str) -> None:
    """Series, indexes, groupings and scalars."""
    assert told in line(describe(value))


def test_polars_frames_and_series_are_told() -> None:
    """Schema and nulls are those polars keeps; nested values are not unrolled."""
    value = pl.DataFrame({"a": [1, None], "b": ["x", "y" * 1_000_000], "l": [[1], [2]]})
    found = describe(value)
    assert found.columns[0] == Column(name="a", dtype="Int64", nulls=1) and found.shape == (2, 3)
    assert "a=[1, None]" in found.value and "l=[…]" in found.value and len(found.value) < 600
    assert "nulls 0 = [1, 2]" in line(describe(pl.Series("q", [1, 2])))
    assert 'col("a")' in describe(pl.col("a") + 1).value


def test_a_lazy_frame_of_polars_stays_lazy() -> None:
    """Over a file that is not there, and with a function that must not run."""

    def never(batch: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError

    for value in (
        pl.scan_parquet("/nowhere/x.parquet"),
        pl.LazyFrame({"a": [1]}).map_batches(never),
    ):
        assert ("lazy", "not collected, its columns not known") in describe(value).facts


@dask.delayed
def never(*args: Any) -> Any:
    raise AssertionError("a task ran")


def test_dask_collections_are_not_computed() -> None:
    """Shape, chunks, dtypes and partitions, with tasks that would fail if they ran."""
    array = dask.array.from_delayed(never(), shape=(10, 4), dtype="f4").rechunk((5, 4))
    found = describe(array)
    assert (found.shape, found.dtype) == ((10, 4), "float32")
    assert ("chunks", "2 of up to 5, 1 of up to 4") in found.facts
    unknown = dask.array.from_delayed(never(), shape=(np.nan, 4), dtype="f4")
    assert describe(unknown).shape is None
    meta = pd.DataFrame({"a": [1], "b": ["x"]})
    table = dask.dataframe.from_delayed([never(), never()], meta=meta, verify_meta=False)
    told = describe(table)
    assert [each.name for each in told.columns] == ["a", "b"]
    assert ("lazy", "not computed") in told.facts
    pandas_made = dask.dataframe.from_pandas(pd.DataFrame({"a": range(9)}), npartitions=3)
    assert ("partitions", "3") in describe(pandas_made["a"] + 1).facts
    assert describe(pandas_made["a"]).dtype == "int64"
    assert ("partitions", "1") in describe(dask.bag.from_delayed([never()])).facts
    assert ("of", "never") in describe(never()).facts


def test_xarray_is_told_and_not_loaded() -> None:
    """Dims, coordinates, dtypes; variables in dask stay there."""
    lazy = dask.array.from_delayed(never(), shape=(3, 4), dtype="f4")
    value = xr.Dataset(
        {"t": (("x", "y"), lazy), "u": ("x", np.arange(3.0))}, coords={"x": [10, 20, 30]}
    )
    found = describe(value)
    assert dict(found.facts)["dims"] == "x: 3, y: 4" and dict(found.facts)["coords"] == "x"
    assert found.columns == (
        Column(name="t", dtype="float32 (x, y), lazy"),
        Column(name="u", dtype="float64 (x)"),
    )
    told = describe(value["t"])
    assert (told.shape, told.dtype) == ((3, 4), "float32") and ("lazy", "not loaded") in told.facts
    assert dict(describe(value["u"]).facts)["range"] == "0.0 to 2.0"


def test_an_array_xarray_opens_from_a_file_stays_there() -> None:
    """A backend's array is wrapped; none of its items is asked for."""
    from xarray.core.indexing import LazilyIndexedArray

    class Backend(xr.backends.BackendArray):
        shape = (5,)
        dtype = np.dtype("f8")

        def __init__(self) -> None:
            self.__dict__.update(shape=(5,), dtype=np.dtype("f8"))

        def __getitem__(self, key: Any) -> Any:
            raise AssertionError

    value = xr.Variable(("x",), LazilyIndexedArray(Backend()))
    found = describe(value)
    assert (found.shape, found.dtype) == ((5,), "float64") and ("lazy", "not loaded") in found.facts
