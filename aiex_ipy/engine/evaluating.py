"""`aiex.evaluate`: run code in a namespace, measure it, explain what it did."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiex_ipy.engine.engine import Engine, default_engine
from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.evaluation.running import Outcome, Program, execute, finish_at_once
from aiex_ipy.operations.evaluate import EvalRequest, Evaluation

if TYPE_CHECKING:
    from aiex_ipy.grounding.cells import RanCell


def evaluate(
    code: str,
    namespace: dict[str, Any] | None = None,
    *,
    explain: bool = True,
    provider: str | None = None,
    model: str | None = None,
) -> Evaluation:
    """Run `code` in `namespace`, None being that of `__main__`, and say what it did.

    The code may `await`, also inside a running event loop. What it prints goes where it always
    goes. `value` and `error` of the result are live; its error is not raised, but for an interrupt
    (KeyboardInterrupt). Raises UsageError where there is no code.
    """
    program = Program(_checked(code))
    names = _names(namespace)
    outcome = run_and_wait(program, names)
    if outcome.run.interrupted and outcome.error is not None:
        raise interrupt_of(outcome)
    request = _request(outcome, default_engine(), names, explain, provider, model)
    result = default_engine().run_sync(request)
    return result.with_live(outcome.value, outcome.error)


async def evaluate_async(
    code: str,
    namespace: dict[str, Any] | None = None,
    *,
    explain: bool = True,
    provider: str | None = None,
    model: str | None = None,
) -> Evaluation:
    """Run `code` on the caller's event loop, else as `evaluate`."""
    program = Program(_checked(code))
    names = _names(namespace)
    outcome = await execute(program, names)
    if outcome.run.interrupted and outcome.error is not None:
        raise outcome.error
    request = _request(outcome, default_engine(), names, explain, provider, model)
    result = await default_engine().run(request)
    return result.with_live(outcome.value, outcome.error)


def run_and_wait(
    program: Program,
    names: dict[str, Any],
    *,
    loop: Callable[[], Any] | None = None,
    **options: Any,
) -> Outcome:
    """Run a program in this thread, its awaits included; `loop` gives the event loop to use where
    none runs. `options` are those of `execute`."""
    if not program.awaits:
        return finish_at_once(execute(program, names, **options))
    from aiex_ipy.grounding.evaluation.waiting import wait_for

    return wait_for(execute(program, names, **options), None if loop is None else loop())


def interrupt_of(outcome: Outcome) -> BaseException:
    """Return the interrupt of a run as the caller gets it: KeyboardInterrupt, also where the code
    was awaiting and got a cancellation for it."""
    if isinstance(outcome.error, KeyboardInterrupt):
        return outcome.error
    return KeyboardInterrupt()


class _Around:
    """The surroundings of a run outside of a session: its names alone."""

    cells: tuple[RanCell, ...] = ()
    failure: BaseException | None = None

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def label_of(self, file: str) -> None:
        """Know no cells."""


def _checked(code: str) -> str:
    if not isinstance(code, str):
        raise UsageError(
            f"The code is of type {type(code).__name__!r}.",
            code="no_code",
            hint="Give the code as a string.",
        )
    if not code.strip():
        raise UsageError("There is no code to run.", code="no_code", hint="Give some Python code.")
    return code


def _names(namespace: dict[str, Any] | None) -> dict[str, Any]:
    return sys.modules["__main__"].__dict__ if namespace is None else namespace


def _request(
    outcome: Outcome,
    engine: Engine,
    names: dict[str, Any],
    explain: bool,
    provider: str | None,
    model: str | None,
) -> EvalRequest:
    failure = None
    if outcome.error is not None:
        from aiex_ipy.engine.debugging import debug_request

        failure = debug_request(engine, outcome.error, around=_Around(names))
    return EvalRequest(
        run=outcome.run, failure=failure, explain=explain, provider=provider, model=model
    )
