"""One request's attempts: at one provider again and again, then at the next."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from aiex_ipy.config.settings import BudgetSettings, LLMSettings, ProviderSettings
from aiex_ipy.errors import (
    AiexError,
    AnswerError,
    BudgetError,
    ContextTooLongError,
    InterruptedAnswerError,
    InvalidAnswerError,
    RateLimitError,
    UnavailableError,
)
from aiex_ipy.messages import Chunk, Finish, ModelRequest, Opened, Usage
from aiex_ipy.providers import Provider
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.gate import Gate, Limits, limits_for
from aiex_ipy.routing.ledger import Call, estimated
from aiex_ipy.routing.retrying import WORTH_WAITING_S, Verdict, delay_s, judge
from aiex_ipy.routing.reuse import own_model
from aiex_ipy.routing.state import RoutingState, Standing
from aiex_ipy.tokens import MESSAGE_OVERHEAD, estimate

if TYPE_CHECKING:
    import asyncio
    from logging import Logger

    from aiex_ipy.routing.breaker import Breaker

DEFAULT_MAX_TOKENS = ProviderSettings(name="", kind="").max_tokens
ENLARGED = 4
"""A JSON answer cut at its limit is asked for once more with so many times the tokens, unless
the user set the limit."""

PRICED_WITHIN_S = 0.5
"""How long the end of an answer waits for its price, which is looked up once per model."""
ONE_TOKEN = Usage(input_tokens=1, output_tokens=1)


class Turns:
    """Whose turn it is: the providers of one request in order, each until it is given up.

    Who cannot be asked now is passed over while another one can. `failed` are the errors of those
    given up so far.
    """

    def __init__(self, plan: Sequence[Asked], build: Callable[[Target], ModelRequest]) -> None:
        refused = [(asked, asked.passed_over()) for asked in plan] if len(plan) > 1 else []
        fit = [asked for asked, why in refused if why is None]
        self.failed = [why for _, why in refused if why is not None] if fit else []
        self._left = [*(fit or plan)]
        self._build = build
        self._now: Asked | None = None

    async def next(self) -> Asked | None:
        """Return who is asked next, after the wait that is due; None when all were given up."""
        while True:
            asked = self._now
            if asked is not None:
                if asked.request is not None and await asked.afford():
                    await asked.wait()
                    return asked
                if asked.error is not None:
                    self.failed.append(asked.error)
            if not self._left:
                return None
            self._now = self._left.pop(0)
            self._now.begin(self._build, alone=not self._left)

    def failure(self) -> AiexError:
        """Return the last error, which tells how often was asked, and of the earlier ones."""
        last = copy.copy(self.failed[-1])
        last.__cause__ = self.failed[-1].__cause__
        earlier = [f"Before it: {_told(error)}" for error in self.failed[:-1]]
        last.message = " ".join([_told(last), *earlier])
        last.args = (last.message,)
        return last


def _told(error: AiexError) -> str:
    return f"{error.message} Asked {error.attempts} times." if error.attempts > 1 else error.message


class Asked:
    """One provider within one request, asked until it answers or is given up.

    `request` is what it is asked next, None once it is given up for `error`; `pause_s` is waited
    before. `here`: its server is on this machine. `speaks` is True from its first visible chunk;
    `chars` counts the characters it has said.
    """

    def __init__(
        self,
        provider: Provider,
        target: Target,
        instance: ProviderSettings,
        *,
        choice: Choice,
        llm: LLMSettings,
        state: RoutingState,
        here: bool,
        log: Logger,
    ) -> None:
        self.target, self.instance = target, instance
        self.standing: Standing = state.standing(instance)
        self.request: ModelRequest | None = None
        self.error: AiexError | None = None
        self.pause_s = 0.0
        self.speaks = False
        self._provider, self._here, self._log = provider, here, log
        self._state, self._llm = state, llm
        self._breaker: Breaker = self.standing.breaker(target.model, llm.circuit_breaker)
        self._opened: Opened | None = None
        self._since = self._first_at = state.clock()
        self._build: Callable[[Target], ModelRequest] | None = None
        self._alone = True
        self._task, self._batch = choice.task, choice.batch
        limits = limits_for(instance, llm, remote=not here, slots=getattr(provider, "slots", None))
        limited = limits.requests_per_minute is not None or limits.max_concurrent is not None
        self._limits: Limits | None = limits if limited else None
        self._gate: Gate | None = None
        self._price: asyncio.Future[None] | None = None
        self._entry: int | None = None
        self._entered = self._asked = False
        self.chars = 0
        self._retries = self._times = 0
        self._shrunk = self._enlarged = False

    def begin(self, build: Callable[[Target], ModelRequest], *, alone: bool) -> None:
        """Make its first request, after the wait it asked for if that is short enough. `alone`:
        no other provider is left."""
        self._build, self._alone = build, alone
        cooling = self.standing.cooling_s(self.target.model)
        try:
            if cooling and (self._is_late(cooling) or (not alone and cooling > WORTH_WAITING_S)):
                raise self._still_cooling(cooling)
            self.request = build(self.target)
        except AiexError as error:
            self.error = error
        self.pause_s = cooling

    async def afford(self) -> bool:
        """Return whether the budgets allow to ask it, else give it up. A price that is not known
        yet is looked up first, where a budget depends on it."""
        budget = self._llm.budget
        if self.request is None or (budget.cost_usd is None and budget.tokens is None):
            return True
        tariffs = self._state.tariffs
        model = self.target.model or own_model(self.instance.kind, self._llm) or ""
        if budget.cost_usd is not None:
            await tariffs.look_up(self.instance, model, local=self._here)
            if tariffs.cost(self.instance, model, ONE_TOKEN, local=self._here) == 0.0:
                budget = BudgetSettings(tokens=budget.tokens)  # what is free spends no money
        try:
            self._state.ledger.check(
                budget,
                provider=self.instance.name,
                model=model or None,
                priced=tariffs.priced(self.instance, model, local=self._here),
            )
        except BudgetError as error:
            self.request, self.error = None, error
            return False
        return True

    async def wait(self) -> None:
        """Wait as long as is due before the next attempt."""
        if self.pause_s:
            await self._state.sleep(self.pause_s)

    def passed_over(self) -> AiexError | None:
        """Why it is not asked while another provider can be."""
        if not self._breaker.lets_in:
            return self._circuit_open()
        if self.standing.marked is not None:
            return copy.copy(self.standing.marked)
        cooling = self.standing.cooling_s(self.target.model)
        return self._still_cooling(cooling) if cooling > WORTH_WAITING_S else None

    async def enter(self) -> None:
        """Begin an attempt, in turn. Raises UnavailableError when the circuit is open, and
        RateLimitError when too many wait already."""
        self._entered = True
        self.standing.in_flight += 1
        self.standing.turn = self._state.next_turn()
        if self._limits is not None:
            gate = self._state.gate(self.instance, self._limits)
            if not gate.try_enter(batch=self._batch):
                await gate.enter(batch=self._batch)
            self._gate = gate
        self._entry = self._breaker.enter()
        if self._entry is None:
            raise self._circuit_open()

    def stream(self) -> AsyncGenerator[Chunk, None]:
        """Ask, once it was entered."""
        assert self.request is not None
        self.chars = 0
        self._asked = True
        self._times += 1
        self._log.debug(
            "asking %s, at most %d tokens", self.target.provider, self.request.max_tokens
        )
        return self._provider.stream(self.request)

    def opened(self, chunk: Opened, failed: Sequence[AiexError]) -> None:
        """Keep the chunk, with a note of how provider and model were chosen and who failed before,
        until the first words come: until then somebody else may speak."""
        self._opened = chunk
        if failed or self.target.note:
            notes = [note for note in (self.target.note, chunk.note) if note]
            notes += [f"tried before: {error.message.rstrip('.')}" for error in failed]
            self._opened = msgspec.structs.replace(chunk, note="; ".join(notes))

    def first_words(self) -> tuple[Opened, ...]:
        """Note that it speaks, and return what goes before its words."""
        self.speaks = True
        self._first_at = self._state.clock()
        if self._opened is None:
            return ()
        if self._opened.wait_s and self._gate is not None:
            self._gate.hold_until(self._opened.wait_s)
        if not self._state.tariffs.known(self.instance, self._opened.model, local=self._here):
            self._price_soon(self._opened.model)
        self._log.info("%s answers with %s", self._opened.provider, self._opened.model)
        return (self._opened,)

    async def answered(self, finish: Finish) -> Finish:
        """The answer is whole; return its end with tokens, cost and the time it took."""
        if self._entry is not None:
            self._breaker.succeeded(self._entry)
        self.standing.answered += 1
        self.standing.clear(self.target.model)
        latency_ms = round((self._state.clock() - self._since) * 1000, 1)
        if self._price is not None and not self._price.done():
            import asyncio

            await asyncio.wait({self._price}, timeout=PRICED_WITHIN_S)
        usage = self._count("answered", finish.usage, latency_ms)
        return Finish(
            reason=finish.reason,
            model=finish.model,
            usage=usage,
            refusal=finish.refusal,
            latency_ms=latency_ms,
            first_token_ms=round((self._first_at - self._since) * 1000, 1),
        )

    def can_go_on(self, error: AiexError) -> bool:
        """Take the end of an attempt. False when the error is for the caller: words were shown, or
        the answer is malformed, which is the caller's to have mended."""
        self._log.info("%s failed: %s", self.target.provider, error.code)
        verdict = judge(error, self._llm, alone=self._alone, here=self._here)
        self._note(error, verdict)
        request, self.error, self.pause_s = self.request, error, 0.0
        error.attempts = max(1, self._times)
        assert request is not None
        if not self.speaks:
            again = self._mended(request, error)
            pause_s = delay_s(self._retries, self._llm, verdict.wait_s, self._state.random)
            retries = verdict.retries if self._breaker.lets_in else 0
            if again is None and self._retries < retries and not self._is_late(pause_s):
                again, self.pause_s = request, pause_s
                self._retries += 1
            if again is not None:
                self._asked = isinstance(error, AnswerError) and self._asked
                if self._asked:
                    self._count(error.code, Usage(), None)
                self.request = again
                return True
        if self._asked:
            self.chars = max(self.chars, len(getattr(error, "partial", "")))
            used = self._count(error.code, Usage(), None)
            if isinstance(error, InterruptedAnswerError):
                error.usage = used
        self.request = None
        return not self.speaks and not isinstance(error, InvalidAnswerError)

    def leave(self) -> None:
        """End the attempt, however it went: cancelled, it says nothing of the provider."""
        if self._asked:  # neither answered nor failed
            self._count("cancelled", Usage(), None)
        if self._entry is not None:
            self._breaker.ended(self._entry)
            self._entry = None
        if self._gate is not None:
            self._gate.leave(batch=self._batch)
            self._gate = None
        if self._price is not None:
            self._price.cancel()  # the look-up itself goes on
            self._price = None
        if self._entered:
            self._entered = False
            self.standing.in_flight -= 1

    def _price_soon(self, model: str) -> None:
        import asyncio

        looking = self._state.tariffs.look_up(self.instance, model, local=self._here)
        self._price = asyncio.ensure_future(looking)

    def _count(self, outcome: str, usage: Usage, latency_ms: float | None) -> Usage:
        """Put the call on the ledger; return what it used, with its cost."""
        self._asked = False
        assert self.request is not None
        if outcome in ("answered", "cancelled", "interrupted", "invalid_answer", "truncated"):
            usage = estimated(usage, self.request, self.chars)
        model = self._opened.model if self._opened is not None else self.target.model or ""
        tariffs = self._state.tariffs
        cost = tariffs.cost(self.instance, model, usage, local=self._here)
        if cost != usage.cost_usd:
            usage = msgspec.structs.replace(usage, cost_usd=cost)
        settled = cost is not None or tariffs.known(self.instance, model, local=self._here)
        self._state.ledger.add(
            Call(
                provider=self.instance.name,
                model=model,
                task=self._task,
                outcome=outcome,
                usage=usage,
                latency_ms=latency_ms,
                first_token_ms=(
                    round((self._first_at - self._since) * 1000, 1) if self.speaks else None
                ),
                attempts=self._times,
            ),
            unpriced=None if settled else self.instance,
        )
        return usage

    def _note(self, error: AiexError, verdict: Verdict) -> None:
        if self._entry is None:
            return
        if verdict.counts:
            self._breaker.failed(self._entry)
        self.standing.failed += 1
        self.standing.last_error = copy.copy(error)
        if isinstance(error, RateLimitError) and error.retry_after_s:
            self.standing.cool(self.target.model, error.retry_after_s)
        if verdict.marked_s:
            self.standing.mark(copy.copy(error), verdict.marked_s)

    def _is_late(self, pause_s: float) -> bool:
        """True when an attempt after such a pause would begin outside the retry budget."""
        return self._state.clock() - self._since + pause_s > self._llm.retry_budget_ms / 1000

    def _mended(self, request: ModelRequest, error: AiexError) -> ModelRequest | None:
        """Return the request in a form that may succeed, once each: with a shorter prompt where
        it was too long, with a larger limit where JSON was cut; None where nothing helps."""
        assert self._build is not None
        if isinstance(error, ContextTooLongError) and not self._shrunk:
            self._shrunk = True
            budget = shrunk_budget(request, error)
            try:
                again = self._build(
                    msgspec.structs.replace(self.target, prompt_budget_tokens=budget)
                )
            except ContextTooLongError:
                return None
            return again if again != request else None
        if error.code == "truncated" and not self._enlarged:
            self._enlarged = True
            by_default = self.instance.max_tokens == DEFAULT_MAX_TOKENS
            most = self.instance.max_tokens * (ENLARGED if by_default else 1)
            limit = min(request.max_tokens * ENLARGED, most)
            if limit > request.max_tokens:
                return msgspec.structs.replace(request, max_tokens=limit)
        return None

    def _still_cooling(self, seconds: float) -> RateLimitError:
        """The error of a provider that asked to be left alone for so long."""
        return RateLimitError(
            f"Provider {self.instance.name!r} asked to be left alone for {seconds:.0f} s more.",
            hint="Wait and ask again, or set AIEX_FALLBACK_PROVIDER.",
            retry_after_s=seconds,
            provider=self.instance.name,
            model=self.target.model or "",
        )

    def _circuit_open(self) -> UnavailableError:
        last = self.standing.last_error
        because = f"{last.message} " if last is not None else ""
        seconds = self._breaker.retry_in_s
        return UnavailableError(
            f"{because}Provider {self.instance.name!r} failed {self._breaker.faults} times in a row"
            f" and is left alone for {seconds:.0f} s more.",
            code="circuit_open",
            hint="Wait, name another provider, or set AIEX_FALLBACK_PROVIDER.",
            retry_after_s=seconds,
            provider=self.instance.name,
            model=self.target.model or "",
        )


def shrunk_budget(request: ModelRequest, error: ContextTooLongError) -> int:
    """Return the prompt budget, in estimated tokens, with which `request` fits the named limit.

    A quarter of the limit at most is kept for the answer. Where the server counted the prompt, our
    estimate is scaled by its count; where it named no limit, half of the prompt is kept.
    """
    estimated = sum(estimate(each.content) + MESSAGE_OVERHEAD for each in request.messages)
    if not error.limit_tokens:
        return estimated // 2
    room = error.limit_tokens - min(request.max_tokens, error.limit_tokens // 4)
    if error.prompt_tokens:
        room = room * estimated // error.prompt_tokens
    return min(room * 19 // 20, estimated - 1)
