"""Labels of a table's index taken for positions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    columns_of,
    is_a,
    nodes_at_fault,
    shown,
    text_of,
    where,
)
from aiex_ipy.grounding.diagnosis.worth import worth
from aiex_ipy.grounding.failure.evaluate import Scope
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

MOST_LABELS = 5
MOST_ROWS = 100_000
"""Rows of an index that is searched."""


def label_for_position(moment: Moment) -> Iterator[Diagnosis]:
    """`column[0]` and `table.loc[0]` where no label 0 is: a position is meant."""
    frame = moment.frame
    if frame is None or type(moment.error) is not KeyError:
        return
    scope = Scope(frame.locals, frame.globals)
    for node in nodes_at_fault(frame, ast.Subscript):
        owner, by = node.value, ""
        match owner:
            case ast.Attribute(value=inner, attr="loc" | "at" as by):
                owner = inner
        known, table = worth(owner, scope)
        key_node = node.slice
        if by and isinstance(key_node, ast.Tuple) and key_node.elts:
            key_node = key_node.elts[0]
        told_key, key = worth(key_node, scope)
        if not (known and told_key) or type(key) is not int:
            continue
        is_table = is_a(table, "pandas.DataFrame")
        if not is_table and not is_a(table, "pandas.Series"):
            continue
        if is_table and not by and key in columns_of(table):
            continue
        if (is_table and not by) or len(table) > MOST_ROWS or key in table.index:
            continue
        yield _said(moment, frame, node, owner, by, key_node, key, table)
        return


def _said(
    moment: Moment,
    frame: LiveFrame,
    node: ast.Subscript,
    owner: ast.expr,
    by: str,
    key_node: ast.expr,
    key: int,
    table: Any,
) -> Diagnosis:
    label = text_of(owner, 40)
    labels = [each.item() if hasattr(each, "item") else each for each in table.index[:MOST_LABELS]]
    more = " …" if len(table) > MOST_LABELS else ""
    evidence = [f"{where(frame)}: {text_of(node)}", *told(traced(moment, frame, _base(owner)))]
    if not len(table):
        return Diagnosis(
            rule="label-for-position",
            certainty="certain",
            cause=f"{label} has no rows, so no label {key} either.",
            evidence=tuple(evidence),
            remedy="See why nothing was chosen, or check len(…) first.",
        )
    fits = -len(table) <= key < len(table)
    what = "the first" if key == 0 else "the last" if key == -1 else f"position {key}"
    fix = None
    if fits and not by:
        fix = rewritten(
            frame, ".iloc", (node, f"{segment(frame, owner)}.iloc[{segment(frame, node.slice)}]")
        )
    kept = ""
    if type(labels[0]) is int and labels != list(range(len(labels))):
        kept = " (rows keep their labels when a table is filtered or sorted)"
    return Diagnosis(
        rule="label-for-position",
        certainty="certain",
        cause=f"{text_of(node, 60)} looks for the index label {key}, and the index of {label} has "
        f"{', '.join(map(shown, labels))}{more}, not {key}{kept}."
        + ("" if fits else f" It has {len(table)} rows."),
        evidence=tuple(evidence),
        remedy=f"Take {what} by position: {label}.iloc[{text_of(key_node)}], or call "
        "reset_index(drop=True) first."
        if fits
        else f"Take a label that is there, or a position below {len(table)} with .iloc.",
        fix=fix,
    )


def _base(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node
