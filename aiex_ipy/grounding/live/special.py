"""Describe objects of the interpreter and the standard library that are more than their attributes:
files, iterators, views, tasks and futures, arrays.

Read by the members of the very type, so that neither an iterator is advanced nor a file asked
where it stands, and nothing is asked of an object of the user's beneath.
"""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from types import MappingProxyType
from typing import Any

from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import (
    MISSING,
    attribute,
    class_dict,
    entry,
    first_of,
    full_name,
    instance_dict,
    is_of,
    module_of,
    mro,
    public_names,
    qualname,
)

Fact = tuple[str, str]


def describe(value: Any, printer: Printer) -> Description | None:
    """Return what is known of such an object, None of others."""
    kind = type(value)
    if module_of(kind) in ("builtins", "itertools", "_collections"):
        found = _iterator(value, kind, printer)
        if found is not None:
            return found
    for each in mro(kind):
        tell = _TELL.get(full_name(each))
        if tell is not None and is_of(each, module_of(each).partition(".")[0]):
            return Description(
                type=full_name(kind),
                attributes=public_names(value),
                facts=tuple(tell(value, each, printer)),
                value=printer.text(value),
            )
    array = sys.modules.get("array")
    if array is not None and kind is array.array:
        more = len(value) - printer.items
        shown = printer.text(value[: printer.items].tolist())
        return Description(
            type="array.array",
            kind="array",
            length=len(value),
            dtype=value.typecode,
            value=f"{shown} … {more} more" if more > 0 else shown,
        )
    return None


# Of these the number of items left is known without asking any object.
_COUNTABLE: tuple[Any, ...] = ([], (), range(0), "", "é", b"", {}, {}.values(), {}.items(), set())
_COUNTED = (*(type(iter(each)) for each in _COUNTABLE), type(reversed([])))
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


def _iterator(value: Any, kind: type, printer: Printer) -> Description | None:
    if any(kind is each for each in _VIEWS):
        return _view(value, value, printer)
    if kind is MappingProxyType:
        # What it stands for may be any mapping of the user's.
        held = gc.get_referents(value)
        if held and type(held[0]) is dict:
            return _view(value, held[0], printer)
        return Description(type=full_name(kind), kind="mapping")
    if entry(class_dict(kind), "__next__") is MISSING:
        return None
    facts: tuple[Fact, ...] = ()
    if any(kind is each for each in _COUNTED):
        facts = (("left", f"{value.__length_hint__()} items"),)
    return Description(
        type=full_name(kind), kind="iterator", facts=facts, value=f"<{qualname(kind)}>"
    )


def _view(value: Any, held: Any, printer: Printer) -> Description:
    name = qualname(type(value))
    if type(held) is dict:
        shown = printer.text(held)
    else:
        shown = printer.text(list(islice(held, printer.items)))
        more = len(held) - printer.items
        shown = f"{shown} … {more} more" if more > 0 else shown
    return Description(type=name, kind="sequence", length=len(held), value=f"{name}({shown})")


def _member(kind: type, name: str, value: Any) -> Any:
    """What a C type keeps for a value under a name; `MISSING` where it says there is none."""
    try:
        return entry(class_dict(kind), name).__get__(value, kind)
    except (AttributeError, ValueError):  # `ValueError` of files that were detached or closed
        return MISSING


_BUFFERS = (io.BufferedReader, io.BufferedWriter, io.BufferedRandom)


def _text_file(value: Any, kind: type, printer: Printer) -> Iterator[Fact]:
    mode = attribute(value, "mode")
    inner = _member(kind, "buffer", value)
    facts = dict(_file(inner, type(inner), printer))
    if mode is not MISSING:
        facts["mode"] = printer.text(mode, 20)
    yield from facts.items()
    encoding = _member(kind, "encoding", value)
    if type(encoding) is str:
        yield "encoding", encoding


def _file(value: Any, kind: type, printer: Printer) -> Iterator[Fact]:
    """Facts of a binary file; only as far as it is made of the interpreter's own types."""
    base = first_of(kind, _BUFFERS)
    if base is not None:
        value = _member(base, "raw", value)
        kind = type(value)
    if kind is io.FileIO:
        name = attribute(value, "name")
        if name is not MISSING:
            yield "name", printer.text(name, 200)
        yield "mode", repr(_member(kind, "mode", value))
    if kind is io.FileIO or kind is io.BytesIO:
        yield "closed", str(_member(kind, "closed", value))


def _text_in_memory(value: Any, kind: type, printer: Printer) -> Iterator[Fact]:
    yield "closed", str(_member(kind, "closed", value))


def _future(value: Any, kind: type, printer: Printer) -> Iterator[Fact]:
    """State and outcome; `exception()` would mark it as seen, so it is not asked."""

    def read(name: str) -> Any:
        own = entry(instance_dict(value), name)
        return _member(kind, name, value) if own is MISSING else own

    state = read("_state")
    yield "state", str(state).lower() if type(state) is str else "?"
    for name in ("exception", "result"):
        outcome = read(f"_{name}")
        if outcome is not MISSING and outcome is not None:
            yield name, printer.text(outcome, 200)
    if qualname(kind) == "Task":
        yield from _task(value, kind)


def _task(value: Any, kind: type) -> Iterator[Fact]:
    coroutine = entry(class_dict(kind), "get_coro")
    inner = coroutine(value) if coroutine is not MISSING else attribute(value, "_coro")
    code = inner.cr_code if full_name(type(inner)) == "coroutine" else None
    if code is not None:
        frame = inner.cr_frame
        line = f", line {frame.f_lineno}" if frame is not None else ""
        yield "runs", f"{code.co_qualname} in {code.co_filename}{line}"


def _thread(value: Any, kind: type, printer: Printer) -> Iterator[Fact]:
    name = attribute(value, "_name")
    yield "name", printer.text(name, 80) if name is not MISSING else "?"
    yield "daemon", str(attribute(value, "_daemonic") is True)


_TELL: dict[str, Callable[[Any, type, Printer], Iterator[Fact]]] = {
    "_io.TextIOWrapper": _text_file,
    **{f"_io.{each.__qualname__}": _file for each in (*_BUFFERS, io.FileIO, io.BytesIO)},
    "_io.StringIO": _text_in_memory,
    "_asyncio.Task": _future,
    "_asyncio.Future": _future,
    "asyncio.tasks.Task": _future,
    "asyncio.futures.Future": _future,
    "concurrent.futures._base.Future": _future,
    "threading.Thread": _thread,
}
