"""What a process knows of its providers: shared by all threads, kept when settings change."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from aiex_ipy.config.settings import CacheSettings, CircuitBreakerSettings, ProviderSettings
from aiex_ipy.errors import AiexError
from aiex_ipy.routing.breaker import Breaker

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from aiex_ipy.routing.gate import Gate, Limits
    from aiex_ipy.routing.ledger import Ledger
    from aiex_ipy.routing.prices import Tariffs
    from aiex_ipy.routing.response_cache import ResponseCache
    from aiex_ipy.routing.reuse import InFlight

MOST_BREAKERS = 100
"""Models of one provider whose circuits are known; beyond them those without a fault are let go."""


class Standing:
    """How one provider instance stands. `in_flight` counts requests under way, `turn` is when it
    was last chosen among equals. Written on the engine's loop, read by any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.in_flight = 0
        self.turn = 0
        self.answered = 0
        self.failed = 0
        self.last_error: AiexError | None = None
        self.breakers: dict[str, Breaker] = {}
        self._clock = clock
        self._cool_until: dict[str, float] = {}
        self._mark: AiexError | None = None
        self._marked_until = 0.0

    def breaker(self, model: str | None, settings: CircuitBreakerSettings) -> Breaker:
        """Return the breaker of a model, with the numbers of the present settings."""
        found = self.breakers.get(model or "")
        if found is None:
            if len(self.breakers) >= MOST_BREAKERS:
                quiet = [name for name, each in self.breakers.items() if not each.faults]
                for name in quiet:
                    del self.breakers[name]
            found = self.breakers[model or ""] = Breaker(clock=self._clock)
        found.threshold = settings.failure_threshold
        found.recovery_s = settings.recovery_time_ms / 1000
        return found

    def cool(self, model: str | None, seconds: float) -> None:
        """Leave a model alone for so long, because the server asked for it."""
        until = self._clock() + seconds
        self._cool_until[model or ""] = max(until, self._cool_until.get(model or "", 0.0))

    def cooling_s(self, model: str | None) -> float:
        """Seconds a model is still to be left alone."""
        if not self._cool_until:
            return 0.0
        return max(0.0, self._cool_until.get(model or "", 0.0) - self._clock())

    @property
    def left_alone_s(self) -> float:
        """Seconds until its last model may be asked again, for whatever reason it is left alone."""
        cooling = max(self._cool_until.copy().values(), default=0.0) - self._clock()
        open_s = (breaker.retry_in_s for breaker in self.breakers.copy().values())
        return max(0.0, self.marked_s, cooling, *open_s)

    def mark(self, error: AiexError, seconds: float) -> None:
        """Pass the whole provider over for so long: its key was refused, its account is empty."""
        self._mark = error
        self._marked_until = self._clock() + seconds

    @property
    def marked(self) -> AiexError | None:
        """Why it is passed over, None when it is not."""
        return self._mark if self._mark is not None and self.marked_s else None

    @property
    def marked_s(self) -> float:
        """Seconds it is still passed over."""
        return max(0.0, self._marked_until - self._clock()) if self._marked_until else 0.0

    def clear(self, model: str | None) -> None:
        """Forget cooling and mark: it has just answered."""
        self._marked_until = 0.0
        if self._cool_until:
            self._cool_until.pop(model or "", None)


class _OnLoop:
    """What belongs to one event loop: those who wait in it are woken by it."""

    def __init__(self) -> None:
        from aiex_ipy.routing.reuse import InFlight

        self.gates: dict[tuple[object, ...], Gate] = {}
        self.in_flight = InFlight()


class RoutingState:
    """One for each engine. `clock` counts seconds, `sleep` waits for so many, `random` gives
    numbers from 0 to 1; they are arguments so that tests need not wait."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] | None = None,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.clock = clock
        self.random = random
        self._sleep = sleep
        self._lock = threading.Lock()
        self._standings: dict[tuple[object, ...], Standing] = {}
        self._turns = count(1)
        self._money: tuple[Tariffs, Ledger] | None = None
        self._loops: WeakKeyDictionary[AbstractEventLoop, _OnLoop] = WeakKeyDictionary()
        self._cache: tuple[CacheSettings, ResponseCache] | None = None

    def standing(self, instance: ProviderSettings) -> Standing:
        """Return how an instance stands; one with another address or key begins anew."""
        key = (instance.name, instance.kind, instance.base_url, instance.api_key)
        with self._lock:
            found = self._standings.get(key)
            if found is None:
                for other in [key for key in self._standings if key[0] == instance.name]:
                    if not self._standings[other].in_flight:
                        del self._standings[other]  # of an address or a key it had before
                found = self._standings[key] = Standing(self.clock)
            return found

    @property
    def tariffs(self) -> Tariffs:
        """The prices looked up so far."""
        return (self._money or self._accounts())[0]

    @property
    def ledger(self) -> Ledger:
        """The calls so far."""
        return (self._money or self._accounts())[1]

    def _accounts(self) -> tuple[Tariffs, Ledger]:
        # Not at the top: what asks no model has nothing to count.
        from aiex_ipy.routing.ledger import Ledger
        from aiex_ipy.routing.prices import Tariffs

        with self._lock:
            if self._money is None:
                tariffs = Tariffs()
                self._money = tariffs, Ledger(tariffs)
            return self._money

    def gate(self, instance: ProviderSettings, limits: Limits) -> Gate:
        """Return the gate of an instance on the running loop; other limits make another one."""
        gates = self._here().gates
        key = (instance.name, instance.kind, instance.base_url, limits)
        found = gates.get(key)
        if found is None:
            from aiex_ipy.routing.gate import Gate

            found = gates[key] = Gate(limits, instance.name)
        return found

    def gates(self) -> list[Gate]:
        """Return the gates of the running loop."""
        return list(self._here().gates.values())

    def in_flight(self) -> InFlight:
        """Return the requests under way on the running loop that others may share."""
        return self._here().in_flight

    def cache(self, settings: CacheSettings) -> ResponseCache:
        """Return the response cache."""
        if self._cache is None or self._cache[0] != settings:
            from aiex_ipy.routing.response_cache import ResponseCache

            self._cache = settings, ResponseCache(settings.max_mb)
        return self._cache[1]

    def _here(self) -> _OnLoop:
        from asyncio import get_running_loop

        loop = get_running_loop()
        found = self._loops.get(loop)
        if found is None:
            found = self._loops[loop] = _OnLoop()
        return found

    async def sleep(self, seconds: float) -> None:
        """Wait so long, if at all."""
        if seconds <= 0:
            return
        if self._sleep is not None:
            await self._sleep(seconds)
            return
        import asyncio

        await asyncio.sleep(seconds)

    def next_turn(self) -> int:
        """Return a number higher than all before."""
        return next(self._turns)
