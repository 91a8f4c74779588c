"""What live objects say of themselves, nothing of theirs being called."""

from __future__ import annotations

import functools
import math
import re
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from aiex_ipy.grounding.documentation import looking


class Shop:
    """A shop."""

    def __init__(self, name: str, size: int = 3) -> None:
        self.name = name

    def sell(self, item: str) -> int:
        """Sell one."""
        return 1

    @property
    def weight(self) -> int:
        """Its weight."""
        return 1

    @staticmethod
    def still() -> None:
        """Static."""


def deco(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*args: Any) -> Any:
        return function(*args)

    return inner


@deco
def wrapped(a: int, b: int = 2) -> int:
    """Inside."""
    return a


@pytest.mark.parametrize(
    ("value", "kind", "name", "said"),
    [
        (Shop, "class", "Shop", "A shop."),
        (Shop("a"), "instance", "Shop", "A shop."),
        (Shop.sell, "function", "Shop.sell", "Sell one."),
        (Shop("a").sell, "function", "Shop.sell", "Sell one."),
        (vars(Shop)["weight"], "function", "Shop.weight", "Its weight."),
        (vars(Shop)["still"], "function", "Shop.still", "Static."),
        (functools.partial(wrapped, 1, b=3), "function", "wrapped", "Inside."),
        (wrapped, "function", "wrapped", "Inside."),
        (len, "built-in function", "len", "Return the number"),
        ("".join, "built-in method", "str.join", "Concatenate"),
        (str.join, "built-in method", "str.join", "Concatenate"),
        (dict.fromkeys, "built-in method", "dict.fromkeys", "Create a new dictionary"),
        (math, "module", "", "This module provides access"),
        (math.sqrt, "built-in function", "sqrt", "Return the square root"),
        (np.add, "ufunc", "add", "add(x1, x2"),
        (np.ndarray.shape, "attribute", "ndarray.shape", "Tuple of array dimensions"),
        (KeyError, "exception", "KeyError", "Mapping key not found"),
        (pd.DataFrame.groupby, "function", "DataFrame.groupby", "Group DataFrame"),
        (np.linspace, "function", "linspace", "evenly spaced"),
        (re.compile("a").match, "built-in method", "Pattern.match", ""),
        (3, "instance", "int", "int("),
        (None, "instance", "NoneType", ""),
    ],
)
def test_each_kind_of_object(value: Any, kind: str, name: str, said: str) -> None:
    """Kind, name where it is defined, and docstring."""
    found = looking.look(value, np.ndarray if kind == "attribute" else None)
    assert (found.kind, found.qualname) == (kind, name)
    assert said in found.docstring


def test_what_stands_around_a_function_is_noted() -> None:
    """Arguments given to a partial, a property, a decorator."""
    assert "1, b=3" in looking.look(functools.partial(wrapped, 1, b=3)).notes[0]
    assert "property" in looking.look(vars(Shop)["weight"]).notes[0]
    assert "decorator" in looking.look(wrapped).notes[0]
    assert looking.look(wrapped).signature == "def wrapped(a: int, b: int = 2) -> int"


def test_signatures() -> None:
    """Of functions as written, of classes as they are called."""
    assert "item" in looking.look(Shop.sell).signature
    assert looking.look(Shop).signature.startswith("class Shop(name: str, size: int")


def test_nothing_is_called() -> None:
    """An object and a class whose every access raises are described."""

    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            raise RuntimeError(name)

    class Spy(metaclass=Meta):
        """A spy."""

        touched: ClassVar[list[str]] = []

        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(name)

        __repr__ = __len__ = __eq__ = __hash__ = __getattribute__  # type: ignore[assignment]

    assert looking.look(Spy()).docstring == "A spy."
    assert looking.look(Spy).qualname.endswith("Spy")


def test_names_are_walked_statically() -> None:
    """`shop.sell` without a property being asked; what is not there is told with what is."""
    shop = Shop("a")
    assert looking.walk(shop, "shop", ["name"])[0] == "a"
    assert looking.walk(shop, "shop", ["weight"])[0] is vars(Shop)["weight"]
    with pytest.raises(looking.NotThere) as caught:
        looking.walk(shop, "shop", ["sel"])
    assert "sell" in caught.value.known
    assert looking.imported("os.path.join") is not None
    assert looking.imported("str.join") is not None
    assert looking.imported("never_imported.at.all") is None
