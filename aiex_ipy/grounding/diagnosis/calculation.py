"""Calculations and comparisons that do not give what was meant."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.operands import is_text_column, number_in, texts_as_numbers
from aiex_ipy.grounding.diagnosis.parts import doubted
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.replay import Step, steps_of
from aiex_ipy.grounding.diagnosis.sight import (
    columns_of,
    is_a,
    is_number,
    nodes_at_fault,
    shown,
    text_of,
    where,
)
from aiex_ipy.grounding.diagnosis.worth import worth
from aiex_ipy.grounding.failure.evaluate import Scope
from aiex_ipy.grounding.failure.moment import Moment


def failed_assertion(moment: Moment) -> Iterator[Diagnosis]:
    """Both sides of a failed assertion with their values."""
    node, frame = doubted(moment), moment.frame
    if node is None or (moment.error is None and moment.asked is not False):
        return
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return
    at = frame if moment.error is not None else None
    scope = Scope(at.locals, at.globals) if at is not None else Scope(moment.names)
    (seen_a, a), (seen_b, b) = worth(node.left, scope), worth(node.comparators[0], scope)
    seen_a &= not isinstance(node.left, ast.Constant)
    told_b = seen_b and not isinstance(node.comparators[0], ast.Constant)
    if not (seen_a or told_b):
        return
    left, right = text_of(node.left, 40), text_of(node.comparators[0], 40)
    evidence = tuple(
        f"{label} = {shown(value, label)}"
        for label, seen, value in ((left, seen_a, a), (right, told_b, b))
        if seen
    )
    place = where(at) if at is not None else "the expression"
    floats = (type(a) is float and is_number(b)) or (type(b) is float and is_number(a))
    close = floats and a != b and math.isclose(a, b, rel_tol=1e-9)
    if close and isinstance(node.ops[0], ast.Eq):
        fix = (
            rewritten(at, "isclose", (node, f"math.isclose({left}, {right})"))
            if (at is not None and "math" in at.globals)
            else None
        )
        yield Diagnosis(
            rule="float-equality",
            certainty="certain",
            cause=f"{left} and {right} differ only by rounding of floats: {a!r} and {b!r}.",
            evidence=(f"{place}: {text_of(node)}",),
            remedy=f"Compare with math.isclose({left}, {right}).",
            fix=fix,
        )
        return
    if (
        type(a) is not type(b)
        and seen_a
        and seen_b
        and str in {type(a), type(b)}
        and (str(a) == str(b) if all(type(x) in {str, int, float} for x in (a, b)) else False)
    ):
        yield Diagnosis(
            rule="compared-types",
            certainty="certain",
            cause=f"{left} is {shown(a)} and {right} is {shown(b)}: a text and a number are never "
            "equal.",
            evidence=(f"{place}: {text_of(node)}",),
            remedy="Convert one of them.",
        )
        return
    yield Diagnosis(
        rule="assertion",
        certainty="possible",
        cause=f"{text_of(node, 60)} does not hold: "
        + " and ".join(each.replace(" = ", " is ", 1) for each in evidence)
        + ".",
        evidence=(f"{place}: {text_of(node)}",),
        remedy="See where the value that is off was made.",
    )


def wrong_calculation(moment: Moment) -> Iterator[Diagnosis]:
    """Texts compared as numbers, whole division, texts that stand for false, NaN compared."""
    said: set[str] = set()
    for part in steps_of(moment):
        for node in ast.walk(part.node):
            found = _calculation(part, node)
            if found is not None and found.rule not in said:
                said.add(found.rule)
                yield found


def _calculation(  # noqa: C901 - one case each
    part: Step, node: ast.AST
) -> Diagnosis | None:
    evidence = (f"{part.place}: {text_of(node, 60)}",)
    match node:
        case ast.Call(func=ast.Name(id="sorted" | "max" | "min" as name), args=[argument, *_]) if (
            not node.keywords
        ):
            value = part.value(argument)[1]
            items = (
                value
                if type(value) in {list, tuple}
                else list(value)[:1000]
                if is_a(value, "pandas.Series")
                else []
            )
            if len(items) > 1 and all(type(v) is str and number_in(v) for v in items[:1000]):
                return Diagnosis(
                    rule="texts-as-numbers",
                    certainty="certain",
                    cause=f"{text_of(argument)} holds texts, and texts are compared letter by "
                    f"letter ('10' < '9'): {shown(value)}.",
                    evidence=evidence,
                    remedy=f"Write {name}(…, key=float), or make numbers first.",
                )
        case ast.Compare(
            left=left, ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()], comparators=[right]
        ):
            a, b = part.value(left)[1], part.value(right)[1]
            if type(a) is str and type(b) is str and number_in(a) and number_in(b):
                return Diagnosis(
                    rule="texts-as-numbers",
                    certainty="certain",
                    cause=f"{text_of(left)} ({a!r}) and {text_of(right)} ({b!r}) are texts, and "
                    "texts are compared letter by letter.",
                    evidence=evidence,
                    remedy="Make numbers of both first.",
                )
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]):
            for side in (left, right):
                value = part.value(side)[1]
                if type(value) is float and math.isnan(value):
                    return Diagnosis(
                        rule="compared-with-nan",
                        cause=f"{text_of(side)} is NaN, and NaN equals nothing, not even itself.",
                        certainty="certain",
                        evidence=evidence,
                        remedy="Ask with math.isnan(…) or pandas.isna(…).",
                    )
        case ast.Call(func=ast.Name(id="bool"), args=[argument]):
            value = part.value(argument)[1]
            if type(value) is str and value.casefold() in {"false", "no", "0", "off"}:
                return Diagnosis(
                    rule="text-truth",
                    certainty="certain",
                    cause=f"bool({value!r}) is True: each text that is not empty is true.",
                    evidence=evidence,
                    remedy=f"Compare the text: … == {value!r}.",
                )
        case ast.Call(func=ast.Attribute(value=inner, attr="sum" | "max" | "min" as name)) if (
            is_text_column(part.value(inner)[1])
        ):
            column = part.value(inner)[1]
            if texts_as_numbers(column)[0]:
                return Diagnosis(
                    rule="texts-as-numbers",
                    cause=f"{text_of(inner)} is a column of text (dtype {column.dtype}), numbers "
                    f"stored as text: {name}() joins or compares letters.",
                    certainty="certain",
                    evidence=(
                        *evidence,
                        f"its first values are {', '.join(map(shown, column[:3]))}",
                    ),
                    remedy=f"Make numbers of it first: pd.to_numeric({text_of(inner)}).",
                )
        case ast.Attribute(value=inner, attr=name):
            table = part.value(inner)[1]
            if (
                is_a(table, "pandas.DataFrame")
                and name in columns_of(table)
                and (hasattr(type(table), name))
            ):
                label = f"{text_of(inner)}[{name!r}]"
                return Diagnosis(
                    rule="hidden-column",
                    cause=f"{text_of(node)} is an attribute every DataFrame has, not the column "
                    f"{name!r}.",
                    certainty="certain",
                    evidence=evidence,
                    remedy=f"Write {label}.",
                    fix=rewritten(part.code, "column", (node, label)) if part.code else None,
                )
        case ast.Name() | ast.Constant():
            value = part.value(node)[1]
            meant = _mojibake(value) if type(value) is str else ""
            if meant:
                return Diagnosis(
                    rule="wrong-encoding",
                    cause=f"{text_of(node)} is {shown(value)}: UTF-8 that was read as another "
                    f"encoding (cp1252 or latin-1); {meant!r} was meant.",
                    certainty="likely",
                    evidence=evidence,
                    remedy="Read it with encoding='utf-8'.",
                )
        case ast.BinOp(left=left, op=op, right=right):
            return _operator(part, node, left, op, right)
    return None


def _mojibake(text: str) -> str:
    """The text that was meant where UTF-8 was read as Windows-1252 or Latin-1, else `""`."""
    if text.isascii():
        return ""
    for name in ("cp1252", "latin-1"):
        try:
            meant = text.encode(name).decode("utf-8")
        except UnicodeError:
            continue
        return meant if len(meant) < len(text) else ""
    return ""


def hidden_column(moment: Moment) -> Iterator[Diagnosis]:
    """`df.count * 2` with a column `count`: the method is meant by Python, the column by people."""
    frame = moment.frame
    if frame is None or not isinstance(moment.error, TypeError | AttributeError | ValueError):
        return
    scope = Scope(frame.locals, frame.globals)
    for node in nodes_at_fault(frame, ast.Attribute):
        if any(
            isinstance(each, ast.Call) and each.func is node
            for each in nodes_at_fault(frame, ast.Call)
        ):
            continue
        found = _calculation(Step(node, scope, where(frame), frame, ""), node)
        if found is not None and found.rule == "hidden-column":
            yield found
            return


def _operator(
    part: Step, node: ast.BinOp, left: ast.expr, op: ast.operator, right: ast.expr
) -> Diagnosis | None:
    evidence = (f"{part.place}: {text_of(node, 60)}",)
    a, b = part.value(left)[1], part.value(right)[1]
    if isinstance(op, ast.FloorDiv) and type(a) is int and type(b) is int and b and a % b:
        fix = None
        if part.code is not None:
            text = f"{segment(part.code, left)} / {segment(part.code, right)}"
            fix = rewritten(part.code, "/", (node, text))
        return Diagnosis(
            rule="whole-division",
            certainty="likely",
            cause=f"// cuts off what remains: {a} // {b} is {a // b}, and {a} / {b} is {a / b}.",
            evidence=evidence,
            remedy="Write / for the exact quotient.",
            fix=fix,
        )
    return None
