"""What one provider may be asked now: its rate, its slots, and whose turn it is.

A request enters, asks, and leaves. Interactive requests go before batch work, which never takes
the last slot of several; after `IN_A_ROW` of them one batch request has its turn. A rate token
is taken at the moment of admission, by whoever is first then.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from msgspec import Struct

from aiex_ipy.config.settings import LLMSettings, ProviderSettings
from aiex_ipy.errors import RateLimitError

if TYPE_CHECKING:
    import asyncio

    from aiolimiter import AsyncLimiter

IN_A_ROW = 8
"""Interactive requests that go before waiting batch work until one of it has its turn."""

MOST_HELD_S = 60.0
"""The longest one server's hint closes a gate; longer waits are the router's to tell."""

_TIMER_S = 0.001  # the shortest timer: a rounding error of the limiter is not waited for in steps
_HALVINGS = 20  # a millionth of the time between two tokens


class Limits(Struct, frozen=True, kw_only=True):
    """What holds for one provider; None means no limit.

    `burst_size` requests may come at once after a pause, `requests_per_minute` in the long run.
    `max_queued` bounds the interactive and the batch requests that wait, each.
    """

    requests_per_minute: int | None = None
    burst_size: int | None = None
    max_concurrent: int | None = None
    max_queued: int = 1_000

    @property
    def are_any(self) -> bool:
        """True when something is limited."""
        return self.requests_per_minute is not None or self.max_concurrent is not None


def limits_for(
    instance: ProviderSettings, llm: LLMSettings, *, remote: bool, slots: int | None
) -> Limits:
    """Return the limits of one instance.

    The defaults of `llm` hold for remote servers; the instance's own numbers hold wherever it
    is. `slots` is how many requests its server works on at once, None where that is unknown.
    """
    limited = remote or instance.requests_per_minute or instance.burst_size
    own = instance.max_concurrent_requests or (llm.max_concurrent_requests if remote else None)
    bounds = [bound for bound in (own, slots) if bound is not None]
    return Limits(
        requests_per_minute=(
            instance.requests_per_minute or llm.rate_limit.requests_per_minute if limited else None
        ),
        burst_size=instance.burst_size or llm.rate_limit.burst_size if limited else None,
        max_concurrent=min(bounds, default=None),
        max_queued=llm.max_queued_requests,
    )


class Gate:
    """One provider's gate; lives on one event loop, that of its first request.

    Who entered, by `try_enter` or `enter`, calls `leave` once, with the same `batch`.
    """

    def __init__(self, limits: Limits, name: str) -> None:
        self._limits = limits
        self._name = name
        self._slots = limits.max_concurrent
        slots = limits.max_concurrent
        # One of several slots is kept from batch work, so that a question finds it free.
        self._batch_slots = slots - 1 if slots is not None and slots > 1 else slots
        self._running = 0
        self._running_batch = 0
        self._interactive: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._batch: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._in_a_row = 0
        self._not_before = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._limiter: AsyncLimiter | None = None
        self._token_s = 0.0
        if limits.requests_per_minute is not None:
            from aiolimiter import AsyncLimiter

            burst = limits.burst_size or 1
            self._token_s = 60 / limits.requests_per_minute
            self._limiter = AsyncLimiter(burst, burst * self._token_s)

    @property
    def running(self) -> int:
        """Requests that entered and have not left."""
        return self._running

    @property
    def waiting(self) -> int:
        """Requests that wait, of both sorts."""
        return len(self._interactive) + len(self._batch)

    @property
    def waiting_batch(self) -> int:
        """Batch requests that wait."""
        return len(self._batch)

    @property
    def next_in_s(self) -> float:
        """Seconds until rate and hints allow a request, slots aside; asked on the gate's loop."""
        return max(self._held_s(), self._token_in_s())

    def try_enter(self, *, batch: bool) -> bool:
        """Enter if nothing has to be waited for, and return whether that was so."""
        if batch:
            if self._interactive or self._batch or not self._has_slot(batch=True):
                return False
        elif (
            self._interactive
            or not self._has_slot(batch=False)
            or (self._batch and self._in_a_row >= IN_A_ROW)
        ):
            return False
        if self._not_before and self._held_s():
            return False
        limiter = self._limiter
        if limiter is not None:
            if not limiter.has_capacity():
                return False
            _take(limiter)
        self._entered(batch=batch)
        return True

    async def enter(self, *, batch: bool) -> None:
        """Wait in turn. Raises RateLimitError `queue_full` where as many wait as may."""
        if self.try_enter(batch=batch):
            return
        import asyncio

        queue = self._batch if batch else self._interactive
        if len(queue) >= self._limits.max_queued:
            raise RateLimitError(
                f"{len(queue)} requests already wait for the provider {self._name!r}.",
                code="queue_full",
                hint="Ask again when some of them are done, or raise llm.max_queued_requests.",
                provider=self._name,
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue[turn] = None
        self._admit()
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # admitted, and cancelled before it knew
                self.leave(batch=batch)
            else:
                queue.pop(turn, None)
                self._admit()
            raise

    def leave(self, *, batch: bool) -> None:
        """Give the slot back, to the first who waits for one."""
        self._running -= 1
        if batch:
            self._running_batch -= 1
        if self._interactive or self._batch:
            self._admit()

    def hold_until(self, seconds: float) -> None:
        """Let nobody in before so many seconds have passed, because the server said so.

        A shorter hint than one that holds changes nothing; at most `MOST_HELD_S` are held.
        """
        if seconds > 0:
            self._not_before = max(self._not_before, _now() + min(seconds, MOST_HELD_S))

    def _has_slot(self, *, batch: bool) -> bool:
        if self._slots is None or self._batch_slots is None:
            return True
        if self._running >= self._slots:
            return False
        return not batch or self._running_batch < self._batch_slots

    def _entered(self, *, batch: bool) -> None:
        self._running += 1
        if batch:
            self._running_batch += 1
            self._in_a_row = 0
        else:
            self._in_a_row = self._in_a_row + 1 if self._batch else 0

    def _admit(self) -> None:
        """Let in, in turn, as many as slots and rate allow; come back when the rate allows more."""
        if self._timer is not None:
            if not (self._interactive or self._batch):
                self._timer.cancel()
                self._timer = None
            return  # the rate or a hint closes the gate for all until then
        while (queue := self._next()) is not None:
            if next(iter(queue)).done():  # cancelled; its task has not run since
                queue.popitem(last=False)
                continue
            wait_s = self.next_in_s
            if wait_s > 0:
                import asyncio

                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(max(wait_s, _TIMER_S), self._reopen)
                return
            if self._limiter is not None:
                _take(self._limiter)
            turn, _ = queue.popitem(last=False)
            self._entered(batch=queue is self._batch)
            turn.set_result(None)

    def _reopen(self) -> None:
        self._timer = None
        self._admit()

    def _next(self) -> OrderedDict[asyncio.Future[None], None] | None:
        """Return the queue whose first has its turn, None when no slot is free for anybody."""
        batch = self._batch and self._has_slot(batch=True)
        if batch and (not self._interactive or self._in_a_row >= IN_A_ROW):
            return self._batch
        if self._interactive and self._has_slot(batch=False):
            return self._interactive
        return None

    def _held_s(self) -> float:
        if not self._not_before:
            return 0.0
        left = self._not_before - _now()
        if left <= 0:
            self._not_before = left = 0.0
        return left

    def _token_in_s(self) -> float:
        """Seconds until the limiter has a token.

        It tells only whether there is room for an amount, so what is missing is found by halving.
        """
        limiter = self._limiter
        if limiter is None or limiter.has_capacity():
            return 0.0
        there, missing = 0.0, 1.0
        for _ in range(_HALVINGS):
            half = (there + missing) / 2
            if limiter.has_capacity(half):
                there = half
            else:
                missing = half
        return (1.0 - there) * self._token_s


def _now() -> float:
    import asyncio

    return asyncio.get_running_loop().time()


def _take(limiter: AsyncLimiter) -> None:
    """Take a token that is there. With room for it, `acquire` ends without ever waiting."""
    taking = limiter.acquire()
    try:
        taking.send(None)
    except StopIteration:
        return
    taking.close()
    raise AssertionError("A limiter with room waited.")
