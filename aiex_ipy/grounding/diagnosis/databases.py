"""What SQLAlchemy refuses to execute."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    has_class,
    nodes_at_fault,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

_RUNS = frozenset({"execute", "scalar", "scalars", "stream", "stream_scalars"})


def plain_sql(moment: Moment) -> Iterator[Diagnosis]:
    """A text given to `execute` of SQLAlchemy 2, which takes constructs alone."""
    frame, error = moment.frame, moment.error
    refused = error is not None and (
        has_class(error, "sqlalchemy", "ObjectNotExecutableError")
        or (has_class(error, "sqlalchemy", "ArgumentError") and "text(" in str(error.args[:1]))
    )
    if frame is None or not refused:
        return
    for call in nodes_at_fault(frame, ast.Call):
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in _RUNS:
            continue
        for argument in [*call.args[:1], *(k.value for k in call.keywords if k.arg == "statement")]:
            known, value = value_of(argument, frame)
            text = (known and type(value) is str) or isinstance(argument, ast.JoinedStr)
            if not text:
                continue
            label = text_of(argument, 40)
            name = _text_name(frame)
            yield Diagnosis(
                rule="plain-sql",
                certainty="certain",
                cause=f"{label} is a plain str{f' ({shown(value)})' if known else ''}, and "
                f"{text_of(call.func)}() of SQLAlchemy 2 executes no plain strings: SQL must be "
                "wrapped in sqlalchemy.text().",
                evidence=(
                    f"{where(frame)}: {text_of(call)}",
                    *told(traced(moment, frame, argument)),
                ),
                remedy=f"Write {text_of(call.func)}({name or 'sqlalchemy.text'}({label}), …), or "
                "use conn.exec_driver_sql(…); write parameters as :name.",
                fix=rewritten(frame, "text()", (argument, f"{name}({segment(frame, argument)})"))
                if name
                else None,
            )
            return


def _text_name(frame: LiveFrame) -> str:
    """What `sqlalchemy.text` is called in a frame."""
    module = sys.modules.get("sqlalchemy")
    if module is None:
        return ""
    for name, value in list(frame.globals.items()):
        if value is module:
            return f"{name}.text"
        if value is module.__dict__.get("text"):
            return name
    return ""
