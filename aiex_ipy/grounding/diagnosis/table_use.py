"""Tables looped over, made, changed and written in ways they are not made for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    columns_of,
    is_a,
    length,
    message,
    nodes_at_fault,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

MOST_ROWS = 100_000


def misused_table(moment: Moment) -> Iterator[Diagnosis]:
    """What a table was asked to do that it cannot, and how it is written."""
    frame, error = moment.frame, moment.error
    if frame is None or error is None or not issubclass(type(error), Exception):
        return
    said = message(error)
    found: Diagnosis | None = None
    if "values to unpack" in said:
        found = _rows(frame)
    elif "columns passed, passed data had" in said:
        found = _columns(moment, frame, said)
    elif "does not support `Series` assignment by index" in said:
        found = _assigned(frame)
    elif said.startswith("Unable to find a usable engine"):
        found = _engine(frame, said)
    elif said.startswith("Cannot save file into a non-existent directory"):
        found = _directory(frame, said)
    elif "day is out of range for month" in said or "must be in 1..12" in said:
        found = _date(moment, frame, said)
    if found is not None:
        yield found


def _rows(frame: LiveFrame) -> Diagnosis | None:
    """`for i, row in df`, which gives the names of the columns."""
    nodes = nodes_at_fault(frame, ast.AST)
    if frame.tree is not None:
        nodes += [n for n in ast.walk(frame.tree) if getattr(n, "lineno", 0) == frame.line]
        nodes += [n for n in ast.walk(frame.tree) if isinstance(n, ast.comprehension)]
    for node in nodes:
        match node:
            case (
                ast.For(target=ast.Tuple() as target, iter=source)
                | ast.comprehension(target=ast.Tuple() as target, iter=source)
            ) if source.lineno == frame.line:
                known, table = value_of(source, frame)
            case _:
                continue
        if not known or not is_a(table, "pandas.DataFrame"):
            continue
        label = text_of(source, 40)
        two = len(target.elts) == 2
        new = f"{segment(frame, source)}.{'iterrows()' if two else 'itertuples(index=False)'}"
        names = ", ".join(shown(each) for each in columns_of(table)[:6])
        return Diagnosis(
            rule="rows-of-table",
            certainty="certain",
            cause=f"A loop over the DataFrame {label} gives the names of its columns ({names}), "
            "not its rows.",
            evidence=(f"{where(frame)}: for {text_of(target)} in {label}",),
            remedy=f"Write {new}.",
            fix=rewritten(frame, "rows", (source, new)),
        )
    return None


def _columns(moment: Moment, frame: LiveFrame, said: str) -> Diagnosis | None:
    found = re.search(r"(\d+) columns passed, passed data had (\d+) columns", said)
    if found is None:
        return None
    for call in nodes_at_fault(frame, ast.Call):
        given = next((each.value for each in call.keywords if each.arg == "columns"), None)
        if given is None:
            continue
        names = value_of(given, frame)[1]
        listed = f" ({', '.join(map(repr, names))})" if _is_short_list(names) else ""
        return Diagnosis(
            rule="length-mismatch",
            certainty="certain",
            cause=f"columns= gives {found[1]} names{listed}, and the rows have {found[2]} "
            f"value{'s' * (found[2] != '1')} each.",
            evidence=(f"{where(frame)}: {text_of(call)}", *told(traced(moment, frame, given))),
            remedy=f"Give {found[2]} names, or rows of {found[1]} values.",
        )
    return None


def _is_short_list(value: Any) -> bool:
    return type(value) is list and len(value) <= 8 and all(type(each) is str for each in value)


def _assigned(frame: LiveFrame) -> Diagnosis | None:
    """`table["a"] = …` of polars."""
    for node in ast.walk(frame.tree) if frame.tree is not None else ():
        if not isinstance(node, ast.Assign) or node.lineno != frame.line:
            continue
        match node.targets[0]:
            case ast.Subscript(value=ast.Name(id=label) as owner, slice=ast.Constant(value=column)):
                table = value_of(owner, frame)[1]
            case _:
                continue
        if not is_a(table, "polars.DataFrame") or type(column) is not str:
            continue
        value = segment(frame, node.value)
        known, given = value_of(node.value, frame)
        plain = known and type(given) in {int, float, str, bool}
        made = f"pl.lit({value})" if plain else f"pl.Series({value})"
        new = f"{label} = {label}.with_columns({made}.alias({column!r}))"
        has = "pl" in frame.globals or "pl" in frame.locals
        return Diagnosis(
            rule="polars-assignment",
            certainty="certain",
            cause=f"{label} is a DataFrame of polars, which cannot be changed by "
            f"{label}[{column!r}] = …; a new one with the column is made.",
            evidence=(f"{where(frame)}: {text_of(node)}",),
            remedy=f"Write {new}.",
            fix=rewritten(frame, "with_columns", (node, new)) if has else None,
        )
    return None


def _engine(frame: LiveFrame, said: str) -> Diagnosis:
    names = list(dict.fromkeys(re.findall(r"'(\w+)'", said))) or ["pyarrow"]
    return Diagnosis(
        rule="missing-engine",
        certainty="certain",
        cause=f"pandas reads and writes these files with {' or '.join(names)}, and none of them "
        "can be imported here.",
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
        remedy=f"Install it into this environment: pip install {names[0]}.",
    )


def _directory(frame: LiveFrame, said: str) -> Diagnosis:
    path = said.partition(": ")[2].strip("'\"")
    return Diagnosis(
        rule="missing-directory",
        certainty="certain",
        cause=f"The directory {path!r} does not exist, and the file is to be written into it.",
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
        remedy=f"Make it first: os.makedirs({path!r}, exist_ok=True).",
    )


def _date(moment: Moment, frame: LiveFrame, said: str) -> Diagnosis | None:
    """The first text of a column that is no day of the calendar, with its row."""
    import calendar

    for node in nodes_at_fault(frame, ast.expr):
        known, column = value_of(node, frame)
        if known and type(column) in {list, tuple}:
            pairs = list(enumerate(column[:MOST_ROWS]))
        elif known and is_a(column, "pandas.Series") and (length(column) or 0) <= MOST_ROWS:
            pairs = list(zip(column.index, column, strict=True))
        else:
            continue
        for row, text in pairs:
            parts = re.match(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})", text) if type(text) is str else None
            if parts is None:
                continue
            year, month, day = (int(each) for each in parts.groups())
            if not 1 <= month <= 12:
                why = f"there is no month {month}"
            elif year and not 1 <= day <= calendar.monthrange(year, month)[1]:
                last = calendar.monthrange(year, month)[1]
                why = f"{calendar.month_name[month]} {year} has {last} days"
            else:
                continue
            label = text_of(node, 40)
            return Diagnosis(
                rule="no-date",
                certainty="certain",
                cause=f"The text {text!r} cannot be read as a date: {why}. It stands in {label}, "
                f"row {shown(row)}.",
                evidence=(
                    f"{where(frame)}: {text_of(frame.node, 60)}",
                    *told(traced(moment, frame, node)),
                ),
                remedy="Correct it, or pass errors='coerce' to get NaT for it.",
            )
    return None
