"""Docstrings in the three usual styles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.grounding.documentation.docstring import Docstring, read_docstring

NUMPY = """Add two numbers.

More words.

Parameters
----------
a, b : int
    The numbers.
*rest
    Others.

Returns
-------
int
    Their sum.

Raises
------
ValueError
    When there is none.

See Also
--------
math.fsum : Exact.
sub, mul

Examples
--------
>>> add(1, 2)
3
"""
GOOGLE = """Add two numbers.

Args:
    a (int): The first.
        It may be large.
    b: The second.

Returns:
    int: Their sum.

Raises:
    ValueError: When there is none.

Example:
    add(1, 2)
"""
SPHINX = """Add two numbers.

:param int a: The first.
:param b: The second,
    which may be large.
:type b: float
:returns: Their sum.
:rtype: int
:raises ValueError: When there is none.
"""


@pytest.mark.parametrize("text", [NUMPY, GOOGLE, SPHINX])
def test_each_style_is_read(text: str) -> None:
    """Summary, parameters with types, result with type, and errors."""
    read = read_docstring(text)
    assert read.summary == "Add two numbers."
    assert [each.name for each in read.parameters][:2] == ["a", "b"]
    assert read.parameters[0].type == "int"
    assert [(each.type, each.text) for each in read.returns] == [("int", "Their sum.")]
    assert [(each.name, each.text) for each in read.raises] == [
        ("ValueError", "When there is none.")
    ]


def test_what_goes_over_several_lines_is_one_text() -> None:
    """Continued lines belong to the item above them."""
    assert read_docstring(GOOGLE).parameters[0].text == "The first. It may be large."
    assert read_docstring(SPHINX).parameters[1].text == "The second, which may be large."
    assert read_docstring(SPHINX).parameters[1].type == "float"


def test_related_names() -> None:
    """Those under "See Also"."""
    assert read_docstring(NUMPY).related == ("math.fsum", "sub", "mul")


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("", ""),
        ("One line.", "One line."),
        ("Two\n    lines.\n\n    More.", "Two lines."),
        ("sum(iterable, /, start=0)\n\nAdd up.", "Add up."),
        (">>> 1\n1", ""),
    ],
)
def test_the_summary_is_the_first_paragraph(text: str, summary: str) -> None:
    """On one line; a signature written by hand is no summary."""
    assert read_docstring(text).summary == summary


def test_libraries_are_read() -> None:
    """numpy and the standard library."""
    import numpy as np

    read = read_docstring(np.linspace.__doc__ or "")
    assert [each.name for each in read.parameters][:3] == ["start", "stop", "num"]
    assert {"arange", "geomspace"} <= set(read.related)


@given(st.text(alphabet=" \n:-ab.>()*,", max_size=200) | st.text(max_size=80))
def test_no_text_is_too_odd(text: str) -> None:
    """Any text gives a record."""
    assert isinstance(read_docstring(text), Docstring)
