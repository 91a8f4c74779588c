"""Data that is missing because the thread or task that was to write it died before."""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    cut,
    has_class,
    message,
    mro,
    nodes_at_fault,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.diagnosis.waiting import frames_of
from aiex_ipy.grounding.failure.deaths import all_known
from aiex_ipy.grounding.failure.evaluate import own_storage
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

MISSED = (KeyError, IndexError, AttributeError, NameError, ZeroDivisionError, ValueError, TypeError)
"""What reading data that was never written may raise."""
MOST = 200
"""Names, and items of a list, that are searched for futures and tasks."""
Death = tuple[str, BaseException]


def dead_worker(moment: Moment) -> Iterator[Diagnosis]:
    """A thread, or a job of a pool, that died earlier and touched the data that now lacks
    something."""
    error, frame = moment.error, moment.frame
    if frame is None or not isinstance(error, MISSED):
        return
    deaths = [*all_known(), *_jobs(moment)]
    deaths = [each for each in deaths if each[1] is not error]
    if not deaths:
        return
    best: tuple[bool, Death, list[LiveFrame], str] | None = None
    for death in deaths:
        frames = frames_of(moment, death[1])
        lost, sure = _lost(frame, error, frames)
        if lost and (best is None or (sure and not best[0])):
            best = (sure, death, frames, lost)
    if best is None:
        return
    sure, (name, cause), frames, lost = best
    last = frames[-1]
    yield Diagnosis(
        rule="dead-worker" if sure else "dead-worker-before",
        certainty="certain" if sure else "possible",
        cause=f"The {name} died earlier of {type(cause).__name__}: {cut(message(cause), 120)} "
        f"({where(last)}: {text_of(last.node, 60)}), so {lost}.",
        evidence=(
            *map(_told, frames),
            f"{where(frame)}: {text_of(frame.node, 60)} misses it",
        ),
        remedy="Mend that error first. An error in a thread does not stop the program: run it by "
        "ThreadPoolExecutor.submit and ask future.result(), which raises it.",
    )


def _lost(frame: LiveFrame, error: BaseException, frames: list[LiveFrame]) -> tuple[str, bool]:
    """What the dead one did not write, and whether that is certain; "" where it wrote nothing that
    is read here."""
    asked = error.name if isinstance(error, AttributeError | NameError) else None
    if asked is not None:
        named = any(asked in each.code.co_names for each in frames)
        return (f"{asked!r} was never set", True) if named else ("", False)
    if isinstance(error, TypeError):
        for node in nodes_at_fault(frame, ast.Name):
            unset = node.id in frame.globals and frame.globals[node.id] is None
            if unset and any(node.id in each.code.co_names for each in frames):
                return f"{node.id} is still None", True
        return "", False
    read = {id(value): label for label, value in _containers(frame)}
    shared = [read[id(v)] for each in frames for v in _reached(each) if id(v) in read]
    if not shared:
        return "", False
    key = error.args[0] if type(error) is KeyError and error.args else None
    held = type(key) in {str, int} and any(
        type(v) is type(key) and v == key for each in frames for v in each.locals.values()
    )
    if held:
        return f"{shared[0]} never got {shown(key)}", True
    return f"{shared[0]} lacks what it was to write", False


def _told(frame: LiveFrame) -> str:
    names = [
        f"{name} = {shown(value, name)}"
        for name, value in frame.locals.items()
        if type(value) in {str, int, float} and name[:1] != "_"
    ]
    return f"{where(frame)}: {text_of(frame.node, 60)}" + (
        f" with {', '.join(names[:3])}" if names else ""
    )


def _containers(frame: LiveFrame) -> Iterator[tuple[str, Any]]:
    """What the failing place reads: containers and objects, by their expressions."""
    for node in nodes_at_fault(frame, ast.expr):
        if isinstance(node, ast.Name | ast.Attribute):
            known, value = value_of(node, frame)
            if known and _can_be_written(value):
                yield text_of(node), value


def _can_be_written(value: Any) -> bool:
    if type(value) in {list, dict, set}:
        return True
    kinds = {each.__name__ for each in mro(type(value))}
    return bool(kinds & {"dict", "list", "deque", "Queue"}) or (
        bool(own_storage(value)) and type(value) not in {types.ModuleType, types.FunctionType, type}
    )


def _reached(frame: LiveFrame) -> Iterator[Any]:
    """The values a frame's code can name."""
    yield from frame.locals.values()
    for name in frame.code.co_names:
        if name in frame.globals:
            yield frame.globals[name]
    owner = frame.locals.get("self")
    if owner is not None:
        yield from (own_storage(owner) or {}).values()


def _jobs(moment: Moment) -> Iterator[Death]:
    """Futures and tasks of the program that hold an error."""
    if "concurrent.futures" not in sys.modules and "asyncio" not in sys.modules:
        return
    spaces = [moment.names, *(each.locals for each in moment.frames)]
    seen: set[int] = set()
    for space in spaces:
        for name, value in list(space.items())[:MOST]:
            for each in _items(value):
                held = _error_of(each) if id(each) not in seen else None
                seen.add(id(each))
                if isinstance(held, Exception):
                    yield f"job in {name!r}", held


def _items(value: Any) -> list[Any]:
    if type(value) is dict:
        return list(value.values())[:MOST]
    return list(value)[:MOST] if type(value) in {list, tuple, set} else [value]


def _error_of(value: Any) -> Any:
    if has_class(value, "concurrent", "Future"):
        return own_storage(value).get("_exception")
    return value._exception if type(value).__module__ == "_asyncio" else None
