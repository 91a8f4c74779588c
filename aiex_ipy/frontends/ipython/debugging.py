"""`ai_debug()`: the last failure or another target, captured here where its frames are alive."""

from __future__ import annotations

from typing import Any

from aiex_ipy.errors import UsageError
from aiex_ipy.frontends.ipython.asking import context_items
from aiex_ipy.frontends.ipython.session import Session, current_session
from aiex_ipy.frontends.ipython.streaming import show_and_run
from aiex_ipy.grounding.diagnosis.diagnose import diagnose
from aiex_ipy.grounding.failure.capture import capture
from aiex_ipy.operations.debug import DebugReport, DebugRequest


def debug(
    target: Any = None, context: Any = None, *, provider: str | None, model: str | None
) -> DebugReport:
    """Capture, explain, show, return; see `ai_debug`."""
    session = current_session()
    request = request_for(session, target, context, provider=provider, model=model)
    return show_and_run(session, request)


def request_for(
    session: Session, target: Any, context: Any = None, *, provider: str | None, model: str | None
) -> DebugRequest:
    """Return the request for a target, None being the last failure. Raises UsageError."""
    if target is None:
        target = session.failure
        if target is None:
            raise UsageError(
                "No cell has failed since aiex was loaded.",
                code="nothing_failed",
                hint="Give the exception, frame, thread, task or value: ai_debug(target).",
            )
    failure, moment = capture(
        target,
        cells=session.cells,
        name_of=session.label_of,
        names=session.shell.user_ns if session.shell is not None else None,
        project_dir=str(session.engine.settings.project_dir),
    )
    frame = moment.frame
    return DebugRequest(
        failure=failure,
        diagnoses=diagnose(moment),
        source=frame.source if frame is not None else None,
        context=context_items(context),
        provider=provider,
        model=model,
    )
