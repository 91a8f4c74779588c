"""Stacks of what runs or waits: threads, tasks, coroutines and event loops."""

from __future__ import annotations

import sys
import threading
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType, TracebackType
from typing import TYPE_CHECKING, Any

from aiex_ipy.grounding.failure.deaths import died_of
from aiex_ipy.grounding.failure.evaluate import lookup
from aiex_ipy.grounding.failure.frames import Step, steps_up
from aiex_ipy.grounding.live.describe import describe
from aiex_ipy.grounding.live.static import (
    MISSING,
    class_attribute,
    derives,
    full_name,
    instance_dict,
)
from aiex_ipy.grounding.owners import shown_path

if TYPE_CHECKING:
    import asyncio

MOST_TASKS = 10
"""Tasks of a loop that are told."""
MOST_AWAITS = 200
"""Coroutines that wait for each other, followed at most."""

_FRAMES: dict[type, tuple[str, str]] = {
    CoroutineType: ("cr_frame", "cr_await"),
    GeneratorType: ("gi_frame", "gi_yieldfrom"),
    AsyncGeneratorType: ("ag_frame", "ag_await"),
}


class Waiting:
    """What was found of something that runs or waits.

    `title` is one line; `stacks` are names with entries, outermost first; `error` what it died
    of, if that is known.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.stacks: list[tuple[str, list[Step]]] = []
        self.error: BaseException | None = None
        self.left_out = 0


def of_thread(thread: threading.Thread) -> Waiting:
    """Return what a thread runs now, or what it died of."""
    fields = instance_dict(thread)
    name, ident = fields.get("_name", "?"), fields.get("_ident")
    if ident is None:
        return Waiting(f"Thread {name!r} has not been started.")
    frame = sys._current_frames().get(ident)
    error = died_of(thread)
    if frame is None or fields.get("_is_stopped"):
        found = Waiting(f"Thread {name!r} has ended.")
        found.error = error
        return found
    found = Waiting("")
    found.stacks.append((f"thread {name!r}", steps_up(frame)))
    found.title = f"Thread {name!r} {_where(found.stacks[0][1])}."
    return found


def of_frame(frame: FrameType) -> Waiting:
    """Return a frame with those that called it."""
    steps = steps_up(frame)
    found = Waiting(f"A frame, {_where(steps)}.")
    found.stacks.append(("frame", steps))
    return found


def of_traceback(traceback: TracebackType, steps: list[Step]) -> Waiting:
    """Return a traceback without its exception."""
    found = Waiting(f"A traceback that ends where code {_where(steps)}.")
    found.stacks.append(("traceback", steps))
    return found


def of_suspended(value: Any) -> Waiting:
    """Return where a coroutine or generator stands, and what it awaits."""
    steps, awaited = suspended_steps(value)
    kind = "coroutine" if type(value) is CoroutineType else type(value).__name__.replace("_", " ")
    name = f"{kind} {value.__qualname__!r}"
    if not steps:
        return Waiting(f"The {name} has ended or was closed.")
    started = _has_started(value, steps[0])
    found = Waiting(f"The {name} {_where(steps) if started else 'has not been started'}{awaited}.")
    found.stacks.append((name, steps))
    return found


def _has_started(value: Any, step: Step) -> bool:
    """Python says whether one is suspended; before 3.12 an async generator's line alone tells."""
    prefix = _FRAMES[type(value)][0][:3]
    suspended = getattr(value, f"{prefix}suspended", None)
    if suspended is None:
        return step.frame.f_lasti >= 0 and step.code.co_firstlineno != step.line
    return suspended or getattr(value, f"{prefix}running")  # type: ignore[no-any-return]


def suspended_steps(value: Any) -> tuple[list[Step], str]:
    """Return the entries of a suspended coroutine with those it awaits, outermost first, and in
    words what the last one waits for."""
    steps: list[Step] = []
    for _ in range(MOST_AWAITS):
        names = _FRAMES.get(type(value))
        if names is None:
            break
        frame = getattr(value, names[0])
        if frame is None:
            return steps, ""
        steps.append(Step(frame, frame.f_lasti, frame.f_lineno or 0, frame))
        value = getattr(value, names[1])
    return steps, f" and awaits {_awaited(value)}" if value is not None else ""


def of_task(future: Any) -> Waiting:
    """Return where an asyncio task or future stands: its stack, what it awaits, its error."""
    import asyncio

    is_task = derives(type(future), asyncio.Task)
    name = f"Task {asyncio.Task.get_name(future)!r}" if is_task else "The future"
    base = asyncio.Task if is_task else asyncio.Future
    if base.cancelled(future):
        return Waiting(f"{name} was cancelled.")
    if base.done(future):
        error = _error_of(future, base)
        said = f"{name} ended with an error." if error else f"{name} is done."
        found = Waiting(said)
        found.error = error
        return found
    if not is_task:
        return Waiting("The future is pending: nothing has set its result.")
    coroutine = asyncio.Task.get_coro(future)
    steps, awaited = suspended_steps(coroutine)
    found = Waiting(f"{name} {_where(steps)}{awaited}.")
    if steps:
        found.stacks.append((name[0].lower() + name[1:], steps))
    return found


def _error_of(future: Any, base: type[asyncio.Future[Any]]) -> BaseException | None:
    """The exception of a future that is done. Asking by `exception()` would mark it as retrieved,
    and asyncio would no longer tell of it."""
    held = class_attribute(base, "_exception")
    error = held.__get__(future) if held is not MISSING else instance_dict(future)["_exception"]
    return error if derives(type(error), BaseException) else None


def of_future(future: Any) -> Waiting:
    """Return the state of a `concurrent.futures` future."""
    fields = instance_dict(future)
    state = fields.get("_state")
    found = Waiting(f"The future is {str(state).lower()}.")
    error = fields.get("_exception")
    found.error = error if derives(type(error), BaseException) else None
    return found


def of_loop(loop: Any) -> Waiting:
    """Return what an event loop's thread runs now, and where its tasks stand."""
    import asyncio

    ident = instance_dict(loop).get("_thread_id")
    current = asyncio.tasks._current_tasks.get(loop)  # type: ignore[attr-defined]
    found = Waiting("")
    frame = sys._current_frames().get(ident) if ident is not None else None
    steps: list[Step] = []
    if frame is not None:
        steps = steps_up(frame)
        thread = next((each.name for each in threading.enumerate() if each.ident == ident), ident)
        found.stacks.append((f"thread {thread!r}, which runs the loop", steps))
    tasks = [each for each in asyncio.all_tasks(loop) if each is not current]
    tasks.sort(key=asyncio.Task.get_name)
    running = asyncio.Task.get_name(current) if current is not None else None
    if frame is None:
        state = "is closed" if instance_dict(loop).get("_closed") else "is not running"
    elif running is not None:
        state = f"runs task {running!r}, which {_where(steps)}"
    elif steps and steps[-1].code.co_name in ("select", "poll"):
        state = "is idle: it waits for input or a timer"
    else:
        state = f"runs a callback, {_where(steps)}"
    found.title = f"The event loop {state}; {len(tasks)} more tasks wait."
    for task in tasks[:MOST_TASKS]:
        task_steps, awaited = suspended_steps(asyncio.Task.get_coro(task))
        found.stacks.append((f"task {asyncio.Task.get_name(task)!r}{awaited}", task_steps))
    found.left_out = max(0, len(tasks) - MOST_TASKS)
    return found


def _awaited(value: Any) -> str:
    """In words what is awaited: a task by its name, else the type."""
    if type(value).__name__ == "FutureIter":
        return "a future or task"
    if "asyncio" in sys.modules:
        import asyncio

        if derives(type(value), asyncio.Task):
            return f"task {asyncio.Task.get_name(value)!r}"
    told = describe(value)
    return told.value if told.value and len(told.value) < 80 else f"a {full_name(type(value))}"


def _where(steps: list[Step]) -> str:
    if not steps:
        return "has no stack"
    from aiex_ipy.grounding.failure.sources import Sources

    sources = Sources()
    own = [each for each in steps if sources.is_users(each.file, each.frame.f_globals)]
    last = (own or steps)[-1]
    found, name = lookup(last.frame.f_globals, "__name__")
    place = name if found and last.file.startswith("<") else shown_path(last.file, "")
    return f"is in {last.code.co_name} ({place}, line {last.line})"
