"""What is captured of exceptions, whatever they and their code are."""

from __future__ import annotations

import linecache
import sys
import textwrap
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.failure.capture import capture
from aiex_ipy.grounding.failure.cutting import MOST_CHARACTERS, size
from aiex_ipy.grounding.failure.record import Failure, FrameRecord


def error_of(run: Callable[[], object]) -> BaseException:
    try:
        run()
    except BaseException as error:
        return error
    raise AssertionError("it did not fail")


def failure_of(run: Callable[[], object], **known: Any) -> Failure:
    return capture(error_of(run), **known)[0]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Import a text as a module of its own."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names: list[str] = []

    def make(text: str) -> Any:
        name = f"captured_{len(names)}_{abs(hash(tmp_path)) % 10**8}"
        names.append(name)
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text), "utf-8")
        return __import__(name)

    yield make
    for name in names:
        sys.modules.pop(name, None)


def variables(frame: FrameRecord | None) -> dict[str, str]:
    assert frame is not None
    return {each.name: each.value for each in frame.variables}


def test_the_failing_part_of_a_line_is_marked_in_characters() -> None:
    """Columns are those of characters, not of bytes, and the failing one of two is told."""
    größe = {"ä": 1}

    def look() -> int:
        return größe["ä"] + größe["ö"]

    frame = failure_of(look).frame
    assert frame is not None and frame.span is not None
    assert frame.expression == 'größe["ö"]'
    text = next(each.text for each in frame.lines if each.number == frame.line)
    assert text[frame.span[1] : frame.span[3]] == frame.expression
    assert frame.text == 'return größe["ä"] + größe["ö"]'


def test_an_expression_of_several_lines_is_told_whole() -> None:
    """All its lines are shown, and its text stands on one line."""
    rows = [1, 2]

    def look() -> int:
        return max(
            rows[
                2
            ],
            1,
        )  # fmt: skip

    frame = failure_of(look).frame
    assert frame is not None
    assert frame.expression == "rows[ 2 ]"
    assert {"rows[", "2", "],"} <= {each.text.strip() for each in frame.lines}


def test_values_of_the_failing_expression_come_first() -> None:
    """Then arguments, then other locals; indices and items are worked out."""

    def look(before: int, rows: list[int]) -> int:
        later = "x"
        at = 1
        return rows[at] + rows[at + 1] + len(later) + before

    told = [each.name for each in failure_of(lambda: look(7, [4, 5])).frame.variables]  # type: ignore[union-attr]
    assert told[:3] == ["rows", "at", "at + 1"]
    assert set(told) == {"rows", "at", "at + 1", "rows[at]", "before", "later", "len(later)"}


def test_attributes_of_self_are_told_without_properties() -> None:
    """What a method uses of `self` is told; a property is not run for it."""
    ran = []

    class Basket:
        def __init__(self) -> None:
            self.items = {"a": 1}
            self.unused = 5

        @property
        def total(self) -> int:
            ran.append("total")
            return 1

        def price(self, name: str) -> int:
            if not name:
                return self.total
            return self.items[name]

    told = variables(failure_of(lambda: Basket().price("b")).frame)
    assert told["self.items"] == "{'a': 1}"
    assert told["name"] == "'b'"
    assert "self.total" not in told and "self.unused" not in told
    assert ran == []


def test_libraries_are_folded_and_named() -> None:
    """Frames of `json` are counted; where in it the error was raised is told."""
    import json

    found = failure_of(lambda: json.loads("{'a': 1}"))
    error = found.error
    assert error is not None
    assert [each.function.rpartition(".")[2] for each in error.frames][-1:] == ["<lambda>"]
    assert error.folded_after == 3
    assert error.libraries_after == ("json",)
    assert error.raised_in.startswith("json/decoder.py, line ")


def test_library_frames_between_those_of_the_user_are_counted() -> None:
    """A callback below `functools` keeps its place in the order."""
    import functools

    @functools.singledispatch
    def weigh(row: object) -> float:
        return 1 / 0

    frames = failure_of(lambda: weigh(0)).errors[-1].frames
    assert [each.function.rpartition(".")[2] for each in frames][-2:] == ["<lambda>", "weigh"]
    assert (frames[-1].folded, frames[-1].libraries) == (1, ("functools",))


def test_a_recursion_keeps_its_ends() -> None:
    """The first and last frames of 10,000 are told, the others counted, in a few kB."""

    def down(n: int) -> int:
        return down(n - 1) + 1

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_500)
    try:
        found = failure_of(lambda: down(5))
    finally:
        sys.setrecursionlimit(limit)
    frames = found.errors[-1].frames
    assert found.errors[-1].type == "RecursionError"
    assert sum(each.repeated for each in frames) > 9_000
    assert len(frames) < 14
    assert variables(frames[-1])["n"].startswith("-")
    assert size(found) < MOST_CHARACTERS


def test_the_chain_is_told_with_its_relations() -> None:
    """`from` is a cause, an error in a handler a context, `from None` hides."""

    def cause() -> None:
        try:
            [][1]
        except IndexError as error:
            raise KeyError("k") from error

    def context() -> None:
        try:
            cause()
        except KeyError:
            raise ValueError("v")

    def hidden() -> None:
        try:
            context()
        except ValueError:
            raise OSError("o") from None

    assert [(each.type, each.relation) for each in failure_of(context).errors] == [
        ("IndexError", "cause"),
        ("KeyError", "context"),
        ("ValueError", ""),
    ]
    assert [each.type for each in failure_of(hidden).errors] == ["OSError"]


def test_a_chain_that_bites_its_tail_ends() -> None:
    """A cycle of causes is followed once."""
    first, second = ValueError("a"), KeyError("b")
    first.__cause__ = second
    second.__cause__ = first
    assert [each.type for each in capture(first)[0].errors] == ["KeyError", "ValueError"]


def test_groups_keep_their_members_with_their_frames() -> None:
    """The failing frame of a group is that of its first member."""

    def divide(by: int) -> float:
        return 1 / by

    def both() -> None:
        errors = [error_of(lambda: divide(0)), error_of(lambda: [][2])]
        inner = ExceptionGroup("inner", [TypeError("t")])
        raise BaseExceptionGroup("outer", [*errors, inner])

    found = failure_of(both)
    error = found.error
    assert error is not None and found.frame is not None
    assert [each.type for each in error.members] == [
        "ZeroDivisionError",
        "IndexError",
        "ExceptionGroup",
    ]
    assert error.message == "outer (3 sub-exceptions)"
    assert [each.type for each in error.members[2].members] == ["TypeError"]
    assert found.frame.function.endswith("divide")
    assert variables(found.frame) == {"by": "0"}


def test_a_wide_group_says_what_it_left_out() -> None:
    """Of fifty members some are told and the others counted."""
    found = capture(ExceptionGroup("many", [ValueError(str(n)) for n in range(50)]))[0]
    assert len(found.errors[0].members) == 8
    assert found.left_out == ("42 more errors of the group",)


def test_messages_of_user_classes_are_read_and_not_asked() -> None:
    """A `__str__` of the user's is not called, be it slow or broken; the arguments are told."""
    ran: list[str] = []

    class Slow(Exception):
        def __init__(self, code: int, reason: str) -> None:
            super().__init__(code, reason)
            self.code = code
            self.level = "high"

        def __str__(self) -> str:
            ran.append("str")
            time.sleep(60)
            return "never"

        __repr__ = __str__

    class Odd:
        def __repr__(self) -> str:
            ran.append("repr")
            raise RuntimeError

        __str__ = __repr__

    error = capture(Slow(7, "disk"))[0].errors[0]
    assert (error.type, error.message) == ("Slow", "7, disk, level='high'")
    assert "Odd" in capture(ValueError(Odd()))[0].errors[0].message
    assert capture(KeyError("k"))[0].title == "KeyError: 'k'"
    assert capture(OSError(2, "No such file", "x.csv"))[0].title == (
        "FileNotFoundError: [Errno 2] No such file: 'x.csv'"
    )
    assert ran == []


def test_notes_are_told_where_they_are_texts() -> None:
    """`add_note` is told; something else in its place is not."""
    error = ValueError("v")
    error.add_note("look at row 7")
    assert capture(error)[0].errors[0].notes == ("look at row 7",)
    error.__notes__ = 5  # type: ignore[assignment]
    assert capture(error)[0].errors[0].notes == ()


def test_errors_that_never_were_raised_have_no_frames() -> None:
    """An exception without a traceback, an interrupt and an exit are told as they are."""
    for error in (ValueError("v"), KeyboardInterrupt(), SystemExit(3), ImportError("x", name="y")):
        found, moment = capture(error)
        assert found.error is not None and found.error.frames == ()
        assert found.frame is None and moment.frame is None
    assert capture(SystemExit(3))[0].title == "SystemExit: 3"


def test_syntax_errors_are_told_at_their_own_place(module: Callable[[str], Any]) -> None:
    """The file and line that do not parse are the innermost frame, with the text to fix."""
    good = module("x = 1\n")
    bad = Path(good.__file__).with_name("bad_syntax.py")
    bad.write_text("one = 1\ndef f(:\n    pass\n", "utf-8")
    found, moment = capture(error_of(lambda: __import__("bad_syntax")))
    frame = found.frame
    assert frame is not None and moment.frame is not None and moment.frame.source is not None
    assert (frame.place, frame.line, frame.text) == ("bad_syntax.py", 2, "def f(:")
    assert frame.expression == ":"
    assert moment.frame.source.text == bad.read_text("utf-8")


def test_a_cell_that_does_not_parse_is_told_by_its_number() -> None:
    """The place is `In[3]`, the line that of the cell."""
    text = "ok = 1\nprint('a' 'b'\nx = 2\n"
    linecache.cache["<cell-3>"] = (len(text), None, text.splitlines(True), "<cell-3>")
    error = error_of(lambda: compile(text, "<cell-3>", "exec"))
    found = capture(
        error,
        name_of=lambda file: "In[3]" if file == "<cell-3>" else None,
        cells=[RanCell(number=3, code=text, ok=False)],
    )[0]
    assert found.frame is not None
    assert (found.frame.place, found.frame.line) == ("In[3]", 2)
    assert found.frame.text == "print('a' 'b'"


def test_code_without_a_file_is_the_users() -> None:
    """Code of `exec` is told without its source; its values are there."""
    space = {"__name__": "made", "rows": []}
    found = failure_of(lambda: exec("def f(k):\n    return rows[k]\nf(4)", space))
    assert found.frame is not None
    assert (found.frame.place, found.frame.line) == ("<string> in made", 2)
    assert found.frame.missing == "its source is not to be had"
    assert variables(found.frame)["k"] == "4"


def test_a_file_that_changed_is_not_shown_as_what_ran(module: Callable[[str], Any]) -> None:
    """Lines that Python has read stay those that ran; else the lines are not known."""
    loaded = module("def half(n):\n    return n / 0\n")
    file = Path(loaded.__file__)
    error = error_of(lambda: loaded.half(1))
    assert linecache.getline(str(file), 2) == "    return n / 0\n"
    file.write_text("# new\n\ndef other():\n    return 1\n", "utf-8")
    frame = capture(error)[0].frame
    assert frame is not None
    assert frame.text == "return n / 0"
    assert "changed" in frame.missing
    linecache.checkcache(str(file))
    frame = capture(error)[0].frame
    assert frame is not None
    assert (frame.lines, "changed" in frame.missing) == ((), True)
    file.unlink()
    linecache.checkcache(str(file))
    frame = capture(error)[0].frame
    assert frame is not None
    assert (frame.lines, frame.missing) == ((), "its source is not to be had")


def test_secrets_are_masked_wherever_they_stand() -> None:
    """By the name of a variable, as a literal in the source, in a message and in other values."""

    def connect(user: str) -> None:
        db_password = "kX9-long-and-secret"
        url = f"postgres://{user}:{db_password}@host/db"
        raise ConnectionError(f"refused: {url}")

    found = failure_of(lambda: connect("ann"))
    text = msgspec.json.encode(found).decode()
    assert "kX9-long-and-secret" not in text
    assert "db_password" in text and "ann" in text


def test_a_parsers_token_is_no_secret() -> None:
    """A plain word under `token` stays readable."""

    def parse(token: str) -> None:
        raise ValueError(f"unexpected {token}")

    assert failure_of(lambda: parse("identifier")).title == "ValueError: unexpected identifier"


def test_no_memory_address_is_told() -> None:
    """Two captures of the same failure are the same record."""

    class Thing:
        pass

    def fail(thing: Thing) -> None:
        raise ValueError(f"bad {object.__repr__(thing)}")

    first, second = (msgspec.json.encode(failure_of(lambda: fail(Thing()))) for _ in range(2))
    assert first == second
    assert b"at 0x\xe2\x80\xa6" in first


def test_10_000_locals_and_a_huge_value_stay_small() -> None:
    """Of many names those near the failing line are told; big values are not read through."""
    names = {f"name_{n}": n for n in range(10_000)}
    names["big"] = "x" * 50_000_000
    code = compile("first = big[0]\nlast = big[len(big) + name_77]\n", "<made>", "exec")
    found = failure_of(lambda: exec(code, names))
    assert found.frame is not None
    assert size(found) < MOST_CHARACTERS
    assert len(found.frame.variables) <= 24


def test_a_spying_object_is_left_alone() -> None:
    """No method of an object in the failing expression runs, and its state stays."""
    calls: list[str] = []

    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            calls.append(f"Meta.{name}")
            return type.__getattribute__(cls, name)

        def __instancecheck__(cls, instance: object) -> bool:
            calls.append("isinstance")
            return True

    def noting(name: str) -> Any:
        def method(self: Any, *args: Any) -> Any:
            calls.append(name)
            raise RuntimeError(name)

        return method

    dunders = ["repr", "str", "len", "iter", "eq", "hash", "bool", "getattr", "dir", "format"]
    dunders += ["getattribute", "sizeof", "reduce_ex", "contains", "call", "index", "class_getitem"]
    body = {f"__{name}__": noting(name) for name in dunders}
    body["__getitem__"] = lambda self, key: 1 / 0
    Spy = Meta("Spy", (), body)
    spy = Spy()
    spy_list = [spy]

    def use(thing: Any, things: list[Any]) -> Any:
        return thing[0] + things[0]

    error = error_of(lambda: use(spy, spy_list))
    calls.clear()
    found = capture(error)[0]
    assert calls == []
    used = next(each for each in found.errors[0].frames if each.function.endswith("use"))
    assert {"thing", "things"} <= {each.name for each in used.variables}


def test_the_earlier_cells_of_a_failing_cell() -> None:
    """The cells that made what the failing lines use, the failing one left out."""
    cells = [
        "rows = [3, 4]",
        "other = 'unused'",
        "def pick(items, at):\n    return items[at]",
        "rows = rows + [5]",
        "print(other)\nat = 7\npick(rows, at)",
    ]
    space: dict[str, Any] = {"__name__": "__main__"}
    error: BaseException | None = None
    for number, text in enumerate(cells, 1):
        file = f"<cell-{number}>"
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        try:
            exec(compile(text, file, "exec"), space)
        except IndexError as raised:
            error = raised
    ran = [RanCell(number=n, code=text, ok=n < 5) for n, text in enumerate(cells, 1)]

    def label(file: str) -> str | None:
        return f"In[{file[6:-1]}]" if file.startswith("<cell-") else None

    found, moment = capture(error, cells=ran, name_of=label, names=space)
    assert [each.number for each in found.cells] == [1, 3, 4]
    assert moment.frame is not None and moment.frame.source is not None
    assert moment.frame.source.cell == 3
    assert [each.place for each in found.errors[-1].frames if each.place.startswith("In")] == [
        "In[5]",
        "In[3]",
    ]


def test_versions_are_those_of_the_libraries_involved() -> None:
    """Of the library an error came out of, and Python's."""
    import pandas as pd

    table = pd.DataFrame({"a": [1]})
    told = {each.name: each.version for each in failure_of(lambda: table["b"]).versions}
    assert told == {"Python": ".".join(map(str, sys.version_info[:3])), "pandas": pd.__version__}


def test_code_that_dataclasses_wrote_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The frame told is the user's assignment, not the `__setattr__` made for the class."""
    module = types.ModuleType("somewhere")
    monkeypatch.setitem(sys.modules, "somewhere", module)
    names = vars(module)
    code = (
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass A:\n    x: int\n"
        "def change(a):\n    a.x = 2\n"
    )
    exec(compile(code, "<cell>", "exec"), names)
    try:
        names["change"](names["A"](1))
    except AttributeError as error:
        failure, _ = capture(error)
    assert failure.frame is not None and failure.frame.function == "change"
