"""Attributes an object does not have: misspelled, gone, or another type's."""

from __future__ import annotations

import ast
import inspect
import sys
import types
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.axes import array_of_axes
from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.removed import instead, removal, version_of
from aiex_ipy.grounding.diagnosis.sight import (
    class_name,
    close_to,
    columns_of,
    is_a,
    is_table,
    message,
    module_name,
    nodes_at_fault,
    public_attributes,
    shown,
    text_of,
    type_name,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.evaluate import isinstance_
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix

TYPES: tuple[type, ...] = (str, list, dict, set, bytes, tuple, int, float)
LIBRARY_TYPES = ("numpy.ndarray", "pandas.DataFrame", "pandas.Series")


CALLED_HERE: dict[tuple[type, str], str] = {
    (list, "add"): "append",
    (list, "push"): "append",
    (list, "push_back"): "append",
    (list, "update"): "extend",
    (list, "concat"): "extend",
    (set, "append"): "add",
    (set, "push"): "add",
    (set, "extend"): "update",
    (str, "trim"): "strip",
    (str, "toUpperCase"): "upper",
    (str, "toLowerCase"): "lower",
}
"""What other types and languages call a method of these."""


def missing_attribute(moment: Moment) -> Iterator[Diagnosis]:
    """An attribute that is not there: removed by a version, of another type, misspelled."""
    error, frame = moment.error, moment.frame
    if type(error) is not AttributeError or frame is None:
        return
    value, name = error.obj, error.name
    if not name:  # a module's own `__getattr__` may tell neither
        value, name = _asked(frame, message(error))
    if "Can only use ." in message(error):
        return  # told by the rule on accessors
    if value is None or not name or not _is_what_failed(frame, name):
        return
    for found in (
        _removed(frame, value, name),
        _key(frame, value, name),
        _column(frame, value, name),
        _submodule(frame, value, name),
        _near(moment, frame, value, name),
        _other_type(moment, frame, value, name),
    ):
        if found is not None:
            yield found
            return


def _asked(frame: LiveFrame, text: str) -> tuple[Any, str]:
    """The object and the attribute asked of it, by the failing expression."""
    for node in nodes_at_fault(frame, ast.Attribute):
        found, value = value_of(node.value, frame)
        if found and type(value) is types.ModuleType and node.attr in text:
            return value, node.attr
    return None, ""


def _is_what_failed(frame: LiveFrame, name: str) -> bool:
    """False when the attribute was asked for inside a library, not here."""
    nodes = nodes_at_fault(frame, ast.Attribute)
    return not frame.user or any(each.attr == name for each in nodes) or frame.node is None


def _nodes(frame: LiveFrame, name: str) -> list[ast.Attribute]:
    return [each for each in nodes_at_fault(frame, ast.Attribute) if each.attr == name][:1]


def attribute_renamed(frame: LiveFrame, wrong: str, right: str) -> Fix | None:
    """Return the fix that writes another attribute at the failing place."""
    nodes = _nodes(frame, wrong)
    if not nodes:
        return None
    old = segment(frame, nodes[0])
    if not old.endswith(wrong):
        return None
    new = old[: len(old) - len(wrong)] + right
    return rewritten(frame, f"{wrong} → {right}", (nodes[0], new))


def _removed(frame: LiveFrame, value: Any, name: str) -> Diagnosis | None:
    known = removal(value, name)
    if known is None:
        return None
    gone, owner = known
    whose = f"{owner}.{name}"
    version = version_of(owner)
    library = (
        gone.since
        if gone.since.startswith("Python")
        else (f"{owner.partition('.')[0]} {gone.since}")
    )
    return Diagnosis(
        rule="removed-name",
        cause=f"{whose} is no longer there: it was removed in {library}; this is {version}.",
        certainty="certain",
        evidence=(f"{where(frame)}: {name!r} is asked of {shown(value)}",),
        remedy=instead(gone.successor),
        fix=attribute_renamed(frame, name, gone.successor) if gone.is_rename else None,
    )


def _key(frame: LiveFrame, value: Any, name: str) -> Diagnosis | None:
    """`d.name` for `d["name"]`."""
    nodes = _nodes(frame, name)
    if type(value) is not dict or name not in value or not nodes:
        return None
    label = text_of(nodes[0].value)
    new = f'{segment(frame, nodes[0].value)}["{name}"]'
    return Diagnosis(
        rule="key-as-attribute",
        cause=f"{name!r} is a key of the dict {label}, not an attribute.",
        certainty="certain",
        evidence=(f"{where(frame)}: {label} has the key {name!r}",),
        remedy=f"Write {label}[{name!r}].",
        fix=rewritten(frame, "key", (nodes[0], new)),
    )


def _column(frame: LiveFrame, value: Any, name: str) -> Diagnosis | None:
    if not is_table(value):
        return None
    columns = columns_of(value)
    nodes = _nodes(frame, name)
    label = text_of(nodes[0].value) if nodes else "the DataFrame"
    if name in columns:
        fix = None
        if nodes:
            fix = rewritten(
                frame, "column", (nodes[0], f'{segment(frame, nodes[0].value)}["{name}"]')
            )
        return Diagnosis(
            rule="near-miss-column",
            cause=f"{name!r} is a column of {label}, not an attribute.",
            certainty="certain",
            remedy=f"Write {label}[{name!r}].",
            fix=fix,
        )
    columns_near = close_to(name, columns)
    methods = close_to(name, [n for n in public_attributes(value) if n[:1] != "_"], 0.8)
    if not columns_near or (
        methods and close_to(name, [columns_near[0], methods[0]], 0.1)[0] == methods[0]
    ):
        return None
    right = columns_near[0]
    fix = None
    if nodes:
        if right.isidentifier():
            fix = attribute_renamed(frame, name, right)
        else:
            base = segment(frame, nodes[0].value)
            fix = rewritten(frame, "column", (nodes[0], f"{base}[{right!r}]"))
    return Diagnosis(
        rule="near-miss-column",
        cause=f"{label} has no column {name!r}; it has {right!r}, spelled almost the same.",
        evidence=(f"columns of {label}: {_listed(columns)}",),
        remedy=f"Write {right!r}.",
        fix=fix,
    )


def _listed(names: list[Any]) -> str:
    texts = [each if type(each) is str else shown(each) for each in names[:20]]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(texts) + more


def _submodule(frame: LiveFrame, value: Any, name: str) -> Diagnosis | None:
    """`import xml` and then `xml.dom`; `import datetime` and then `datetime.now()`."""
    if type(value) is not types.ModuleType:
        return None
    module = module_name(value)
    inner = value.__dict__.get(module)
    if isinstance_(inner, type) and name in public_attributes(inner):
        nodes = _nodes(frame, name)
        fix = None
        if nodes:
            base = segment(frame, nodes[0].value)
            fix = rewritten(frame, "class in module", (nodes[0], f"{base}.{module}.{name}"))
        return Diagnosis(
            rule="module-for-class",
            cause=f"{module!r} is the module here; {name!r} belongs to the class "
            f"{module}.{module}.",
            certainty="certain",
            evidence=(f"{where(frame)}: {name!r} is asked of the module {module}",),
            remedy=f"Write {module}.{module}.{name}, or `from {module} import {module}`.",
            fix=fix,
        )
    shadow = _local_shadow(value, name)
    if shadow is not None:
        return shadow
    if "__path__" in value.__dict__:
        from aiex_ipy.grounding.diagnosis.imports import submodules

        if name in submodules(value):
            return Diagnosis(
                rule="submodule-not-imported",
                cause=f"{module}.{name} is a submodule that was not imported: `import {module}` "
                "does not bring it in.",
                certainty="certain",
                evidence=(f"{where(frame)}: {module}.{name} is used",),
                remedy=f"Add `import {module}.{name}`.",
            )
    return None


def _local_shadow(value: types.ModuleType, name: str) -> Diagnosis | None:
    """A file of the user's that took the place of a module of that name."""
    from aiex_ipy.grounding.diagnosis.imports import shadowed, shadowing_file

    file = shadowing_file(value)
    if file is None:
        return None
    return shadowed(module_name(value), file, f"{file} does not define {name!r}")


def _near(moment: Moment, frame: LiveFrame, value: Any, name: str) -> Diagnosis | None:
    kind = value if isinstance_(value, type) else type(value)
    close = close_to(name, [n for n in public_attributes(value) if not n.startswith("__")], 0.75)
    close = [n for n in close if n.startswith("_") == name.startswith("_")]
    if not close or (
        _other_types(name)
        and len(close[0]) != len(name)
        and close[0].lower() != name.lower()
        and type(value) in TYPES
    ):
        return None
    whose = (
        f"the module {module_name(value)}"
        if type(value) is types.ModuleType
        else (class_name(kind))
    )
    return Diagnosis(
        rule="near-miss-attribute",
        cause=f"{whose} has no attribute {name!r}; it has {close[0]!r}, spelled almost the same.",
        evidence=(f"{where(frame)}: {name!r} is asked of {shown(value)}",),
        remedy=f"Write {close[0]!r}.",
        fix=attribute_renamed(frame, name, close[0]),
    )


def _other_types(name: str) -> list[str]:
    """The known types that have the attribute."""
    own = [each.__name__ for each in TYPES if name in each.__dict__]
    for dotted in LIBRARY_TYPES:
        module, _, label = dotted.rpartition(".")
        kind = getattr(sys.modules.get(module), label, None)
        if isinstance(kind, type) and any(name in each.__dict__ for each in kind.__mro__):
            own.append(dotted)
    return own


def _other_type(moment: Moment, frame: LiveFrame, value: Any, name: str) -> Diagnosis | None:
    """`xs.split` of a list: whose attribute it is, and where the value came from."""
    kind = type_name(value)
    if type(value) not in (*TYPES, frozenset, type(None)) and kind.partition(".")[0] not in {
        "numpy",
        "pandas",
        "polars",
        "generator",
        "coroutine",
        "method",
        "function",
        "map",
        "filter",
        "zip",
        "range",
        "builtin_function_or_method",
        "collections",
        "re",
        "bool",
    }:
        return None
    nodes = _nodes(frame, name)
    label = text_of(nodes[0].value, 40) if nodes else "the value"
    if kind in {"method", "function", "builtin_function_or_method"}:
        return _not_called(frame, nodes, label, kind, name)
    if kind == "coroutine":
        return None  # told by the rule on awaiting
    drawn = array_of_axes(frame, nodes, value, name, label)
    if drawn is not None:
        return drawn
    steps = traced(moment, frame, nodes[0].value) if nodes else []
    here = CALLED_HERE.get((type(value), name), "")
    if here:
        return Diagnosis(
            rule="wrong-type",
            cause=f"{label} is a {kind}, and a {kind} has no {name!r}: its method for that is "
            f"{here!r}.",
            certainty="certain",
            evidence=tuple(told(steps)) or (f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy=f"Write {here}.",
            fix=attribute_renamed(frame, name, here),
        )
    owners = _other_types(name)
    if not owners or (kind in owners):
        return None
    remedy, fix = _instead(frame, nodes, value, name, owners)
    return Diagnosis(
        rule="wrong-type",
        cause=f"{label} is {shown(value)}, and {name!r} is an attribute of "
        f"{' and '.join(owners[:3])}.",
        certainty="certain",
        evidence=tuple(told(steps)) or (f"{where(frame)}: {label}.{name} is used",),
        remedy=remedy,
        fix=fix,
    )


def _instead(
    frame: LiveFrame, nodes: list[ast.Attribute], value: Any, name: str, owners: list[str]
) -> tuple[str, Fix | None]:
    base = segment(frame, nodes[0].value) if nodes else "x"
    if is_a(value, "pandas.Series") and "str" in owners:
        fix = rewritten(frame, ".str", (nodes[0], f"{base}.str.{name}")) if nodes else None
        return f"Write {base}.str.{name}(…), which works on each value.", fix
    if type(value) in {list, tuple} and value and type(value[0]).__name__ in owners:
        return f"Call {name} on its items: [each.{name}(…) for each in {base}].", None
    if is_a(value, "numpy.ndarray") and name in {"append", "insert", "extend"}:
        return f"Use numpy.append({base}, …), which gives a new array, or a list.", None
    if type(value) is bytes and "str" in owners:
        fix = rewritten(frame, "decode", (nodes[0], f"{base}.decode().{name}")) if nodes else None
        return f"Decode it first: {base}.decode().", fix
    if "pandas.DataFrame" in owners and type(value) in {list, dict}:
        return f"Make a DataFrame of it first: pandas.DataFrame({base}).", None
    if "numpy.ndarray" in owners and type(value) in {list, tuple}:
        return f"Make an array of it first: numpy.asarray({base}).", None
    if "str" in owners and type(value) in {int, float}:
        fix = rewritten(frame, "str", (nodes[0], f"str({base}).{name}")) if nodes else None
        return f"Make a text of it first: str({base}).", fix
    return "Look where the value was made; it should be of another type.", None


def _not_called(
    frame: LiveFrame, nodes: list[ast.Attribute], label: str, kind: str, name: str
) -> Diagnosis | None:
    if not nodes:
        return None
    base = segment(frame, nodes[0].value)
    needed = _needed(value_of(nodes[0].value, frame)[1])
    if needed:
        return Diagnosis(
            rule="not-called",
            cause=f"{label} is a function that was not called.",
            evidence=(f"{where(frame)}: .{name} is asked of the {kind} itself",),
            remedy=f"Call it with its argument{'s' * (len(needed) > 1)} first: "
            f"{label}({', '.join(needed)}).{name}.",
        )
    return Diagnosis(
        rule="not-called",
        cause=f"{label} is a function that was not called: its parentheses are missing.",
        evidence=(f"{where(frame)}: .{name} is asked of the {kind} itself",),
        remedy=f"Write {label}().{name}.",
        fix=rewritten(frame, "call", (nodes[0], f"{base}().{name}")),
    )


def _needed(function: Any) -> list[str]:
    """The parameters a Python function or method must be given."""
    bound = type(function) is types.MethodType
    plain = function.__func__ if bound else function
    if type(plain) is not types.FunctionType:
        return []
    plain = inspect.unwrap(plain) if type(plain) is types.FunctionType else plain
    if type(plain) is not types.FunctionType:
        return []
    code, defaults = plain.__code__, plain.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount - len(defaults)][bound:]
    more = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return [*names, *(f"{each}=…" for each in more if each not in (plain.__kwdefaults__ or {}))]


def wrong_accessor(moment: Moment) -> Iterator[Diagnosis]:
    """`.dt` or `.str` of a column that holds something else."""
    frame, said = moment.frame, message(moment.error)
    if frame is None or type(moment.error) is not AttributeError:
        return
    if "Can only use ." not in said or " accessor with " not in said:
        return
    name = said.partition("Can only use .")[2].partition(" ")[0]
    for node in nodes_at_fault(frame, ast.Attribute):
        found, column = value_of(node.value, frame)
        if node.attr != name or not found or not is_a(column, "pandas.Series"):
            continue
        label, base = text_of(node.value), segment(frame, node.value)
        change = {"dt": f"pd.to_datetime({base})", "str": f"{base}.astype(str)"}.get(name, "")
        fix = (
            rewritten(frame, name, (node.value, change))
            if change and (name == "str" or "pd" in frame.globals)
            else None
        )
        yield Diagnosis(
            rule="wrong-accessor",
            cause=f".{name} needs {'dates' if name == 'dt' else 'texts'}, and {label} is of dtype "
            f"{column.dtype}.",
            certainty="certain",
            evidence=(f"{where(frame)}: its first values are {', '.join(map(shown, column[:3]))}",),
            remedy=f"Convert it first: {change}." if change else "Convert it first.",
            fix=fix,
        )
        return


def half_made_module(moment: Moment) -> Iterator[Diagnosis]:
    """An attribute of a module that is still being imported: a circular import."""
    error, frame = moment.error, moment.frame
    if (
        frame is None
        or type(error) is not AttributeError
        or "partially initialized" not in message(error)
    ):
        return
    from aiex_ipy.grounding.diagnosis.imports import circle

    yield circle(
        moment, frame, module_name(error.obj) if type(error.obj) is types.ModuleType else ""
    )
