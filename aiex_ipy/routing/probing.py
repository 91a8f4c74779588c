"""One probe for all who ask at the same time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task

Found = TypeVar("Found")


class _Run(Generic[Found]):
    """A probe under way and how many wait for it."""

    __slots__ = ("task", "waiting")

    def __init__(self, task: Task[Found]) -> None:
        self.task = task
        self.waiting = 0


class SharedProbe(Generic[Found]):
    """Runs a probe once for those who ask while it is under way, on each event loop.

    Who leaves does not end it for the others; it ends with the last one.
    """

    def __init__(self) -> None:
        self._runs: WeakKeyDictionary[AbstractEventLoop, _Run[Found]] = WeakKeyDictionary()

    async def found_by(self, probe: Callable[[], Coroutine[Any, Any, Found]]) -> Found:
        """Return what the probe under way finds, or else `probe`. Raises what it raises."""
        import asyncio

        loop = asyncio.get_running_loop()
        run = self._runs.get(loop)
        if run is None:
            run = self._runs[loop] = _Run(loop.create_task(probe()))
        run.waiting += 1
        try:
            return await asyncio.shield(run.task)
        finally:
            run.waiting -= 1
            if self._runs.get(loop) is run and (run.task.done() or not run.waiting):
                del self._runs[loop]
                run.task.cancel()
