"""Names that are not there: each cause is told by name, its place and, where it follows, a fix."""

import pytest

CASES = [
    # cells, rule, words of the cause, the failing cell mended (None: no fix)
    (
        ["prices = [1]", "print(prcies[0])"],
        "near-miss-name",
        "'prices'",
        "print(prices[0])",
    ),
    (
        ["größe = 3", "x = 'ä'; y = grösse + 1"],
        "near-miss-name",
        "'größe'",
        "x = 'ä'; y = größe + 1",
    ),
    (
        ["'''Sums.'''\nfrom __future__ import annotations\nx = np.zeros(3)"],
        "missing-import",
        "import numpy as np",
        "'''Sums.'''\nfrom __future__ import annotations\nimport numpy as np\nx = np.zeros(3)",
    ),
    (["x = 1\ndel x", "x + 1"], "deleted-name", "In[1], line 2", None),
    (
        ["try:\n    1/0\nexcept ZeroDivisionError as e:\n    pass\nprint(e)"],
        "deleted-name",
        "except",
        None,
    ),
    (["def f():\n    inner = 1\n    return 2\nf()", "inner + 1"], "local-elsewhere", "f()", None),
    (["total()\ndef total():\n    return 1"], "used-before-made", "line 2", None),
    (["for i in xrange(3):\n    pass"], "foreign-name", "range", "for i in range(3):\n    pass"),
    (["x = true"], "foreign-name", "True", "x = True"),
    (["row = {'city': 1}", "row[city]"], "missing-quotes", "quotes", 'row["city"]'),
    (
        [
            "class A:\n    def __init__(self):\n        self.total = 1\n    def g(self):\n"
            "        return total\nA().g()"
        ],
        "missing-self",
        "attribute of self",
        "class A:\n    def __init__(self):\n        self.total = 1\n    def g(self):\n"
        "        return self.total\nA().g()",
    ),
    (["list = [1]", "y = 5\nlist('ab')"], "overwritten-name", "In[1], line 1", None),
    (["import json\njson = '{}'", "json.loads('{}')"], "overwritten-name", "the module json", None),
]


@pytest.mark.parametrize(("cells", "rule", "words", "after"), CASES)
def test_the_cause_is_named(debugged, cells, rule, words, after):
    """The first diagnosis is of this rule, names this, and mends the text exactly so."""
    first = debugged(*cells)[0]
    assert (first.rule, words in first.cause) == (rule, True), first
    assert (first.fix.after if first.fix else None) == after


def test_a_name_of_a_cell_that_failed(debugged):
    """A name made below the line that raised says so."""
    first = debugged("y = 1/0\nz = 2", "z + 1")[0]
    assert (first.rule, first.cause.split(" ")[4]) == ("cell-failed", "In[1],")


QUIET = [
    ["x = completely_unknown"],
    ["values = [1]", "raise NameError('odd')"],
    ["x = 3", "x()"],
    ["str(5)", "int([1])"],
]


@pytest.mark.parametrize("cells", QUIET)
def test_quiet_where_nothing_is_known(debugged, cells):
    """No name nearby, none overwritten: no rule on names speaks."""
    rules = {each.rule for each in debugged(*cells)}
    assert not rules & {"near-miss-name", "overwritten-name", "missing-import", "deleted-name"}
