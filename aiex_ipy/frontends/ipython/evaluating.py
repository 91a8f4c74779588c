"""`ai_eval()`: code run as a cell is run, then what it did, shown and explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiex_ipy.engine.evaluating import interrupt_of, run_and_wait
from aiex_ipy.errors import UsageError
from aiex_ipy.frontends.ipython.session import Session, current_session
from aiex_ipy.frontends.ipython.streaming import interruptible, quiet, show_and_run
from aiex_ipy.grounding.evaluation.running import Outcome, Program
from aiex_ipy.operations.base import Request
from aiex_ipy.operations.evaluate import EvalRequest, Evaluation

if TYPE_CHECKING:
    from aiex_ipy.frontends.ipython.magics import Call


def evaluate(
    code: str, explain: bool = True, *, provider: str | None, model: str | None
) -> Evaluation:
    """Run, show, explain, return; see `ai_eval`."""
    session = current_session()
    request, outcome = run_code(session, code, explain=explain, provider=provider, model=model)
    return show_and_run(session, request).with_live(outcome.value, outcome.error)


def run_code(
    session: Session,
    code: str,
    *,
    explain: bool,
    provider: str | None,
    model: str | None,
    allow_secret_file: bool = False,
) -> tuple[EvalRequest, Outcome]:
    """Run `code` in the session's namespace; return the request that explains it and what came of
    it. Raises UsageError for no code, and the interrupt of an interrupted run."""
    if not isinstance(code, str) or not code.strip():
        what = "There is no code to run" if isinstance(code, str) else f"{type(code)!r} is no code"
        raise UsageError(f"{what}.", code="no_code", hint="Give some Python code as a string.")
    with interruptible() as awaited:
        outcome = _run(session, code)
    session.note_evaluated(code, outcome.error)
    if outcome.run.interrupted:
        raise _interrupt(session, outcome, awaited)
    failure = None
    if outcome.error is not None:
        from aiex_ipy.engine.debugging import debug_request

        failure = debug_request(session.engine, outcome.error, around=session)
    request = EvalRequest(
        run=outcome.run,
        failure=failure,
        explain=explain,
        provider=provider if explain else "none",
        model=model if explain else None,
        allow_secret_file=allow_secret_file,
    )
    return request, outcome


def from_magic(call: Call) -> Request[Any]:
    """Run the words of `%aiex eval CODE`, or the cell below; return the request about that run."""
    words = call.found.question
    if words and call.body.strip():
        raise UsageError(
            f"There are two pieces of code: {words!r} and the cell.",
            code="two_targets",
            hint="Leave the cell empty, or the code out.",
        )
    request, outcome = run_code(
        call.session, words or call.body, explain="facts" not in call.found.values, **call.choice
    )
    call.after = lambda session, result: result.with_live(outcome.value, outcome.error)
    return request


def _run(session: Session, code: str) -> Outcome:
    """Run as a cell: magics, IPython's compiler and tree transformers, values shown by IPython.
    `_`, `Out`, `In` and the history stay as they are."""
    shell = session.shell
    if shell is None:
        import sys

        return run_and_wait(Program(code), sys.modules["__main__"].__dict__, show=_print)
    import ast

    from IPython.core.async_helpers import get_asyncio_loop
    from IPython.display import display

    try:
        text = shell.transform_cell(code)
    except Exception:  # what is wrong with the code is said when it is compiled
        text = code
    awaits = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if shell.autoawait else 0
    with shell.builtin_trap, shell.compile.extra_flags(awaits):
        program = Program(
            code,
            text=text,
            compiler=shell.compile,
            transform=shell.transform_ast,
            interactivity=shell.ast_node_interactivity,
        )
    show = None if _ends_quietly(shell, text) else display
    with shell.builtin_trap:
        return run_and_wait(
            program,
            shell.user_ns,
            loop=get_asyncio_loop,
            global_names=shell.user_global_ns,
            show=show,
            hidden=shell.user_ns_hidden,
        )


def _ends_quietly(shell: Any, text: str) -> bool:
    """True when a semicolon at the end asks that the value is not shown."""
    try:
        return bool(shell.displayhook.semicolon_at_end_of_expression(text))
    except Exception:  # the tokenizer's, for code that is not whole
        return False


def _print(value: Any) -> None:
    print(repr(value))


def _interrupt(session: Session, outcome: Outcome, awaited: bool) -> BaseException:
    """Return what ends an interrupted cell, which says where the code was; `_aiex` holds what was
    measured until then."""
    session.keep(Evaluation(run=outcome.run).with_live(None, outcome.error))
    frames = outcome.error.__traceback__ if outcome.error is not None else None
    line = f", line {frames.tb_lineno}" if frames is not None else ""
    why = f"the code was interrupted after {outcome.run.wall_s:.1f} s{line}."
    if awaited:
        import asyncio

        return quiet(asyncio.CancelledError(), why)
    return quiet(interrupt_of(outcome).with_traceback(None), why)
