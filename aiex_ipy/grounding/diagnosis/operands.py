"""Operations on values of types that do not go together."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    is_a,
    is_number,
    matches,
    message,
    nodes_at_fault,
    shown,
    text_of,
    type_name,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix

_MIXED = (
    r"(?i)unsupported operand type|can only concatenate|not supported between instances|"
    r"can't multiply sequence|must be str, not|cannot perform|not supported for dtype|"
    r"does not support operation|ufunc '\w+' did not contain|no implementation found|"
    r"Cannot compare|Invalid comparison|Can only string multiply|Function '\w+' has no kernel"
)
NUMBER = re.compile(r"\s*[-+]?(\d[\d,_ ]*)?(\.\d*)?([eE][-+]?\d+)?\s*%?\s*")
MOST_VALUES = 1_000
"""Values of a column looked at."""


def mixed_operands(moment: Moment) -> Iterator[Diagnosis]:
    """An operator between values of types that do not go together, naming both."""
    frame = moment.frame
    if frame is None or matches(moment, Exception, _MIXED) is None:
        return
    if "NoneType" in message(moment.error):
        return  # told by where the None came from
    said = re.search(r"operand type\(s\) for ([^:\s]+)", message(moment.error))
    for left, operator, right in _pairs(frame):
        if said is not None and said[1] != operator and operator in _SIGNS:
            continue
        a, b = value_of(left, frame), value_of(right, frame)
        found = _column_of_text(frame, left, a, right, b)
        if found is None and a[0] and b[0] and _disagree(a[1], b[1], operator):
            found = _pair(moment, frame, left, operator, right, a[1], b[1])
        if found is not None:
            yield found
            return
    yield from _one_known(moment, frame)


def _pairs(frame: LiveFrame) -> Iterator[tuple[ast.expr, str, ast.expr]]:
    for node in nodes_at_fault(frame, ast.AST):
        match node:
            case ast.BinOp(left=left, op=op, right=right):
                yield left, _sign(op), right
            case ast.AugAssign(target=target, op=op, value=value):
                yield target, f"{_sign(op)}=", value
            case ast.Compare(left=left, ops=[op, *_], comparators=[right, *_]):
                yield left, _sign(op), right


def _sign(op: ast.AST) -> str:
    return _SIGN_OF.get(type(op).__name__, type(op).__name__)


_SIGN_OF = {
    "Add": "+",
    "Sub": "-",
    "Mult": "*",
    "Div": "/",
    "FloorDiv": "//",
    "Mod": "%",
    "Pow": "**",
    "MatMult": "@",
    "BitAnd": "&",
    "BitOr": "|",
    "Lt": "<",
    "LtE": "<=",
    "Gt": ">",
    "GtE": ">=",
    "Eq": "==",
    "In": "in",
}
_SIGNS = frozenset({"+", "-", "*", "/", "//", "%", "@"})


def _disagree(a: Any, b: Any, operator: str) -> bool:
    if type(a) is type(b) and type(a) in {int, float, str, list, tuple}:
        return operator not in {"+", "+=", "<", "<=", ">", ">="} or type(a) in {list, tuple}
    return not (is_number(a) and is_number(b))


def _pair(
    moment: Moment, frame: LiveFrame, left: ast.expr, operator: str, right: ast.expr, a: Any, b: Any
) -> Diagnosis:
    words = f"{named(left, a)} and {named(right, b)} do not go together with {operator}"
    if type(a) is str and type(b) is str:
        words = f"{named(left, a)} and {named(right, b)} are both texts, and {operator} is not for "
        words += "two texts"
    steps = [*traced(moment, frame, left), *traced(moment, frame, right)]
    remedy, fix = _convert(frame, left, a, right, b, operator)
    return Diagnosis(
        rule="mixed-types",
        cause=f"{words}: {type_name(a)} and {type_name(b)}.",
        certainty="certain",
        evidence=tuple(told(steps))
        or (f"{where(frame)}: {text_of(left)} {operator} {text_of(right)}",),
        remedy=remedy,
        fix=fix,
    )


def named(node: ast.expr, value: Any) -> str:
    """Return an expression with its value in few words."""
    label, text = text_of(node, 40), shown(value, text_of(node, 40))
    return text if isinstance(node, ast.Constant) else f"{label} ({text})"


def number_in(text: str) -> str:
    """Return `int` or `float` for a text Python reads as such a number, else `""`."""
    for kind in (int, float):
        try:
            kind(text)
        except ValueError:
            continue
        return kind.__name__
    return ""


def _convert(  # noqa: C901 - one case each
    frame: LiveFrame, left: ast.expr, a: Any, right: ast.expr, b: Any, operator: str
) -> tuple[str, Fix | None]:
    for node, value, other in ((left, a, b), (right, b, a)):
        if type(value) is str and is_number(other):
            kind = number_in(value)
            if kind and not isinstance(node, ast.Constant):
                text = f"{kind}({segment(frame, node)})"
                fix = (
                    None
                    if operator.endswith("=") and node is left
                    else (rewritten(frame, kind, (node, text)))
                )
                return f"Make a number of the text first: {kind}({text_of(node)}).", fix
            if operator in {"+", "+="}:
                number = right if node is left else left
                text = f"str({segment(frame, number)})"
                return f"Make a text of the number: str({text_of(number)}), or an f-string.", (
                    rewritten(frame, "str", (number, text))
                )
    if type(a) is str and type(b) is str:
        return _two_texts(frame, left, a, right, b, operator)
    kinds = {type_name(a), type_name(b)}
    if kinds == {"decimal.Decimal", "float"}:
        node = left if type(a) is float else right
        text = f"decimal.Decimal(str({segment(frame, node)}))"
        return f"Make a Decimal of the float: {text}.", None
    if type(a) in {list, tuple} and type(b) in {list, tuple} and type(a) is not type(b):
        return f"Make both the same: {type(a).__name__}({text_of(right)}).", rewritten(
            frame, "same type", (right, f"{type(a).__name__}({segment(frame, right)})")
        )
    if type(a) is list and operator in {"+", "+="}:
        return f"Put it into a list: [{text_of(right)}], or call append.", rewritten(
            frame, "list", (right, f"[{segment(frame, right)}]")
        )
    if list in {type(a), type(b)} and operator in {"-", "*", "/", "+", "**"}:
        return "Lists do not calculate item by item: make numpy arrays of them, or loop.", None
    if kinds == {"str", "bytes"}:
        return "Decode the bytes first: .decode().", None
    return "Convert one to the type of the other.", None


def _two_texts(
    frame: LiveFrame, left: ast.expr, a: str, right: ast.expr, b: str, operator: str
) -> tuple[str, Fix | None]:
    kinds = number_in(a), number_in(b)
    if all(kinds) and not operator.endswith("="):
        texts = [f"{k}({segment(frame, n)})" for k, n in zip(kinds, (left, right), strict=True)]
        said = f" {operator} ".join(texts)
        whole = [n for n in nodes_at_fault(frame, ast.BinOp) if n.left is left]
        fix = rewritten(frame, "numbers", *((each, said) for each in whole))
        return f"Make numbers of both: {said}.", fix
    if operator in {"*", "*="}:
        return "A text is repeated by a whole number; + joins two texts.", None
    if operator in {"-", "-="}:
        return "Take a part out of a text with replace, removeprefix or removesuffix.", None
    return "Make numbers of both, or use what texts can do.", None


def _column_of_text(
    frame: LiveFrame, left: ast.expr, a: tuple[bool, Any], right: ast.expr, b: tuple[bool, Any]
) -> Diagnosis | None:
    for node, (found, value), other in ((left, a, b), (right, b, a)):
        if not found or not is_text_column(value):
            continue
        if other[0] and is_text_column(other[1]):
            continue
        label = text_of(node)
        numeric, odd = texts_as_numbers(value)
        fix = None
        remedy = "Convert it first."
        if numeric and not odd and "pd" in {**frame.globals, **frame.locals}:
            fix = rewritten(frame, "numbers", (node, f"pd.to_numeric({segment(frame, node)})"))
            remedy = f"Make numbers of it: pd.to_numeric({label})."
        elif numeric:
            remedy = f"Clean it and make numbers of it: pd.to_numeric({label}, errors='coerce')."
        return Diagnosis(
            rule="text-column",
            cause=f"{label} is a column of text (dtype {value.dtype})"
            + (", numbers stored as text." if numeric else "."),
            certainty="certain",
            evidence=(
                f"{where(frame)}: its first values are {', '.join(map(shown, value[:3]))}",
                *([f"not a number: {shown(odd)}"] if odd else []),
            ),
            remedy=remedy,
            fix=fix,
        )
    return None


def is_text_column(value: Any) -> bool:
    """True for an exact pandas column whose values are texts."""
    if not is_a(value, "pandas.Series") or not len(value):
        return False
    if str(value.dtype) not in {"object", "str", "string"}:
        return False
    return any(type(each) is str for each in value[:MOST_VALUES])


def texts_as_numbers(value: Any) -> tuple[bool, str]:
    """Return whether most texts of a column are numbers, and the first text that is none."""
    texts = [each for each in value[:MOST_VALUES] if type(each) is str]
    odd = [each for each in texts if not number_in(each)]
    numeric = [each for each in texts if NUMBER.fullmatch(each.strip("$€£ ")) and each.strip()]
    return len(numeric) * 2 > len(texts), odd[0] if odd else ""


def _one_known(moment: Moment, frame: LiveFrame) -> Iterator[Diagnosis]:
    """`sum` of texts, `",".join` of numbers."""
    found = re.search(r"'int' and 'str'|'float' and 'str'", message(moment.error))
    for call in nodes_at_fault(frame, ast.Call):
        if text_of(call.func) == "sum" and found and call.args:
            known, value = value_of(call.args[0], frame)
            if known and type(value) in {list, tuple} and any(type(v) is str for v in value[:100]):
                label = text_of(call.args[0])
                yield Diagnosis(
                    rule="mixed-types",
                    certainty="certain",
                    cause=f"{label} holds texts, and sum() adds numbers: {shown(value)}.",
                    evidence=(f"{where(frame)}: {text_of(call)}",),
                    remedy=f"Make numbers of them: sum(float(each) for each in {label}).",
                )
                return
        if isinstance(call.func, ast.Attribute):
            known, value = value_of(call.func.value, frame)
            if known and is_text_column(value):
                yield Diagnosis(
                    rule="text-column",
                    certainty="certain",
                    cause=f"{text_of(call.func.value)} is a column of text (dtype {value.dtype}), "
                    f"which {call.func.attr}() cannot work on.",
                    evidence=(
                        f"{where(frame)}: its first values are {', '.join(map(shown, value[:3]))}",
                    ),
                    remedy="Make numbers of it first: pd.to_numeric(…).",
                )
                return
            if not known and (grouped := _grouped(frame, call.func)) is not None:
                yield grouped
                return
            if known and is_a(value, "pandas.DataFrame"):
                texts = [c for c in value.columns if is_text_column(value[c])]
                if texts:
                    yield Diagnosis(
                        rule="text-column",
                        certainty="likely",
                        cause=f"{call.func.attr}() meets columns of text: "
                        f"{', '.join(map(repr, texts[:5]))}.",
                        remedy="Choose the columns of numbers, or pass numeric_only=True.",
                    )
                    return


def _grouped(frame: LiveFrame, func: ast.Attribute) -> Diagnosis | None:
    """`table.groupby("key").column.mean()`: the columns chosen that hold texts."""
    chosen: list[Any] | None = None
    node = func.value
    match node:
        case ast.Attribute(value=inner, attr=name):
            node, chosen = inner, [name]
        case ast.Subscript(value=inner, slice=ast.Constant(value=name)):
            node, chosen = inner, [name]
        case ast.Subscript(value=inner, slice=ast.List(elts=names)):
            node, chosen = inner, [n.value for n in names if isinstance(n, ast.Constant)]
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr="groupby"), args=args):
            known, table = value_of(owner, frame)
        case _:
            return None
    if not known or not is_a(table, "pandas.DataFrame"):
        return None
    keys = {n.value for each in args for n in ast.walk(each) if isinstance(n, ast.Constant)}
    columns = list(table.columns)
    wanted = (
        [c for c in columns if c in chosen] if chosen else [c for c in columns if c not in keys]
    )
    texts = [each for each in wanted if is_text_column(table[each])]
    if not texts:
        return None
    label, first = text_of(owner, 40), texts[0]
    whose = f"{label}[{first!r}]"
    numeric = texts_as_numbers(table[first])[0]
    listed = " and ".join(f"{label}[{each!r}]" for each in texts[:5])
    one = len(texts) == 1
    return Diagnosis(
        rule="text-column",
        certainty="certain",
        cause=f"{listed} {'is a column' if one else 'are columns'} of text (dtype "
        f"{table[first].dtype}), which {func.attr}() cannot work on"
        + (", numbers stored as text." if numeric and one else "."),
        evidence=(
            f"{where(frame)}: the first values of {whose} are "
            f"{', '.join(map(shown, table[first][:3]))}",
        ),
        remedy=f"Make numbers of it first: {whose} = pd.to_numeric({whose})."
        if numeric or chosen
        else "Choose the columns of numbers, or pass numeric_only=True.",
    )


def joined_numbers(moment: Moment) -> Iterator[Diagnosis]:
    """`",".join` over what are no texts."""
    found = matches(moment, TypeError, r"sequence item (\d+): expected str instance, (\w+) found")
    frame = moment.frame
    if found is None or frame is None:
        return
    for call in nodes_at_fault(frame, ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "join" and call.args:
            inner = segment(frame, call.args[0])
            known, value = value_of(call.args[0], frame)
            said = (
                f": {shown(value[int(found[1])])}" if known and type(value) in {list, tuple} else ""
            )
            yield Diagnosis(
                rule="join-of-other",
                certainty="certain",
                cause=f"join() needs texts, and item {found[1]} of {text_of(call.args[0])} is of "
                f"type {found[2]}{said}.",
                evidence=(f"{where(frame)}: {text_of(call)}",),
                remedy=f"Make texts of them: map(str, {text_of(call.args[0])}).",
                fix=rewritten(frame, "map(str)", (call.args[0], f"map(str, {inner})")),
            )
            return


def naive_and_aware(moment: Moment) -> Iterator[Diagnosis]:
    """Times with and without a time zone, compared or subtracted."""
    pattern = r"offset-naive and offset-aware|tz-naive and tz-aware|different timezones"
    frame = moment.frame
    if frame is None or matches(moment, TypeError, pattern) is None:
        return
    sides = []
    for left, _, right in _pairs(frame):
        for node in (left, right):
            known, value = value_of(node, frame)
            if known and is_a(value, "datetime.datetime"):
                zone = "has a time zone" if value.tzinfo is not None else "has no time zone"
                sides.append(f"{text_of(node, 40)} {zone}")
        if sides:
            break
    yield Diagnosis(
        rule="naive-and-aware",
        certainty="certain",
        cause="A time with a time zone (aware) meets one without (naive)"
        + (f": {', '.join(sides)}." if sides else "."),
        evidence=(f"{where(frame)}: {text_of(frame.node)}",),
        remedy="Give both a zone, such as datetime.now(timezone.utc).",
    )
