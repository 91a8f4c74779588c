"""The rules, asked in order; what they say stands most certain first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aiex_ipy.grounding.diagnosis.names import near_miss_name
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.failure.moment import Moment

Rule = Callable[[Moment], Iterable[Diagnosis]]
RULES: tuple[Rule, ...] = (near_miss_name,)
ORDER = ("certain", "likely", "possible")


def diagnose(moment: Moment) -> tuple[Diagnosis, ...]:
    """Return what the facts say about a failure, most certain first."""
    found = [each for rule in RULES for each in rule(moment)]
    return tuple(sorted(found, key=lambda each: ORDER.index(each.certainty)))
