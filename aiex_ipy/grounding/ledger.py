"""The ledger of a score: which finding cost how many hundredths of a point, adding up exactly."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from math import fsum
from typing import TypeVar

from msgspec import Struct

from aiex_ipy.grounding.facts import LedgerLine

K = TypeVar("K", bound=Hashable)


class Loss(Struct, kw_only=True):
    """A line in the making. `lost` is in score points, not yet rounded; `count` is the number of
    findings (of losses, where `reason` is empty) it stands for."""

    component: str
    lost: float
    unit: str
    path: str
    line: int
    rule: str
    reason: str
    cell: int | None = None
    count: int = 1

    @property
    def place(self) -> tuple[str, int, int, str, str, str]:
        """Where it stands, for a stable order among equals."""
        return self.path, self.cell or 0, self.line, self.component, self.rule, self.unit


def settle(losses: Iterable[Loss], hundredths: int) -> tuple[LedgerLine, ...]:
    """Lines whose `lost` add up to exactly `hundredths`, the largest first.

    Losses below one hundredth are folded into one line per file and component, and what is still
    below it into one per component. Then each line gets its share rounded down, and the largest
    remainders get what is left (largest remainder method, as in apportioning seats).
    """
    lines = _fold(losses, lambda loss: (loss.path, loss.component))
    lines = _fold(lines, lambda loss: loss.component)
    total = fsum(line.lost for line in lines)
    if hundredths <= 0 or total <= 0:
        return ()
    lines.sort(key=lambda line: line.place)
    exact = [line.lost / total * hundredths for line in lines]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(lines)), key=lambda i: shares[i] - exact[i])
    for i in by_remainder[: hundredths - sum(shares)]:
        shares[i] += 1
    ordered = sorted(range(len(lines)), key=lambda i: -shares[i])
    return tuple(_line(lines[i], shares[i]) for i in ordered if shares[i])


def _fold(losses: Iterable[Loss], key: Callable[[Loss], K]) -> list[Loss]:
    """`losses` with those below a hundredth that share a `key` merged into one."""
    kept: list[Loss] = []
    small: dict[K, list[Loss]] = {}
    for loss in losses:
        if loss.lost >= 0.01:
            kept.append(loss)
        else:
            small.setdefault(key(loss), []).append(loss)
    kept += [group[0] if len(group) == 1 else _merged(group) for group in small.values()]
    return kept


def _merged(group: list[Loss]) -> Loss:
    first = min(group, key=lambda loss: loss.place)
    same_file = all(loss.path == first.path for loss in group)
    return Loss(
        component=first.component,
        lost=fsum(loss.lost for loss in group),
        unit="",
        path=first.path if same_file else "",
        line=first.line if same_file else 1,
        rule="",
        reason="",
        cell=first.cell if same_file else None,
        count=sum(loss.count for loss in group),
    )


def _line(loss: Loss, hundredths: int) -> LedgerLine:
    reason = loss.reason or f"{loss.count} losses below 0.01 each"
    if loss.reason and loss.count > 1:
        reason = f"{reason} ({loss.count} findings)"
    return LedgerLine(
        component=loss.component,
        lost=hundredths / 100,
        unit=loss.unit,
        path=loss.path,
        line=loss.line,
        rule=loss.rule,
        reason=reason,
        cell=loss.cell,
    )
