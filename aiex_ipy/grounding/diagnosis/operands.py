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
    is_table,
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
    for left, operator, right in _pairs(frame):
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
    signs = {
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
    return signs.get(type(op).__name__, type(op).__name__)


def _disagree(a: Any, b: Any, operator: str) -> bool:
    if type(a) is type(b) and type(a) in {int, float, str, list, tuple}:
        return operator not in {"+", "+=", "<", "<=", ">", ">="} or type(a) in {list, tuple}
    return not (is_number(a) and is_number(b))


def _pair(
    moment: Moment, frame: LiveFrame, left: ast.expr, operator: str, right: ast.expr, a: Any, b: Any
) -> Diagnosis:
    words = f"{_named(left, a)} and {_named(right, b)} do not go together with {operator}"
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


def _named(node: ast.expr, value: Any) -> str:
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


def _convert(
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


def float_index(moment: Moment) -> Iterator[Diagnosis]:
    """A position that is a float, as `/` gives it."""
    frame = moment.frame
    pattern = (
        r"indices must be integers or slices, not float|only integers, slices|"
        r"slice indices must be integers|'float' object cannot be interpreted as an integer"
    )
    if frame is None or matches(moment, Exception, pattern) is None:
        return
    nodes: list[ast.expr] = []
    for item in nodes_at_fault(frame, ast.Subscript):
        parts = [item.slice]
        if isinstance(item.slice, ast.Slice):
            parts = [e for e in (item.slice.lower, item.slice.upper, item.slice.step) if e]
        nodes += parts
    nodes += [each for call in nodes_at_fault(frame, ast.Call) for each in call.args]
    for node in nodes:
        known, value = value_of(node, frame)
        if not known or type(value) is not float:
            continue
        steps = traced(moment, frame, node)
        made, code = (steps[-1].node, steps[-1].code) if steps else (node, frame)
        fix = None
        if isinstance(made, ast.BinOp) and isinstance(made.op, ast.Div) and code is not None:
            text = f"{segment(code, made.left)} // {segment(code, made.right)}"
            fix = rewritten(code, "//", (made, text))
        elif not steps:
            fix = rewritten(frame, "int", (node, f"int({segment(frame, node)})"))
        yield Diagnosis(
            rule="float-index",
            cause=f"{text_of(node, 40)} is {value!r}, a float, and a whole number is needed (`/` "
            "always gives a float).",
            certainty="certain",
            evidence=tuple(told(steps)) or (f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy="Write // in place of /, or int(…).",
            fix=fix,
        )
        return


def wrong_format(moment: Moment) -> Iterator[Diagnosis]:
    """A value written in a format of another type: `f"{'3':.2f}"`, `"%d" % "three"`."""
    frame = moment.frame
    pattern = (
        r"Unknown format code '(.)' for object of type '(\w+)'|"
        r"(%\w) format: a (?:real )?number is required, not (\w+)|"
        r"unsupported format string passed to (\w+)"
    )
    found = matches(moment, Exception, pattern)
    if frame is None or found is None or "NoneType" in found[0]:
        return
    nodes = [each.value for each in nodes_at_fault(frame, ast.FormattedValue) if each.format_spec]
    for operation in nodes_at_fault(frame, ast.BinOp):
        right = operation.right
        nodes += right.elts if isinstance(right, ast.Tuple) else [right]
    for node in nodes:
        known, value = value_of(node, frame)
        if not known or type(value).__name__ != (found[2] or found[4] or found[5]):
            continue
        steps = traced(moment, frame, node)
        number = number_in(value) if type(value) is str else ""
        fix = None
        if number:
            kind = "float" if (found[1] or "") in "eEfFgG%" else number
            fix = rewritten(frame, kind, (node, f"{kind}({segment(frame, node)})"))
        yield Diagnosis(
            rule="wrong-format",
            cause=f"{_named(node, value)} is of type {type_name(value)}, and the format "
            f"{found[1] or found[3] or ''!r} is for numbers.",
            certainty="certain",
            evidence=tuple(told(steps)) or (f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy="Make a number of it first, or leave the format out.",
            fix=fix,
        )
        return


_WRONG = {
    "is not subscriptable": "has no items to be asked for with [ ]",
    "is not iterable": "cannot be looped over",
    "does not support item assignment": "cannot have its items changed",
    "does not support item deletion": "cannot have items deleted",
    "is not callable": "is no function and cannot be called",
    "has no len()": "has no length",
    "cannot unpack non-iterable": "cannot be unpacked into several names",
    "bad operand type for unary": "cannot be negated",
    "unhashable type": "cannot be a key or an item of a set",
    "indices must be integers": "has items by position alone, not by name",
    "is not a mapping": "is no mapping",
}


def unfit_value(moment: Moment) -> Iterator[Diagnosis]:
    """A value used as something it is not: called, subscripted, looped over, hashed."""
    frame = moment.frame
    if type(moment.error) is not TypeError or frame is None:
        return
    said = message(moment.error)
    found = next((words for words in _WRONG if words in said), None)
    if found is None or "NoneType" in said or "coroutine" in said:
        return
    for node in _used(frame, found):
        known, value = value_of(node, frame)
        if not known or f"{type(value).__name__}" not in said:
            continue
        yield _unfit(moment, frame, node, value, found)
        return


def _used(frame: LiveFrame, words: str) -> list[ast.expr]:  # noqa: C901 - one case each
    found: list[ast.expr] = []
    for node in nodes_at_fault(frame, ast.AST):
        match node:
            case ast.Call(func=func) if "callable" in words:
                found.append(func)
            case ast.Subscript(value=base, slice=key):
                found.append(key if words == "unhashable type" else base)
                if words == "unhashable type":
                    continue
            case ast.Call(args=args):
                found += args
            case ast.For(iter=base) | ast.comprehension(iter=base):
                found.append(base)
            case ast.Assign(value=base, targets=targets):
                found += [t.value for t in targets if isinstance(t, ast.Subscript)]
                found += [t.slice for t in targets if isinstance(t, ast.Subscript)]
                found.append(base)
            case ast.UnaryOp(operand=base) | ast.Starred(value=base):
                found.append(base)
            case ast.Dict(keys=keys):
                found += [each for each in keys if each is not None]
            case ast.Set(elts=elements):
                found += elements
            case ast.Compare(comparators=others, left=left):
                found += [*others, left]
    return found


def _unfit(moment: Moment, frame: LiveFrame, node: ast.expr, value: Any, words: str) -> Diagnosis:
    label = text_of(node, 40)
    steps = traced(moment, frame, node)
    remedy, fix, more = _unfit_remedy(frame, node, value, words)
    return Diagnosis(
        rule="unfit-value",
        cause=f"{_named(node, value)} is of type {type_name(value)}, which {_WRONG[words]}.{more}",
        certainty="certain",
        evidence=tuple(told(steps)) or (f"{where(frame)}: {label} is {shown(value, label)}",),
        remedy=remedy,
        fix=fix,
    )


def _unfit_remedy(  # noqa: C901 - one case each
    frame: LiveFrame, node: ast.expr, value: Any, words: str
) -> tuple[str, Fix | None, str]:
    label, base = text_of(node, 40), segment(frame, node)
    kind = type(value)
    if words == "is not iterable" and kind is int:
        return f"Loop over range({label}).", rewritten(frame, "range", (node, f"range({base})")), ""
    if words == "is not callable" and (kind in {list, tuple, dict, str} or is_table(value)):
        for call in nodes_at_fault(frame, ast.Call):
            if call.func is node and len(call.args) == 1 and not call.keywords:
                inside = segment(frame, call.args[0])
                return (
                    "Items are asked for with [ ].",
                    rewritten(frame, "brackets", (call, f"{base}[{inside}]")),
                    "",
                )
            if call.func is node and isinstance(node, ast.Tuple | ast.Constant):
                return "A comma is missing between the two.", None, ""
    if words == "is not subscriptable" and kind.__name__ in {
        "function",
        "method",
        "builtin_function_or_method",
        "type",
    }:
        return "Call it with ( ) first.", None, " It was not called."
    if words == "unhashable type" and kind is list:
        return (
            f"Use a tuple: tuple({label}).",
            rewritten(frame, "tuple", (node, f"tuple({base})")),
            "",
        )
    if words == "indices must be integers" and kind is list and value and type(value[0]) is dict:
        return (
            f"Choose an item first: {label}[0][…], or loop over {label}.",
            None,
            (" Its items are dicts."),
        )
    if words == "indices must be integers" and kind is str:
        more = (
            " It looks like JSON that was not parsed."
            if value[:1] in {"{", "["}
            else (" A loop over a dict gives its keys, which are texts.")
        )
        return (
            "Parse it with json.loads first."
            if value[:1] in {"{", "["}
            else ("Loop over .items() or .values(), or look where it was made."),
            None,
            more,
        )
    if words == "does not support item assignment" and kind is str:
        return "Texts cannot be changed: make a new one, with replace or slices.", None, ""
    if words == "does not support item assignment" and kind is tuple:
        return f"Use a list: list({label}).", None, ""
    if kind in {map, filter, zip} or kind.__name__ == "generator":
        return (
            f"Make a list of it: list({label}).",
            rewritten(frame, "list", (node, f"list({base})")),
            "",
        )
    if kind in {set, frozenset, dict} or kind.__name__ in {"dict_keys", "dict_values"}:
        return f"Make a list of it: list({label}).", None, ""
    return "Look where it was made; it should be of another type.", None, ""


def ambiguous_truth(moment: Moment) -> Iterator[Diagnosis]:
    """The truth of a whole array or column, by `if`, `and`, `or` or `not`."""
    frame = moment.frame
    if frame is None or matches(moment, ValueError, r"truth value of a.* is ambiguous") is None:
        return
    node = frame.node
    for each in nodes_at_fault(frame, ast.BoolOp):
        sign = "&" if isinstance(each.op, ast.And) else "|"
        parts = [segment(frame, part) for part in each.values]
        wrapped = [
            text if isinstance(part, ast.Name | ast.Call | ast.Subscript) else f"({text})"
            for part, text in zip(each.values, parts, strict=True)
        ]
        word = "and" if sign == "&" else "or"
        yield Diagnosis(
            rule="ambiguous-truth",
            certainty="certain",
            cause=f"`{word}` asks for one truth value, and {text_of(each.values[0])} has one for "
            "each item.",
            evidence=(f"{where(frame)}: {text_of(each)}",),
            remedy=f"Write {sign} with each side in parentheses.",
            fix=rewritten(frame, f"{word} → {sign}", (each, f" {sign} ".join(wrapped))),
        )
        return
    yield Diagnosis(
        rule="ambiguous-truth",
        certainty="certain",
        cause=f"One truth value is asked of {text_of(node, 60) or 'an array or column'}, which has "
        "one for each item.",
        evidence=(f"{where(frame)}: the condition is used as one value",),
        remedy="Say which is meant: .any(), .all() or .empty; to choose rows, use it as an index.",
    )
