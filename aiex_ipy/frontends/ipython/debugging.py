"""`ai_debug()` and `%aiex debug`: the last failure or another target, captured here, in the thread
where its frames are alive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from aiex_ipy.engine.debugging import LAST, debug_request
from aiex_ipy.engine.surroundings import Surroundings
from aiex_ipy.errors import UsageError
from aiex_ipy.frontends.ipython.asking import context_items
from aiex_ipy.frontends.ipython.session import Session, current_session
from aiex_ipy.frontends.ipython.streaming import show_and_run
from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.operations.base import Request
from aiex_ipy.operations.debug import DebugReport

if TYPE_CHECKING:
    from aiex_ipy.frontends.ipython.magics import Call


def debug(
    target: Any,
    context: Any,
    *,
    replace: bool,
    provider: str | None,
    model: str | None,
    caller: FrameType,
) -> DebugReport:
    """Capture, explain, show, return; see `ai_debug`."""
    session = current_session()
    expression = argument_of(caller)
    request = debug_request(
        session.engine,
        LAST if target is None and expression in ("", "None") else target,
        around=session,
        expression=expression,
        context=context_items(context),
        provider=provider,
        model=model,
    )
    report = show_and_run(session, request)
    if replace:
        put_in_place(session, report)
    return report


def argument_of(caller: FrameType) -> str:
    """Return the source text of the first argument of the call that runs in a frame, or `""`."""
    import ast

    import executing

    try:
        node = executing.Source.executing(caller).node
    except Exception:  # a source that cannot be read tells no text
        return ""
    if not isinstance(node, ast.Call):
        return ""
    named = [each.value for each in node.keywords if each.arg == "target"]
    first = [*node.args, *named]
    return ast.unparse(first[0]) if first else ""


def put_in_place(session: Session, report: DebugReport) -> None:
    """Put the mended cell into the front end in place of the cell that runs, or say why not."""
    fix = report.best_fix
    if fix is None:
        print("There is no fix to put in place.")
    elif fix.source.cell is None or session.shell is None:
        print(f"The fix is for {fix.source.path}; only cells are replaced. See its diff above.")
    else:
        text = session.whole(fix.source.cell, fix.after)
        session.shell.set_next_input(text, replace=True)


class Within:
    """A session while a magic runs a cell's body: the body is the cell that the user sees."""

    def __init__(self, session: Session, body: str) -> None:
        self.session = session
        number = len(session.shell.user_ns.get("_ih", [""])) - 1
        self.cell = RanCell(number=number, code=body, ok=False)
        self._known = {cell.label for cell in session.cells}

    @property
    def cells(self) -> Sequence[RanCell]:
        """The cells that ran, and this one."""
        return (*(c for c in self.session.cells if c.number is not None), self.cell)

    @property
    def names(self) -> Mapping[str, Any] | None:
        """The user's namespace."""
        return self.session.names

    @property
    def failure(self) -> BaseException | None:
        """The exception of the last cell that failed."""
        return self.session.failure

    def label_of(self, file: str) -> str | None:
        """The name of a cell; the body was given a number of its own when it was compiled."""
        label = self.session.label_of(file)
        return self.cell.label if label is not None and label not in self._known else label


def from_magic(call: Call) -> Request[Any]:
    """Return the request of `%aiex debug [EXPRESSION]`, or of the cell below, which is run.

    The expression is the user's own and is evaluated in their namespace.
    """
    session = call.session
    around: Surroundings = session
    words = call.found.question
    target = LAST
    if call.body.strip():
        if words:
            raise UsageError(
                f"There are two things to debug: {words!r} and the cell.",
                code="two_targets",
                hint="Leave the cell empty, or the expression out.",
            )
        around = Within(session, call.body)
        run = session.shell.run_cell(call.body)
        target = run.error_before_exec or run.error_in_exec
        if target is None:
            raise UsageError(
                "The cell ran without an error.",
                code="nothing_failed",
                hint="Name the value that is wrong: %aiex debug EXPRESSION.",
            )
    elif words:
        target = session.shell.ev(words)
    if "replace" in call.found.values:
        call.after = put_in_place
    return debug_request(
        session.engine,
        target,
        around=around,
        expression=words,
        context=call.context(),
        **call.choice,
    )
