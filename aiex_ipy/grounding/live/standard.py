"""Describe values of builtin types and of the standard library, and objects of any other type."""

from __future__ import annotations

from typing import Any

from aiex_ipy.grounding.live import special
from aiex_ipy.grounding.live.atoms import plain
from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.printing import SCALARS, SEQUENCES, SETS, TEXTS, Printer, first
from aiex_ipy.grounding.live.static import (
    class_attribute,
    derives,
    entries,
    entry,
    first_of,
    full_name,
    instance_dict,
    public_names,
    qualname,
)

_KEYS = 1_000
_KEY = 80
_TYPED = 1_000


def describe(value: Any, printer: Printer) -> Description:
    """Return what is known of a value of no library we know."""
    kind = type(value)
    if derives(kind, BaseException):
        return _exception(value, printer)
    base = first_of(kind, (*SCALARS, *TEXTS, dict, *SEQUENCES, *SETS))
    if base is None:
        if value is None or value is Ellipsis or value is NotImplemented:
            return Description(type=qualname(kind), kind="scalar", value=str(value))
        return _object(value, printer)
    own = () if kind is base else public_names(value)
    if base in SCALARS:
        return Description(
            type=full_name(kind), kind="scalar", value=printer.text(value), attributes=own
        )
    size: int = base.__len__(value)  # type: ignore[attr-defined]
    word = "text" if base in TEXTS else "mapping" if base is dict else "sequence"
    record = base is tuple and type(class_attribute(kind, "_fields")) is tuple
    return Description(
        type=full_name(kind),
        kind="set" if base in SETS else "record" if record else word,
        length=size,
        keys=_keys(value, printer) if base is dict else (),
        attributes=own,
        facts=_facts(base, value, printer),
        value=printer.text(value),
    )


def _keys(value: Any, printer: Printer) -> tuple[str, ...]:
    return tuple(printer.text(key, _KEY) for key, _ in entries(value, _KEYS))


def _facts(base: type, value: Any, printer: Printer) -> tuple[tuple[str, str], ...]:
    """The types of the items, where they say more than the first items do."""
    if base in TEXTS:
        return ()
    found: dict[str, None] = {}
    if base is dict:
        items = [item for _, item in entries(value, _TYPED)]
    else:
        items = first(base, value, _TYPED)
    for item in items:
        found[full_name(type(item))] = None
        if len(found) > 5:
            break
    if not found:
        return ()
    # A set has no order that would be the same in another process.
    names = sorted(found) if base in SETS else list(found)
    more = ", …" if len(names) > 5 else ""
    return (("values" if base is dict else "items", ", ".join(names[:5]) + more),)


def _exception(value: Any, printer: Printer) -> Description:
    kind = type(value)
    read = BaseException.__dict__
    facts = []
    for label, name in (("cause", "__cause__"), ("context", "__context__")):
        other = read[name].__get__(value, kind)
        if other is not None:
            facts.append((label, printer.text(other, 120)))
            break
    traceback = read["__traceback__"].__get__(value, kind)
    if traceback is None:
        facts.append(("traceback", "none"))
    notes = entry(instance_dict(value), "__notes__")
    if type(notes) is list:
        facts += [("note", printer.text(each, 120)) for each in notes[:3] if type(each) is str]
    return Description(
        type=full_name(kind),
        kind="exception",
        attributes=public_names(value),
        facts=tuple(facts),
        value=printer.text(value),
    )


def _object(value: Any, printer: Printer) -> Description:
    kind = type(value)
    name = full_name(kind)
    shown = plain(value)
    if shown is not None:
        return Description(type=name, kind="scalar", value=printer.cut([shown], printer.characters))
    found = special.describe(value, printer)
    if found is not None:
        return found
    record = type(class_attribute(kind, "__dataclass_fields__")) is dict
    return Description(
        type=name,
        kind="record" if record else "object",
        attributes=public_names(value),
        value=printer.text(value),
    )
