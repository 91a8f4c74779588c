"""pydantic: models and what their classes say of their fields."""

from __future__ import annotations

import sys
from typing import Any

from aiex_ipy.grounding.live.code import annotation_text
from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import (
    attribute,
    class_attribute,
    entries,
    full_name,
    named,
    public_names,
)

_FIELDS = 100


def describe(value: Any, base: type, printer: Printer) -> Description | None:
    """Return what is known of a model; its validators and computed fields are not called."""
    if base is not sys.modules["pydantic"].BaseModel:
        return None
    kind = type(value)
    facts = [("fields", fields_text(kind))]
    given = attribute(value, "__pydantic_fields_set__")
    if type(given) is set:
        facts.append(("set", ", ".join(sorted(each for each in given if type(each) is str))[:200]))
    extra = attribute(value, "__pydantic_extra__")
    if type(extra) is dict and extra:
        facts.append(("extra", printer.text(extra, 120)))
    return Description(
        type=full_name(kind),
        kind="record",
        attributes=public_names(value),
        facts=tuple(facts),
        value=printer.of_object(value),
    )


def fields_text(kind: type) -> str:
    """Return the fields of a class of models, with their types."""
    fields = class_attribute(kind, "__pydantic_fields__")
    if type(fields) is not dict:
        return "not yet known"
    shown = []
    for name, field in named(fields, _FIELDS):
        note = annotation_text(attribute(field, "annotation"))
        shown.append(f"{name}: {note}" if note else name)
    more = f", … {len(fields) - _FIELDS} more" if len(entries(fields)) > _FIELDS else ""
    return ", ".join(shown) + more
