"""`ai_complete()`: code completed from the user's namespace, shown and returned."""

from __future__ import annotations

from aiex_ipy.engine.completing import completer_of
from aiex_ipy.errors import UsageError
from aiex_ipy.frontends.ipython.session import Session, current_session
from aiex_ipy.frontends.ipython.streaming import show_and_run
from aiex_ipy.operations.complete import CompleteRequest, Completion


def complete(fragment: str, suffix: str, *, provider: str | None, model: str | None) -> Completion:
    """Complete, show, return; see `ai_complete`."""
    if not isinstance(fragment, str):
        raise UsageError(
            f"The fragment is {type(fragment).__name__}, not text.",
            code="bad_fragment",
            hint='Put it in quotes: ai_complete("df.gr").',
        )
    session = current_session()
    return show_and_run(
        session, request_for(session, fragment, suffix, provider=provider, model=model)
    )


def request_for(
    session: Session,
    fragment: str,
    suffix: str = "",
    *,
    provider: str | None = None,
    model: str | None = None,
) -> CompleteRequest:
    """Return the request for a fragment in the session's namespace."""
    return completer_of(session.engine).request(
        fragment,
        suffix,
        session.shell.user_ns if session.shell is not None else None,
        cells=last_cells(session),
        provider=provider,
        model=model,
    )


def last_cells(session: Session) -> list[str]:
    """Return the code of the cells that ran without an error, oldest first."""
    return [cell.code for cell in session.cells if cell.ok]
