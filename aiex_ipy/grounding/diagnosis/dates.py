"""Dates that may have been read with month and day exchanged."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.operands import is_text_column
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.replay import Step, steps_of
from aiex_ipy.grounding.diagnosis.sight import is_a, text_of
from aiex_ipy.grounding.failure.moment import Moment

MOST_TEXTS = 2_000
MOST_CHARACTERS = 100_000
_DATE = re.compile(r"(?<![\d/.-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
_SETTLED = frozenset({"dayfirst", "format", "date_format", "yearfirst"})


def month_first(moment: Moment) -> Iterator[Diagnosis]:
    """`to_datetime` or `read_csv` without `dayfirst` over dates that can be read both ways."""
    steps = steps_of(moment)
    texts = list(dict.fromkeys(each for step in steps for each in _dates(step)))
    pairs = [(int(m[1]), int(m[3])) for m in map(_DATE.fullmatch, texts) if m]
    if not pairs or any(a > 12 or b > 12 or not a or not b for a, b in pairs):
        return
    example = next((t for t, (a, b) in zip(texts, pairs, strict=False) if a != b), None)
    if example is None:
        return
    for step in steps:
        for node in ast.walk(step.node):
            if isinstance(node, ast.Call) and _reads_dates(node):
                yield _said(step, node, texts, example)
                return


def _reads_dates(call: ast.Call) -> bool:
    given = {each.arg for each in call.keywords}
    name = text_of(call.func).rpartition(".")[2]
    if given & _SETTLED or None in given:
        return False
    return (name == "to_datetime" and len(call.args) == 1) or (
        name in {"read_csv", "read_table"} and "parse_dates" in given
    )


def _said(step: Step, call: ast.Call, texts: list[str], example: str) -> Diagnosis:
    found = _DATE.fullmatch(example)
    assert found is not None
    first, sign, second = found[1], found[2], found[3]
    year = "%Y" if len(found[4]) == 4 else "%y"
    fix = None
    if step.code is not None:
        text = segment(step.code, call)
        fix = rewritten(step.code, "dayfirst", (call, f"{text[:-1].rstrip(', ')}, dayfirst=True)"))
    target = ""
    if isinstance(step.node, ast.Assign):
        target = f" ({text_of(step.node.targets[0], 40)})"
    return Diagnosis(
        rule="month-first",
        certainty="possible",
        cause=f"{text_of(call, 60)}{target} reads dates like {example!r} month first, as month "
        f"{int(first)}, day {int(second)}; all {len(texts)} dates can also be day first, with "
        "day and month swapped.",
        evidence=(f"{step.place}: {text_of(step.node, 60)}", f"dates: {', '.join(texts[:5])}"),
        remedy=f"If the day stands first, pass dayfirst=True or format='%d{sign}%m{sign}{year}'.",
        fix=fix,
    )


def _dates(step: Step) -> Iterator[str]:
    """The texts of dates that a step has, as constants, texts, columns or files in memory."""
    for node in ast.walk(step.node):
        if isinstance(node, ast.Constant):
            yield from _dates_in(node.value)
        elif isinstance(node, ast.Name | ast.Subscript):
            yield from _dates_in(step.value(node)[1])


def _dates_in(value: Any) -> Iterator[str]:
    if type(value) is io.StringIO and not value.closed:
        value = value.getvalue()
    if type(value) is str:
        found = _DATE.finditer(value[:MOST_CHARACTERS])
        yield from (each[0] for each in islice(found, MOST_TEXTS))
    elif type(value) in {list, tuple}:
        yield from _whole(value[:MOST_TEXTS])
    elif is_a(value, "pandas.Series") and is_text_column(value):
        yield from _whole(value.iloc[:MOST_TEXTS])


def _whole(texts: Iterable[Any]) -> Iterator[str]:
    for each in texts:
        if type(each) is str and _DATE.fullmatch(each.strip()):
            yield each.strip()
