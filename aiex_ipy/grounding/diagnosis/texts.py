"""Texts and bytes where the other is wanted, formats that miss values, values of a fixed set."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.operands import named, number_in
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    close_to,
    cut,
    matches,
    message,
    mro,
    nodes_at_fault,
    shown,
    text_of,
    type_name,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.evaluate import isinstance_
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix

BYTES = (
    r"a bytes-like object is required, not '(?P<got>\w+)'|can't concat (?P<o>\w+) to bytes|"
    r"(?:write\(\) argument must be|expected) str,? (?:not|instance,) ?(?P<g>\w+)|"
    r"cannot use a (?P<p>string|bytes) pattern on a (?P<q>bytes-like|string)|"
    r"string argument expected, got|argument should be (?:integer or )?bytes-like|"
    r"startswith first arg must be bytes"
)


def text_for_bytes(moment: Moment) -> Iterator[Diagnosis]:
    """A text where bytes are wanted, bytes or a number where a text is."""
    frame = moment.frame
    found = matches(moment, TypeError, BYTES)
    if frame is None or found is None:
        return
    wants_text = ("expected str", "must be str", "string argument expected")
    want_bytes = not any(each in found[0] for each in wants_text)
    for node in [*_given(frame)]:
        known, value = value_of(node, frame)
        if not known or type(value) not in {str, bytes, bytearray, int, float, list, dict}:
            continue
        is_text = type(value) is str
        if is_text != want_bytes or (want_bytes and not is_text):
            continue
        change, remedy = _change(frame, node, value)
        label = text_of(node, 40)
        yield Diagnosis(
            rule="text-for-bytes",
            certainty="certain",
            cause=f"{label}{'' if isinstance(node, ast.Constant) else f' ({shown(value, label)})'} "
            f"is of type {type_name(value)}, and {'bytes are' if want_bytes else 'a text is'} "
            f"needed here{_mode(frame)}.",
            evidence=(
                *told(traced(moment, frame, node)),
                f"{where(frame)}: {text_of(frame.node, 60)}",
            ),
            remedy=remedy,
            fix=change,
        )
        return


def _given(frame: LiveFrame) -> Iterator[ast.expr]:
    for node in nodes_at_fault(frame, ast.AST):
        match node:
            case ast.Call(args=args):
                yield from args
            case ast.BinOp(left=left, right=right):
                yield from (right, left)
            case ast.Compare(left=left, comparators=others):
                yield from (left, *others)


def _change(frame: LiveFrame, node: ast.expr, value: Any) -> tuple[Fix | None, str]:
    text = segment(frame, node)
    if type(value) is str and isinstance(node, ast.Constant) and value.isascii():
        return rewritten(
            frame, "bytes", (node, f"b{text}")
        ), f"Write b{value!r}, or decode the other."
    if type(value) is str:
        return rewritten(frame, "encode", (node, f"{text}.encode()")), "Encode it: .encode()."
    if type(value) in {bytes, bytearray}:
        return rewritten(frame, "decode", (node, f"{text}.decode()")), "Decode it: .decode()."
    return rewritten(frame, "str", (node, f"str({text})")), f"Make a text of it: str({text})."


def _mode(frame: LiveFrame) -> str:
    for call in nodes_at_fault(frame, ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "write":
            known, file = value_of(call.func.value, frame)
            if known and type(file).__name__ in {"BufferedWriter", "BufferedRandom"}:
                return f" ({text_of(call.func.value)} was opened with mode {file.mode!r})"
            if known and type(file).__name__ == "TextIOWrapper":
                return f" ({text_of(call.func.value)} was opened for text, mode {file.mode!r})"
    return ""


def format_values(moment: Moment) -> Iterator[Diagnosis]:
    """A format with more or fewer places than values, or names that were not given."""
    frame = moment.frame
    if frame is None:
        return
    percent = matches(
        moment, TypeError, r"not (enough arguments for|all arguments converted during).* format"
    )
    if percent is not None:
        for node in nodes_at_fault(frame, ast.BinOp):
            known, form = value_of(node.left, frame)
            if not isinstance(node.op, ast.Mod) or not known or type(form) is not str:
                continue
            given = len(node.right.elts) if isinstance(node.right, ast.Tuple) else 1
            places = len(re.findall(r"%(?!%)", form.replace("%%", "")))
            yield Diagnosis(
                rule="format-count",
                certainty="certain",
                cause=f"The format {shown(form)} has {places} place{'s' * (places != 1)} for "
                f"values, and gets {given}: {text_of(node.right, 50)}.",
                evidence=(f"{where(frame)}: {text_of(node)}",),
                remedy="Give as many values as there are places, in a tuple, or use an f-string.",
            )
            return
    named = type(moment.error) is KeyError or matches(moment, IndexError, "Replacement index")
    for call in nodes_at_fault(frame, ast.Call) if named else ():
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "format":
            continue
        known, form = value_of(call.func.value, frame)
        if not known or type(form) is not str:
            continue
        lacking = moment.error.args[0] if moment.error is not None and moment.error.args else ""
        keywords = [each.arg for each in call.keywords if each.arg is not None]
        what = f"the name {lacking!r}" if type(moment.error) is KeyError else "more values"
        near = close_to(str(lacking), keywords)
        yield Diagnosis(
            rule="format-count",
            certainty="certain",
            cause=f"The format {shown(form)} asks for {what}, and .format() gets "
            f"{len(call.args)} values{f' and the names {keywords}' if keywords else ''}"
            + (f"; {near[0]!r} is spelled almost the same." if near else "."),
            evidence=(f"{where(frame)}: {text_of(call)}",),
            remedy="Give it, or double the braces ({{ }}) where they are meant as text.",
        )
        return


def no_member(moment: Moment) -> Iterator[Diagnosis]:
    """A value or name an enumeration does not have."""
    frame = moment.frame
    found = matches(moment, ValueError, r"is not a valid (\w[\w.]*)$")
    if frame is None or (found is None and type(moment.error) is not KeyError):
        return
    nodes: list[tuple[ast.expr, ast.expr]] = []
    for node in nodes_at_fault(frame, ast.AST):
        match node:
            case ast.Call(func=ast.Name() | ast.Attribute() as func, args=[first]) if found:
                nodes.append((func, first))
            case ast.Subscript(value=base, slice=key) if not found:
                nodes.append((base, key))
    for base, key in nodes:
        known, kind = value_of(base, frame)
        told_, asked = value_of(key, frame)
        if not known or not told_ or not isinstance_(kind, type):
            continue
        if not any(each.__module__ == "enum" and each.__name__ == "Enum" for each in mro(kind)):
            continue
        table = kind.__dict__.get("_member_map_", {})
        values = {n: m.__dict__.get("_value_") for n, m in table.items()}
        choices = list(table) if not found else list(values.values())
        near = close_to(asked, [c for c in choices if type(c) is str]) if type(asked) is str else []
        by_name = type(asked) is str and found and asked in table
        hint = f"; it has {near[0]!r}" if near else ""
        if by_name:
            hint = f"; {asked!r} is the name of a member, to be asked for with [ ]"
        yield Diagnosis(
            rule="no-member",
            certainty="certain",
            cause=f"{kind.__name__} has no member with the {'value' if found else 'name'} "
            f"{shown(asked)}{hint}.",
            evidence=(
                *told(traced(moment, frame, key)),
                f"its members: {', '.join(f'{n} = {v!r}' for n, v in list(values.items())[:8])}",
            ),
            remedy=f"Write {kind.__name__}[{asked!r}]."
            if by_name
            else (f"Write {near[0]!r}." if near else "Use one of these."),
            fix=rewritten(frame, near[0], (key, repr(near[0])))
            if near and isinstance(key, ast.Constant) and not by_name
            else None,
        )
        return


_OUTSIDE: tuple[tuple[str, str, tuple[str, str]], ...] = (
    (
        "ValueError",
        r"arg 3 must not be zero|step cannot be zero|step must not be",
        ("The step is 0, so it would never move on", "Use a step other than 0."),
    ),
    (
        "ValueError",
        r"out of range for month|month must be in|(hour|minute) must",
        ("There is no such date or time: {said}", "Check the numbers: year, month, day."),
    ),
    (
        "OverflowError",
        r"math range|too large|result out of range",
        (
            "The result is too large for a float (more than about 1.8e308)",
            "Calculate with logarithms, with ints, or with decimal.",
        ),
    ),
    (
        "InvalidOperation",
        r"ConversionSyntax",
        ("The text is no decimal number", "Clean it first; the decimal sign is a point."),
    ),
    ("ZoneInfoNotFoundError", "", ("There is no time zone of that name: {said}", "")),
)
"""Kinds of errors, words of their messages, and what they mean with a remedy."""


def _is(error: BaseException, kind: str, words: str) -> bool:
    return type(error).__name__ == kind and re.search(words, message(error)) is not None


def outside_range(moment: Moment) -> Iterator[Diagnosis]:
    """Dates that do not exist, steps of 0, results too large for a float, no Decimal, no zone."""
    frame, error = moment.frame, moment.error
    if frame is None or error is None:
        return
    found = next((told_ for kind, words, told_ in _OUTSIDE if _is(error, kind, words)), None)
    if found is None:
        return
    cause, remedy = found[0].format(said=cut(message(error))), found[1] or _zone(frame)
    values = []
    for call in nodes_at_fault(frame, ast.expr):
        parts = call.args if isinstance(call, ast.Call) else []
        parts = [call.left, call.right] if isinstance(call, ast.BinOp) else parts
        for node in parts:
            known, value = value_of(node, frame)
            if known and not isinstance(node, ast.Constant):
                values.append(f"{text_of(node, 30)} is {shown(value, text_of(node))}")
                values += told(traced(moment, frame, node))
    first = f" ({values[0]})" if values else f" ({text_of(frame.node, 50)})"
    yield Diagnosis(
        rule="out-of-range",
        certainty="certain",
        cause=f"{cause}{first}.",
        evidence=(*values[1:], f"{where(frame)}: {text_of(frame.node, 60)}"),
        remedy=remedy,
    )


def _zone(frame: LiveFrame) -> str:
    import zoneinfo

    for node in nodes_at_fault(frame, ast.Call):
        for argument in node.args:
            key = value_of(argument, frame)[1]
            near = close_to(key, zoneinfo.available_timezones()) if type(key) is str else []
            if near:
                return f"Write {near[0]!r}."
    return "Use a name such as 'Europe/Zurich'; without system data install tzdata."


def mixed_sorting(moment: Moment) -> Iterator[Diagnosis]:
    """Values of several types, or dicts, that are sorted or compared."""
    frame = moment.frame
    found = matches(moment, TypeError, r"'[<>]=?' not supported between instances of '(\w+)'")
    if frame is None or found is None or "NoneType" in message(moment.error):
        return
    for call in nodes_at_fault(frame, ast.Call):
        func = text_of(call.func)
        if func in {"sorted", "min", "max"} and len(call.args) == 1:
            node = call.args[0]
        elif isinstance(call.func, ast.Attribute) and call.func.attr == "sort":
            node = call.func.value
        else:
            continue
        if func != "sort" and any(each.arg == "key" for each in call.keywords):
            continue
        known, values = value_of(node, frame)
        if not known or type(values) not in {list, tuple, set}:
            continue
        kinds: dict[str, Any] = {}
        for each in list(values)[:10_000]:
            kinds.setdefault(type_name(each), each)
        label = text_of(node, 40)
        if len(kinds) > 1:
            each = ", ".join(f"{kind} ({shown(value)})" for kind, value in list(kinds.items())[:3])
            cause = f"{label} holds values of several types, which have no order: {each}"
            remedy = f"Make them of one type first, or sort by text: {func}(…, key=str)."
        elif kinds:
            kind = next(iter(kinds))
            cause = f"{label} holds values of type {kind}, which have no order"
            remedy = (
                "Say what to sort by: key=lambda x: x['…']."
                if kind == "dict"
                else (f"Say what to sort by: key=lambda x: …, or define __lt__ in {kind}.")
            )
        else:
            continue
        yield Diagnosis(
            rule="mixed-sorting",
            certainty="certain",
            cause=f"{cause}.",
            evidence=(*told(traced(moment, frame, node)), f"{where(frame)}: {text_of(call)}"),
            remedy=remedy,
        )
        return


def text_for_number(moment: Moment) -> Iterator[Diagnosis]:
    """A text where a whole number is wanted, as `input()` gives it; a text for round or abs."""
    frame = moment.frame
    found = matches(
        moment,
        TypeError,
        r"'str' object cannot be interpreted as an integer|type str doesn't define __\w+__|"
        r"bad operand type for abs\(\): 'str'|must be real number, not str",
    )
    if frame is None or found is None:
        return
    for call in nodes_at_fault(frame, ast.Call):
        for node in call.args:
            known, value = value_of(node, frame)
            if not known or type(value) is not str:
                continue
            whole = "integer" in found[0] and text_of(call.func) not in {"time.sleep", "sleep"}
            kind = "int" if whole else "float"
            fits = number_in(value) in {"int", kind}
            yield Diagnosis(
                rule="text-for-number",
                certainty="certain",
                cause=f"{named(node, value)} is a text, and "
                f"{text_of(call.func)}() needs a {'whole ' * whole}number (input() and files give "
                "texts).",
                evidence=(*told(traced(moment, frame, node)), f"{where(frame)}: {text_of(call)}"),
                remedy=f"Convert it: {kind}({text_of(node, 40)})."
                if fits
                else f"Give a {'whole ' * whole}number; this text is none.",
                fix=rewritten(frame, kind, (node, f"{kind}({segment(frame, node)})"))
                if fits
                else None,
            )
            return
