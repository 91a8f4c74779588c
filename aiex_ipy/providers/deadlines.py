"""How long one answer may take: to its first word, between two words, and altogether."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import asyncio


class Passed(NamedTuple):
    """A deadline that passed: `timeout` (no first word), `idle` or `total_timeout`."""

    code: str
    seconds: float


class Deadlines:
    """The three deadlines of one answer, in seconds; None for none.

    One timer watches them all. A word only notes the time; the timer, when it is due, looks
    whether one came since, and sleeps on if so. It cancels the task that reads, never one that is
    busy with what it was given: time the consumer takes for itself is no silence of the server,
    though it counts for the whole.
    """

    __slots__ = (
        "_armed", "_begun", "_cancelling", "_current", "_cut", "_first_s", "_heard", "_idle_s",
        "_loop", "_passed", "_since", "_stopped", "_task", "_timer", "_total_s",
    )  # fmt: skip

    def __init__(
        self,
        *,
        first_s: float | None = None,
        idle_s: float | None = None,
        total_s: float | None = None,
    ) -> None:
        self._first_s, self._idle_s, self._total_s = first_s, idle_s, total_s
        self._begun = self._since = 0.0
        self._heard = self._stopped = False
        self._task: asyncio.Task[Any] | None = None
        self._cut: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._passed: Passed | None = None
        self._cancelling = 0

    def begin(self) -> None:
        """Start the clocks; the running task reads from now on."""
        from asyncio import current_task, get_running_loop

        self._current, self._loop = current_task, get_running_loop()
        self._begun = monotonic()
        self.reading()

    def reading(self) -> None:
        """Note that the running task waits for the server from now on."""
        self._since = monotonic()
        self._task = self._current()
        if self._timer is None and not self._stopped:
            self._arm(self._since)

    def given(self) -> None:
        """Note that a chunk came and is the consumer's to use."""
        self._task = None
        if not self._heard:
            self._heard = True
            self._since = monotonic()
            if self._timer is not None and self._due() < self._armed:
                # It waits for the first word, and the next is due sooner.
                self._timer.cancel()
                self._timer = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the clocks stand: what is done meanwhile is no time of the server's."""
        self._task, since = None, monotonic()
        try:
            yield
        finally:
            self._begun += monotonic() - since
            self.reading()

    def alive(self) -> None:
        """Note a sign of life that is no chunk, such as a word of the model's thinking."""
        self._since = monotonic()

    def stop(self) -> None:
        """Let nothing be cut from now on."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.passed()

    def passed(self) -> Passed | None:
        """Return the deadline that made the present cancellation; None if it is another's."""
        passed, cut = self._passed, self._cut
        self._passed = self._cut = None
        if passed is None or cut is None:
            return None
        # As `asyncio.timeout` does: a cancellation from outside that came as well goes first.
        return passed if cut.uncancel() <= self._cancelling else None

    def _due(self) -> float:
        """Return when the next deadline passes if nothing comes until then."""
        if self._heard:
            near = inf if self._idle_s is None else self._since + self._idle_s
        else:
            near = inf if self._first_s is None else self._begun + self._first_s
        return near if self._total_s is None else min(near, self._begun + self._total_s)

    def _arm(self, now: float) -> None:
        self._armed = self._due()
        if self._armed < inf:
            self._timer = self._loop.call_later(max(0.0, self._armed - now), self._look)

    def _look(self) -> None:
        self._timer = None
        if self._task is None:
            return  # the consumer is busy: the clock runs again when it comes back
        due, now = self._due(), monotonic()
        if now < due:
            self._arm(now)
            return
        if self._total_s is not None and now >= self._begun + self._total_s:
            self._passed = Passed("total_timeout", self._total_s)
        elif self._heard:
            self._passed = Passed("idle", self._idle_s or 0.0)
        else:
            self._passed = Passed("timeout", self._first_s or 0.0)
        self._cut = self._task
        self._cancelling = self._task.cancelling()
        self._task.cancel()
