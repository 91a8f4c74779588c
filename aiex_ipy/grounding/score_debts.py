"""What weighs on each unit of a module: findings and numbers turned into points of debt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import fsum

from msgspec import Struct

from aiex_ipy.grounding.facts import SCORED_SOURCES, Issue, ModuleFacts, Unit
from aiex_ipy.grounding.score_weights import Weights

MODULE = "<module>"


class Debt(Struct, kw_only=True):
    """The findings of one rule in one function, or one of a function's numbers."""

    component: str
    unit: str
    function: str
    rule: str
    line: int
    column: int
    reason: str
    cell: int | None
    points: list[int]
    by_number: bool = False

    @property
    def owed(self) -> float:
        """The points of its findings, the k-th largest counting 1/k."""
        if len(self.points) == 1:
            return float(self.points[0])
        return ranked_sum(self.points)


UnitDebts = dict[str, list[Debt]]  # of one unit, by component


def ranked_sum(values: Iterable[float], first: int = 1) -> float:
    """The sum of `values` by rank: the largest counts 1/`first`, the next 1/(`first` + 1) …"""
    return fsum(value / k for k, value in enumerate(sorted(values, reverse=True), first))


def unit_debts(units: Iterable[Unit], issues: Iterable[Issue], table: Weights) -> list[UnitDebts]:
    """The debts of each unit that has any; findings outside all units make one of their own."""
    places = _Places(units)
    found: dict[int, UnitDebts] = {}
    for index, unit in enumerate(places.units):
        for debt in _numbers(unit, table):
            found.setdefault(index, {}).setdefault(debt.component, []).append(debt)
    known: dict[tuple[int, str, str, str], Debt] = {}
    for issue in issues:
        index = places.index(issue)
        unit_name = places.units[index].name if index >= 0 else MODULE
        function = issue.symbol or unit_name
        component = table.component_of[issue.category]
        points = table.points.of(issue)
        key = index, component, function, issue.rule
        debt_known = known.get(key)
        if debt_known is not None:
            debt_known.points.append(points)
            continue
        debt = known[key] = Debt(
            component=component,
            unit=unit_name,
            function=function,
            rule=issue.rule,
            line=issue.line,
            column=issue.column,
            reason=issue.message,
            cell=issue.cell,
            points=[points],
        )
        found.setdefault(index, {}).setdefault(component, []).append(debt)
    return [found[index] for index in sorted(found)]


def counted(facts: ModuleFacts, table: Weights) -> list[Issue]:
    """The findings that cost something, in order of their places whatever order they came in.

    What a model says never moves the number, confirmed or not; nor what a plugin says, which is
    not installed everywhere.
    """
    free = table.free_rules
    return sorted(
        (i for i in facts.issues if i.source in SCORED_SOURCES and i.rule not in free),
        key=_order,
    )


def _order(issue: Issue) -> tuple[int, int, int, str, str, str, str, str]:
    place = issue.cell or 0, issue.line, issue.column
    return *place, issue.rule, issue.message, issue.symbol, issue.category, issue.severity


def _numbers(unit: Unit, table: Weights) -> Iterator[Debt]:
    """The debts that rest on numbers of a unit: complexity, length, a docstring missing."""

    def debt(component: str, function: str, rule: str, points: int, reason: str) -> Debt:
        return Debt(
            component=component,
            unit=unit.name,
            function=function,
            rule=rule,
            line=unit.lines.get(function, unit.line),
            column=1,
            reason=reason,
            cell=unit.cell,
            points=[points],
            by_number=True,
        )

    cognitive, length, undocumented = table.cognitive, table.length, table.undocumented
    for function, value in unit.cognitive.items():
        if (over := value - cognitive.allowed) > 0:
            reason = f"{function}: cognitive complexity {value}, {over} above {cognitive.allowed}"
            yield debt(cognitive.component, function, "cognitive-complexity", over, reason)
    for function, value in unit.lengths.items():
        if (over := value - length.allowed) > 0:
            points = -(-over // length.statements_per_point)
            reason = f"{function}: {value} statements, {over} above {length.allowed}"
            yield debt(length.component, function, "function-length", points, reason)
    if unit.public and not unit.documented:
        reason = f"{unit.name} has no docstring"
        yield debt(undocumented.component, unit.name, "undocumented", undocumented.points, reason)


class _Places:
    """Which unit a finding belongs to: by its symbol, else by its line."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self.units = sorted(units, key=lambda unit: (unit.cell or 0, unit.line, unit.name))
        self._named: dict[tuple[int | None, str], list[int]] = {}
        for index, unit in enumerate(self.units):
            self._named.setdefault((unit.cell, unit.name), []).append(index)

    def index(self, issue: Issue) -> int:
        """Its place in `units`, -1 when it stands in none."""
        name = issue.symbol.partition(".")[0] or MODULE
        named = self._named.get((issue.cell, name), [])
        for index in named:
            if self.units[index].line <= issue.line <= self.units[index].end_line:
                return index
        if named:
            return named[0]
        if name == MODULE:
            return -1
        for index, unit in enumerate(self.units):
            if (
                unit.cell == issue.cell
                and unit.kind != "module"
                and unit.line <= issue.line <= unit.end_line
            ):
                return index
        return next(iter(self._named.get((issue.cell, MODULE), ())), -1)
