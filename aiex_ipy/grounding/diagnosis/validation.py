"""What a pydantic model refuses: the field, the value, the type it is declared with."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator, Mapping
from typing import Any

from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    class_name,
    close_to,
    is_secret,
    namespace,
    nodes_at_fault,
    shown,
    text_of,
    type_name,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

MOST_FIELDS = 3
_WANTED: Mapping[str, str] = {
    "string": "str", "int": "int", "float": "float", "bool": "bool", "list": "list",
    "dict": "dict", "tuple": "tuple", "set": "set", "date": "date", "datetime": "datetime",
    "time": "time", "bytes": "bytes", "decimal": "Decimal", "uuid": "UUID", "url": "URL",
    "none": "None", "model": "a model or dict", "timedelta": "timedelta",
}  # fmt: skip
"""What a kind of error of pydantic-core wants. Source: pydantic's documentation, "Validation
errors": types begin with the name of the type."""


def refused_by_model(moment: Moment) -> Iterator[Diagnosis]:
    """Each field a model refused, with its place, value and declared type."""
    error, frame = moment.error, moment.frame
    kind = type(error)
    if kind.__module__ != "pydantic_core._pydantic_core" or kind.__name__ != "ValidationError":
        return
    assert error is not None
    problems = error.errors(include_url=False, include_context=False)  # type: ignore[attr-defined]
    model = _model(frame)
    for each in problems[:MOST_FIELDS]:
        yield _refused(each, model, str(getattr(error, "title", "")), frame)


def _model(frame: LiveFrame | None) -> Any:
    """The model that the failing call makes."""
    for call in nodes_at_fault(frame, ast.Call):
        func = call.func
        for node in (func, func.value if isinstance(func, ast.Attribute) else None):
            value = value_of(node, frame)[1]
            if isinstance(type(value), type) and _fields(value):
                return value
    return None


def _fields(model: Any) -> Mapping[str, Any]:
    """The fields of a model, from its own namespace."""
    if type(model).__name__ != "ModelMetaclass":
        return {}
    found = namespace(model).get("__pydantic_fields__") or namespace(model).get("model_fields")
    return found if type(found) is dict else {}


def _declared(model: Any, path: tuple[Any, ...]) -> tuple[str, str]:
    """The type a field of a (nested) model is declared with, and the model that declares it."""
    owner, annotation = model, None
    for part in path:
        fields = _fields(owner)
        if type(part) is str and part in fields:
            annotation = fields[part].annotation
            holder = owner
            owner = _inner(annotation)
    if annotation is None:
        return "", ""
    return _written(annotation), class_name(holder)


def _inner(annotation: Any) -> Any:
    """The model inside `list[Model]`, `Model | None`, `dict[str, Model]`."""
    if _fields(annotation):
        return annotation
    for each in getattr(annotation, "__args__", ()):
        found = _inner(each)
        if found is not None:
            return found
    return None


def _written(annotation: Any) -> str:
    if type(annotation) is type or _fields(annotation):
        return class_name(annotation)
    if type(annotation) is types.GenericAlias or type(annotation).__module__ in {"typing", "types"}:
        return str(annotation).replace("typing.", "")
    return ""


def _refused(
    problem: Mapping[str, Any], model: Any, title: str, frame: LiveFrame | None
) -> Diagnosis:
    path = tuple(problem["loc"])
    kind, given = str(problem["type"]), problem["input"]
    names = [each for each in path if type(each) is str]
    field = names[-1] if names else title
    place = ".".join(map(str, path)) or title
    declared, holder = _declared(model, path)
    wanted = declared or _WANTED.get(kind.partition("_")[0], "")
    as_declared = f" (declared {field}: {wanted}{f' in {holder}' if holder else ''})"
    secret = is_secret(field)
    value = f"a {type_name(given)} (withheld)" if secret else shown(given)
    evidence = [f"{where(frame)}: {text_of(frame.node if frame else None, 60)}"]
    if not secret:
        evidence.append(f"pydantic says of {place}: {problem['msg']}")
    if kind == "missing":
        keys = [k for k in given if type(k) is str] if type(given) is dict else []
        near = close_to(field, keys)
        has = f"; it has {', '.join(map(repr, keys[:6]))}" if keys else ""
        return Diagnosis(
            rule="refused-field",
            certainty="certain",
            cause=f"The required field {place!r} of {holder or title} is missing{has}"
            + (f"; {near[0]!r} is spelled almost the same." if near else "."),
            evidence=tuple(evidence),
            remedy=f"Give {field!r}, or a default in the model: {field}: {wanted or '…'} = ….",
        )
    if kind == "extra_forbidden":
        known = [each for each in _fields(model) if type(each) is str]
        near = close_to(field, known)
        return Diagnosis(
            rule="refused-field",
            certainty="certain",
            cause=f"{holder or title} has no field {place!r}, and forbids others"
            + (f"; it has {near[0]!r}, spelled almost the same." if near else "."),
            evidence=tuple(evidence),
            remedy=f"Write {near[0]!r}." if near else f"Leave {field!r} out.",
        )
    fitting = f", and {wanted} is declared{as_declared if declared else ''}"
    strict = kind == "string_type" and type(given) in {int, float, bool}
    return Diagnosis(
        rule="refused-field",
        certainty="certain",
        cause=f"The field {place!r} of {title} is given {value}, of type {type_name(given)}"
        + (fitting if wanted else f": {problem['msg']}")
        + ("; pydantic 2 does not turn numbers into str." if strict else "."),
        evidence=tuple(evidence),
        remedy=f"Give str({value}), or allow it: model_config = ConfigDict("
        "coerce_numbers_to_str=True)."
        if strict
        else f"Give {field!r} a value that fits, or widen its type in the model.",
    )
