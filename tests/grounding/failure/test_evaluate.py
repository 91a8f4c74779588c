"""Looking at live values runs none of the user's code."""

from __future__ import annotations

import ast
import types
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.grounding.failure.evaluate import Scope, evaluate
from aiex_ipy.grounding.failure.moment import Moment


def value(text: str, **names: Any) -> tuple[bool, Any]:
    return evaluate(ast.parse(text, mode="eval").body, Scope(names))


class Spy:
    """Notes every call of a method of its own."""

    calls: list[str] = []  # noqa: RUF012

    def __init__(self) -> None:
        self.plain = 3

    def __getattribute__(self, name: str) -> Any:
        Spy.calls.append(f"__getattribute__ {name}")
        return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:
        Spy.calls.append("__getattr__")
        raise AttributeError(name)

    @property
    def area(self) -> int:
        Spy.calls.append("area")
        return 1


for _name in ("len", "getitem", "eq", "hash", "repr", "str", "bool", "add", "index", "lt", "iter"):

    def _method(self: Spy, *args: Any, _name: str = _name) -> Any:
        Spy.calls.append(_name)
        return 1

    setattr(Spy, f"__{_name}__", _method)


class Slotted:
    __slots__ = ("here", "never")

    def __init__(self) -> None:
        self.here = 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rows[i + 1]", 30),
        ("rows[-1]", 30),
        ("rows[i:]", [20, 30]),
        ("len(rows)", 3),
        ("len(rows) - 1 == i", False),
        ("settings['a']['b']", 1),
        ("spy.plain", 3),
        ("slotted.here", 5),
        ("frame['price'].dtype", np.dtype("int64")),
        ("frame.price.shape", (2,)),
        ("frame.shape", (2, 2)),
        ("len(frame)", 2),
        ("rows[at]", 20),
        ("lazy['price'].name", "price"),
        ("name is None", True),
        ("not i", False),
        ("module.constant", 7),
        ("settings is None or i", 1),
    ],
)
def test_what_is_plain_is_known(text: str, expected: Any) -> None:
    """Names, attributes, subscripts, and arithmetic of plain numbers have their values."""
    module = types.ModuleType("module")
    vars(module)["constant"] = 7
    found = value(
        text,
        rows=[10, 20, 30],
        i=1,
        settings={"a": {"b": 1}},
        spy=Spy(),
        slotted=Slotted(),
        frame=pd.DataFrame({"price": [1, 2], "shape": [3, 4]})
        if "frame.shape" not in text
        else pd.DataFrame({"price": [1, 2], "cost": [3, 4]}),
        lazy=pl.DataFrame({"price": [1, 2]}),
        array=np.array([4, 5]),
        at=np.int64(1),
        name=None,
        module=module,
    )
    assert found[0]
    assert found[1] == expected


@pytest.mark.parametrize(
    "text",
    [
        "spy.area", "spy[0]", "spy + 1", "spy == 1", "not spy", "rows[spy]", "len(spy)",
        "keyed[1]", "keyed[spy]", "spy < 1", "spy.missing", "rows[spy:]", "slotted.never",
        "f()", "rows.append(1)", "unknown", "10 ** 9 ** 9", "'x' * 10 ** 9", "rows[9]",
        "missing['x']", "[x for x in rows]", "f'{spy}'", "cut[0]", "rows[cut]", "spy and 1",
    ],
)  # fmt: skip
def test_what_would_run_code_is_not_known(text: str) -> None:
    """Properties, operators, `__getitem__`, keys of user classes and calls are left alone."""
    spy, rows, ran = Spy(), [1, 2], []
    keyed = {spy: 1}
    Spy.calls.clear()

    class Missing(dict[str, int]):
        def __missing__(self, key: str) -> int:
            ran.append(key)
            return 1

    names = {"spy": spy, "rows": rows, "keyed": keyed, "f": lambda: ran.append("f")}
    found = value(text, **names, slotted=Slotted(), missing=Missing(), cut=slice(spy, None))
    assert found == (False, None)
    assert (Spy.calls, ran, rows) == ([], [], [1, 2])


def test_a_class_that_answers_for_its_storage_is_not_asked() -> None:
    """A `__dict__` made by a property, `__class__` that lies, metaclass tricks: not run."""
    ran: list[str] = []

    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            ran.append(name)
            return type.__getattribute__(cls, name)

    class Liar(metaclass=Meta):
        x = 4

        @property
        def __dict__(self) -> Any:  # type: ignore[override]
            ran.append("__dict__")
            return {"x": 1}

        @property
        def __class__(self) -> Any:
            ran.append("__class__")
            raise RuntimeError

    liar = Liar()
    ran.clear()
    assert value("liar.x", liar=liar) == (True, 4)
    assert value("liar.y", liar=liar) == (False, None)
    assert ran == []


@given(st.integers(-5, 5), st.integers(-5, 5), st.sampled_from(["+", "-", "*", "//", "<", "=="]))
def test_known_values_are_those_of_python(left: int, right: int, sign: str) -> None:
    """What is calculated is what Python calculates, or not known."""
    text = f"rows[a] {sign} b"
    names = {"rows": list(range(11)), "a": left, "b": right}
    try:
        expected = (True, eval(text, dict(names)))
    except ZeroDivisionError:
        expected = (False, None)
    assert value(text, **names) == expected


def test_a_moment_without_frames_uses_the_namespace() -> None:
    """A wrong value is looked into in the user's namespace."""
    moment = Moment(names={"total": [1, 2]})
    assert moment.value("total[1]") == (True, 2)
    assert moment.value("total[") == (False, None)


def test_a_method_hides_a_column_of_its_name():
    """`df.count` is the method also where a column is called so, as in pandas itself."""
    import pandas as pd

    frame = pd.DataFrame({"count": [1]})
    found, value = evaluate(ast.parse("df.count", mode="eval").body, Scope({"df": frame}))
    assert not found or callable(value)
