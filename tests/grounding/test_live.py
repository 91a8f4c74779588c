"""Live objects as subjects."""

from __future__ import annotations

import functools
import json
import linecache
import os.path
from typing import Any

import pytest

from aiex_ipy.grounding.live import MAX_SHOWN_CHARACTERS, dotted_name, object_subject, source_name


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


@pytest.mark.parametrize("value", [{"k": 1}, 3, "text", [1, 2], len, made("class E: x = 1")["E"]])
def test_what_has_no_source_shows_itself(value: object) -> None:
    """Type and text stand for a value without source."""
    subject = object_subject(value, "v")
    assert subject.language == "text"
    assert type(value).__name__ in subject.text and str(value) in subject.text


def test_a_huge_value_is_cut_and_its_shape_told() -> None:
    """A data set does not fill the prompt."""

    class Frame:
        shape = (1_000_000, 3)

        def __str__(self) -> str:
            return "row\n" * 1_000_000

    subject = object_subject(Frame(), "df")
    assert "df of type" in subject.text and "shape (1000000, 3)" in subject.text
    assert len(subject.text) < MAX_SHOWN_CHARACTERS + 200


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
