"""`ai_doc()` and `%aiex doc`: what is documented of an object or a name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from aiex_ipy.frontends.ipython.session import Session, current_session
from aiex_ipy.frontends.ipython.streaming import show_and_run
from aiex_ipy.operations.base import Request
from aiex_ipy.operations.doc import DocRequest, Documentation, request_for

if TYPE_CHECKING:
    from aiex_ipy.frontends.ipython.magics import Call


def document(target: Any, *, run: bool, provider: str | None, model: str | None) -> Documentation:
    """Look up, show, return; see `ai_doc`."""
    session = current_session()
    return show_and_run(session, _request(session, target, run, provider=provider, model=model))


def from_magic(call: Call) -> Request[Any]:
    """Return the request of `%aiex doc NAME`."""
    run = "static" not in call.found.values
    return _request(call.session, call.found.question, run, **call.choice)


def _request(session: Session, target: Any, run: bool, **choice: Any) -> DocRequest:
    shell = session.shell
    names = sys.modules["__main__"].__dict__ if shell is None else shell.user_ns
    return request_for(
        target, names, run=run, label_of=session.label_of, cells=session.cells, **choice
    )
