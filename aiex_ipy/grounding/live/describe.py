"""Describe a live value without running any of its code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from aiex_ipy.grounding.live import code, registered, standard
from aiex_ipy.grounding.live.description import CHARACTERS, DEPTH, ITEMS, Column, Description
from aiex_ipy.grounding.live.libraries import described, in_short
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import full_name
from aiex_ipy.grounding.live.text import line, lines
from aiex_ipy.redaction.shapes import WITHHELD

__all__ = ["describe", "line", "lines"]

_NAME = 200
MANY = 1_000


def describe(
    value: Any,
    name: str = "",
    *,
    depth: int = DEPTH,
    items: int = ITEMS,
    characters: int = CHARACTERS,
    brief: bool = False,
) -> Description:
    """Return what is known of `value`, called `name`, as far as is safe; never raises.

    Containers are shown `depth` deep, by `items` items each, the printed value cut at `characters`.
    No method, property or descriptor of a class of the user's is called, but a registered describer
    or a `_repr_llm_` method. Lazy and remote values are not computed. A value under a
    secret-looking name is withheld. `brief` tells the type alone.
    """
    kind = type(value)
    printer = Printer(depth=depth, items=items, characters=characters, short=in_short)
    shown_name = printer.cut([name], _NAME)
    try:
        if printer.is_secret(name, value):
            return Description(name=shown_name, type=full_name(kind), value=WITHHELD, withheld=True)
        found = Description(type=full_name(kind)) if brief else _found(value, printer)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # half-made objects of C extensions; a panic is no `Exception`
        found = Description(type=full_name(kind), facts=(("not described", type(error).__name__),))
    return replace(found, name=shown_name, withheld=printer.withheld or found.withheld)


def _found(value: Any, printer: Printer) -> Description:
    own, failure = registered.told(value)
    if isinstance(own, Description):
        return _bounded(own, printer)
    if own is not None:
        return Description(type=full_name(type(value)), value=printer.masked(own))
    found = code.describe(value, printer)
    if found is None:
        found = described(value, printer)
    if found is None:
        found = standard.describe(value, printer)
    return replace(found, facts=(*found.facts, ("describer", failure))) if failure else found


def _bounded(own: Description, printer: Printer) -> Description:
    """A description that a describer of the user's made, cut and masked as ours are."""

    def texts(many: Iterable[str]) -> tuple[str, ...]:
        return tuple(printer.cut([each], _NAME) for each in many)

    return replace(
        own,
        type=printer.cut([own.type], _NAME),
        dtype=printer.cut([own.dtype], _NAME),
        columns=tuple(
            Column(name=each.name[:_NAME], dtype=each.dtype[:_NAME], nulls=each.nulls)
            for each in own.columns[:MANY]
        ),
        keys=texts(own.keys[:MANY]),
        attributes=texts(own.attributes[:MANY]),
        signature=printer.cut([own.signature], registered.TOLD),
        source=printer.cut([own.source], registered.TOLD),
        facts=tuple((label[:_NAME], printer.cut([text], _NAME)) for label, text in own.facts[:50]),
        value=printer.cut([own.value], registered.TOLD),
    )
