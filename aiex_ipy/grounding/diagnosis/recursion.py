"""Recursion without end: the base case that is missing or never reached, or the circle in the
data."""

from __future__ import annotations

import ast
import itertools
import types
from collections.abc import Iterator, Sequence
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten
from aiex_ipy.grounding.diagnosis.origin import Function
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    enclosing_function,
    in_scope,
    is_number,
    shown,
    text_of,
)
from aiex_ipy.grounding.failure.evaluate import own_storage
from aiex_ipy.grounding.failure.frames import Step, steps_of
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

SEEN = 12
"""Frames of a recursion whose arguments are told."""
LAST = 60
"""Newest frames of it that are searched for a circle."""
LONGEST_CIRCLE = 20
MOST_ENTRIES = 100_000
"""A mapping with more entries is not searched for the circle."""
Key = tuple[type, Any]


def endless_recursion(moment: Moment) -> Iterator[Diagnosis]:
    """A function that calls itself without end: which, why, and how its arguments went."""
    if type(moment.error) is not RecursionError:
        return
    live = {each.code: each for each in reversed(moment.frames) if each.user}
    counts: dict[types.CodeType, list[Step]] = {}
    for step in steps_of(moment.error.__traceback__):
        if step.code in live:
            counts.setdefault(step.code, []).append(step)
    again = [steps for steps in counts.values() if len(steps) > 3]
    if not again:
        return
    frames = max(again, key=len)
    first = live[frames[0].code]
    function = enclosing_function(first)
    if not isinstance(function, Function):
        return
    others = [f[0].code.co_name for f in again if f is not frames and len(f) * 2 > len(frames)]
    found = _property(first, function)
    if found is not None:
        yield found
        return
    parameters = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    evidence = [each for each in (_pattern(p, frames) for p in parameters) if each]
    chain = f" (by way of {', '.join(others)})" if others else ""
    why, remedy = _why(first, function, parameters, frames)
    yield Diagnosis(
        rule="endless-recursion",
        certainty="certain",
        cause=f"{function.name}() calls itself without end{chain}: {why}.",
        evidence=(
            *evidence,
            f"{first.place}, line {_again_at(first, function)}: {function.name} calls itself",
        ),
        remedy=remedy,
    )


def _again_at(first: LiveFrame, function: Any) -> int:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and text_of(node.func).split(".")[-1] == function.name:
            return node.lineno
    return first.line


def _why(
    first: LiveFrame, function: Any, parameters: list[str], frames: list[Step]
) -> tuple[str, str]:
    test = _base_case(function)
    at = f"`{text_of(test)}` (line {test.lineno})" if test is not None else ""
    given = {p: _values(p, frames) for p in parameters if _values(p, frames)}
    circles = {p: circle for p, values in given.items() if (circle := _circle(values))}
    if circles:
        name, circle = next(iter(circles.items()))
        around = " → ".join(shown_node(each, name) for each in (*circle, circle[0]))
        holder = _holder(first, circle)
        inside = f"{holder} contains a cycle" if holder else f"{name!r} goes in a cycle"
        base = f", so its base case {at} is never reached" if test is not None else ""
        return (
            f"{inside}: {around}. The same values of {name!r} come back again and again{base}",
            f"Take the cycle out of {holder or 'the data'}, or remember what was visited and stop "
            "there.",
        )
    own = {p: v for p, v in given.items() if p not in {"self", "cls"}} or given
    fixed = [p for p, values in own.items() if len({_key(v) for v in values}) == 1]
    if test is None:
        stuck = fixed and len(fixed) == len(own)
        same = f"; {fixed[0]!r} is the same in every call" if stuck else ""
        return (
            f"it has no base case (no test that ends the recursion){same}",
            "Return without calling it again for the smallest case, and let an argument shrink.",
        )
    if fixed and len(fixed) == len(own):
        return (
            f"it is called with the same arguments every time ({fixed[0]!r} stays "
            f"{shown_node(own[fixed[0]][-1], fixed[0])}), so its base case {at} is never reached",
            "Pass on a smaller argument in the call it makes of itself.",
        )
    tested = {each.id for each in ast.walk(test) if isinstance(each, ast.Name)}
    running = {p: text for p, values in own.items() if (text := _running(values))}
    for name, text in running.items():
        if name not in tested and not any(each in running for each in tested):
            return (
                f"it has no base case for {name!r}, which {text}; its only base case {at} does "
                f"not look at {name!r}",
                f"Add a base case that stops at a limit of {name!r}.",
            )
    more = next((f": {p!r} {t}" for p, t in running.items() if p in tested), "")
    return (
        f"its base case {at} is never reached{more}",
        "End it with a test that must hold at last, such as <= in place of ==."
        if "==" in text_of(test)
        else "Return without calling it again for the smallest case, and let an argument shrink.",
    )


def _values(name: str, frames: Sequence[Step]) -> list[Any]:
    """What a parameter was in the newest calls; [] where some have it no more."""
    newest = [each.frame.f_locals for each in frames[-LAST:]]
    return [each[name] for each in newest] if all(name in each for each in newest) else []


def _key(value: Any) -> Key:
    """What tells values apart: plain ones by what they are, others by being the same object."""
    plain = type(value) in {int, float, str, bytes, bool, type(None)}
    return (type(value), value if plain else id(value))


def _circle(values: list[Any]) -> list[Any]:
    """The values that come back over and over, two or more of them; [] where they do not."""
    keys = [_key(each) for each in values]
    for size in range(2, min(LONGEST_CIRCLE, len(keys) // 3) + 1):
        if keys[:-size] == keys[size:] and len(set(keys[:size])) == size:
            return values[:size]
    return []


def _running(values: list[Any]) -> str:
    """In words, how a number goes on and on; "" for anything else."""
    if len(values) < 3 or not all(is_number(each) for each in values):
        return ""
    pairs = list(itertools.pairwise(values))
    if all(a > b for a, b in pairs):
        sign = " (negative)" if values[-1] < 0 else ""
        return f"keeps falling without bound, to {shown(values[-1])}{sign}"
    if all(a < b for a, b in pairs):
        return f"keeps growing without bound, to {shown(values[-1])}"
    return ""


def _holder(frame: LiveFrame, circle: list[Any]) -> str:
    """The name of a mapping whose entries lead from each value of a circle to the next."""
    pairs = list(zip(circle, [*circle[1:], circle[0]], strict=True))
    if any(type(each) not in {str, int, bytes} for each in circle):
        return ""
    for names in (frame.locals, frame.globals):
        for name, value in list(names.items()):
            if type(value) is not dict or len(value) > MOST_ENTRIES or name[:1] == "_":
                continue
            if all(a in value and _leads(value[a], b) for a, b in pairs):
                return str(name)
    return ""


def _leads(entry: Any, to: Any) -> bool:
    if type(entry) in {list, tuple, set, frozenset, dict}:
        return len(entry) < 1_000 and any(type(each) is type(to) and each == to for each in entry)
    return type(entry) is type(to) and bool(entry == to)


def shown_node(value: Any, name: str) -> str:
    """Return a value of a circle in few words: an object of the user's by a text it holds."""
    for field, text in list((own_storage(value) or {}).items())[:5]:
        if type(text) in {str, int} and field.strip("_") in {"name", "id", "key", "label", "title"}:
            return f"{type(value).__name__}({field}={shown(text, field)})"
    return shown(value, name)


def _pattern(name: str, steps: list[Step]) -> str:
    if name in {"self", "cls"}:
        return ""
    frames = [each.frame.f_locals for each in (*steps[:SEEN], steps[-1])]
    shown_ = [shown_node(each[name], name) for each in frames if name in each]
    if len(shown_) < 3:
        return ""
    if len(set(shown_[:SEEN])) == 1 and shown_[-1] == shown_[0]:
        return f"{name} is always {shown_[0]}"
    return f"{name} goes {', '.join(shown_[:4])}, … {shown_[-1]}"


def _base_case(function: ast.AST) -> ast.expr | None:
    """The test of the first `if` that returns without calling the function again."""
    name = getattr(function, "name", "")
    for node in in_scope(getattr(function, "body", [])):
        if isinstance(node, ast.If | ast.IfExp):
            body = node.body if isinstance(node.body, list) else [node.body]
            ends = isinstance(node, ast.IfExp) or any(
                isinstance(each, ast.Return | ast.Raise) for each in body
            )
            calls = any(
                isinstance(c, ast.Call) and text_of(c.func).rpartition(".")[2] == name
                for each in body
                for c in ast.walk(each)
            )
            if ends and not calls:
                return node.test
    return None


def _property(frame: LiveFrame, function: Any) -> Diagnosis | None:
    """A property or `__getattr__` that asks for itself."""
    name = function.name
    if name in {"__getattr__", "__getattribute__", "__setattr__"}:
        return Diagnosis(
            rule="endless-recursion",
            certainty="certain",
            cause=f"{name} uses an attribute of self, which calls {name} again.",
            evidence=(f"{frame.place}, line {frame.line}: {text_of(frame.node)}",),
            remedy=f"Use self.__dict__ or super().{name}(…) there.",
        )
    if not any(
        "property" in text_of(d) or ".setter" in text_of(d) for d in function.decorator_list
    ):
        return None
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and node.attr == name and text_of(node.value) == "self":
            fix = None
            if text_of(node) == f"self.{name}":
                fix = rewritten(frame, f"_{name}", (node, f"self._{name}"))
            return Diagnosis(
                rule="endless-recursion",
                certainty="certain",
                cause=f"The property {name!r} asks for self.{name}, which is the property itself.",
                evidence=(f"{frame.place}, line {node.lineno}: {text_of(node)}",),
                remedy=f"Keep the value in self._{name}.",
                fix=fix,
            )
    return None
