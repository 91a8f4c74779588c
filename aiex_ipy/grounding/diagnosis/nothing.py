"""Where a `None` came from that was used as if it were a value."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.comprehensions import none_among, none_given
from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.in_place import (
    IN_PLACE,
    RETURNS_NONE,
    inplace_fix,
    inplace_keyword,
    inplace_remedy,
    kept_nothing,
    shuffle_fix,
)
from aiex_ipy.grounding.diagnosis.origin import (
    Origin,
    function_called,
    known,
    told,
    traced,
)
from aiex_ipy.grounding.diagnosis.parts import doubted
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.returns import Why, is_none, without_value
from aiex_ipy.grounding.diagnosis.sight import (
    close_to,
    enclosing_function,
    in_scope,
    message,
    name_value,
    nodes_at_fault,
    shown,
    text_of,
    type_name,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.evaluate import isinstance_
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

SEARCHES = frozenset({"match", "search", "fullmatch"})


def nothing_used(moment: Moment) -> Iterator[Diagnosis]:
    """A None where a value was needed: which expression gave it, and why."""
    frame = moment.frame
    if frame is None or not _about_none(moment):
        return
    hole = none_given(frame)
    if hole is not None:
        yield hole
        return
    asked = moment.error.name if type(moment.error) is AttributeError else None
    among = none_among(moment, frame, attribute=asked)
    if among is not None:
        yield among
        return
    for node in _culprits(moment, frame):
        found = _explained(moment, frame, node)
        if found is not None:
            yield found
            return


def _about_none(moment: Moment) -> bool:
    error = moment.error
    if type(error) is AttributeError:
        return error.obj is None and "NoneType" in message(error)
    return type(error) is TypeError and "NoneType" in message(error)


def _culprits(moment: Moment, frame: LiveFrame) -> list[ast.expr]:  # noqa: C901
    """The expressions that may have been None, the likeliest first."""
    found: list[ast.expr] = []
    name = moment.error.name if type(moment.error) is AttributeError else None
    for node in nodes_at_fault(frame, ast.AST):
        match node:
            case ast.Attribute(value=base, attr=attr) if name is not None and attr == name:
                found.append(base)
            case ast.Subscript(value=base) if name is None:
                found.append(base)
            case ast.BinOp(left=left, right=right) if name is None:
                found += [left, right]
            case ast.Compare(left=left, comparators=others) if name is None:
                found += [left, *others]
            case ast.AugAssign(target=left, value=right) if name is None:
                found += [left, right]
            case ast.For(iter=base) | ast.Starred(value=base) if name is None:
                found.append(base)
            case ast.comprehension(iter=base) if name is None:
                found.append(base)
            case ast.Assign(targets=[ast.Tuple() | ast.List()], value=base) if name is None:
                found.append(base)
            case ast.Call(func=func, args=args, keywords=keywords) if name is None:
                found += [func, *args, *(each.value for each in keywords)]
                found += [each.elt for each in args if isinstance(each, ast.GeneratorExp)]
            case ast.FormattedValue(value=base) if name is None:
                found.append(base)
            case ast.UnaryOp(operand=base) if name is None:
                found.append(base)
    values = [(each, value_of(each, frame)) for each in found]
    sure = [each for each, (seen, value) in values if seen and value is None]
    if sure:
        return sure
    unknown = [each for each, (seen, _) in values if not seen]
    if name is None and not unknown and isinstance(frame.node, ast.expr):
        seen, value = value_of(frame.node, frame)
        unknown = [frame.node] if seen and value is None else []
    return [each for each in unknown if isinstance(each, ast.Call | ast.Subscript | ast.Attribute)]


def _explained(moment: Moment, frame: LiveFrame, node: ast.expr) -> Diagnosis | None:
    steps = traced(moment, frame, node)
    last = steps[-1] if steps else None
    made: ast.AST | None = last.node if last is not None else node
    at = last.frame if last is not None else frame
    label = text_of(node, 40)
    evidence = tuple(told(steps))
    if last is not None and last.how == "loop":
        return _plain(label, f"an item of {text_of(last.node, 40)} is None", last, evidence)
    if made is None:
        if last is None:
            return None
        return _plain(label, f"{last.name!r} was given None there", last, evidence)
    reason = _why(moment, at, made, label, last)
    if reason is not None:
        cause, more, remedy, fix, certainty = reason
        return Diagnosis(
            rule="none-used",
            cause=cause,
            evidence=(*evidence, *more),
            remedy=remedy,
            fix=fix,
            certainty=certainty,
        )
    if last is None:
        if isinstance(made, ast.Subscript | ast.Attribute):
            return Diagnosis(
                rule="none-used",
                cause=f"{label} is None.",
                evidence=(f"{where(frame)}: {label} is used as a value",),
                remedy=f"Check {label} for None first, or find why it is not set.",
            )
        return None
    return _plain(label, f"{text_of(made, 60)} gave None", last, evidence)


def nothing_asked(moment: Moment) -> Iterator[Diagnosis]:
    """`ai_debug(v)` of a name that is None: which expression gave it, and why."""
    node = doubted(moment)
    if moment.error is not None or moment.asked is not None or not isinstance(node, ast.Name):
        return
    steps = traced(moment, None, node)
    last = steps[-1] if steps else None
    if last is None or last.node is None or last.how == "loop":
        return
    reason = _why(moment, last.frame, last.node, node.id, last)
    if reason is None:
        yield _plain(node.id, f"{text_of(last.node, 60)} gave None", last, tuple(told(steps)))
        return
    cause, more, remedy, fix, certainty = reason
    yield Diagnosis(
        rule="none-used",
        cause=cause,
        evidence=(*told(steps), *more),
        remedy=remedy,
        fix=fix,
        certainty=certainty,
    )


def _plain(label: str, why: str, last: Origin, evidence: tuple[str, ...]) -> Diagnosis:
    return Diagnosis(
        rule="none-used",
        cause=f"{label} is None: {why} ({last.where}).",
        evidence=evidence,
        remedy="Handle the case of None there, or give it a value.",
    )


def _why(
    moment: Moment, frame: LiveFrame | None, made: ast.AST, label: str, last: Origin | None
) -> Why | None:
    place = last.where if last is not None else where(frame, getattr(made, "lineno", None))
    if isinstance(made, ast.Await):
        made = made.value
    match made:
        case ast.Constant(value=None) if last is not None and last.how == "default":
            return (
                f"{label} is None: {last.name!r} was not given, and its default is None.",
                (),
                f"Give {last.name!r}, or handle None in the function.",
                None,
                "certain",
            )
        case ast.Constant(value=None) if last is None:
            return (
                f"None is written where a value is needed ({place}).",
                (),
                "Write a value in its place.",
                None,
                "certain",
            )
        case ast.Constant(value=None):
            return (
                f"{label} is None: it was set to None ({place}) and to nothing else after.",
                (),
                "Give it a value before it is used.",
                None,
                "certain",
            )
        case ast.Attribute() if frame is not None:
            stored = kept_nothing(moment, made, label)
            return stored or _unset_attribute(frame, made, label)
        case ast.Subscript(value=base, slice=key) if frame is not None:
            found, value = value_of(base, frame)
            if found and isinstance_(value, dict):
                text = f"the dict has the key {text_of(key)}, and its value is None"
                return (
                    f"{label} is None: {text}.",
                    (),
                    "Handle None (`null` in JSON).",
                    None,
                    "certain",
                )
        case ast.Call():
            return _call(moment, frame, made, label, place, last)
    return None


def _call(
    moment: Moment,
    frame: LiveFrame | None,
    call: ast.Call,
    label: str,
    place: str,
    last: Origin | None,
) -> Why | None:
    name = text_of(call.func)
    if any(
        k.arg == "inplace" and isinstance(k.value, ast.Constant) and k.value.value is True
        for k in call.keywords
    ):
        return inplace_keyword(call, label, place, last)
    if isinstance(call.func, ast.Attribute):
        why = _method(moment, frame, call, call.func, label, place, last)
        if why is not None:
            return why
    own = function_called(moment, frame, call)
    if own is not None:
        return without_value(own, label, name)
    if name in RETURNS_NONE and (frame is None or "." in name or _builtin(frame, name)):
        return (
            f"{label} is None: {name}() returns None ({place}).",
            (),
            f"Do not use what {name}() returns.",
            shuffle_fix(call, last),
            "certain",
        )
    if name in {"os.environ.get", "os.getenv"} and len(call.args) == 1:
        return (
            f"{label} is None: the environment variable {text_of(call.args[0])} is not set "
            f"({place}).",
            (),
            "Set it, or give a default as second argument.",
            None,
            "likely",
        )
    return None


def _builtin(frame: LiveFrame, name: str) -> bool:
    import builtins

    return name_value(name, frame)[1] is getattr(builtins, name, None)


def _method(
    moment: Moment,
    frame: LiveFrame | None,
    call: ast.Call,
    func: ast.Attribute,
    label: str,
    place: str,
    last: Origin | None,
) -> Why | None:
    found, base = known(moment, func.value, frame)
    if found and func.attr in IN_PLACE.get(type_name(base), ()):
        kind = type_name(base)
        return (
            f"{label} is None: {kind}.{func.attr}() changes the {kind} in place and returns None "
            f"({place}).",
            (),
            inplace_remedy(func, kind),
            inplace_fix(call, func, kind, last),
            "certain",
        )
    again = last is not None and text_of(func.value) == last.name
    kinds = [kind for kind, names in IN_PLACE.items() if func.attr in names]
    if again and kinds and (not found or base is None):
        kind = kinds[0]
        return (
            f"{label} is None: .{func.attr}() changes its object in place and returns None, and "
            f"that None was given to {label} itself ({place}).",
            (),
            inplace_remedy(func, ""),
            inplace_fix(call, func, kind, last),
            "likely",
        )
    if func.attr == "get" and found and isinstance_(base, dict) and len(call.args) == 1:
        told_key, key = known(moment, call.args[0], frame)
        if told_key and type(key) in {str, int, float, bool} and not dict.__contains__(base, key):
            near = close_to(key, base) if type(key) is str else []
            hint = f"; it has {near[0]!r}" if near else ""
            fix = None
            if near and last is not None and last.code is not None:
                fix = rewritten(last.code, f"{key!r} → {near[0]!r}", (call.args[0], repr(near[0])))
            return (
                f"{label} is None: {text_of(func.value)} has no key {key!r}, so .get() gave None "
                f"({place}){hint}.",
                (f"{text_of(func.value)} is {shown(base)}",),
                f"Write {near[0]!r}." if near else "Give .get() a default, or handle None.",
                fix,
                "certain",
            )
    if func.attr in SEARCHES and (text_of(func.value) == "re" or type_name(base) == "re.Pattern"):
        return _search(moment, frame, call, func, label, place, base, last)
    return None


def _search(
    moment: Moment,
    frame: LiveFrame | None,
    call: ast.Call,
    func: ast.Attribute,
    label: str,
    place: str,
    base: Any,
    last: Origin | None,
) -> Why:
    compiled = type_name(base) == "re.Pattern"
    code = last.code if last is not None else frame
    at = 0 if compiled else 1
    text = known(moment, call.args[at], frame)[1] if len(call.args) > at else None
    pattern = (
        base.pattern if compiled else known(moment, call.args[0] if call.args else None, frame)[1]
    )
    more: list[str] = []
    hint = "Check the pattern, or handle None before using the match."
    fix = None
    if type(pattern) is str and type(text) is str:
        more.append(f"the pattern is {shown(pattern)}, the text {shown(text)}")
        if func.attr != "search" and _found_by_search(pattern, text):
            hint = f"{func.attr} looks only at the beginning of the text: write search."
            more.append("re.search finds the pattern further on in the text")
            if code is not None:
                old = segment(code, func)
                fix = rewritten(
                    code,
                    f"{func.attr} → search",
                    (func, old[: len(old) - len(func.attr)] + "search"),
                )
    return (
        f"{label} is None: {text_of(func)}() found no match ({place}).",
        tuple(more),
        hint,
        fix,
        "certain",
    )


def _found_by_search(pattern: str, text: str) -> bool:
    if len(pattern) > 200 or len(text) > 2_000 or re.search(r"[+*}][)]*[+*{]", pattern):
        return False  # nested repeats may take for ever
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def _unset_attribute(frame: LiveFrame, made: ast.Attribute, label: str) -> Why | None:
    """`self.x` that was set to None in one method and is set in another that did not run."""
    function = enclosing_function(frame)
    if frame.tree is None or function is None:
        return None
    for owner in ast.walk(frame.tree):
        if not isinstance(owner, ast.ClassDef) or function not in owner.body:
            continue
        empty: list[tuple[str, int]] = []
        filled: list[tuple[str, int]] = []
        for method in owner.body:
            if not isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in in_scope(method.body):
                if isinstance(node, ast.Assign) and any(
                    isinstance(t, ast.Attribute) and t.attr == made.attr for t in node.targets
                ):
                    (empty if is_none(node.value) else filled).append((method.name, node.lineno))
        if empty:
            setters = [name for name, _ in filled if name != function.name]
            more = tuple(
                f"{frame.place}, line {line}: {name} sets {made.attr}" for name, line in filled
            )
            remedy = f"Call {setters[0]}() first." if setters else "Give it a value first."
            return (
                f"{label} is None: {owner.name}.{empty[0][0]} set it to None ({frame.place}, line "
                f"{empty[0][1]}) and nothing has set it since.",
                more,
                remedy,
                None,
                "likely",
            )
    return None
