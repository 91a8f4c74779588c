"""Values used as what they are not: called, subscripted, hashed, formatted, asked for one truth."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.operands import named, number_in
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
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
    code = found[1] or ""
    nodes = [
        each.value
        for each in nodes_at_fault(frame, ast.FormattedValue)
        if each.format_spec is not None and _ends_with(each.format_spec, code)
    ]
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
            cause=f"{named(node, value)} is of type {type_name(value)}, and the format "
            f"{found[1] or found[3] or ''!r} is for numbers.",
            certainty="certain",
            evidence=tuple(told(steps)) or (f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy="Make a number of it first, or leave the format out.",
            fix=fix,
        )
        return


def _ends_with(spec: ast.expr, code: str) -> bool:
    """True if a format may end with a letter: its last part is no literal, or has it."""
    last = spec.values[-1] if isinstance(spec, ast.JoinedStr) and spec.values else spec
    return not isinstance(last, ast.Constant) or str(last.value).endswith(code)


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
        cause=f"{named(node, value)} is of type {type_name(value)}, which {_WRONG[words]}.{more}",
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
