"""What was asked and what it used: counted per provider and model, held against budgets."""

from __future__ import annotations

import threading
from collections import deque

from msgspec import Struct, structs

from aiex_ipy.config.settings import BudgetSettings, ProviderSettings
from aiex_ipy.errors import BudgetError
from aiex_ipy.messages import ModelRequest, Usage
from aiex_ipy.routing.prices import Tariffs

CHARS_PER_TOKEN = 3.5
"""For an estimate where the server did not count. Source: SPEC, section 8, "Accounting"."""

NEWEST = 1000
"""Calls whose times the medians are made of, for each provider and model."""


class Call(Struct, frozen=True, kw_only=True):
    """One question to one provider, retries included.

    `outcome` is `answered`, `interrupted` (cut after its first word), `cancelled` or the code of
    the error. `cached` is True where nothing was asked: the answer was kept, or an identical
    request under way brought it.
    """

    provider: str
    model: str
    task: str = ""
    outcome: str = "answered"
    usage: Usage = Usage()
    latency_ms: float | None = None
    first_token_ms: float | None = None
    attempts: int = 1
    cached: bool = False


class Spent(Struct, frozen=True, kw_only=True):
    """What calls used. `interrupted` counts the cancelled ones too, `failed` those that ended in
    an error. `estimated_tokens` are part of the tokens. `cost_usd` is the sum of the known costs,
    None when none is known; `unpriced` counts the calls beside it. Times are medians."""

    calls: int = 0
    failed: int = 0
    interrupted: int = 0
    cached: int = 0
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    estimated_tokens: int = 0
    cost_usd: float | None = 0.0
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        """Input and output."""
        return self.input_tokens + self.output_tokens


class ModelSpent(Spent, frozen=True, kw_only=True):
    """What one model of one provider used; times in ms, None without an answer."""

    provider: str
    model: str
    latency_ms: float | None = None
    first_token_ms: float | None = None


class Totals(Struct, frozen=True, kw_only=True):
    """The sum of all calls, and the calls by provider and model in the order of their first."""

    all: Spent = Spent()
    models: tuple[ModelSpent, ...] = ()


class Tally:
    """A sum of calls that goes on; not for several threads at once."""

    __slots__ = (
        "attempts",
        "cached",
        "calls",
        "cost",
        "estimated",
        "failed",
        "firsts",
        "input",
        "interrupted",
        "latencies",
        "output",
        "priced",
        "unpriced",
    )

    def __init__(self) -> None:
        self.calls = self.failed = self.interrupted = self.cached = self.attempts = 0
        self.input = self.output = self.estimated = self.priced = self.unpriced = 0
        self.cost = 0.0
        self.latencies: deque[float] = deque(maxlen=NEWEST)
        self.firsts: deque[float] = deque(maxlen=NEWEST)

    def add(self, call: Call) -> bool:
        """Count a call; True when its tokens have no cost yet."""
        self.calls += 1
        if call.cached:
            self.cached += 1
            return False
        self.attempts += call.attempts
        outcome = call.outcome
        if outcome == "answered":
            if call.latency_ms is not None:
                self.latencies.append(call.latency_ms)
            if call.first_token_ms is not None:
                self.firsts.append(call.first_token_ms)
        elif outcome in ("interrupted", "cancelled"):
            self.interrupted += 1
        else:
            self.failed += 1
        return self.use(call.usage)

    def use(self, usage: Usage) -> bool:
        """Count tokens and cost; True when the tokens have no cost yet."""
        tokens = (usage.input_tokens or 0) + (usage.output_tokens or 0)
        self.input += usage.input_tokens or 0
        self.output += usage.output_tokens or 0
        if usage.estimated:
            self.estimated += tokens
        if usage.cost_usd is not None:
            self.priced += 1
            self.cost += usage.cost_usd
        elif tokens:
            self.unpriced += 1
            return True
        return False

    def settle(self, cost_usd: float) -> None:
        """Give a call its cost that had none."""
        self.unpriced -= 1
        self.priced += 1
        self.cost += cost_usd

    def spent(self) -> Spent:
        """Return the sum so far."""
        return Spent(
            calls=self.calls,
            failed=self.failed,
            interrupted=self.interrupted,
            cached=self.cached,
            attempts=self.attempts,
            input_tokens=self.input,
            output_tokens=self.output,
            estimated_tokens=self.estimated,
            cost_usd=None if self.unpriced and not self.priced else self.cost,
            unpriced=self.unpriced,
        )


class Ledger:
    """The calls of one process; any thread may add and ask."""

    def __init__(self, tariffs: Tariffs) -> None:
        self._tariffs = tariffs
        self._lock = threading.Lock()
        self._all = Tally()
        self._by_model: dict[tuple[str, str], Tally] = {}
        self._open: list[tuple[Call, ProviderSettings]] = []

    def check(
        self, budget: BudgetSettings, *, provider: str, model: str | None, priced: bool
    ) -> None:
        """Raise BudgetError when the next call may not be made: the budget is spent, or it is one
        of cost and the model's price is unknown. Calls under way are left alone."""
        if budget.cost_usd is None and budget.tokens is None:
            return
        if budget.cost_usd is not None and not priced:
            raise BudgetError(
                f"The price of {model or 'the default model'!r} of provider {provider!r} is not"
                f" known, so a budget of {dollars(budget.cost_usd)} cannot be kept.",
                code="price_unknown",
                hint=f"Set llm.providers.{provider}.input_usd_per_mtok and output_usd_per_mtok, or"
                " llm.budget.tokens in place of llm.budget.cost_usd.",
            )
        with self._lock:
            self._settle()
            spent = self._all.spent()
        refuse_spent(
            budget, spent, "of this process", "Raise llm.budget.{}, or start a new process."
        )

    def add(self, call: Call, *, unpriced: ProviderSettings | None = None) -> None:
        """Count a call. `unpriced` is given when its price is still being looked up: its cost is
        then added once it is known."""
        key = (call.provider, call.model)
        with self._lock:
            tally = self._by_model.get(key)
            if tally is None:
                tally = self._by_model[key] = Tally()
            tally.add(call)
            if self._all.add(call) and unpriced is not None:
                self._open.append((call, unpriced))

    def totals(self) -> Totals:
        """Return what all calls used so far."""
        with self._lock:
            self._settle()
            rows = tuple(
                ModelSpent(
                    provider=provider,
                    model=model,
                    latency_ms=_median(tally.latencies),
                    first_token_ms=_median(tally.firsts),
                    **structs.asdict(tally.spent()),
                )
                for (provider, model), tally in self._by_model.items()
            )
            return Totals(all=self._all.spent(), models=rows)

    def _settle(self) -> None:
        """Price the calls whose tariff has come since."""
        still = []
        for call, provider in self._open:
            if not self._tariffs.known(provider, call.model, local=False):
                still.append((call, provider))
                continue
            cost = self._tariffs.cost(provider, call.model, call.usage, local=False)
            if cost is not None:
                self._all.settle(cost)
                self._by_model[call.provider, call.model].settle(cost)
        self._open = still


def refuse_spent(budget: BudgetSettings, spent: Spent, whose: str, hint: str) -> None:
    """Raise BudgetError when `spent` has reached the budget. `{}` in the hint is which one."""
    cost = spent.cost_usd or 0.0
    if budget.cost_usd is not None and cost >= budget.cost_usd:
        raise BudgetError(
            f"The budget {whose} is spent: {dollars(cost)} of {dollars(budget.cost_usd)} in"
            f" {calls(spent.calls)}.",
            hint=hint.format("cost_usd"),
        )
    if budget.tokens is not None and spent.tokens >= budget.tokens:
        raise BudgetError(
            f"The budget {whose} is spent: {spent.tokens} of {budget.tokens} tokens in"
            f" {calls(spent.calls)}.",
            hint=hint.format("tokens"),
        )


def estimated(usage: Usage, request: ModelRequest, answer_chars: int) -> Usage:
    """Return `usage` with what the server did not count estimated from the lengths of the texts,
    and marked; as it is when nothing is missing."""
    if usage.input_tokens is not None and usage.output_tokens is not None:
        return usage
    asked = sum(len(message.content) for message in request.messages)
    return structs.replace(
        usage,
        input_tokens=_tokens(asked) if usage.input_tokens is None else usage.input_tokens,
        output_tokens=(
            _tokens(answer_chars) if usage.output_tokens is None else usage.output_tokens
        ),
        estimated=True,
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


def _tokens(chars: int) -> int:
    return -int(-chars // CHARS_PER_TOKEN)  # rounded up


def _median(values: deque[float]) -> float | None:
    ordered = sorted(values)
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
