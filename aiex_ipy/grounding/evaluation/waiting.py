"""Wait for a coroutine in a call that is not awaited, also inside a running event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiex_ipy.errors import UsageError

Res = TypeVar("Res")
CANCEL_TIMEOUT_S = 2.0
"""How long an interrupted coroutine may take to end before it is left to the loop."""


def wait_for(
    coroutine: Coroutine[Any, Any, Res], loop: asyncio.AbstractEventLoop | None = None
) -> Res:
    """Return what the coroutine returns; other tasks of the loop go on meanwhile.

    Inside a running loop that loop is driven from here, so that the code may await what belongs to
    it, as a cell may; else `loop`, else one made for it. An interrupt cancels the coroutine; what
    it returns all the same is returned. Raises UsageError for a running loop that is not
    asyncio's own.
    """
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine) if loop is None else _run(loop, coroutine)
    if not hasattr(running, "_run_once"):
        coroutine.close()
        raise UsageError(
            f"The running event loop is a {type(running).__name__!r}, which cannot be driven from "
            "inside itself.",
            code="foreign_loop",
            hint="Write await aiex.evaluate_async(code).",
        )
    return _driven(running, coroutine)


def _run(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Res]) -> Res:
    task = loop.create_task(coroutine)
    try:
        return loop.run_until_complete(task)
    except KeyboardInterrupt:
        task.cancel()
        loop.run_until_complete(asyncio.wait([task], timeout=CANCEL_TIMEOUT_S))
        if _returned(task):
            return task.result()
        raise


def _driven(loop: Any, coroutine: Coroutine[Any, Any, Res]) -> Res:
    """Turn the loop from inside one of its callbacks.

    The callback that runs us was taken from a queue which the loop is about to go on taking from:
    as many entries as it counted must be there when we return.
    Source: `asyncio.BaseEventLoop._run_once` of CPython 3.11 to 3.14.
    """
    counted = len(loop._ready)
    outer = asyncio.current_task(loop)
    task: asyncio.Task[Res] = loop.create_task(coroutine)
    if outer is not None:
        asyncio.tasks._leave_task(loop, outer)
    try:
        while not task.done():
            loop._run_once()
    except BaseException:
        _cancel(loop, task)
        if not _returned(task):
            raise
    finally:
        if outer is not None:
            asyncio.tasks._enter_task(loop, outer)
        for _ in range(counted - len(loop._ready)):
            loop.call_soon(_nothing)
    return task.result()


def _cancel(loop: Any, task: asyncio.Task[Any]) -> None:
    until = time.monotonic() + CANCEL_TIMEOUT_S
    if not task.done():
        task.cancel()
        loop.call_later(CANCEL_TIMEOUT_S, _nothing)  # else the loop might wait longer
    while not task.done() and time.monotonic() < until:
        loop._run_once()


def _returned(task: asyncio.Task[Any]) -> bool:
    """True when the task has a result. Its error counts as seen: nobody is told of it later."""
    return task.done() and not task.cancelled() and task.exception() is None


def _nothing() -> None:
    """Do nothing."""
