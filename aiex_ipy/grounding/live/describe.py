"""Describe a live value without running any of its code."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from aiex_ipy.grounding.live import code, standard
from aiex_ipy.grounding.live.description import CHARACTERS, DEPTH, ITEMS, Description
from aiex_ipy.grounding.live.libraries import described
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import full_name
from aiex_ipy.grounding.live.text import line, lines
from aiex_ipy.redaction.shapes import WITHHELD

__all__ = ["describe", "line", "lines"]

_NAME = 200


def describe(
    value: Any,
    name: str = "",
    *,
    depth: int = DEPTH,
    items: int = ITEMS,
    characters: int = CHARACTERS,
) -> Description:
    """Return what is known of `value`, called `name`, as far as is safe; never raises.

    Containers are shown `depth` deep, by `items` items each, the printed value cut at `characters`.
    No method, property or descriptor of a class of the user's is called. Lazy and remote values are
    not computed. A value under a secret-looking name is withheld.
    """
    kind = type(value)
    printer = Printer(depth=depth, items=items, characters=characters)
    shown_name = printer.cut([name], _NAME)
    try:
        if printer.is_secret(name, value):
            return Description(name=shown_name, type=full_name(kind), value=WITHHELD, withheld=True)
        found = code.describe(value, printer)
        if found is None:
            found = described(value, printer)
        if found is None:
            found = standard.describe(value, printer)
    except Exception as error:  # half-made objects of C extensions fail in ways of their own
        found = Description(type=full_name(kind), facts=(("not described", type(error).__name__),))
    return replace(found, name=shown_name, withheld=printer.withheld or found.withheld)
