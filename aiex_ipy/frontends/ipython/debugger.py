"""The `ai` command of pdb: explain the frame or the failure one is looking at."""

from __future__ import annotations

from typing import Any


def explain_here(debugger: Any, words: str) -> None:
    """Explain the failure that led to the debugger's frame, else the frame itself; `words` are a
    question about it, or nothing."""
    from aiex_ipy.engine.debugging import debug_request
    from aiex_ipy.errors import AiexError
    from aiex_ipy.frontends.ipython.session import current_session
    from aiex_ipy.frontends.ipython.streaming import show_and_run

    session = current_session()
    try:
        target = failure_here(debugger, session.failure)
        question = (words.strip(),) if words.strip() else ()
        request = debug_request(session.engine, target, around=session, context=question)
        report = show_and_run(session, request)
        if question and report.model is None:
            debugger.message(
                f"Your question was asked of nobody, as no model spoke: {question[0]!r}"
            )
    except AiexError as error:
        debugger.error(str(error))


def failure_here(debugger: Any, last: BaseException | None) -> Any:
    """Return the exception whose traceback holds the debugger's frame, else that frame."""
    import sys

    frame = debugger.curframe
    known = (
        (frame.f_locals.get("__exception__") or (None, None))[1],
        sys.exc_info()[1],
        getattr(sys, "last_exc", None),
        getattr(sys, "last_value", None),
        last,
    )
    for error in known:
        traceback = error.__traceback__ if isinstance(error, BaseException) else None
        while traceback is not None:
            if traceback.tb_frame is frame:
                return error
            traceback = traceback.tb_next
    return frame
