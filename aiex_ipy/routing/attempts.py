"""One provider within one request: its attempts, until it answers or is given up."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from aiex_ipy.config.settings import LLMSettings, ProviderSettings
from aiex_ipy.errors import (
    AiexError,
    ContextTooLongError,
    InterruptedAnswerError,
    InvalidAnswerError,
    RateLimitError,
    UnavailableError,
)
from aiex_ipy.messages import Chunk, Finish, ModelRequest, Opened, TextDelta
from aiex_ipy.providers import Provider
from aiex_ipy.routing.accounting import Account
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.gate import Gate, limits_for
from aiex_ipy.routing.retrying import WORTH_WAITING_S, Verdict, delay_s, judge
from aiex_ipy.routing.state import RoutingState, Standing
from aiex_ipy.tokens import MESSAGE_OVERHEAD, estimate

if TYPE_CHECKING:
    from logging import Logger

    from aiex_ipy.routing.breaker import Breaker

DEFAULT_MAX_TOKENS = ProviderSettings(name="", kind="").max_tokens
ENLARGED = 4
"""A JSON answer cut at its limit is asked for once more with so many times the tokens, unless
the user set the limit."""

SOON_S = 0.05
"""An attempt that begins so soon after the request has the whole of the total deadline."""


class Asked:
    """One provider within one request, asked until it answers or is given up.

    `request` is what it is asked next, None once it is given up for `error`. `here`: its server is
    on this machine. `speaks` is True from its first visible chunk.
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
        self.speaks = False
        self._provider, self._here, self._log = provider, here, log
        self._state, self._llm, self._batch = state, llm, choice.batch
        self._breaker: Breaker = self.standing.breaker(target.model, llm.circuit_breaker)
        self._account = Account(state, llm, instance, target, task=choice.task, here=here)
        self._limits = limits_for(
            instance, llm, remote=not here, slots=getattr(provider, "slots", None)
        )
        self._opened: Opened | None = None
        self._since = self._first_at = state.clock()
        self._build: Callable[[Target], ModelRequest] | None = None
        self._alone = True
        self._gate: Gate | None = None
        self._entry: int | None = None
        self._in_flight = False
        self._chars = self._retries = 0
        self._pause_s = 0.0
        self._shrunk = self._enlarged = False

    def begin(self, build: Callable[[Target], ModelRequest], *, alone: bool) -> None:
        """Make its first request. `alone`: no other provider is left."""
        self._build, self._alone = build, alone
        self.standing.turn = self._state.next_turn()
        try:
            self._check_time()
            self.request = build(self.target)
        except AiexError as error:
            self.error = error

    async def ready(self) -> bool:
        """Wait as long as is due before the next attempt; False when it is given up meanwhile."""
        try:
            if not self._account.times:
                self._pause_s = self._cooling()
            await self._account.look_up()
            self._account.check()
            await self._state.sleep(self._pause_s)
            return True
        except AiexError as error:
            self.request, self.error = None, error
            return False

    def passed_over(self) -> AiexError | None:
        """Why it is not asked while another provider can be."""
        why: AiexError | None = None
        if not self._breaker.lets_in:
            why = self._circuit_open()
        elif self.standing.marked is not None:
            why = copy.copy(self.standing.marked)
        elif (cooling := self.standing.cooling_s(self.target.model)) > WORTH_WAITING_S:
            why = self._still_cooling(cooling)
        elif self._limits.are_any and (
            (wait_s := self._state.gate(self.instance, self._limits).next_in_s) > WORTH_WAITING_S
        ):
            why = self._busy(wait_s)
        if why is not None:
            why.attempts = 0
        return why

    async def enter(self) -> None:
        """Begin an attempt, in turn. Raises UnavailableError when the circuit is open,
        RateLimitError when it may not be asked now, BudgetError when the budgets were spent while
        it waited."""
        self._in_flight = True
        self.standing.in_flight += 1
        if self._limits.are_any:
            await self._pass_gate()
        assert self.request is not None
        self._account.reserve(self.request)
        self._entry = self._breaker.enter()
        if self._entry is None:
            raise self._circuit_open()

    async def _pass_gate(self) -> None:
        gate = self._state.gate(self.instance, self._limits)
        if not gate.try_enter(batch=self._batch):
            import asyncio

            if self._batch and not self._account.times:
                self._since = self._state.clock()  # what waits in turn is not late
            within_s = None if self._batch else self._left_s()
            if not self._alone:
                within_s = WORTH_WAITING_S
            try:
                async with asyncio.timeout(within_s):
                    await gate.enter(batch=self._batch)
            except TimeoutError:
                raise self._busy(gate.next_in_s) from None
        self._gate = gate
        cooling = self.standing.cooling_s(self.target.model)
        if cooling > SOON_S:  # it asked for that while this one waited
            raise self._still_cooling(cooling)

    def stream(self) -> AsyncGenerator[Chunk, None]:
        """Ask, once it was entered."""
        request = self.request
        assert request is not None
        self._chars = 0
        self._account.asked(request)
        self._log.debug("asking %s, at most %d tokens", self.target.provider, request.max_tokens)
        if self._state.clock() - self._since > SOON_S:
            request = msgspec.structs.replace(request, within_s=self._left_s())
        return self._provider.stream(request)

    def opened(self, chunk: Opened, failed: Sequence[AiexError]) -> None:
        """Keep the chunk, with a note of how provider and model were chosen and who failed before,
        until the first words come: until then somebody else may speak."""
        self._opened = chunk
        if failed or self.target.note or self._shrunk:
            notes = [note for note in (self.target.note, chunk.note) if note]
            if self._shrunk:
                notes.append("the prompt was cut to fit the model's context")
            for error in failed:
                how = "tried before" if error.attempts else "passed over"
                notes.append(f"{how}: {error.message.rstrip('.')}")
            self._opened = msgspec.structs.replace(chunk, note="; ".join(notes))

    def said(self, chunk: Chunk) -> Opened | None:
        """Take a visible chunk; return what goes before the first one."""
        if type(chunk) is TextDelta:
            self._chars += len(chunk.text)
        if self.speaks:
            return None
        self.speaks = True
        if self._entry is not None:
            self._entry = self._breaker.alive(self._entry)
        self._first_at = self._state.clock()
        opened = self._opened
        self._account.speaks(opened.model if opened is not None else None)
        if opened is not None:
            if opened.wait_s and self._gate is not None:
                self._gate.hold_until(opened.wait_s)
            self._log.info("%s answers with %s", opened.provider, opened.model)
        return opened

    def heard(self, chars: int) -> None:
        """Note how much of an answer came that was not shown."""
        self._chars = max(self._chars, chars)

    async def answered(self, finish: Finish) -> Finish:
        """The answer is whole; return its end with tokens, cost and the time it took."""
        if self._entry is not None:
            self._breaker.succeeded(self._entry)
        self.standing.answered += 1
        self.standing.clear(self.target.model)
        latency_ms = round((self._state.clock() - self._since) * 1000, 1)
        return msgspec.structs.replace(
            finish,
            usage=await self._account.answered(finish.usage, self._chars),
            latency_ms=latency_ms,
            first_token_ms=round((self._first_at - self._since) * 1000, 1),
        )

    def can_go_on(self, error: AiexError) -> bool:
        """Take the end of an attempt. False when the error is for the caller: words were shown, or
        the answer is malformed, which is the caller's to have mended."""
        self._log.info("%s failed: %s", self.target.provider, error.code)
        verdict = judge(error, self._llm, alone=self._alone, here=self._here)
        self._note(error, verdict)
        chars = max(self._chars, error.heard_chars, len(getattr(error, "partial", "")))
        used = self._account.failed(error, chars)
        if isinstance(error, InterruptedAnswerError):
            error.usage = used
        request, self.request, self.error, self._pause_s = self.request, None, error, 0.0
        error.attempts = max(1, self._account.times)
        if self.speaks:
            return False
        assert request is not None
        self.request = self._mended(request, error)
        if self.request is not None:
            return True
        if isinstance(error, InvalidAnswerError):
            return False
        pause_s = delay_s(self._retries, self._llm, verdict.wait_s, self._state.random)
        retries = verdict.retries if self._breaker.lets_in else 0
        if self._retries < retries and not self._is_late(pause_s):
            self._retries += 1
            self.request, self._pause_s = request, pause_s
        return True

    def leave(self) -> None:
        """End the attempt, however it went: cancelled, it says nothing of the provider."""
        if self._entry is not None:
            self._breaker.ended(self._entry)
            self._entry = None
        if self._gate is not None:
            self._gate.leave(batch=self._batch)
            self._gate = None
        self._account.release()
        if self._in_flight:
            self._in_flight = False
            self.standing.in_flight -= 1

    def close(self) -> None:
        """Count what was asked, after its last attempt."""
        self._account.close(self._chars)

    def _note(self, error: AiexError, verdict: Verdict) -> None:
        if self._entry is None:
            return
        if verdict.alive:
            self._entry = self._breaker.alive(self._entry)
        if verdict.counts:
            self._breaker.failed(self._entry, error.message)
        self.standing.failed += 1
        self.standing.last_error = copy.copy(error)
        if verdict.wait_s:
            self.standing.cool(self.target.model, verdict.wait_s)
        if verdict.marked_s:
            self.standing.mark(copy.copy(error), verdict.marked_s)

    def _left_s(self) -> float:
        """Seconds that are left of the total deadline."""
        return max(0.0, self._since + self._llm.total_timeout_ms / 1000 - self._state.clock())

    def _check_time(self) -> None:
        """Raise UnavailableError when nothing is left of the total deadline."""
        if self._left_s() <= 0:
            raise UnavailableError(
                f"Provider {self.instance.name!r} was not asked any more: the"
                f" {self._llm.total_timeout_ms / 1000:g} s for the whole request are over.",
                code="total_timeout",
                hint="Raise llm.total_timeout_ms.",
                provider=self.instance.name,
                model=self.target.model or "",
            )

    def _cooling(self) -> float:
        """Return how long it asked to be left alone still, where that can be waited for. Raises
        RateLimitError."""
        cooling = self.standing.cooling_s(self.target.model)
        if cooling and (self._is_late(cooling) or (not self._alone and cooling > WORTH_WAITING_S)):
            raise self._still_cooling(cooling)
        return cooling

    def _is_late(self, pause_s: float) -> bool:
        """True when an attempt after such a pause would begin outside the retry budget, or outside
        the total deadline."""
        passed = self._state.clock() - self._since + pause_s
        return passed > min(self._llm.retry_budget_ms, self._llm.total_timeout_ms) / 1000

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
            hint=_ELSEWHERE,
            retry_after_s=seconds,
            provider=self.instance.name,
            model=self.target.model or "",
        )

    def _busy(self, seconds: float) -> RateLimitError:
        """The error of a provider whose own limits let nothing through in time."""
        return RateLimitError(
            f"The limits of provider {self.instance.name!r} let no request through in time; the"
            f" next may go in {seconds:.0f} s.",
            code="busy",
            hint=_ELSEWHERE,
            provider=self.instance.name,
            model=self.target.model or "",
        )

    def _circuit_open(self) -> UnavailableError:
        breaker, model = self._breaker, self.target.model
        which = f"model {model!r} of provider" if model else "provider"
        until = f"it is left alone for {breaker.retry_in_s:.0f} s more"
        if breaker.is_probed:
            until = "one request tries it now"
        told = f" The last fault: {breaker.last_fault}" if breaker.last_fault else ""
        return UnavailableError(
            f"Nothing was asked: {which} {self.instance.name!r} failed {breaker.faults} times in a"
            f" row, and {until}.{told}",
            code="circuit_open",
            hint=_ELSEWHERE,
            retry_after_s=breaker.retry_in_s,
            provider=self.instance.name,
            model=model or "",
        )


_ELSEWHERE = "Wait, name another provider, or set llm.providers.NAME.fallbacks."


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
