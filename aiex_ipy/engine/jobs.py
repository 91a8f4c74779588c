"""A request under way: its updates, its result, its cancel."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
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
        self._updates: queue.SimpleQueue[Update | None] = queue.SimpleQueue()
        self._listener: Callable[[], None] | None = None
        self._future: Future[Res] | None = None
        self.settled = threading.Event()
        """Set when the request has ended and its connection is closed."""

    def put(self, update: Update | None) -> None:
        """Hand over one update (None: there are no more); called on the engine's loop."""
        self._updates.put(update)
        if self._listener is not None:
            self._listener()

    def started(self, future: Future[Res]) -> Job[Res]:
        """Bind the future that holds the result, and return the job."""
        self._future = future
        future.add_done_callback(lambda _: self.put(None))
        return self

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
            while (update := self._updates.get()) is not None:
                yield update
        except BaseException:
            self.cancel_and_wait()
            raise

    def poll(self, timeout_s: float | None) -> tuple[list[Update], bool]:
        """Return the updates there are, waiting up to `timeout_s` (None: without end) for the
        first, and whether the request has ended."""
        found: list[Update] = []
        with suppress(queue.Empty):
            update = self._updates.get(timeout_s != 0, timeout_s)
            while update is not None:
                found.append(update)
                update = self._updates.get_nowait()
            return found, True
        return found, False

    def result(self, timeout_s: float | None = None) -> Res:
        """Wait for the result.

        Raises the request's error, or `concurrent.futures.CancelledError`.
        """
        try:
            return self.future.result(timeout_s)
        except KeyboardInterrupt:
            self.cancel_and_wait()
            raise
