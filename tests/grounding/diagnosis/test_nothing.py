"""Where a None came from: the method, function, key, pattern or default that gave it."""

import pytest

CASES = [
    # cells, words of the cause, the text mended (None: no fix)
    (
        ["def f(x):\n    r = x + 1", "v = f(2)\nv.real"],
        "f() has no return (In[1], line 1)",
        "def f(x):\n    r = x + 1\n    return r",
    ),
    (
        ["def f(xs):\n    out = []\n    for x in xs:\n        out.append(x)", "len(f([1]))"],
        "f() has no return",
        "def f(xs):\n    out = []\n    for x in xs:\n        out.append(x)\n    return out",
    ),
    (["def f(x):\n    if x:\n        return 1", "f(0) + 1"], "falls off its end", None),
    (["def f(x):\n    if x:\n        return 1\n    return None", "f(0) + 1"], "line 4", None),
    (["xs = [3, 1]", "ys = xs.sort()\nys[0]"], "in place", "ys = sorted(xs)\nys[0]"),
    (["xs = [3, 1]", "xs = xs.append(2)\nlen(xs)"], "in place", "xs.append(2)\nlen(xs)"),
    (
        ["import random\nxs = [1]", "ys = random.shuffle(xs)\nfor y in ys:\n    pass"],
        "random.shuffle() returns None",
        "random.shuffle(xs)\nys = xs\nfor y in ys:\n    pass",
    ),
    (
        ["d = {'name': 1}\nv = d.get('nmae')", "v + 1"],
        "'name'",
        "d = {'name': 1}\nv = d.get('name')",
    ),
    (
        ["import re\nm = re.match('b', 'ab')", "m.group(0)"],
        "found no match",
        "import re\nm = re.search('b', 'ab')",
    ),
    (["def f(x=None):\n    return x + 1", "f()"], "its default is None", None),
    (["x = None", "y = x", "y[0]"], "In[1], line 1", None),
    (["out = print('hi')", "out.upper()"], "print() returns None", None),
    (
        [
            "class A:\n    def __init__(self):\n        self.rows = None\n    def load(self):\n"
            "        self.rows = [1]\n    def first(self):\n        return self.rows[0]",
            "A().first()",
        ],
        "A.__init__ set it to None",
        None,
    ),
    (
        ["import os\nhome = os.environ.get('AIEX_NO_SUCH_VARIABLE')", "home.split(':')"],
        "is not set",
        None,
    ),
]


@pytest.mark.parametrize(("cells", "words", "after"), CASES)
def test_where_a_none_came_from(debugged, capsys, cells, words, after):
    """The cause says what gave None and where; a fix follows where the code tells it."""
    first = debugged(*cells)[0]
    assert (first.rule, words in first.cause) == ("none-used", True), first
    assert (first.fix.after if first.fix else None) == after


QUIET = [
    ["x = 3", "x.split(',')"],
    ["raise TypeError('NoneType is what I say')"],
    ["class Odd:\n    def __getattr__(self, name):\n        raise AttributeError(name)\nOdd().x"],
]


@pytest.mark.parametrize("cells", QUIET)
def test_quiet_where_no_none_was_used(debugged, cells):
    """An error that is not about None is not explained by one."""
    assert all(each.rule != "none-used" for each in debugged(*cells))
