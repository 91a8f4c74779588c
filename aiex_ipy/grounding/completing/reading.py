"""What completion reads of live objects, over the reads of `live.static`.

No `__getattr__`, property, `__dir__`, `__len__`, `__iter__`, `__eq__` or metaclass of the user's is
called: storage is read through the descriptors of `object`, `type` and the builtin containers.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from itertools import islice
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from aiex_ipy.grounding.live.static import (
    MISSING,
    class_dict,
    derives,
    instance_dict,
    is_class,
    module_of,
    mro,
)

MOST_KEYS = 10_000
"""Keys and columns looked at: a scan of so many takes about two milliseconds."""
MOST_WRAPPERS = 20
_METHODS = (staticmethod, classmethod)
_GETTERS_IN_C = frozenset(("builtins", "datetime", "functools", "numpy", "types"))


def is_a(value: Any, cls: type) -> bool:
    """True when `cls` is among the real bases of `value`'s type; `__instancecheck__` is not
    asked."""
    return derives(type(value), cls)


def is_one_of(kind: type, kinds: Iterable[Any]) -> bool:
    """True when a class is one of `kinds`; unlike `in`, this asks no metaclass."""
    return any(kind is each for each in kinds)


def in_class(cls: type, name: str) -> Any:
    """Return what the class or a base stores under `name`, undescribed, else MISSING."""
    for each in mro(cls):
        names = class_dict(each)
        if name in names:
            return names[name]
    return MISSING


def own(value: Any) -> dict[str, Any]:
    """Return the instance's, module's or class's own names, which must not be changed."""
    if is_class(value):
        return dict(class_dict(value))
    found: Any = instance_dict(value)
    return found if type(found) is dict else {}


def texts(names: Iterable[Any]) -> list[str]:
    """Return the exact `str` among `names`."""
    return [each for each in names if type(each) is str]


def listed(names: dict[str, Any]) -> list[str]:
    """Return what a module's `__all__` lists, [] without one."""
    found: Any = names.get("__all__")
    return texts(found) if is_one_of(type(found), (list, tuple)) else []


def class_names(cls: type) -> set[str]:
    """Return the names a class and its bases define."""
    found: set[str] = set()
    for each in mro(cls):
        found.update(texts(class_dict(each)))
    return found


def attribute_names(value: Any) -> set[str]:
    """Return the attributes `value` has by its classes, slots and own dictionary."""
    if is_a(value, ModuleType):
        names = own(value)
        return set(texts(list(names))) | set(listed(names))
    if is_class(value):
        return class_names(value) | class_names(type(value))
    return class_names(type(value)) | set(texts(list(own(value))))


def answers_more(value: Any) -> bool:
    """True when `value` may have attributes that are stored nowhere: its class answers
    `__getattr__` or replaces `__getattribute__`."""
    if is_a(value, ModuleType):
        return "__getattr__" in own(value) or type(value) is not ModuleType
    cls = type(value)
    if in_class(cls, "__getattr__") is not MISSING:
        return True
    plain = (object, type, ModuleType, super)
    return all(
        in_class(cls, "__getattribute__") is not class_dict(each).get("__getattribute__")
        for each in plain
    )


def attribute(value: Any, name: str, mine: dict[str, Any] | None = None) -> Any:
    """Return an attribute as far as that runs no code of its class, else MISSING.

    A slot's content, what stands in the instance, the class's functions and plain values. Getters
    in C are asked of numpy's and builtin types alone. `mine` is `own(value)` where it is known.
    """
    if is_a(value, ModuleType):
        return (own(value) if mine is None else mine).get(name, MISSING)
    if is_class(value):
        found = in_class(value, name)
        if found is MISSING:
            found = in_class(type(value), name)
        return _unwrapped(found)
    cls = type(value)
    found = in_class(cls, name)
    if type(found) is MemberDescriptorType or (
        type(found) is GetSetDescriptorType and _of_c(found.__objclass__)
    ):
        try:
            return found.__get__(value)
        except Exception:  # an empty slot
            return MISSING
    if found is not MISSING and _has_set(found):
        return MISSING
    stored = (own(value) if mine is None else mine).get(name, MISSING)
    return stored if stored is not MISSING else _unwrapped(found)


def _of_c(cls: type) -> bool:
    return module_of(cls).partition(".")[0] in (
        "builtins",
        "numpy",
        "types",
        "functools",
        "datetime",
    )


def _has_set(found: Any) -> bool:
    kind = type(found)
    return any(in_class(kind, name) is not MISSING for name in ("__set__", "__delete__"))


def _unwrapped(found: Any) -> Any:
    """A class member as reading it gives, where that takes no code of the user's."""
    if is_one_of(type(found), _METHODS):
        return found.__func__
    kind = type(found)
    if kind is FunctionType or found is MISSING or module_of(kind) == "builtins":
        return MISSING if kind is property else found
    return MISSING if in_class(kind, "__get__") is not MISSING else found


def function(value: Any) -> FunctionType | None:
    """Return the Python function behind a function, method, partial or class (its `__init__`),
    decorators with `__wrapped__` undone; None for what is written in C or is no function."""
    for _ in range(MOST_WRAPPERS):
        if type(value) is MethodType or is_one_of(type(value), _METHODS):
            value = value.__func__
        elif type(value) is FunctionType:
            inner = value.__dict__.get("__wrapped__")
            if inner is None:
                return value
            value = inner
        elif is_class(value):
            value = next(
                (
                    names["__init__"]
                    for each in mro(value)
                    if each is not object and "__init__" in (names := class_dict(each))
                ),
                None,
            )
        elif type(value) is functools.partial:
            value = value.func
        else:
            return None
    return None


class Parameters:
    """How a function can be called: `names` may be given by keyword, `positional` by place (those
    of both kinds are in both), `open` says that it takes
    any keyword; `heads` are the parameters as text."""

    def __init__(self, code: Any, function: FunctionType, *, bound: bool) -> None:
        count = code.co_argcount
        variables = code.co_varnames
        named = variables[code.co_posonlyargcount : count]
        if bound and code.co_posonlyargcount == 0:
            named = named[1:]
        self.names: tuple[str, ...] = named + variables[count : count + code.co_kwonlyargcount]
        first = 1 if bound and count else 0
        self.positional: tuple[str, ...] = variables[first:count]
        self.open = bool(code.co_flags & 0x08)  # CO_VARKEYWORDS
        self.heads = _heads(code, function, bound)


def parameters(value: Any, *, bound: bool = False) -> Parameters | None:
    """Return how `value` is called, or None when that stands only in C. `bound` leaves out the
    first parameter, which a method call fills."""
    found = function(value)
    if found is None:
        return None
    bound = bound or type(value) is MethodType or is_class(value)
    return Parameters(found.__code__, found, bound=bound)


def _heads(code: Any, function: FunctionType, bound: bool) -> str:
    count, more = code.co_argcount, code.co_kwonlyargcount
    names = list(code.co_varnames[: count + more])
    optional = set(names[count - len(function.__defaults__ or ()) : count])
    optional |= set(function.__kwdefaults__ or ())
    heads = [f"{name}=…" if name in optional else name for name in names]
    positional, keyword = heads[:count], heads[count:]
    if bound:
        positional = positional[1:]
    rest = iter(code.co_varnames[count + more :])
    if code.co_flags & 0x04:  # CO_VARARGS
        positional.append(f"*{next(rest)}")
    elif keyword:
        positional.append("*")
    if code.co_flags & 0x08:
        keyword.append(f"**{next(rest)}")
    return f"({', '.join(positional + keyword)})"


def keys(value: Any) -> tuple[list[Any], bool] | None:
    """Return the keys of a mapping and whether these are all; None for no mapping.

    Of a subclass of dict what is stored counts, whatever its own methods say.
    """
    if value is os.environ:
        return sorted(os.environ), True
    if not is_a(value, dict):
        return None
    found: list[Any] = _first(dict.keys(value))
    return found, len(found) == dict.__len__(value)


def _first(view: Iterable[Any]) -> list[Any]:
    for _ in range(3):
        try:
            return list(islice(view, MOST_KEYS))
        except RuntimeError:  # another thread changed it meanwhile
            continue
    return []


def item(value: Any, key: Any) -> Any:
    """Return an item of a builtin container by an exact str or int, else MISSING. Keys are
    compared one by one, so that a key's own `__eq__` is never asked."""
    if type(key) is int and (is_a(value, list) or is_a(value, tuple)):
        base: Any = list if is_a(value, list) else tuple
        try:
            return base.__getitem__(value, key)
        except IndexError:
            return MISSING
    if not is_a(value, dict):
        return MISSING
    for each, found in _first(dict.items(value)):
        if type(each) is type(key) and each == key:
            return found
    return MISSING
