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
from aiex_ipy.grounding.python import Uncollected

_SINGLE = (int, float, complex, str, bytes, bool, type(None), type, ModuleType, FunctionType)


class SlicedCell(Struct, frozen=True, kw_only=True):
    """A cell of a slice. `index` is its place among the cells that ran; `lines` the first and last
    line of each of its statements that matter, 1-based."""

    cell: RanCell
    index: int
    lines: tuple[tuple[int, int], ...] = ()


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
    run = Run(module_source, star_names)
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
