"""Values that are wrong without an error: what is said of them, and where nothing is said."""

import io

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")
PD = "import pandas as pd, numpy as np\n"

WRONG = [
    (
        "merge in a function, keys with other names",
        "t",
        [
            f"{PD}a = pd.DataFrame({{'k': ['x', 'y', 'x']}})\n"
            "b = pd.DataFrame({'id': ['x', 'x', 'y'], 'p': [3, 4, 5]})",
            "def joined(l, r):\n    return l.merge(r[['id', 'p']], left_on='k', right_on='id')",
            "t = joined(a, b)['p'].sum()",
        ],
        "merge-grew",
        "duplicate keys, such as 'x'",
    ),
    (
        "uint8 added in a function",
        "t",
        [
            f"{PD}a = np.array([200, 220], dtype='uint8')\nb = np.array([100, 1], dtype='uint8')",
            "def mean_of(p, q):\n    both = p + q\n    return both.mean()",
            "t = mean_of(a, b)",
        ],
        "small-dtype",
        "1 of 2 results overflow and wrap around silently, as 200 + 100 = 300 does, which "
        "becomes 44",
    ),
    (
        "int16 column multiplied",
        "t",
        [f"{PD}q = pd.Series([30000, 20], dtype='int16')", "t = (q * 2).sum()"],
        "small-dtype",
        "1 of 2 results overflow",
    ),
    (
        "uint8 changed in place",
        "t",
        [f"{PD}img = np.array([200, 20], dtype='uint8')", "img += 60", "t = img.mean()"],
        "small-dtype",
        "1 of its values can only have wrapped around",
    ),
    (
        "cast to uint8",
        "t",
        [f"{PD}a = np.array([300, 220])", "t = a.astype(np.uint8).sum()"],
        "small-dtype",
        "a has 1 value beyond uint8",
    ),
    (
        "columns added over *args",
        "t",
        [
            f"{PD}x = pd.Series({{'a': 1.0, 'b': 2.0}})\ny = pd.Series({{'b': 1.0, 'c': 2.0}})",
            "def total(*parts):\n    s = parts[0]\n    for each in parts[1:]:\n"
            "        s = s + each\n    return s",
            "t = total(x, y).sum()",
        ],
        "index-alignment",
        "'a' is only in s; 'c' is only in each",
    ),
    (
        "column assigned with another index",
        "t",
        [
            f"{PD}df = pd.DataFrame({{'a': [1, 2]}})\nmore = pd.Series([1, 2], index=[5, 6])",
            "df['b'] = more",
            "t = df['b'].sum()",
        ],
        "index-alignment",
        "has none for 2 of 2 rows (0, 1)",
    ),
    (
        "mean of unequal groups",
        "t",
        [
            f"{PD}import statistics\ndf = pd.DataFrame({{'g': list('aab'), 'v': [1, 2, 3]}})",
            "per = df.groupby('g').v.mean()",
            "t = statistics.mean(per)",
        ],
        "mean-of-means",
        "groups of 1 to 2 rows",
    ),
    (
        "floats looked up with ==",
        "t",
        [
            f"{PD}hours = np.arange(0, 1, 0.1)",
            "def at(times, when):\n    return (times == when).sum()",
            "t = at(hours, 0.3)",
        ],
        "float-equality",
        "times has 0.30000000000000004, and when is 0.3",
    ),
    (
        "a float in a list of floats",
        "t",
        ["xs = [i * 0.1 for i in range(5)]", "t = 0.3 in xs"],
        "float-equality",
        "`in` compares floats exactly",
    ),
    (
        "a cell run twice",
        "t",
        [
            f"{PD}df = pd.DataFrame({{'p': [1.0]}})",
            "df['p'] = df['p'] * 1.1  # tax",
            "df['p'] = df['p'] * 1.1",
            "t = df['p'].sum()",
        ],
        "run-again",
        "was run twice (In[2] and In[3])",
    ),
    (
        "rows appended twice",
        "t",
        ["rows = []", "rows.append(1)", "rows.append(1)", "t = len(rows)"],
        "run-again",
        "rows.append(1) changes rows",
    ),
    (
        "a sorted table thrown away",
        "t",
        [
            f"{PD}df = pd.DataFrame({{'a': [3, 1]}})",
            "df.sort_values('a')",
            "t = df['a'].iloc[0]",
        ],
        "discarded-result",
        "returns a new DataFrame and leaves df as it is",
    ),
    (
        "a result thrown away in a function",
        "t",
        [
            f"{PD}df = pd.DataFrame({{'a': [1, np.nan]}})",
            "def clean(d):\n    d.dropna()\n    return d",
            "t = len(clean(df))",
        ],
        "discarded-result",
        "d.dropna() returns a new DataFrame",
    ),
    (
        "a text method thrown away",
        "t",
        ["name = ' Bob '", "name.strip()", "t = name == 'Bob'"],
        "discarded-result",
        "name.strip() returns a new str",
    ),
    (
        "functions made in a loop, called in a function",
        "t",
        [
            "rules = {}\nfor n in (1, 2, 3):\n    rules[n] = lambda x: x * n",
            "def priced(x, which):\n    return rules[which](x)",
            "t = priced(10, 1)",
        ],
        "late-binding",
        "(late binding): all see its last value, 3",
    ),
    (
        "an iterator summed twice",
        "t",
        ["m = map(int, '123')", "s = sum(m)", "t = sum(m)"],
        "spent-iterator",
        "already consumed (used up) at In[2], line 1",
    ),
    (
        "dates that can be read both ways",
        "t",
        [
            f"{PD}import io\nfile = io.StringIO('day;n\\n03/04/2024;1\\n05/04/2024;2')",
            "df = pd.read_csv(file, sep=';')\ndf['day'] = pd.to_datetime(df['day'])",
            "t = (df['day'].dt.month == 4).sum()",
        ],
        "month-first",
        "reads dates like '03/04/2024' month first",
    ),
]

RIGHT = [
    (
        "a merge with unique keys on the right",
        "t",
        [
            f"{PD}a = pd.DataFrame({{'k': [1, 2, 2]}})\n"
            "b = pd.DataFrame({'k': [1, 2], 'p': [3, 4]})",
            "t = a.merge(b, on='k')['p'].sum()",
        ],
    ),
    (
        "a merge that is checked",
        "t",
        [
            f"{PD}a = pd.DataFrame({{'k': [1, 2]}})\n"
            "b = pd.DataFrame({'k': [1, 2, 2], 'p': [3, 4, 5]})",
            "t = a.merge(b, on='k', validate='one_to_many')['p'].sum()",
        ],
    ),
    ("small sums", "t", [f"{PD}a = np.array([100, 20], dtype='uint8')", "t = (a + a).sum()"]),
    (
        "wide sums",
        "t",
        [f"{PD}a = np.array([200, 220], dtype='uint8')", "t = (a.astype('int64') + a).sum()"],
    ),
    (
        "groups of one size",
        "t",
        [
            f"{PD}df = pd.DataFrame({{'g': [1, 1, 2, 2], 'v': [1, 2, 3, 4]}})",
            "per = df.groupby('g')['v'].mean()",
            "t = per.mean()",
        ],
    ),
    ("one index", "t", [f"{PD}a = pd.Series([1, 2])\nb = pd.Series([3, 4])", "t = (a + b).sum()"]),
    (
        "dates with the year first",
        "t",
        [
            f"{PD}d = pd.to_datetime(pd.Series(['2024-01-02', '2024-03-04']))",
            "t = d.dt.month.max()",
        ],
    ),
    (
        "dates that are month first for certain",
        "t",
        [
            f"{PD}d = pd.to_datetime(pd.Series(['03/04/2024', '03/25/2024']))",
            "t = d.dt.month.max()",
        ],
    ),
    (
        "dates said to be day first",
        "t",
        [
            f"{PD}d = pd.to_datetime(pd.Series(['03/04/2024']), dayfirst=True)",
            "t = d.dt.month.max()",
        ],
    ),
    ("one change", "x", ["x = 1", "x = x * 2"]),
    ("a cell that begins anew, run twice", "x", ["x = 1\nx = x * 2", "x = 1\nx = x * 2"]),
    (
        "a sorted table shown",
        "t",
        [
            f"{PD}df = pd.DataFrame({{'a': [1, 2]}})",
            "df.sort_values('a')",
            "t = df['a'].iloc[0]",
        ],
    ),
    (
        "a table shown",
        "t",
        [f"{PD}df = pd.DataFrame({{'a': [3, 2]}})", "df.head()", "t = df['a'].iloc[0]"],
    ),
    ("floats that are exact", "t", [f"{PD}h = np.arange(0, 1, 0.25)", "t = (h == 0.5).sum()"]),
    ("a float that is not there", "t", [f"{PD}h = np.arange(0, 1, 0.1)", "t = (h == 0.35).sum()"]),
    (
        "functions that keep their values",
        "t",
        ["fs = [lambda x, p=p: x * p for p in (1, 2)]", "t = fs[0](3)"],
    ),
    ("an iterator used once", "t", ["m = map(int, '123')", "t = sum(m)"]),
]


@pytest.mark.parametrize(
    ("expression", "cells", "rule", "words"), [e[1:] for e in WRONG], ids=[e[0] for e in WRONG]
)
def test_the_cause_of_a_wrong_value_is_named(doubted, expression, cells, rule, words):
    """The rule that knows the cause says it, with the names and values of the case."""
    told = {each.rule: each.cause for each in doubted(expression, *cells)}
    assert rule in told, told
    assert words in told[rule]


@pytest.mark.parametrize(("expression", "cells"), [e[1:] for e in RIGHT], ids=[e[0] for e in RIGHT])
def test_nothing_is_said_of_what_is_right(doubted, expression, cells):
    """Where the facts bear no suspicion out, none is told."""
    assert [each.cause for each in doubted(expression, *cells)] == []


def test_what_was_looked_at_is_left_as_it_was(session):
    """Tables, files in memory and iterators of the user's are not changed by a diagnosis."""
    from aiex_ipy.grounding.diagnosis.diagnose import diagnose
    from aiex_ipy.grounding.failure.moment import Moment

    session.run(f"{PD}import io\ndf = pd.DataFrame({{'a': [2.0, 1.0]}})\nm = map(str, [1, 2])")
    session.run("f = io.StringIO('03/04/2024')\ndf.sort_values('a')\nt = df['a'].iloc[0]")
    before = session.names["df"].copy()
    moment = Moment(cells=session.cells, names=session.names, asked=2.0, expression="(t, m, f)")
    assert diagnose(moment)
    assert session.names["df"].equals(before)
    assert list(session.names["m"]) == ["1", "2"]
    file = session.names["f"]
    assert isinstance(file, io.StringIO)
    assert file.tell() == 0


LIBRARIES = [
    (
        "a row by position after filtering",
        [
            f"{PD}df = pd.DataFrame({{'n': ['a', 'b', 'c'], 'd': [1, 9, 8]}})",
            "def first(t):\n    return t['n'][0]",
            "first(df[df['d'] > 4])",
        ],
        "label-for-position",
        "the index of t['n'] has 1, 2, not 0",
    ),
    (
        "a plain SQL text",
        [
            "import sqlalchemy as sa\nengine = sa.create_engine('sqlite://')",
            "def rows(sql):\n    with engine.connect() as c:\n        return c.execute(sql).all()",
            "rows('SELECT 1')",
        ],
        "plain-sql",
        "executes no plain strings: SQL must be wrapped in sqlalchemy.text()",
    ),
    (
        "a number for a text in a nested model",
        [
            "from pydantic import BaseModel\nclass A(BaseModel):\n    zip: str\n"
            "class B(BaseModel):\n    to: list[A]",
            "B(to=[{'zip': '1'}, {'zip': 2}])",
        ],
        "refused-field",
        "The field 'to.1.zip' of B is given 2, of type int, and str is declared",
    ),
    (
        "a field that is missing",
        [
            "from pydantic import BaseModel\nclass A(BaseModel):\n    street: str",
            "A(**{'stret': 'x'})",
        ],
        "refused-field",
        "The required field 'street' of A is missing; it has 'stret'; 'stret' is spelled",
    ),
    (
        "polars frames with other dtypes",
        [
            "import polars as pl\na = pl.DataFrame({'v': [1, 2]})\n"
            "b = pl.DataFrame({'v': ['1', 'n/a']})",
            "pl.concat([a, b])",
        ],
        "other-schema",
        "The column 'v' is Int64 in a and String in b: b has 'n/a' there",
    ),
    (
        "polars frames with other columns",
        [
            "import polars as pl\na = pl.DataFrame({'v': [1]})\nb = pl.DataFrame({'w': [1]})",
            "a.vstack(b)",
        ],
        "other-schema",
        "b has other columns than a: it lacks 'v' and has 'w' more",
    ),
    (
        "an iterator that an earlier cell used up",
        [
            "m = map(int, '123')",
            "top = max(m)",
            "def mean(xs):\n    held = [x for x in xs]\n    return sum(held) / len(held)",
            "mean(m)",
        ],
        "spent-iterator",
        "m (here xs) is a map iterator that was already consumed (used up) at In[2], line 1",
    ),
]


@pytest.mark.parametrize(
    ("cells", "rule", "words"), [e[1:] for e in LIBRARIES], ids=[e[0] for e in LIBRARIES]
)
def test_what_a_library_refused_is_named(debugged, cells, rule, words):
    """The first diagnosis names the value, and what the library wants of it."""
    first = debugged(*cells)[0]
    assert first.rule == rule
    assert words in first.cause


DF = f"{PD}df = pd.DataFrame({{'a': [1, 2, 3], 'b': list('xyz'), 'c': [1.0, np.nan, 3.0]}})"
REFUSED = [
    (
        [DF, "df[df['a'] > 1 & df['b'] == 'x']"],
        "unbracketed-condition",
        "& binds more strongly than comparisons",
    ),
    (
        [f"{PD}import io", "d = pd.read_csv(io.StringIO('a;b\\n1;2'))", "d['a']"],
        "wrong-separator",
        "d has one column, named 'a;b'",
    ),
    (
        [f"{PD}import io", "pd.read_csv(io.StringIO('a,b\\n1,2\\n1,2,3'))"],
        "uneven-lines",
        "Line 3 of the file: '1,2,3' has 3 fields",
    ),
    ([DF, "df.iloc[3]"], "off-by-one", "df has 3 rows, so positions 0 to 2"),
    ([DF, "df.drop('a')"], "wrong-axis", "drop() takes rows unless told otherwise"),
    (
        [
            f"{PD}d = pd.DataFrame({{'k': ['a', 'a'], 'm': ['x', 'x'], 'v': [1, 2]}})",
            "d.pivot(index='k', columns='m', values='v')",
        ],
        "duplicate-labels",
        "k='a', m='x' occurs more than once",
    ),
    ([DF, "low = 1\ndf.query('a > low')"], "missing-key", "which a query calls @low"),
    ([DF, "x = df['a'].to_numpy(copy=True)\nx /= 2"], "cast-in-place", "whose dtype is int64"),
    ([DF, "df['a'].to_numpy().sum(axis=1)"], "no-axis", "1 dimension, so only axis 0"),
    (
        [f"{PD}m = np.array([[1.0, 2.0], [2.0, 4.0]])", "np.linalg.inv(m)"],
        "singular-matrix",
        "its row 1 is 2 times row 0",
    ),
    (
        [f"{PD}i = np.array([0, 1])\nxs = [5, 6, 7]", "xs[i]"],
        "index-by-array",
        "xs is a list, which takes one whole number",
    ),
    ([f"{PD}", "np.zeros(3, 4)"], "shape-as-dtype", "takes the shape as one tuple"),
    (
        [f"{DF}\nfrom sklearn.linear_model import LogisticRegression\nm = LogisticRegression()",
         "m.fit(df[['a']], df['a'] + 0.5)"],
        "continuous-labels",
        "LogisticRegression takes discrete classes",
    ),
    (
        ["import polars as pl\nd = pl.DataFrame({'b': ['1', 'x']})",
         "d.with_columns(pl.col('b').cast(pl.Int64))"],
        "no-number",
        "1 of its 2 values cannot become i64",
    ),
    (
        ["import polars as pl\nd = pl.DataFrame({'a': [1]})",
         "d.join(pl.DataFrame({'a': ['1']}), on='a')"],
        "merge-types",
        "'a' is i64 on the left, 'a' is str on the right",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "rule", "words"), REFUSED, ids=[f"{e[1]}-{e[0][-1][:20]}" for e in REFUSED]
)
def test_what_arrays_and_tables_refuse_is_named(debugged, cells, rule, words):
    """The array, table or text at fault is named, with its shape, dtype or labels."""
    told = {each.rule: each.cause for each in debugged(*cells)}
    assert rule in told, told
    assert words in told[rule]


def test_a_condition_in_parentheses_is_not_blamed(debugged):
    """`(a & b) == c` is what was meant where it is written so."""
    cells = (DF, "df[(df['a'] & df['b']) == 1]")
    assert "unbracketed-condition" not in {each.rule for each in debugged(*cells)}
