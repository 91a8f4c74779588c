"""What a live object says of itself, read without calling anything of it."""

from __future__ import annotations

import builtins
import linecache
import sys
from collections.abc import Mapping
from functools import cached_property, partial, partialmethod
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

from msgspec import Struct

from aiex_ipy.grounding.live import code
from aiex_ipy.grounding.live.describe import describe
from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import (
    MISSING,
    attribute,
    class_attribute,
    class_dict,
    entry,
    instance_dict,
    is_class,
    is_of,
    module_of,
    mro,
    public_names,
    qualname,
    text_of,
)

MOST_WRAPPINGS = 30
_BUILTIN = (
    BuiltinFunctionType,
    MethodDescriptorType,
    WrapperDescriptorType,
    MethodWrapperType,
    ClassMethodDescriptorType,
)
_DESCRIPTOR = (GetSetDescriptorType, MemberDescriptorType)


class LiveObject(Struct, frozen=True, kw_only=True):
    """What a live object says. `module` and `qualname` tell where it is defined, `""` where it
    does not say; `file` and `line` where its code was compiled. `value` describes an object that
    is no code: the rest is of its class. `notes` are further facts, a line each."""

    kind: str
    module: str = ""
    qualname: str = ""
    signature: str = ""
    docstring: str = ""
    file: str = ""
    line: int = 0
    value: Description | None = None
    notes: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


class NotThere(Exception):
    """A part of a dotted name is no attribute that can be read statically: `known` are the names
    that are there, `at` what has them."""

    def __init__(self, at: str, part: str, known: tuple[str, ...], value: Any) -> None:
        super().__init__(part)
        self.at = at
        self.part = part
        self.known = known
        self.value = value


def walk(value: Any, start: str, parts: list[str]) -> tuple[Any, Any]:
    """Return what `value.a.b` stands for, and the object it is an attribute of (None for `value`
    itself). Descriptors are returned as they are. Raises NotThere."""
    owner = None
    at = start
    for part in parts:
        found = _attribute(value, part)
        if found is MISSING:
            raise NotThere(at, part, _names(value), value)
        owner, value, at = value, found, f"{at}.{part}"
    return value, owner


def imported(dotted: str) -> tuple[Any, Any] | None:
    """Return what a dotted name stands for among imported modules and builtins, and what it is an
    attribute of; None when its module is not imported. Raises NotThere."""
    parts = dotted.split(".")
    for used in range(len(parts), 0, -1):
        name = ".".join(parts[:used])
        module = sys.modules.get(name)
        if module is not None:
            return walk(module, name, parts[used:])
    if entry(vars(builtins), parts[0]) is not MISSING:
        return walk(builtins, "builtins", parts)
    return None


def look(value: Any, owner: Any = None, name: str = "") -> LiveObject:
    """Return what `value` says of itself; `owner` is what it was read from, for descriptors."""
    notes: list[str] = []
    value = _unwrapped(value, notes)
    found = _code(value, owner) or _builtin(value, owner)
    if found is None:
        kind = value if is_class(value) else type(value)
        found = _class(kind)
        if kind is not value:
            found = replace_value(found, describe(value, name), owner)
    from msgspec.structs import replace

    return replace(found, notes=(*notes, *found.notes))


def replace_value(found: LiveObject, value: Description, owner: Any) -> LiveObject:
    """Return the class's documentation as that of one of its objects."""
    from msgspec.structs import replace

    return replace(found, kind="instance", value=value)


def _unwrapped(value: Any, notes: list[str]) -> Any:
    """Follow bound methods, partials, wrappers and properties to the function inside."""
    for _ in range(MOST_WRAPPINGS):
        kind = type(value)
        if kind is MethodType:
            value = value.__func__
        elif kind in (partial, partialmethod):
            given = [describe(each).value or "…" for each in value.args]
            given += [f"{k}={describe(each, k).value or '…'}" for k, each in value.keywords.items()]
            notes.append(f"{kind.__name__} with {', '.join(given) or 'nothing'} given")
            value = value.func
        elif kind in (staticmethod, classmethod):
            notes.append("static method" if kind is staticmethod else "class method")
            value = value.__func__
        elif kind is property and type(value.fget) is FunctionType:
            access = [n for n, f in (("set", value.fset), ("deleted", value.fdel)) if f is not None]
            notes.append(f"property{', which can be ' + ' and '.join(access) if access else ''}")
            value = value.fget
        elif kind is cached_property and type(value.func) is FunctionType:
            notes.append("property, computed once")
            value = value.func
        elif (wrapped := _wrapped(value)) is not MISSING:
            notes.append("wrapped by a decorator; the function inside is described")
            value = wrapped
        else:
            break
    return value


def _wrapped(value: Any) -> Any:
    if is_class(value):
        return MISSING
    kind = type(value)
    if (
        qualname(kind) == "_ArrayFunctionDispatcher"
        and module_of(kind).partition(".")[0] == "numpy"
    ):
        return value.__wrapped__  # numpy's own type, written in C, which keeps it in its __dict__
    return entry(instance_dict(value), "__wrapped__")


def _code(value: Any, owner: Any) -> LiveObject | None:
    kind = type(value)
    if kind is FunctionType:
        made = value.__code__
        printer = Printer(depth=2, items=5, characters=120)
        return LiveObject(
            kind="coroutine function" if made.co_flags & 0x80 else "function",
            module=text_of(value.__module__) or "",
            qualname=value.__qualname__,
            signature=f"def {code.signature(value, printer)}",
            docstring=text_of(value.__doc__) or "",
            file=made.co_filename,
            line=made.co_firstlineno,
        )
    if any(each is ModuleType for each in mro(kind)):
        own = instance_dict(value)
        return LiveObject(
            kind="module",
            module=text_of(entry(own, "__name__")) or "?",
            docstring=text_of(entry(own, "__doc__")) or "",
            file=text_of(entry(own, "__file__")) or "",
            line=1,
            members=public_names(value, 200),
        )
    return None


def _builtin(value: Any, owner: Any) -> LiveObject | None:
    """What is written in C: its name, docstring and signature are the interpreter's own."""
    kind = type(value)
    if kind in _BUILTIN or qualname(kind) == "builtin_method":
        of = getattr(value, "__objclass__", None)
        bound = getattr(value, "__self__", None)
        if of is None and bound is not None and not _is_module(bound):
            of = bound if is_class(bound) else type(bound)
        name = value.__name__ if of is None else f"{qualname(of)}.{value.__name__}"
        module = module_of(of) if of is not None else text_of(getattr(value, "__module__", ""))
        signature = (text_of(value.__text_signature__) or "").replace("$", "")
        return LiveObject(
            kind="built-in method" if "." in name else "built-in function",
            module=module or "builtins",
            qualname=name,
            signature=f"{value.__name__}{signature}" if signature else "",
            docstring=text_of(value.__doc__) or "",
        )
    if qualname(kind) == "cython_function_or_method":
        return LiveObject(
            kind="compiled function",
            module=text_of(value.__module__) or "",
            qualname=text_of(value.__qualname__) or "",
            docstring=text_of(value.__doc__) or "",
        )
    if kind in _DESCRIPTOR or kind is property:
        of = owner if is_class(owner) else type(owner)
        name = text_of(getattr(value, "__name__", "")) or ""
        return LiveObject(
            kind="property" if kind is property else "attribute",
            module=module_of(of),
            qualname=f"{qualname(of)}.{name}" if name else qualname(of),
            docstring=text_of(value.__doc__) or "",
        )
    if qualname(kind) == "ufunc" and is_of(kind, "numpy"):
        return LiveObject(
            kind="ufunc",
            module="numpy",
            qualname=value.__name__,
            docstring=text_of(value.__doc__) or "",
            notes=(f"{value.nin} inputs, {value.nout} outputs, {value.ntypes} kinds of loops",),
        )
    return None


def _class(kind: type) -> LiveObject:
    own = class_dict(kind)
    file = code.source_of_class(kind)
    constructor = class_attribute(kind, "__init__")
    signature = ""
    if type(constructor) is FunctionType:
        printer = Printer(depth=2, items=5, characters=120)
        inner = code.signature(constructor, printer).partition("(")[2]
        first, _, rest = inner.partition(", ")
        inner = rest if rest else ")" + first.partition(")")[2]
        signature = f"class {qualname(kind).rpartition('.')[2]}({inner.partition(' -> ')[0]}"
    else:
        text = type.__dict__["__text_signature__"].__get__(kind)
        if type(text) is str:
            signature = f"class {qualname(kind)}{text}"
    return LiveObject(
        kind="exception" if any(each is BaseException for each in mro(kind)) else "class",
        module=module_of(kind),
        qualname=qualname(kind),
        signature=signature,
        docstring=text_of(entry(own, "__doc__")) or "",
        file=file,
        members=public_names(kind, 200),
    )


def _is_module(value: Any) -> bool:
    return any(each is ModuleType for each in mro(type(value)))


def _attribute(value: Any, name: str) -> Any:
    """Return an attribute as it stands in the dictionaries of object and class."""
    if is_class(value):
        found = class_attribute(value, name)
        return found if found is not MISSING else class_attribute(type(value), name)
    found = attribute(value, name)
    return found if found is not MISSING else class_attribute(type(value), name)


def _names(value: Any) -> tuple[str, ...]:
    return tuple(sorted(public_names(value)))


def names_in(namespace: Mapping[str, Any]) -> list[str]:
    """Return the names of a namespace that a user may mean."""
    return sorted(name for name in namespace if not name.startswith("_"))


def kept_source(file: str) -> str:
    """Return the text that was compiled under a made-up file name, as Python has kept it."""
    return "".join(linecache.getlines(file))
