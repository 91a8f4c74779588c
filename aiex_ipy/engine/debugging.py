"""A failure captured in the calling thread, as a request that any thread may answer."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from aiex_ipy.engine.engine import Engine
from aiex_ipy.engine.surroundings import Surroundings
from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.diagnosis.diagnose import diagnose
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.failure.capture import capture
from aiex_ipy.grounding.failure.moment import Moment
from aiex_ipy.grounding.failure.record import Failure
from aiex_ipy.grounding.failure.sources import nameless
from aiex_ipy.grounding.fix import Source
from aiex_ipy.operations.debug import DebugRequest

MOST_NAMES = 20_000
"""Names of the namespace that a model's fix is checked against."""
LAST: Any = object()
"""Stands for the last failure: None is a value one may ask about."""


def debug_request(
    engine: Engine,
    target: Any = LAST,
    *,
    around: Surroundings | None = None,
    expression: str = "",
    context: Sequence[str | Subject] = (),
    provider: str | None = None,
    model: str | None = None,
    allow_secret_file: bool = False,
) -> DebugRequest:
    """Capture `target`, else the last failure, here and now; `expression` is its source text.

    Raises UsageError when nothing has failed.
    """
    if target is LAST:
        target = _last(around)
    failure, moment = capture(
        target,
        cells=around.cells if around is not None else (),
        name_of=around.label_of if around is not None else nameless,
        names=_names(around, expression),
        project_dir=str(engine.settings.project_dir or ""),
        expression=expression,
    )
    source = _source(failure, moment, around)
    return DebugRequest(
        failure=failure,
        diagnoses=diagnose(moment),
        source=source,
        shown=moment.shown(source),
        context=tuple(context),
        names=tuple(islice((n for n in list(moment.names) if type(n) is str), MOST_NAMES)),
        provider=provider,
        model=model,
        allow_secret_file=allow_secret_file,
    )


def _names(around: Surroundings | None, expression: str) -> Mapping[str, Any] | None:
    """The names an expression is made of: the session's, else those of the program itself."""
    if around is not None:
        return around.names
    return sys.modules["__main__"].__dict__ if expression else None


def _source(failure: Failure, moment: Moment, around: Surroundings | None) -> Source | None:
    """The text a fix is for: that of the frame which failed, else the last cell that made the
    wrong value."""
    if moment.frame is not None:
        return moment.frame.source
    if not failure.cells or around is None:
        return None
    number = failure.cells[-1].number
    codes = [each.code for each in around.cells if each.number == number is not None]
    return Source(path=failure.cells[-1].label, text=codes[-1], cell=number) if codes else None


def _last(around: Surroundings | None) -> BaseException:
    """The exception being handled, else the session's last one, else the interpreter's."""
    known = (
        sys.exc_info()[1],
        around.failure if around is not None else None,
        getattr(sys, "last_exc", None),
        getattr(sys, "last_value", None),
    )
    for error in known:
        if isinstance(error, BaseException):
            return error
    raise UsageError(
        "Nothing has failed since aiex was loaded.",
        code="nothing_failed",
        hint="Give what went wrong: an exception, frame, thread, task, process id or value.",
    )
