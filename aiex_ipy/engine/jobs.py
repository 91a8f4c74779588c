"""A request under way: its updates, its result, its cancel."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from aiex_ipy.operations.base import Speaking, Text, Update

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from concurrent.futures import Future

    from aiex_ipy.routing.ledger import Call

Res = TypeVar("Res")
CANCEL_TIMEOUT_S = 0.5
"""How long a cancelled job may take to close its connection before the caller goes on."""
HOLD_S = 0.015
"""How long words may be held back so that many are handed over at once. Each hand-over takes the
interpreter from the engine's thread: one for each word costs more than the word."""


class Job(Generic[Res]):
    """One request on the engine's loop.

    Iterate it (once) for updates, from one thread; `result` gives the result or raises the
    request's error. An interrupt while waiting cancels the request at the server first.

    Whoever waits is woken at once by the first words, by whatever is no words, by words after a
    pause of `hold_s` seconds, and by the end; by other words at most once in `hold_s` seconds.

    When it is cancelled, `cancelled` is called with the words so far and who spoke, before anybody
    who iterates or follows the job hears of it, and in the thread that cancels.
    """

    def __init__(
        self, *, hold_s: float = HOLD_S, cancelled: Callable[[str, Speaking], object] | None = None
    ) -> None:
        self._updates: deque[Update] = deque()
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._hold_s = hold_s
        self._held: TimerHandle | None = None
        self._due_at = 0.0
        self._spoke = False
        self._due = False
        self._waits = False
        self._ended = False
        self._listener: Callable[[], None] | None = None
        self._future: Future[Res] | None = None
        self.calls: list[Call] = []
        """What the request put on the ledger so far."""
        self._cancelled = cancelled
        self._said: list[str] = []
        self._speaker = Speaking(provider="", model="")
        self.settled = threading.Event()
        """Set when the request has ended and its connection is closed."""

    def put(self, update: Update) -> None:
        """Hand over one update; called on the engine's loop."""
        if self._ended:
            return  # cancelled: what was said until then has been handed over
        self._updates.append(update)
        if type(update) is not Text:
            if type(update) is Speaking:
                self._speaker = update
            self._wake()
            return
        self._said.append(update.text)
        if not self._spoke:
            self._spoke = True
            self._wake()
        elif self._held is None:
            left = self._due_at - time.monotonic()
            if left <= 0:
                self._wake()
            else:
                from asyncio import get_running_loop

                self._held = get_running_loop().call_later(left, self._wake)

    def _wake(self) -> None:
        """Tell whoever waits that there are updates; on the engine's loop."""
        if self._held is not None:
            self._held.cancel()
            self._held = None
        if self._ended or not self._updates:
            return  # `_end` has told it and nobody may be there any more, or all were taken
        self._due_at = time.monotonic() + self._hold_s
        self._due = True
        if self._waits:
            self._waits = False
            self._wakes.put(None)
        if self._listener is not None:
            self._listener()

    def started(self, future: Future[Res]) -> Job[Res]:
        """Bind the future that holds the result, and return the job."""
        self._future = future
        future.add_done_callback(self._end)
        return self

    def _end(self, future: Future[Res]) -> None:
        if self._cancelled is not None and future.cancelled():
            self._cancelled("".join(self._said), self._speaker)
        self._ended = True
        self._wakes.put(None)
        if self._listener is not None:
            self._listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` when there are updates from now on, and once at once, then at the end.

        It must not block.
        """
        self._listener = listener
        listener()

    @property
    def future(self) -> Future[Res]:
        """The result to come, for callers that wait in their own way."""
        assert self._future is not None
        return self._future

    @property
    def done(self) -> bool:
        """True when there is a result, an error, or it was cancelled."""
        return self.future.done()

    def cancel(self) -> bool:
        """End the request; True when it had not ended yet. Any thread may call it."""
        return self.future.cancel()

    def cancel_and_wait(self) -> None:
        """Cancel and give the connection `CANCEL_TIMEOUT_S` to close."""
        self.cancel()
        self.settled.wait(CANCEL_TIMEOUT_S)

    def __iter__(self) -> Iterator[Update]:
        """Yield updates as they come until the request ends. Never raises the request's error."""
        try:
            ended = False
            while not ended:
                updates, ended = self.poll(None)
                yield from updates
        except BaseException:
            self.cancel_and_wait()
            raise

    def poll(self, timeout_s: float | None, *, for_end: bool = False) -> tuple[list[Update], bool]:
        """Return the updates there are, and whether the request has ended.

        Waits up to `timeout_s` (None: without end) for updates that are due; with `for_end` for
        the request's end, whatever comes before: who redraws now and then is not woken by words.
        """
        if timeout_s != 0:
            self._waits = not for_end  # before looking, so that nothing comes unseen in between
            if for_end or not self._due:
                self._wait(timeout_s, for_end)
            self._waits = False
        self._due = False
        ended = self._ended  # before the updates are taken: all have come then
        return [self._updates.popleft() for _ in range(len(self._updates))], ended

    def _wait(self, timeout_s: float | None, for_end: bool) -> None:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._ended:
            left = None if until is None else until - time.monotonic()
            try:
                self._wakes.get(timeout=left if left is None else max(0.0, left))
            except queue.Empty:
                return
            if not for_end:
                return

    def result(self, timeout_s: float | None = None) -> Res:
        """Wait for the result.

        Raises the request's error, or `concurrent.futures.CancelledError`.
        """
        try:
            return self.future.result(timeout_s)
        except KeyboardInterrupt:
            self.cancel_and_wait()
            raise
