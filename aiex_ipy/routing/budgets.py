"""Budgets: what calls under way are expected to use, and when the next one is refused."""

from __future__ import annotations

from aiex_ipy.config.settings import BudgetSettings
from aiex_ipy.errors import BudgetError
from aiex_ipy.messages import Usage

FIRST_OUTPUT_TOKENS = 500
"""Output expected of a model that has not answered yet, or the request's limit if that is less.
A guess, replaced by the average with its first answer."""


class Reservation:
    """What one call under way is expected to use. `key` is the provider and the model asked for;
    `answers` are how many it gave so far and the tokens of all of them."""

    __slots__ = ("cost_usd", "counted", "key", "tokens", "usage")

    def __init__(
        self, key: tuple[str, str], input_tokens: int, max_tokens: int, answers: tuple[int, int]
    ) -> None:
        number, tokens = answers
        output = -(-tokens // number) if number else FIRST_OUTPUT_TOKENS
        output = max(1, min(output, max_tokens))
        self.key = key
        self.usage = Usage(input_tokens=input_tokens, output_tokens=output)
        self.tokens = input_tokens + output
        self.cost_usd = 0.0
        self.counted = False


class Reserved:
    """The sum of the reservations that are held; not for several threads at once."""

    __slots__ = ("calls", "cost_usd", "tokens")

    def __init__(self) -> None:
        self.calls = self.tokens = 0
        self.cost_usd = 0.0

    def add(self, reservation: Reservation) -> None:
        """Count it from now on."""
        reservation.counted = True
        self.calls += 1
        self.tokens += reservation.tokens
        self.cost_usd += reservation.cost_usd

    def remove(self, reservation: Reservation) -> None:
        """Count it no more; nothing happens the second time."""
        if not reservation.counted:
            return
        reservation.counted = False
        self.calls -= 1
        self.tokens -= reservation.tokens
        # What rounding leaves goes with the last one.
        self.cost_usd = self.cost_usd - reservation.cost_usd if self.calls else 0.0


_NONE = Reserved()


def refuse_spent(
    budget: BudgetSettings,
    cost_usd: float,
    tokens: int,
    number: int,
    whose: str,
    hint: str,
    *,
    reserved: Reserved = _NONE,
) -> None:
    """Raise BudgetError when what `number` calls used, and what is reserved, has reached the
    budget. `{}` in the hint is which one."""
    if budget.cost_usd is not None and cost_usd + reserved.cost_usd >= budget.cost_usd:
        raise _reached(
            dollars(cost_usd),
            dollars(budget.cost_usd),
            calls(number),
            whose,
            hint.format("cost_usd"),
            expected=(dollars(reserved.cost_usd), calls(reserved.calls))
            if cost_usd < budget.cost_usd
            else None,
        )
    if budget.tokens is not None and tokens + reserved.tokens >= budget.tokens:
        raise _reached(
            str(tokens),
            f"{budget.tokens} tokens",
            calls(number),
            whose,
            hint.format("tokens"),
            expected=(str(reserved.tokens), calls(reserved.calls))
            if tokens < budget.tokens
            else None,
        )


def price_unknown(provider: str, model: str | None, budget_usd: float) -> BudgetError:
    """Return the error of a model whose calls could go through a budget of cost unseen."""
    return BudgetError(
        f"The price of {model or 'the default model'!r} of provider {provider!r} is not"
        f" known, so a budget of {dollars(budget_usd)} cannot be kept.",
        code="price_unknown",
        hint=f"Set llm.providers.{provider}.input_usd_per_mtok and output_usd_per_mtok, or"
        " llm.budget.tokens in place of llm.budget.cost_usd.",
    )


def dollars(amount: float) -> str:
    """Return an amount with as many digits as small ones need: `$12.50`, `$0.0031`, `$0.000004`."""
    if amount >= 1:
        return f"${amount:.2f}"
    if amount >= 0.001 or not amount:
        return f"${amount:.4f}"
    return f"${amount:.6f}" if amount >= 1e-6 else "less than $0.000001"


def calls(number: int) -> str:
    """Return `1 call`, `2 calls`."""
    return f"{number} call{'' if number == 1 else 's'}"


def _reached(
    spent: str,
    bound: str,
    by: str,
    whose: str,
    hint: str,
    *,
    expected: tuple[str, str] | None,
) -> BudgetError:
    if expected is None:
        return BudgetError(f"The budget {whose} is spent: {spent} of {bound} in {by}.", hint=hint)
    return BudgetError(
        f"The budget {whose} has no room for another call now: {spent} of {bound} in {by}, and"
        f" about {expected[0]} expected of {expected[1]} under way.",
        code="budget_reserved",
        hint=f"Wait until they have ended. {hint}",
    )
