"""No method of the user's object is called when it is described: the proof, by spies."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import sys
import types
import weakref
from collections.abc import Callable
from typing import Any

import numpy
import pandas
import polars
import pytest
from spy import CALLS, SPECIAL, Watch, noting, spied, spying

from aiex_ipy.frontends.ipython.asking import context_items
from aiex_ipy.grounding.live import dotted_name, object_subject, source_name
from aiex_ipy.grounding.live.describe import describe, line, lines
from aiex_ipy.grounding.live.namespace import namespace

Spy = spying()
spy = object.__new__(Spy)
slotted = object.__new__(spying(__slots__=("inner", "unset")))
Spy_dict = spying(dict)
Spy_list = spying(list)
Spy_tuple = spying(tuple)
Spy_set = spying(set)
Spy_str = spying(str)
Spy_int = spying(int)
Spy_float = spying(float)
Spy_bytes = spying(bytes)
Spy_deque = spying(collections.deque)
Spy_error = spying(ValueError)
# numpy asks an array for `__array_finalize__` when it is made.
_own = spied("Spy") | {"__array_finalize__": lambda *_: None}
_own["__getattribute__"] = object.__getattribute__
Spy_array = type("Spy", (numpy.ndarray,), _own)
spy_array = numpy.ndarray.__new__(Spy_array, (2,))
Spy_array.__getattribute__ = noting("Spy", "__getattribute__")  # type: ignore[method-assign]
Spy_array.__array_finalize__ = noting("Spy", "__array_finalize__")  # type: ignore[method-assign]
Spy_frame = spying(pandas.DataFrame)
Spy_polars = spying(polars.DataFrame)
Pair = collections.namedtuple("Pair", "first second")


@dataclasses.dataclass
class Held:
    spy: Any


class Told:
    """Of a plain class, for what asks the class of an object when it takes it up."""

    __repr__ = __str__ = __eq__ = __len__ = __iter__ = noting("Told", "method")
    __hash__ = None  # type: ignore[assignment]


class Plain:
    def __init__(self) -> None:
        self.spy = spy
        self.kind = Spy


def made(base: type, kind: type, *args: Any) -> Any:
    found = base.__new__(kind, *args)
    if base in (dict, list, set, collections.deque):
        base.__init__(found, *args)
    return found


def with_dictionary(value: Any, kind: type) -> Any:
    """The same value as an instance of another class, as unpickling makes it."""
    found = object.__new__(kind)
    own = types.SimpleNamespace(**vars(value)).__dict__
    next(
        each.__dict__["__dict__"] for each in type.mro(type(value)) if "__dict__" in each.__dict__
    ).__get__(found).update(own)
    return found


def frame_of_spies() -> Any:
    cells = numpy.empty(2, dtype=object)
    cells[0] = cells[1] = spy
    return pandas.DataFrame({"cells": cells, "n": [1, 2]})


def suspended() -> Any:
    def run(inner: Any) -> Any:
        yield inner

    found = run(spy)
    next(found)
    return found


def cyclic() -> Any:
    found: list[Any] = [spy]
    found.append({"again": found, "spy": spy})
    return found


class Keyed(str):
    """A key whose comparing is noted."""

    def __eq__(self, other: object) -> bool:
        CALLS.append("Keyed.__eq__")
        return False

    def __hash__(self) -> int:
        return hash(str(self))


def keyed() -> Any:
    found = Plain()
    for name in ("__dataclass_fields__", "_repr_llm_", "__wrapped__", "_mgr", "__dict__"):
        found.__dict__[Keyed(name)] = spy
    return found


VALUES: dict[str, Callable[[], Any]] = {
    "alone": lambda: spy,
    "its class": lambda: Spy,
    "with slots": lambda: slotted,
    "in a list": lambda: [spy],
    "in a tuple": lambda: (spy, Spy),
    "in a dictionary": lambda: {"a": spy},
    "as a key": lambda: {spy: 1},
    "in a set": lambda: {spy, 1},
    "in a deque": lambda: collections.deque([spy]),
    "in a named tuple": lambda: Pair(spy, Spy),
    "in a dataclass": lambda: Held(spy),
    "as an attribute": Plain,
    "under keys of a subclass of str": keyed,
    "in a simple namespace": lambda: types.SimpleNamespace(spy=spy),
    "deep and cyclic": cyclic,
    "in an exception": lambda: ValueError(spy),
    "as a cause": lambda: caused(),
    "in an exception group": lambda: ExceptionGroup("g", [ValueError(spy)]),
    "in an array": lambda: frame_of_spies()["cells"].to_numpy(),
    "in a frame": frame_of_spies,
    "in a series": lambda: frame_of_spies()["cells"],
    "as a label": lambda: pandas.Series([1], index=pandas.Index([spy], dtype=object)),
    "in a grouping": lambda: frame_of_spies().groupby("n"),
    "in a frame of polars": lambda: polars.DataFrame({"a": polars.Series([Told()])}),
    "in a generator": suspended,
    "as a default": lambda: eval("lambda a=spy, *, b=spy: a", {"spy": spy}),
    "as an annotation": lambda: annotated(),
    "in a partial": lambda: functools.partial(print, spy, end=spy),
    "its bound method": lambda: types.MethodType(describe_me, spy),
    "its built-in method": lambda: object.__repr__.__get__(spy),
    "a weak reference to it": lambda: weakref.ref(spy),
    "a weak proxy of it": lambda: weakref.proxy(spy),
    "a proxy of a mapping": lambda: types.MappingProxyType(Spy_dict_of()),
    "a view of a dictionary": lambda: {"a": spy}.values(),
    "an iterator": lambda: iter([spy]),
    "in a slice": lambda: slice(spy),
    "a map": lambda: map(describe_me, [spy]),
    "a property": lambda: property(describe_me),
    "a module of its own": lambda: module_with_spy(),
    "a list of its own": lambda: made(list, Spy_list, [1, spy]),
    "a dictionary of its own": lambda: Spy_dict_of(),
    "a tuple of its own": lambda: made(tuple, Spy_tuple, (1, spy)),
    "a set of its own": lambda: made(set, Spy_set, {1}),
    "a text of its own": lambda: made(str, Spy_str, "abc"),
    "a number of its own": lambda: made(int, Spy_int, 3),
    "another number of its own": lambda: made(float, Spy_float, 3.5),
    "bytes of its own": lambda: made(bytes, Spy_bytes, b"abc"),
    "a deque of its own": lambda: made(collections.deque, Spy_deque, [spy]),
    "an error of its own": lambda: made(ValueError, Spy_error, "no"),
    "an array of its own": lambda: spy_array,
    "a frame of its own": lambda: with_dictionary(frame_of_spies(), Spy_frame),
    "a frame of polars of its own": lambda: with_dictionary(
        polars.DataFrame({"a": [1]}), Spy_polars
    ),
    "a half-made frame": lambda: object.__new__(Spy_frame),
}


def describe_me(*args: Any) -> None:
    CALLS.append("describe_me")


def Spy_dict_of() -> Any:
    return made(dict, Spy_dict, {"a": spy})


def caused() -> BaseException:
    try:
        raise ValueError("inner", spy)
    except ValueError as inner:
        error = KeyError(spy)
        error.__cause__ = inner
        error.add_note("note")
        return error


def annotated() -> Any:
    def function(a: spy, b: list[spy]) -> spy:  # type: ignore[valid-type]
        return None

    return function


def module_with_spy() -> Any:
    module = types.ModuleType("shown")
    module.__dict__.update(spy=spy, __version__=spy, __file__=spy, __getattr__=describe_me)
    return module


@pytest.mark.parametrize("where", VALUES)
def test_nothing_of_the_users_is_called(where: str) -> None:
    """A description, its texts, an overview and a subject are made without one call."""
    value = VALUES[where]()
    with Watch() as watch:
        found = describe(value, "value")
        line(found), lines(found)
        describe([value], "value")
        namespace({"value": value})
        object_subject(value, "value")
        source_name(value), dotted_name(value)
        context_items([value]) if where != "alone" else None
    assert watch.calls == []
    assert found.type and all(label != "not described" for label, _ in found.facts)
    assert len(line(found)) <= 1_200 and len(lines(found)) <= 3_600


def test_the_spy_spies() -> None:
    """What the proof rests on: these very calls would have been noted."""
    for call in (repr, len, iter, bool, hash, dir, isinstance, getattr, str, format, sorted):
        with Watch() as watch, contextlib.suppress(Exception):
            call(spy) if call not in (isinstance, getattr) else call(
                spy, (str if call is isinstance else "x")
            )  # type: ignore[operator]
        assert watch.calls, call
    for call in (lambda: Spy == 1, lambda: hash(Spy), lambda: Spy.x, lambda: repr(Spy)):
        with Watch() as watch, contextlib.suppress(Exception):
            call()
        assert watch.calls
    assert len(SPECIAL) > 100


def test_objects_whose_methods_fail_are_described() -> None:
    """What raises, recurses without end or never comes back when it is called is not called."""

    def endless(*args: Any) -> Any:
        return endless(*args)

    def exits(*args: Any) -> Any:
        raise SystemExit(1)

    for method in (noting("Spy", "raising", ValueError()), endless, exits):
        body = {f"__{name}__": method for name in SPECIAL}
        body |= {"__class__": property(method), "__dict__": property(method)}
        kind = type("Failing", (), {**body, "__slots__": ("kept",)})
        value = object.__new__(kind)
        kind.__dict__["kept"].__set__(value, [3])
        found = describe([value, value])
        assert "<Failing kept=[3]>" in found.value
    assert sys.getrecursionlimit() >= 1_000
