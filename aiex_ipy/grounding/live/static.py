"""Read live objects without running any code of theirs.

What `getattr`, `isinstance`, `len`, `in`, `==` and `hash` do may be the user's: a metaclass, a
property, a `__class__`. Here are the reads that are not: the type by `type(x)`, its class
attributes by the descriptors of `type` itself, an instance's own by the `__dict__` and member
descriptors that the interpreter made. Types are compared by identity.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any, Final

MISSING: Final[Any] = object()
"""What a read gives that found nothing."""
_ENTRIES = 10_000
"""At most so many entries of one dictionary are looked through for a name."""
_HEAP_TYPE = 1 << 9  # Source: CPython, Include/object.h, Py_TPFLAGS_HEAPTYPE

_type_dict: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__
_type_mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_type_qualname: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_type_module: Callable[[type], Any] = type.__dict__["__module__"].__get__
_module_type: type = ModuleType
_module_dict: Callable[[Any], dict[str, Any]] = _module_type.__dict__["__dict__"].__get__
_type_flags: Callable[[type], int] = type.__dict__["__flags__"].__get__


def mro(kind: type) -> tuple[type, ...]:
    """Return the method resolution order of a class, whatever its metaclass says."""
    return _type_mro(kind)


def derives(kind: type, base: type) -> bool:
    """True when `kind` is `base` or a subclass of it; registered ABCs do not count."""
    return any(each is base for each in _type_mro(kind))


def first_of(kind: type, bases: tuple[type, ...]) -> type | None:
    """Return the first class of the resolution order that is one of `bases`."""
    for each in _type_mro(kind):
        for base in bases:
            if each is base:
                return base
    return None


def is_class(value: Any) -> bool:
    """True for classes of any metaclass."""
    return derives(type(value), type)


def text_of(value: Any) -> str | None:
    """Return a plain `str` for a `str` or an instance of a subclass of it, else None."""
    if type(value) is str:
        return value
    return str.__str__(value) if derives(type(value), str) else None


def qualname(kind: type) -> str:
    """Return the qualified name of a class."""
    return text_of(_type_qualname(kind)) or "?"


def module_of(kind: type) -> str:
    """Return the name of the module a class says it is from, or `""`."""
    try:
        return text_of(_type_module(kind)) or ""
    except AttributeError:
        return ""


def full_name(kind: type) -> str:
    """Return `module.qualname` of a class; builtins stand without their module."""
    module = module_of(kind)
    return qualname(kind) if module in ("builtins", "") else f"{module}.{qualname(kind)}"


def entries(mapping: Mapping[Any, Any], limit: int = _ENTRIES) -> list[tuple[Any, Any]]:
    """Return the first entries of a `dict` (or of a subclass, read as `dict`) or of the mapping
    proxy of a class; () where another thread changes it all the time."""
    own: Any = mapping
    view = dict.items(own) if derives(type(own), dict) else mapping.items()
    for _ in range(5):
        try:
            return list(islice(view, limit))
        except RuntimeError:  # it changed its size while it was read
            continue
    return []


def named(mapping: Mapping[Any, Any], limit: int = _ENTRIES) -> list[tuple[str, Any]]:
    """Return the first entries whose keys are plain `str`."""
    return [entry for entry in entries(mapping, limit) if type(entry[0]) is str]


def entry(mapping: Mapping[Any, Any], name: str) -> Any:
    """Return what stands under `name`, or `MISSING`.

    Looked for by reading through: a lookup would call `__eq__` of a `str` subclass among the keys.
    """
    for key, value in entries(mapping):
        if type(key) is str and key == name:
            return value
    return MISSING


def class_dict(kind: type) -> Mapping[str, Any]:
    """Return the namespace of one class, read only."""
    return _type_dict(kind)


def class_attribute(kind: type, name: str) -> Any:
    """Return what a class or its bases define under `name`, no descriptor asked, or `MISSING`."""
    for each in _type_mro(kind):
        found = entry(_type_dict(each), name)
        if found is not MISSING:
            return found
    return MISSING


def instance_dict(value: Any) -> Mapping[Any, Any]:
    """Return the `__dict__` the interpreter keeps for `value`, `{}` where there is none or where
    the class put something of its own in its place."""
    kind = type(value)
    if derives(kind, ModuleType):
        return _module_dict(value)
    for each in _type_mro(kind):
        found = entry(_type_dict(each), "__dict__") if each is not object else MISSING
        descriptor: Any = type(found)
        if descriptor is not GetSetDescriptorType and descriptor is not MemberDescriptorType:
            continue
        if not _type_flags(each) & _HEAP_TYPE and module_of(each) not in _PLAIN:
            continue
        try:
            names = descriptor.__get__(found, value, kind)
        except Exception:
            return {}
        if derives(type(names), dict):
            return names  # type: ignore[no-any-return]
    return {}


_PLAIN = frozenset(("builtins", "functools", "types", "_io", "_asyncio", "datetime", "collections"))
"""Modules whose C types give their `__dict__` as it is."""


def slots(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the members that classes keep outside of `__dict__` and that are set."""
    kind = type(value)
    for each in _type_mro(kind):
        if each is object or not _type_flags(each) & _HEAP_TYPE:
            continue
        for name, member in named(_type_dict(each)):
            if type(member) is MemberDescriptorType and name not in ("__dict__", "__weakref__"):
                try:
                    yield name, MemberDescriptorType.__get__(member, value, kind)
                except Exception:  # noqa: S112  # not set, or of a type the interpreter refuses
                    continue


def attributes(value: Any, limit: int = _ENTRIES) -> list[tuple[str, Any]]:
    """Return the attributes of the instance itself, in the order they were set, slots last."""
    own = named(instance_dict(value), limit)
    return own if len(own) >= limit else [*own, *islice(slots(value), limit - len(own))]


def attribute(value: Any, name: str) -> Any:
    """Return one attribute of the instance itself, or `MISSING`; the class is not asked."""
    found = entry(instance_dict(value), name)
    if found is not MISSING:
        return found
    for each in _type_mro(type(value)):
        member = entry(_type_dict(each), name) if each is not object else MISSING
        if type(member) is MemberDescriptorType:
            try:
                return MemberDescriptorType.__get__(member, value, type(value))
            except Exception:
                return MISSING
    return MISSING


def public_names(value: Any, limit: int = 1_000) -> tuple[str, ...]:
    """Return the public names of an object, its own first, then those of its classes; of a class
    those of its resolution order."""
    found: dict[str, None] = {}
    if is_class(value):
        places = [named(_type_dict(each)) for each in _type_mro(value) if each is not object]
    else:
        places = [attributes(value, limit)]
        places += [named(_type_dict(each)) for each in _type_mro(type(value)) if each is not object]
    for place in places:
        for name, _ in place:
            if not name.startswith("_"):
                found[name] = None
                if len(found) >= limit:
                    return tuple(found)
    return tuple(found)


def is_of(kind: type, package: str) -> bool:
    """True when a class is the one that an imported module of `package` holds under its name.

    A class that only says so, by a `__module__` of its own, is not.
    """
    module = module_of(kind)
    if module != package and not module.startswith(f"{package}."):
        return False
    holder = sys.modules.get(module)
    if holder is None:
        return False
    found: Any = holder
    for part in qualname(kind).split("."):
        found = entry(_type_dict(found) if is_class(found) else instance_dict(found), part)
        if found is MISSING:
            return False
    return found is kind


def member(value: Any, name: str) -> Any:
    """Return what `value.name` would find, as it is kept: an instance's own attribute, else what
    its class has, no descriptor asked; of a class what it or its bases have; or `MISSING`."""
    if is_class(value):
        return class_attribute(value, name)
    own = attribute(value, name)
    return class_attribute(type(value), name) if own is MISSING else own
