"""The backward slice over the cells that ran: those that made or changed what names hold.

Runs the cells over abstract values in the order they ran in. It errs to the side of too many
cells: what a call does that cannot be seen is taken to change what it is called on.

Source: M. Weiser, "Program slicing", IEEE TSE 10(4), 1984.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any

from msgspec import Struct

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.dataflow.statements import Run, steps_behind
from aiex_ipy.grounding.dataflow.values import Thing
from aiex_ipy.grounding.effects import MUTATORS
from aiex_ipy.grounding.live.static import MISSING, class_attribute, instance_dict, module_of
from aiex_ipy.grounding.python import Uncollected

_SINGLE = (int, float, complex, str, bytes, bool, type(None), type, ModuleType, FunctionType)


class SlicedCell(Struct, frozen=True, kw_only=True):
    """A cell of a slice. `index` is its place among the cells that ran; `lines` the first and last
    line of each of its statements that matter, 1-based."""

    cell: RanCell
    index: int
    lines: tuple[tuple[int, int], ...] = ()


_TABLES = ("pandas", "polars")
_IN_PLACE = frozenset(
    ("drop_in_place", "hstack", "insert_column", "replace_column", "set_flags", "vstack")
)
_HAND_OUT = frozenset(("agg", "apply", "map", "map_rows", "pipe", "transform"))
"""Methods of tables that call what they are given, which may change anything."""


class _LiveRun(Run):
    """A run that looks at what names hold now, where the text alone does not tell what a call
    does: the methods of tables give new ones, and one that does not exist did nothing."""

    def __init__(self, live: Mapping[str, Any]) -> None:
        super().__init__(module_source, star_names)
        self._live = live

    def leaves(self, name: str, method: str) -> bool:
        value = self._live.get(name, MISSING)
        if value is MISSING:
            return False
        kind = type(value)
        if module_of(kind).startswith(_TABLES):
            return method not in MUTATORS and method not in _HAND_OUT | _IN_PLACE
        own = instance_dict(value)
        plain = class_attribute(kind, "__getattr__") is MISSING
        lacks = plain and method not in own and class_attribute(kind, method) is MISSING
        return self.failing and lacks

    def is_nowhere(self, name: str) -> bool:
        return bool(self._live) and name not in self._live


def slice_cells(
    cells: Sequence[RanCell],
    names: Iterable[str],
    *,
    before: int | None = None,
    live: Mapping[str, Any] | None = None,
) -> tuple[RanCell, ...]:
    """Return the cells that define or change, directly or not, what `names` held when the cell at
    index `before` began (None: at the end), in the order they ran.

    `names` may be dotted. `live` is the namespace now: names that are one object are taken for
    aliases. No code of the user's is run, no object's method called.
    """
    return tuple(each.cell for each in slice_statements(cells, names, before=before, live=live))


def slice_statements(
    cells: Sequence[RanCell],
    names: Iterable[str],
    *,
    before: int | None = None,
    live: Mapping[str, Any] | None = None,
) -> tuple[SlicedCell, ...]:
    """Return the cells of `slice_cells`, each with the statements that matter."""
    ran = cells[: len(cells) if before is None else before]
    run = _LiveRun(live or {})
    with Uncollected():
        for each in ran:
            run.add(each.code, ok=each.ok)
    if live:
        _make_one(run, live)
    lines: dict[int, list[tuple[int, int]]] = {}
    for number in steps_behind(run, run.look(names)):
        step = run.steps[number]
        lines.setdefault(step.cell, []).append((step.line, step.end_line))
    return tuple(
        SlicedCell(cell=ran[index], index=index, lines=tuple(found))
        for index, found in sorted(lines.items())
    )


def _make_one(run: Run, live: Mapping[str, Any]) -> None:
    """Let the things of names that are one object now hold each other."""
    same: dict[int, list[str]] = {}
    for name in run.globals.names:
        value = live.get(name)
        if type(value) not in _SINGLE:
            same.setdefault(id(value), []).append(name)
    for names in same.values():
        things: set[Thing] = set()
        for name in names:
            things |= run.globals.names[name].value
        if len(names) > 1 and len(things) > 1:
            for thing in things:
                thing.hold(things - {thing}, -1)


def module_source(name: str) -> str | None:
    """Return the source of a loaded module that is the user's own."""
    import linecache

    from aiex_ipy.grounding.owners import is_users

    file = _namespace(name).get("__file__")
    if not isinstance(file, str) or not is_users(file):
        return None
    return "".join(linecache.getlines(file)) or None


def star_names(name: str) -> list[str] | None:
    """Return the names `from name import *` brings where the module is loaded."""
    namespace = _namespace(name)
    listed = namespace.get("__all__")
    if isinstance(listed, list | tuple) and type(listed) in (list, tuple):
        return [each for each in listed if type(each) is str]
    return [each for each in namespace if each[:1] != "_"] or None


def _namespace(name: str) -> dict[str, Any]:
    """Return the namespace of a loaded module; none of its code runs."""
    import sys

    module = sys.modules.get(name)
    if not isinstance(module, ModuleType):
        return {}
    found = ModuleType.__getattribute__(module, "__dict__")
    return found if type(found) is dict else {}
