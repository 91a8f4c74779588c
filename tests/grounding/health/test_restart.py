"""What a restart and run of all cells would break, against what Python does: by cell, and whether
an order mends it."""

from __future__ import annotations

import json

import pytest

from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.gather import gather
from aiex_ipy.grounding.health.record import saved_cells
from aiex_ipy.grounding.health.restart import (
    Order,
    missing_names,
    unreadable_cells,
    working_order,
)
from aiex_ipy.grounding.notebook import Cells, read_notebook


def subject(*codes: str) -> Subject:
    cells = [
        {"cell_type": "code", "source": code, "execution_count": at, "outputs": []}
        for at, code in enumerate(codes, 1)
    ]
    return Subject(path="n.ipynb", text=json.dumps({"cells": cells}), language="notebook")


def read(*codes: str) -> Cells:
    return read_notebook(subject(*codes))


def order(*codes: str) -> Order:
    cells = read(*codes)
    saved = saved_cells(cells)
    return working_order(saved, cells.known, unreadable_cells(saved, "n.ipynb"))


def stops(*codes: str) -> tuple[int | None, int | None]:
    """The first cell that surely misses a name, and the first that may."""
    cells = read(*codes)
    missing = missing_names(saved_cells(cells), cells.known)
    sure = min((each.cell for each in missing if each.sure), default=None)
    return sure, min((each.cell for each in missing if not each.sure), default=None)


@pytest.mark.parametrize(
    ("codes", "why"),
    [
        (["print(ghost)", "print(t)", "t = 1"], "cell 1 stops: no cell defines `ghost`"),
        (["a = 1", "def f(:"], "cell 2 cannot be read as Python"),
        (["a = (", "print(b)", "b = 1"], "cell 1 cannot be read as Python"),
        (["a = 1\nreturn a"], "cell 1 cannot be read as Python"),
        (["a = b", "b = a"], "cells 1 and 2 need each other"),
        (["print(a)\na = 1"], "cell 1 stops: `a` is defined only further down, in the same cell"),
        (["n = 1", "def f():\n    n += 1\nf()"], "cell 2 stops: `n` is a function's own name, "
         "read before the function sets it"),
        (["k = 1\ndel k\nprint(k)"], "cell 1 stops: `k` is deleted in the same cell"),
    ],
)  # fmt: skip
def test_where_no_order_works_it_is_said_why(codes: list[str], why: str) -> None:
    """The order stays the given one, and no cell is said to move."""
    found = order(*codes)
    assert (found.works, found.moved, found.why) == (False, (), (why,))
    assert found.cells == tuple(range(1, len(codes) + 1))


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["tot += 1", "tot = 0"], (2, 1)),
        (["n = n + 1", "n = n + 1", "n = 0"], (3, 1, 2)),
        (["K = 1", "del K", "print(K)"], (1, 3, 2)),
        (["def f() -> Later:\n    return 1", "class Later: pass"], (2, 1)),
        (["print(a)\na = 1", "a = 2"], (2, 1)),
        (["a = 1", "def f(x, *y: list, **z: dict) -> None: ...", "f(a)"], (1, 2, 3)),
    ],
)
def test_an_order_mends_what_the_given_one_breaks(
    codes: list[str], expected: tuple[int, ...]
) -> None:
    """Cells that need a name themselves do not define it; who uses a name comes before who
    deletes it."""
    found = order(*codes)
    assert (found.works, found.cells, found.why) == (True, expected, ())


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["if False:\n    print(ghost)", "if not True:\n    z = 1", "print(z)"], (3, None)),
        (["while False:\n    z = 1\nelse:\n    print(z)"], (1, None)),
        (["for j in []:\n    print(ghost)", "print(j)"], (2, None)),
        (["import os\nif os.name:\n    print(later)", "later = 1"], (None, 1)),
        (["def on(cb): pass", "on(lambda: late)", "late = 1"], (None, None)),
        (["rows = sorted([1], key=lambda r: late)", "late = 1"], (None, 1)),
        (["def g():\n    yield late", "it = g()", "late = 1", "list(it)"], (None, 2)),
        (["async def f():\n    return late", "await f()", "late = 1"], (2, None)),
        (["async def f():\n    return late", "t = f()", "late = 1", "await t"], (None, 2)),
        (["class A:\n    n = 3\n    xs = [i for i in range(n)]"], (None, None)),
        (["class A:\n    n = 3\n    xs = [n for i in range(2)]"], (1, None)),
        (["def f():\n    y: Unknown = 2\nf()"], (None, None)),
        (["y: Unknown = 2"], (1, None)),
        (["%%bash\necho total", "print(total)", "!ls {out}\nprint(out)"], (2, None)),
        (["x = 1", "%reset -f\ny = 2", "print(y)", "print(x)"], (4, None)),
        (["%%bash --out total\necho 1", "print(total)"], (None, None)),
        (["from __future__ import annotations", "def f(x: L) -> L: ...", "class L: ..."],
         (None, None)),
        (["try:\n    import nosuch\n    print(late)\nexcept ImportError:\n    pass", "late = 1"],
         (None, 1)),
        (["from contextlib import suppress\nwith suppress(NameError):\n    print(gone)"],
         (None, None)),
        (["x = 1 or gone\nassert x, gone"], (None, 1)),
        (["list = [1]", "del list", "print(list('ab'))"], (None, None)),
        (["a = b = 1", "del (a, [b])", "print(b)"], (3, None)),
        (["def o():\n    def i():\n        return v\n    r = i()\n    v = 1\n    return r", "o()"],
         (2, None)),
        (["c = 0", "def inc():\n    global c\n    c += 1", "inc()"], (None, None)),
        (["class A:\n    m = __qualname__\n    def f(self):\n        return __class__", "A().f()"],
         (None, None)),
        (["def f(x):\n    if x:\n        y = 1\n    return [x for x in range(x)], y", "f(1)"],
         (None, None)),
    ],
)  # fmt: skip
def test_where_a_restart_stops_is_where_python_does(
    codes: list[str], expected: tuple[int | None, int | None]
) -> None:
    """Surely, or in a branch, loop or callback that may not come."""
    assert stops(*codes) == expected


def test_a_name_that_no_cell_defines_is_told_once() -> None:
    """By ruff where it says so, with the loss of score that goes with it."""
    (facts,) = gather([subject("print(ghost)", "print(_total)\n_total = 1")])
    assert [each.rule for each in facts.issues if "ghost" in each.message] == ["F821"]
    assert "AX302" in [each.rule for each in facts.issues]
