"""What live objects offer at a cursor, and that nothing of them runs for it."""

from __future__ import annotations

import functools
import os
from collections import OrderedDict
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.grounding.completing.evaluating import Names
from aiex_ipy.grounding.completing.offers import MOST_OFFERS, Offers, offers_at
from aiex_ipy.grounding.completing.place import WINDOW_CHARACTERS, place_of


class Basket:
    __slots__ = ("_secret", "apples", "pears")

    def add(self, apples: int, /, pears: int = 0, *, fresh: bool = True) -> Basket:
        return self

    @property
    def total(self) -> int:
        raise AssertionError("a property was read")

    @staticmethod
    def weigh(grams: int, scale: str = "") -> int:
        return grams

    @classmethod
    def empty(cls, size: int = 0) -> None: ...


class Box:
    def __init__(self, width: int, height: int = 1) -> None:
        self.width = width
        self.lid = {"colour": "red"}


class Spy:
    """Notes every method of it that runs."""

    ran: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        Spy.ran.append(name)
        raise AttributeError(name)

    def _note(self, *args: Any) -> Any:
        Spy.ran.append("special")
        raise RuntimeError

    __dir__ = __len__ = __iter__ = __repr__ = __eq__ = __bool__ = __contains__ = _note
    __getitem__ = keys = items = _ipython_key_completions_ = _note
    __hash__ = object.__hash__

    @property
    def seen(self) -> Any:
        return self._note()

    def plain(self, depth: int = 1) -> None: ...


def scale(first: int, second: int = 1, *, third: int = 2, **more: int) -> str:
    return ""


@functools.wraps(scale)
def wrapped(*args: Any, **kwargs: Any) -> Any:
    return scale(*args, **kwargs)


frame = pd.DataFrame({"price": [1.0], "product name": ["a"], "qty": [2], 7: [1]})
NAMES: dict[str, Any] = {
    "df": frame,
    "grouped": frame.groupby("qty"),
    "levels": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_product([["top"], ["a", "b"]])),
    "series": pd.Series([1], index=["first row"]),
    "cities": pl.DataFrame({"city": ["x"], "price": [1]}),
    "lazy": pl.DataFrame({"city": ["x"]}).lazy(),
    "table": pa.table({"column_a": [1]}),
    "data": xr.Dataset({"temperature": ("t", [1])}),
    "records": np.zeros(2, dtype=[("mass", "f8"), ("name", "U3")]),
    "cfg": {"alpha": {"beta": {"it's": 1}}, 3: 4, (1, 2): 5, "also": [{"x": 1}]},
    "ordered": OrderedDict(first=1),
    "basket": Basket(),
    "box": Box(1),
    "spy": Spy(),
    "holder": {"spy": Spy()},
    "scale": scale,
    "wrapped": wrapped,
    "partial": functools.partial(scale, 1),
    "Basket": Basket,
    "Box": Box,
    "pd": pd,
    "pl": pl,
    "np": np,
    "os": os,
    "größe": 1,
    3: "no name",
}


def offers(fragment: str, suffix: str = "") -> Offers:
    return offers_at(place_of(fragment), Names(NAMES), suffix)  # type: ignore[arg-type]


def texts(fragment: str, suffix: str = "") -> list[str]:
    return [each.text for each in offers(fragment, suffix).items]


@pytest.mark.parametrize(
    ("fragment", "first"),
    [
        ("df.gr", ["groupby"]),
        ("df.pri", ["price"]),
        ('df["pri', ['price"']),
        ("df['pr", ["price'", "product name'"]),
        ('df[["qty", "pri', ['price"']),
        ('df.loc[:, "q', ['qty"']),
        ('df.loc[df.price > 1, ["q', ['qty"']),
        ('series.loc["fi', ['first row"']),
        ('df.groupby("q', ['qty"']),
        ('df.head(3).sort_values(by=["q', ['qty"']),
        ('df.rename(columns={"q', ['qty"']),
        ('df.query("price > 1 and q', ["qty"]),
        ('grouped["pri', ['price"']),
        ('levels["to', ['top"']),
        ('cities["ci', ['city"']),
        ('cities.filter(pl.col("price") > 1).select("ci', ['city"']),
        ('cities.select(pl.col("ci', ['city"']),
        ('pl.col("ci', ['city"']),
        ('table["col', ['column_a"']),
        ('data["tem', ['temperature"']),
        ('records["ma', ['mass"']),
        ('sns.lineplot(data=df, x="q', ['qty"']),
        ('cfg["al', ['alpha"', 'also"']),
        ('cfg["alpha"]["', ['beta"']),
        ("cfg['alpha']['beta']['", ["it\\'s'"]),
        ('cfg["also"][-1]["', ['x"']),
        ('cfg.get("al', ['alpha"', 'also"']),
        ("cfg[", ["'alpha']", "'also']", "3]"]),
        ('ordered["f', ['first"']),
        ('box.lid["', ['colour"']),
        ('os.environ["PAT', ['PATH"']),
        ('os.getenv("PAT', ['PATH"']),
        ('getattr(box, "wi', ['width"']),
        ("basket.app", ["apples"]),
        ("basket.tot", ["total"]),
        ("basket.add(1).pe", ["pears"]),
        ("Box(1).__ini", ["__init__", "__init_subclass__"]),
        ("box.li", ["lid"]),
        ('"abc".spl', ["split", "splitlines"]),
        ("[1].app", ["append"]),
        ("df.price.mea", ["mean"]),
        ('df["product name"].str.upp', ["upper"]),
        ("(df\n   .head()\n   .gro", ["groupby"]),
        ("scale(", ["first=", "second=", "third="]),
        ("scale(1, ", ["second=", "third="]),
        ("scale(third=1, ", ["first=", "second="]),
        ("wrapped(thi", ["third="]),
        ("basket.add(", ["fresh=", "pears="]),
        ("basket.weigh(", ["grams=", "scale="]),
        ("Basket.empty(", ["size="]),
        ("Box(hei", ["height="]),
        ('f"{df.pri', ["price"]),
        ("f\"{cfg['al", ["alpha'", "also'"]),
        ('f"{{{grö', ["größe"]),
        ("grö", ["größe"]),
        ("import jso", ["json"]),
        ("import os, jso", ["json"]),
        ("from xml import do", ["dom"]),
        ("import xml.do", ["dom"]),
        ("from os import getc", ["getcwd", "getcwdb"]),
        ("whi", ["while"]),
        ("isinst", ["isinstance"]),
        ("x = 1\n\nfor row in cities.to_di", ["to_dict", "to_dicts"]),
        ("df = df.dropna()\ndf['q", ["qty'"]),
    ],
)
def test_live_objects_tell_what_fits(fragment: str, first: list[str]) -> None:
    """Names, attributes, columns, keys, arguments and modules are offered where they fit."""
    assert texts(fragment)[: len(first)] == first


@pytest.mark.parametrize(
    "fragment",
    [
        "",
        "1.",
        "x = 3.",
        "# df.pri",
        '"df.pri',
        "def sca",
        "import numpy as n",
        'f"{df.price:',
        "!df.pri",
        "%timeit df.pri",
        "b'df.pri",
        "nowhere.pri",
        'lazy["ci',
        'df.agg({"qty": "pri',
        "}}}))",
        '"""df["pri',
    ],
)
def test_where_nothing_is_known_nothing_is_offered(fragment: str) -> None:
    """Comments, texts, new names, magics and unknown values have no offers."""
    assert offers(fragment).items == ()


def test_what_is_inserted_closes_the_string_once() -> None:
    """The closing quote comes along unless it stands behind the cursor."""
    assert offers('df["pri').items[0].insert == 'ce"'
    assert offers('df["pri', '"]').items[0].insert == "ce"
    assert offers("cfg[", "]").items[0].insert == "'alpha'"


def test_signatures_are_told() -> None:
    """A function's parameters stand beside it, without `self` on an instance."""
    found = {each.text: each for each in offers("basket.").items}
    assert found["add"].detail == "(apples, pears=…, *, fresh=…)"
    assert found["weigh"].detail == "(grams, scale=…)"
    assert found["total"].kind == "property"
    assert [each.text for each in offers("basket.").items][:3] == ["add", "apples", "empty"]


def test_no_code_of_an_object_runs() -> None:
    """Whatever stands at the cursor: no `__getattr__`, `__dir__`, property or container method."""
    Spy.ran.clear()
    for fragment in (
        "spy.",
        "spy.se",
        "spy.seen.x",
        'spy["a',
        "spy[",
        "spy.plain(",
        'holder["spy"].',
        'holder["sp',
        "holder[",
        'spy.get("a',
        'f(data=spy, x="a',
        'getattr(spy, "pl',
        "sp",
        "spy().a",
    ):
        offers(fragment)
    assert Spy.ran == []
    assert texts("spy.pla") == ["plain"]


def test_a_metaclass_is_not_asked() -> None:
    """Classes whose metaclass answers in its own way are read as they are stored."""

    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            raise AssertionError(name)

        def __eq__(cls, other: object) -> bool:
            raise AssertionError

        __hash__ = type.__hash__

    class Odd(metaclass=Meta):
        def method(self) -> None: ...

    for fragment in ("Odd.meth", "odd.meth", "Odd().meth"):
        place = place_of(fragment)
        found = offers_at(place, Names({"Odd": Odd, "odd": object.__new__(Odd)}))
        assert [each.text for each in found.items] == ["method"]


def test_many_names_are_cut_and_counted() -> None:
    """Of 10,000 names the first hundred are offered and all are counted."""
    names = {f"name_{number:05}": number for number in range(10_000)}
    found = offers_at(place_of("name_"), Names(names))
    assert len(found.items) == MOST_OFFERS
    assert found.items[0].text == "name_00000"
    assert found.total == 10_000


def test_a_huge_dict_and_a_wide_table_are_looked_at_in_part() -> None:
    """A million keys, 100,000 columns: as many as fit in the time, and that is said."""
    wide = pd.DataFrame(np.zeros((1, 100_000)), columns=[f"c{n}" for n in range(100_000)])
    names = Names({"big": {f"k{n}": n for n in range(1_000_000)}, "wide": wide})
    for fragment, what in (('big["k1', "keys"), ('wide["c1', "columns")):
        found = offers_at(place_of(fragment), names)
        assert len(found.items) == MOST_OFFERS
        assert found.notices == (f"Only the first 10,000 {what} were looked at.",)


@given(st.text(alphabet="abd._fx \n\t'\"#()[]{}=,:1%\\é", max_size=60))
def test_any_text_has_a_place(fragment: str) -> None:
    """No text makes completion fail, and the word found is the text's end."""
    place = place_of(fragment)
    assert fragment.endswith(place.word)
    assert fragment[place.start :] == place.word or place.kind == "nothing"
    offers(fragment)


@pytest.mark.parametrize("piece", ["x = 1\n", "a", "(", "a.", "'", "f(", "é", '"""\n'])
def test_a_megabyte_is_looked_at_from_its_end(piece: str) -> None:
    """Long texts are read from a line start near their end."""
    place = place_of(piece * (1_000_000 // len(piece)))
    assert len(place.code) <= WINDOW_CHARACTERS
    assert len(offers("x = 1\n" * 200_000 + "df.gr").items) == 1
