"""Polars frames whose columns do not go together."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.operands import number_in
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    is_a,
    nodes_at_fault,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

MOST_FRAMES = 200
MOST_VALUES = 10_000


def other_schema(moment: Moment) -> Iterator[Diagnosis]:
    """`pl.concat`, `vstack` and `extend` of frames whose columns differ in name or dtype."""
    frame, error = moment.frame, moment.error
    if frame is None or type(error).__module__.partition(".")[0] != "polars":
        return
    for call in nodes_at_fault(frame, ast.Call):
        frames = _frames(frame, call)
        if len(frames) > 1:
            found = _differing(moment, frame, call, frames)
            if found is not None:
                yield found
                return


def _frames(frame: LiveFrame, call: ast.Call) -> list[tuple[str, Any]]:
    """The frames a call puts together, with what they are called."""
    method = text_of(call.func).rpartition(".")[2]
    if not call.args:
        return []
    first = call.args[0]
    if method == "concat":
        if isinstance(first, ast.List | ast.Tuple):
            pairs = [(text_of(each, 40), value_of(each, frame)[1]) for each in first.elts]
        else:
            items = value_of(first, frame)[1]
            if type(items) not in {list, tuple}:
                return []
            label = text_of(first, 40)
            pairs = [(f"{label}[{n}]", each) for n, each in enumerate(items[:MOST_FRAMES])]
    elif method in {"vstack", "extend"} and isinstance(call.func, ast.Attribute):
        pairs = [(text_of(each, 40), value_of(each, frame)[1]) for each in (call.func.value, first)]
    else:
        return []
    return [each for each in pairs if is_a(each[1], "polars.DataFrame")]


def _differing(
    moment: Moment, frame: LiveFrame, call: ast.Call, frames: list[tuple[str, Any]]
) -> Diagnosis | None:
    label, first = frames[0]
    steps = told(traced(moment, frame, call.args[0]))
    for name, other in frames[1:]:
        missing = [c for c in first.columns if c not in other.columns]
        more = [c for c in other.columns if c not in first.columns]
        if missing or more:
            lacks = f"lacks {', '.join(map(repr, missing[:5]))}" if missing else ""
            has = f"has {', '.join(map(repr, more[:5]))} more" if more else ""
            return Diagnosis(
                rule="other-schema",
                certainty="certain",
                cause=f"{name} has other columns than {label}: it "
                f"{' and '.join(each for each in (lacks, has) if each)}.",
                evidence=(f"{where(frame)}: {text_of(call)}", *steps),
                remedy="Rename or select the columns, or pass how='diagonal'.",
            )
        for column in first.columns:
            a, b = first.get_column(column), other.get_column(column)
            if a.dtype == b.dtype:
                continue
            texts = next(
                ((n, c) for n, c in ((label, a), (name, b)) if str(c.dtype) == "String"), None
            )
            odd = _odd_text(texts[1]) if texts is not None else None
            why = f": {texts[0]} has {odd!r} there, which is no number" if texts and odd else ""
            remedy = "Cast one of them, or pass how='vertical_relaxed'."
            if odd:
                remedy = (
                    f"Read it with null_values={odd!r}, or cast: "
                    f"pl.col({column!r}).cast(pl.{a.dtype if texts[1] is b else b.dtype}, "  # type: ignore[index]
                    "strict=False)."
                )
            return Diagnosis(
                rule="other-schema",
                certainty="certain",
                cause=f"The column {column!r} is {a.dtype} in {label} and {b.dtype} in {name}"
                f"{why}.",
                evidence=(
                    f"{where(frame)}: {text_of(call)}",
                    f"{label}[{column!r}] begins with {_begin(a)}, {name}[{column!r}] with "
                    f"{_begin(b)}",
                    *steps,
                ),
                remedy=remedy,
            )
    return None


def _odd_text(column: Any) -> str | None:
    """The first text of a column that is no number."""
    for each in column.head(MOST_VALUES):
        if type(each) is str and not number_in(each):
            return each[:40]
    return None


def _begin(column: Any) -> str:
    return ", ".join(shown(each) for each in column.head(3)) or "nothing"
