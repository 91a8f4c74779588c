"""The commonest errors, one case each: what is said first, and the text mended."""
# ruff: noqa: E501 - cells stand on one line each

import gc
import subprocess
import sys

import pytest

# Coroutines that nobody awaits and files that nobody closes are what some cases are about.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine", "ignore:unclosed"
)


@pytest.fixture(scope="module", autouse=True)
def _left_over():
    """What the cases left unfinished ends here, not in another module's tests."""
    yield
    gc.collect()


CASES = [
    (
        "str+int",
        ["age = 3", "s = 'age: ' + age"],
        "mixed-types",
        "'age: ' and age (3) do not go together with +: str and",
        "s = 'age: ' + str(age)",
    ),
    (
        "input",
        ["n = '5'", "n * 2 + 1"],
        "mixed-types",
        "n ('5') and 2 do not go together with *: str and",
        "int(n) * 2 + 1",
    ),
    (
        "cmp",
        ["limit = '10'", "if 5 < limit: pass"],
        "mixed-types",
        "5 and limit ('10') do not go together with <: int and",
        "if 5 < int(limit): pass",
    ),
    (
        "textcol",
        ["import pandas as pd, numpy as np\ndf = pd.DataFrame({'p': ['1', '2']})", "df['p'] / 2"],
        "text-column",
        "df['p'] is a column of text (dtype str), numbers stored as",
        "pd.to_numeric(df['p']) / 2",
    ),
    (
        "textmean",
        [
            "import pandas as pd, numpy as np\ndf = pd.DataFrame({'p': ['1', 'x']})",
            "df['p'].mean()",
        ],
        "text-column",
        "df['p'] is a column of text (dtype str), which mean()",
        None,
    ),
    (
        "aware",
        ["import datetime as t\na=t.datetime.now()\nb=t.datetime.now(t.timezone.utc)", "a < b"],
        "naive-and-aware",
        "A time with a time zone (aware) meets one without (naive):",
        None,
    ),
    (
        "callable",
        ["xs=[1]", "xs(0)"],
        "unfit-value",
        "xs (a list of 1 item, [1]) is of type list, which is no",
        "xs[0]",
    ),
    (
        "notsub",
        ["def f(): return [1]", "f[0]"],
        "unfit-value",
        "f (the function f) is of type function, which has no items",
        None,
    ),
    (
        "iter int",
        ["n=3", "for i in n: pass"],
        "unfit-value",
        "n (3) is of type int, which cannot be looped",
        "for i in range(n): pass",
    ),
    (
        "unhash",
        ["k=[1]", "d={k: 1}"],
        "unfit-value",
        "k (a list of 1 item, [1]) is of type list, which cannot be",
        "d={tuple(k): 1}",
    ),
    (
        "unhash2",
        ["k=[1]\nd={}", "d[k] = 1"],
        "unfit-value",
        "k (a list of 1 item, [1]) is of type list, which cannot be",
        "d[tuple(k)] = 1",
    ),
    (
        "stridx",
        ["rows={'a':1}", "for r in rows:\n    r['x']"],
        "unfit-value",
        "r ('a') is of type str, which has items by position alone,",
        None,
    ),
    (
        "listidx",
        ["rows=[{'a':1}]", "rows['a']"],
        "unfit-value",
        "rows (a list of 1 item) is of type list, which has items by",
        None,
    ),
    (
        "strassign",
        ["s='abc'", "s[0]='x'"],
        "unfit-value",
        "s ('abc') is of type str, which cannot have its items",
        None,
    ),
    (
        "truth",
        ["import pandas as pd, numpy as np\na=np.array([1,2,3])", "b = a[(a > 1) and (a < 3)]"],
        "ambiguous-truth",
        "`and` asks for one truth value, and a > 1 has one for each",
        "b = a[(a > 1) & (a < 3)]",
    ),
    (
        "truth2",
        ["import pandas as pd, numpy as np\ns=pd.Series([1,2])", "if s > 1: pass"],
        "ambiguous-truth",
        "One truth value is asked of s > 1, which has one for each",
        None,
    ),
    (
        "kwarg",
        ["def f(width, height=1): pass", "f(widht=2)"],
        "unknown-argument",
        "f() has no argument 'widht'; it has 'width', spelled almost",
        "f(width=2)",
    ),
    (
        "missing",
        ["def f(a, b): pass", "f(1)"],
        "missing-argument",
        "f() is called without 'b', which has no",
        None,
    ),
    (
        "self",
        ["class A:\n    def go(x): pass\n    def run(): pass", "A().run()"],
        "missing-self",
        "The method run has no `self` (In[1], line 3), and Python",
        "class A:\n    def go(x): pass\n    def run(self): pass",
    ),
    (
        "onclass",
        ["class A:\n    def go(self): pass", "A.go()"],
        "called-on-class",
        "A.go() is called on the class A, not on one of its objects,",
        None,
    ),
    (
        "toomany",
        ["def f(a): pass", "f(1, 2)"],
        "too-many-arguments",
        "f() is given 2 positional arguments, more than it",
        None,
    ),
    (
        "twice",
        ["def f(a, b): pass", "f(1, a=2)"],
        "argument-twice",
        "f() gets 'a' twice: by its position and by its",
        None,
    ),
    (
        "sparse",
        ["from sklearn.preprocessing import OneHotEncoder", "OneHotEncoder(sparse=False)"],
        "removed-argument",
        "OneHotEncoder() has no argument 'sparse' any more: it was",
        "OneHotEncoder(sparse_output=False)",
    ),
    (
        "swap",
        ["def rep(text: str, n: int):\n    return text.upper() * n", "rep(3, 'a')"],
        "swapped-arguments",
        "The arguments 'text' and 'n' of rep() are swapped: text is",
        None,
    ),
    (
        "isinst",
        ["x=1", "isinstance(int, x)"],
        "swapped-arguments",
        "The arguments of isinstance() are swapped: the value comes",
        "isinstance(x, int)",
    ),
    (
        "int",
        ["v='12.5'", "int(v)"],
        "no-number",
        "The text '12.5' is no whole number: it has a decimal",
        "int(float(v))",
    ),
    (
        "float",
        ["v='1,234'", "float(v)"],
        "no-number",
        "The text '1,234' is no number: its commas separate",
        'float(v.replace(",", ""))',
    ),
    (
        "astype",
        [
            "import pandas as pd, numpy as np\ndf=pd.DataFrame({'p':['1','n/a','3']})",
            "df['p'].astype(float)",
        ],
        "no-number",
        "The text 'n/a' is no number: it stands for a missing value.",
        None,
    ),
    (
        "unpack",
        ["row=(1,2,3)", "a, b = row"],
        "unpack-count",
        "row gives 3 values (a tuple of 3 items, (1, 2, 3)), and (a,",
        None,
    ),
    (
        "unpackd",
        ["d={'ab1':1}", "for k, v in d: pass"],
        "items-missing",
        "A loop over the dict d gives its keys alone, not",
        "for k, v in d.items(): pass",
    ),
    (
        "unpackl",
        ["rows=[(1,2),(3,)]", "for a, b in rows: pass"],
        "unpack-count",
        "an item of rows has 1 value (a tuple of 1 item, (3,)), and",
        None,
    ),
    (
        "date",
        ["from datetime import datetime", "datetime.strptime('2024/01/05', '%Y-%m-%d')"],
        "no-date",
        "The text '2024/01/05' cannot be read as a date: it does not",
        "datetime.strptime('2024/01/05', '%Y/%m/%d')",
    ),
    (
        "pddate",
        [
            "import pandas as pd, numpy as np\n",
            "pd.to_datetime(pd.Series(['2024-01-05','05/02/2024']), format='%Y-%m-%d')",
        ],
        "no-date",
        "The text '05/02/2024' cannot be read as a date: it does not",
        None,
    ),
    (
        "json",
        ["import json", "json.loads('{\"a\": 1,}')"],
        "no-json",
        "The text is not JSON: a trailing comma stands before the",
        None,
    ),
    (
        "json2",
        ["import json", "json.loads(\"{'a': 1}\")"],
        "no-json",
        "The text is not JSON: its quotes are single (line 1, column",
        None,
    ),
    (
        "json3",
        ["import json", "json.loads('')"],
        "no-json",
        "The text is not JSON: it is empty (line 1, column",
        None,
    ),
    (
        "ser",
        ["import json, datetime\nd={'when':[datetime.date(2024,1,1)]}", "json.dumps(d)"],
        "not-serializable",
        "d['when'][0] is a datetime.date, and JSON has no form for",
        None,
    ),
    (
        "max",
        ["xs=[]", "max(xs)"],
        "empty-sequence",
        "xs is empty, and max() needs at least one",
        None,
    ),
    (
        "sample",
        ["import random\nxs=[1,2]", "random.sample(xs, 5)"],
        "sample-too-large",
        "5 items are drawn without replacement from xs, which has",
        None,
    ),
    (
        "remove",
        ["xs=['alpha']", "xs.remove('alhpa')"],
        "not-in-sequence",
        "'alhpa' is not in xs (a list of 1 item, ['alpha']); it has",
        "xs.remove('alpha')",
    ),
    ("zero", ["xs=[]\nn=len(xs)", "sum(xs)/n"], "zero-divisor", "n is 0: xs is", None),
    (
        "domain",
        ["import math\nx=-1", "math.sqrt(x)"],
        "math-domain",
        "math.sqrt() is not defined for x =",
        None,
    ),
    (
        "bounds",
        ["import pandas as pd, numpy as np\n", "np.array([300], dtype='uint8')"],
        "dtype-bounds",
        "300 does not fit into",
        None,
    ),
    (
        "bcast",
        ["import pandas as pd, numpy as np\na=np.zeros((3,2)); b=np.zeros(3)", "a + b"],
        "shape-mismatch",
        "a has shape (3, 2) and b has shape (3,): they do not fit",
        "a + b[:, None]",
    ),
    (
        "matmul",
        ["import pandas as pd, numpy as np\na=np.zeros((2,3)); b=np.zeros((2,3))", "a @ b"],
        "shape-mismatch",
        "a has shape (2, 3) and b has shape (2, 3): the last axis of",
        "a @ b.T",
    ),
    (
        "reshape",
        ["import pandas as pd, numpy as np\na=np.zeros(6)", "a.reshape(4,2)"],
        "reshape",
        "a has 6 values (shape (6,)), and shape (4,2) holds",
        None,
    ),
    (
        "concat",
        [
            "import pandas as pd, numpy as np\na=np.zeros((2,3)); b=np.zeros((2,4))",
            "np.concatenate([a, b])",
        ],
        "shape-mismatch",
        "The arrays cannot be joined: a has shape (2, 3), b has",
        None,
    ),
    (
        "len",
        ["import pandas as pd, numpy as np\ndf=pd.DataFrame({'a':[1,2]})", "df['b'] = [1,2,3]"],
        "length-mismatch",
        "the values has 3 values, and the table has 2",
        None,
    ),
    (
        "arrs",
        ["import pandas as pd, numpy as np\n", "pd.DataFrame({'a':[1,2],'b':[1]})"],
        "length-mismatch",
        "The columns have different lengths: 'a' has 2, 'b' has",
        None,
    ),
    (
        "merge",
        [
            "import pandas as pd, numpy as np\n"
            "a=pd.DataFrame({'id':[1]}); b=pd.DataFrame({'id':['1']})",
            "a.merge(b, on='id')",
        ],
        "merge-types",
        "The keys of the merge have different dtypes: a['id'] is",
        "a.merge(b.astype({'id': 'int64'}), on='id')",
    ),
    (
        "dup",
        [
            "import pandas as pd, numpy as np\ns=pd.Series([1,2],index=['a','a'])",
            "s.reindex(['a','b'])",
        ],
        "duplicate-labels",
        "The index has labels that occur twice (s:",
        None,
    ),
    (
        "nfit",
        [
            "from sklearn.linear_model import LinearRegression\nm=LinearRegression()",
            "m.predict([[1]])",
        ],
        "not-fitted",
        "m was not fitted before it was",
        None,
    ),
    (
        "feat",
        [
            "from sklearn.linear_model import LinearRegression\n"
            "m=LinearRegression().fit([[1,2],[2,3]],[1,2])",
            "m.predict([[1]])",
        ],
        "feature-count",
        "The data have 1 columns, and LinearRegression was fitted",
        None,
    ),
    (
        "nan",
        [
            "import pandas as pd, numpy as np\n"
            "from sklearn.linear_model import LinearRegression\n"
            "df=pd.DataFrame({'a':[1,None]})",
            "LinearRegression().fit(df,[1,2])",
        ],
        "missing-values",
        "The data have missing values (NaN) in df: 'a' 1, which the",
        None,
    ),
    (
        "1d",
        [
            "import pandas as pd, numpy as np\n"
            "from sklearn.linear_model import LinearRegression\n"
            "df=pd.DataFrame({'a':[1,2]})",
            "LinearRegression().fit(df['a'],[1,2])",
        ],
        "one-dimension",
        "df['a'] is a Series of 2 values, dtype int64 with one dimension",
        "LinearRegression().fit(df[['a']],[1,2])",
    ),
    (
        "fitstr",
        [
            "import pandas as pd, numpy as np\n"
            "from sklearn.linear_model import LinearRegression\n"
            "df=pd.DataFrame({'a':[1,2],'c':['x','y']})",
            "LinearRegression().fit(df,[1,2])",
        ],
        "no-number",
        "The text 'x' is no number: it is a word (a header line, or",
        None,
    ),
    (
        "rec",
        ["def fact(n):\n    return n * fact(n - 1)", "fact(5)"],
        "endless-recursion",
        "fact() calls itself without end: it has no base case",
        None,
    ),
    (
        "rec2",
        ["def down(n):\n    if n == 0:\n        return 0\n    return down(n - 2)", "down(5)"],
        "endless-recursion",
        "down() calls itself without end: its base case `n == 0` (line 2) is never reached",
        None,
    ),
    (
        "prop",
        ["class A:\n    @property\n    def name(self):\n        return self.name", "A().name"],
        "endless-recursion",
        "The property 'name' asks for self.name, which is the",
        "class A:\n    @property\n    def name(self):\n        return self._name",
    ),
    (
        "unbound",
        ["total = 0\ndef add(x):\n    total += x", "add(1)"],
        "unbound-local",
        "'total' is a local variable of add(), because line 3",
        "total = 0\ndef add(x):\n    global total\n    total += x",
    ),
    (
        "unbound2",
        ["def f(x):\n    if x > 3:\n        r = 1\n    return r", "f(1)"],
        "unbound-local",
        "'r' gets a value only in the `if` of line 2, which did not",
        None,
    ),
    (
        "dictchg",
        ["d={'a':1,'b':2}", "for k in d:\n    if d[k] > 1:\n        del d[k]"],
        "changed-while-looped",
        "d changes while the loop in line 1 runs over it: del d[k]",
        "for k in list(d):\n    if d[k] > 1:\n        del d[k]",
    ),
    (
        "dictchg2",
        ["d={'a':1,'b':2}", "for k in d:\n    del d[k]"],
        "changed-while-looped",
        "d changes while the loop in line 1 runs over it: del d[k]",
        "for k in list(d):\n    del d[k]",
    ),
    (
        "next",
        ["it=iter([])", "next(it)"],
        "spent-iterator",
        "it has nothing more to give, and next() has no",
        "next(it, None)",
    ),
    (
        "re",
        ["import re", "re.compile('(a')"],
        "wrong-pattern",
        "The regular expression '(a' is wrong at position 0 ('(a'):",
        None,
    ),
    (
        "pickle",
        ["import pickle", "pickle.dumps(lambda: 1)"],
        "no-pickle",
        "A value cannot be pickled (lambdas, local functions, open",
        None,
    ),
    (
        "enc",
        ["b'caf\\xe9 cr\\xe8me'.decode('utf-8')"],
        "wrong-encoding",
        "Byte 0xe9 at position 3 is not utf-8; the bytes read well",
        "b'caf\\xe9 cr\\xe8me'.decode(\"cp1252\")",
    ),
    (
        "enc2",
        ["'é'.encode('ascii')"],
        "wrong-encoding",
        "The encoding ascii has no 'é' (position",
        "'é'.encode(\"utf-8\")",
    ),
    (
        "coro",
        ["async def get(): return {'a':1}", "r = get()\nr['a']"],
        "not-awaited",
        "r is a coroutine: `await` is missing before get(), so it",
        "r = await get()\nr['a']",
    ),
    (
        "coro2",
        ["async def get(): return {'a':1}", "get().keys()"],
        "not-awaited",
        "get() is a coroutine: `await` is missing before get(), so",
        "(await get()).keys()",
    ),
    (
        "arun",
        ["import asyncio\nasync def get(): return 1", "await asyncio.sleep(0)\nasyncio.run(get())"],
        "running-loop",
        "asyncio.run() is called where a loop runs already, as in",
        "await asyncio.sleep(0)\nawait get()",
    ),
    (
        "syntax1",
        ["if x = 3:\n    pass"],
        "syntax",
        "`=` assigns; a comparison is written `==` (In[1], line",
        "if x == 3:\n    pass",
    ),
    (
        "syntax2",
        ["for i in range(3)\n    print(i)"],
        "syntax",
        "A colon is missing (In[1], line",
        "for i in range(3):\n    print(i)",
    ),
    (
        "syntax3",
        ["print 'hello'"],
        "syntax",
        "print is a function and needs parentheses; only Python 2",
        "print('hello')",
    ),
    (
        "syntax4",
        ["x = (1 + 2\ny = 3"],
        "syntax",
        "The bracket '(' is opened and never closed (In[1], line",
        "x = (1 + 2)\ny = 3",
    ),
    (
        "syntax5",
        ["x = “hello”"],
        "syntax",
        "The character '“' (U+201C) is none of Python's: it came",
        'x = "hello"',
    ),
    (
        "syntax6",
        ["def f():\nreturn 1"],
        "syntax",
        "What follows function definition on line 1 is not indented",
        "def f():\n    return 1",
    ),
    (
        "syntax7",
        ["s = 'abc"],
        "syntax",
        "A text is begun and not ended: its closing quote is missing",
        "s = 'abc'",
    ),
    ("assert", ["a=1", "assert a == 2"], "assertion", "a == 2 does not hold: a is", None),
    (
        "assertf",
        ["a=0.1+0.2", "assert a == 0.3"],
        "float-equality",
        "a and 0.3 differ only by rounding of floats:",
        None,
    ),
    (
        "chained",
        [
            "import pandas as pd, numpy as np\ndf=pd.DataFrame({'a':[1,2]})",
            "df[df.a>1]['a'] = 9",
            "assert df['a'].max() == 9",
        ],
        "chained-assignment",
        "df[df.a > 1]['a'] = … (In[2], line 1) changes a copy: df",
        "df.loc[df.a>1, 'a'] = 9",
    ),
    (
        "dt",
        [
            "import pandas as pd, numpy as np\ndf=pd.DataFrame({'d':['2024-01-01']})",
            "df['d'].dt.year",
        ],
        "wrong-accessor",
        ".dt needs dates, and df['d'] is of dtype",
        "pd.to_datetime(df['d']).dt.year",
    ),
    (
        "castnan",
        [
            "import pandas as pd, numpy as np\ndf=pd.DataFrame({'d':[1.0,None]})",
            "df['d'].astype(int)",
        ],
        "missing-values",
        "Missing values (NaN) cannot become whole numbers: df['d']",
        None,
    ),
    (
        "freq",
        [
            "import pandas as pd, numpy as np\ns=pd.Series(1,pd.date_range('2024-01-01',periods=2))",
            "s.resample('M').sum()",
        ],
        "frequency",
        "'M' is no frequency (any more): pandas 2.2 renamed the",
        "s.resample('ME').sum()",
    ),
    (
        "ffill",
        [
            "import pandas as pd, numpy as np\ndf=pd.DataFrame({'d':[1.0,None]})",
            "df.fillna(method='ffill')",
        ],
        "removed-argument",
        "df.fillna() has no argument 'method' any more: it was",
        None,
    ),
    (
        "boston",
        ["from sklearn.datasets import load_boston"],
        "removed-name",
        "sklearn.datasets.load_boston is no longer there: it was",
        "from sklearn.datasets import fetch_california_housing",
    ),
    (
        "bom",
        ["import pandas as pd, numpy as np\ndf=pd.DataFrame({'\ufeffid':[1],'b':[2]})", "df['id']"],
        "near-miss-column",
        "df has no column 'id'; it has '\\ufeffid', which begins with",
        "df['\\ufeffid']",
    ),
    (
        "hidden",
        [
            "import pandas as pd, numpy as np\ndf=pd.DataFrame({'count':[1],'b':[2]})",
            "df.count * 2",
        ],
        "hidden-column",
        "df.count is an attribute every DataFrame has, not the",
        "df['count'] * 2",
    ),
    (
        "chain",
        [
            "class ConfigError(Exception): pass\nd={'name':1}",
            "try:\n    d['nmae']\nexcept KeyError as e:\n    raise ConfigError('bad config') from e",
        ],
        "near-miss-key",
        "It came from KeyError: d has no key 'nmae'; it has 'name',",
        "try:\n    d['name']\nexcept KeyError as e:\n    raise ConfigError('bad config') from e",
    ),
    (
        "mul",
        ["import pandas as pd, numpy as np\ndf=pd.DataFrame({'p':['1','2']})", "df['p'] * 1.5"],
        "text-column",
        "df['p'] is a column of text (dtype str), numbers stored as",
        "pd.to_numeric(df['p']) * 1.5",
    ),
    (
        "series0",
        ["import pandas as pd, numpy as np\ns=pd.Series([1,2,3])\nt=s[s>1]", "t[0]"],
        "label-for-position",
        "t[0] looks for the index label 0, and the index of t has 1, 2, not 0",
        "t.iloc[0]",
    ),
    (
        "lst",
        ["xs=[1]", "xs[1] = 3"],
        "off-by-one",
        "xs[1] is one past the end: xs has 1 item, the last at",
        None,
    ),
    (
        "date 2",
        [
            "import pandas as pd, numpy as np\ndf=pd.DataFrame({'d':['2024-01-01']})",
            "import datetime\ndf[df['d'] > datetime.datetime(2024,1,1)]",
        ],
        "text-column",
        "df['d'] is a column of text (dtype",
        None,
    ),
    (
        "none in list",
        ["xs=[3,None,1]", "sorted(xs)"],
        "none-used",
        "xs[1] is None: sorted() needs values",
        None,
    ),
    (
        "sumnone",
        ["xs=[3,None,1]", "sum(xs)"],
        "none-used",
        "xs[1] is None: sum() needs values",
        None,
    ),
    (
        "kwself",
        ["def f(*, a): pass", "f(1)"],
        "too-many-arguments",
        "f() is given 1 positional argument, more than it",
        None,
    ),
    (
        "nonecall",
        ["f=None", "f()"],
        "none-used",
        "f is None: it was set to None (In[1], line 1) and to",
        None,
    ),
    (
        "strfmt",
        ["'%d items' % 'three'"],
        "wrong-format",
        "'three' is of type str, and the format '%d' is for",
        None,
    ),
    (
        "fmt",
        ["x='3'", "f'{x:.2f}'"],
        "wrong-format",
        "x ('3') is of type str, and the format 'f' is for",
        "f'{float(x):.2f}'",
    ),
    (
        "fmtnone",
        ["x=None", "f'{x:.2f}'"],
        "none-used",
        "x is None: it was set to None (In[1], line 1) and to",
        None,
    ),
    (
        "idx float",
        ["xs=[1,2,3,4]\nmid=len(xs)/2", "xs[mid]"],
        "float-index",
        "mid is 2.0, a float, and a whole number is needed (`/`",
        "xs=[1,2,3,4]\nmid=len(xs) // 2",
    ),
    (
        "npidx",
        ["import pandas as pd, numpy as np\na=np.arange(3)", "a[1.0]"],
        "float-index",
        "1.0 is 1.0, a float, and a whole number is needed (`/`",
        "a[int(1.0)]",
    ),
    (
        "ordict",
        ["d={'b':1}", "d.b"],
        "key-as-attribute",
        "'b' is a key of the dict d, not an",
        'd["b"]',
    ),
    (
        "self2",
        [
            "class A:\n"
            "    def __init__(self, n):\n"
            "        n = n\n"
            "    def get(self):\n"
            "        return self.n",
            "A(3).get()",
        ],
        "missing-self",
        "A has no 'n': `n = n` (In[1], line 3) makes a local",
        "class A:\n"
        "    def __init__(self, n):\n"
        "        self.n = n\n"
        "    def get(self):\n"
        "        return self.n",
    ),
    (
        "getattrm",
        ["class A:\n    total = 0\n    def run(self): return self.totl", "A().run()"],
        "near-miss-attribute",
        "A has no attribute 'totl'; it has 'total', spelled almost",
        "class A:\n    total = 0\n    def run(self): return self.total",
    ),
    (
        "abstract",
        [
            "from abc import ABC, abstractmethod\n"
            "class B(ABC):\n"
            "    @abstractmethod\n"
            "    def go(self): pass\n"
            "class C(B): pass",
            "C()",
        ],
        "abstract-class",
        "C does not define go, which its base class",
        None,
    ),
    (
        "superinit",
        [
            "class A:\n"
            "    def __init__(self, a): self.a=a\n"
            "class B(A):\n"
            "    def __init__(self): self.b=1",
            "B().a",
        ],
        "no-super-init",
        "A.__init__ sets 'a' (In[1], line 2), and B.__init__ (In[1],",
        None,
    ),
    ("lenint", ["n=5", "len(n)"], "unfit-value", "n (5) is of type int, which has no", None),
    (
        "idxcol",
        [
            "import pandas as pd, numpy as np\ndf=pd.DataFrame({'a':[1],'b':[2]}).set_index('a')",
            "df['a']",
        ],
        "column-is-index",
        "'a' is no column of df but the name of its",
        None,
    ),
    (
        "dropc",
        ["import pandas as pd, numpy as np\ndf=pd.DataFrame({'a':[1]})", "df.drop(columns=['b'])"],
        "missing-key",
        "df has no column",
        None,
    ),
    (
        "locrow",
        ["import pandas as pd, numpy as np\ndf=pd.DataFrame({'a':[1]},index=['x'])", "df.loc['y']"],
        "missing-key",
        "df has no row label",
        None,
    ),
    (
        "sortv",
        [
            "import pandas as pd, numpy as np\ndf=pd.DataFrame({'price':[1]})",
            "df.sort_values('prise')",
        ],
        "near-miss-column",
        "df has no column 'prise'; it has 'price', spelled almost",
        "df.sort_values('price')",
    ),
    (
        "mergekey",
        [
            "import pandas as pd, numpy as np\na=pd.DataFrame({'id':[1]}); b=pd.DataFrame({'ID':[1]})",
            "a.merge(b, on='id')",
        ],
        "near-miss-column",
        "b has no column 'id'; it has 'ID', which differs only in",
        None,
    ),
    (
        "polars groupby",
        ["import polars as pl\ndf=pl.DataFrame({'a':['1','2']})", "df.groupby('a')"],
        "removed-name",
        "polars.DataFrame.groupby is no longer there: it was removed",
        "df.group_by('a')",
    ),
]
VALUES = [
    (
        "mutdef",
        "r",
        ["def add(x, out=[]):\n    out.append(x)\n    return out", "add(1)\nr = add(2)"],
        "mutable-default",
        "The default of 'out' in add() (In[1], line 1) is one object",
        "def add(x, out=None):\n"
        "    if out is None:\n"
        "        out = []\n"
        "    out.append(x)\n"
        "    return out",
    ),
    (
        "spent",
        "total",
        ["g = (x for x in [1,2])", "n = list(g)\ntotal = sum(g)"],
        "spent-iterator",
        "g is a generator that was used up before (In[1], line 1):",
        "g = [x for x in [1,2]]",
    ),
    (
        "chained",
        "df",
        ["import pandas as pd, numpy as np\ndf=pd.DataFrame({'a':[1,2]})", "df[df.a>1]['a'] = 9"],
        "chained-assignment",
        "df[df.a > 1]['a'] = … (In[2], line 1) changes a copy: df",
        "df.loc[df.a>1, 'a'] = 9",
    ),
    (
        "alias",
        "a",
        ["a=[1,2]\nb=a", "b.append(3)"],
        "alias",
        "a and b are one list (In[1], line 2: b = a), and it was",
        "a=[1,2]\nb=a.copy()",
    ),
    (
        "rows",
        "grid",
        ["grid=[[0]*2]*3", "grid[0][0]=1"],
        "one-object-repeated",
        "All 3 items of grid are one and the same list: a change of",
        None,
    ),
    (
        "late",
        "fs",
        ["fs=[lambda: i for i in range(3)]"],
        "late-binding",
        "The functions in fs were made in a loop and look up 'i'",
        None,
    ),
    (
        "late2",
        "out",
        ["fs=[]\nfor i in range(3):\n    fs.append(lambda: i)", "out=[f() for f in fs]"],
        "late-binding",
        "The functions in fs were made in a loop and look up 'i'",
        None,
    ),
    (
        "emptymerge",
        "m",
        [
            "import pandas as pd, numpy as np\n"
            "a=pd.DataFrame({'k':['A ']}); b=pd.DataFrame({'k':['a']})",
            "m=a.merge(b,on='k')",
        ],
        "nothing-matches",
        "The merge matches nothing: a['k'] and b['k'] have no value",
        None,
    ),
    (
        "emptyfilter",
        "r",
        [
            "import pandas as pd, numpy as np\na=pd.DataFrame({'k':['Paris']})",
            "r=a[a['k'] == 'paris']",
        ],
        "nothing-matches",
        "No row matches: a['k'] is never 'paris'; it has 'Paris',",
        "r=a[a['k'] == 'Paris']",
    ),
    (
        "grew",
        "m",
        [
            "import pandas as pd, numpy as np\n"
            "a=pd.DataFrame({'k':[1,2]}); b=pd.DataFrame({'k':[1,1,2]})",
            "m=a.merge(b,on='k')",
        ],
        "merge-grew",
        "The merge repeats rows of a: b['k'] has duplicate keys, 1 row",
        None,
    ),
    (
        "sorted",
        "s",
        ["xs=['10','9']", "s=sorted(xs)"],
        "texts-as-numbers",
        "xs holds texts, and texts are compared letter by letter",
        None,
    ),
    (
        "nanalign",
        "c",
        [
            "import pandas as pd, numpy as np\na=pd.Series([1,2]); b=pd.Series([1,2],index=[5,6])",
            "c=a+b",
        ],
        "index-alignment",
        "a and b are aligned by their index labels, and 0, 1 are only in a",
        None,
    ),
    (
        "mom",
        "m",
        [
            "import pandas as pd, numpy as np\ndf=pd.DataFrame({'g':[1,1,2],'v':[1,2,3]})",
            "m=df.groupby('g')['v'].mean().mean()",
        ],
        "mean-of-means",
        "df.groupby('g')['v'].mean().mean() is the mean of the group means",
        None,
    ),
    (
        "floordiv",
        "avg",
        ["t=7\nn=2", "avg=t//n"],
        "whole-division",
        "// cuts off what remains: 7 // 2 is 3, and 7 / 2 is",
        "avg=t / n",
    ),
    (
        "stale",
        "total",
        ["xs=[1,2]", "total=sum(xs)", "xs=[5,6]"],
        "stale-value",
        "'total' was made from 'xs' in In[2], line 1; 'xs' was given",
        None,
    ),
    (
        "coro",
        "r",
        ["async def get(): return 1", "r=get()"],
        "not-awaited",
        "r is a coroutine that was never awaited (In[2], line",
        None,
    ),
    (
        "textsum",
        "t",
        ["import pandas as pd, numpy as np\ndf=pd.DataFrame({'p':['1','2']})", "t=df['p'].sum()"],
        "texts-as-numbers",
        "df['p'] is a column of text (dtype str), numbers stored as",
        None,
    ),
    (
        "moji",
        "s",
        ["s='cafÃ©'"],
        "wrong-encoding",
        "s is 'cafÃ©': UTF-8 that was read as another encoding",
        None,
    ),
    (
        "classattr",
        "b.items",
        [
            "class A:\n"
            "    items=[]\n"
            "    def add(self,x): self.items.append(x)\n"
            "a=A(); b=A()\n"
            "a.add(1)"
        ],
        "class-attribute",
        "'items' belongs to the class A: all its objects share one",
        None,
    ),
    (
        "race",
        "n",
        [
            "from threading import Thread\n"
            "n=0\n"
            "def work():\n"
            "    global n\n"
            "    for _ in range(10):\n"
            "        n += 1\n"
            "ts=[Thread(target=work) for _ in range(2)]\n"
            "[t.start() for t in ts]\n"
            "[t.join() for t in ts]"
        ],
        "shared-by-threads",
        "Threads that run work() change 'n' without a lock (In[1],",
        None,
    ),
    (
        "hidden2",
        "x",
        ["import pandas as pd, numpy as np\ndf=pd.DataFrame({'size':[1],'b':[2]})", "x=df.size"],
        "hidden-column",
        "df.size is an attribute every DataFrame has, not the column",
        "x=df['size']",
    ),
    (
        "coros",
        "rs",
        ["async def g(): return 1", "rs=[g() for _ in range(2)]"],
        "not-awaited",
        "rs is a coroutine that was never awaited (In[2], line",
        None,
    ),
    (
        "isnan",
        "m",
        ["import pandas as pd, numpy as np\nv=float('nan')", "m = v == np.nan"],
        "compared-with-nan",
        "v is NaN, and NaN equals nothing, not even",
        None,
    ),
    (
        "uint",
        "d",
        ["import pandas as pd, numpy as np\na=np.array([200],dtype='uint8')", "d=a+a"],
        "small-dtype",
        "a + a is calculated in uint8, which holds 0 to 255: 1 of ",
        "d=a.astype('int64')+a",
    ),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("cells", "rule", "words", "after"),
    [each[1:] for each in CASES],
    ids=[each[0] for each in CASES],
)
def test_an_error_is_explained(debugged, cells, rule, words, after):
    """The first diagnosis is of this rule, begins with these words, and mends the text so."""
    first = debugged(*cells)[0]
    assert (first.rule, first.cause[: len(words)]) == (rule, words)
    assert (first.fix.after if first.fix else None) == after


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("expression", "cells", "rule", "words", "after"),
    [each[1:] for each in VALUES],
    ids=[each[0] for each in VALUES],
)
def test_a_wrong_value_is_explained(doubted, expression, cells, rule, words, after):
    """With no exception, the first diagnosis says how the value came to be wrong."""
    first = doubted(expression, *cells)[0]
    assert (first.rule, first.cause[: len(words)]) == (rule, words)
    assert (first.fix.after if first.fix else None) == after


QUIET = {
    "by hand": ["raise TypeError('can only concatenate str (not \"int\") to str')"],
    "own unpacking": ["raise ValueError('too many values to unpack (expected 2)')"],
    "own key": ["raise KeyError('a')"],
    "own file error": ["raise FileNotFoundError('nothing')"],
    "own zero": ["raise ZeroDivisionError"],
    "own recursion": ["raise RecursionError"],
    "own stop": ["raise StopIteration"],
    "own attribute": ["raise AttributeError('coroutine')"],
    "own loop": ["raise RuntimeError('dictionary changed size during iteration')"],
    "plain": ["class Odd(Exception):\n    def __str__(self):\n        raise OSError\nraise Odd"],
    "exit": ["raise SystemExit(1)"],
    "interrupt": ["raise KeyboardInterrupt"],
}


@pytest.mark.parametrize("cells", QUIET.values(), ids=QUIET.keys())
def test_quiet_where_the_facts_do_not_hold(debugged, cells):
    """The same exceptions raised by hand say nothing: no value bears them out."""
    assert debugged(*cells) == ()


RIGHT = {
    "default not grown": ("f(1)", ["def f(x, out=[]):\n    return [*out, x]\nf(0)"]),
    "list, not iterator": ("sum(xs)", ["xs = [1, 2]\nlist(xs)"]),
    "a copy": ("a", ["a = [1]\nb = a.copy()\nb.append(2)"]),
    "rows of their own": ("grid", ["grid = [[0] for _ in range(3)]"]),
    "numbers sorted": ("sorted(xs)", ["xs = [10, 9]"]),
    "words sorted": ("sorted(xs)", ["xs = ['b', 'a']"]),
    "one merge for one": (
        "m",
        [
            "import pandas as pd\na = pd.DataFrame({'k': [1, 1]}); b = pd.DataFrame({'k': [1]})",
            "m = a.merge(b, on='k')",
        ],
    ),
    "same index": ("c", ["import pandas as pd\na = pd.Series([1]); c = a + a"]),
    "even division": ("n", ["n = 6 // 2"]),
    "closures of their own": ("fs", ["fs = [lambda i=i: i for i in range(3)]"]),
}


@pytest.mark.parametrize(("expression", "cells"), RIGHT.values(), ids=RIGHT.keys())
def test_quiet_on_sound_values(doubted, expression, cells):
    """Code that only looks like a common mistake is not called one."""
    assert doubted(expression, *cells) == ()


def test_paths(debugged, tmp_path, monkeypatch):
    """A path is compared with what is there: a name nearby, another directory, a closed file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sales.csv").write_text("a\n1\n")
    (tmp_path / "notes.txt").write_text("hello")
    told = {
        code: debugged(code)[0]
        for code in (
            "open('note.txt')",
            "open('sales.csv')",
            "open('data')",
            "open('nodir/x', 'w')",
            "with open('notes.txt') as f:\n    pass\nf.read()",
            "open('notes.txt').write('a')",
            "open('~/x')",
            "open('C:\temp')",
        )
    }
    assert [each.rule for each in told.values()] == [
        "missing-file",
        "missing-file",
        "wrong-kind-of-file",
        "missing-directory",
        "closed-file",
        "file-mode",
        "missing-file",
        "missing-file",
    ]
    assert told["open('note.txt')"].fix.after == "open('notes.txt')"
    assert "'data'" in told["open('sales.csv')"].cause


def test_each_error_of_a_group(debugged):
    """Errors of a group are explained one by one, with their number."""
    code = (
        "errors = []\nfor call in (lambda: {'ab': 1}['ba1'], lambda: [1][3]):\n"
        "    try:\n        call()\n    except Exception as e:\n        errors.append(e)\n"
        "raise ExceptionGroup('two', errors)"
    )
    causes = [each.cause for each in debugged(code)]
    assert [each[:14] for each in causes] == ["Error 2 of 2, "] or len(causes) == 2, causes


def test_a_rule_that_fails_says_nothing(session, monkeypatch):
    """One rule's fault loses neither the report nor the other rules' words."""
    from aiex_ipy.grounding.diagnosis import diagnose as table

    def faulty(moment):
        raise LookupError("mine")
        yield

    monkeypatch.setattr(table, "RULES", (faulty, *table.RULES))
    error = session.run("print(lenn([]))")
    assert table.diagnose(session.moment(error))[0].rule == "near-miss-name"


def test_rules_about_libraries_are_imported_with_them() -> None:
    """The first diagnosis of a session without pandas, polars and numpy reads no rule of theirs."""
    code = (
        "import sys\n"
        "from aiex_ipy.grounding.failure.capture import capture\n"
        "from aiex_ipy.grounding.diagnosis.diagnose import diagnose\n"
        "try:\n    {}['a']\nexcept KeyError as error:\n    diagnose(capture(error)[1])\n"
        "home = 'aiex_ipy.grounding.diagnosis.'\n"
        "late = ('arrays', 'tables', 'schemas', 'estimators', 'labels')\n"
        "print([each for each in late if home + each in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
