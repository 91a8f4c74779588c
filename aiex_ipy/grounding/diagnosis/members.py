"""What objects, classes and modules allow: modules and properties called, methods a subclass lacks,
attributes that cannot be set, names of a class body."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import definition, told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    close_to,
    in_scope,
    matches,
    module_name,
    mro,
    name_value,
    namespace,
    nodes_at_fault,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import Moment


def called_wrongly(moment: Moment) -> Iterator[Diagnosis]:
    """A module called in place of what it holds, and a property called like a method."""
    frame = moment.frame
    if frame is None or not matches(moment, TypeError, r"object is not callable"):
        return
    for call in nodes_at_fault(frame, ast.Call):
        known, value = value_of(call.func, frame)
        label = text_of(call.func)
        if known and type(value) is types.ModuleType:
            name = module_name(value).rpartition(".")[2]
            inner = value.__dict__.get(name)
            if inner is None or type(inner) is types.ModuleType:
                continue
            yield Diagnosis(
                rule="module-called",
                certainty="certain",
                cause=f"{label} is the module {module_name(value)}, which cannot be called; what "
                f"is meant is {label}.{name} in it.",
                evidence=(
                    f"{where(frame)}: {text_of(call)}",
                    *told(traced(moment, frame, call.func)),
                ),
                remedy=f"Write {label}.{name}(…), or `from {module_name(value)} import {name}`.",
                fix=rewritten(frame, name, (call.func, f"{segment(frame, call.func)}.{name}")),
            )
            return
        if not isinstance(call.func, ast.Attribute):
            continue
        found, owner = value_of(call.func.value, frame)
        if found and isinstance(_of_class(owner, call.func.attr), property):
            yield Diagnosis(
                rule="property-called",
                certainty="certain",
                cause=f"{label} is a property of {type(owner).__name__}: it gives its value "
                "without parentheses, and that value is what is called here.",
                evidence=(f"{where(frame)}: {text_of(call)}",),
                remedy=f"Write {label} without ().",
                fix=rewritten(frame, "no ()", (call, segment(frame, call.func)))
                if not call.args
                else None,
            )
            return


def _of_class(owner: Any, name: str) -> Any:
    return next((namespace(k)[name] for k in mro(type(owner)) if name in namespace(k)), None)


def unset_attribute(moment: Moment) -> Iterator[Diagnosis]:
    """An assignment to a property without a setter, or to a name `__slots__` does not list."""
    frame, error = moment.frame, moment.error
    if frame is None or not isinstance(error, AttributeError):
        return
    for node in nodes_at_fault(frame, ast.Attribute):
        found, owner = value_of(node.value, frame)
        if not found or not isinstance(node.ctx, ast.Store | ast.Del):
            continue
        held, kind = _of_class(owner, node.attr), type(owner).__name__
        slots = [namespace(k).get("__slots__") for k in mro(type(owner))[:-1]]
        if type(held) is property and held.fset is None:
            cause = f"{node.attr!r} is a property of {kind} without a setter: it cannot be assigned"
            remedy = f"Set what it is calculated from, or add @{node.attr}.setter."
        elif held is None and slots and all(each is not None for each in slots):
            names = [str(n) for s in slots for n in (s if isinstance(s, tuple | list) else [s])]
            near = close_to(node.attr, names)
            hint = f"; it has {near[0]!r}, spelled almost the same" if near else ""
            cause = f"{kind} has __slots__ ({', '.join(names)}) without {node.attr!r}{hint}"
            remedy = f"Write {near[0]!r}." if near else f"Add {node.attr!r} to __slots__."
        else:
            continue
        yield Diagnosis(
            rule="cannot-set",
            certainty="certain",
            cause=f"{cause}.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy=remedy,
        )
        return


def not_implemented(moment: Moment) -> Iterator[Diagnosis]:
    """A base class's placeholder that ran because the subclass does not define the method."""
    frame = moment.frame
    if frame is None or not isinstance(moment.error, NotImplementedError):
        return
    owner = frame.locals.get("self")
    name = frame.code.co_name
    if owner is None or _of_class(owner, name) is None:
        return
    kind = type(owner)
    base = next((k for k in mro(kind) if _code(namespace(k).get(name)) is frame.code), None)
    if base is None:
        return
    own = [n for k in mro(kind) if k is not base for n in namespace(k) if n[:2] != "__"]
    near = close_to(name, own) if kind is not base else []
    if kind is base:
        cause = f"{name}() of {kind.__name__} is a placeholder, to be defined in subclasses, and "
        cause += f"this object is of the base class {kind.__name__} itself"
        remedy = "Make an object of a subclass that defines it."
    else:
        cause = f"The class {kind.__name__} does not define {name}(), so that of its base class "
        cause += f"{base.__name__} ran, a placeholder that raises NotImplementedError"
        cause += f"; it has {near[0]!r}, spelled almost the same" if near else ""
        remedy = f"Rename {near[0]!r}." if near else f"Define {name}() in {kind.__name__}."
    yield Diagnosis(
        rule="not-implemented",
        certainty="certain",
        cause=f"{cause}.",
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
        remedy=remedy,
    )


def _code(value: Any) -> Any:
    return value.__code__ if type(value) is types.FunctionType else None


def class_scope(moment: Moment) -> Iterator[Diagnosis]:
    """A name of a class body used in a comprehension there, which does not see it."""
    frame, error = moment.frame, moment.error
    if frame is None or type(error) is not NameError or frame.tree is None or not error.name:
        return
    for owner in ast.walk(frame.tree):
        if not isinstance(owner, ast.ClassDef):
            continue
        if not owner.lineno <= frame.line <= (owner.end_lineno or 0):
            continue
        made = [
            n
            for n in in_scope(owner.body)
            if isinstance(n, ast.Assign) and any(text_of(t) == error.name for t in n.targets)
        ]
        inside = frame.code.co_name in {"<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>"}
        inside = inside or frame.code.co_name == owner.name
        if made and inside:
            yield Diagnosis(
                rule="class-scope",
                certainty="certain",
                cause=f"{error.name!r} is a name of the class body of {owner.name} (line "
                f"{made[0].lineno}), and a comprehension or generator expression inside a class "
                "body does not see the class's names.",
                evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
                remedy="Write it as a loop, or make the value before the class or after it.",
            )
            return


def raised_other(moment: Moment) -> Iterator[Diagnosis]:
    """`raise` of something that is no exception."""
    frame = moment.frame
    if frame is None or not matches(moment, TypeError, r"exceptions must derive from"):
        return
    for node in nodes_at_fault(frame, ast.Raise):
        if node.exc is None:
            continue
        known, value = value_of(node.exc, frame)
        text = type(value) is str
        yield Diagnosis(
            rule="raised-no-exception",
            certainty="certain",
            cause=f"`{text_of(node, 60)}` raises {shown(value) if known else 'a value'}, which is "
            "no exception.",
            evidence=(f"{where(frame)}: {text_of(node, 60)}",),
            remedy=f"Write raise ValueError({text_of(node.exc, 40)})."
            if text
            else "Raise an exception class or object.",
            fix=rewritten(
                frame, "ValueError", (node.exc, f"ValueError({segment(frame, node.exc)})")
            )
            if text
            else None,
        )
        return


def returned_early(moment: Moment) -> Iterator[Diagnosis]:
    """A result that is too short because its function returns inside its loop."""
    frame = moment.frame
    if frame is None or not isinstance(moment.error, IndexError | KeyError):
        return
    for node in nodes_at_fault(frame, ast.Subscript):
        steps = traced(moment, frame, node.value)
        call = steps[-1].node if steps else node.value
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        own = definition(moment, name_value(call.func.id, frame)[1])
        if own is None:
            continue
        loop = own.node.body[-1]
        if not isinstance(loop, ast.For) or not isinstance(loop.body[-1], ast.Return):
            continue
        last = loop.body[-1]
        filled = {
            text_of(n.func.value)
            for n in ast.walk(loop)
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
            if n.func.attr in {"append", "add", "extend", "update"}
        }
        filled |= {
            text_of(n.value)
            for n in ast.walk(loop)
            if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store)
        }
        if text_of(last.value) not in filled:
            continue
        yield Diagnosis(
            rule="return-in-loop",
            certainty="certain",
            cause=f"{own.node.name}() returns {text_of(last.value)} inside its loop ({own.place}, "
            f"line {last.lineno}, wrong indentation), so it ends after the first item.",
            evidence=(
                *told(steps),
                f"{own.place}, line {loop.lineno}: for "
                f"{text_of(loop.target)} in {text_of(loop.iter)}",
            ),
            remedy="Indent that return less, to the level of the `for`.",
        )
        return
