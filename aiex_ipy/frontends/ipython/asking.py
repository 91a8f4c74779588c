"""`ai()`: a question asked from Python, shown as it is answered."""

from __future__ import annotations

import os
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
    """Return `context` as an operation takes it: one item, or those of a list or tuple; objects
    as subjects. Of an object nothing is called, but `__fspath__` of a path."""
    if context is None:
        return ()
    kind = type(context)
    return (
        tuple(_item(each) for each in context)
        if kind is list or kind is tuple
        else (_item(context),)
    )


def _item(value: Any) -> str | Subject:
    from aiex_ipy.grounding.live import object_subject
    from aiex_ipy.grounding.live.static import MISSING, class_attribute, is_class, text_of

    if type(value) is Subject:
        return value
    text = text_of(value)
    if text is not None:
        return text
    if class_attribute(type(value), "__fspath__") is not MISSING and not is_class(value):
        return os.fsdecode(value)
    return object_subject(value)
