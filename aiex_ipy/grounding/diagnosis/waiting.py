"""Coroutines that were not awaited, loops used in the wrong place, groups of errors, threads."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Iterable, Iterator

import msgspec

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import label_of, told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    enclosing_function,
    matches,
    message,
    nodes_at_fault,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.frames import live_frame, steps_of
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.failure.sources import Sources
from aiex_ipy.grounding.fix import Fix

MOST_MEMBERS = 8
MOST_FRAMES = 20


def not_awaited(moment: Moment) -> Iterator[Diagnosis]:
    """A coroutine used as if it were its result."""
    frame = moment.frame
    if frame is None or type(moment.error) not in {AttributeError, TypeError, ValueError}:
        return
    if "coroutine" not in message(moment.error):
        return
    for node in _candidates(frame):
        known, value = value_of(node, frame)
        if known and not isinstance(value, types.CoroutineType):
            continue
        if not known and not (isinstance(node, ast.Call) and _is_async(node, frame)):
            continue
        steps = traced(moment, frame, node)
        last = steps[-1] if steps else None
        call = last.node if last is not None else node
        code = last.code if last is not None else frame
        function = enclosing_function(frame)
        outside = function is not None and not isinstance(function, ast.AsyncFunctionDef)
        fix = None
        if isinstance(call, ast.Call) and code is not None and not outside:
            text = f"await {segment(code, call)}"
            same = last is None and call is node
            fix = rewritten(
                code, "await", (call, f"({text})" if same and _inner(frame, node) else text)
            )
        yield Diagnosis(
            rule="not-awaited",
            certainty="certain",
            cause=f"{text_of(node, 40)} is a coroutine: `await` is missing before "
            f"{text_of(call, 40)}, so it has not run.",
            evidence=(*told(steps), f"{where(frame)}: {text_of(frame.node, 60)}"),
            remedy="Write `await` before the call"
            + (
                f", in an `async def` ({function.name} is none)."  # type: ignore[union-attr]
                if outside and not isinstance(function, ast.Lambda)
                else "."
            ),
            fix=fix,
        )
        return


def _inner(frame: LiveFrame, node: ast.expr) -> bool:
    return any(
        isinstance(each, ast.Attribute | ast.Subscript) and each.value is node
        for each in nodes_at_fault(frame, ast.expr)
    )


def _candidates(frame: LiveFrame) -> list[ast.expr]:
    found: list[ast.expr] = []
    for node in nodes_at_fault(frame, ast.AST):
        match node:
            case ast.Attribute(value=base) | ast.Subscript(value=base):
                found.append(base)
            case ast.BinOp(left=left, right=right):
                found += [left, right]
            case ast.Compare(left=left, comparators=others):
                found += [left, *others]
            case ast.For(iter=base) | ast.comprehension(iter=base) | ast.Assign(value=base):
                found.append(base)
            case ast.Call(args=args):
                found += args
    if isinstance(frame.node, ast.expr):
        found.append(frame.node)
    return found


def _is_async(call: ast.Call, frame: LiveFrame) -> bool:
    known, function = value_of(call.func, frame)
    if type(function) is types.MethodType:
        function = function.__func__
    return (
        known
        and type(function) is types.FunctionType
        and bool(
            function.__code__.co_flags & 0x80  # CO_COROUTINE, inspect's documentation
        )
    )


def wrong_loop(moment: Moment) -> Iterator[Diagnosis]:  # noqa: C901 - one case each
    """asyncio called in the wrong place: a loop in a loop, none at all, a closed one."""
    frame = moment.frame
    found: Told | None = None
    if frame is None:
        return
    if matches(moment, RuntimeError, r"cannot be called from a running event loop"):
        calls = [c for c in nodes_at_fault(frame, ast.Call) if text_of(c.func) == "asyncio.run"]
        in_async = isinstance(enclosing_function(frame), ast.AsyncFunctionDef)
        fix = None
        if calls and calls[0].args and (in_async or enclosing_function(frame) is None):
            fix = rewritten(frame, "await", (calls[0], f"await {segment(frame, calls[0].args[0])}"))
        found = (
            "running-loop",
            "asyncio.run() is called where a loop runs already, as in Jupyter "
            "or inside an `async def`.",
            "Write `await` in place of asyncio.run(…).",
            fix,
        )
    elif matches(moment, RuntimeError, r"no running event loop|no current event loop"):
        found = (
            "no-loop",
            "No event loop runs here: this needs one.",
            "Call it from an `async def` that asyncio.run() runs.",
            None,
        )
    elif matches(moment, RuntimeError, r"[Ee]vent loop is closed"):
        found = (
            "closed-loop",
            "The event loop was closed before: an object of it is used after asyncio.run() ended.",
            "Make and use it inside one asyncio.run().",
            None,
        )
    elif matches(moment, RuntimeError, r"attached to a different loop|different event loop"):
        found = (
            "other-loop",
            "An object made in one event loop is used in another.",
            "Make it inside the loop that uses it.",
            None,
        )
    elif matches(moment, RuntimeError, r"cannot reuse already awaited coroutine"):
        found = (
            "awaited-twice",
            "The same coroutine is awaited twice: it runs only once.",
            "Call the function again, or keep the result (or a task).",
            None,
        )
    elif matches(moment, TypeError, r"object (\w+) can't be used in 'await' expression"):
        found = _awaited_other(frame, moment)
    elif matches(moment, TypeError, r"'async_generator' object is not iterable"):
        found = (
            "async-for",
            "An async generator is looped over with a plain `for`.",
            "Write `async for`.",
            None,
        )
    elif matches(moment, TypeError, r"does not support the (asynchronous )?context manager"):
        said = "asynchronous" in message(moment.error)
        found = (
            "with",
            f"{text_of(frame.node, 40)} is no {'async ' * said}context manager.",
            f"Write `{'with' if said else 'async with'}`, or check what it is.",
            None,
        )
    elif moment.error is not None and type(moment.error) is TimeoutError:
        found = (
            "timeout",
            "It took longer than the time limit allowed.",
            "Find what it waits for, or raise the limit.",
            None,
        )
    if found is not None:
        rule, cause, remedy, mend = found
        yield Diagnosis(
            rule=rule,
            certainty="likely" if rule in {"closed-loop", "timeout"} else "certain",
            cause=cause,
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy=remedy,
            fix=mend,
        )


Told = tuple[str, str, str, Fix | None]


def _awaited_other(frame: LiveFrame, moment: Moment) -> Told | None:
    kind = message(moment.error).split()[1]
    for node in nodes_at_fault(frame, ast.Await):
        text = segment(frame, node.value)
        return (
            "awaited-value",
            f"{text_of(node.value)} is no coroutine but a value of type {kind}, and is awaited.",
            "Leave out `await`.",
            rewritten(frame, "no await", (node, text)),
        )
    return None


def members_of(
    moment: Moment, diagnose: Callable[[Moment], Iterable[Diagnosis]]
) -> Iterator[Diagnosis]:
    """What the facts say about each error of a group."""
    if not isinstance(moment.error, BaseExceptionGroup):
        return
    leaves = list(_leaves(moment.error))
    for number, leaf in enumerate(leaves[:MOST_MEMBERS], 1):
        member = _moment_of(moment, leaf)
        for each in list(diagnose(member))[:1]:
            yield Diagnosis(
                rule=each.rule,
                certainty=each.certainty,
                evidence=each.evidence,
                cause=f"Error {number} of {len(leaves)}, {type(leaf).__name__}: {each.cause}",
                remedy=each.remedy,
                fix=each.fix,
            )


def causes_of(
    moment: Moment, diagnose: Callable[[Moment], Iterable[Diagnosis]]
) -> Iterator[Diagnosis]:
    """What the facts say about the errors that the error came from, the nearest first."""
    for error in reversed(moment.earlier[-MOST_MEMBERS:]):
        for each in list(diagnose(_moment_of(moment, error)))[:1]:
            yield msgspec.structs.replace(
                each, cause=f"It came from {type(error).__name__}: {each.cause}"
            )
            return


def _moment_of(moment: Moment, error: BaseException) -> Moment:
    """The same moment, with another of its errors to explain."""
    return Moment(
        error=error,
        frames=frames_of(moment, error),
        cells=moment.cells,
        names=moment.names,
        project_dir=moment.project_dir,
    )


def frames_of(moment: Moment, error: BaseException) -> list[LiveFrame]:
    """Return the frames of the user's code in which another error of the moment was raised."""
    sources = Sources(
        cells=moment.cells,
        name_of=lambda file: label_of(moment, file),
        project_dir=moment.project_dir,
    )
    steps = steps_of(error.__traceback__)
    for step in steps:
        step.user = sources.is_users(step.file, step.frame.f_globals)
    return [live_frame(step, sources) for step in steps if step.user][-MOST_FRAMES:]


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(each)
        else:
            yield each


def in_thread(moment: Moment) -> Iterator[Diagnosis]:
    """An error in a thread that shares changing data: a race is possible, never proven."""
    frame = moment.frame
    if frame is None or not any(
        each.code.co_name == "run" and each.file.endswith("threading.py")
        for each in steps_of(moment.error.__traceback__ if moment.error is not None else None)
    ):
        return
    if not isinstance(moment.error, KeyError | IndexError | RuntimeError | ValueError):
        return
    shared = [
        node.id
        for node in nodes_at_fault(frame, ast.Name)
        if node.id not in frame.locals and type(frame.globals.get(node.id)) in {dict, list, set}
    ]
    if shared:
        yield Diagnosis(
            rule="shared-by-threads",
            certainty="possible",
            cause=f"{shared[0]!r} is shared by threads: another may have changed it meanwhile.",
            evidence=(f"{where(frame)}: runs in a thread", f"{shared[0]} is a global"),
            remedy="Guard it with a threading.Lock, or use a queue.",
        )
