"""The prompt of a failure keeps what is most useful, whatever the budget."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiex_ipy.errors import ContextTooLongError
from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.failure.capture import capture
from aiex_ipy.grounding.failure.cutting import MOST_CHARACTERS, cut, size
from aiex_ipy.grounding.failure.record import Failure
from aiex_ipy.grounding.fix import Source
from aiex_ipy.operations.base import Grounding
from aiex_ipy.operations.debug import DebugOperation, DebugRequest
from aiex_ipy.prompts.failure import sections
from aiex_ipy.prompts.fit import cost, fit


def failure_of(run: Callable[[], object], **more: object) -> Failure:
    try:
        run()
    except BaseException as error:
        return capture(error, **more)[0]  # type: ignore[arg-type]
    raise AssertionError


def deep(rows: list[str], at: int, extra: dict[str, str]) -> str:
    def inner(row: int) -> str:
        label = "x" * 500
        return rows[row] + label + extra["missing"]

    return inner(at)


FAILURE = failure_of(
    lambda: deep(["a" * 300] * 40, 3, {f"key {n}": "v" * 200 for n in range(40)}),
    context=["it worked yesterday"],
)
CELLS = tuple(RanCell(number=n, code=f"row_{n} = [{n}]\n" * 20) for n in range(1, 9))
BIG = Source(path="In[9]", text="x = 1\n" * 2_000, cell=9)
FACTS = (Diagnosis(rule="r", cause="extra has no key 'missing'.", evidence=("40 keys",)),)


@settings(max_examples=40, deadline=None)
@given(
    budget=st.integers(300, 8_000),
    cells=st.integers(0, 8),
    source=st.sampled_from([None, BIG]),
    facts=st.sampled_from([(), FACTS]),
)
def test_the_prompt_fits_and_keeps_error_and_line(
    budget: int, cells: int, source: Source | None, facts: tuple[Diagnosis, ...]
) -> None:
    """It costs at most its budget, and the error and the failing line are always in it."""
    from msgspec.structs import replace

    failure = replace(FAILURE, cells=CELLS[:cells])
    request = DebugRequest(failure=failure, diagnoses=facts, source=source)
    extra = {"context": (), "sections": sections(failure, facts, source)}
    ask = DebugOperation().prompt(request, Grounding(subjects=(), extra=extra))
    try:
        messages = fit(ask.prompt, budget)
    except ContextTooLongError:
        assert budget < 330
        return
    assert cost(messages) <= budget
    said = messages[-1].content
    assert "KeyError: 'missing'" in said
    if budget >= 400:
        assert 'return rows[row] + label + extra["missing"]' in said


def test_the_least_useful_goes_first() -> None:
    """With less room the other frames and the whole cell go before the values of the failing
    line and the cells that made them."""
    from msgspec.structs import replace

    failure = replace(FAILURE, cells=CELLS[:1])
    ranks = {each.title: each.rank for each in sections(failure, FACTS, BIG)}
    order = sorted(ranks, key=lambda title: ranks[title])
    assert order[0] == "Error"
    wanted = ["Where it failed", "Values there", "What the facts say"]
    wanted += ["Earlier cells that made these values", "Called from", "The whole of In[9]"]
    assert [each for each in order if each in wanted] == wanted


@settings(max_examples=30, deadline=None)
@given(most=st.integers(1_500, 20_000))
def test_a_record_is_cut_to_its_size_and_says_so(most: int) -> None:
    """What is cut is named, and the error and the failing line stay."""
    from msgspec.structs import replace

    failure = replace(FAILURE, cells=CELLS)
    found = cut(failure, most=most)
    assert size(found) <= max(most, 4_000)
    assert found.frame is not None and found.frame.text
    assert found.title == failure.title
    assert bool(found.left_out) == (size(failure) > most)


def test_a_captured_failure_is_small() -> None:
    """A few kB, whatever hangs from its values."""
    assert size(FAILURE) < MOST_CHARACTERS


@pytest.mark.parametrize("near", [True, False])
def test_the_near_miss_among_hundreds_of_columns_is_kept(near: bool) -> None:
    """Of a table with 900 columns those are told that the failing line may have meant."""
    import pandas as pd

    names = [f"col_{n}" for n in range(900)]
    if near:
        names[800] = "unit_price"
    table = pd.DataFrame([[0] * 900], columns=names)
    found = failure_of(lambda: table["unit_prize"])
    assert found.frame is not None
    told = next(each for each in found.frame.variables if each.name == "table")
    assert len(told.columns) <= 80
    assert ("unit_price" in [each.name for each in told.columns]) is near
