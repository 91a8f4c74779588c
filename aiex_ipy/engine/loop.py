"""The engine's own event loop on its own thread: the one place where sync meets async."""

from __future__ import annotations

import os
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from aiex_ipy.errors import EngineClosedError

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

T = TypeVar("T")
STOP_TIMEOUT_S = 5.0


class LoopThread:
    """An event loop that starts with the first call and ends with `stop`.

    Any thread may call `submit`. asyncio is imported with the first call. A forked child has no
    such thread: there `submit` raises EngineClosedError at once, and `stop` leaves the parent's
    loop alone.
    """

    def __init__(self, name: str = "aiex-engine") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the running loop, starting its thread if there is none.

        Raises EngineClosedError in a forked child of the process that started it.
        """
        if self._inherited:
            raise EngineClosedError(
                f"This engine's requests run in process {self._pid}, and this process is a fork of"
                " it.",
                code="forked",
                hint="Make a new Engine in the child.",
            )
        with self._lock:
            if self._loop is None:
                import asyncio

                loop = asyncio.new_event_loop()
                ready = threading.Event()

                def run() -> None:
                    asyncio.set_event_loop(loop)
                    loop.call_soon(ready.set)
                    try:
                        loop.run_forever()
                    finally:
                        loop.close()

                self._thread = threading.Thread(target=run, name=self._name, daemon=True)
                self._thread.start()
                ready.wait()
                self._pid = os.getpid()
                self._loop = loop
            return self._loop

    @property
    def started(self) -> bool:
        """True while the loop runs, in this process."""
        return self._loop is not None and not self._inherited

    @property
    def _inherited(self) -> bool:
        """True when it was started before this process was forked: nobody runs it here."""
        return self._loop is not None and self._pid != os.getpid()

    def is_current(self) -> bool:
        """True when called on the loop's own thread."""
        return threading.current_thread() is self._thread

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the loop; the future's `cancel` cancels the task."""
        try:
            import asyncio

            loop = self.loop()
        except BaseException:  # closed, or interrupted while asyncio is imported
            work.close()
            raise
        return asyncio.run_coroutine_threadsafe(work, loop)

    def stop(self) -> None:
        """Cancel what runs, let it clean up, end the thread. Safe to call twice."""
        if self._inherited:
            return
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        import asyncio
        from concurrent.futures import wait

        async def drain() -> None:
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await loop.shutdown_asyncgens()
            await loop.shutdown_default_executor()

        drained = asyncio.run_coroutine_threadsafe(drain(), loop)
        wait([drained], timeout=STOP_TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STOP_TIMEOUT_S)
