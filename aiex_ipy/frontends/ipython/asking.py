"""`ai()`: a question asked from Python, shown as it is answered."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiex_ipy.frontends.ipython.session import current_session
from aiex_ipy.frontends.ipython.streaming import show_and_run
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.operations.ask import AskRequest

if TYPE_CHECKING:
    from aiex_ipy.messages import Answer


def ask(query: str, context: Any, *, provider: str | None, model: str | None) -> Answer:
    """Ask, show, return; see `ai`."""
    request = AskRequest(
        query=str(query), context=context_items(context), provider=provider, model=model
    )
    return show_and_run(current_session(), request)


def context_items(context: Any) -> tuple[str | Subject, ...]:
    """Return `context` as an operation takes it: one item or several, objects as subjects."""
    if context is None:
        return ()
    if isinstance(context, str | os.PathLike | Subject) or not isinstance(context, Sequence):
        return (_item(context),)
    return tuple(_item(each) for each in context)


def _item(value: Any) -> str | Subject:
    if isinstance(value, str | Subject):
        return value
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    from aiex_ipy.grounding.live import object_subject

    return object_subject(value)
