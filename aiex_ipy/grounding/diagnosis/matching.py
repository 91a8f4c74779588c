"""Tables in which nothing, or too much, matches, or that were changed in a copy."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.operands import MOST_VALUES, is_text_column
from aiex_ipy.grounding.diagnosis.origin import (
    known,
)
from aiex_ipy.grounding.diagnosis.parts import doubted, parts_of, texts_of_code
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.replay import Step, steps_of
from aiex_ipy.grounding.diagnosis.shapes import merge_parts
from aiex_ipy.grounding.diagnosis.sight import (
    close_to,
    is_a,
    shown,
    text_of,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

MOST_ROWS = 100_000
"""Rows of tables whose values are compared: more would take longer than the whole report may."""


def filter_without_rows(part: Step, node: ast.Subscript) -> Diagnosis | None:
    """`df[df.city == "paris"]` where no row has that value."""
    seen, table = part.value(node.value)
    if not seen or not is_a(table, "pandas.DataFrame") or not 0 < len(table) <= MOST_ROWS:
        return None
    for test in ast.walk(node.slice):
        if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq):
            continue
        found, column = part.value(test.left)
        told, wanted = part.value(test.comparators[0])
        if not (found and told and is_a(column, "pandas.Series")):
            continue
        if type(wanted) not in {str, int, float} or bool((column == wanted).any()):
            continue
        values = list(column[: MOST_VALUES * 10].unique())
        label, why, fix = text_of(test.left), "", None
        near = close_to(wanted, values) if type(wanted) is str else []
        if is_text_column(column) and type(wanted) is not str:
            why = f"it holds texts, and {wanted!r} is a number"
        elif type(wanted) is str and not is_text_column(column):
            why = f"it is of dtype {column.dtype}, and {wanted!r} is a text"
        elif near:
            same = near[0].strip().casefold() == wanted.strip().casefold()
            why = f"it has {near[0]!r}" + (", which differs in case or white space" if same else "")
            if isinstance(test.comparators[0], ast.Constant) and part.code is not None:
                fix = rewritten(part.code, near[0], (test.comparators[0], repr(near[0])))
        else:
            why = f"it has {', '.join(shown(each) for each in values[:5])}"
        return Diagnosis(
            rule="nothing-matches",
            certainty="certain",
            cause=f"No row matches: {label} is never {wanted!r}; {why}.",
            evidence=(f"{part.place}: {text_of(node)}",),
            remedy="Compare with a value the column has, or clean the column first.",
            fix=fix,
        )
    return None


def odd_merge(part: Step, call: ast.Call) -> Diagnosis | None:
    """A merge whose keys never match, match in part, or match several times."""
    found = merge_parts(call, part.value)
    if found is None:
        return None
    (left, a), (right, b), keys_a, keys_b, _ = found
    if len(keys_a) != 1 or len(keys_b) != 1 or not is_a(a, "pandas.DataFrame"):
        return None
    x, y = keys_a[0], keys_b[0]
    if len(a) + len(b) > MOST_ROWS:
        return None
    if not is_a(b, "pandas.DataFrame") or x not in a.columns or y not in b.columns:
        return None
    if any(each.arg == "validate" for each in call.keywords):
        return None
    first, second = a[x], b[y]
    names = f"{text_of(left)}[{x!r}] and {text_of(right)}[{y!r}]"
    evidence = (
        f"{part.place}: {text_of(call)}",
        f"{text_of(left)}[{x!r}] begins with {_begin(first)}, {text_of(right)}[{y!r}] with "
        f"{_begin(second)}",
    )
    shared = int(first.isin(second).sum())
    if not shared and len(first) and len(second):
        return Diagnosis(
            rule="nothing-matches",
            certainty="certain",
            cause=f"The merge matches nothing: {names} have no value in common"
            f"{_why(first, second)}.",
            evidence=evidence,
            remedy="Clean the keys (strip, lower, astype) before the merge.",
        )
    twice = int(second.duplicated().sum())
    if twice and int(first.duplicated().sum()):
        return Diagnosis(
            rule="merge-grew",
            certainty="certain",
            cause=f"The merge repeats rows: {names} both have values that occur more than once "
            f"(duplicate keys, such as {_twice(first, second)}), and each pair of them gives a "
            "row.",
            evidence=evidence,
            remedy="Drop the doubles, add a key, or pass validate='one_to_many'.",
        )
    if twice:
        return Diagnosis(
            rule="merge-grew",
            certainty="likely",
            cause=f"The merge repeats rows of {text_of(left)}: {text_of(right)}[{y!r}] has "
            f"duplicate keys, {twice} row{'s' * (twice != 1)} whose key is there already, such as "
            f"{shown(second[second.duplicated()].iloc[0])}.",
            evidence=evidence,
            remedy=f"Drop the doubles of {text_of(right)} first, or pass validate='many_to_one'.",
        )
    if shared < len(first) and is_text_column(first) and _why(first, second):
        missing = first[~first.isin(second)]
        return Diagnosis(
            rule="keys-differ",
            certainty="likely",
            cause=f"{len(missing)} of {len(first)} keys of {text_of(left)} have no match"
            f"{_why(missing, second)}.",
            evidence=evidence,
            remedy="Clean the keys (strip, lower) before the merge.",
        )
    return None


def _twice(first: Any, second: Any) -> str:
    """A key that both have more than once, else one that the second has."""
    doubles = second[second.duplicated()]
    both = doubles[doubles.isin(first[first.duplicated()])]
    return shown((both if len(both) else doubles).iloc[0])


def _begin(column: Any) -> str:
    return shown(column.iloc[0]) if len(column) else "nothing"


def _why(first: Any, second: Any) -> str:
    if str(first.dtype) != str(second.dtype):
        return f" (their dtypes are {first.dtype} and {second.dtype})"
    if not (is_text_column(first) and is_text_column(second)):
        return ""
    plain = {each.strip().casefold() for each in second[:MOST_VALUES] if type(each) is str}
    for each in first[:MOST_VALUES]:
        if type(each) is str and each.strip().casefold() in plain:
            return f" (they differ in case or white space, as {each!r} does)"
    return ""


def chained_assignment(moment: Moment) -> Iterator[Diagnosis]:
    """`df[rows]["column"] = x`, which changes a copy."""
    pandas = sys.modules.get("pandas")
    if doubted(moment) is None or pandas is None:
        return
    copies = str(pandas.__version__).partition(".")[0] >= "3"
    used = {
        n.id for part in parts_of(moment) for n in ast.walk(part.node) if isinstance(n, ast.Name)
    }
    for code, tree, place in texts_of_code(moment, "]["):
        for node in ast.walk(tree):
            match node:
                case ast.Assign(targets=[ast.Subscript(value=ast.Subscript() as inner) as outer]):
                    pass
                case _:
                    continue
            base = inner.value
            if isinstance(base, ast.Attribute) and base.attr in {"loc", "iloc"}:
                base = base.value
            frame = code if isinstance(code, LiveFrame) else None
            value = known(moment, base, frame)[1]
            names = {each.id for each in ast.walk(base) if isinstance(each, ast.Name)}
            given = _is_given(moment, tree, node, names)
            if not given and not (
                is_a(value, "pandas.DataFrame") and (names & used or frame is not None)
            ):
                continue
            rows, column = inner.slice, outer.slice
            if isinstance(rows, ast.Constant) and type(rows.value) is str:
                rows, column = column, rows
            label = text_of(base)
            fix = None
            if inner.value is base:
                text = f"{segment(code, base)}.loc[{segment(code, rows)}, {segment(code, column)}]"
                fix = rewritten(code, ".loc", (outer, text))
            yield Diagnosis(
                rule="chained-assignment",
                certainty="certain" if copies and not given else "likely",
                cause=f"{text_of(outer, 60)} = … ({place}, line {node.lineno}) changes a copy: "
                f"{label} stays as it is"
                + (f" (copy-on-write, pandas {pandas.__version__})." if copies else "."),
                evidence=(f"{place}, line {node.lineno}: {text_of(node)}",),
                remedy=f"Write {label}.loc[{text_of(rows)}, {text_of(column)}] = … in one step.",
                fix=fix,
            )
            return


def _is_given(moment: Moment, tree: ast.AST, node: ast.AST, names: set[str]) -> bool:
    """True in a function whose parameter of that name the doubted value's makers gave a table."""
    called = {
        text_of(each.func)
        for part in parts_of(moment)
        for each in ast.walk(part.node)
        if isinstance(each, ast.Call)
        and any(is_a(known(moment, a, part.frame)[1], "pandas.DataFrame") for a in each.args)
    }
    return any(
        isinstance(each, ast.FunctionDef)
        and each.name in called
        and each.lineno <= getattr(node, "lineno", 0) <= (each.end_lineno or 0)
        and names & {a.arg for a in each.args.args}
        for each in ast.walk(tree)
    )


def empty_table(moment: Moment) -> Iterator[Diagnosis]:
    """A table without rows: a filter or merge in which nothing matches, and why."""
    for part in steps_of(moment):
        for node in ast.walk(part.node):
            found = None
            if isinstance(node, ast.Call):
                found = odd_merge(part, node)
            elif isinstance(node, ast.Subscript):
                found = filter_without_rows(part, node)
            if found is not None:
                yield found
                return
