"""Arguments given in each other's place, told by the names and kinds of what was passed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import Function
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    close_to,
    enclosing_function,
    is_number,
    matches,
    nodes_at_fault,
    public_attributes,
    shown,
    text_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

KINDRED = tuple(
    frozenset(each.split())
    for each in (
        "rate interest ratio share fraction percent probability prob factor",
        "years months days weeks hours periods horizon duration term steps n count times number",
        "principal capital amount balance price cost total",
        "width columns cols w x",
        "height rows h y",
        "name title label",
        "path file filename folder directory",
        "text string message line",
        "key field column id",
        "start begin first low lower minimum min",
        "end stop last high upper maximum max",
        "rows records items values data entries",
    )
)
"""Words people use for the same thing."""
WORDS = re.compile(r"[A-Za-z][a-z]*|[A-Z]+")
Pair = tuple[LiveFrame, LiveFrame, ast.Call, list[tuple[str, ast.expr]]]


def misplaced_arguments(moment: Moment) -> Iterator[Diagnosis]:
    """Two positional arguments that stand in each other's place, here or in a caller."""
    frame = moment.frame
    if not isinstance(moment.error, TypeError | AttributeError | ValueError) or frame is None:
        return
    names = {each.id for each in nodes_at_fault(frame, ast.Name)}
    for caller, callee, call, given in _calls(moment, frame):
        wrong = [(p, a) for p, a in given if p in names and p in callee.locals]
        for parameter, argument in wrong:
            for other, second in given:
                if other == parameter or other not in callee.locals:
                    continue
                sure = _swapped(moment, callee, parameter, argument, other, second)
                if sure is None:
                    continue
                yield _told(caller, callee, call, parameter, argument, other, second, sure=sure)
                return
        names = {n.id for _, a in wrong for n in ast.walk(a) if isinstance(n, ast.Name)}
        if not names:
            return


def _calls(moment: Moment, frame: LiveFrame) -> Iterator[Pair]:
    """The calls that led to the failing frame, innermost first, with what each parameter got."""
    own = [each for each in moment.frames if each.user]
    at = next((i for i, each in enumerate(own) if each is frame), 0)
    for index in range(at, 0, -1):
        caller, callee = own[index - 1], own[index]
        function, call = enclosing_function(callee), caller.node
        if not isinstance(function, Function) or not isinstance(call, ast.Call):
            return
        if text_of(call.func).rpartition(".")[2] != function.name:
            return
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        if names[:1] in (["self"], ["cls"]):
            names = names[1:]
        if any(isinstance(each, ast.Starred) for each in call.args):
            return
        yield caller, callee, call, list(zip(names, call.args, strict=False))


def _swapped(
    moment: Moment,
    frame: LiveFrame,
    parameter: str,
    argument: ast.expr,
    other: str,
    second: ast.expr,
) -> bool | None:
    """True where names say so on both sides, False where the kinds of the values do, else None."""
    value, alternative = frame.locals[parameter], frame.locals[other]
    a, b = _label(argument), _label(second)
    as_is = _kinship(parameter, a) + _kinship(other, b)
    crossed = (_kinship(parameter, b), _kinship(other, a))
    if type(value) is type(alternative) and not (min(crossed) and not as_is):
        return None
    fits = _would_fit(moment, value, alternative)
    if fits is None:
        return None
    if min(crossed) and sum(crossed) > as_is:
        return True
    if fits and not as_is and not a and not b:
        return False
    return False if fits and max(crossed) and sum(crossed) > as_is else None


def _would_fit(moment: Moment, value: Any, alternative: Any) -> bool | None:
    """Whether the other value would not have raised the error; None where the value did not."""
    error = moment.error
    if isinstance(error, AttributeError):
        if error.obj is not value or type(error.name) is not str:
            return None
        return error.name in public_attributes(alternative)
    whole = matches(moment, TypeError, r"'(\w+)' object cannot be interpreted as an integer")
    kind = whole or matches(
        moment,
        TypeError,
        r"'(\w+)' object is not (?:iterable|subscriptable|callable)|type '(\w+)' has no len|"
        r"indices must be integers.*not '?(\w+)'?$|not supported between|unsupported operand|"
        r"can only concatenate|can't multiply|must be real number, not (\w+)",
    )
    if kind is None:
        return True if isinstance(error, ValueError) and type(value) is str else None
    named = next((each for each in kind.groups() if each), None)
    if named is not None and type(value).__name__ != named:
        return None
    if whole:
        return type(alternative) is int
    return type(alternative) is not type(value) and not (
        is_number(value) and is_number(alternative)
    )


def _label(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
    return ""


def _kinship(parameter: str, label: str) -> int:
    """2 for names that share a word or are spelled alike, 1 for words people use alike, else 0."""
    if not label:
        return 0
    a, b = ({w.lower() for w in WORDS.findall(each)} for each in (parameter, label))
    if a & b or close_to(parameter, [label], 0.75):
        return 2
    return int(any(a & group and b & group for group in KINDRED))


def _told(
    caller: LiveFrame,
    callee: LiveFrame,
    call: ast.Call,
    parameter: str,
    argument: ast.expr,
    other: str,
    second: ast.expr,
    *,
    sure: bool,
) -> Diagnosis:
    function = text_of(call.func)
    got = f"{parameter!r} gets {_given(argument, callee.locals[parameter])}"
    got += f" and {other!r} gets {_given(second, callee.locals[other])}"
    return Diagnosis(
        rule="swapped-arguments" if sure else "arguments-in-wrong-order",
        certainty="certain" if sure else "likely",
        cause=f"The arguments {text_of(argument, 30)} and {text_of(second, 30)} are passed to "
        f"{function}() in the wrong order (swapped): {got} ({where(caller, call.lineno)}).",
        evidence=(f"{where(caller, call.lineno)}: {text_of(call)}",),
        remedy=f"Swap them, or pass them by name: {parameter}=…, {other}=….",
        fix=rewritten(
            caller, "swap", (argument, segment(caller, second)), (second, segment(caller, argument))
        ),
    )


def _given(node: ast.expr, value: Any) -> str:
    text, label = shown(value, _label(node)), text_of(node, 30)
    return text if isinstance(node, ast.Constant) else f"{label} ({text})"
