"""What one provider used within one request, its attempts together, put on the ledger once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aiex_ipy.config.settings import BudgetSettings, LLMSettings, ProviderSettings
from aiex_ipy.errors import AiexError
from aiex_ipy.messages import ModelRequest, Usage
from aiex_ipy.routing.budgets import Reservation
from aiex_ipy.routing.choice import Target
from aiex_ipy.routing.ledger import Call, estimated
from aiex_ipy.routing.reuse import own_model
from aiex_ipy.routing.state import RoutingState

if TYPE_CHECKING:
    import asyncio

PRICED_WITHIN_S = 0.5
"""How long the end of an answer waits for its price, which is looked up once per model."""
ONE_TOKEN = Usage(input_tokens=1, output_tokens=1)

_MAYBE_BILLED = frozenset(
    (
        "cut",
        "empty_answer",
        "idle",
        "interrupted",
        "invalid_answer",
        "server_error",
        "stream_incomplete",
        "timeout",
        "total_timeout",
        "truncated",
    )
)
"""Ends of an attempt at which the server had the prompt and may have worked on it. One that
answers with an error's status, or that was not reached, bills nothing."""


class Account:
    """Counts attempts and what they used; `close` puts a call on the ledger that was not answered.

    `times` is how often was asked so far.
    """

    def __init__(
        self,
        state: RoutingState,
        llm: LLMSettings,
        instance: ProviderSettings,
        target: Target,
        *,
        task: str,
        here: bool,
    ) -> None:
        self.times = 0
        self._state, self._llm, self._instance, self._here = state, llm, instance, here
        self._task = task
        self._named = target.model
        self._model = target.model or ""
        self._request: ModelRequest | None = None
        self._before: Usage | None = None
        self._reserved: Reservation | None = None
        self._outcome = "cancelled"
        self._began = self._first_at = 0.0
        self._pending = self._counted = self._elsewhere = False
        self._price: asyncio.Future[None] | None = None

    async def look_up(self) -> None:
        """Have the price known where a budget of money depends on it."""
        if self._llm.budget.cost_usd is not None:
            model = self._budgeted()
            await self._state.tariffs.look_up(self._instance, model, local=self._here)

    def check(self) -> None:
        """Raise BudgetError when the budgets allow no further call."""
        budget = self._llm.budget
        if budget.cost_usd is None and budget.tokens is None:
            return
        tariffs, model = self._state.tariffs, self._budgeted()
        if tariffs.cost(self._instance, model, ONE_TOKEN, local=self._here) == 0.0:
            budget = BudgetSettings(tokens=budget.tokens)  # what is free spends no money
        self._state.ledger.check(
            budget,
            provider=self._instance.name,
            model=model or None,
            priced=tariffs.priced(self._instance, model, local=self._here),
        )

    def reserve(self, request: ModelRequest) -> None:
        """Count what `request` is expected to use, until `release`. Raises BudgetError."""
        budget = self._llm.budget
        if budget.cost_usd is not None or budget.tokens is not None:
            self._reserved = self._state.ledger.reserve(
                budget,
                self._instance,
                self._budgeted(),
                local=self._here,
                input_tokens=estimated(Usage(), request, 0).input_tokens or 0,
                max_tokens=request.max_tokens,
            )

    def release(self) -> None:
        """Expect no more of an attempt; nothing happens when it was counted."""
        if self._reserved is not None:
            self._state.ledger.release(self._reserved)
            self._reserved = None

    def asked(self, request: ModelRequest) -> None:
        """An attempt is sent."""
        self.times += 1
        self._request = request
        self._pending = True
        self._outcome = "cancelled"
        now = self._state.clock()
        if self.times == 1:
            self._began = now
        self._first_at = 0.0

    def speaks(self, model: str | None) -> None:
        """The first words came; the model's price is looked up while the rest comes."""
        self._first_at = self._state.clock()
        if model is not None:
            self._model = model
            if not self._state.tariffs.known(self._instance, model, local=self._here):
                import asyncio

                looking = self._state.tariffs.look_up(self._instance, model, local=self._here)
                self._price = asyncio.ensure_future(looking)

    async def answered(self, usage: Usage, chars: int) -> Usage:
        """Count a whole answer; return what it used alone, with its cost."""
        # Ollama's own answers are free; one that does not say so came from its cloud.
        self._elsewhere = self._instance.kind == "ollama" and usage.cost_usd is None
        usage = self._end("answered", usage, chars)
        if self._price is not None and not self._price.done():
            import asyncio

            await asyncio.wait({self._price}, timeout=PRICED_WITHIN_S)
        return self._priced(usage)

    def failed(self, error: AiexError, chars: int) -> Usage:
        """An attempt ended with an error; return what it may have used."""
        if not self._pending:
            return Usage()
        self._pending = False
        self._outcome = error.code
        assert self._request is not None
        if not chars and error.code not in _MAYBE_BILLED:
            return Usage()
        counted: Usage | None = getattr(error, "usage", None)
        usage = estimated(counted or Usage(), self._request, chars)
        self._before = _sum(self._before, usage)
        return self._priced(usage)

    def close(self, chars: int) -> None:
        """Count what was asked and not answered: given up, or cancelled after so many
        characters."""
        if self._price is not None:
            self._price.cancel()  # the look-up itself goes on
            self._price = None
        if self._pending:
            self._end("cancelled", Usage(), chars)
        elif self.times and not self._counted:
            self._add(self._outcome, self._before or Usage())

    def _end(self, outcome: str, usage: Usage, chars: int) -> Usage:
        self._pending = False
        assert self._request is not None
        usage = estimated(usage, self._request, chars)
        self._add(outcome, _sum(self._before, usage))
        return usage

    def _add(self, outcome: str, usage: Usage) -> None:
        self._counted = True
        now, tariffs = self._state.clock(), self._state.tariffs
        usage = self._priced(usage)
        known = usage.cost_usd is not None or tariffs.known(
            self._instance, self._model, local=self._here
        )
        self._state.ledger.add(
            Call(
                provider=self._instance.name,
                model=self._model,
                task=self._task,
                outcome=outcome,
                usage=usage,
                latency_ms=round((now - self._began) * 1000, 1),
                first_token_ms=(
                    round((self._first_at - self._began) * 1000, 1) if self._first_at else None
                ),
                attempts=self.times,
            ),
            unpriced=None if known else self._instance,
            reserved=self._reserved,
        )
        self._reserved = None

    def _priced(self, usage: Usage) -> Usage:
        here = self._here and not self._elsewhere
        cost = self._state.tariffs.cost(self._instance, self._model, usage, local=here)
        if cost == usage.cost_usd:
            return usage
        return msgspec.structs.replace(usage, cost_usd=cost)

    def _budgeted(self) -> str:
        return self._named or own_model(self._instance.kind, self._llm) or ""


def _sum(first: Usage | None, second: Usage) -> Usage:
    """Return the tokens of both; the cost is the sum's to be found."""
    if first is None:
        return second
    return Usage(
        input_tokens=(first.input_tokens or 0) + (second.input_tokens or 0),
        output_tokens=(first.output_tokens or 0) + (second.output_tokens or 0),
        cached_tokens=first.cached_tokens + second.cached_tokens,
        cost_usd=0.0 if first.cost_usd == 0.0 and second.cost_usd == 0.0 else None,
        estimated=first.estimated or second.estimated,
    )
