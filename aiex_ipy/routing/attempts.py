"""One request's attempts: at one provider again and again, then at the next."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from aiex_ipy.config.settings import LLMSettings, ProviderSettings
from aiex_ipy.errors import (
    AiexError,
    ContextTooLongError,
    InvalidAnswerError,
    RateLimitError,
    UnavailableError,
)
from aiex_ipy.messages import Chunk, Finish, ModelRequest, Opened
from aiex_ipy.providers import Provider
from aiex_ipy.routing.choice import Target
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
                if asked.request is not None:
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
    before. `here`: its server is on this machine. `speaks` is True from its first visible chunk.
    """

    def __init__(
        self,
        provider: Provider,
        target: Target,
        instance: ProviderSettings,
        *,
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
        self._entry: int | None = None
        self._retries = 0
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

    async def wait(self) -> None:
        """Wait as long as is due before the next attempt."""
        if self.pause_s:
            await self._state.sleep(self.pause_s)

    def passed_over(self) -> AiexError | None:
        """Why it is not asked while another provider can be."""
        if not self._breaker.lets_in:
            return self._circuit_open()
        if self.standing.marked_s and self.standing.last_error is not None:
            return copy.copy(self.standing.last_error)
        cooling = self.standing.cooling_s(self.target.model)
        return self._still_cooling(cooling) if cooling > WORTH_WAITING_S else None

    def stream(self) -> AsyncGenerator[Chunk, None]:
        """Begin an attempt. Raises UnavailableError when the circuit is open."""
        assert self.request is not None
        self._entry = self._breaker.enter()
        if self._entry is None:
            raise self._circuit_open()
        self.standing.in_flight += 1
        self.standing.turn = self._state.next_turn()
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
        self._log.info("%s answers with %s", self._opened.provider, self._opened.model)
        return (self._opened,)

    def answered(self, finish: Finish) -> Finish:
        """The answer is whole; return its end with the time it took."""
        if self._entry is not None:
            self._breaker.succeeded(self._entry)
        self.standing.answered += 1
        self.standing.clear(self.target.model)
        return Finish(
            reason=finish.reason,
            model=finish.model,
            usage=finish.usage,
            refusal=finish.refusal,
            latency_ms=round((self._state.clock() - self._since) * 1000, 1),
            first_token_ms=round((self._first_at - self._since) * 1000, 1),
        )

    def can_go_on(self, error: AiexError) -> bool:
        """Take the end of an attempt. False when the error is for the caller: words were shown, or
        the answer is malformed, which is the caller's to have mended."""
        self._log.info("%s failed: %s", self.target.provider, error.code)
        verdict = judge(error, self._llm, alone=self._alone, here=self._here)
        self._note(error, verdict)
        request, self.request, self.error, self.pause_s = self.request, None, error, 0.0
        error.attempts = self._retries + 1
        if self.speaks:
            return False
        assert request is not None
        self.request = self._mended(request, error)
        if self.request is not None:
            return True
        if isinstance(error, InvalidAnswerError):
            return False
        pause_s = delay_s(self._retries, self._llm, verdict.wait_s, self._state.random)
        if self._retries < verdict.retries and not self._is_late(pause_s):
            self._retries += 1
            self.request, self.pause_s = request, pause_s
        return True

    def leave(self) -> None:
        """End the attempt, however it went: cancelled, it says nothing of the provider."""
        if self._entry is not None:
            self._breaker.ended(self._entry)
            self._entry = None
            self.standing.in_flight -= 1

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
            self.standing.mark(verdict.marked_s)

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
        because = f" The last error: {last.message}" if last is not None else ""
        seconds = self._breaker.retry_in_s
        return UnavailableError(
            f"Provider {self.instance.name!r} failed {self._breaker.faults} times in a row and is"
            f" left alone for {seconds:.0f} s more.{because}",
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
