"""Attributes, keys, columns and indexes that are not there."""

import pytest

from aiex_ipy.grounding.diagnosis.diagnose import diagnose

FRAME = "import pandas as pd\ndf = pd.DataFrame({'price': [1, 2], ' Name ': ['a', 'b'], 'n_x': 1})"
ARRAY = "import numpy as np\na = np.zeros((2, 3))"
CASES = [
    (["'a'.uper()"], "near-miss-attribute", "'upper'", "'a'.upper()"),
    ([FRAME, "df.prcie"], "near-miss-column", "'price'", "df.price"),
    (
        [FRAME, "df['name'].str.len()"],
        "near-miss-column",
        "case and white space",
        "df[' Name '].str.len()",
    ),
    ([FRAME, "df.groupby('price').agg({'n': 'sum'})"], "merge-suffix", "'n_x'", None),
    ([FRAME, "df.append({})"], "removed-name", "pandas 2.0", None),
    ([FRAME, "df.iteritems()"], "removed-name", "pandas 2.0", "df.items()"),
    ([FRAME, "df.loc[0, 'Price']"], "near-miss-column", "'price'", "df.loc[0, 'price']"),
    ([FRAME, "df[' Name '].split(' ')"], "wrong-type", "str", "df[' Name '].str.split(' ')"),
    ([ARRAY, "np.float_(3)"], "removed-name", "numpy 2.0", "np.float64(3)"),
    ([ARRAY, "a.append(3)"], "wrong-type", "list", None),
    (
        ["import datetime", "datetime.now()"],
        "module-for-class",
        "datetime.datetime",
        "datetime.datetime.now()",
    ),
    (["b'a'.format(1)"], "wrong-type", "str", "b'a'.decode().format(1)"),
    (["d = {'a': 1}", "d.has_key('a')"], "removed-name", "Python 3", None),
    (["xs = 'a b'.split", "xs.count('a')"], "not-called", "parentheses", "xs().count('a')"),
    (["d = {'user': {'name': 1}}", "d['name']"], "nested-key", "'user'", "d['user']['name']"),
    (["d = {1: 'a'}", "d['1']"], "key-type", "(int)", "d[1]"),
    (["d = {}", "d['a']"], "empty", "empty", None),
    (["import os", "os.environ['AIEX_NO_SUCH_VARIABLE']"], "missing-variable", "not set", None),
    (
        ["xs = [1, 2]", "for i in range(len(xs)+1):\n    xs[i]"],
        "off-by-one",
        "range(len(xs) + 1)",
        "for i in range(len(xs)):\n    xs[i]",
    ),
    (
        ["xs = [1, 2]", "for i in range(len(xs)):\n    xs[i+1]"],
        "off-by-one",
        "one past the end",
        "for i in range(len(xs) - 1):\n    xs[i+1]",
    ),
    (["xs = [1, 2]", "xs[-3]"], "index-out-of-range", "before the beginning", None),
    (["xs = [n for n in [] if n]", "xs[0]"], "empty-sequence", "empty", None),
    ([ARRAY, "a[2, 1]"], "off-by-one", "axis 0", None),
    ([ARRAY, "a[0, 0, 0]"], "too-many-indices", "2 dimensions", None),
    (["rows = 'a,b'", "rows.split(',')[2]"], "index-out-of-range", "2 parts", None),
    (["xs = []", "xs.pop()"], "empty-sequence", "nothing left", None),
]


@pytest.mark.parametrize(("cells", "rule", "words", "after"), CASES)
def test_the_cause_is_named(debugged, cells, rule, words, after):
    """The first diagnosis is of this rule, names this, and mends the text exactly so."""
    first = debugged(*cells)[0]
    assert (first.rule, words in first.cause) == (rule, True), first
    assert (first.fix.after if first.fix else None) == after


def test_polars_columns(debugged):
    """A column polars does not find is compared with those the frame has."""
    first = debugged(
        "import polars as pl\ndf = pl.DataFrame({'price': [1]})", "df.select('prise')"
    )[0]
    assert (first.rule, "'price'" in first.cause) == ("near-miss-column", True)


QUIET = [
    ["class A:\n    def __getattr__(self, name):\n        raise AttributeError(name)\nA().zzz"],
    ["d = {'a': 1}", "raise KeyError('b')"],
    ["raise IndexError('x')"],
    ["xs = [1]", "raise IndexError('list index out of range')"],
    ["raise AttributeError('x')"],
]


@pytest.mark.parametrize("cells", QUIET)
def test_quiet_where_the_facts_do_not_hold(debugged, cells):
    """The same exceptions raised by hand, or by a class's own method, are not explained away."""
    assert debugged(*cells) == ()


def test_no_method_of_the_object_runs(session):
    """An object whose every method notes that it ran is spoken of, and none has run."""
    session.run(
        "ran = []\nclass Spy:\n"
        + "".join(
            f"    def __{name}__(self, *a):\n        ran.append('{name}')\n        raise OSError\n"
            for name in ("repr", "str", "len", "iter", "eq", "hash", "bool", "getitem", "dir")
        )
        + "    @property\n    def price(self):\n        ran.append('price')\nspy = Spy()"
    )
    for code in ("spy.prcie", "spy[0]", "spy + None", "{'a': 1}[spy]", "spy()", "len(spy)"):
        error = session.run(code)
        session.names["ran"].clear()
        found = diagnose(session.moment(error))
        assert session.names["ran"] == [], code
        if code == "spy.prcie":
            assert found[0].rule == "near-miss-attribute"
