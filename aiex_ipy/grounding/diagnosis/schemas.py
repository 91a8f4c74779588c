"""Polars frames whose columns do not go together."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.operands import number_in
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    is_a,
    message,
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


_CASE = re.compile(
    r"conversion from `(?P<held>\w+)` to `(?P<to>\w+)` failed in column '(?P<column>[^']*)' for "
    r"(?P<count>\d+) out of (?P<all>\d+) values: \[(?P<values>.*?)\]|"
    r"datatypes of join keys don't match - `(?P<key>[^`]*)`: (?P<left>\w+) on left does not match "
    r"`(?P<other>[^`]*)`: (?P<right>\w+) on right|"
    r"cannot compare (?P<a>\w+) with (?P<b>[\w ]+ type)|"
    r"`(?P<operation>\w+)` operation not supported for dtype `(?P<dtype>[^`]*)`|"
    r"length (?P<more>\d+) to length (?P<rows>\d+)|"
    r"height of column '(?P<one>[^']*)' \((?P<one_size>\d+)\) does not match height of column "
    r"'(?P<two>[^']*)' \((?P<two_size>\d+)\)|"
    r"building Series of type (?P<kind>\w+); found value of type (?P<found>\w+): (?P<odd>[^\n]*)"
)
"""What polars 1 says. Source: its messages, as version 1 writes them."""


def refused_by_polars(moment: Moment) -> Iterator[Diagnosis]:
    """Casts, comparisons, joins and lengths that polars refuses: the column, dtypes, values."""
    frame, error = moment.frame, moment.error
    said = _CASE.search(message(error)) if error is not None else None
    if said is None or frame is None or "polars" not in sys.modules:
        return
    rule, cause, remedy = _told(said)
    node = frame.node
    expression = re.search(r"\n\t(\[?.*(?:col|lit)\(.*)", message(error))
    if rule:
        yield Diagnosis(
            rule=rule,
            certainty="certain",
            cause=cause,
            evidence=(
                f"{where(frame)}: {text_of(node, 60)}",
                *([f"in {expression[1].strip()}"] if expression else []),
            ),
            remedy=remedy,
        )


def _told(said: re.Match[str]) -> tuple[str, str, str]:
    """The rule, the cause and the remedy that follow from a message."""
    if said["column"]:
        return (
            "no-number",
            f"The column {said['column']!r} is {said['held']}, and {said['count']} of its "
            f"{said['all']} values cannot become {said['to']}: {said['values']}.",
            "Clean them first, or cast with strict=False, which gives null for them.",
        )
    if said["key"]:
        return (
            "merge-types",
            f"The keys of the join have different dtypes: {said['key']!r} is {said['left']} on "
            f"the left, {said['other']!r} is {said['right']} on the right.",
            f"Cast one of them: pl.col({said['key']!r}).cast(…).",
        )
    if said["a"]:
        return (
            "compared-types",
            f"A {said['a']} is compared with a {said['b']}: polars does not convert one.",
            "Compare with a value of the column's dtype, or cast the column.",
        )
    if said["operation"]:
        return (
            "text-column",
            f"{said['operation']}() is not for a column of dtype {said['dtype']}.",
            "Cast the column to numbers first, or choose another column.",
        )
    if said["more"]:
        return (
            "length-mismatch",
            f"The new column has {said['more']} values, and the table has {said['rows']} rows.",
            "Give one value for each row.",
        )
    if said["one"]:
        return (
            "length-mismatch",
            f"The columns have different lengths: {said['one']!r} has {said['one_size']}, "
            f"{said['two']!r} has {said['two_size']}.",
            "Give each column the same number of values.",
        )
    if said["kind"]:
        return (
            "mixed-column",
            f"A column begins with values of {said['kind']} and has {said['odd'].strip()}, of "
            f"{said['found']}.",
            "Give values of one type, or pass strict=False.",
        )
    return "", "", ""


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
