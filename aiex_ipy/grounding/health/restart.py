"""What a restart and run of all cells would break, and an order in which it would not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from aiex_ipy.grounding.dataflow.statements import Run
from aiex_ipy.grounding.dataflow.values import Miss
from aiex_ipy.grounding.facts import Issue, Subject
from aiex_ipy.grounding.health.record import SavedCell
from aiex_ipy.grounding.notebook import read_cell
from aiex_ipy.grounding.python import compiles, parse
from aiex_ipy.grounding.slicing import module_source, star_names

Known = Callable[[str], bool]
_ALWAYS_THERE = re.compile(r"__(?:builtins?|IPYTHON|annotations|class|module|qualname)__")
"""Names without a binding in any cell, and not among the builtins: IPython's, a class body's."""
_WORD = re.compile(r"[^\W\d]\w*")


class Missing(Struct, frozen=True, kw_only=True):
    """A name that a cell uses and that is not there. `defined_in` is a cell from there on that
    binds it, itself maybe, None when none does; `deleted_in` the cell above that deleted it.
    `sure` says that the cell surely comes to use it: no branch, loop or callback is before it.
    `local` is a function's own name that is read before the function sets it."""

    name: str
    cell: int
    line: int
    defined_in: int | None
    deleted_in: int | None = None
    sure: bool = True
    local: bool = False

    @property
    def told(self) -> str:
        """What is the matter, as a sentence without its full stop."""
        if self.local:
            return f"`{self.name}` is a function's own name, read before the function sets it"
        if self.deleted_in is not None:
            where = "in the same cell" if self.deleted_in == self.cell else "above, in cell "
            number = "" if self.deleted_in == self.cell else str(self.deleted_in)
            return f"`{self.name}` is deleted {where}{number}"
        if self.defined_in is None:
            return f"No cell defines `{self.name}`"
        where = f"in cell {self.defined_in}"
        if self.defined_in == self.cell:
            where = "in the same cell"
        return f"`{self.name}` is defined only further down, {where}"


class Order(Struct, frozen=True, kw_only=True):
    """An order of the code cells, by their numbers. `works` says that every cell can be read and
    none surely uses a name that is not there; `moved` are the cells whose place changed; `cycle`
    names cells that need each other; `why` says, where no order works, what stands against it."""

    cells: tuple[int, ...]
    works: bool
    moved: tuple[int, ...] = ()
    cycle: tuple[int, ...] = ()
    why: tuple[str, ...] = ()


def unreadable_cells(cells: Sequence[SavedCell], path: str) -> list[Issue]:
    """Return the syntax issue of each cell that Python refuses; lines count in the cell."""
    found = []
    for cell in cells:
        if cell.code.strip():
            subject = Subject(path=path, text=cell.code)
            module = parse(subject, read_cell(cell.code).text)
            issue = module.error or compiles(module)
            if issue is not None:
                found.append(_in_cell(issue, cell.number))
    return found


def missing_names(cells: Sequence[SavedCell], known: Known) -> list[Missing]:
    """Return what is missing when the cells run one after the other in a fresh kernel, each name
    where it is missed first, and where it is surely missed first."""
    return [missing for missing, _ in _missing(cells, known, {})]


def working_order(
    cells: Sequence[SavedCell], known: Known, unreadable: Sequence[Issue] = ()
) -> Order:
    """Return an order in which each cell finds what it uses, as near to the given one as moving
    single cells up gets."""
    broken = {each.cell for each in unreadable}
    words = {word for c in cells if c.number in broken for word in _WORD.findall(c.code)}
    search = _Search(cells, lambda name: known(name) or name in words)
    order = search.order()
    left = [each for each in search.missing(order) if each.sure]
    given = tuple(each.number for each in cells)
    if left and not any(each.sure for each in search.missing(cells)):
        order, left, search.moved = list(cells), [], set()
    if not (left or broken):
        numbers = tuple(each.number for each in order)
        return Order(cells=numbers, works=True, moved=tuple(sorted(search.moved)))
    why = [f"cell {number} cannot be read as Python" for number in sorted(filter(None, broken))]
    cycle = tuple(sorted(search.cycle))
    if cycle:
        why.append(f"{_listed(cycle)} need each other")
    for each in left:
        if each.cell not in cycle:
            what = each.told if each.told.startswith("`") else f"no{each.told[2:]}"
            why.append(f"cell {each.cell} stops: {what}")
    return Order(cells=given, works=False, cycle=cycle, why=tuple(dict.fromkeys(why)))


class _Search:
    """Moves cells up, one at a time, before those that miss what they bind."""

    def __init__(self, cells: Sequence[SavedCell], known: Known) -> None:
        self.cells = cells
        self.known = known
        self.needs: dict[int, set[int]] = {}
        self.moved: set[int] = set()
        self.cycle: list[int] = []
        self._alone: dict[int, frozenset[str]] = {}

    def missing(self, order: Sequence[SavedCell]) -> list[Missing]:
        return [missing for missing, _ in _missing(order, self.known, self._alone)]

    def order(self) -> list[SavedCell]:
        """Return the cells in the order that was found; what is missing in it has no remedy."""
        order = list(self.cells)
        for _ in range(len(order) * len(order)):
            pair = self._next(order)
            if pair is None:
                break
            first, second = pair
            self.needs.setdefault(second, set()).add(first)
            self.moved.add(first)
            numbers = [each.number for each in order]
            order.insert(numbers.index(second), order.pop(numbers.index(first)))
        return order

    def _next(self, order: Sequence[SavedCell]) -> tuple[int, int] | None:
        """Return a cell that is to come before another, None when nothing is left to mend."""
        self.cycle = []
        for missing, definers in _missing(order, self.known, self._alone):
            pairs = [(definer, missing.cell) for definer in definers]
            if missing.deleted_in not in (None, missing.cell) and not missing.local:
                assert missing.deleted_in is not None
                pairs.append((missing.cell, missing.deleted_in))
            for first, second in pairs:
                cycle = _way(self.needs, first, second)
                if not cycle:
                    return first, second
                if missing.sure and not self.cycle:
                    self.cycle = cycle
        return None


def _missing(
    cells: Sequence[SavedCell], known: Known, alone: dict[int, frozenset[str]]
) -> Iterator[tuple[Missing, list[int]]]:
    """Yield what is missing, each with the other cells below that bind it without needing it.

    `alone` keeps what cells miss when they run by themselves.
    """
    run, bound = _run(cells)
    seen: set[tuple[str, bool]] = set()
    for step in run.steps:
        if cells[step.cell].may_fail:
            continue
        for miss in sorted(step.missing, key=lambda each: not each.sure):
            if (miss.name, True) in seen or (miss.name, miss.sure) in seen:
                continue
            if _ALWAYS_THERE.fullmatch(miss.name) or (not miss.local and known(miss.name)):
                continue
            seen.add((miss.name, miss.sure))
            below = [] if miss.local else [n for n in bound.get(miss.name, ()) if n >= step.cell]
            others = [
                cells[n].number
                for n in below
                if n != step.cell and miss.name not in _missed_alone(cells[n], alone)
            ]
            here = cells[step.cell].number
            itself = here if step.cell in below else None
            deleted = None
            if miss.deleted is not None and not others:
                deleted = cells[run.steps[miss.deleted].cell].number
            yield (
                Missing(
                    name=miss.name,
                    cell=here,
                    line=_line_of(miss, step.line, step.end_line),
                    defined_in=others[0] if others else itself,
                    deleted_in=deleted,
                    sure=miss.sure,
                    local=miss.local,
                ),
                others,
            )


def _line_of(miss: Miss, first: int, last: int) -> int:
    """Return the line in the cell: of a function from another cell, that of the call."""
    return miss.line if first <= miss.line <= last else first


def _missed_alone(cell: SavedCell, alone: dict[int, frozenset[str]]) -> frozenset[str]:
    """Return the names a cell misses when nothing ran before it."""
    found = alone.get(cell.number)
    if found is None:
        run, _ = _run([cell])
        found = frozenset(miss.name for step in run.steps for miss in step.missing)
        alone[cell.number] = found
    return found


def _run(cells: Sequence[SavedCell]) -> tuple[Run, dict[str, list[int]]]:
    """Run the cells over abstract values; which cells bind each name, by index."""
    run = Run(module_source, star_names)
    bound: dict[str, list[int]] = {}
    before: dict[str, object] = {}
    for index, cell in enumerate(cells):
        run.add(cell.code)
        for name, binding in run.globals.names.items():
            if before.get(name) is not binding:
                before[name] = binding
                if not binding.gone:
                    bound.setdefault(name, []).append(index)
    return run, bound


def _in_cell(issue: Issue, number: int) -> Issue:
    from msgspec.structs import replace

    return replace(issue, cell=number)


def _listed(numbers: Sequence[int]) -> str:
    *most, last = [str(number) for number in numbers]
    return f"cells {', '.join(most)} and {last}" if most else f"cell {last}"


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
