"""The rules, asked in order; what they say stands most certain first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from aiex_ipy.grounding.diagnosis import attributes, imports, keys, names, nothing, positions
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.failure.moment import Moment

Rule = Callable[[Moment], Iterable[Diagnosis]]
RULES: tuple[Rule, ...] = (
    nothing.nothing_used,
    names.overwritten_name,
    names.undefined_name,
    attributes.half_made_module,
    attributes.missing_attribute,
    keys.missing_key,
    positions.index_out_of_range,
    imports.missing_module,
    imports.missing_member,
)
ORDER = ("certain", "likely", "possible")
MOST = 4
"""Diagnoses shown; further ones would only tire."""
DEADLINE_S = 0.1
"""After which no further rule is asked."""


def diagnose(moment: Moment) -> tuple[Diagnosis, ...]:
    """Return what the facts say about a failure, most certain first, at most `MOST`.

    A rule that fails says nothing: the report matters more than one explanation.
    """
    end = time.perf_counter() + DEADLINE_S
    found: list[Diagnosis] = []
    for rule in RULES:
        try:
            found.extend(rule(moment))
        except Exception:  # noqa: S112 - a rule that met what it did not expect is quiet
            continue
        if time.perf_counter() > end:
            break
    unique = {each.cause: each for each in reversed(found)}
    kept = [each for each in found if unique[each.cause] is each]
    return tuple(sorted(kept, key=lambda each: ORDER.index(each.certainty))[:MOST])
