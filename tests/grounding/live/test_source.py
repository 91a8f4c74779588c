"""Live objects as subjects."""

from __future__ import annotations

import functools
import json
import linecache
import os.path
from typing import Any

import pytest

from aiex_ipy.grounding.live import dotted_name, object_subject, source_name


class Boat:
    """Floats."""

    def row(self) -> int:
        return 1


@functools.cache
def wrapped() -> int:
    return 2


def made(source: str) -> dict[str, Any]:
    """Names made by code that has no file, as a cell's."""
    name = f"<cell {len(linecache.cache)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), names)
    return names


def test_a_function_gives_its_source_where_it_stands() -> None:
    """The text is the function's, numbered as in its file, also behind a decorator."""
    subject = object_subject(wrapped)
    assert subject.text == "@functools.cache\ndef wrapped() -> int:\n    return 2\n"
    assert linecache.getline(__file__, subject.first_line) == "@functools.cache\n"
    assert subject.path == "wrapped" and subject.language == "python"


def test_a_class_of_a_session_gives_its_source() -> None:
    """A class that was typed in has no file; its methods know where it stands."""
    names = made("x = 1\n\n\nclass Pond:\n    def depth(self):\n        return 1\n\ny = 2\n")
    subject = object_subject(names["Pond"])
    assert subject.text == "class Pond:\n    def depth(self):\n        return 1\n"
    assert subject.first_line == 4
    assert source_name(names["Pond"]).startswith("<cell")


@pytest.mark.parametrize("value", [{"k": 1}, 3, "text", [1, 2], made("class E: x = 1")["E"]])
def test_what_has_no_source_shows_itself(value: object) -> None:
    """Type and text stand for a value without source."""
    subject = object_subject(value, "v")
    assert subject.language == "text"
    assert type(value).__name__ in subject.text and str(value) in subject.text


def test_a_huge_value_is_cut_and_its_length_told() -> None:
    """A data set does not fill the prompt."""
    subject = object_subject(["row"] * 1_000_000, "rows")
    assert subject.text.startswith("rows: list, length 1000000")
    assert "more" in subject.text and len(subject.text) < 3_700


def test_methods_properties_and_partials_give_the_function_behind_them() -> None:
    """What stands before a function is looked through."""

    class Shop:
        @property
        def total(self) -> int:
            return 3

        @staticmethod
        def named(a: int) -> int:
            return a

    for value in (Shop.__dict__["total"], Shop.__dict__["named"], functools.partial(Shop.named, 1)):
        assert "def " in object_subject(value).text
    assert object_subject(Boat().row).path == "Boat.row"
    assert object_subject(Shop).text.startswith("    class Shop:")


def test_hostile_wrapping_ends() -> None:
    """A function that says it wraps itself, or an object that has every attribute, is told."""

    def loop() -> None:
        """Goes round."""

    loop.__wrapped__ = loop  # type: ignore[attr-defined]

    class Wraps:
        def __getattr__(self, name: str) -> object:
            raise SystemExit(name)

    assert "Goes round" in object_subject(loop).text
    assert object_subject(Wraps(), "w").language == "text"


def test_source_that_is_gone_or_changed_is_not_made_up() -> None:
    """Where the lines are not to be had, the description stands in their place."""
    names = made("def gone():\n    return 1\n")
    linecache.cache.pop(names["gone"].__code__.co_filename)
    subject = object_subject(names["gone"])
    assert subject.language == "text" and "gone()" in subject.text


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (json, "json"),
        (json.dumps, "json.dumps"),
        (os.path.join, f"{os.path.__name__}.join"),
        (json.JSONDecoder, "json.decoder.JSONDecoder"),
        (made("def f(): pass")["f"], None),
        (3, None),
        (lambda: 1, None),
    ],
)
def test_importable_things_have_a_dotted_name(value: object, name: str | None) -> None:
    """What stands in a module is looked at there, with all around it."""
    assert dotted_name(value) == name
