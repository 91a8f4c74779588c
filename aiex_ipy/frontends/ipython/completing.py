"""`ai_complete()`: code completed from the user's namespace, shown and returned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiex_ipy.engine.completing import code_at, completer_of
from aiex_ipy.errors import UsageError
from aiex_ipy.frontends.ipython.session import Session, current_session
from aiex_ipy.frontends.ipython.streaming import show_and_run
from aiex_ipy.operations.complete import CompleteRequest, Completion

if TYPE_CHECKING:
    from aiex_ipy.frontends.ipython.magics import Call


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


def from_magic(call: Call) -> CompleteRequest:
    """Return the request of `%aiex complete CODE`, or of the cell below, or of a place in a file;
    code is taken as it stands, without the user's values in it. Raises UsageError."""
    words = call.found.question
    code = f"{words}\n{call.body}" if words and call.body else words or call.body
    before, after = code_at(
        call.session.engine,
        call.get("file") or None,
        call.get("line") or None,
        call.get("column") or None,
        code,
        allow_secret_file=call.choice["allow_secret_file"],
    )
    provider, model = call.choice["provider"], call.choice["model"]
    return request_for(call.session, before, after, provider=provider, model=model)
