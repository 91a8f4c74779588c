"""Descriptions of builtin and standard values."""

from __future__ import annotations

import array
import asyncio
import collections
import concurrent.futures
import contextlib
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import io
import json
import pathlib
import re
import subprocess
import sys
import threading
import types
import uuid
import weakref
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from aiex_ipy.grounding.live.describe import describe, line, lines


class Colour(enum.Enum):
    RED = 1


class Flags(enum.IntFlag):
    READ = 4


@dataclasses.dataclass
class Order:
    """An order."""

    number: int
    total: float | None = None
    hidden: str = dataclasses.field(default="not shown", repr=False)


class Point(NamedTuple):
    x: int
    y: int


class Record(msgspec.Struct):
    name: str


class Slotted:
    __slots__ = ("filled", "unset")

    def __init__(self) -> None:
        self.filled = [1]


class Rows(list[int]):
    def __len__(self) -> int:
        raise AssertionError


def shop(a: int, /, b: str = "x", *rest: int, c: list[int] | None = None, **more: Any) -> bool:
    """Sell something.

    For money.
    """
    return bool(a)


def count() -> Any:
    yield 1
    yield 2


async def wait() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "NoneType = None"),
        (True, "bool = True"),
        (10**2000, "int = <an integer of 6644 bits>"),
        (-3, "int = -3"),
        (float("nan"), "float = nan"),
        (2j, "complex = 2j"),
        ("a\n'b'", "str, length 5 = \"a\\n'b'\""),
        (b"\xff", "bytes, length 1 = b'\\xff'"),
        (bytearray(b"a"), "bytearray, length 1 = bytearray(b'a')"),
        ([], "list, length 0 = []"),
        ((1,), "tuple, length 1, items int = (1,)"),
        ([1, None, "x"], "list, length 3, items int, NoneType, str = [1, None, 'x']"),
        ([[[[[1]]]]], "list, length 1, items list = [[[[…]]]]"),
        (list(range(12)), "list, length 12, items int = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … 2 more]"),
        ({"b": 1, "a": 2}, "dict, length 2, values int = {'b': 1, 'a': 2}"),
        ({3, 1, 2}, "set, length 3, items int = {1, 2, 3}"),
        (set(), "set, length 0 = set()"),
        (frozenset(), "frozenset, length 0 = frozenset()"),
        ({1, "a"}, "set, length 2, items int, str = {'a', 1}"),
        (collections.deque([1]), "collections.deque, length 1, items int = deque([1])"),
        (collections.Counter("a"), "collections.Counter, length 1, values int = Counter({'a': 1})"),
        (range(3), "range = range(0, 3)"),
        (slice(1, None), "slice = slice(1, None, None)"),
        (Colour.RED, f"{__name__}.Colour = <Colour.RED: 1>"),
        (Flags.READ, f"{__name__}.Flags = <Flags.READ: 4>"),
        (Order(3), f"{__name__}.Order = <Order number=3 total=None>"),
        (Point(1, 2), f"{__name__}.Point, length 2, items int = Point(x=1, y=2)"),
        (Record(name="n"), f"{__name__}.Record = <Record name='n'>"),
        (Slotted(), f"{__name__}.Slotted = <Slotted filled=[1]>"),
        (Rows([1, 2]), f"{__name__}.Rows, length 2, items int = Rows([1, 2])"),
        (types.SimpleNamespace(a=1), "types.SimpleNamespace = <SimpleNamespace a=1>"),
        (ValueError("no", 3), "ValueError, traceback none = ValueError('no', 3)"),
        (datetime.date(2020, 2, 3), "datetime.date = date('2020-02-03')"),
        (
            datetime.datetime(2020, 2, 3, tzinfo=datetime.UTC),
            "datetime.datetime = datetime('2020-02-03T00:00:00', tz 'UTC')",
        ),
        (datetime.timedelta(1), "datetime.timedelta = timedelta(days=1)"),
        (decimal.Decimal("1.5"), "decimal.Decimal = Decimal('1.5')"),
        (fractions.Fraction(1, 3), "fractions.Fraction = Fraction(1, 3)"),
        (uuid.UUID(int=1), "uuid.UUID = UUID('00000000-0000-0000-0000-000000000001')"),
        (re.compile("a+"), "re.Pattern = re.compile('a+')"),
        (re.match("a", "ab"), "re.Match = <re.Match of re.compile('a'), span (0, 1)>"),
        (pathlib.PurePosixPath("/a/b"), "= PurePosixPath('/a/b')"),
        (memoryview(b"abc"), "memoryview = <memoryview of 3 bytes>"),
        (threading.Lock(), "_thread.lock = <unlocked _thread.lock>"),
        (array.array("d", [1.5, 2]), "array.array, length 2, d = [1.5, 2.0]"),
        (len, "builtin_function_or_method, len"),
        (object(), "object = <object>"),
        (Order, "signature"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_told_in_one_line(value: object, shown: str) -> None:
    """The type, what there is to count, and the value itself, bounded."""
    told = line(describe(value))
    assert shown in told if shown != "signature" else "Order(number: int, total" in told
    assert len(told) <= 1_200


def test_code_is_told_by_signature_and_place() -> None:
    """A function's signature is its own, with its defaults, and where it stands."""
    found = describe(shop, "shop")
    assert found.signature == (
        "shop(a: int, /, b: str = 'x', *rest: int, c: list[int] | None = None, **more: Any) -> bool"
        if sys.version_info < (3, 14)
        else "shop(a, /, b='x', *rest, c=None, **more)"
    )
    assert found.source == f"{__file__}:{shop.__code__.co_firstlineno}"
    assert ("doc", "Sell something.") in found.facts
    assert describe(Order).source == __file__
    assert ("bound to", "list") not in describe([].append).facts
    assert describe(functools.partial(shop, 1)).signature == found.signature
    cached = describe(functools.cache(shop))
    assert cached.signature == found.signature and cached.type == "functools._lru_cache_wrapper"
    method = describe(Point(1, 2)._asdict)
    assert ("bound to", f"{__name__}.Point") in method.facts


def test_a_module_is_told_by_its_names() -> None:
    """Version, file and public names; nothing is imported for it."""
    found = describe(json, "json")
    assert found.kind == "module" and "dumps" in found.attributes
    assert found.source == json.__file__ and ("version", json.__version__) in found.facts


def test_a_generator_is_told_where_it_stands_and_stays_there() -> None:
    """Not started, suspended, finished: told without advancing it."""
    running = count()
    assert ("state", "not started") in describe(running).facts
    assert next(running) == 1
    first = count.__code__.co_firstlineno
    assert ("state", f"suspended at line {first + 1}") in describe(running).facts
    assert list(running) == [2]
    assert ("state", "finished") in describe(running).facts
    coroutine = wait()
    assert ("state", "not started") in describe(coroutine).facts
    coroutine.close()


def test_iterators_are_not_advanced() -> None:
    """What an iterator still has to give stays there."""
    for value in (iter([1, 2]), map(str, [1]), zip([1], [2], strict=True), iter({1: 2})):
        assert describe(value).kind == "iterator"
        assert len(list(value)) >= 1


def test_files_are_told_open_or_closed(tmp_path: Path) -> None:
    """Name, mode and whether it is closed; the position stays where it was."""
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\n")
    with path.open() as text:
        text.readline()
        facts = dict(describe(text).facts)
        assert facts["closed"] == "False" and facts["mode"] == "'r'" and "a.txt" in facts["name"]
        assert text.readline() == "two\n"
    assert dict(describe(text).facts)["closed"] == "True"
    with path.open("rb") as raw:
        assert dict(describe(raw).facts)["mode"] == "'rb'"
    detached = io.TextIOWrapper(io.BytesIO(b""))
    detached.detach()
    assert describe(detached).type == "_io.TextIOWrapper"


def test_a_file_over_a_stream_of_the_users_asks_nothing_of_it() -> None:
    """`closed` and `name` of a text file are those of what is under it."""
    calls: list[str] = []

    class Raw(io.RawIOBase):
        def __getattribute__(self, name: str) -> Any:
            calls.append(name)
            return super().__getattribute__(name)

        def readable(self) -> bool:
            return True

    stream = io.BufferedReader(Raw())
    calls.clear()
    assert describe(stream).type == "_io.BufferedReader"
    assert calls == []


def test_tasks_and_futures_are_told_by_their_state() -> None:
    """Pending, done, failed; a result is told, and an exception stays unretrieved."""

    async def main() -> None:
        task = asyncio.ensure_future(wait())
        assert ("state", "pending") in describe(task).facts
        await task
        assert ("state", "finished") in describe(task).facts
        future = asyncio.get_running_loop().create_future()
        future.set_exception(ValueError("no"))
        assert dict(describe(future).facts)["exception"] == "ValueError('no')"
        with contextlib.suppress(ValueError):
            await future

    asyncio.run(main())
    done: concurrent.futures.Future[int] = concurrent.futures.Future()
    done.set_result(4)
    assert dict(describe(done).facts)["result"] == "4"


def test_exceptions_tell_causes_and_notes() -> None:
    """What an exception was raised from, and what was noted on it."""
    error = KeyError("k")
    error.__cause__ = ValueError("first")
    error.add_note("look here")
    facts = dict(describe(error).facts)
    assert facts["cause"] == "ValueError('first')" and facts["note"] == "'look here'"


def test_a_dead_reference_and_a_released_view_are_told() -> None:
    """What is gone is said to be gone."""
    order = Order(1)
    reference = weakref.ref(order)
    assert f"weakref to {__name__}.Order" in describe(reference).value
    del order
    assert describe(reference).value == "<dead weakref>"
    view = memoryview(b"a")
    view.release()
    assert describe(view).value == "<released memoryview>"


def test_cyclic_and_deep_values_end() -> None:
    """A list that holds itself, and a hundred thousand lists within each other."""
    cyclic: list[Any] = [1]
    cyclic.append({"again": cyclic})
    assert describe(cyclic).value == "[1, {'again': [...]}]"
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert describe(deep).value == "[[[[…]]]]"
    chain: Any = None
    for _ in range(100_000):
        chain = types.SimpleNamespace(next=chain)
    assert len(describe(chain).value) < 254
    while deep:  # taken apart from the outside: the interpreter would recurse
        deep = deep[0]
    while chain is not None:
        chain = chain.next


def test_half_made_objects_are_described() -> None:
    """Objects whose `__init__` has not run have no attributes yet."""
    for kind in (Order, Slotted, threading.Thread, asyncio.Future, ValueError, io.TextIOWrapper):
        found = describe(kind.__new__(kind))
        assert found.type.endswith(kind.__qualname__)


def test_an_overridden_dictionary_is_not_asked_for() -> None:
    """A class that puts a property in place of `__dict__` is told by its type."""

    class Odd:
        @property
        def __dict__(self) -> Any:  # type: ignore[override]
            raise AssertionError

    assert describe(Odd()).value == "<test_an_overridden_dictionary_is_not_asked_for.<locals>.Odd>"


@pytest.mark.parametrize(
    ("name", "value", "withheld"),
    [
        ("api_key", "abcdef", True),
        ("dbPassword", "abcdef", True),
        ("password", None, False),
        ("password", "", False),
        ("token", "abcdef", True),
        ("max_tokens", 100, False),
        ("tokens", ["a", "b"], False),
        ("password_length", 8, False),
        ("key", "abc", False),
        ("value", "sk-abcdefghijklmnopqrst", True),
        ("value", "postgresql://me:hunter2@host/db", True),
        ("config", {"password": "hunter2", "user": "me"}, True),
        ("config", {"deep": [{"api_key": "hunter2"}]}, True),
        ("passwords", {"me": "hunter2"}, True),
        ("get_token", shop, False),
    ],
)
def test_secrets_are_withheld(name: str, value: object, withheld: bool) -> None:
    """A value under a telling name or of a telling form is not shown, and that is said."""
    found = describe(value, name)
    assert found.withheld is withheld
    if withheld:
        told = line(found) + lines(found) + repr(found)
        assert "hunter2" not in told and "abcdef" not in told and "[withheld]" in told


def test_a_secret_default_and_attribute_are_withheld() -> None:
    """Also in signatures, in attributes and in texts cut in the middle of a secret."""

    def connect(password: str = "hunter2") -> None:
        """Connect."""

    client = types.SimpleNamespace(
        api_key="hunter2", note="x" * 240 + " sk-hunter2abcdefghijklmnop"
    )
    for value in (connect, client, [client], functools.partial(connect, password="hunter2")):
        found = describe(value)
        assert found.withheld and "hunter2" not in repr(found)


def test_descriptions_are_the_same_in_every_process() -> None:
    """No address and no order of hashes stands in a description."""
    code = (
        "from aiex_ipy.grounding.live.describe import describe, line\n"
        "class C: pass\n"
        "c = C(); c.a = {'x', 'y', 'z'}; c.f = lambda: 1; c.o = object()\n"
        "for v in (c, {'b', 'a', 'c', C, None, 1.5}, [c, C, len, c.f], {c: {c}}):\n"
        "    print(line(describe(v)))\n"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1 and " at 0x" not in told.pop()


def test_a_short_line_of_a_table_keeps_its_data() -> None:
    """Columns with their types and first values stand within the cut, memory and index after."""
    import pandas as pd

    table = pd.DataFrame({f"column_{n}": [n, n] for n in range(30)})
    text = line(describe(table, "df"), 160)
    assert len(text) == 160
    assert text.startswith("df: pandas.DataFrame, shape (2, 30), columns column_0: int64, ")
    assert " more = first 2 rows: column_0=[0, 0]" in text
    small = line(describe(pd.DataFrame({"a": [1]}), "df"))
    assert small.index("a=[1]") < small.index("index RangeIndex") < small.index("memory")
