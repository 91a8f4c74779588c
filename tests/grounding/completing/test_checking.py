"""Suggested code is cut before the first name that live objects do not have."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from aiex_ipy.grounding.completing.checking import checked
from aiex_ipy.grounding.completing.evaluating import Names


class Point:
    x = 1

    def move(self, dx: int, dy: int = 0) -> None: ...


class Open:
    def __getattr__(self, name: str) -> int:
        raise AssertionError(name)


NAMES: dict[str, Any] = {
    "df": pd.DataFrame({"price": [1.0], "qty": [2]}),
    "np": np,
    "point": Point(),
    "open_ended": Open(),
    "cfg": {"host": 1},
    "bare": types.ModuleType("bare"),
    "Point": Point,
}


@pytest.mark.parametrize(
    ("fragment", "text", "left", "unconfirmed"),
    [
        ("df.gr", 'oupby("price").sum()', 'oupby("price").sum()', ()),
        ("df.gr", "oup_by_all()", "", ("df.group_by_all",)),
        ("df.", "price.mean()", "price.mean()", ()),
        ('y = df["', 'cost"].sum()', "", ("df['cost']",)),
        ("y = df", '["price"] + df["cost"]', '["price"]', ("df['cost']",)),
        ('y = df[["price", "', 'cost"]]', "", ("df['cost']",)),
        ("", 'df["cost"] = df["price"]', 'df["cost"] = df["price"]', ()),
        ("np.", "array([1])", "array([1])", ()),
        ("np.", "arrange(3)", "", ("np.arrange",)),
        ("bare.", "thing", "", ("bare.thing",)),
        ("point.", "move(1, dz=2)", "move", ("point.move(dz=)",)),
        ("point.", "move(1, dy=2)", "move(1, dy=2)", ()),
        ("point.new", " = 3", " = 3", ()),
        ("a = ", "point.x + undefined_thing", "point.x", ("undefined_thing",)),
        ('cfg["', 'port"]', "", ("cfg['port']",)),
        ("", 'cfg["port"] = 1', 'cfg["port"] = 1', ()),
        ("open_ended.", "anything", "anything", ()),
        ("df = load()\ndf.", "unknown_to_us()", "unknown_to_us()", ()),
        ("def f(df):\n    return df.", "unknown_to_us()", "unknown_to_us()", ()),
        ("def handle_call", "(self, message):\n    return message", None, ()),
        ("import thing\nthing.", "anything()", "anything()", ()),
        ("größe = point.", "y", "", ("point.y",)),
        ('größe, x = "ä", ', "point.x + point.y", "point.x", ("point.y",)),
        ("for p in [point]:\n    p.", "anything()", "anything()", ()),
        ("x = [p.x for p in ", "[point]]", "[point]]", ()),
        ("y = 1\nz = ", "point.x\nw = point.y\n", "point.x", ("point.y",)),
    ],
)
def test_what_is_left_of_a_suggestion(
    fragment: str, text: str, left: str | None, unconfirmed: tuple[str, ...]
) -> None:
    """Known names stay, unknown ones cut the text, and what cannot be known is left alone."""
    verdict = checked(fragment, text, "", Names(NAMES))
    assert (verdict.text, verdict.unconfirmed) == (text if left is None else left, unconfirmed)
    assert verdict.checked


SALES = pd.DataFrame({"region": ["n"], "price": [1.0]}, index=pd.Index([1], name="day"))
TABLES: dict[str, Any] = {
    "sales": SALES,
    "other": pd.DataFrame({"region": ["n"], "tax": [1]}),
    "pf": pl.DataFrame({"a": [1], "b": [2]}),
    "pl": pl,
}


@pytest.mark.parametrize(
    ("fragment", "text", "unconfirmed"),
    [
        ("sales.", 'groupby("nosuch").sum()', ("sales.groupby('nosuch')",)),
        ("sales.", 'groupby(["region", "nosuch"])', ("sales.groupby('nosuch')",)),
        ('sales.groupby("', 'nosuch").sum()', ("sales.groupby('nosuch')",)),
        ("sales.", 'sort_values("cost")', ("sales.sort_values('cost')",)),
        ("sales.", 'merge(other, on="x", how="left")', ("sales.merge('x')",)),
        ("sales.", 'drop(columns=["x"])', ("sales.drop('x')",)),
        ("sales.", 'astype({"x": int})', ("sales.astype('x')",)),
        ("sales.", 'groupby("region").prize.sum()', ("sales.groupby('region').prize",)),
        ("sales.", 'groupby("region")["prize"].sum()', ("sales.groupby('region')['prize']",)),
        ("sales.", 'groupby("region").agg(n=("prize", "sum"))', None),
        ("sales.", 'groupby("region").agg({"prize": "sum"})', None),
        ("sales[sales.price > 0].", 'sort_values("cost")', None),
        ("x = sales.", 'loc[:, "cost"]', ("sales.loc['cost']",)),
        ("sales.", 'query("cost > 1 and price > @low")', ("sales.query(cost)",)),
        ("pf.", 'filter(pl.col("nope") > 1)', ("pf.filter('nope')",)),
        ("pf.", 'group_by("a").agg(pl.col("nope").sum())', None),
        ("pf.", 'sort("nope")', ("pf.sort('nope')",)),
    ],
)
def test_columns_in_calls_that_do_not_exist(
    fragment: str, text: str, unconfirmed: tuple[str, ...] | None
) -> None:
    """A text in a call that must be a column and is none cuts the suggestion, as `df["x"]` does."""
    verdict = checked(fragment, text, "", Names(TABLES))
    assert verdict.unconfirmed if unconfirmed is None else verdict.unconfirmed == unconfirmed
    assert len(verdict.text) < len(text)


@pytest.mark.parametrize(
    "text",
    [
        'sales.groupby("region", as_index=False).price.sum()',
        'sales.groupby("region").size()',
        'sales.groupby("day").sum()',
        'sales.merge(other, on="region", how="left", suffixes=("_a", "_b"))',
        'sales.rename(columns={"price": "cost"}).sort_values("cost")',
        'sales.assign(cost=1).sort_values("cost")',
        'sales["cost"] = 1\nsales.sort_values("cost")',
        'sales.agg("mean")',
        'sales.drop("row")',
        'sales.astype("float32")',
        'sales.reset_index().groupby("index").sum()',
        'sales.pivot_table(values="price", index="region", aggfunc="sum")',
        'sales.filter(items=["price"]).sort_values("price")',
        'sales.loc[:, ["price"]]',
        'sales.query("price > 1 and index < 3 and day > 0")',
        'pf.with_columns(c=pl.col("a")).filter(pl.col("c") > 1)',
        'pf.select(pl.col("a").alias("c")).sort("c")',
        'pf.select("^a.*$", pl.col("*"))',
        'pf.select(pl.lit("anything"), pl.col("a").str.contains("x"))',
    ],
)
def test_texts_in_calls_that_are_no_missing_columns(text: str) -> None:
    """Index levels, new columns, options, row labels and patterns are left alone."""
    verdict = checked("", text, "", Names(TABLES))
    assert (verdict.text, verdict.unconfirmed) == (text, ())


def test_code_that_does_not_parse_is_not_claimed_to_be_checked() -> None:
    """Where the code before the cursor is broken, the names were not checked, which is said."""
    verdict = checked("x = (for\n  df.", "nothing_known()", "", Names(NAMES))
    assert not verdict.checked


def test_a_suggestion_that_breaks_the_code_is_dropped() -> None:
    """What does not parse behind code that does is no suggestion."""
    assert checked("x = ", "y z w", "", Names(NAMES)).text == ""


def test_the_whole_lines_of_a_cut_answer_stay() -> None:
    """An answer that ends in the middle keeps its whole lines."""
    verdict = checked("def f(a):\n    ", "b = a\n    return 'unfin", "", Names(NAMES))
    assert verdict.text == "b = a"
