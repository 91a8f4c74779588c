"""What a run changed among the names of a namespace."""

from __future__ import annotations

import ast
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from aiex_ipy.grounding.evaluation.names import changes, mark, mentioned


def told(names: dict[str, Any], code: str) -> dict[str, str]:
    """Run `code` in `names`; return how each changed name changed."""
    looked_at = mentioned(ast.parse(code), names)
    before = mark(names, looked_at, ())
    exec(code, names)
    found, left_out = changes(before, names, looked_at, ())
    assert not left_out
    return {each.name: each.how for each in found}


@pytest.mark.parametrize(
    ("made", "code", "how"),
    [
        ("x = 1", "x = 2", "rebound"),
        ("x = 1", "x = 'one'", "rebound"),
        ("x = 1", "del x", "removed"),
        ("", "x = None", "added"),
        ("x = [1]", "x.append(2)", "changed in place"),
        ("x = [1, 2]", "x[0] = 7", "changed in place"),
        ("x = {'a': 1}", "x['a'] = 2", "changed in place"),
        ("x = set()", "x.add(1)", "changed in place"),
        ("x = bytearray(3)", "x[1] = 9", "changed in place"),
        ("import collections; x = collections.deque()", "x.append(1)", "changed in place"),
        ("class K: pass\nx = K()", "x.a = 1", "changed in place"),
        ("import numpy; x = numpy.zeros(4)", "x[2] = 1", "changed in place"),
        (
            "import numpy; x = numpy.zeros((2, 2))",
            "x.resize((4, 1), refcheck=False)",
            "changed in place",
        ),
        ("import pandas; x = pandas.DataFrame({'a': [1]})", "x['b'] = 2", "changed in place"),
        (
            "import pandas; x = pandas.DataFrame({'a': [1]})",
            "x.loc[0, 'a'] = 2",
            "changed in place",
        ),
        ("x = []\ndef f():\n    x.append(1)", "f()", "changed in place"),
        ("x = [1]\ndef f():\n    x[0] = 2", "f()", "changed in place"),
    ],
)
def test_each_kind_of_change_is_told(made: str, code: str, how: str) -> None:
    """A name added, rebound, removed, or whose value was changed in place, also by a function."""
    names: dict[str, Any] = {}
    exec(made, names)
    assert told(names, code) == {"x": how}


@pytest.mark.parametrize("code", ["x", "len(x)", "x[:1]", "x + x", "x is None"])
@pytest.mark.parametrize("value", [[1, 2], "ab", np.arange(3), pd.Series([1, 2]), (1,)])
def test_reading_changes_nothing(code: str, value: Any) -> None:
    """Code that only reads is told to have changed nothing."""
    if isinstance(value, tuple | str | list | np.ndarray | pd.Series):
        assert told({"x": value}, code) == {}


def test_nothing_of_an_object_is_called() -> None:
    """Objects whose every method raises are looked at without calling one."""

    class Spy:
        called: ClassVar[list[str]] = []

        def __getattribute__(self, name: str) -> Any:
            type(self).called.append(name)
            raise RuntimeError(name)

        __len__ = __repr__ = __eq__ = __hash__ = __getattribute__  # type: ignore[assignment]

    names: dict[str, Any] = {"spy": Spy(), "other": 1}
    assert told(names, "other = 2; spy") == {"other": "rebound"}
    assert Spy.called == []


def test_ipythons_own_names_are_left_out() -> None:
    """`_`, `_3`, `_i7` and `__builtins__` are nobody's change."""
    assert told({"_": 1}, "_ = 2; _3 = 4; _i7 = ''; _own = 1") == {"_own": "added"}


def test_a_module_is_not_changed_in_place() -> None:
    """What a module notes for itself, as `plt` its current figure, is no change of the user's."""
    import types

    module = types.ModuleType("plotting")
    before = mark({"plotting": module}, {"plotting"}, ())
    module.current = 1  # type: ignore[attr-defined]
    assert changes(before, {"plotting": module}, {"plotting"}, ()) == ((), 0)
