"""Which names of a namespace a run added, rebound, removed, or changed in place."""

from __future__ import annotations

import ast
import sys
import zlib
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from aiex_ipy.grounding.evaluation.record import NameChange
from aiex_ipy.grounding.live.describe import describe, line
from aiex_ipy.grounding.live.static import attributes

SIZED = (list, dict, set, bytearray, deque)
"""Containers that change in place; of these very types, so that `len` runs no code of a user's."""
MOST_ITEMS = 10_000
"""Items of one container whose identity is looked at; of a longer one only the length."""
SAMPLE = 65_536
"""Numbers of one array that are summed up, evenly spread: a change between them is not seen."""
MOST_CHANGES = 50
IPYTHONS = frozenset(
    ("_", "__", "___", "_i", "_ii", "_iii", "_ih", "_oh", "_dh", "_aiex", "__builtins__")
)
"""Names that IPython and Python themselves rebind."""


class Mark(NamedTuple):
    """What is remembered of one value: no reference to it, so that a run frees what it drops."""

    identity: int
    kind: type
    size: int | None
    content: int | None
    said: str


Marks = dict[str, Mark]


def mark(
    namespace: Mapping[str, Any], looked_at: Collection[str], hidden: Collection[str]
) -> Marks:
    """Return the marks of all names but `hidden` ones and IPython's own (`_`, `_3`, `_i`).

    The content of values is looked at for the names in `looked_at` only; for all others that of
    containers by length.
    """
    marks: Marks = {}
    for name in list(namespace):
        if not isinstance(name, str) or name in hidden or _is_ipythons(name):
            continue
        try:
            value = namespace[name]
        except KeyError:  # removed meanwhile by a thread
            continue
        close = name in looked_at
        size = len(value) if type(value) in SIZED else None
        content = _content(value) if close else None
        marks[name] = Mark(id(value), type(value), size, content, _said(value) if close else "")
    return marks


def changes(
    before: Marks, namespace: Mapping[str, Any], looked_at: Collection[str], hidden: Collection[str]
) -> tuple[tuple[NameChange, ...], int]:
    """Return the changes since `before`, at most `MOST_CHANGES`, and how many were left out.

    A name that was freed and bound anew at the same address looks unchanged.
    """
    after = mark(namespace, looked_at, hidden)
    found: list[NameChange] = []
    for name, now in after.items():
        was = before.get(name)
        if was is None:
            found.append(NameChange(name=name, how="added", after=_said(namespace.get(name))))
        elif was.identity != now.identity or was.kind is not now.kind:
            said = _said(namespace.get(name))
            found.append(NameChange(name=name, how="rebound", before=was.said, after=said))
        elif was.size != now.size:
            found.append(
                NameChange(
                    name=name,
                    how="changed in place",
                    before=f"length {was.size}",
                    after=f"length {now.size}",
                )
            )
        elif was.content != now.content:
            both = (was.said, now.said) if was.said != now.said else ("", now.said)
            found.append(
                NameChange(name=name, how="changed in place", before=both[0], after=both[1])
            )
    found += [
        NameChange(name=name, how="removed", before=was.said)
        for name, was in before.items()
        if name not in after
    ]
    return tuple(found[:MOST_CHANGES]), max(0, len(found) - MOST_CHANGES)


def mentioned(tree: ast.AST | None, namespace: Mapping[str, Any]) -> set[str]:
    """Return the names the code uses, and those that the functions it names use in turn."""
    if tree is None:
        return set()
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for name in list(found):
        value = namespace.get(name)
        if type(value) is FunctionType and value.__globals__ is namespace:
            found.update(_global_names(value.__code__))
    return found


def _global_names(code: CodeType) -> Iterable[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)


def _is_ipythons(name: str) -> bool:
    return name in IPYTHONS or (name[:1] == "_" and name[1:].removeprefix("i").isdecimal())


def _said(value: object) -> str:
    return line(describe(value)).removeprefix("value: ")


def _content(value: Any) -> int | None:
    """Return a number that changes with the content; None where none is to be had without running
    code of the value's."""
    kind = type(value)
    if kind is ModuleType:  # `plt` notes the current figure: no change of the user's data
        return None
    if kind in SIZED:
        if len(value) > MOST_ITEMS:
            return len(value)
        if kind is bytearray:
            return zlib.crc32(value)
        if kind is dict:
            return hash((tuple(map(id, value)), tuple(map(id, dict.values(value)))))
        return hash(tuple(map(id, value)))
    numbers = _arrays(value)
    if numbers is not None:
        return hash(tuple(_sum(each) for each in numbers))
    held = attributes(value, MOST_ITEMS)
    return hash(tuple((name, id(each)) for name, each in held)) if held else None


def _arrays(value: Any) -> list[Any] | None:
    """Return the numpy arrays that hold the data of an array or a pandas table."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    kind = type(value)
    if numpy is not None and kind is getattr(numpy, "ndarray", None):
        return [value]
    tables = (getattr(pandas, "DataFrame", None), getattr(pandas, "Series", None))
    if pandas is None or numpy is None or kind not in tables:
        return None
    try:
        blocks = object.__getattribute__(value, "_mgr").blocks
        held = [each.values for each in blocks]
    except AttributeError:
        return None
    return [each for each in held if type(each) is numpy.ndarray] + [(id(value._mgr),)]


def _sum(array: Any) -> object:
    if isinstance(array, tuple):
        return array
    head = (array.shape, str(array.dtype))
    if array.dtype.hasobject or not (array.flags.c_contiguous or array.flags.f_contiguous):
        return head
    flat = array.ravel("K")
    return (*head, zlib.crc32(flat[:: max(1, flat.size // SAMPLE)].tobytes()))
