"""Print a value, bounded, without calling anything of the user's.

Exact builtins are printed as their `repr` is; an instance of a subclass as the builtin that it is
one of, under its own name; other objects as `<Type attribute=value>` from what is read statically.
Texts are cut before they are quoted, containers are shown by their first items, and the writing
stops as soon as there is enough of it.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from types import (
    BuiltinFunctionType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any

from aiex_ipy.grounding.live.atoms import plain
from aiex_ipy.grounding.live.description import CHARACTERS, DEPTH, ITEMS
from aiex_ipy.grounding.live.static import (
    MISSING,
    attribute,
    attributes,
    class_attribute,
    derives,
    entries,
    entry,
    first_of,
    full_name,
    instance_dict,
    is_class,
    named,
    qualname,
    text_of,
)
from aiex_ipy.redaction.shapes import WITHHELD, is_secret_name, is_token_name, mask_forms

SCALARS = (bool, int, float, complex)
TEXTS = (str, bytes, bytearray)
SEQUENCES = (list, tuple, deque)
SETS = (set, frozenset)
_SORTED = 2_000
"""Sets of more members are not put in order, so none of theirs is shown."""
_LOOK = 600
"""So many characters beyond the cut are looked at for the end of something secret."""
_INT_BITS = 2_000
"""Integers of more bits are told by their size: printing them takes quadratic time."""


class Printer:
    """Prints values within bounds; `withheld` tells whether something secret was masked.

    `depth` is how deep containers are shown, `items` how many items of each, `characters` how
    long the text gets. `short` tells values of libraries in a few words, None for others.
    """

    def __init__(
        self,
        *,
        depth: int = DEPTH,
        items: int = ITEMS,
        characters: int = CHARACTERS,
        short: Callable[[Any], str | None] | None = None,
    ) -> None:
        self._short = short
        self.depth = depth
        self.items = items
        self.characters = characters
        self.withheld = False

    def text(self, value: Any, characters: int = 0) -> str:
        """Return the printed value, at most `characters` long."""
        return self.cut(self._pieces(value, self.depth, ()), characters or self.characters)

    def of_object(self, value: Any) -> str:
        """Return an object as its type and own attributes, whatever else may be known of it."""
        return self.cut(self._attributes(value, self.depth, (id(value),)), self.characters)

    def named(self, name: str, value: Any, characters: int = 0) -> str:
        """Return the printed value of something called `name`, masked when that is a secret's."""
        if self.is_secret(name, value):
            self.withheld = True
            return WITHHELD
        return self.text(value, characters)

    def cut(self, pieces: Iterable[str], characters: int) -> str:
        """Join pieces until there is enough of them; secret-looking forms are masked."""
        got: list[str] = []
        size = 0
        for piece in pieces:
            got.append(piece)
            size += len(piece)
            if size > characters + _LOOK:
                break
        text = self.masked("".join(got))
        return text if len(text) <= characters else f"{text[: characters - 1]}…"

    def masked(self, text: str) -> str:
        """Return the text with secret-looking forms masked."""
        clean = mask_forms(text)
        self.withheld = self.withheld or clean is not text
        return clean

    def is_secret(self, name: str, value: Any) -> bool:
        """True when what is called `name` must not be shown: an empty or missing value may be,
        and so may code, and numbers but under the names of passwords."""
        if value is None or value is True or value is False or value is MISSING:
            return False
        kind = type(value)
        base: Any = first_of(kind, TEXTS)
        if base is not None:
            return bool(base.__len__(value)) and (is_secret_name(name) or is_token_name(name))
        if kind is FunctionType or kind is BuiltinFunctionType or kind is ModuleType:
            return False
        return not is_class(value) and is_secret_name(name)

    def _pieces(self, value: Any, depth: int, above: tuple[int, ...]) -> Iterator[str]:
        kind = type(value)
        if value is None or value is Ellipsis or value is NotImplemented:
            yield str(value)
            return
        atom = _ATOMS.get(id(kind))
        if atom is not None:
            yield atom(value)
            return
        base = first_of(kind, (*SCALARS, *TEXTS, dict, *SEQUENCES, *SETS))
        if is_class(value):
            yield _class(value)
        elif derives(kind, BaseException):
            yield from self._exception(value, depth, above)
        elif _is_enum(kind):
            yield from self._member(value, depth, above)
        elif base is None:
            yield from self._container(value, depth, above)
        elif base in SCALARS:
            yield from _under(kind, base, _number(base, value))
        elif base in TEXTS:
            yield from _under(kind, base, self._quoted(base, value))
        else:
            yield from self._container(value, depth, above, base)

    def _container(
        self, value: Any, depth: int, above: tuple[int, ...], base: type | None = None
    ) -> Iterator[str]:
        """What holds other values: a builtin container, or with no `base` any object."""
        if id(value) in above:
            yield "{...}" if base is dict or base in SETS else "[...]" if base else "<...>"
            return
        within = (*above, id(value))
        if base is None:
            yield from self._object(value, depth, within)
        else:
            inner = self._mapping if base is dict else partial(self._items, base)
            yield from _around(type(value), base, inner(value, depth, within))

    def _quoted(self, base: Any, value: Any) -> str:
        """Quote the beginning of a text: what is too long for the print is not looked at."""
        end = self.characters + _LOOK
        if base is str:
            return repr(self.masked(str.__getitem__(value, slice(0, end))))
        start = bytes(base.__getitem__(value, slice(0, end)))
        plain = start.decode("latin-1")
        clean = self.masked(plain)
        shown = repr(start if clean is plain else clean.encode("latin-1"))
        return shown if base is bytes else f"bytearray({shown})"

    def _items(self, base: type, value: Any, depth: int, above: tuple[int, ...]) -> Iterator[str]:
        """The items of a sequence or set, read as the builtin that it is."""
        size: int = base.__len__(value)  # type: ignore[attr-defined]
        if base in SETS:
            yield from self._set(base, value, size, depth, above)
            return
        names = _field_names(type(value), size) if base is tuple else ()
        yield "[" if base is list or base is deque else "("
        if depth <= 0 and size:
            yield "…"
        else:
            for index, item in enumerate(first(base, value, self.items)):
                yield ", " if index else ""
                if names:
                    yield f"{names[index]}={self._value_of(names[index], item)}"
                else:
                    yield from self._pieces(item, depth - 1, above)
            if size > self.items:
                yield f", … {size - self.items} more"
            elif size == 1 and base is tuple and not names:
                yield ","
        yield "]" if base is list or base is deque else ")"

    def _set(
        self, base: type, value: Any, size: int, depth: int, above: tuple[int, ...]
    ) -> Iterator[str]:
        if not size:
            yield "" if base is frozenset else "set()"
            return
        yield "{"
        if depth <= 0 or size > _SORTED:
            yield f"… {size} members"
        else:
            members = _ordered(first(base, value, size))
            if members is None:
                inner = [
                    self.cut(self._pieces(each, depth - 1, above), 80)
                    for each in first(base, value, min(size, 1_000))
                ]
                inner.sort()
                yield ", ".join(inner[: self.items])
            else:
                yield ", ".join(
                    "".join(self._pieces(each, 0, above)) for each in members[: self.items]
                )
            if size > self.items:
                yield f", … {size - self.items} more"
        yield "}"

    def _mapping(self, value: Any, depth: int, above: tuple[int, ...]) -> Iterator[str]:
        size = dict.__len__(value)
        yield "{"
        if depth <= 0 and size:
            yield "…"
        else:
            for index, (key, item) in enumerate(entries(value, self.items)):
                yield ", " if index else ""
                yield from self._pieces(key, depth - 1, above)
                yield ": "
                name = text_of(key)
                if name is not None and self.is_secret(name, item):
                    self.withheld = True
                    yield WITHHELD
                else:
                    yield from self._pieces(item, depth - 1, above)
            if size > self.items:
                yield f", … {size - self.items} more"
        yield "}"

    def _exception(self, value: Any, depth: int, above: tuple[int, ...]) -> Iterator[str]:
        yield qualname(type(value))
        if id(value) in above or depth <= 0:
            yield "(…)"
            return
        args = BaseException.__dict__["args"].__get__(value, type(value))
        yield "("
        for index, item in enumerate(args[: self.items]):
            yield ", " if index else ""
            yield from self._pieces(item, depth - 1, (*above, id(value)))
        yield ")"

    def _member(self, value: Any, depth: int, above: tuple[int, ...]) -> Iterator[str]:
        """An enumeration member as `<Color.RED: 1>`."""
        own = instance_dict(value)
        name, inner = text_of(entry(own, "_name_")), entry(own, "_value_")
        yield f"<{qualname(type(value))}.{name or '?'}"
        if inner is not MISSING and id(value) not in above:
            yield ": "
            yield from self._pieces(inner, min(depth, 1), (*above, id(value)))
        yield ">"

    def _object(self, value: Any, depth: int, above: tuple[int, ...]) -> Iterator[str]:
        """An object by what is read statically of it: its type and its own attributes."""
        shown = plain(value)
        if shown is not None:
            yield shown
            return
        shown = self._short(value) if self._short is not None else None
        if shown is not None:
            yield shown
            return
        yield from self._attributes(value, depth, above)

    def _attributes(self, value: Any, depth: int, above: tuple[int, ...]) -> Iterator[str]:
        kind = type(value)
        hidden = unshown_fields(kind)
        own = [
            (name, item)
            for name, item in attributes(value, self.items * 4)
            if not name.startswith("_") and name not in hidden
        ]
        yield f"<{qualname(kind)}"
        if depth <= 0:
            yield " …>" if own else ">"
            return
        for name, item in own[: self.items]:
            yield f" {name}="
            if self.is_secret(name, item):
                self.withheld = True
                yield WITHHELD
            else:
                yield from self._pieces(item, depth - 1, above)
        yield " …>" if len(own) > self.items else ">"

    def _value_of(self, name: str, value: Any) -> str:
        if self.is_secret(name, value):
            self.withheld = True
            return WITHHELD
        return self.cut(self._pieces(value, 1, ()), self.characters)


def first(base: type, value: Any, count: int) -> list[Any]:
    """The first items of a container, by the iterator of the builtin that it is."""
    for _ in range(5):
        try:
            return list(islice(base.__iter__(value), count))  # type: ignore[attr-defined]
        except RuntimeError:  # it changed while it was read
            continue
    return []


def _ordered(members: list[Any]) -> list[Any] | None:
    """Members in an order that is the same in every process, or None where they have none."""
    kinds = {id(type(each)) for each in members}
    if len(kinds) == 1 and kinds < _ORDERED and all(each == each for each in members):
        return sorted(members)
    return None


_ORDERED = {id(int), id(float), id(str), id(bytes), -1}


def unshown_fields(kind: type) -> frozenset[str]:
    """Return the fields that a dataclass or a model of pydantic leaves out of its own `repr`."""
    found = set()
    for place in ("__dataclass_fields__", "__pydantic_fields__"):
        fields = class_attribute(kind, place)
        if type(fields) is dict:
            found |= {name for name, each in named(fields) if attribute(each, "repr") is False}
    return frozenset(found)


def _field_names(kind: type, size: int) -> tuple[str, ...]:
    """The field names of a named tuple, () for other tuples."""
    if kind is tuple:
        return ()
    names = class_attribute(kind, "_fields")
    if type(names) is tuple and len(names) == size and all(type(each) is str for each in names):
        return names
    return ()


def _is_enum(kind: type) -> bool:
    module = sys.modules.get("enum")
    return module is not None and derives(kind, module.Enum)


def _number(base: Any, value: Any) -> str:
    if base is int and int.bit_length(value) > _INT_BITS:
        return f"<an integer of {int.bit_length(value)} bits>"
    return str(base.__repr__(value))


def _under(kind: type, base: type, shown: str) -> Iterator[str]:
    yield shown if kind is base else f"{qualname(kind)}({shown})"


def _around(kind: type, base: type, pieces: Iterator[str]) -> Iterator[str]:
    """Pieces under the name of the class, where that is not told by the brackets."""
    if kind is base and kind is not frozenset and kind is not deque:
        yield from pieces
        return
    yield qualname(kind)
    named = base is tuple and type(class_attribute(kind, "_fields")) is tuple
    yield "" if named else "("
    yield from pieces
    yield "" if named else ")"


def _function(value: Any) -> str:
    return f"<function {text_of(value.__qualname__)}>"


def _builtin(value: Any) -> str:
    return f"<built-in {value.__name__}>"  # its `__qualname__` would ask the class of `__self__`


def _class(value: Any) -> str:
    return f"<class {full_name(value)!r}>"


def _module(value: Any) -> str:
    name = text_of(entry(instance_dict(value), "__name__"))
    return f"<module {name!r}>"


def _method(value: Any) -> str:
    function = value.__func__
    name = text_of(function.__qualname__) if type(function) is FunctionType else "?"
    return f"<bound method {name}>"


def _slice(value: slice) -> str:
    parts = (value.start, value.stop, value.step)
    return f"slice({', '.join(Printer(depth=1, items=3, characters=40).text(p) for p in parts)})"


def _partial(value: Any) -> str:
    inner = Printer(depth=1, items=5, characters=80)
    function = partial.__dict__["func"].__get__(value)
    return f"<partial of {inner.text(function)}>"


_ATOMS: dict[int, Callable[[Any], str]] = {
    id(FunctionType): _function,
    id(BuiltinFunctionType): _builtin,
    id(type): _class,
    id(ModuleType): _module,
    id(MethodType): _method,
    id(range): repr,
    id(slice): _slice,
    id(partial): _partial,
    id(object): lambda value: "<object>",
}
