"""Keys and columns that are not there."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import earlier_cells
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    MOST_KEYS,
    close_to,
    columns_of,
    is_a,
    is_table,
    message,
    name_value,
    nodes_at_fault,
    shown,
    text_of,
    type_name,
    value_of,
    where,
)
from aiex_ipy.grounding.diagnosis.worth import worth
from aiex_ipy.grounding.failure.evaluate import Scope, isinstance_
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix

Place = tuple[ast.expr | None, ast.expr | None, Any, str]
"""The key's expression, that of the object, the object, and what its keys are called."""


def missing_key(moment: Moment) -> Iterator[Diagnosis]:
    """A key or column that is not there, beside those that are."""
    error, frame = moment.error, moment.frame
    if frame is None or error is None:
        return
    key = _key(error)
    if key is _NONE:
        return
    for node, base, value, word in _looked_in(frame, key):
        found = _explained(moment, frame, key, node, base, value, word)
        if found is not None:
            yield found
            return
    yield from _unseen(moment, frame, key)


_NONE = object()


def _key(error: BaseException) -> Any:  # noqa: C901 - one case each
    if type(error) is KeyError and len(error.args) == 1:
        found = error.args[0]
        if type(found) is list and found and all(type(each) is str for each in found):
            return found[0]
        if type(found) is str and "not in index" in found and found.startswith("["):
            return _first(found)
        if type(found) is str and found.startswith("None of [Index("):
            return _first(found)
        if type(found) is str and found.startswith("None of ['"):
            return _first(found)
        if type(found) is str and found.startswith("Column not found: "):
            return found.partition(": ")[2]
        if type(found) is str and "labels are not columns" in found:
            return _first(found)
        if type(found) is str and (" not found in axis" in found or "do not exist" in found):
            return _first(found)
        return found if type(found) in {str, int, float, bytes, bool, tuple} else _NONE
    name = type(error).__name__
    if name == "ColumnNotFoundError":
        text = message(error).split("\n")[0].strip()
        inside = text.split('"')
        return inside[1] if len(inside) > 2 else text.split(";")[0].strip()
    if type(error) is ValueError and "columns" in message(error).lower():
        return _NONE
    return _NONE


def _first(text: str) -> Any:
    inside = text[text.index("[") :].partition("'")[2].partition("'")[0]
    return inside or _NONE


def _looked_in(frame: LiveFrame, key: Any) -> Iterator[Place]:
    """The objects at the failing place that were asked for the key."""
    for node in nodes_at_fault(frame, ast.AST):
        match node:
            case ast.Subscript(value=base, slice=index):
                yield from _subscript(frame, base, index, key)
            case ast.Call(func=ast.Attribute(value=base), args=args, keywords=keywords):
                found, value = value_of(base, frame)
                argument = _naming([*args, *(each.value for each in keywords)], key)
                merge = text_of(node, 500).partition("(")[0].endswith(("merge", "join"))
                if argument is None and not merge and isinstance(frame.node, ast.Subscript):
                    continue  # what is asked of the call's result failed, not the call
                if found and (isinstance_(value, dict) or is_table(value)):
                    word = "column" if is_table(value) else "key"
                    yield None if merge else argument, base, value, word
                elif (
                    not found
                    and (argument is not None or _keeps_columns(base))
                    and is_table(_frame_below(frame, base))
                ):
                    yield argument, base, _frame_below(frame, base), "column"
                for each in args:
                    known, other = value_of(each, frame)
                    if known and is_table(other) and argument is not None:
                        yield None if merge else argument, each, other, "column"
            case ast.Delete(targets=[ast.Subscript(value=base, slice=index)]):
                yield from _subscript(frame, base, index, key)


def _frame_below(frame: LiveFrame, node: ast.expr) -> Any:
    """The data frame a chain of calls begins with: `df.groupby(…).agg(…)`."""
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
        found, value = value_of(node, frame)
        if found and is_table(value):
            return value
    return None


def _naming(arguments: list[ast.expr], key: Any) -> ast.expr | None:
    """The literal that names the key in the arguments of a call."""
    for each in arguments:
        for node in ast.walk(each):
            if (
                isinstance(node, ast.Constant)
                and node.value == key
                and type(node.value) is type(key)
            ):
                return node
    return None


def _subscript(  # noqa: C901 - one case each
    frame: LiveFrame, base: ast.expr, index: ast.expr, key: Any
) -> Iterator[Place]:
    found, value = value_of(base, frame)
    literal = _naming([index], key)
    if not found and isinstance(base, ast.Attribute) and base.attr in {"loc", "at"}:
        known, table = value_of(base.value, frame)
        if known and is_a(table, "pandas.DataFrame"):
            in_columns = (
                isinstance(index, ast.Tuple)
                and len(index.elts) == 2
                and literal in (list(ast.walk(index.elts[1])))
            )
            word = "column" if in_columns else "row label"
            yield literal, base.value, table, word
        elif known and is_a(table, "pandas.Series"):
            yield literal, base.value, table, "label"
        elif not known:
            yield from _of_temporary(frame, base.value, index, literal)
        return
    if not found:
        made, table = worth(base, Scope(frame.locals, frame.globals))
        if made and (is_table(table) or is_a(table, "pandas.Series")):
            yield literal, base, table, "column" if is_table(table) else "label"
            return
        below = _frame_below(frame, base)
        if is_table(below) and _keeps_columns(base):
            yield literal, base, below, "column"
        return
    known, used = value_of(index, frame)
    fits = not known or used == key if type(used) in {str, int, float, bytes, bool, tuple} else True
    if isinstance_(value, dict) and fits:
        yield literal or (index if isinstance(index, ast.Constant) else None), base, value, "key"
    elif is_table(value):
        yield literal, base, value, "column"
    elif is_a(value, "pandas.Series"):
        yield literal, base, value, "label"


def _of_temporary(
    frame: LiveFrame, owner: ast.expr, index: ast.expr, literal: ast.expr | None
) -> Iterator[Place]:
    """The table or column `.loc` is asked of, where it was made in the same expression."""
    made, table = worth(owner, Scope(frame.locals, frame.globals))
    if not made or not (is_a(table, "pandas.DataFrame") or is_a(table, "pandas.Series")):
        return
    of_columns = (
        isinstance(index, ast.Tuple)
        and len(index.elts) == 2
        and literal in (list(ast.walk(index.elts[1])))
    )
    table_word = "column" if of_columns else "row label"
    yield literal, owner, table, table_word if is_a(table, "pandas.DataFrame") else "label"


_SAME_COLUMNS = frozenset(
    {
        "astype", "copy", "drop_duplicates", "dropna", "fillna", "filter", "groupby", "head",
        "loc", "iloc", "query", "reset_index", "round", "sample", "sort_index", "sort_values",
        "tail",
    }
)  # fmt: skip


def _keeps_columns(node: ast.expr) -> bool:
    """True for a chain of calls that leaves the columns of the table it begins with."""
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Attribute) and node.attr not in _SAME_COLUMNS:
            return False
        node = node.func if isinstance(node, ast.Call) else node.value
    return True


def _several_columns(frame: LiveFrame, key: Any, label: str, keys: list[Any]) -> Diagnosis | None:
    """`df["a", "b"]` for `df[["a", "b"]]`."""
    if type(key) is not tuple or not any(each in keys for each in key):
        return None
    for node in nodes_at_fault(frame, ast.Subscript):
        if not isinstance(node.slice, ast.Tuple) or len(node.slice.elts) != len(key):
            continue
        if text_of(node.value, 40) != label:
            continue
        inside = ", ".join(segment(frame, each) for each in node.slice.elts)
        return Diagnosis(
            rule="several-columns",
            certainty="certain",
            cause=f"{text_of(node)} asks for one column named {key!r}; several columns are chosen "
            "with a list of names, in double brackets.",
            evidence=(f"{where(frame)}: {label} has the columns {listed(keys)}",),
            remedy=f"Write {label}[[{inside}]].",
            fix=rewritten(frame, "double brackets", (node.slice, f"[{inside}]")),
        )
    return None


def keys_in(value: Any, word: str) -> list[Any]:
    """Return the keys, columns or labels of an object, a bounded number of them."""
    if isinstance_(value, dict):
        return list(dict.keys(value))[:MOST_KEYS]
    if word == "column":
        return columns_of(value)
    return list(value.index[:MOST_KEYS])


def _explained(  # noqa: C901 - one case each
    moment: Moment,
    frame: LiveFrame,
    key: Any,
    node: ast.expr | None,
    base: ast.expr | None,
    value: Any,
    word: str,
) -> Diagnosis | None:
    keys = keys_in(value, word)
    if any(type(each) is type(key) and each == key for each in keys):
        return None
    label = text_of(base, 40)
    evidence = (f"{where(frame)}: {label} has the {word}s {listed(keys)}",)
    if word == "column":
        several = _several_columns(frame, key, label, keys)
        if several is not None:
            return several
    if not keys:
        return Diagnosis(
            rule="empty",
            cause=f"{label} is empty: it has no {word} {key!r} nor any other.",
            certainty="certain",
            evidence=(f"{where(frame)}: {label} is {shown(value)}",),
            remedy=f"Find why {label} was not filled.",
        )
    other = _other_type(key, keys)
    if other is not None:
        return Diagnosis(
            rule="key-type",
            cause=f"{label} has no {word} {key!r} ({type(key).__name__}); it has {other!r} "
            f"({type_name(other)}).",
            certainty="certain",
            evidence=evidence,
            remedy=f"Look up {other!r}, or convert the {word}s.",
            fix=_fix(frame, node, other),
        )
    if isinstance_(value, dict) and type(key) is str:
        inside = [k for k, v in value.items() if isinstance_(v, dict) and dict.__contains__(v, key)]
        close = close_to(key, keys, 0.85)
        if inside and not close:
            return Diagnosis(
                rule="nested-key",
                cause=f"{label} has no key {key!r}; it is one level down, in "
                f"{label}[{inside[0]!r}].",
                certainty="likely",
                evidence=evidence,
                remedy=f"Write {label}[{inside[0]!r}][{key!r}].",
                fix=_fix(frame, node, None, f"{inside[0]!r}][{key!r}"),
            )
    if (
        word == "column" and key in list(getattr(value.index, "names", ()))
        if is_a(value, "pandas.DataFrame")
        else False
    ):
        return Diagnosis(
            rule="column-is-index",
            cause=f"{key!r} is no column of {label} but the name of its index.",
            certainty="certain",
            evidence=evidence,
            remedy=f"Write {label}.reset_index() first, or use {label}.index.",
        )
    near = close_to(key, keys) if type(key) is str else []
    suffixed = [k for k in keys if type(key) is str and k in {f"{key}_x", f"{key}_y"}]
    if suffixed:
        return Diagnosis(
            rule="merge-suffix",
            cause=f"{label} has no column {key!r} but {' and '.join(map(repr, suffixed))}: both "
            "sides of a merge had it.",
            certainty="likely",
            evidence=evidence,
            remedy=f"Use one of them, or drop {key!r} from one side before the merge.",
        )
    if near:
        return _near(frame, key, node, label, near, word, evidence)
    elsewhere = _elsewhere(moment, frame, key, value) if word == "column" else None
    if elsewhere is not None:
        return Diagnosis(
            rule="other-frame",
            cause=f"{label} has no column {key!r}; {elsewhere!r} has it.",
            evidence=evidence,
            remedy=f"Use {elsewhere}, or add the column to {label}.",
        )
    dropped = _renamed_before(moment, key) if word == "column" else None
    return Diagnosis(
        rule="missing-key",
        cause=f"{label} has no {word} {key!r}.{' ' + dropped if dropped else ''}",
        certainty="certain",
        evidence=evidence,
        remedy="Use one of these, or make it first."
        if word != "key"
        else f"Use one of these, or {label}.get({key!r}) where it may be missing.",
    )


def _near(
    frame: LiveFrame,
    key: str,
    node: ast.expr | None,
    label: str,
    near: list[str],
    word: str,
    evidence: tuple[str, ...],
) -> Diagnosis:
    right = near[0]
    if (
        right.startswith("\ufeff")
        or right.strip() == key.strip()
        or right.strip().casefold() == key.strip().casefold()
    ):
        how = _difference(key, right)
        certainty = "certain"
    else:
        how, certainty = "spelled almost the same", "likely"
    return Diagnosis(
        rule=f"near-miss-{word.replace(' ', '-')}",
        cause=f"{label} has no {word} {key!r}; it has {right!r}, {how}.",
        certainty="certain" if certainty == "certain" else "likely",
        evidence=evidence,
        remedy=f"Write {right!r}."
        + (
            " Or strip the names once: df.columns = df.columns.str.strip()."
            if right != right.strip() and word == "column"
            else ""
        ),
        fix=_fix(frame, node, right),
    )


def _difference(key: str, right: str) -> str:
    if right.startswith("\ufeff"):
        return "which begins with a byte order mark (read the file with encoding='utf-8-sig')"
    if right.strip() == key.strip():
        return "which differs only in white space"
    case = right.casefold() == key.casefold()
    return f"which differs only in case{'' if case else ' and white space'}"


def _fix(frame: LiveFrame, node: ast.expr | None, right: Any, text: str = "") -> Fix | None:
    if not isinstance(node, ast.Constant):
        return None
    if not text:
        if type(right) not in {str, int, float, bytes}:
            return None
        text = repr(right)
        if type(right) is str and segment(frame, node)[:1] == '"' and '"' not in right:
            text = f'"{text[1:-1]}"' if "\\" not in text else text
    return rewritten(frame, f"{node.value!r} → {text}", (node, text))


def _other_type(key: Any, keys: list[Any]) -> Any:
    """`1` for `'1'` and the other way round."""
    for each in keys:
        if type(each) is str and type(key) in {int, float, bool} and each.strip() == str(key):
            return each
        if type(key) is str and type(each) in {int, float} and key.strip() == str(each):
            return each
        if type(key) is bytes and type(each) is str and each.encode() == key:
            return each
        if type(key) is str and type(each) is bytes and key.encode() == each:
            return each
    return None


def _elsewhere(moment: Moment, frame: LiveFrame, key: Any, value: Any) -> str | None:
    for name in {**frame.globals, **frame.locals}:
        found, other = name_value(name, frame)
        if not found or name.startswith("_") or other is value or not is_table(other):
            continue
        if key in columns_of(other):
            return name
    return None


def _renamed_before(moment: Moment, key: Any) -> str | None:
    """A cell that renamed or dropped the column."""
    for cell in earlier_cells(moment, having=str(key)):
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                named = _naming([*node.args, *(k.value for k in node.keywords)], key)
                if named is not None and node.func.attr in {"drop", "rename", "set_index", "pop"}:
                    return f"{cell.place}, line {node.lineno}, called {node.func.attr}() with it."
    return None


def listed(keys: list[Any]) -> str:
    """Return the first keys as Python writes them, and how many more there are."""
    texts = [
        repr(each) if type(each) in {str, int, float, bool} else shown(each) for each in keys[:15]
    ]
    return ", ".join(texts) + (f" and {len(keys) - 15} more" if len(keys) > 15 else "")


def _unseen(moment: Moment, frame: LiveFrame, key: Any) -> Iterator[Diagnosis]:
    """A missing environment variable."""
    if type(key) is str and any(
        text_of(node.value) in {"os.environ", "environ"}
        for node in nodes_at_fault(frame, ast.Subscript)
    ):
        near = close_to(key, os.environ)
        node = next(
            (
                each.slice
                for each in nodes_at_fault(frame, ast.Subscript)
                if isinstance(each.slice, ast.Constant) and each.slice.value == key
            ),
            None,
        )
        yield Diagnosis(
            rule="missing-variable",
            cause=f"The environment variable {key!r} is not set"
            + (f"; {near[0]!r} is, spelled almost the same." if near else "."),
            certainty="certain",
            evidence=(f"{where(frame)}: os.environ is asked for it",),
            remedy=f"Write {near[0]!r}."
            if near
            else f"Set it before Python starts, or use os.environ.get({key!r}, default).",
            fix=_fix(frame, node, near[0]) if near else None,
        )
