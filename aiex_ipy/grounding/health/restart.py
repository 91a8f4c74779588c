"""What a restart and run of all cells would break, and an order in which it would not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from aiex_ipy.grounding.dataflow.statements import Run
from aiex_ipy.grounding.health.record import SavedCell
from aiex_ipy.grounding.slicing import module_source, star_names

Known = Callable[[str], bool]


class Missing(Struct, frozen=True, kw_only=True):
    """A name that a cell uses before anything bound it; `defined_in` is the first cell from
    there on that binds it, itself maybe, None when none does."""

    name: str
    cell: int
    line: int
    defined_in: int | None


class Order(Struct, frozen=True, kw_only=True):
    """An order of the code cells, by their numbers. `works` says that no cell uses a name that
    only a later one defines; `moved` are the cells whose place changed; `cycle` names cells that
    need each other, where no order works."""

    cells: tuple[int, ...]
    works: bool
    moved: tuple[int, ...] = ()
    cycle: tuple[int, ...] = ()


def missing_names(cells: Sequence[SavedCell], known: Known) -> list[Missing]:
    """Return what is missing when the cells run one after the other in a fresh kernel, each name
    where it is missed first."""
    run, bound = _run(cells)
    found: list[Missing] = []
    seen: set[str] = set()
    for step in run.steps:
        for name, line in step.missing:
            if name in seen or known(name) or name == "__file__":
                continue
            seen.add(name)
            later = (at for at in bound.get(name, ()) if at >= step.cell)
            defined = next(later, None)
            found.append(
                Missing(
                    name=name,
                    cell=cells[step.cell].number,
                    line=line if step.line <= line <= step.end_line else step.line,
                    defined_in=None if defined is None else cells[defined].number,
                )
            )
    return found


def working_order(cells: Sequence[SavedCell], known: Known) -> Order:
    """Return an order in which each cell finds what it uses, as near to the given one as moving
    single cells up gets."""
    order = list(cells)
    needs: dict[int, set[int]] = {}
    for _ in range(len(cells) * len(cells)):
        late = [
            each for each in missing_names(order, known) if each.defined_in not in (None, each.cell)
        ]
        if not late:
            break
        cell, definer = late[0].cell, late[0].defined_in
        assert definer is not None
        needs.setdefault(cell, set()).add(definer)
        cycle = _way(needs, definer, cell)
        if cycle:
            numbers = tuple(each.number for each in cells)
            return Order(cells=numbers, works=False, cycle=tuple(sorted(cycle)))
        places = {each.number: at for at, each in enumerate(order)}
        order.insert(places[cell], order.pop(places[definer]))
    numbers = tuple(each.number for each in order)
    moved = {definer for definers in needs.values() for definer in definers}
    return Order(cells=numbers, works=True, moved=tuple(sorted(moved)))


def _run(cells: Sequence[SavedCell]) -> tuple[Run, dict[str, list[int]]]:
    """Run the cells over abstract values; which cells bind each name, by index."""
    run = Run(module_source, star_names)
    bound: dict[str, list[int]] = {}
    before: dict[str, object] = {}
    for index, cell in enumerate(cells):
        run.add(cell.code)
        for name, binding in run.globals.names.items():
            if before.get(name) is not binding:
                bound.setdefault(name, []).append(index)
                before[name] = binding
    return run, bound


def _way(needs: dict[int, set[int]], start: int, goal: int) -> list[int]:
    """Return the cells on a way from `start` to `goal` along what they need, or none."""
    todo, seen = [[start]], {start}
    for way in todo:
        if way[-1] == goal:
            return way
        for each in sorted(needs.get(way[-1], ())):
            if each not in seen:
                seen.add(each)
                todo.append([*way, each])
    return []
