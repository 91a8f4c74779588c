"""A model's answer becomes the text to insert: no fences, nothing said twice, one piece of code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.operations.continuing import continuation


@pytest.mark.parametrize(
    ("fragment", "suffix", "answer", "inserted"),
    [
        ("df.gr", "", 'oupby("a")', 'oupby("a")'),
        ("df.gr", "", 'groupby("a")', 'oupby("a")'),
        ("df.gr", "", 'df.groupby("a")', 'oupby("a")'),
        ("df.gr", "", '```python\ndf.groupby("a")\n```', 'oupby("a")'),
        ("df.gr", "", 'Sure! Here:\n```py\ndf.groupby("a")\n```\nThis groups.', 'oupby("a")'),
        ("df.gr", "", '```python\ndf.groupby("a")', 'oupby("a")'),
        ("df.gr", "", '`df.groupby("a")`', 'oupby("a")'),
        ("df.gr", "", "<think>hm</think>df.groupby(1)", "oupby(1)"),
        ("x = ", "", " 5\ny = 6", "5"),
        ("x = ", "", "f(1,\n  2)\ny = 6", "f(1,\n  2)"),
        ("print(", ")", "x)", "x"),
        ('df["', '"]', 'price"]', "price"),
        ("f(a", ", c)", ", b, c)", ", b"),
        ("def area", "", "(r):\n    return r\n\nprint(1)", "(r):\n    return r"),
        ("def area", "", "def area(r):\n    return r", "(r):\n    return r"),
        ("def f(x):\n    ", "", "    return x\n\nf(1)", "return x"),
        ("def f(x):\n    ", "", "return x\nf(1)", "return x"),
        ("def f(x):\n    ", "", "def f(x):\n    return x", "return x"),
        ("if a:", "", "\n    b\nelse:\n    c\nd", "\n    b\nelse:\n    c"),
        ("a = 1\n", "", "b = 2\nc = 3\n\nd = 4", "b = 2\nc = 3"),
        ("df.gr", "", "", ""),
        ("df.gr", "", "```\n```", ""),
    ],
)
def test_the_text_to_insert(fragment: str, suffix: str, answer: str, inserted: str) -> None:
    """Fences go and their content stays; repeated text goes; the statement or block ends."""
    assert continuation(answer, fragment, suffix) == inserted


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=20))
def test_any_answer_gives_some_text(answer: str, fragment: str, suffix: str) -> None:
    """No answer makes it fail, and nothing is inserted that the answer does not have."""
    inserted = continuation(answer, fragment, suffix)
    assert inserted in answer
