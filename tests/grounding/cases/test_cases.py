"""What to test is read off the parse tree, with the line and the values."""

from __future__ import annotations

import ast
import importlib.util
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiex_ipy.grounding.cases import Case, cases_of, scopes_in
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.names import Names
from aiex_ipy.grounding.python import parse


def cases(text: str, symbol: str = "") -> list[Case]:
    names = Names(parse(Subject(path="m.py", text=textwrap.dedent(text))))
    return [case for scope in scopes_in(names, symbol) for case in cases_of(names, scope)]


def told(text: str) -> dict[tuple[int, str], str]:
    return {(case.line, case.kind): case.test for case in cases(text)}


@pytest.mark.parametrize(
    ("condition", "test"),
    [
        ("n < 1", "`n` at 0, 1 and 2: true up to 0"),
        ("n <= 1", "`n` at 0, 1 and 2: true up to 1"),
        ("n > 1", "`n` at 0, 1 and 2: true from 2"),
        ("n >= -1", "`n` at -2, -1 and 0: true from -1"),
        ("1 > n", "`n` at 0, 1 and 2: true up to 0"),
        ("len(n) < 1", "`len(n)` at 0, 1 and 2: true up to 0"),
        ("len(n) >= 0", "`len(n)` at 0 and 1: true from 0"),
        ("n < 0.5", "`n` just below, at and just above 0.5: at it false"),
        (
            "n <= m",
            "`n` one less than `m`, equal to it, and one more (`m` + 1): when equal, true",
        ),
    ],
)
def test_a_boundary_names_the_values_on_both_sides(condition: str, test: str) -> None:
    """`<` and `<=` differ in which of the three values is still true."""
    assert told(f"def f(n, m):\n    if {condition}:\n        print(n)\n")[2, "boundary"] == test


@given(
    limit=st.integers(-50, 50),
    sign=st.sampled_from(["<", "<=", ">", ">="]),
    mirrored=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_values_of_a_boundary_are_those_where_the_answer_changes(
    limit: int, sign: str, mirrored: bool
) -> None:
    """Evaluated, the comparison is true and false among the three values, as the case says."""
    condition = f"{limit} {sign} n" if mirrored else f"n {sign} {limit}"
    (test,) = [
        case.test
        for case in cases(f"def f(n):\n    return {condition}\n")
        if case.kind == "boundary"
    ]
    values, _, rule = test.removeprefix("`n` at ").partition(": true ")
    *way, number = rule.split()
    three = [int(each) for each in values.replace(" and ", ", ").split(", ")]
    truth = [bool(eval(condition, {"n": each})) for each in three]
    assert True in truth and False in truth
    below = way == ["up", "to"]
    assert truth == [each <= int(number) if below else each >= int(number) for each in three]


FUNCTION = """\
def pay(sum, items, kind=None, tags=[], *, strict=False):
    if not items and strict:
        raise ValueError("nothing")
    for item in items:
        if isinstance(item, (int, float)):
            last = item
            break
    try:
        total = sum / kind
    except ZeroDivisionError:
        return None
    finally:
        tags.append(total)
    match kind:
        case 1:
            return last
    with open(tags[0]) as file:
        file.read()
"""


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        (1, "default", "called twice without `tags`"),
        (2, "branch", "`strict` false"),
        (3, "raise", "raises ValueError if not items and strict"),
        (4, "loop", "gives no item, one, several; left by `break` (line 7)"),
        (5, "type", "`int`, `float`, and of another"),
        (10, "handler", "raises ZeroDivisionError"),
        (13, "handler", "this runs all the same"),
        (14, "branch", "matches no case"),
        (15, "branch", "matches `1`"),
        (17, "context", "left cleanly"),
        (17, "index", "`tags` empty (IndexError)"),
        (18, "return", "None comes back"),
        (13, "effect", "changed in place"),
    ],
)
def test_each_part_of_a_function_has_its_case(line: int, kind: str, words: str) -> None:
    """Branches, loops, errors, handlers, defaults, indexes, results: each by its own line."""
    assert any(
        words in case.test for case in cases(FUNCTION) if (case.line, case.kind) == (line, kind)
    )


def test_a_name_bound_in_a_loop_alone_is_told() -> None:
    """Without a round it is missing where it is used after the loop."""
    assert any("`last` is bound in the loop alone" in case.why for case in cases(FUNCTION))


@pytest.mark.parametrize(
    "body",
    [
        "if not n:\n        return 0\n    return 1 / n",
        "if n == 0:\n        raise ValueError\n    return 1 / n",
        "if n < 1:\n        raise ValueError\n    return 1 / n",
        "return 1 / n if n else 0",
        "return 'a %s' % n",
    ],
)
def test_what_is_guarded_is_no_case(body: str) -> None:
    """A divisor that cannot be nought there, and `%` that formats, need no test of their own."""
    assert not [c for c in cases(f"def f(n):\n    {body}\n") if c.kind == "division"]


def test_an_open_divisor_is_a_case() -> None:
    """What nothing before it excludes may be 0."""
    assert (
        told("def f(a, n):\n    if n > 1:\n        return 0\n    return a // n\n")[4, "division"]
        == "`n` is 0"
    )


def test_recursion_and_waits_are_told() -> None:
    """How deep a function calls itself; that it may be cancelled where it waits."""
    text = """\
    async def walk(tree):
        if tree is None:
            return
        await walk(tree.left)
        await walk(tree.right)
    """
    found = told(text)
    assert "the base case" in found[4, "recursion"]
    assert "cancelled while it waits here" in found[4, "cancel"]


def test_texts_taken_apart_and_input_without_items() -> None:
    """The mark that is missing; nothing to take the least of; an order that is not there."""
    found = told("def f(text, xs):\n    a, b = text.split('=')\n    return min(xs), int(a)\n")
    assert found[2, "type"].startswith("`text` without '=', with it once")
    assert "empty (ValueError)" in found[3, "empty"]


def test_a_declaration_has_nothing_to_test() -> None:
    """Overloads and protocols, a class of its own."""
    assert cases("class A:\n    x = 1\n    def f(self, a=1): ...\n") == []


def test_each_line_stands_in_the_function_and_comes_once() -> None:
    """Over functions of our own: the line is inside, and no line, kind and text come twice."""
    for module in (ast, textwrap):
        with open(str(module.__file__), encoding="utf-8") as file:
            names = Names(parse(Subject(path="m.py", text=file.read())))
        for scope in scopes_in(names, ""):
            found = cases_of(names, scope)
            assert all(scope.start <= case.line <= scope.end_line for case in found)
            assert len({(c.line, c.kind, c.on) for c in found}) == len(found)
            assert all(case.test and case.on and case.rank in (1, 2, 3) for case in found)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("package", ["xarray"])
def test_whole_packages_are_read(package: str) -> None:
    """Thousands of functions of installed packages: each case is inside its function, says what
    to do, and stands there once."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        pytest.skip(f"{package} is not installed")
    total = 0
    for file in sorted(Path(found.origin).parent.rglob("*.py")):
        parsed = parse(Subject(path=file.name, text=file.read_text("utf-8")))
        if parsed.error is not None or "tests" in file.parts:
            continue
        names = Names(parsed)
        for scope in scopes_in(names, ""):
            cases = cases_of(names, scope)
            total += len(cases)
            assert all(scope.start <= c.line <= scope.end_line and c.test for c in cases)
            assert len({(c.line, c.kind, c.on) for c in cases}) == len(cases)
    assert total > 5_000
