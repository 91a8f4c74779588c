"""The ledger: sums that add up, from any thread, and budgets that stop before the next call."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.config.settings import BudgetSettings, ProviderSettings
from aiex_ipy.errors import BudgetError
from aiex_ipy.messages import Message, ModelRequest, Usage
from aiex_ipy.routing.budgets import FIRST_OUTPUT_TOKENS, Reservation, dollars
from aiex_ipy.routing.ledger import MOST_MODELS, OTHER_MODELS, Call, Ledger, estimated
from aiex_ipy.routing.prices import Tariffs

OPENAI = ProviderSettings(name="openai", kind="openai")
PRICED = ProviderSettings(name="p", kind="openai", input_usd_per_mtok=2.0, output_usd_per_mtok=2.0)

usages = st.builds(
    Usage,
    input_tokens=st.none() | st.integers(0, 10_000),
    output_tokens=st.none() | st.integers(0, 10_000),
    cost_usd=st.none() | st.sampled_from([0.0, 0.25, 0.5, 2.0]),  # sums of these are exact
    estimated=st.booleans(),
)
some_calls = st.lists(
    st.builds(
        Call,
        provider=st.sampled_from(["a", "b"]),
        model=st.sampled_from(["m", "n"]),
        outcome=st.sampled_from(["answered", "interrupted", "cancelled", "timeout", "quota"]),
        usage=usages,
        latency_ms=st.none() | st.floats(0, 1000),
        first_token_ms=st.none() | st.floats(0, 1000),
        attempts=st.integers(1, 4),
        cached=st.booleans(),
    ),
    max_size=30,
)


def ledger(*calls: Call) -> Ledger:
    made = Ledger(Tariffs())
    for call in calls:
        made.add(call)
    return made


def call(**more: object) -> Call:
    return Call(**{"provider": "openai", "model": "m", **more})  # type: ignore[arg-type]


@given(some_calls)
def test_totals_are_the_sum_of_the_calls(calls: list[Call]) -> None:
    """Whatever calls came, every number of the totals is their sum, and so are the models'."""
    totals = ledger(*calls).totals()
    asked = [each for each in calls if not each.cached]
    spent = totals.all
    assert spent.calls == len(calls)
    assert spent.cached == len(calls) - len(asked)
    assert spent.attempts == sum(each.attempts for each in asked)
    assert spent.input_tokens == sum(each.usage.input_tokens or 0 for each in asked)
    assert spent.output_tokens == sum(each.usage.output_tokens or 0 for each in asked)
    known = [each.usage.cost_usd for each in asked if each.usage.cost_usd is not None]
    unknown = [
        each
        for each in asked
        if each.usage.cost_usd is None
        and (each.usage.input_tokens or 0) + (each.usage.output_tokens or 0)
    ]
    assert spent.unpriced == len(unknown)
    assert spent.cost_usd == (None if unknown and not known else sum(known))
    assert {(row.provider, row.model) for row in totals.models} == {
        (each.provider, each.model) for each in calls
    }
    counted = ("calls", "failed", "interrupted", "cached", "attempts", "input_tokens")
    counted += ("output_tokens", "estimated_tokens", "unpriced")
    for name in counted:
        assert getattr(spent, name) == sum(getattr(row, name) for row in totals.models)


def test_no_call_is_lost_between_threads() -> None:
    """Calls added by eight threads at once are all counted."""
    made = ledger()
    one = call(usage=Usage(input_tokens=1, output_tokens=2, cost_usd=0.5))

    def work() -> None:
        for _ in range(500):
            made.add(one)
            made.totals()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = made.totals().all
    assert (spent.calls, spent.tokens, spent.cost_usd) == (4000, 12_000, 2000.0)


def test_medians_are_of_answers_alone() -> None:
    """A failure's time says nothing of how fast answers come."""
    made = ledger(
        call(latency_ms=10.0, first_token_ms=1.0),
        call(latency_ms=30.0, first_token_ms=3.0),
        call(latency_ms=20.0, first_token_ms=2.0),
        call(latency_ms=9000.0, outcome="timeout"),
        call(latency_ms=0.1, cached=True),
    )
    (row,) = made.totals().models
    assert (row.latency_ms, row.first_token_ms, row.failed) == (20.0, 2.0, 1)


def test_an_unknown_cost_is_told() -> None:
    """Calls of unknown cost are counted beside the sum, and alone they make it unknown."""
    unknown = call(usage=Usage(input_tokens=5, output_tokens=5))
    known = call(usage=Usage(input_tokens=5, output_tokens=5, cost_usd=0.5))
    assert ledger().totals().all.cost_usd == 0.0
    assert ledger(unknown).totals().all.cost_usd is None
    both = ledger(unknown, known).totals().all
    assert (both.cost_usd, both.unpriced) == (0.5, 1)


def test_a_failure_without_tokens_is_not_of_unknown_cost() -> None:
    """A refused connection cost nothing."""
    spent = ledger(call(outcome="connect")).totals().all
    assert (spent.cost_usd, spent.unpriced, spent.failed) == (0.0, 0, 1)


def test_a_price_that_comes_late_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer may end before its price is looked up: the totals have it afterwards."""
    tariffs = Tariffs()
    made = Ledger(tariffs)
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    with monkeypatch.context() as slow:
        slow.setattr(tariffs, "begin", lambda *_, **__: None)
        made.add(call(model="gpt-4", usage=usage), unpriced=OPENAI)
        made.add(call(model="gpt-6.2-sol", usage=usage), unpriced=OPENAI)
    assert made.totals().all.cost_usd is None
    asyncio.run(tariffs.look_up(OPENAI, "gpt-4"))
    asyncio.run(tariffs.look_up(OPENAI, "gpt-6.2-sol"))
    spent = made.totals().all
    assert spent.cost_usd == pytest.approx(90.0)
    assert spent.unpriced == 1
    assert made.totals().all == spent
    with pytest.raises(BudgetError, match=r"\$90\.00 of \$50\.00 in 2 calls"):
        made.check(BudgetSettings(cost_usd=50.0), provider="openai", model="gpt-4", priced=True)


def test_a_spent_budget_stops_the_next_call() -> None:
    """The call that reaches the budget is let end; the next one is refused with the remedy."""
    made = ledger()
    budget = BudgetSettings(cost_usd=1.0, tokens=100)

    def check() -> None:
        made.check(budget, provider="openai", model="m", priced=True)

    check()
    made.add(call(usage=Usage(input_tokens=40, output_tokens=40, cost_usd=0.75)))
    check()
    made.add(call(usage=Usage(input_tokens=4, output_tokens=4, cost_usd=0.75)))
    with pytest.raises(BudgetError, match=r"\$1\.50 of \$1\.00 in 2 calls") as caught:
        check()
    assert "llm.budget.cost_usd" in caught.value.hint
    budget = BudgetSettings(tokens=88)
    with pytest.raises(BudgetError, match="88 of 88 tokens") as caught:
        check()
    assert "llm.budget.tokens" in caught.value.hint


def test_cached_answers_spend_no_budget() -> None:
    """An answer from the cache was paid before."""
    made = ledger(call(cached=True, usage=Usage(input_tokens=90, output_tokens=90, cost_usd=9.0)))
    made.check(BudgetSettings(cost_usd=1.0, tokens=10), provider="openai", model="m", priced=True)


def test_a_cost_budget_needs_a_price() -> None:
    """A model of unknown price could break a budget of cost unseen, so it is not asked; a budget
    of tokens does not mind."""
    made = ledger()
    with pytest.raises(BudgetError, match="of provider 'openai' is not known") as caught:
        made.check(
            BudgetSettings(cost_usd=1.0), provider="openai", model="gpt-6.2-sol", priced=False
        )
    assert caught.value.code == "price_unknown"
    assert "llm.providers.openai.input_usd_per_mtok" in caught.value.hint
    made.check(BudgetSettings(tokens=10), provider="openai", model="gpt-6.2-sol", priced=False)
    made.check(BudgetSettings(), provider="openai", model="gpt-6.2-sol", priced=False)


def test_what_the_server_did_not_count_is_estimated_and_marked() -> None:
    """A cut answer's tokens are estimated from the lengths, what was counted is left alone."""
    request = ModelRequest(messages=(Message(role="user", content="x" * 35),))
    told = Usage(input_tokens=3, output_tokens=4)
    assert estimated(told, request, 1000) is told
    guess = estimated(Usage(cost_usd=0.0), request, 8)
    assert (guess.input_tokens, guess.output_tokens, guess.estimated) == (10, 3, True)
    assert guess.cost_usd == 0.0
    half = estimated(Usage(input_tokens=7), request, 0)
    assert (half.input_tokens, half.output_tokens, half.estimated) == (7, 0, True)


def test_small_amounts_are_not_shown_as_nothing() -> None:
    """A tenth of a cent, and what is far below, keep a digit."""
    shown = [dollars(each) for each in (1e-9, 0.000003, 0.0031, 0.25, 12.5)]
    assert shown == ["less than $0.000001", "$0.000003", "$0.0031", "$0.2500", "$12.50"]


@given(st.lists(st.floats(1e-6, 1e6), min_size=2))
def test_amounts_shown_grow_with_the_amounts(amounts: list[float]) -> None:
    """A larger amount is never shown as a smaller one."""
    shown = [float(dollars(each).removeprefix("$")) for each in sorted(amounts)]
    assert all(one <= other for one, other in pairwise(shown))


def held(
    made: Ledger, budget: BudgetSettings, *, model: str = "m", input_tokens: int = 10
) -> Reservation:
    found = made.reserve(
        budget, PRICED, model, local=False, input_tokens=input_tokens, max_tokens=2000
    )
    assert found is not None
    return found


def test_calls_under_way_count_against_a_budget() -> None:
    """A hundred calls at once cannot each find the budget unspent: those that would go through it
    by what the others are expected to use are refused, and told why."""
    made = ledger()
    budget = BudgetSettings(tokens=3 * (10 + FIRST_OUTPUT_TOKENS))
    first, *_ = [held(made, budget) for _ in range(3)]
    with pytest.raises(BudgetError, match="about 1530 expected of 3 calls under way") as caught:
        held(made, budget)
    assert caught.value.code == "budget_reserved"
    with pytest.raises(BudgetError):
        made.check(budget, provider="p", model="m", priced=True)
    made.release(first)
    made.release(first)
    held(made, budget)
    with pytest.raises(BudgetError):
        held(made, budget)


def test_money_is_reserved_too() -> None:
    """Calls under way are expected to cost what their tokens cost."""
    made = ledger()
    budget = BudgetSettings(cost_usd=0.002)  # PRICED takes 0.00102 for 10 + 500 tokens
    one, other = held(made, budget), held(made, budget)
    with pytest.raises(
        BudgetError, match=r"\$0\.0000 of \$0\.0020 in 0 calls, and about \$0\.0020"
    ):
        held(made, budget)
    made.release(one)
    made.add(call(provider="p", usage=Usage(input_tokens=1, output_tokens=1)), reserved=other)
    made.release(other)
    held(made, budget)


def test_a_reservation_never_refuses_its_own_call() -> None:
    """A call that may use more than what is left is made when none is under way: the call that
    reaches the budget is let end."""
    made = ledger()
    held(made, BudgetSettings(tokens=1), input_tokens=100_000)
    made = ledger(call(usage=Usage(input_tokens=5, output_tokens=4)))
    one = held(made, BudgetSettings(tokens=10))
    made.release(one)
    with pytest.raises(BudgetError, match="is spent: 9 of 9 tokens"):
        held(made, BudgetSettings(tokens=9))


def test_what_is_expected_is_what_the_model_said_so_far() -> None:
    """The average of its answers, whatever name the server gives to the model, and never more than
    the limit of the request."""
    made = ledger()
    budget = BudgetSettings(tokens=10**6)
    assert held(made, budget).tokens == 10 + FIRST_OUTPUT_TOKENS
    for output in (20, 41):
        made.add(
            call(provider="p", model="m-2026", usage=Usage(input_tokens=5, output_tokens=output)),
            reserved=held(made, budget),
        )
    made.add(call(provider="p", model="m-2026", outcome="cancelled", usage=Usage(output_tokens=9)))
    assert held(made, budget).tokens == held(made, budget, model="m-2026").tokens == 10 + 31
    assert held(made, budget, model="n").tokens == 10 + FIRST_OUTPUT_TOKENS
    short = made.reserve(budget, PRICED, "m", local=False, input_tokens=10, max_tokens=7)
    assert short is not None
    assert short.tokens == 17


def test_no_budget_reserves_nothing_and_free_models_no_money() -> None:
    """Without a budget nothing is kept; a local model is not refused for money others take; one of
    unknown price is."""
    made = ledger(call(usage=Usage(input_tokens=1, output_tokens=1, cost_usd=5.0)))
    local = ProviderSettings(name="here", kind="ollama")
    none = made.reserve(BudgetSettings(), PRICED, "m", local=False, input_tokens=1, max_tokens=1)
    assert none is None
    made.release(none)
    money = BudgetSettings(cost_usd=1.0)
    assert made.reserve(money, local, "m", local=True, input_tokens=1, max_tokens=1) is not None
    with pytest.raises(BudgetError, match="price of 'm' of provider 'openai' is not known"):
        made.reserve(money, OPENAI, "m", local=False, input_tokens=1, max_tokens=1)


@given(st.lists(st.integers(0, 3), max_size=60))
def test_what_is_reserved_is_given_back(steps: list[int]) -> None:
    """In whatever order calls begin and end, nothing stays reserved once none is under way."""
    made, budget = ledger(), BudgetSettings(cost_usd=1e9, tokens=10**12)
    under_way: list[Reservation] = []
    for step in steps:
        if step > 1 or not under_way:
            under_way.append(held(made, budget, input_tokens=step * 7))
        elif step:
            made.release(under_way.pop(0))
        else:
            made.add(call(usage=Usage(input_tokens=1, output_tokens=0)), reserved=under_way.pop())
    for each in under_way:
        made.release(each)
    tokens = made.totals().all.tokens
    made.check(
        BudgetSettings(cost_usd=1e-12, tokens=tokens + 1), provider="p", model="m", priced=True
    )


def test_calls_that_never_opened_get_their_price() -> None:
    """Calls cancelled before any answer came: their model is looked up all the same, and thousands
    of them are kept as what they used, not one by one."""
    tariffs = Tariffs()
    made = Ledger(tariffs)
    guess = Usage(input_tokens=1_000_000, output_tokens=0, estimated=True)
    for _ in range(2000):
        made.add(call(model="gpt-4", outcome="cancelled", usage=guess), unpriced=OPENAI)
    assert sum(len(each.usages) for each in made._open.values()) <= 1
    coming = tariffs.begin(OPENAI, "gpt-4", local=False)
    if coming is not None:
        coming.result(60)
    spent = made.totals().all
    assert (spent.cost_usd, spent.unpriced) == (pytest.approx(60_000.0), 0)
    assert not made._open


def test_made_up_model_names_do_not_fill_the_memory() -> None:
    """A thousand names: the most used are told apart, the rest as others, and nothing is lost."""
    made = ledger()
    often = call(model="often", usage=Usage(input_tokens=1, output_tokens=0, cost_usd=0.5))
    for number in range(1000):
        made.add(often)
        made.add(
            call(model=f"m{number}", usage=Usage(input_tokens=1, output_tokens=1, cost_usd=0.25))
        )
    totals = made.totals()
    assert len(totals.models) <= MOST_MODELS
    rows = {row.model: row for row in totals.models}
    assert rows["often"].calls == 1000
    assert "m999" in rows
    assert rows[OTHER_MODELS].calls > 800
    assert sum(row.tokens for row in totals.models) == totals.all.tokens == 3000
    assert sum(row.cost_usd or 0 for row in totals.models) == totals.all.cost_usd == 750.0


def test_a_price_reaches_the_calls_of_a_model_put_to_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A model is folded while its price is looked up: the sum of the rows is still that of all."""
    tariffs = Tariffs()
    made = Ledger(tariffs)
    usage = Usage(input_tokens=1_000_000, output_tokens=0)
    with monkeypatch.context() as slow:
        slow.setattr(tariffs, "begin", lambda *_, **__: None)
        made.add(call(model="gpt-4", usage=usage), unpriced=OPENAI)
        for number in range(MOST_MODELS):
            for _ in range(2):
                made.add(call(model=f"m{number}"))
        made.add(call(model="gpt-4", usage=usage), unpriced=OPENAI)
    asyncio.run(tariffs.look_up(OPENAI, "gpt-4"))
    totals = made.totals()
    assert totals.all.unpriced == 0
    assert all(row.unpriced == 0 for row in totals.models)
    assert sum(row.cost_usd or 0 for row in totals.models) == pytest.approx(60.0)
