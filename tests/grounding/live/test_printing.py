"""Any structure of builtins is printed within bounds, alike, and left as it was."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from aiex_ipy.grounding.live.describe import describe, line, lines

scalars = (
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False)
    | some.complex_numbers(allow_nan=False)
    | some.text(max_size=400)
    | some.binary(max_size=400)
)
hashable = scalars | some.tuples(scalars, scalars) | some.frozensets(some.integers())
structures = some.recursive(
    scalars | some.sets(hashable) | some.frozensets(hashable),
    lambda inner: (
        some.lists(inner) | some.tuples(inner, inner) | some.dictionaries(hashable, inner)
    ),
    max_leaves=60,
)


@given(structures)
def test_any_structure_is_told_within_bounds(value: Any) -> None:
    """At most 254 characters of value and 1,200 of line; twice the same; the value unchanged."""
    before = copy.deepcopy(value)
    found = describe(value, "value")
    assert not any(label == "not described" for label, _ in found.facts)
    assert len(found.value) <= 254 and len(line(found)) <= 1_200 and len(lines(found)) <= 3_600
    assert describe(value, "value") == found
    assert describe(before, "value") == found
    assert value == before


@given(scalars)
def test_short_scalars_are_printed_as_their_repr(value: Any) -> None:
    """What Python would show is what is shown, as long as it is short."""
    shown = describe(value).value
    if len(repr(value)) < 200 and "://" not in repr(value):
        assert shown == repr(value)


@given(some.integers(0, 5), some.integers(1, 20), some.integers(10, 400), structures)
def test_bounds_are_those_asked_for(depth: int, items: int, characters: int, value: Any) -> None:
    """Depth, items and characters are the caller's to choose."""
    found = describe(value, depth=depth, items=items, characters=characters)
    assert len(found.value) <= characters
