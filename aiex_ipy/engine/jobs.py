"""A request under way: its updates, its result, its cancel."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from aiex_ipy.operations.base import Update

if TYPE_CHECKING:
    from concurrent.futures import Future

Res = TypeVar("Res")
CANCEL_TIMEOUT_S = 0.5
"""How long a cancelled job may take to close its connection before the caller goes on."""


class Job(Generic[Res]):
    """One request on the engine's loop.

    Iterate it (once) for updates, from one thread; `result` gives the result or raises the
    request's error. An interrupt while waiting cancels the request at the server first.
    """

    def __init__(self) -> None:
        self._updates: deque[Update] = deque()
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._waits = False
        self._ended = False
        self._listener: Callable[[], None] | None = None
        self._future: Future[Res] | None = None
        self.settled = threading.Event()
        """Set when the request has ended and its connection is closed."""

    def put(self, update: Update) -> None:
        """Hand over one update; called on the engine's loop."""
        self._updates.append(update)
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
        self._ended = True
        self._wakes.put(None)
        if self._listener is not None:
            self._listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each update from now on, and once at once. It must not block."""
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

        Waits up to `timeout_s` (None: without end) for the first update; with `for_end` for the
        request's end, whatever comes before: who redraws now and then is not woken by each word.
        """
        if timeout_s != 0:
            self._waits = not for_end  # before looking, so that nothing comes unseen in between
            if for_end or not self._updates:
                self._wait(timeout_s, for_end)
            self._waits = False
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
