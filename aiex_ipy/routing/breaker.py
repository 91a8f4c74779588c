"""When a provider that fails is left alone: one circuit breaker per provider and model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Opens at so many faults in a row, and after the recovery time lets exactly one probe in.

    Any thread may call it. `enter` gives a number to hand back when the request has ended: with
    `succeeded`, `failed` (the provider's fault) or `ended` (cancelled, or the caller's mistake,
    which say nothing of the provider), and with `alive` before. What ends after the state has
    changed is not counted.
    Source: M. Nygard, Release It!, "Circuit Breaker"; the numbers are the guide's.
    """

    def __init__(
        self,
        *,
        threshold: int = 5,
        recovery_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.threshold = threshold
        self.recovery_s = recovery_s
        self._clock = clock
        self._lock = threading.Lock()
        self._faults = 0
        self._opened_at: float | None = None
        self._probing = False
        self._epoch = 0
        self.last_fault = ""

    @property
    def state(self) -> State:
        """`half_open` while a probe is under way or due."""
        if self._opened_at is None:
            return "closed"
        return "half_open" if self._probing or self.retry_in_s <= 0 else "open"

    @property
    def faults(self) -> int:
        """Faults in a row."""
        return self._faults

    @property
    def retry_in_s(self) -> float:
        """Seconds until a probe is let in; 0 when closed or due."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self.recovery_s - self._clock())

    @property
    def is_probed(self) -> bool:
        """True while the one probe is under way."""
        return self._probing

    @property
    def lets_in(self) -> bool:
        """True when `enter` would give a number now."""
        return self._opened_at is None or (not self._probing and self.retry_in_s <= 0)

    def enter(self) -> int | None:
        """Return the number of a request that may go, or None."""
        if self._opened_at is None:
            return self._epoch
        with self._lock:
            if not self.lets_in:
                return None
            if self._opened_at is not None:
                self._probing = True
                self._epoch += 1
            return self._epoch

    def succeeded(self, entry: int) -> None:
        """An answer came whole."""
        if not self._faults and self._opened_at is None:
            return
        with self._lock:
            if entry == self._epoch:
                self._faults = 0
                self._close()

    def alive(self, entry: int) -> int:
        """The provider speaks, or has an answer of its own to what it was asked: a probe closes the
        circuit. Return the number to hand back at the end."""
        if self._opened_at is None:
            return entry
        with self._lock:
            if entry == self._epoch and self._probing:
                self._faults = 0
                self._close()
                return self._epoch
            return entry

    def failed(self, entry: int, why: str = "") -> None:
        """The provider failed; `why` is kept in `last_fault`."""
        with self._lock:
            if entry != self._epoch:
                return
            self.last_fault = why
            self._faults += 1
            if self._probing or self._faults >= self.threshold:
                self._opened_at = self._clock()
                self._probing = False
                self._epoch += 1

    def ended(self, entry: int) -> None:
        """The request ended without a word on the provider: another probe may come at once."""
        if self._opened_at is None:
            return
        with self._lock:
            if entry == self._epoch:
                self._probing = False

    def _close(self) -> None:
        if self._opened_at is not None:
            self._opened_at = None
            self._probing = False
            self._epoch += 1
