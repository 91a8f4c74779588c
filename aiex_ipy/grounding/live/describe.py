"""Describe a live value without running any of its code."""

from __future__ import annotations

from typing import Any

from aiex_ipy.grounding.live.description import CHARACTERS, Description

SCALARS = (int, float, complex, bool, type(None))
TEXTS = (str, bytes, bytearray)


def describe(value: Any, name: str = "") -> Description:
    """Return what is known of `value`, called `name`."""
    kind = type(value)
    label = kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)
    if kind in SCALARS:
        return Description(name=name, type=label, kind="scalar", value=_cut(repr(value)))
    if kind in TEXTS:
        shown = _cut(repr(value[:CHARACTERS]))
        return Description(name=name, type=label, kind="text", length=len(value), value=shown)
    return Description(name=name, type=label)


def line(description: Description) -> str:
    """Return the description as one line of text."""
    parts = [description.type]
    if description.shape is not None:
        parts.append(f"shape {description.shape}")
    elif description.length is not None:
        parts.append(f"length {description.length}")
    if description.dtype:
        parts.append(description.dtype)
    parts += [f"{label} {text}" for label, text in description.facts]
    if description.columns:
        columns = ", ".join(f"{each.name}: {each.dtype}" for each in description.columns)
        parts.append(f"columns {columns}")
    head = ", ".join(parts)
    shown = f" = {description.value}" if description.value else ""
    return f"{description.name or 'value'}: {head}{shown}"


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 1]}…"
