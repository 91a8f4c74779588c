"""What pandas refuses: files that are no tables, labels, pivots, conditions without brackets."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import line_of, rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    close_to,
    columns_of,
    cut,
    is_a,
    is_table,
    message,
    nodes_at_fault,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.diagnosis.worth import is_plain
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

_SEPARATORS = {";": "';'", "\t": "'\\t'", "|": "'|'", ",": "','"}
MOST_ROWS = 100_000


def wrong_separator(moment: Moment) -> Iterator[Diagnosis]:
    """A table of one column, whose name holds those that were meant and a separator."""
    frame = moment.frame
    errors = (KeyError, AttributeError, ValueError)
    unknown = type(moment.error).__name__ == "ColumnNotFoundError"
    if frame is None or not (isinstance(moment.error, errors) or unknown):
        return
    for node in nodes_at_fault(frame, ast.Name):
        known, table = value_of(node, frame)
        if not known or not is_table(table) or len(columns_of(table)) != 1:
            continue
        name = columns_of(table)[0]
        if type(name) is not str:
            continue
        sign = next((each for each in _SEPARATORS if each in name.strip()), None)
        if sign is None:
            continue
        assert frame is not None
        steps = traced(moment, frame, node)
        made = steps[-1] if steps else None
        fix = None
        pandas = is_a(table, "pandas.DataFrame")
        word = "sep" if pandas else "separator"
        if made is not None and isinstance(made.node, ast.Call) and made.code is not None:
            given = {each.arg for each in made.node.keywords}
            text = segment(made.code, made.node)
            if not given & {"sep", "delimiter", "separator"}:
                new = f"{text[:-1]}, {word}={_SEPARATORS[sign]})"
                fix = rewritten(made.code, word, (made.node, new))
        yield Diagnosis(
            rule="wrong-separator",
            certainty="certain",
            cause=f"{node.id} has one column, named {name[:60]!r}: its columns are separated by "
            f"{sign!r}, and it was read with another separator.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}", *told(steps)),
            remedy=f"Read it with {word}={_SEPARATORS[sign]}.",
            fix=fix,
        )
        return


def refused_table(moment: Moment) -> Iterator[Diagnosis]:
    """The table, its columns and labels, and what pandas cannot do with them."""
    frame, error = moment.frame, moment.error
    if frame is None or error is None or not issubclass(type(error), Exception):
        return
    said = message(error)
    for pattern, explain in _RULES:
        found = re.search(pattern, said)
        if found is not None:
            diagnosis = explain(moment, frame, found)
            if diagnosis is not None:
                yield diagnosis
            return
    yield from _unbracketed(moment, frame)


def _certain(
    moment: Moment,
    frame: LiveFrame,
    rule: str,
    cause: str,
    remedy: str,
    *,
    node: ast.expr | None = None,
    **more: Any,
) -> Diagnosis:
    steps = told(traced(moment, frame, node)) if node is not None else []
    return Diagnosis(
        rule=rule,
        certainty="certain",
        cause=cause,
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}", *steps),
        remedy=remedy,
        **more,
    )


def _tables(frame: LiveFrame) -> Iterator[tuple[ast.expr, Any]]:
    for node in nodes_at_fault(frame, ast.expr):
        known, value = value_of(node, frame)
        if known and (is_table(value) or is_a(value, "pandas.Series")):
            yield node, value


def _more_fields(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis:
    wanted, line, seen = said[1], int(said[2]), said[3]
    text = _line_of_file(frame, line)
    is_line = f": {cut(text)!r}" if text else ""
    return _certain(
        moment, frame, "uneven-lines",
        f"Line {line} of the file{is_line} has {seen} fields, and the lines before it have "
        f"{wanted}: a separator inside a value, or lines before the header.",
        "Quote the value, pass the right sep=, skip the lines above the header (skiprows=), or "
        "pass on_bad_lines='warn'.",
    )  # fmt: skip


def _line_of_file(frame: LiveFrame, line: int) -> str:
    """A line of a file in memory that is read at the failing place."""
    import io

    for node in nodes_at_fault(frame, ast.Call):
        for each in [*node.args, *(a for arg in node.args for a in getattr(arg, "args", ()))]:
            value = value_of(each, frame)[1]
            if type(value) is io.StringIO and not value.closed:
                value = value.getvalue()
            if type(value) is str and "\n" in value:
                lines = value.splitlines()
                return lines[line - 1] if line <= len(lines) else ""
    return ""


def _position(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis | None:
    for node in nodes_at_fault(frame, ast.Subscript):
        match node.value:
            case ast.Attribute(value=owner, attr="iloc" | "iat"):
                pass
            case _:
                continue
        known, table = value_of(owner, frame)
        if not known or not (is_a(table, "pandas.DataFrame") or is_a(table, "pandas.Series")):
            continue
        told_key, key = value_of(node.slice, frame)
        size = len(table)
        last = f", so positions 0 to {size - 1}" if size else ""
        label = text_of(owner, 40)
        computed = told_key and type(key) is int and not isinstance(node.slice, ast.Constant)
        asked = text_of(node.slice) + (f" ({key!r})" if computed else "")
        return _certain(
            moment, frame, "off-by-one" if key == size and size else "position-out-of-range",
            f"{label}.iloc[{asked}] is out of bounds: {label} has {size} "
            f"row{'s' * (size != 1)}{last}.",
            "Use a position that is there; -1 is the last."
            if size
            else "See why there are no rows, or check len(…) first.",
            node=owner,
        )  # fmt: skip
    return None


def _pivoted(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis | None:
    for call in nodes_at_fault(frame, ast.Call):
        if not isinstance(call.func, ast.Attribute):
            continue
        known, table = value_of(call.func.value, frame)
        given = {each.arg: value_of(each.value, frame)[1] for each in call.keywords}
        keys: list[Any] = []
        for each in (given.get("index"), given.get("columns")):
            keys += each if type(each) is list else [each]
        fits = known and is_a(table, "pandas.DataFrame") and len(table) <= MOST_ROWS
        if not fits or not all(k in columns_of(table) for k in keys) or not is_plain(table[keys]):
            continue
        twice = table[table.duplicated(keys)]
        example = ", ".join(f"{k}={shown(_plain(twice[k].iloc[0]))}" for k in keys)
        return _certain(
            moment, frame, "duplicate-labels",
            f"{text_of(call.func.value, 40)} has several rows for one cell of the pivot: "
            f"{example} occurs more than once ({len(twice)} duplicate entries).",
            "Use pivot_table(…, aggfunc='sum') (or 'mean'), or drop the doubles first.",
            node=call.func.value,
        )  # fmt: skip
    return None


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _drop(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis | None:
    """`df.drop("a")` where `a` is a column."""
    for call in nodes_at_fault(frame, ast.Call):
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "drop" or not call.args:
            continue
        if any(each.arg in {"axis", "columns"} for each in call.keywords):
            continue
        table = value_of(call.func.value, frame)[1]
        wanted = value_of(call.args[0], frame)[1]
        names = wanted if type(wanted) is list else [wanted]
        if not is_a(table, "pandas.DataFrame") or not all(
            type(n) is str and n in columns_of(table) for n in names
        ):
            continue
        label = text_of(call.func.value, 40)
        text = f"columns={segment(frame, call.args[0])}"
        return _certain(
            moment, frame, "wrong-axis",
            f"{text_of(call, 60)} looks for rows labelled {shown(wanted)}; {label} has columns of "
            "that name: drop() takes rows unless told otherwise.",
            f"Write {label}.drop({text}).",
            fix=rewritten(frame, "columns", (call.args[0], text)) if len(call.args) == 1 else None,
        )  # fmt: skip
    return None


def _new_labels(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis | None:
    for node in nodes_at_fault(frame, ast.Assign):
        target = node.targets[0]
        if not isinstance(target, ast.Attribute):
            continue
        known, table = value_of(target.value, frame)
        held = ""
        if known and is_table(table) and target.attr == "columns":
            held = f" ({', '.join(repr(each) for each in columns_of(table)[:12])})"
        kind = "columns" if target.attr == "columns" else "labels"
        return _certain(
            moment, frame, "length-mismatch",
            f"{text_of(target)} is given {said[2]} names, and {text_of(target.value)} has "
            f"{said[1]} {kind}{held}.",
            "Give one name for each, or rename some: rename(columns={…}).",
            node=node.value,
        )  # fmt: skip
    return None


def _in_query(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis | None:
    if type(moment.error).__name__ != "UndefinedVariableError":
        return None
    for node, table in _tables(frame):
        if not is_a(table, "pandas.DataFrame"):
            continue
        name = said[1]
        names = [each for each in columns_of(table) if type(each) is str]
        near = close_to(name, names)
        live = name in frame.locals or name in frame.globals
        label = text_of(node, 40)
        remedy = f"Write {near[0]!r}." if near else "Use one of its columns."
        if live:
            remedy = f"Write @{name} for the variable."
        texts = [
            each
            for each in nodes_at_fault(frame, ast.Constant)
            if type(each.value) is str and re.search(rf"\b{name}\b", each.value)
        ]
        right = f"@{name}" if live else near[0] if near and near[0].isidentifier() else ""
        fix = None
        if right and len(texts) == 1:
            text = re.sub(rf"(?<!@)\b{name}\b", right, segment(frame, texts[0]))
            fix = rewritten(frame, right, (texts[0], text))
        return _certain(
            moment, frame, "near-miss-column" if near else "missing-key",
            f"{label} has no column {name!r}"
            + (f"; it has {near[0]!r}, spelled almost the same." if near else ".")
            + (f" There is a variable {name}, which a query calls @{name}." if live else ""),
            remedy,
            fix=fix,
        )  # fmt: skip
    return None


def _mask_with_nan(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis | None:
    for call in nodes_at_fault(frame, ast.Call):
        match call.func:
            case ast.Attribute(
                value=ast.Attribute(value=inner, attr="str"),
                attr="contains" | "startswith" | "endswith" | "match" | "fullmatch",
            ):
                column = value_of(inner, frame)[1]
                count = (
                    f" {int(column.isna().sum())} missing values"
                    if is_a(column, "pandas.Series") and len(column) <= MOST_ROWS
                    else " missing values"
                )
                text = f"{segment(frame, call)[:-1]}, na=False)"
                return _certain(
                    moment, frame, "mask-with-nan",
                    f"{text_of(inner, 40)} has{count} (NaN), for which {text_of(call.func, 40)}() "
                    "gives NaN, and a mask must be True or False.",
                    "Pass na=False.",
                    node=inner, fix=rewritten(frame, "na=False", (call, text)),
                )  # fmt: skip
    return None


def _no_date(moment: Moment, frame: LiveFrame, said: re.Match[str]) -> Diagnosis:
    return _certain(
        moment, frame, "no-date",
        f"The text {said[2].strip()!r} cannot be read as a date: {said[1]}.",
        "Correct it, or pass errors='coerce' to get NaT for it.",
    )  # fmt: skip


_TESTS = ast.Eq | ast.NotEq | ast.Lt | ast.LtE | ast.Gt | ast.GtE


def _unbracketed(moment: Moment, frame: LiveFrame) -> Iterator[Diagnosis]:
    """`df.a > 1 & df.b == "x"`: & binds more strongly than comparisons."""
    if not isinstance(moment.error, TypeError | ValueError):
        return
    for statement in _statement(frame):
        for node in ast.walk(statement):
            if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], _TESTS):
                continue
            inner = next(
                (
                    each
                    for each in (node.left, *node.comparators)
                    if isinstance(each, ast.BinOp)
                    and isinstance(each.op, ast.BitAnd | ast.BitOr)
                    and not _in_brackets(frame, each)
                ),
                None,
            )
            columns = [
                value_of(each, frame)[1]
                for each in ast.walk(node)
                if isinstance(each, ast.Subscript | ast.Attribute | ast.Name)
            ]
            if inner is None or not any(
                is_a(each, "pandas.Series") or is_a(each, "numpy.ndarray") for each in columns
            ):
                continue
            sign = "&" if isinstance(inner.op, ast.BitAnd) else "|"
            meant = _bracketed(frame, node)
            yield Diagnosis(
                rule="unbracketed-condition",
                certainty="certain",
                cause=f"Parentheses are missing around the comparisons: {sign} binds more strongly "
                f"than comparisons (operator precedence), so Python calculates {text_of(inner)} "
                "first.",
                evidence=(f"{where(frame)}: {text_of(node)}",),
                remedy=f"Put each comparison in parentheses: {cut(meant)}.",
                fix=rewritten(frame, "parentheses", (node, meant)),
            )
            return


_SIGNS: dict[type[ast.AST], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}


def _bracketed(frame: LiveFrame, node: ast.Compare) -> str:
    """The condition as it was meant: `a > 1 & b > 2` as `(a > 1) & (b > 2)`."""
    first, *more = _joined(frame, node.left)
    done, now, compared = "", segment(frame, first) if isinstance(first, ast.expr) else "", False

    def close() -> str:
        return f"({now})" if compared else now

    for part in more:
        if isinstance(part, ast.expr):
            now = segment(frame, part)
        else:
            done += f"{close()} {_SIGNS[type(part)]} "
    for op, term in zip(node.ops, node.comparators, strict=True):
        first, *more = _joined(frame, term)
        now += f" {_SIGNS[type(op)]} {segment(frame, first)}"
        compared = True
        for part in more:
            if isinstance(part, ast.expr):
                now, compared = segment(frame, part), False
            else:
                done += f"{close()} {_SIGNS[type(part)]} "
    return done + close()


def _joined(frame: LiveFrame, node: ast.expr) -> list[ast.AST]:
    """What & and | join without parentheses, and the signs between, in the order of the text."""
    match node:
        case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr() as op, right=right) if (
            not _in_brackets(frame, node)
        ):
            return [*_joined(frame, left), op, *_joined(frame, right)]
    return [node]


def _in_brackets(frame: LiveFrame, node: ast.expr) -> bool:
    """True if a parenthesis opens right before an expression."""
    line = line_of(frame, node.lineno).encode()[: node.col_offset].decode()
    return line.rstrip().endswith("(")


def _statement(frame: LiveFrame) -> list[ast.stmt]:
    """The innermost statement at the failing line."""
    if frame.tree is None:
        return []
    found = [
        each
        for each in ast.walk(frame.tree)
        if isinstance(each, ast.stmt)
        and not hasattr(each, "body")
        and each.lineno <= frame.line <= (each.end_lineno or each.lineno)
    ]
    return found[-1:]


_Explain = Callable[[Moment, LiveFrame, "re.Match[str]"], "Diagnosis | None"]
_RULES: tuple[tuple[str, _Explain], ...] = (
    (r"Expected (\d+) fields in line (\d+), saw (\d+)", _more_fields),
    (r"positional indexer is out-of-bounds|index \d+ is out of bounds for axis 0", _position),
    (r"Index contains duplicate entries, cannot reshape", _pivoted),
    (r"not found in axis", _drop),
    (r"Expected axis has (\d+) elements, new values have (\d+)", _new_labels),
    (r"^name '(\w+)' is not defined$", _in_query),
    (r"Cannot mask with non-boolean array containing NA", _mask_with_nan),
    (r"^(\w+ must be in [\d.]+|day is out of range for month): (\S+)", _no_date),
)
