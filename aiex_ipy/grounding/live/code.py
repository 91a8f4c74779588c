"""Describe code: functions, classes, methods, modules, generators and coroutines, by their code
objects. Nothing is called, resumed or unwrapped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CodeType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    GenericAlias,
    MethodType,
    ModuleType,
    UnionType,
)
from typing import Any

from msgspec.structs import replace

from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import (
    MISSING,
    class_attribute,
    class_dict,
    entries,
    entry,
    full_name,
    instance_dict,
    is_class,
    module_of,
    mro,
    named,
    public_names,
    qualname,
    text_of,
)

_PARAMETERS = 30
_VARARGS, _VARKEYWORDS = 0x04, 0x08  # Source: `inspect.CO_VARARGS`, `CO_VARKEYWORDS`
_FLAGS = ((0x200, "async generator"), (0x80, "coroutine function"), (0x20, "generator function"))


def describe(value: Any, printer: Printer) -> Description | None:
    """Return what is known of a piece of code, None for other values."""
    kind = type(value)
    if is_class(value):
        return _class(value, printer)
    if kind is FunctionType:
        return _function(value, printer)
    if kind is MethodType:
        return _method(value, printer)
    if kind is BuiltinFunctionType:
        return Description(
            type=full_name(kind),
            kind="code",
            signature=f"{value.__name__}{value.__text_signature__ or '(…)'}",
            facts=_doc(value.__doc__, printer),
            value=printer.text(value),
        )
    if kind is ModuleType:
        return _module(value, printer)
    if kind is partial:
        return _partial(value, printer)
    wrapped = entry(instance_dict(value), "__wrapped__")
    if type(wrapped) is FunctionType:  # `functools.cache`, and decorators that are objects
        inner = _function(wrapped, printer)
        return replace(
            inner, type=full_name(kind), facts=(("wraps", wrapped.__code__.co_name), *inner.facts)
        )
    for running, prefix in _RUNNING:
        if kind is running:
            return _running(value, prefix)
    return None


def signature(function: FunctionType, printer: Printer) -> str:
    """Return the signature of a function as it is written, defaults printed within bounds."""
    code = function.__code__
    return f"{code.co_name}({', '.join(_parameters(function, code, printer))}){_returns(function)}"


def _parameters(function: FunctionType, code: CodeType, printer: Printer) -> Iterator[str]:
    names = code.co_varnames
    positional, keywords = code.co_argcount, code.co_kwonlyargcount
    notes = _annotations(function)
    defaults = function.__defaults__ or ()
    first_default = positional - len(defaults)
    for index, name in enumerate(names[: min(positional, _PARAMETERS)]):
        default = defaults[index - first_default] if index >= first_default else MISSING
        yield _parameter(name, notes, default, printer)
        if index + 1 == code.co_posonlyargcount:
            yield "/"
    if positional > _PARAMETERS:
        yield f"… {positional - _PARAMETERS} more"
    after = positional + keywords
    if code.co_flags & _VARARGS:
        yield f"*{_parameter(names[after], notes, MISSING, printer)}"
        after += 1
    elif keywords:
        yield "*"
    given = function.__kwdefaults__
    for name in names[positional : positional + min(keywords, _PARAMETERS)]:
        default = entry(given, name) if given is not None else MISSING
        yield _parameter(name, notes, default, printer)
    if code.co_flags & _VARKEYWORDS:
        yield f"**{_parameter(names[after], notes, MISSING, printer)}"


def _parameter(name: str, notes: dict[str, str], default: Any, printer: Printer) -> str:
    note = notes.get(name, "")
    shown = "" if default is MISSING else printer.named(name, default, 60)
    if note:
        return f"{name}: {note}{f' = {shown}' if shown else ''}"
    return f"{name}={shown}" if shown else name


def _annotations(function: FunctionType) -> dict[str, str]:
    if sys.version_info >= (3, 14):  # there, annotations are evaluated when they are asked for
        return {}
    notes = function.__annotations__
    return {name: shown for name, each in named(notes, 100) if (shown := annotation_text(each))}


def _returns(function: FunctionType) -> str:
    note = _annotations(function).get("return", "")
    return f" -> {note}" if note else ""


def annotation_text(note: Any, depth: int = 3) -> str:
    """The text of a type as it is written; `""` for what cannot be told without running code."""
    if note is None or note is Ellipsis:
        return "None" if note is None else "..."
    if type(note) is str:
        return note[:60]
    if type(note) is GenericAlias and depth:
        # Attributes of an alias are those of its origin, but for its own.
        origin, args = note.__origin__, note.__args__
        inner = [annotation_text(each, depth - 1) for each in args[:5]]
        return f"{annotation_text(origin, 0)}[{', '.join(inner)}]" if all(inner) else ""
    if type(note) is UnionType and depth:
        inner = [annotation_text(each, depth - 1) for each in note.__args__[:8]]
        return " | ".join(inner) if all(inner) else ""
    return qualname(note) if is_class(note) and note is not GenericAlias else ""


def place(code: CodeType) -> str:
    """Return `file:line` of a code object."""
    return f"{code.co_filename}:{code.co_firstlineno}"


def _doc(text: Any, printer: Printer) -> tuple[tuple[str, str], ...]:
    """The first line of a docstring as a fact."""
    plain = (text_of(text) or "")[:2_000].strip()
    first = plain.partition("\n")[0]
    return (("doc", printer.cut([first], 120)),) if first else ()


def _function(value: FunctionType, printer: Printer) -> Description:
    code = value.__code__
    facts = [("is", word) for flag, word in _FLAGS if code.co_flags & flag]
    wrapped = entry(instance_dict(value), "__wrapped__")
    if type(wrapped) is FunctionType:
        facts.append(("wraps", f"{text_of(wrapped.__qualname__)} at {place(wrapped.__code__)}"))
    return Description(
        type=full_name(FunctionType),
        kind="code",
        signature=signature(value, printer),
        source=place(code),
        facts=(*facts, *_doc(value.__doc__, printer)),
        value=printer.text(value),
    )


def _method(value: MethodType, printer: Printer) -> Description:
    function, owner = value.__func__, value.__self__
    if type(function) is not FunctionType:
        return Description(type="method", kind="code")
    inner = _function(function, printer)
    kind: type = owner if is_class(owner) else type(owner)  # type: ignore[assignment]
    return Description(
        type="method",
        kind="code",
        signature=inner.signature,
        source=inner.source,
        facts=(("bound to", full_name(kind)), *inner.facts),
        value=printer.text(value),
    )


def _partial(value: Any, printer: Printer) -> Description:
    read = {name: partial.__dict__[name].__get__(value) for name in ("func", "args", "keywords")}
    inner = describe(read["func"], printer)
    return Description(
        type="functools.partial",
        kind="code",
        signature=inner.signature if inner is not None else "",
        source=inner.source if inner is not None else "",
        facts=(
            ("arguments", printer.text(read["args"])),
            ("keywords", printer.text(read["keywords"])),
        ),
        value=printer.text(value),
    )


def _class(value: type, printer: Printer) -> Description:
    bases = [full_name(each) for each in mro(value)[1:] if each is not object]
    facts = [("bases", ", ".join(bases[:8]))] if bases else []
    if type(value) is not type:
        facts.append(("metaclass", full_name(type(value))))
    if class_attribute(value, "__dataclass_fields__") is MISSING:  # else it may be its signature
        facts += _doc(entry(class_dict(value), "__doc__"), printer)
    init = class_attribute(value, "__init__")
    shown = ""
    if type(init) is FunctionType:
        shown = signature(init, printer).replace("__init__(", f"{qualname(value)}(", 1)
        shown = shown.removesuffix(" -> None").replace("(self, ", "(", 1).replace("(self)", "()", 1)
    return Description(
        type=full_name(type(value)),
        kind="class",
        signature=shown,
        source=source_of_class(value),
        attributes=public_names(value),
        facts=tuple(facts),
        value=printer.cut([f"<class {full_name(value)!r}>"], printer.characters),
    )


def source_of_class(kind: type) -> str:
    """Return the file in which a class was made, as its methods know it, or `""`."""
    for _, each in named(class_dict(kind)):
        # Functions from elsewhere may stand in it, too, and made ones, as a dataclass has.
        if type(each) is FunctionType:
            code = each.__code__
            if code.co_qualname.startswith(f"{qualname(kind)}.") and code.co_filename != "<string>":
                return code.co_filename
    module = sys.modules.get(module_of(kind))
    file = entry(instance_dict(module), "__file__") if module is not None else MISSING
    return text_of(file) or "" if file is not MISSING else ""


def _module(value: ModuleType, printer: Printer) -> Description:
    own = instance_dict(value)
    version = text_of(entry(own, "__version__")) if entries(own, 1) else None
    facts = [("name", text_of(entry(own, "__name__")) or "?")]
    if version:
        facts.append(("version", version[:40]))
    names = [name for name, _ in named(own) if not name.startswith("_")]
    return Description(
        type="module",
        kind="module",
        source=text_of(entry(own, "__file__")) or "",
        attributes=tuple(names[:1_000]),
        facts=(*facts, *_doc(entry(own, "__doc__"), printer)),
        value=printer.text(value),
    )


_RUNNING: tuple[tuple[type, str], ...] = (
    (GeneratorType, "gi"),
    (CoroutineType, "cr"),
    (AsyncGeneratorType, "ag"),
)


def _running(value: Any, prefix: str) -> Description:
    """A generator or coroutine: where it stands; it is not advanced."""
    code: CodeType = getattr(value, f"{prefix}_code")
    frame = getattr(value, f"{prefix}_frame")
    if frame is None:
        state = "finished"
    elif getattr(value, f"{prefix}_running"):
        state = f"running at line {frame.f_lineno}"
    elif frame.f_lasti < 0 or not _suspended(value, prefix):
        state = "not started"
    else:
        state = f"suspended at line {frame.f_lineno}"
    return Description(
        type=qualname(type(value)),
        kind="iterator",
        source=place(code),
        facts=(("state", state),),
        value=f"<{qualname(type(value))} {code.co_qualname}>",
    )


def _suspended(value: Any, prefix: str) -> bool:
    # Async generators tell it from Python 3.12 on; before, that one began is told by its frame.
    return bool(getattr(value, f"{prefix}_suspended", True))
