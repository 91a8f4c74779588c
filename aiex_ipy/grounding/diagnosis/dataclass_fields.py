"""Dataclasses that cannot be made, and frozen ones that are changed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    class_name,
    matches,
    mro,
    namespace,
    nodes_at_fault,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.evaluate import isinstance_, own_storage
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix


def field_order(moment: Moment) -> Iterator[Diagnosis]:
    """A field without a default after fields with one, its own or inherited."""
    frame = moment.frame
    found = matches(moment, TypeError, r"non-default argument '(\w+)' follows default argument")
    if found is None or frame is None:
        return
    name = found[1]
    for node in _classes(frame):
        own = [e for e in node.body if isinstance(e, ast.AnnAssign)]
        field = next((each for each in own if text_of(each.target) == name), None)
        if field is None:
            continue
        before = [text_of(e.target) for e in own if e.lineno < field.lineno and e.value is not None]
        inherited = list(_inherited(frame, node))
        fix = _kw_only(frame, node)
        if before:
            why = f"it comes after the field{_s(before)} {_listed(before)}, which have defaults"
        elif inherited:
            base = inherited[0][0]
            names = [each for _, each in inherited]
            why = (
                f"{node.name} inherits the field{_s(names)} {_listed(names)} with defaults from "
                f"its base class {base}, and inherited fields come first"
            )
        else:
            continue
        yield Diagnosis(
            rule="field-order",
            certainty="certain",
            cause=f"The field {name!r} of {node.name} has no default, and {why}.",
            evidence=(f"{where(frame, field.lineno)}: {text_of(field)}",),
            remedy=f"Give {name!r} a default, or write @dataclass(kw_only=True).",
            fix=fix,
        )
        return


def _classes(frame: LiveFrame) -> Iterator[ast.ClassDef]:
    for node in ast.walk(frame.tree) if frame.tree is not None else ():
        if isinstance(node, ast.ClassDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if first <= frame.line <= (node.end_lineno or 0):
                yield node


def _inherited(frame: LiveFrame, node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """The inherited fields that have a default, with the class they come from."""
    for base in node.bases:
        found, kind = value_of(base, frame)
        if not found or not isinstance_(kind, type):
            continue
        fields: Any = next(
            (
                namespace(k)["__dataclass_fields__"]
                for k in mro(kind)
                if "__dataclass_fields__" in namespace(k)
            ),
            {},
        )
        for name, field in fields.items():
            given = (field.default, field.default_factory)
            if any(type(each).__name__ != "_MISSING_TYPE" for each in given):
                yield class_name(kind), name


def _kw_only(frame: LiveFrame, node: ast.ClassDef) -> Fix | None:
    for each in node.decorator_list:
        if text_of(each).rpartition(".")[2] == "dataclass":
            text = f"{segment(frame, each)}(kw_only=True)"
            return rewritten(frame, "kw_only", (each, text))
    return None


def _s(names: list[str]) -> str:
    return "s" * (len(names) != 1)


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(map(repr, names[:-1])), repr(names[-1])][not names[:-1] :])


def mutable_field(moment: Moment) -> Iterator[Diagnosis]:
    """A list, dict or set as the default of a dataclass's field."""
    frame = moment.frame
    found = matches(moment, ValueError, r"mutable default <class '(\w+)'> for field (\w+)")
    if found is None or frame is None:
        return
    kind, name = found[1], found[2]
    for node in _classes(frame):
        for each in node.body:
            if not isinstance(each, ast.AnnAssign) or text_of(each.target) != name:
                continue
            value, fix = each.value, None
            empty = text_of(value) in {"[]", "{}", "list()", "dict()", "set()"}
            made = (
                f"default_factory={kind}" if empty else f"default_factory=lambda: {text_of(value)}"
            )
            if value is not None and "field" in frame.globals:
                fix = rewritten(frame, "default_factory", (value, f"field({made})"))
            yield Diagnosis(
                rule="mutable-field",
                certainty="certain",
                cause=f"The default of the field {name!r} of {node.name} is a {kind}, one object "
                "that all instances would share; a dataclass does not allow it.",
                evidence=(f"{where(frame, each.lineno)}: {text_of(each)}",),
                remedy=f"Write {name}: … = field({made}).",
                fix=fix,
            )
            return


def frozen(moment: Moment) -> Iterator[Diagnosis]:
    """A field of a frozen dataclass that is assigned to."""
    frame = moment.frame
    found = matches(moment, AttributeError, r"^cannot (assign to|delete) field '(\w+)'")
    if found is None or frame is None or type(moment.error).__name__ != "FrozenInstanceError":
        return
    for node in nodes_at_fault(frame, ast.Attribute):
        known, value = value_of(node.value, frame)
        if node.attr != found[2] or not known:
            continue
        held = (own_storage(value) or {}).get(found[2])
        yield Diagnosis(
            rule="frozen-instance",
            certainty="certain",
            cause=f"{text_of(node.value)} is a {type(value).__name__}, a frozen dataclass: its "
            f"field {found[2]!r} ({shown(held, found[2])}) cannot be assigned to.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy=f"Make a changed copy: dataclasses.replace({text_of(node.value)}, "
            f"{found[2]}=…), or leave out frozen=True.",
        )
        return
