"""Capture a failure in the thread where it can be seen: the record, and the live side of it."""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from types import (
    AsyncGeneratorType,
    CoroutineType,
    FrameType,
    GeneratorType,
    TracebackType,
)
from typing import Any

from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.failure.chain import Chain
from aiex_ipy.grounding.failure.cutting import cut
from aiex_ipy.grounding.failure.earlier import earlier_cells, names_in
from aiex_ipy.grounding.failure.evaluate import lookup
from aiex_ipy.grounding.failure.frames import steps_of, tell
from aiex_ipy.grounding.failure.involved import versions_of
from aiex_ipy.grounding.failure.masking import Mask
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.failure.record import ErrorRecord, Failure, Kind
from aiex_ipy.grounding.failure.sources import NameOf, Sources, library_of, nameless
from aiex_ipy.grounding.failure.variables import Teller, statement_of
from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.static import derives, full_name, instance_dict, module_of

NAMELESS = "the value"
"""What a value is called whose source text is not known."""
TITLE_CHARACTERS = 240
ERROR_WORDS = frozenset({"error", "err", "failed", "failure", "exception"})
"""What the first part of a tuple such as `("error", reason)` may say."""
MOST_OF_CELLS = 10
"""Values told of the cells that made a wrong value."""
UNRAISABLE = "UnraisableHookArgs"
"""The type of what `sys.unraisablehook` is given; it has no name elsewhere."""


class _Seen:
    """What one capture has found so far."""

    def __init__(self, sources: Sources, teller: Teller, names: Mapping[str, Any]) -> None:
        self.sources = sources
        self.teller = teller
        self.names = names
        self.kind: Kind = "value"
        self.title = ""
        self.error: BaseException | None = None
        self.earlier: list[BaseException] = []
        self.errors: list[ErrorRecord] = []
        self.live: list[LiveFrame] = []
        self.stacks: list[tuple[str, tuple[Any, ...]]] = []
        self.values: list[Description] = []
        self.left_out: list[str] = []
        self.libraries: list[str] = []
        self.asked: Any = None
        self.secrets: dict[str, str] = {}

    def raised(self, error: BaseException) -> None:
        """Take an exception with its chain."""
        chain = Chain(error, self.sources, self.teller)
        self.error = error
        self.earlier = chain.earlier
        self.errors = chain.errors
        self.live = chain.live
        self.left_out += chain.left_out
        self.title = self.title or _title(self.errors[-1])
        self.libraries.append(module_of(type(error)).partition(".")[0])


def capture(
    target: Any,
    *,
    cells: Sequence[RanCell] = (),
    name_of: NameOf = nameless,
    names: Mapping[str, Any] | None = None,
    project_dir: str = "",
    context: Sequence[str] = (),
    expression: str = "",
) -> tuple[Failure, Moment]:
    """Return the record of a failure and the moment it was seen in.

    `target` is an exception, traceback, frame, thread, task, coroutine, future or event loop, a
    process or its id, a text with a printed traceback, or any value that is wrong; then
    `expression` is the source text it came from. A plain `int` is a process id when no expression
    is given, or one that is a literal or ends in `pid`; else it is a wrong value. Runs no code of
    the user's. Raises UsageError when a process cannot be looked into.
    """
    sources = Sources(cells=cells, name_of=name_of, project_dir=project_dir)
    teller = Teller(sources)
    seen = _Seen(sources, teller, names if names is not None else {})
    _look(target, seen, expression)
    moment = Moment(
        error=seen.error,
        earlier=seen.earlier,
        frames=seen.live,
        cells=cells,
        names=names,
        asked=seen.asked,
        expression=expression if seen.kind == "value" else "",
        project_dir=project_dir,
    )
    earlier = earlier_cells(moment)
    if seen.kind == "value":
        seen.values += _made_of(earlier, seen)
    if teller.skipped:
        seen.left_out.append(f"{teller.skipped} more values")
    failure = Failure(
        kind=seen.kind,
        title=seen.title,
        errors=tuple(seen.errors),
        stacks=tuple(seen.stacks),
        values=tuple(seen.values),
        cells=earlier,
        versions=versions_of(_libraries(seen)),
        context=tuple(context),
        left_out=tuple(seen.left_out),
    )
    moment.mask = mask = _mask(moment, failure, seen.secrets)
    return cut(mask.record(failure), _wanted(moment)), moment


def _look(target: Any, seen: _Seen, expression: str) -> None:
    """Find out what the target is, and take it."""
    kind = type(target)
    if kind is str:
        from aiex_ipy.grounding.failure.printed import looks_printed

        if looks_printed(target):
            return _printed(target, seen)
    pid = _pid(target, expression)
    if pid is not None:
        return _process(pid, seen)
    error = _error_in(target)
    if error is not None:
        seen.kind = "exception"
        return seen.raised(error)
    waiting = _waiting(target)
    if waiting is not None:
        seen.kind = waiting[0]
        return _take(waiting[1](target), seen)
    return _value(target, seen, expression)


def _error_in(target: Any) -> BaseException | None:
    """The exception that a target is, or that a hook's arguments or a traceback hold."""
    kind = type(target)
    if derives(kind, BaseException):
        return target  # type: ignore[no-any-return]
    if kind is threading.ExceptHookArgs or full_name(kind) == UNRAISABLE:
        return target.exc_value  # type: ignore[no-any-return]
    if kind is tuple and len(target) == 3 and derives(type(target[1]), BaseException):
        return target[1] if type(target[0]) is type(type(target[1])) else None  # sys.exc_info()
    if kind is TracebackType:
        last = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
        while last is not None:
            if last.__traceback__ is target:
                return last  # type: ignore[no-any-return]
            last = last.__context__
    return None


def _waiting(target: Any) -> tuple[Kind, Callable[[Any], Any]] | None:
    """The reader of something that runs or waits, None for other values."""
    from aiex_ipy.grounding.failure import waiting

    kind = type(target)
    if kind is FrameType:
        return "frame", waiting.of_frame
    if kind is TracebackType:
        return "frame", lambda each: waiting.of_traceback(each, steps_of(each))
    if derives(kind, threading.Thread):
        return "thread", waiting.of_thread
    if kind in (CoroutineType, GeneratorType, AsyncGeneratorType):
        return "task", waiting.of_suspended
    if "asyncio" in sys.modules:
        import asyncio

        if derives(kind, asyncio.Future):
            return "task", waiting.of_task
        if derives(kind, asyncio.AbstractEventLoop):
            return "loop", waiting.of_loop
    futures = sys.modules.get("concurrent.futures")
    if futures is not None and derives(kind, futures.Future):
        return "task", waiting.of_future
    return None


def _take(found: Any, seen: _Seen) -> None:
    """Take the stacks of something that runs or waits, and what it died of."""
    seen.title = found.title
    for name, steps in found.stacks:
        stack = tell(steps, seen.sources, seen.teller)
        if not stack.records:
            continue
        if not seen.live:
            seen.live = stack.live
        seen.stacks.append((name, tuple(stack.records)))
    if found.left_out:
        seen.left_out.append(f"{found.left_out} more tasks")
    if found.error is not None:
        title = seen.title
        seen.raised(found.error)
        seen.title = f"{title} {_title(seen.errors[-1])}"


def _printed(text: str, seen: _Seen) -> None:
    from aiex_ipy.grounding.failure.printed import read

    seen.kind = "text"
    seen.errors = list(read(text, seen.sources))
    seen.title = _title(seen.errors[-1]) if seen.errors else "A text that tells of an error"
    if not seen.errors:
        told = seen.teller.described(text, "text")
        seen.values = [told] if told is not None else []


def _pid(target: Any, expression: str) -> int | None:
    """The id of the process that a target names: see `capture`."""
    if type(target) is int:
        named = expression.rpartition(".")[2].lower().endswith("pid")
        literal = expression.strip().isdigit()
        return target if (not expression or named or literal) and target > 0 else None
    place = (module_of(type(target)), type(target).__name__)
    if place == ("subprocess", "Popen"):
        fields = instance_dict(target)
        return fields["pid"] if fields.get("returncode") is None and "pid" in fields else None
    return None


def _process(pid: int, seen: _Seen) -> None:
    from aiex_ipy.grounding.failure import process

    if not process.is_running(pid):
        raise UsageError(
            f"There is no process {pid}.",
            code="no_process",
            hint="Give an expression, such as ai_debug(total), to ask about a number.",
        )
    seen.kind = "process"
    stacks, seen.secrets = process.stacks_of(pid, seen.sources)
    seen.stacks = list(stacks)
    frame = Failure(kind="process", title="", stacks=tuple(seen.stacks)).frame
    where = f", in {frame.function} ({frame.place}, line {frame.line})" if frame else ""
    seen.title = f"Process {pid} {len(seen.stacks)} threads{where}.".replace(
        f"{pid} 1 threads", f"{pid}"
    )


def _value(target: Any, seen: _Seen, expression: str) -> None:
    """Take a wrong value: itself, what its expression was made of, an error that it tells of."""
    seen.kind = "value"
    seen.asked = target
    reason = _reason(target)
    if derives(type(reason), BaseException):
        seen.raised(reason)
        seen.title = f"An error given back as a value: {seen.title}"
    told = seen.teller.described(target, expression or NAMELESS)
    if told is None:
        return
    seen.teller.types.append(type(target))
    seen.values.append(told)
    node = _parsed(expression)
    if node is not None:
        more = seen.teller.expression(node, seen.names)
        seen.values += [each for each in more if each.name != expression]
    if seen.title:
        return
    shown = _seen_as(told)
    if reason is not None:
        shown = f"{shown}, which tells of an error"
    title = f"{expression} is {shown}" if expression else f"A value: {shown}"
    seen.title = title if len(title) <= TITLE_CHARACTERS else f"{title[:TITLE_CHARACTERS]}…"


def _seen_as(told: Description) -> str:
    """What a value is in a title: of tables and arrays their size, of others what is printed."""
    name = told.type.rpartition(".")[2]
    if told.shape is None or told.kind not in ("table", "column", "array"):
        return told.value or f"a {told.type}"
    article = "an" if name[:1] in "AEIOUaeio" else "a"
    if 0 not in told.shape:
        return f"{article} {name} of shape {told.shape}"
    columns = f" with the columns {', '.join(each.name for each in told.columns[:8])}"
    more = ", …" if len(told.columns) > 8 else ""
    return f"an empty {name}{columns + more if told.columns else f' of shape {told.shape}'}"


def _made_of(cells: Sequence[RanCell], seen: _Seen) -> list[Description]:
    """The values of the names in the cells that made a wrong value."""
    told = {each.name for each in seen.values}
    wanted = [each for each in names_in(cells) if each not in told]
    return list(seen.teller.named(wanted, seen.names))[:MOST_OF_CELLS]


def _reason(target: Any) -> Any:
    """What an error-like value gives as its reason: `("error", reason)`, `(None, error)`,
    `{"error": reason}`; None for others."""
    if type(target) is tuple and len(target) in (2, 3):
        first, second = target[0], target[1]
        if type(first) is str and first.lower() in ERROR_WORDS:
            return second
        if first is None or first is False:
            return second if type(second) is str or derives(type(second), BaseException) else None
    if type(target) is dict:
        for name in ("error", "errors", "exception"):
            found, reason = lookup(target, name)
            if found and reason:
                return reason
    return None


def _parsed(expression: str) -> ast.expr | None:
    try:
        return ast.parse(expression.strip(), mode="eval").body if expression else None
    except (SyntaxError, ValueError, RecursionError):
        return None


def _title(error: ErrorRecord) -> str:
    message = error.message.strip().partition("\n")[0]
    title = f"{error.type}: {message}" if message else error.type
    return title if len(title) <= TITLE_CHARACTERS else f"{title[: TITLE_CHARACTERS - 1]}…"


def _libraries(seen: _Seen) -> list[str]:
    """The packages that a failure passed through or whose values stood in its expression."""
    modules = [module_of(each).partition(".")[0] for each in seen.teller.types]
    passed = [library_of(each.file, each.globals) for each in reversed(seen.live) if not each.user]
    folded = [
        name
        for error in reversed(seen.errors)
        for name in (*error.libraries_after, *(n for f in error.frames for n in f.libraries))
    ]
    wanted = [*modules, *seen.libraries, *passed, *folded]
    return [each for each in wanted if each not in ("threading", "asyncio")]


def _wanted(moment: Moment) -> list[str]:
    """Texts that a failing line looks for: their near misses are worth keeping."""
    frame = moment.frame
    found: list[str] = []
    if moment.error is not None:
        args = BaseException.__dict__["args"].__get__(moment.error)
        found += [each for each in args if type(each) is str and len(each) < 200]
    node = statement_of(frame) if frame is not None else _parsed(moment.expression)
    for each in ast.walk(node) if node is not None else ():
        if isinstance(each, ast.Constant) and type(each.value) is str and len(each.value) < 200:
            found.append(each.value)
        elif isinstance(each, ast.Attribute):
            found.append(each.attr)
    return list(dict.fromkeys(found))[:12]


def _mask(moment: Moment, failure: Failure, secrets: Mapping[str, str]) -> Mask:
    spaces = [secrets, moment.names]
    for each in moment.frames:
        if each.user:
            spaces += [each.locals, each.globals]
    distinct = {id(each): each for each in spaces}
    return Mask(distinct.values(), [each.code for each in failure.cells])
