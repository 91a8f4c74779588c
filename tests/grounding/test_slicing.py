"""The backward slice over the cells that ran: which cells made what a name holds."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.slicing import slice_cells, slice_statements


def ran(*codes: str | tuple[str]) -> list[RanCell]:
    """Cells that ran in this order; one in a tuple failed."""
    return [
        RanCell(number=n, code=code if isinstance(code, str) else code[0], ok=isinstance(code, str))
        for n, code in enumerate(codes, 1)
    ]


def behind(names: str, *codes: str | tuple[str], **given: Any) -> list[int | None]:
    return [cell.number for cell in slice_cells(ran(*codes), names.split(), **given)]


MAKE = """\
def make():
    n = [0]
    def more():
        n[0] += 1
        return n[0]
    return more
"""
COUNTER = """\
class C:
    def __init__(self):
        self.n = 0
    def up(self):
        self.n += 1
"""
BASE = """\
class B:
    def __init__(self, xs):
        self.xs = xs
"""
DERIVED = """\
class D(B):
    def __init__(self, xs):
        super().__init__(xs)
"""
LOG = """\
def log(f):
    def inner(*a):
        calls.append(1)
        return f(*a)
    return inner
"""


def test_of_a_name_rebound_in_three_cells_only_the_last_counts() -> None:
    """Unless the last reads what the one before it bound."""
    assert behind("x", "x = 1", "x = 2", "y = 5", "x = 3") == [4]
    assert behind("x", "x = 1", "x = 2", "y = 5", "x = x + 3") == [2, 4]


def test_cells_stand_in_the_order_they_ran() -> None:
    """Of a cell that ran twice the run that counts is there; `before` leaves out what followed."""
    cells = [RanCell(number=n, code=code) for n, code in ((5, "x = 1"), (2, "y = x"), (7, "x = 2"))]
    assert [cell.number for cell in slice_cells(cells, ["y"])] == [5, 2]
    assert [cell.number for cell in slice_cells(cells, ["x"], before=2)] == [5]
    assert [cell.number for cell in slice_cells(cells, ["x"])] == [7]


@pytest.mark.parametrize(
    ("names", "codes", "expected"),
    [
        ("a", ["a = []", "z = 3", "b = a", "b.append(z)", "q = 1"], [1, 2, 3, 4]),
        (
            "df",
            [
                "import pandas as pd",
                "df = pd.read_csv('x')",
                "other = pd.DataFrame()",
                "df2 = df",
                "df2['x'] = 1",
                "df.drop(columns='a', inplace=True)",
                "print(df.head())",
            ],
            [1, 2, 4, 5, 6],
        ),
        (
            "d",
            ["d = {'k': []}", "d['k'].append(1)", "e = d['k']", "e.append(2)", "del d['k']"],
            [1, 2, 3, 4, 5],
        ),
        ("n", ["n = 1", "n += 1", "m = n", "m += 1"], [1, 2]),
        ("xs", ["xs = [1]", "ys = xs", "ys += [2]", "zs = xs + [3]", "zs.append(4)"], [1, 2, 3]),
        ("xs", ["xs = [3, 1]", "import random", "random.shuffle(xs)", "len(xs)"], [1, 2, 3]),
        ("xs", ["xs = []", "add = xs.append", "add(1)", "xs.copy().append(2)"], [1, 2, 3]),
        (
            "rows",
            ["rows = [[1], [2]]", "for row in rows:\n    row.append(0)", "k = len(rows)"],
            [1, 2],
        ),
        ("x", ["x = 1", "del x", "y = 2"], [1, 2]),
        (
            "cfg",
            [
                "from types import SimpleNamespace",
                "cfg = SimpleNamespace()",
                "cfg.a = 1",
                "b = cfg.a",
            ],
            [1, 2, 3],
        ),
    ],
)
def test_changes_in_place_count_also_through_an_alias(
    names: str, codes: list[str], expected: list[int]
) -> None:
    """What changes the object is in, whatever name it goes by; what only looks is not."""
    assert behind(names, *codes) == expected


@pytest.mark.parametrize(
    ("names", "codes", "expected"),
    [
        (
            "n",
            ["n = 0", "def f():\n    global n\n    n += 1", "def g():\n    f()", "g()", "y = 1"],
            [1, 2, 3, 4],
        ),
        ("n", ["n = 0", "def f():\n    global n\n    n += 1", "y = 1"], [1]),
        (
            "xs",
            [
                "xs = []",
                "k = 2",
                "def f(a):\n    a.append(k)",
                "def g(a):\n    len(a)",
                "g(xs)",
                "f(xs)",
            ],
            [1, 2, 3, 6],
        ),
        ("xs", ["xs = []", "def f(a):\n    return a", "ys = f(xs)", "ys.append(1)"], [1, 2, 3, 4]),
        (
            "t",
            [
                MAKE,
                "more = make()",
                "other = make()",
                "other()",
                "more()",
                "t = more()",
            ],
            [1, 2, 5, 6],
        ),
        (
            "c",
            [
                COUNTER,
                "c = C()",
                "d = C()",
                "d.up()",
                "c.up()",
                "print(c.n)",
            ],
            [1, 2, 5],
        ),
        (
            "d",
            [
                BASE,
                DERIVED,
                "xs = []",
                "d = D(xs)",
                "xs.append(1)",
            ],
            [1, 2, 3, 4, 5],
        ),
        (
            "y",
            [
                "calls = []",
                LOG,
                "@log\ndef f(x):\n    return x",
                "y = f(1)",
                "z = 2",
            ],
            [1, 2, 3, 4],
        ),
        (
            "calls",
            [
                "calls = []",
                LOG,
                "@log\ndef f(x):\n    return x",
                "y = f(1)",
                "z = 2",
            ],
            [1, 2, 3, 4],
        ),
        ("k", ["k = 1", "def f():\n    return k", "y = f()", "k = 2"], [4]),
        ("f", ["k = 1", "def f():\n    return k", "k = 2"], [2, 3]),
        ("total", ["seen = []", "total = sum(map(lambda x: seen.append(x) or x, [1, 2]))"], [1, 2]),
        ("seen", ["seen = []", "total = sum(map(lambda x: seen.append(x) or x, [1, 2]))"], [1, 2]),
    ],
)
def test_functions_are_followed_where_they_are_called(
    names: str, codes: list[str], expected: list[int]
) -> None:
    """A function's `global`, its parameters, its closure, its class: the cell that calls it counts
    when it changes something, not the one that only defines it."""
    assert behind(names, *codes) == expected


@pytest.mark.parametrize(
    ("names", "codes", "expected"),
    [
        (
            "x",
            ["a = 1", "b = 2", "c = 3", "if a:\n    x = b\nelse:\n    x = c", "d = 4"],
            [1, 2, 3, 4],
        ),
        ("x", ["x = 0", "a = 1", "if a:\n    x = 1", "y = x"], [1, 2, 3]),
        ("x", ["x = 0", "for i in range(3):\n    y = x\n    x = y + 1"], [1, 2]),
        ("y", ["data = [1]", "w = 2", "[y := w for _ in data]", "z = 1"], [1, 2, 3]),
        ("x", ["try:\n    import json as x\nexcept ImportError:\n    x = None", "z = 1"], [1]),
        ("b", ["p = (1, 2)", "match p:\n    case (a, b):\n        pass", "z = 1"], [1, 2]),
        ("f", ["path = 'x'", "with open(path) as f:\n    t = f.read()", "z = 1"], [1, 2]),
        ("a", ["p = 1", "q = 2", "a, b = p, q", "z = 1"], [1, 2, 3]),
        (
            "r",
            ["xs = [1]", "g = (x * k for x in xs)", "k = 3", "r = list(g)", "q = 2"],
            [1, 2, 3, 4],
        ),
        ("b", ["a = []", "b = []", "a, b = b, a", "a.append(1)"], [1, 2, 3]),
        ("x", ["x = 1", "y = [x for x in range(3)]"], [1]),
        ("z", ["a = [0]", "g = (x for x in a)", "y = list(g)", "z = list(g)"], [1, 2, 3, 4]),
    ],
)
def test_compound_statements_and_scopes(names: str, codes: list[str], expected: list[int]) -> None:
    """What may not have run leaves the earlier definition in; what always binds takes it out."""
    assert behind(names, *codes) == expected


@pytest.mark.parametrize(
    ("names", "codes", "expected"),
    [
        ("x", ["y = 1", "%time x = y", "!ls"], [1, 2]),
        ("out", ["x = 3", "%%capture out\nprint(x)", "y = 2"], [1, 2]),
        ("x", ["%%time\nx = 1", "%matplotlib inline", "y = 2"], [1]),
        ("x", ["x = 1", "%%timeit\nx = 2", "y = 2"], [1]),
        ("files", ["where = '.'", "files = !ls {where}", "y = 2"], [2]),
        ("x", ["x = 1", "%run script.py", "y = 3"], [1, 2]),
        ("x", ["x = 1", "exec(open('f').read())", "y = 3"], [1, 2]),
        ("x", ["x = 1", "y = 4", "exec('x = y')", "z = 3"], [2, 3]),
        ("x", ["globals()['x'] = 1", "y = 3"], [1]),
        ("x", ["x = 1", "%%bash\necho $x", "x = (", "y = 1"], [1]),
    ],
)
def test_magics_and_code_that_cannot_be_seen(
    names: str, codes: list[str], expected: list[int]
) -> None:
    """Magics that run Python count as it does; what cannot be seen may have changed anything."""
    assert behind(names, *codes) == expected


def test_import_star_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """By `__all__` or the module's names where it is loaded; else it may have bound anything."""
    assert behind("sqrt", "sqrt = 1", "from math import *", "x = 1") == [2]
    assert behind("x", "x = 1", "from math import *") == [1]
    shop = ModuleType("shop_of_a_test")
    shop.__dict__.update(__all__=["price"], cost=1, price=2)
    monkeypatch.setitem(sys.modules, "shop_of_a_test", shop)
    assert behind("price cost", "cost = price = 1", "from shop_of_a_test import *") == [1, 2]
    assert behind("cost", "cost = price = 1", "from shop_of_a_test import *") == [1]
    assert behind("x", "x = 1", "from nowhere_at_all import *", "y = x") == [1, 2]


def test_of_a_cell_that_failed_half_way_any_statement_may_have_run() -> None:
    """But the last did not come to its end, and a cell that does not parse did not begin."""
    assert behind("x", "x = []", ("x.append(1)\n1 / 0\nx = 5",), "y = 3") == [1, 2]
    assert behind("x", "x = 1", ("x = 1 / 0",)) == [1]
    assert behind("x", "x = 1", ("x = 2\n1 / 0",)) == [1, 2]
    assert behind("x", "x = 1", ("x = = 2",)) == [1]


def test_names_that_are_one_object_now_are_aliases() -> None:
    """What no source tells, the namespace does: `b` is what an unknown call gave for `a`."""
    codes = ["a = make()", "b = pd_like.same(a)", "b['x'] = 1", "c = 2"]
    value: list[int] = []
    assert behind("a", *codes, live={"a": value, "b": value, "c": 2}) == [1, 2, 3]


def test_no_method_of_a_live_object_is_called() -> None:
    """Identity is all that is looked at."""

    class Spy:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

        def __eq__(self, other: object) -> bool:
            raise AssertionError

        def __hash__(self) -> int:
            raise AssertionError

        def __bool__(self) -> bool:
            raise AssertionError

    spy = Spy()
    assert behind("a", "a = f()", "b = g()", live={"a": spy, "b": spy}) == [1, 2]


def test_a_cell_tells_which_of_its_statements_matter() -> None:
    """By their lines."""
    (cell,) = slice_statements(ran("a = 1\nb = 2\nfor i in range(3):\n    a += i\nc = b"), ["a"])
    assert cell.lines == ((1, 1), (3, 4))


NAMES = ("a", "b", "c", "d")
name = st.sampled_from(NAMES)
number = st.integers(0, 9)
statement = st.one_of(
    st.builds("{} = {}".format, name, number),
    st.builds("{} = [{}]".format, name, number),
    st.builds("{} = {}".format, name, name),
    st.builds("{} = [{}, {}]".format, name, name, name),
    st.builds("{} = {} + {}".format, name, name, name),
    st.builds("{} += {}".format, name, name),
    st.builds("{}.append({})".format, name, name),
    st.builds("{}[0] = {}".format, name, name),
    st.builds("{} = {}[0]".format, name, name),
    st.builds("{} = {}[:1]".format, name, name),
    st.builds("{}[0].append({})".format, name, number),
    st.builds("{} = len({})".format, name, name),
    st.builds("{}, {} = {}, {}".format, name, name, name, name),
    st.builds("if {}:\n    {} = {}".format, name, name, name),
    st.builds("for {} in list({})[:3]:\n    {} = {}".format, name, name, name, name),
    st.builds("for {} in list({})[:3]:\n    {}.append({})".format, name, name, name, number),
    st.builds("def f(x):\n    x.append({})\n    return {}".format, name, name),
    st.builds("def f(x):\n    global {}\n    {} = x".format, name, name).map(
        lambda text: text.replace("global a\n    b", "global b\n    b")
    ),
    st.builds("def f(x, y=[]):\n    y.append(x)\n    return y".format),
    st.builds("{} = f({})".format, name, name),
    st.builds("f({})".format, name),
    st.builds("{} = lambda x: {}".format, st.just("f"), name),
    st.builds("{} = [{} for x in {}]".format, name, st.sampled_from(("x", *NAMES)), name),
    st.builds(
        "try:\n    {} = {}[5]\nexcept Exception:\n    {} = {}".format, name, name, name, name
    ),
    st.builds("g = (x for x in {})".format, name),
    st.builds("g = {}({})".format, st.sampled_from(("iter", "reversed", "enumerate")), name),
    st.builds("{} = next(g)".format, name),
    st.builds("{} = g".format, name),
    st.builds("{} = list(g)".format, name),
    st.builds("{}.extend({})".format, name, name),
)


def run_all(codes: list[str], namespace: dict[str, Any]) -> list[tuple[str, bool]]:
    """Run cells as a notebook does; those that fail, fail."""
    done = []
    for code in codes:
        try:
            exec(code, namespace)
        except Exception:
            done.append((code, False))
        else:
            done.append((code, True))
    return done


def shown(value: object) -> str:
    """The value as text, without addresses."""
    return re.sub("0x[0-9a-f]+", "", repr(value))


@settings(max_examples=300, deadline=None)
@given(st.lists(statement, min_size=3, max_size=14), name)
def test_the_slice_alone_gives_the_same_value(codes: list[str], target: str) -> None:
    """Running only the cells of the slice in a fresh namespace gives a name the value that running
    all gave it."""
    start = ["a = 1", "b = [2]", "c = [b]", "d = 0", "def f(x):\n    return x", "g = iter([])"]
    whole: dict[str, Any] = {}
    done = run_all([*start, *codes], whole)
    cells = [RanCell(number=n, code=code, ok=ok) for n, (code, ok) in enumerate(done)]
    part = slice_cells(cells, [target])
    alone: dict[str, Any] = {}
    run_all([cell.code for cell in part], alone)
    assert shown(alone[target]) == shown(whole[target])


@settings(max_examples=100, deadline=None)
@given(st.lists(statement, max_size=8), st.lists(number, min_size=5, max_size=5))
def test_cells_that_have_nothing_to_do_with_it_stay_out(
    codes: list[str], numbers: list[int]
) -> None:
    """Whatever else runs under other names, the slice of three cells is these three."""
    own = ["left = [1]", "right = left", f"right.append({numbers[0]})"]
    start = ["a = 1", "b = [2]", "c = [b]", "d = 0", "def f(x):\n    return x", "g = iter([])"]
    cells = ran(*start, own[0], *codes[:3], own[1], *codes[3:], own[2])
    assert [cell.code for cell in slice_cells(cells, ["left"])] == own


def test_code_that_calls_itself_in_every_way_ends() -> None:
    """What is followed in one step is bounded: a module of the standard library as a cell."""
    import tabnanny
    from pathlib import Path

    cells = ran(Path(tabnanny.__file__).read_text("utf-8"), "x = main()", "y = 1")
    assert 1 in [cell.number for cell in slice_cells(cells, ["x"])]


def test_cells_that_only_look_are_no_makers() -> None:
    """Shown tables, failed calls and questions to aiex made nothing of a table."""
    import pandas as pd

    df = pd.DataFrame({"k": [1]})
    codes = (
        "import pandas as pd",
        "df = pd.DataFrame({'k': [1]})",
        "pd.DataFrame({'z': [1]})",
        ("df.mrge(df)",),
        ("m3 = df.merge(df, on='nosuch')",),
        ("nosuch(df)",),
        "df.plot()",
        "ai_doc(df.merge)",
        "r = ai_debug(df)",
        "%aiex debug df",
        "pd.set_option('display.width', 9)",
        "df['n'] = 2",
        "df.insert(0, 'x', 1)",
        "change(df)",
    )
    live = {"pd": pd, "df": df, "r": 1, "ai_doc": print, "change": print}
    assert behind("df", *codes, live=live) == [1, 2, 12, 13, 14]
