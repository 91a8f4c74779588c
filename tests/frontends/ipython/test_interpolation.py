"""What stands between braces in a question, and what of it is the user's value."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiex_ipy.frontends.ipython.interpolation import MAX_VALUE_CHARACTERS, interpolate


class Frame:
    """Stands for a data frame."""

    columns = ("region", "sales")
    index: Any = None

    @property
    def broken(self) -> str:
        raise ValueError("no such thing")

    def __str__(self) -> str:
        return "<a frame>"


class Uncallable:
    """Fails when anything but its text is asked for by a call."""

    def __call__(self) -> str:
        raise AssertionError("called")

    def __str__(self) -> str:
        return "text"


NAMES: dict[str, Any] = {
    "x": 5,
    "y": "why",
    "a": 1,
    "b": 2,
    "n": 3,
    "i": 0,
    "k": "key",
    "name": "Ada",
    "item": "pear",
    "items": ["one", "two"],
    "df": Frame(),
    "d": {"k": "v", "a b": "with blank", 3: "three"},
    "In": ["", "import os", "{x} and \\{x}"],
    "sneaky": "{x} \\{x} {nope}",
    "f": Uncallable(),
}


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("what is {x}?", "what is 5?"),
        ("{df.columns}", "('region', 'sales')"),
        ("{df}", "<a frame>"),
        ("why does {In[1]} work", "why does import os work"),
        ("{In[-2]}", "import os"),
        ("{d['k']} {d[\"a b\"]} {d[3]}", "v with blank three"),
        ("{items[0]}, {items[1]}", "one, two"),
        ("({x}) '{x}' \"{x}\" ={x}, {x}.", "(5) '5' \"5\" =5, 5."),
        ("{x}{y}{x}", "5why5"),
        ("don't {x} can't", "don't 5 can't"),
        ("it's {x}\nI'm", "it's 5\nI'm"),
        ("```python\n{In[1]}\n```", "```python\nimport os\n```"),
        ("```\n  {x}  \n```", "```\n  5  \n```"),
        (r"\{x}", "{x}"),
        (r"{x} \{x} {x}", "5 {x} 5"),
        ("```\n\\{x}\n```", "```\n{x}\n```"),
        ("{f}", "text"),
        ("an open ``` fence\n{x}", "an open ``` fence\n5"),
        ("line one\r\n{x}\r\nline three", "line one\r\n5\r\nline three"),
        ("{naïve}", "{naïve}"),
    ],
)
def test_groups_that_lead_to_a_value_are_replaced(text: str, sent: str) -> None:
    """A name, an attribute, an index with a literal: each gives the value's own text."""
    assert interpolate(text, NAMES).text == sent


UNCHANGED = {
    "dicts and sets": "{'a': 1, \"b\": {}} {} {x, y} {1, 2} {**d} {k: v for k, v in d.items()}",
    "f-string": "print(f\"{x} {df.columns} {x!r:>{n}} {{x}} {d['k']}\")",
    "f-string, other quotes": 'f\'{x}\' F"{x}" fR"{x}" f\'\'\'{x}\n{y}\'\'\' f"""{x}\n{y}"""',
    "nested f-string": 'f"{f"{x}"} {d["k"]} {x}"',
    "t-string": 't"{x}" tr"{y}"',
    "f-string with escape": r'f"\"{x}\" {y}"',
    "format": "\"{x} {}\".format(x=1); \"{name}\" . format_map(d); '''{x}\n'''.format(x=2)",
    "format specs": "{x:.2f} {x!r} {x!s:>10} {0} {0.name} {x:>{n}}",
    "traceback": "Traceback (most recent call last):\n"
    '  File "a.py", line 3, in <module>\n    print(f"{x}")\nKeyError: \'{x\'',
    "Jinja": "{{ x }} {{x}} {% if x %}{{ item.name }}{% endif %} {# x #} {%- for i in items -%}",
    "LaTeX": r"\frac{a}{b} \sqrt[n]{x} x_{i}^{n} \left\{ x \right\} \mathbb{R} \text{x} {\bf x} "
    r"\begin{x} $\{x\}$ \{ x \} \textbf{\emph{x}}",
    "templates": "${x} #{x} %{x} $${x} `${x}` @{{x}}",
    "JSX": "<p>{x}</p> <Name>{name}</Name>",
    "fence": "```python\ns = {x}\nprint({x})\n  return {x}\n```",
    "tilde fence": "~~~\ns = {x} # {y}\n~~~~",
    "fence in fence": "````\n```\na {x}\n```\nb {x}\n````",
    "code span": "`{x}` ``{x} ` {y}`` `a\nb {x}`",
    "blanks": "{ x } {x } { x} {x .real} {x. real} {\nx\n}",
    "calls and operators": "{f()} {x + 1} {x if y else n} {x,} {x=} {-x} {not x} {x[i]} {d[k]}",
    "slices": "{items[0:1]} {items[:]} {items[]} {d['k]}",
    "JSON": '{"name": "x", "items": [{"a": 1}], "n": {}}',
    "shell": "echo ${name} {a,b}.txt $(x) {1..3}",
    "CSS and C": "p { color: red } int main() { return x; }",
    "Rust": 'println!("{} {:?} {x:?} {{x}}", a);',
    "empty": "",
    "unclosed": "{x {x. {x[ {x[0 {d['k'",
}


@pytest.mark.parametrize("text", UNCHANGED.values(), ids=UNCHANGED.keys())
def test_other_braces_stay(text: str) -> None:
    """Code, templates and formulas go out as they came, although all their names exist."""
    assert interpolate(text, NAMES) == (text, ())


def test_text_of_a_value_is_not_scanned_again() -> None:
    """A value that holds a group cannot fetch another value."""
    assert interpolate("{sneaky}|{In[2]}", NAMES).text == "{x} \\{x} {nope}|{x} and \\{x}"


def test_an_unknown_name_stays_and_is_told() -> None:
    """A typing error in a name is not sent silently."""
    found = interpolate("what is {dff.columns} and {zz}?", NAMES)
    assert found.text == "what is {dff.columns} and {zz}?"
    assert found.notices == ("No such variable, sent as it stands: {dff.columns}, {zz}.",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{d['z']}", "KeyError: 'z'"),
        ("{items[7]}", "IndexError"),
        ("{df.nope}", "AttributeError"),
        ("{df.broken}", "ValueError: no such thing"),
        ("{x[0]}", "TypeError"),
    ],
)
def test_a_path_that_leads_nowhere_stays_and_is_told(text: str, why: str) -> None:
    """A missing key or a property that raises is named; the question goes out with the braces."""
    found = interpolate(text, NAMES)
    assert found.text == text
    assert why in found.notices[0] and text in found.notices[0]


def test_a_huge_value_is_cut_and_told() -> None:
    """A data set does not fill the question."""
    found = interpolate("{big}", {"big": "y" * 1_000_000})
    assert len(found.text) < MAX_VALUE_CHARACTERS + 50
    assert "1000000" in found.notices[0]


def test_many_unknown_names_are_one_line() -> None:
    """A pasted template does not flood the cell with notices."""
    found = interpolate(" ".join(f"{{v{n}}}" for n in range(50)), {})
    assert found.notices == ("No such variable, sent as it stands: {v0}, {v1}, {v2} and 47 more.",)


braces = st.text(alphabet="{}xd.['k]0 \\`\"f\n~", max_size=60)


@settings(deadline=None)
@given(braces)
def test_without_names_nothing_changes(text: str) -> None:
    """Whatever the text, with no variables it is sent as it stands."""
    assert interpolate(text, {}).text == text


@settings(deadline=None)
@given(braces)
def test_what_is_replaced_is_only_groups(text: str) -> None:
    """Outside the groups no character is lost, added or moved: putting each value back gives the
    text, but for the backslash of an escaped group."""
    mark = "\ue000"
    sent = interpolate(text, {"x": mark, "d": {"k": mark}}).text
    pattern = re.escape(sent).replace(re.escape(mark), r"\{[^{}\n]*\}")
    escapes = re.compile(
        pattern.replace(r"\{x\}", r"\\?\{x\}").replace(r"\{d", r"\\?\{d"), re.DOTALL
    )
    assert re.fullmatch(escapes, text) or re.fullmatch(pattern, text, re.DOTALL)


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=30))
def test_any_text_with_any_value_is_taken(text: str, value: str) -> None:
    """No text makes it fail, and a value arrives whole."""
    found = interpolate(f"{text}\n\n{{v}}", {"v": value})
    assert value in found.text or "{v}" in found.text


@settings(deadline=None)
@given(st.from_regex(r"(```|~~~)[a-z]*\n([^`~]*\n)?(```|~~~)\n", fullmatch=True))
def test_code_in_a_fence_is_the_users_own(text: str) -> None:
    """In a closed fence only a line that is nothing but a group can change."""
    sent = interpolate(text, {"x": "VALUE"}).text
    for before, after in zip(text.splitlines(), sent.splitlines(), strict=False):
        assert before == after or before.strip().lstrip("\\") == "{x}"
