"""Names, arguments and values that mean something else than the failing code expects."""

import pytest

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine"
)

CASES = {
    "global set by a function": (
        [
            "SIZE = 40",
            "def dry(n):\n    global SIZE\n    SIZE = n // 1000",
            "def cut(xs):\n    return [xs[i] for i in range(0, len(xs), SIZE)]",
            "dry(5)",
            "cut([1])",
        ],
        "rebound-global",
        "SIZE is 0 because dry() rebinds the global 'SIZE': `SIZE = n // 1000` (In[2], line 3), "
        "called in In[4], line 1",
    ),
    "star import over an import": (
        ["from datetime import datetime", "from pylab import *", "datetime.now()"],
        "star-import",
        "`from pylab import *` (In[2], line 1) overwrote 'datetime'",
    ),
    "dict unpacked": (
        [
            "def stats(xs):\n    return min(xs), max(xs)",
            "def stats(xs):\n    return {'low': min(xs), 'high': max(xs)}",
            "def spread(xs):\n    low, high = stats(xs)\n    return high - low",
            "spread([1, 2])",
        ],
        "unpacked-dict",
        "unpacking a dict gives its keys: low, high are 'low', 'high'. stats was redefined there; "
        "the earlier definition (In[1], line 1) returned a tuple of 2 values",
    ),
    "list to gather": (
        [
            "import asyncio\nasync def one(): return 1",
            "async def all_(n):\n    jobs = [one() for _ in range(n)]\n"
            "    return await asyncio.gather(jobs)",
            "asyncio.run(all_(2))",
        ],
        "one-for-several",
        "asyncio.gather() takes the awaitables as separate arguments, and gets one list, jobs",
    ),
    "list to join": (
        ["import os\nparts = ['a', 'b']", "os.path.join(parts)"],
        "one-for-several",
        "os.path.join() takes the parts of the path as separate arguments",
    ),
    "tuple for two": (
        ["def dist(x, y): return x * x + y * y\np = (1, 2)", "dist(p)"],
        "one-for-several",
        "dist() takes the 2 arguments x, y as separate arguments, and gets one tuple, p",
    ),
    "sum of two": (["a = 1", "sum(a, 2)"], "several-for-one", "sum() takes one list (iterable)"),
    "append two": (["xs = []", "xs.append(1, 2)"], "several-for-one", "append() adds one value"),
    "split more": (
        ["line = 'Host: a:8'", "name, value = line.split(':')"],
        "split-parts",
        "The text 'Host: a:8' has 2 ':', so line.split(':') gives 3 parts, ['Host', ' a', '8']",
    ),
    "split of nothing": (
        ["line = ''", "name, value = line.split(':')"],
        "split-parts",
        "The text '' is empty, so line.split(':') gives 1 part, ['']",
    ),
    "inherited default": (
        [
            "from dataclasses import dataclass",
            "@dataclass\nclass A:\n    x: int = 1",
            "@dataclass\nclass B(A):\n    y: int",
        ],
        "field-order",
        "The field 'y' of B has no default, and B inherits the field 'x' with defaults from its "
        "base class A",
    ),
    "own order": (
        ["from dataclasses import dataclass", "@dataclass\nclass A:\n    x: int = 1\n    y: int"],
        "field-order",
        "The field 'y' of A has no default, and it comes after the field 'x'",
    ),
    "mutable field": (
        ["from dataclasses import dataclass", "@dataclass\nclass A:\n    x: list = []"],
        "mutable-field",
        "The default of the field 'x' of A is a list",
    ),
    "frozen": (
        [
            "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass A:\n    x: int",
            "a = A(1)",
            "a.x = 2",
        ],
        "frozen-instance",
        "a is a A, a frozen dataclass: its field 'x' (1) cannot be assigned to",
    ),
    "swapped by name": (
        [
            "def grow(capital, rate, years):\n    return [capital * rate for _ in range(years)]",
            "def run(interest, horizon):\n    return grow(100, horizon, interest)",
            "run(0.02, 10)",
        ],
        "swapped-arguments",
        "The arguments interest and horizon are passed to grow() in the wrong order",
    ),
    "used up": (
        [
            "rows = map(int, ['1', '2'])",
            "total = sum(rows)",
            "def mean(xs):\n    ys = [x for x in xs]\n    return sum(ys) / len(ys)",
            "mean(rows)",
        ],
        "spent-iterator",
        "is a map iterator that was already consumed (used up) at In[2], line 1: sum(rows)",
    ),
    "None kept": (
        [
            "import random\nclass Deck:\n    def __init__(self):\n        self.cards = [1, 2]\n"
            "    def mix(self):\n        self.cards = random.shuffle(self.cards)\n"
            "    def top(self):\n        return self.cards[0]",
            "d = Deck()\nd.mix()",
            "d.top()",
        ],
        "none-used",
        "self.cards is None: random.shuffle() works in place and returns None",
    ),
    "None among sorting keys": (
        ["points = {'red': 1, 'blue': None}", "sorted(points, key=points.get)"],
        "none-used",
        "points['blue'] is None",
    ),
    "None by a lambda": (
        ["rows = [{'n': 1}, {'n': None}]", "sorted(rows, key=lambda r: r['n'])"],
        "none-used",
        "r['n'] of the item a dict of 1 item, {'n': None} is None",
    ),
    "format of the second value": (
        ["row = {'a': 'x', 'b': '2.5'}", "f\"{row['a']:<5}{row['b']:.1f}\""],
        "wrong-format",
        "row['b'] ('2.5') is of type str",
    ),
    "class for an instance": (
        [
            "class Rover:\n    def drive(self, m): return m",
            "rover = Rover",
            "def go(v): return v.drive(3)",
            "go(rover)",
        ],
        "called-on-class",
        "v is the class Rover itself, not an instance: `rover = Rover` (In[2], line 1)",
    ),
}

CASES |= {
    "return in the loop": (
        [
            "def evens(xs):\n    out = []\n    for x in xs:\n        out.append(x)\n"
            "        return out",
            "evens([1, 2])[1]",
        ],
        "return-in-loop",
        "evens() returns out inside its loop (In[1], line 5, wrong indentation)",
    ),
    "text for range": (
        ["n = '5'", "range(n)"],
        "text-for-number",
        "n ('5') is a text, and range() needs a whole number",
    ),
    "module called": (
        ["import datetime", "datetime(2024, 1, 1)"],
        "module-called",
        "what is meant is datetime.datetime in it",
    ),
    "property called": (
        ["class A:\n    @property\n    def size(self): return 3", "a = A()\na.size()"],
        "property-called",
        "a.size is a property of A",
    ),
    "sorted mixed": (["xs = [3, 'a']", "sorted(xs)"], "mixed-sorting", "int (3), str ('a')"),
    "sorted dicts": (["xs = [{}, {}]", "sorted(xs)"], "mixed-sorting", "values of type dict"),
    "class scope": (
        ["class A:\n    n = 3\n    xs = [n for _ in range(2)]"],
        "class-scope",
        "'n' is a name of the class body of A (line 2)",
    ),
    "bytes and text": (["b = b'a'", "b + 'x'"], "text-for-bytes", "bytes are needed here"),
    "number written": (
        ["import io", "io.StringIO().write(3)"],
        "text-for-bytes",
        "3 is of type int, and a text is needed here",
    ),
    "no enum value": (
        ["from enum import Enum\nclass C(Enum):\n    RED = 'red'", "C('Red')"],
        "no-member",
        "C has no member with the value 'Red'; it has 'red'",
    ),
    "no enum name": (
        ["from enum import Enum\nclass C(Enum):\n    RED = 'red'", "C['red']"],
        "no-member",
        "C has no member with the name 'red'; it has 'RED'",
    ),
    "step of 0": (["step = 0", "range(0, 5, step)"], "out-of-range", "The step is 0"),
    "no date": (
        ["from datetime import date", "date(2024, 2, 30)"],
        "out-of-range",
        "There is no such date or time: day",
    ),
    "too large": (["x = 10.0", "x ** 400"], "out-of-range", "too large for a float"),
    "no Decimal": (
        ["from decimal import Decimal\ns = '1,5'", "Decimal(s)"],
        "out-of-range",
        "The text is no decimal number (s is '1,5')",
    ),
    "placeholder": (
        [
            "class Shape:\n    def area(self): raise NotImplementedError\n"
            "class Sq(Shape):\n    def aera(self): return 1",
            "Sq().area()",
        ],
        "not-implemented",
        "The class Sq does not define area()",
    ),
    "places of a format": (
        ["'%s %s' % 'a'"],
        "format-count",
        "has 2 places for values, and gets 1",
    ),
    "name of a format": (
        ["'{name}'.format(nam=1)"],
        "format-count",
        "asks for the name 'name', and .format() gets 0 values and the names ['nam']; 'nam'",
    ),
    "text raised": (["raise 'bad'"], "raised-no-exception", "raises 'bad', which is no exception"),
    "no setter": (
        ["class A:\n    @property\n    def x(self): return 1", "a = A()\na.x = 2"],
        "cannot-set",
        "'x' is a property of A without a setter",
    ),
    "slots": (
        ["class A:\n    __slots__ = ('size',)", "a = A()\na.sise = 2"],
        "cannot-set",
        "A has __slots__ (size) without 'sise'; it has 'size'",
    ),
}


@pytest.mark.parametrize(("cells", "rule", "words"), CASES.values(), ids=CASES.keys())
def test_the_root_is_named(debugged, cells, rule, words):
    """The first diagnosis names the root cause, where it was made."""
    first = debugged(*cells)[0]
    assert (first.rule, words in first.cause) == (rule, True), first.cause


OTHERS = {
    "a counter that a function changes": (
        ["N = 1", "def down():\n    global N\n    N = 0", "down()", "{}['a' * N]"],
        "rebound-global",
    ),
    "a global that a function fills": (
        [
            "CONN = None",
            "def connect():\n    global CONN\n    CONN = [1]",
            "connect()",
            "CONN + 'a'",
        ],
        "rebound-global",
    ),
    "a star import that overwrote nothing": (
        ["from math import *", "sqrt('a')"],
        "star-import",
    ),
    "defined again alike": (
        [
            "def f(): return [1]",
            "def f(): return [2]",
            "def g():\n    xs = f()\n    return xs + 1",
            "g()",
        ],
        "redefined-function",
    ),
    "an iterator used here first": (
        [
            "rows = map(int, [])",
            "def mean(xs):\n    ys = list(xs)\n    return 1 / len(ys)",
            "mean(rows)",
        ],
        "spent-iterator",
    ),
    "arguments in their order": (
        [
            "def grow(capital, rate, years):\n    return [capital * rate for _ in range(years)]",
            "def run(rate, years):\n    return grow(100, rate, years)",
            "run(10, 0.5)",
        ],
        "swapped-arguments",
    ),
    "a return behind a condition": (
        [
            "def first(xs):\n    out = []\n    for x in xs:\n        out.append(x)\n"
            "        if x > 1:\n            return out\n    return out",
            "first([2, 3])[1]",
        ],
        "return-in-loop",
    ),
    "raised by hand": (
        ["class A:\n    def go(self): return A.no\n    no = 1\nraise NotImplementedError('later')"],
        "not-implemented",
    ),
    "a list where a list is meant": (["xs = [[1]]", "hash(xs)"], "one-for-several"),
}


@pytest.mark.parametrize(("cells", "rule"), OTHERS.values(), ids=OTHERS.keys())
def test_what_only_looks_alike_is_not_blamed(debugged, cells, rule):
    """A rule says nothing where its facts do not hold."""
    assert rule not in [each.rule for each in debugged(*cells)]
