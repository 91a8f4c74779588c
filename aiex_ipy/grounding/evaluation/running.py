"""Run code as a cell is run: its statements in order, the last expression its value."""

from __future__ import annotations

import ast
import codeop
import inspect
import linecache
import sys
import time
from collections.abc import Callable, Collection, Coroutine
from itertools import count
from types import CodeType
from typing import Any

from aiex_ipy.grounding.evaluation.memory import MemoryPeak
from aiex_ipy.grounding.evaluation.names import changes, mark, mentioned
from aiex_ipy.grounding.evaluation.output import kept_output
from aiex_ipy.grounding.evaluation.record import Run
from aiex_ipy.grounding.live.describe import describe

Compiler = Callable[[Any, str, str], CodeType]
"""Compiles a tree under a file name in a mode, as `codeop.Compile` does."""
Interactivity = str
"""Which expressions are shown, in IPython's words: `all`, `last`, `last_expr`, `none`,
`last_expr_or_assign`."""
SOURCES_KEPT = 100
"""Programs whose source tracebacks can still show."""
_numbers = count(1)
_kept: list[str] = []


class Program:
    """Code made ready to run. `text` is the Python that stands for `code`, where the latter has
    magics. `error` is why it cannot run: a SyntaxError, ValueError, MemoryError, RecursionError.
    """

    def __init__(
        self,
        code: str,
        *,
        text: str | None = None,
        compiler: Compiler | None = None,
        transform: Callable[[ast.Module], ast.Module] | None = None,
        interactivity: Interactivity = "last_expr",
    ) -> None:
        self.code = code
        self.name = f"<ai_eval {next(_numbers)}>"
        self.tree: ast.Module | None = None
        self.error: BaseException | None = None
        self.steps: list[tuple[CodeType, bool]] = []
        """Code objects in order, each with whether it is an expression that is shown."""
        text = code if text is None else text
        _keep_source(self.name, text)
        try:
            tree = ast.parse(text, self.name)
            self.tree = transform(tree) if transform is not None else tree
            self.steps = _compiled(self.tree, self.name, compiler or _compiler(), interactivity)
        except Exception as error:  # a tree transformer of the user's may raise anything
            self.error = error.with_traceback(None)  # a SyntaxError itself says where

    @property
    def awaits(self) -> bool:
        """True when it has an `await` at its top level."""
        return any(step.co_flags & inspect.CO_COROUTINE for step, _ in self.steps)


class Outcome:
    """What came of a run: the live `value` (None without one, see `has_value`) and `error`."""

    def __init__(self, run: Run, value: Any, has_value: bool, error: BaseException | None) -> None:
        self.run = run
        self.value = value
        self.has_value = has_value
        self.error = error


async def execute(
    program: Program,
    names: dict[str, Any],
    *,
    global_names: dict[str, Any] | None = None,
    show: Callable[[Any], None] | None = None,
    hidden: Collection[str] = (),
) -> Outcome:
    """Run the program in `names` and return what came of it; never raises.

    Awaits only when the program does. `show` is called with each value to be shown, in order with
    what is printed. What the code does to `names`, `sys.stdout` and the process, stays.
    """
    space = names if global_names is None else global_names
    looked_at = mentioned(program.tree, names)
    before = mark(names, looked_at, hidden)
    value: Any = None
    has_value = False
    error = program.error
    memory = MemoryPeak()
    cpu, wall = time.process_time(), time.perf_counter()
    with kept_output() as (out, err):
        try:
            for step, shown in program.steps if error is None else ():
                value, has_value = None, False
                value = eval(step, space, names)  # noqa: S307 - running it is what was asked for
                if step.co_flags & inspect.CO_COROUTINE:
                    value = await value
                has_value = shown
                if shown and show is not None and value is not None:
                    show(value)
        except BaseException as raised:
            error = _without_our_frames(raised)
            value, has_value = None, False
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak, measure = memory.stop()
    changed, left_out = changes(before, names, looked_at, hidden)
    run = Run(
        code=program.code,
        ok=error is None,
        interrupted=_is_interrupt(error),
        value=describe(value) if has_value else None,
        printed=out.close_tee(),
        errors=err.close_tee(),
        wall_s=wall,
        cpu_s=cpu,
        memory_peak_bytes=peak,
        memory_measure=measure,
        names=changed,
        names_left_out=left_out,
        notices=_notices(value, has_value),
    )
    return Outcome(run, value, has_value, error)


def finish_at_once(coroutine: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Return what a coroutine returns that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    coroutine.close()
    raise AssertionError("a program without await has waited")


def _compiler() -> Compiler:
    made = codeop.Compile()
    made.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return made


def _compiled(
    tree: ast.Module, name: str, compiler: Compiler, interactivity: Interactivity
) -> list[tuple[CodeType, bool]]:
    """Compile statement by statement, so that one `__future__` import holds for those after it."""
    body = list(tree.body)
    if interactivity == "last_expr_or_assign":
        body += _assigned(body)
    steps = []
    for number, node in enumerate(body, 1):
        if isinstance(node, ast.Expr) and (interactivity == "all" or number == len(body)):
            code = compiler(ast.Expression(node.value), name, "eval")
            steps.append((code, interactivity != "none"))
        else:
            steps.append((compiler(ast.Module([node], []), name, "exec"), False))
    return steps


def _assigned(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the expression that shows what the last statement assigned."""
    last = body[-1] if body else None
    target: ast.expr | None = None
    if isinstance(last, ast.Assign) and len(last.targets) == 1:
        target = last.targets[0]
    elif isinstance(last, ast.AnnAssign | ast.AugAssign):
        target = last.target
    if last is None or not isinstance(target, ast.Name):
        return []
    shown = ast.Expr(ast.Name(target.id, ast.Load()))
    return [ast.fix_missing_locations(ast.copy_location(shown, last))]


def _keep_source(name: str, text: str) -> None:
    """Let tracebacks show the source, as IPython does for cells."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    _kept.append(name)
    while len(_kept) > SOURCES_KEPT:
        linecache.cache.pop(_kept.pop(0), None)


def _without_our_frames(error: BaseException) -> BaseException:
    """Return the error with a traceback that begins in the user's code."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    return error.with_traceback(frames)


def _is_interrupt(error: BaseException | None) -> bool:
    """True for Ctrl-C, and for the cancellation by which a task is interrupted; not for that of
    another task which the code awaited."""
    if isinstance(error, KeyboardInterrupt):
        return True
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0


def _notices(value: Any, has_value: bool) -> tuple[str, ...]:
    if has_value and inspect.iscoroutine(value):
        return ("The value is a coroutine that was not awaited: write await before the call.",)
    return ()
