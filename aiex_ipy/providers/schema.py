"""Structured answers: find the JSON in an answer's text and check it against its schema.

The schema language is the part of JSON Schema 2020-12 that `msgspec.json.schema` writes, with
`allOf`, `oneOf`, `not` and the bounds. `format` is not checked.
Source: JSON Schema 2020-12, Core and Validation, https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from aiex_ipy.errors import InvalidAnswerError

Schema = dict[str, Any]
_FENCED = re.compile(r"```[\w-]*\s*\n(.*?)\n\s*```", re.DOTALL)


def satisfying_json(text: str, schema: Schema, *, cut: bool, about: dict[str, Any]) -> str:
    """Return the JSON text within `text` that satisfies `schema`.

    The whole text is tried first, then fenced blocks, then the widest braces. `cut` says that
    the answer ended at its token limit: JSON beside which other JSON begins is then an example, or
    a part of what was cut. Raises InvalidAnswerError with the text in `partial`.
    """
    problem = ""
    for candidate in _candidates(text):
        try:
            value = msgspec.json.decode(candidate)
        except (msgspec.DecodeError, RecursionError):
            continue
        if cut and _opens(text.replace(candidate, "", 1)):
            continue
        problem = next(problems(value, schema), "")
        if not problem:
            return candidate
    if cut:
        raise InvalidAnswerError(
            f"The answer of model {about.get('model', '')!r} reached its token limit before its"
            " JSON was whole.",
            code="truncated",
            hint="Raise max_tokens.",
            partial=text,
            **about,
        )
    why = f"its JSON is not of the asked-for form: {problem}" if problem else "it holds no JSON"
    raise InvalidAnswerError(
        f"The answer of model {about.get('model', '')!r} cannot be used: {why}.",
        hint="Ask again, or name a larger model.",
        partial=text,
        **about,
    )


def _opens(text: str) -> bool:
    return "{" in text or "[" in text


def _candidates(text: str) -> Iterator[str]:
    yield text.strip()
    yield from (match.group(1).strip() for match in _FENCED.finditer(text))
    for opening, closing in ("{}", "[]"):
        start, end = text.find(opening), text.rfind(closing)
        if 0 <= start < end:
            yield text[start : end + 1]


def problems(value: Any, schema: Schema | bool, *, path: str = "$") -> Iterator[str]:
    """Yield what keeps `value` from satisfying `schema`, each as `path: fact`."""
    yield from _problems(value, schema, schema if isinstance(schema, dict) else {}, path)


def _problems(value: Any, schema: Any, root: Schema, path: str) -> Iterator[str]:
    if schema is True or schema == {}:
        return
    if schema is False:
        yield f"{path}: nothing is allowed here"
        return
    if "$ref" in schema:
        yield from _problems(value, _resolve(schema["$ref"], root), root, path)
    if "type" in schema and not _is_of_type(value, schema["type"]):
        yield f"{path}: expected {schema['type']}, got {_kind(value)}"
        return
    options = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if options is not None and not any(_same(value, option) for option in options):
        yield f"{path}: {value!r} is none of {options!r}"
    yield from _combined(value, schema, root, path)
    if isinstance(value, dict):
        yield from _of_object(value, schema, root, path)
    elif isinstance(value, list):
        yield from _of_array(value, schema, root, path)
    elif isinstance(value, str):
        yield from _of_string(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _of_number(value, schema, path)


def _combined(value: Any, schema: Schema, root: Schema, path: str) -> Iterator[str]:
    for part in schema.get("allOf", ()):
        yield from _problems(value, part, root, path)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            fits = sum(
                next(_problems(value, part, root, path), None) is None for part in schema[word]
            )
            if fits == 0 or (word == "oneOf" and fits > 1):
                yield f"{path}: fits {fits} of the {len(schema[word])} forms of {word}"
    if "not" in schema and next(_problems(value, schema["not"], root, path), None) is None:
        yield f"{path}: is of a form that is ruled out"


def _of_object(value: dict[str, Any], schema: Schema, root: Schema, path: str) -> Iterator[str]:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}: {name!r} is missing"
    others = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in known:
            yield from _problems(item, known[name], root, f"{path}.{name}")
        elif others is False:
            yield f"{path}: {name!r} is not asked for"
        else:
            yield from _problems(item, others, root, f"{path}.{name}")
    yield from _bounded(len(value), schema, "minProperties", "maxProperties", path)


def _of_array(value: list[Any], schema: Schema, root: Schema, path: str) -> Iterator[str]:
    first = schema.get("prefixItems", ())
    for index, (item, part) in enumerate(zip(value, first, strict=False)):
        yield from _problems(item, part, root, f"{path}[{index}]")
    for index in range(len(first), len(value)):
        yield from _problems(value[index], schema.get("items", True), root, f"{path}[{index}]")
    if schema.get("uniqueItems") and any(
        _same(one, other) for i, one in enumerate(value) for other in value[:i]
    ):
        yield f"{path}: items repeat"
    yield from _bounded(len(value), schema, "minItems", "maxItems", path)


def _of_string(value: str, schema: Schema, path: str) -> Iterator[str]:
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path}: {value!r} does not match {schema['pattern']!r}"
    yield from _bounded(len(value), schema, "minLength", "maxLength", path)


def _of_number(value: float, schema: Schema, path: str) -> Iterator[str]:
    yield from _bounded(value, schema, "minimum", "maximum", path)
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield f"{path}: {value!r} is not above {schema['exclusiveMinimum']!r}"
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        yield f"{path}: {value!r} is not below {schema['exclusiveMaximum']!r}"
    step = schema.get("multipleOf")
    if step and abs(value / step - round(value / step)) > 1e-9:
        yield f"{path}: {value!r} is no multiple of {step!r}"


def _bounded(size: float, schema: Schema, least: str, most: str, path: str) -> Iterator[str]:
    if least in schema and size < schema[least]:
        yield f"{path}: {size!r} is less than {least} {schema[least]!r}"
    if most in schema and size > schema[most]:
        yield f"{path}: {size!r} is more than {most} {schema[most]!r}"


def _resolve(ref: str, root: Schema) -> Any:
    """Follow a `#/a/b` pointer. Source: RFC 6901, sections 4 and 6."""
    found: Any = root
    for part in ref.removeprefix("#").split("/")[1:]:
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def _is_of_type(value: Any, name: str | list[str]) -> bool:
    if isinstance(name, list):
        return any(_is_of_type(value, one) for one in name)
    if name == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if name == "integer":
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and not isinstance(value, bool)
    return _kind(value) == name


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return names[type(value)]


def _same(one: Any, other: Any) -> bool:
    """JSON equality: `1` is not `true`, `1.0` is `1`."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def in_words(schema: Schema) -> str:
    """Return the instruction for a model whose server does not hold it to a schema."""
    text = msgspec.json.encode(schema).decode()
    return f"Answer with one JSON value and nothing else. It must satisfy this JSON schema: {text}"


def strict_schema(schema: Schema, *, bounds: bool = True) -> tuple[Schema, bool]:
    """Return `schema` as constrained decoding wants it, and whether it may be strict.

    The root reference is put in place, every object closed and all its properties required. An
    open map (an object without named properties) cannot be strict: then the schema is a guide
    and the check afterwards decides. `bounds` False moves the bounds into the description, for
    servers that refuse them; they too are checked afterwards.
    Source: OpenAI, Structured outputs, "Supported schemas"; Anthropic, Structured outputs,
    "JSON Schema limitations".
    """
    root = dict(schema)
    if "$ref" in root:
        target = _resolve(root.pop("$ref"), schema)
        root = {**target, **root}
    open_maps: list[str] = []
    closed = _closed(root, open_maps, bounds)
    if open_maps or closed.get("type") != "object":
        return root, False
    return closed, True


_LEFT_OUT = ("default", "title", "examples", "discriminator")
_BOUNDS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "pattern",
    "minProperties",
    "maxProperties",
)


def _closed(part: Any, open_maps: list[str], bounds: bool) -> Any:
    if isinstance(part, list):
        return [_closed(item, open_maps, bounds) for item in part]
    if not isinstance(part, dict):
        return part
    made: Schema = {}
    told: list[str] = []
    for word, body in part.items():
        if word in _BOUNDS and not bounds:
            told.append(f"{word} {body}")
        elif word in ("properties", "$defs"):
            made[word] = {name: _closed(sub, open_maps, bounds) for name, sub in body.items()}
        elif word in ("enum", "const", "required"):
            made[word] = body
        elif word not in _LEFT_OUT:
            made[word] = _closed(body, open_maps, bounds)
    if told:
        made["description"] = f"{made.get('description', '')} ({', '.join(told)})".strip()
    if made.get("type") == "object" or "properties" in made:
        _close(made, open_maps)
    return made


def _close(made: Schema, open_maps: list[str]) -> None:
    if not made.get("properties") or isinstance(made.get("additionalProperties"), dict):
        open_maps.append("object")
    made["additionalProperties"] = False
    made["required"] = list(made.get("properties", {}))
