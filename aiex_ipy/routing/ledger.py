"""What was asked and what it used: counted per provider and model, held against budgets."""

from __future__ import annotations

import threading
from collections import deque

from msgspec import Struct, structs

from aiex_ipy.config.settings import BudgetSettings, ProviderSettings
from aiex_ipy.messages import ModelRequest, Usage
from aiex_ipy.routing.budgets import Reservation, Reserved, price_unknown, refuse_spent
from aiex_ipy.routing.noted import OF_REQUEST
from aiex_ipy.routing.prices import Tariffs

CHARS_PER_TOKEN = 3.5
"""For an estimate where the server did not count. Source: SPEC, section 8, "Accounting"."""

NEWEST = 1000
"""Calls whose times the medians are made of, for each provider and model."""

MOST_MODELS = 100
"""Models counted apart. When one more is asked, the one asked least goes to its provider's
`OTHER_MODELS`: who makes up names must not fill the memory."""

OTHER_MODELS = "other models"

MOST_USAGES = 1000
"""Different usages of one model that wait for its price. More are left of unknown cost."""


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
        "answered",
        "answered_output",
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
        self.answered = self.answered_output = 0
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
            self.answered += 1
            self.answered_output += call.usage.output_tokens or 0
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

    def settle(self, cost_usd: float, calls: int = 1) -> None:
        """Give calls of the same usage their cost, that of one, which they had not."""
        self.unpriced -= calls
        self.priced += calls
        self.cost += cost_usd * calls

    def merge(self, other: Tally) -> None:
        """Count all of another one, but not its times: medians are of one model."""
        for name in self.__slots__:
            if name not in ("latencies", "firsts"):
                setattr(self, name, getattr(self, name) + getattr(other, name))

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


class _Unpriced:
    """Calls of one model whose price is being looked up, by where they are counted and what they
    used."""

    __slots__ = ("instance", "model", "usages")

    def __init__(self, instance: ProviderSettings, model: str) -> None:
        self.instance, self.model = instance, model
        self.usages: dict[tuple[Tally, Usage], int] = {}

    def add(self, tally: Tally, usage: Usage, calls: int = 1) -> None:
        at = tally, usage
        if at in self.usages or len(self.usages) < MOST_USAGES:
            self.usages[at] = self.usages.get(at, 0) + calls

    def move(self, tally: Tally, to: Tally) -> None:
        for at in [at for at in self.usages if at[0] is tally]:
            self.add(to, at[1], self.usages.pop(at))


class Ledger:
    """The calls of one process; any thread may add and ask."""

    def __init__(self, tariffs: Tariffs) -> None:
        self._tariffs = tariffs
        self._lock = threading.Lock()
        self._all = Tally()
        self._by_model: dict[tuple[str, str], Tally] = {}
        self._answers_of: dict[tuple[str, str], Tally] = {}
        self._open: dict[tuple[str, str | None, str], _Unpriced] = {}
        self._reserved = Reserved()

    def check(
        self, budget: BudgetSettings, *, provider: str, model: str | None, priced: bool
    ) -> None:
        """Raise BudgetError when the next call may not be made: the budget is spent, or will be by
        what the calls under way are expected to use, or it is one of cost and the model's price is
        unknown. Calls under way are left alone."""
        if budget.cost_usd is None and budget.tokens is None:
            return
        if budget.cost_usd is not None and not priced:
            raise price_unknown(provider, model, budget.cost_usd)
        with self._lock:
            self._refuse(budget)

    def reserve(
        self,
        budget: BudgetSettings,
        instance: ProviderSettings,
        model: str,
        *,
        local: bool,
        input_tokens: int,
        max_tokens: int,
    ) -> Reservation | None:
        """Check as `check` does, and count what this call is expected to use until `add` or
        `release` gets the reservation. None where there is no budget.

        Expected are its input, as estimated, and as much output as the model's answers had on the
        average; before the first, `FIRST_OUTPUT_TOKENS`. Its own part does not refuse a call: one
        alone is made as long as the budget is not spent.
        """
        if budget.cost_usd is None and budget.tokens is None:
            return None
        key = (instance.name, model)
        with self._lock:
            tally = self._answers_of.get(key) or self._by_model.get(key)
            answers = (tally.answered, tally.answered_output) if tally is not None else (0, 0)
            reservation = Reservation(key, input_tokens, max_tokens, answers)
            if budget.cost_usd is not None:
                cost = self._tariffs.cost(instance, model, reservation.usage, local=local)
                if cost is None:
                    raise price_unknown(instance.name, model or None, budget.cost_usd)
                if not cost:  # what is free spends no money
                    budget = BudgetSettings(tokens=budget.tokens)
                reservation.cost_usd = cost
            self._refuse(budget)
            self._reserved.add(reservation)
        return reservation

    def release(self, reservation: Reservation | None) -> None:
        """Count a reservation no more; nothing happens for None, or when it was released."""
        if reservation is not None:
            with self._lock:
                self._reserved.remove(reservation)

    def add(
        self,
        call: Call,
        *,
        unpriced: ProviderSettings | None = None,
        reserved: Reservation | None = None,
    ) -> None:
        """Count a call, in place of what was `reserved` for it. `unpriced` is given when its price
        is not known yet: it is looked up, and the cost added once it is known."""
        waits = False
        request = OF_REQUEST.get()
        if request is not None:
            request.append(call)
        with self._lock:
            tally = self._tally(call.provider, call.model)
            tally.add(call)
            if self._all.add(call) and unpriced is not None:
                waits = True
                key = (unpriced.kind, unpriced.base_url, call.model)
                if key not in self._open:
                    self._open[key] = _Unpriced(unpriced, call.model)
                self._open[key].add(tally, call.usage)
            if reserved is not None:
                self._reserved.remove(reserved)
                if call.outcome == "answered" and reserved.key != (call.provider, call.model):
                    # A server may call its model otherwise than it was asked for.
                    self._answers_of.pop(reserved.key, None)
                    self._answers_of[reserved.key] = tally
                    if len(self._answers_of) > MOST_MODELS:
                        del self._answers_of[next(iter(self._answers_of))]
        if waits and unpriced is not None:
            self._tariffs.begin(unpriced, call.model, local=False)

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

    def _tally(self, provider: str, model: str) -> Tally:
        """Return the tally of a model, made with its first call."""
        found = self._by_model.get((provider, model))
        if found is None:
            while len(self._by_model) >= MOST_MODELS and self._fold():
                pass
            found = self._by_model[provider, model] = Tally()
        return found

    def _fold(self) -> bool:
        """Put the model that was asked least, the first of equals, to the others; False when no
        model is left."""
        models = [key for key in self._by_model if key[1] != OTHER_MODELS]
        if not models:
            return False
        least = min(models, key=lambda key: self._by_model[key].calls)
        folded = self._by_model.pop(least)
        others = self._by_model.setdefault((least[0], OTHER_MODELS), Tally())
        others.merge(folded)
        for waiting in self._open.values():
            waiting.move(folded, others)
        for name in [name for name, tally in self._answers_of.items() if tally is folded]:
            del self._answers_of[name]
        return True

    def _refuse(self, budget: BudgetSettings) -> None:
        """Raise BudgetError when calls so far and those under way have reached the budget."""
        self._settle()
        refuse_spent(
            budget,
            self._all.cost,
            self._all.input + self._all.output,
            self._all.calls,
            "of this process",
            "Raise llm.budget.{}, or start a new process.",
            reserved=self._reserved,
        )

    def _settle(self) -> None:
        """Price the calls whose tariff has come since."""
        if not self._open:
            return
        for key, waiting in list(self._open.items()):
            instance, model = waiting.instance, waiting.model
            if not self._tariffs.known(instance, model, local=False):
                continue
            del self._open[key]
            for (tally, usage), calls in waiting.usages.items():
                cost = self._tariffs.cost(instance, model, usage, local=False)
                if cost is not None:
                    self._all.settle(cost, calls)
                    tally.settle(cost, calls)


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


def _tokens(chars: int) -> int:
    return -int(-chars // CHARS_PER_TOKEN)  # rounded up


def _median(values: deque[float]) -> float | None:
    ordered = sorted(values)
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
