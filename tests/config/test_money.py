"""Amounts of money in the settings: finite, not negative, the user's own, and no budget of 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from aiex_ipy.config.settings import BudgetSettings

if TYPE_CHECKING:
    from conftest import Place

PRICES = "[llm.providers.openai]\ninput_usd_per_mtok = {}\noutput_usd_per_mtok = 1\n"


@pytest.mark.parametrize("written", ["true", "nan", "inf", "-inf", "'2'", "[]", "2020-01-01"])
def test_an_amount_is_a_finite_number(
    place: Place, refused: Callable[..., str], written: str
) -> None:
    """TOML has words that look like amounts; each is refused with the key and an example."""
    place.user.write_text(f"[llm.budget]\ncost_usd = {written}\n")
    told = refused()
    assert told.startswith("bad_value: 'llm.budget.cost_usd' in ")
    assert told.endswith("must be a number. Give an amount in USD, like 2.50.")
    place.user.write_text(PRICES.format(written))
    assert "'llm.providers.openai.input_usd_per_mtok'" in refused()


@pytest.mark.parametrize("written", ["-1", "-0.5", "1e300", "1" + "0" * 400])
def test_an_amount_has_bounds(place: Place, refused: Callable[..., str], written: str) -> None:
    """Nobody is paid for asking, and no budget is a thousand times a fortune."""
    place.user.write_text(f"[llm.budget]\ncost_usd = {written}\n")
    assert "must be more than 0, and at most 1000000." in refused()


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "two", "", " ", "true", "1,5"])
def test_an_amount_in_a_variable_is_a_number_too(
    place: Place, refused: Callable[..., str], text: str
) -> None:
    """Text is read as a number or refused; blanks alone are not set."""
    variables = {"AIEX_LLM_BUDGET_COST_USD": text}
    if not text.strip():
        assert place.load(variables).settings.llm.budget == BudgetSettings()
    else:
        assert "'AIEX_LLM_BUDGET_COST_USD' is " in refused(variables=variables)


@pytest.mark.parametrize(
    "line", ["cost_usd = 0", "cost_usd = 0.0", "cost_usd = -0.0", "tokens = 0"]
)
def test_a_budget_of_zero_is_refused_with_its_reason(
    place: Place, refused: Callable[..., str], line: str
) -> None:
    """Some take 0 for no bound, others for nothing at all: what it would do is told."""
    place.user.write_text(f"[llm.budget]\n{line}\n")
    told = refused()
    assert "must be more than 0, since 0 would refuse every call." in told
    assert told.endswith("Leave the key out to have no bound.")


def test_whole_and_broken_amounts_are_taken(place: Place) -> None:
    """`5`, `5.0` and `"5"` in a variable are one amount; a price may be 0."""
    place.user.write_text("[llm.budget]\ncost_usd = 5\n" + PRICES.format("0"))
    loaded = place.load().settings.llm
    assert loaded.budget.cost_usd == 5.0
    assert loaded.providers["openai"].input_usd_per_mtok == 0.0
    assert place.load({"AIEX_LLM_BUDGET_COST_USD": " 0.25 "}).settings.llm.budget.cost_usd == 0.25


def test_half_a_price_is_refused(place: Place, refused: Callable[..., str]) -> None:
    """A price of input alone would make every cost too low."""
    place.user.write_text("[llm.providers.openai]\ninput_usd_per_mtok = 2\n")
    told = refused()
    assert told.startswith("conflict: ")
    assert told.endswith("Set llm.providers.openai.output_usd_per_mtok too.")


def test_a_project_cannot_lift_what_its_user_set(place: Place, refused: Callable[..., str]) -> None:
    """A cloned project can neither raise a budget nor make calls look free; it may lower one."""
    place.user.write_text("[llm.budget]\ncost_usd = 5\n[profiles.prod.llm.budget]\ntokens = 7\n")
    place.aiex.write_text("[llm.budget]\ncost_usd = 6\n")
    assert "a project cannot raise your budget of 5.0." in refused()
    place.aiex.write_text("[profiles.prod.llm.budget]\ntokens = 8\n")
    assert "a project cannot raise your budget of 7." in refused()
    place.aiex.write_text(PRICES.format("0"))
    assert refused().startswith("untrusted: ")
    place.aiex.write_text("[llm.budget]\ncost_usd = 4\ntokens = 10\n")
    assert place.load().settings.llm.budget == BudgetSettings(cost_usd=4.0, tokens=10)
