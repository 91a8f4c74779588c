"""Structured answers: the JSON found in a text, and what satisfies a schema."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.errors import InvalidAnswerError
from aiex_ipy.providers.schema import problems, satisfying_json, strict_schema


class Point(msgspec.Struct, kw_only=True):
    line: int
    tags: list[str] = []
    note: str | None = None


class Finding(msgspec.Struct, kw_only=True):
    severity: Literal["low", "high"]
    points: list[Point]
    weights: dict[str, float] = {}
    nested: Finding | None = None


SCHEMA = msgspec.json.schema(Finding)
POINTS = st.builds(
    Point,
    line=st.integers(-(2**53), 2**53),
    tags=st.lists(st.text(max_size=4), max_size=3),
    note=st.none() | st.text(max_size=4),
)
FINDINGS = st.recursive(
    st.none(),
    lambda inner: st.builds(
        Finding,
        severity=st.sampled_from(["low", "high"]),
        points=st.lists(POINTS, max_size=3),
        weights=st.dictionaries(
            st.text(max_size=3), st.floats(allow_nan=False, allow_infinity=False), max_size=2
        ),
        nested=inner,
    ),
    max_leaves=3,
).filter(lambda each: each is not None)


@given(FINDINGS)
def test_what_a_type_encodes_satisfies_the_types_schema(finding):
    """The check agrees with the library that wrote the schema."""
    assert not list(problems(msgspec.json.decode(msgspec.json.encode(finding)), SCHEMA))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["low", "high", "x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["severity", "points", "line", "tags", "note", "weights", "nested"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(JSON | FINDINGS.map(msgspec.to_builtins))
def test_the_check_and_the_type_agree_on_any_json(value):
    """Whatever passes can be converted to the type, and whatever can be converted passes."""
    passes = not list(problems(value, SCHEMA))
    try:
        msgspec.convert(value, Finding)
    except msgspec.ValidationError:
        assert not passes
    else:
        assert passes


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": ["string", "null"]}, [None, "a"], [1, [], False]),
        ({"type": "number"}, [1, 1.5], [True, "1"]),
        ({"type": "integer"}, [1, 2.0], [1.5, True]),
        ({"const": 1}, [1, 1.0], [True, 2]),
        ({"enum": ["a", 2]}, ["a", 2], ["b", "2", None]),
        ({"minimum": 1, "maximum": 3}, [1, 3, "no number"], [0, 4]),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, [2], [1, 3]),
        ({"multipleOf": 0.1}, [0.3, 7], [0.25]),
        ({"minLength": 1, "maxLength": 2, "pattern": "^a"}, ["a", "ab"], ["", "abc", "b"]),
        ({"minItems": 1, "maxItems": 2, "uniqueItems": True}, [[1], [1, True]], [[], [1, 1]]),
        ({"prefixItems": [{"type": "string"}], "items": False}, [["a"], []], [[1], ["a", 1]]),
        ({"allOf": [{"type": "integer"}, {"minimum": 2}]}, [2], [1, "2"]),
        ({"oneOf": [{"type": "integer"}, {"minimum": 2}]}, [1, 2.5], [3]),
        ({"not": {"type": "string"}}, [1], ["a"]),
        ({"properties": {"a": True, "b": False}}, [{"a": 1}], [{"b": 1}]),
        ({"additionalProperties": {"type": "integer"}}, [{"x": 1}], [{"x": "1"}]),
        ({"minProperties": 1, "maxProperties": 1}, [{"x": 1}], [{}, {"x": 1, "y": 2}]),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "null"}}}, [None], [0]),
        (True, [1, None], []),
        (False, [], [1, None]),
    ],
)
def test_each_word_of_the_schema_language(schema, good, bad):
    """What the words mean is what JSON Schema says they mean."""
    for value in good:
        assert list(problems(value, schema)) == []
    for value in bad:
        assert list(problems(value, schema))


WANTED = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"n": 1}', '{"n": 1}'),
        ('  {"n": 1}\n', '{"n": 1}'),
        ('Sure!\n```json\n{"n": 1}\n```\nDone.', '{"n": 1}'),
        ('```\n{"x": 1}\n```\n```json\n{"n": 2}\n```', '{"n": 2}'),
        ('The answer is {"n": 3}, as asked.', '{"n": 3}'),
    ],
)
def test_json_is_found_where_models_put_it(text, found):
    """Alone, in a fence, or in the middle of prose."""
    assert satisfying_json(text, WANTED, cut=False, about={}) == found


@pytest.mark.parametrize(
    ("text", "cut", "code", "says"),
    [
        ("no json", False, "invalid_answer", "it holds no JSON"),
        ('{"n": "x"}', False, "invalid_answer", "$.n: expected integer, got string"),
        ("{}", False, "invalid_answer", "$: 'n' is missing"),
        ('{"n": 1', True, "truncated", "token limit"),
        ("[" * 9000, False, "invalid_answer", "it holds no JSON"),
    ],
)
def test_text_of_another_form_is_an_error_that_says_where(text, cut, code, says):
    """The message names the place; the text is kept for a repair."""
    with pytest.raises(InvalidAnswerError) as caught:
        satisfying_json(text, WANTED, cut=cut, about={"model": "m"})
    assert caught.value.code == code
    assert says in caught.value.message
    assert caught.value.partial == text


def objects(part: object) -> list[dict[str, object]]:
    """All object schemas within a schema."""
    if isinstance(part, list):
        return [each for item in part for each in objects(item)]
    if not isinstance(part, dict):
        return []
    inner = [each for value in part.values() for each in objects(value)]
    return [part, *inner] if part.get("type") == "object" else inner


def test_a_strict_schema_is_closed_and_asks_for_everything():
    """What the vendors' constrained decoding demands of every object."""
    schema, strict = strict_schema(msgspec.json.schema(Point))
    assert strict
    assert schema["type"] == "object"
    for each in objects(schema):
        assert each["additionalProperties"] is False
        assert each["required"] == list(each["properties"])


def test_an_open_map_is_never_strict():
    """A dictionary with free keys has no strict form; the check afterwards decides."""
    schema, strict = strict_schema(SCHEMA)
    assert not strict
    assert "$ref" not in schema


def test_bounds_move_into_the_description_where_they_are_refused():
    """The model still reads them, and the check still holds it to them."""
    given_schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1, "description": "a count"}},
    }
    schema, _ = strict_schema(given_schema, bounds=False)
    assert schema["properties"]["n"] == {
        "type": "integer",
        "description": "a count (minimum 1)",
    }
    assert strict_schema(given_schema)[0]["properties"]["n"]["minimum"] == 1


@given(FINDINGS)
def test_what_satisfies_the_strict_form_satisfies_the_schema(finding):
    """The stricter question has no answer that the schema refuses."""
    schema, _ = strict_schema(msgspec.json.schema(Point))
    for point in finding.points:
        value = msgspec.to_builtins(point)
        assert not list(problems(value, schema))
        assert not list(problems(value, msgspec.json.schema(Point)))


@pytest.mark.parametrize(
    "text",
    [
        'Such as {"a": 1}, so: {"a": 2, "b',
        '```json\n{"a": 1}\n```\nThat is the form. Now: {"a": ',
        '[{"a": 1},',
        '[{"a": 1}, {"a": 2',
    ],
)
def test_a_cut_answer_is_not_taken_for_the_example_before_it(text: str) -> None:
    """Half of an answer is none, and what it began with is not the rest of it."""
    with pytest.raises(InvalidAnswerError) as caught:
        satisfying_json(text, {"type": "object", "required": ["a"]}, cut=True, about={})
    assert caught.value.code == "truncated"


@pytest.mark.parametrize("text", ['{"a": 1}', 'So: {"a": 1} And that is', '```\n{"a": 1}\n```\nI'])
def test_a_cut_answer_whose_json_was_whole_is_one(text: str) -> None:
    """Only talk after it was cut."""
    schema = {"type": "object", "required": ["a"]}
    assert satisfying_json(text, schema, cut=True, about={}) == '{"a": 1}'
