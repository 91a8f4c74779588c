"""The quality score: 0 to 10 from facts alone, and a ledger of every point lost.

How the parts combine, what holds and what the weights rest on: `docs/explanation/score.md`; the
weights themselves with their reasons: `score.toml` beside this file.

Two choices make it monotone. Nothing is divided by a size, so code that adds no finding cannot
raise the score of a file. And each step never falls when a debt grows, in floating point too: only
sums, products and quotients, which IEEE 754 rounds monotonically, then hundredths, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import floor, fsum, prod

from aiex_ipy.grounding.facts import Issue, LedgerLine, ModuleFacts, Score
from aiex_ipy.grounding.ledger import Loss, settle
from aiex_ipy.grounding.score_debts import (
    MODULE,
    Debt,
    UnitDebts,
    counted,
    ranked_sum,
    unit_debts,
)
from aiex_ipy.grounding.score_weights import Gate, Weights, weights


def score_module(facts: ModuleFacts) -> Score:
    """The score of one file, notebook, cell or live object; of the whole, whatever is asked.

    `value` is None where no statement stands, 0 where the code cannot be parsed. It is rounded
    down to hundredths, so that 10 means nothing was found. The `lost` of the ledger's lines, like
    `components`, add up to exactly 10 - `value`.
    """
    table = weights()
    statements = sum(unit.statements for unit in facts.units)
    if facts.parsed and not statements:
        return Score(value=None, version=table.version)
    issues = counted(facts, table)
    if not facts.parsed:
        return _unparsable(facts, issues, table)
    units = unit_debts(facts.units, issues, table)
    lost = [_component_losses(debts, table) for debts in units]
    unit_losses = [_unit_loss(components.values()) for components in lost]
    value, factors = combine(unit_losses, table.combine.half)
    hundredths = _hundredths(value)
    losses: list[Loss] = []
    for debts, components, loss in zip(units, lost, unit_losses, strict=True):
        losses += _attributed(facts.path, debts, components, loss * factors[loss])
    ledger = settle(losses, 1000 - hundredths)
    held = [pair for pair in _closed(issues, table) if round(pair[0].limit * 100) < hundredths]
    if held:
        gate, issue = min(held, key=lambda pair: pair[0].limit)
        limit = round(gate.limit * 100)
        line = _gate_line(gate, issue, facts.path, hundredths - limit, table)
        ledger = tuple(sorted((line, *ledger), key=lambda line: -line.lost))
        hundredths = limit
    return Score(
        value=hundredths / 100,
        components=_components(ledger, table),
        ledger=ledger,
        gates=tuple(f"{gate.name}: at most {gate.limit:g}" for gate, _ in held),
        statements=statements,
        version=table.version,
    )


def score_tree(scores: Sequence[Score]) -> Score:
    """The score of several files: mean by statements, combined with the worst files.

    Files with nothing to score count for nothing; None when that is all of them. With the sizes as
    they are, no finding in any file raises it; and whatever clean files are added, it stays below
    the cap the worst files set: 10 - `worst_share` × what they lose, combined as units are.
    """
    table = weights()
    scored = [(score, score.value) for score in scores if score.value is not None]
    if not scored:
        return Score(value=None, version=table.version)
    statements = sum(score.statements for score, _ in scored)
    size = sum(max(score.statements, 1) for score, _ in scored)
    lost = [1000 - round(value * 100) for _, value in scored]
    worst, factors = combine([loss / 100 for loss in lost], table.tree.half)
    share = table.tree.worst_share
    mean_loss = sum(max(s.statements, 1) * loss for (s, _), loss in zip(scored, lost, strict=True))
    mean = 10.0 - mean_loss / (100 * size)
    hundredths = _hundredths((1.0 - share) * mean + share * worst)
    losses = []
    for (score, _), loss in zip(scored, lost, strict=True):
        if not loss:
            continue
        by_size = max(score.statements, 1) / size
        factor = (1.0 - share) * by_size + share * factors[loss / 100]
        losses += [_scaled(line, factor) for line in score.ledger]
    ledger = settle(losses, 1000 - hundredths)
    return Score(
        value=hundredths / 100,
        components=_components(ledger, table),
        ledger=ledger,
        statements=statements,
        version=table.version,
    )


def _hundredths(value: float) -> int:
    """`value` rounded down, forgiving what binary fractions do to 7.0 (still monotone)."""
    return floor(value * 100 + 1e-6)


def combine(losses: Iterable[float], half: float) -> tuple[float, dict[float, float]]:
    """The value left by `losses` (each 0-10), and the factor by which each loss enters it.

    The worst loss is taken whole; the others take a share of what it leaves, half of it when their
    sum, the k-th largest divided by k, reaches `half`. Losses of 0 change nothing.
    """
    ordered = sorted((loss for loss in losses if loss > 0), reverse=True)
    if not ordered:
        return 10.0, {}
    others = ranked_sum(ordered[1:], first=2)
    left = 10.0 - ordered[0]
    value = left * (half / (half + others))
    factor = (left - value) / others if others else 0.0
    return value, _evened(ordered, [1.0, *(factor / k for k in range(2, len(ordered) + 1))])


def _evened(ordered: Sequence[float], ranks: Sequence[float]) -> dict[float, float]:
    """The mean weight of each value's ranks: equal values bear equal parts, in whatever order."""
    groups: dict[float, list[float]] = {}
    for value, rank in zip(ordered, ranks, strict=True):
        groups.setdefault(value, []).append(rank)
    return {value: fsum(group) / len(group) for value, group in groups.items()}


def _by_function(debts: Iterable[Debt]) -> dict[str, float]:
    functions: dict[str, list[float]] = {}
    for debt in debts:
        functions.setdefault(debt.function, []).append(debt.owed)
    return {function: fsum(owed) for function, owed in functions.items()}


def _component_losses(debts: UnitDebts, table: Weights) -> dict[str, float]:
    """What each component alone would cost one unit; the k-th most indebted function counts 1/k.

    In the order of the weights, whatever order the findings came in.
    """
    losses = {}
    for component, limits in table.components.items():
        if component in debts:
            debt = ranked_sum(_by_function(debts[component]).values())
            losses[component] = limits.cap * (1.0 - limits.half / (limits.half + debt))
    return losses


def _unit_loss(losses: Iterable[float]) -> float:
    """What a unit loses: each component takes its share of what the others leave."""
    return 10.0 - 10.0 * prod(1.0 - loss / 10.0 for loss in losses)


def _attributed(
    path: str, debts: UnitDebts, losses: Mapping[str, float], lost: float
) -> Iterator[Loss]:
    """The `lost` points of one unit divided over its components as each alone would cost, then
    over its rules (and functions, where a number tells) by debt and rank."""
    factor = lost / fsum(losses.values())
    for component, items in debts.items():
        functions = _by_function(items)
        ordered = sorted(functions.values(), reverse=True)
        ranks = _evened(ordered, [1.0 / k for k in range(1, len(ordered) + 1)])
        parts = [debt.owed * ranks[functions[debt.function]] for debt in items]
        scale = losses[component] * factor / fsum(parts)
        merged: dict[tuple[str, str], Loss] = {}
        for debt, part in zip(items, parts, strict=True):
            key = debt.rule, debt.function if debt.by_number else ""
            if known := merged.get(key):
                known.lost += part * scale
                known.count += len(debt.points)
                continue
            merged[key] = Loss(
                component=component,
                lost=part * scale,
                unit=debt.unit,
                path=path,
                line=debt.line,
                rule=debt.rule,
                reason=debt.reason,
                cell=debt.cell,
                count=len(debt.points),
            )
        yield from merged.values()


def _unparsable(facts: ModuleFacts, issues: Sequence[Issue], table: Weights) -> Score:
    """0 with one line. Its lines stand for the statements nobody can count, so that a file does
    not lose its weight in a directory by becoming unreadable."""
    issue = issues[0] if issues else None
    line = LedgerLine(
        component=table.component_of["syntax"],
        lost=10.0,
        unit=MODULE,
        path=facts.path,
        line=issue.line if issue else 1,
        rule=issue.rule if issue else "syntax-error",
        reason=issue.message if issue else "It cannot be parsed",
        cell=issue.cell if issue else None,
    )
    return Score(
        value=0.0,
        components=_components([line], table),
        ledger=(line,),
        gates=("unparsable: at most 0",),
        statements=int(facts.metrics.get("lines", 0)),
        version=table.version,
    )


def _closed(issues: Sequence[Issue], table: Weights) -> list[tuple[Gate, Issue]]:
    """The gates that hold the score down, each with the first finding that closed it."""
    closed = []
    for gate in table.gates:
        first = next(filter(gate.matches, issues), None)
        if first is not None:
            closed.append((gate, first))
    return closed


def _gate_line(gate: Gate, issue: Issue, path: str, hundredths: int, table: Weights) -> LedgerLine:
    return LedgerLine(
        component=table.component_of[issue.category],
        lost=hundredths / 100,
        unit=issue.symbol.partition(".")[0] or MODULE,
        path=path,
        line=issue.line,
        rule=issue.rule,
        reason=f"{issue.message} ({gate.name}: at most {gate.limit:g})",
        cell=issue.cell,
    )


def _components(ledger: Iterable[LedgerLine], table: Weights) -> dict[str, float]:
    """Points lost per component, every component named, adding up as the ledger does."""
    hundredths = dict.fromkeys(table.components, 0)
    for line in ledger:
        hundredths[line.component] += round(line.lost * 100)
    return {name: lost / 100 for name, lost in hundredths.items()}


def _scaled(line: LedgerLine, factor: float) -> Loss:
    return Loss(
        component=line.component,
        lost=line.lost * factor,
        unit=line.unit,
        path=line.path,
        line=line.line,
        rule=line.rule,
        reason=line.reason,
        cell=line.cell,
    )
