"""What is captured where nothing was raised: threads, tasks, loops, processes, values, texts."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import subprocess
import sys
import sysconfig
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.failure.capture import capture
from aiex_ipy.grounding.failure.record import Failure, FrameRecord


def functions(frames: tuple[FrameRecord, ...]) -> list[str]:
    return [each.function.rpartition(".")[2] for each in frames if each.user]


def told(failure: Failure) -> dict[str, str]:
    frame = failure.frame
    assert frame is not None
    return {each.name: each.value for each in frame.variables}


@contextmanager
def running(work: Callable[[], object], name: str = "worker") -> Iterator[threading.Thread]:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    yield thread
    thread.join(10)


def until(fact: Callable[[], object]) -> None:
    for _ in range(1000):
        if fact():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_a_thread_that_waits() -> None:
    """Its stack is told as it is now, with the values of the user's frame."""
    gate, ready = threading.Event(), threading.Event()

    def wait(jobs: list[str]) -> None:
        ready.set()
        gate.wait(30)

    with running(lambda: wait(["a"])) as thread:
        ready.wait(10)
        until(lambda: any("wait" in f for f in functions(capture(thread)[0].stacks[0][1])))
        found, moment = capture(thread)
        gate.set()
    assert found.kind == "thread"
    assert found.title.startswith("Thread 'worker' is in wait (")
    assert functions(found.stacks[0][1])[-1] == "wait"
    assert told(found)["jobs"] == "['a']"
    assert moment.frame is not None and moment.frame.function.endswith("wait")


def test_a_thread_that_moves_on_and_ends() -> None:
    """A frame that runs on while it is read gives what there is; an ended thread says so."""
    stop = threading.Event()

    def spin() -> None:
        n = 0
        while not stop.is_set():
            n += 1

    with running(spin) as thread:
        kinds = {capture(thread)[0].kind for _ in range(20)}
        stop.set()
    assert kinds == {"thread"}
    assert capture(thread)[0].title == "Thread 'worker' has ended."
    assert capture(threading.Thread(name="idle"))[0].title == "Thread 'idle' has not been started."


def test_what_a_thread_died_of() -> None:
    """In a shell with the extension the exception of a dead thread is known; the hook before is
    called, and is back after unloading."""
    from IPython.core.interactiveshell import InteractiveShell

    shown: list[str] = []
    before = threading.excepthook
    threading.excepthook = mine = lambda args: shown.append(args.exc_type.__name__)
    shell = InteractiveShell()
    shell.history_manager.enabled = False
    try:
        shell.run_line_magic("load_ext", "aiex")

        def die() -> None:
            [][1]

        with running(die) as thread:
            pass
        found = capture(thread)[0]
        shell.run_line_magic("unload_ext", "aiex")
        assert threading.excepthook is mine
    finally:
        threading.excepthook = before
        shell.restore_sys_module_state()
    assert shown == ["IndexError"]
    assert found.title == "Thread 'worker' has ended. IndexError: list index out of range"
    assert functions(found.errors[0].frames) == ["die"]
    assert capture(thread)[0].title == "Thread 'worker' has ended."


def test_a_frame_with_its_callers() -> None:
    """The frame is the innermost, those that called it stand before it."""

    def outer(a: int) -> Any:
        return inner(a + 1)

    def inner(b: int) -> Any:
        return capture(sys._getframe())[0]

    found = outer(3)
    assert found.kind == "frame"
    assert functions(found.stacks[0][1])[-2:] == ["outer", "inner"]
    assert told(found)["b"] == "4"


def test_a_frame_whose_function_has_ended() -> None:
    """A frame that was kept is told with what it still holds."""

    def keep(x: int) -> Any:
        return sys._getframe()

    frame = keep(5)
    gc.collect()
    assert told(capture(frame)[0]) == {"x": "5"}
    frame.clear()
    assert capture(frame)[0].kind == "frame"


def test_a_traceback_and_hook_arguments_lead_to_their_exception() -> None:
    """`sys.exc_info()`, what hooks are given, and a bare traceback."""
    try:
        [][1]
    except IndexError as error:
        found = capture(sys.exc_info())[0]
        bare = capture(error.__traceback__)[0]
        args = threading.ExceptHookArgs((IndexError, error, error.__traceback__, None))
        hooked = capture(args)[0]
    assert found.title == hooked.title == "IndexError: list index out of range"
    assert (bare.kind, bare.frame is not None) == ("frame", True)


def test_an_error_in_a_finalizer() -> None:
    """What `sys.unraisablehook` is given is told like any exception."""
    seen: list[Any] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda args: seen.append(capture(args)[0])

    class Door:
        def __del__(self) -> None:
            {}["key"]

    try:
        Door()
    finally:
        sys.unraisablehook = before
    assert (seen[0].title, functions(seen[0].errors[0].frames)) == ("KeyError: 'key'", ["__del__"])


def test_tasks_coroutines_and_futures() -> None:
    """A task that waits, one that failed, one cancelled, a coroutine not started, a future."""

    async def leaf(rows: list[int]) -> None:
        await asyncio.sleep(60)

    async def middle() -> None:
        await leaf([1, 2])

    async def fails() -> None:
        raise ValueError("late")

    async def main() -> list[Failure]:
        waits = asyncio.create_task(middle(), name="waits")
        failed = asyncio.create_task(fails(), name="failed")
        dropped = asyncio.create_task(middle(), name="dropped")
        await asyncio.sleep(0.01)
        dropped.cancel()
        await asyncio.sleep(0.01)
        coroutine = leaf([3])
        found = [
            capture(each)[0]
            for each in (waits, failed, dropped, coroutine, asyncio.Future())
        ]  # fmt: skip
        coroutine.close()
        waits.cancel()
        assert failed._log_traceback  # type: ignore[attr-defined]  # still unasked for
        failed.exception()
        return found

    waits, failed, dropped, coroutine, future = asyncio.run(main())
    assert {each.kind for each in (waits, failed, dropped, coroutine, future)} == {"task"}
    assert waits.title.startswith("Task 'waits' is in leaf (")
    assert waits.title.endswith("and awaits a future or task.")
    assert functions(waits.stacks[0][1]) == ["middle", "leaf"]
    assert told(waits)["rows"] == "[1, 2]"
    assert failed.title == "Task 'failed' ended with an error. ValueError: late"
    assert functions(failed.errors[0].frames) == ["fails"]
    assert dropped.title == "Task 'dropped' was cancelled."
    assert "has not been started" in coroutine.title
    assert "pending" in future.title


def test_a_pool_future_that_failed() -> None:
    """The exception of a `concurrent.futures` future is told with its frames."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(lambda: [][1])
        concurrent.futures.wait([future])
    found = capture(future)[0]
    assert found.title == "The future is finished. IndexError: list index out of range"


def test_a_generator_stands_where_it_stands() -> None:
    """A suspended generator is told at its `yield`, and is not advanced."""

    def count(n: int) -> Iterator[int]:
        yield n
        yield n + 1

    numbers = count(4)
    next(numbers)
    found = capture(numbers)[0]
    assert functions(found.stacks[0][1]) == ["count"]
    assert next(numbers) == 5


def test_a_hung_loop_tells_what_blocks_it() -> None:
    """The task that blocks the loop, where in it, and the tasks that wait."""
    loop = asyncio.new_event_loop()
    gate, ready = threading.Event(), threading.Event()

    async def patient() -> None:
        await asyncio.sleep(60)

    async def blocking(path: str) -> None:
        task = asyncio.create_task(patient(), name="patient")
        await asyncio.sleep(0)
        ready.set()
        gate.wait(30)
        task.cancel()

    async def main() -> None:
        await asyncio.create_task(blocking("x.csv"), name="blocker")

    idle = asyncio.new_event_loop()
    with running(lambda: loop.run_until_complete(main())):
        ready.wait(10)
        until(lambda: "blocking" in capture(loop)[0].title)
        found = capture(loop)[0]
        gate.set()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    still = capture(idle)[0]
    idle.close()
    assert found.kind == "loop"
    assert found.title.startswith("The event loop runs task 'blocker', which is in blocking (")
    assert "2 more tasks wait" in found.title
    assert told(found)["path"] == "'x.csv'"
    assert any(name.startswith("task 'patient'") for name, _ in found.stacks)
    assert still.title == "The event loop is not running; 0 more tasks wait."
    assert capture(loop)[0].title.startswith("The event loop is closed")


PROGRAM = """
import time

def drain(queue, db_password):
    while queue:
        time.sleep(60)

drain(["job"], "hunter2-long-one")
"""


@pytest.mark.slow
def test_another_process_by_its_id(tmp_path: Path) -> None:
    """Its stack and locals through py-spy; a process object will do as well."""
    script = tmp_path / "busy.py"
    script.write_text(PROGRAM, "utf-8")
    child = subprocess.Popen([sys.executable, str(script)])
    try:
        until(lambda: Path(f"/proc/{child.pid}/maps").exists())
        time.sleep(1)
        found = capture(child.pid)[0]
        same = capture(child)[0]
        asked = capture(child.pid, expression="worker.pid")[0]
    finally:
        child.kill()
        child.wait(10)
    assert found.kind == same.kind == asked.kind == "process"
    assert functions(found.stacks[0][1])[-1] == "drain"
    assert found.title.startswith(f"Process {child.pid}, in drain (")
    assert told(found)["queue"] == '["job"]'
    assert "hunter2" not in str(found)
    assert found.frame is not None and found.frame.text == "time.sleep(60)"
    with pytest.raises(UsageError, match=f"There is no process {child.pid}"):
        capture(child.pid)


@pytest.mark.slow
def test_a_process_that_is_not_python() -> None:
    """The reason is said, not py-spy's own traceback."""
    child = subprocess.Popen(["sleep", "60"])
    try:
        with pytest.raises(UsageError, match="is not a Python process") as caught:
            capture(child.pid)
    finally:
        child.kill()
        child.wait(10)
    assert caught.value.code == "not_python"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("#!/bin/sh\necho 'Error: Permission Denied: Try sudo' >&2\nexit 1\n", "process_denied"),
        ("#!/bin/sh\necho 'Error: something new' >&2\nexit 1\n", "process_unreadable"),
        (None, "py_spy_missing"),
    ],
)  # fmt: skip
def test_why_a_process_cannot_be_read(
    script: str | None, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No permission, another trouble, and no py-spy at all are told apart."""
    if script is not None:
        (tmp_path / "py-spy").write_text(script)
        (tmp_path / "py-spy").chmod(0o755)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        capture(os.getpid())
    assert caught.value.code == code


def test_a_number_is_a_process_only_where_it_is_meant() -> None:
    """A number with an expression is a value, unless the expression is a literal or says pid."""
    assert capture(41, expression="total")[0].title == "total is 41"
    assert capture(True)[0].kind == "value"
    with pytest.raises(UsageError):
        capture(2**30, expression=str(2**30))


def test_a_wrong_value_with_what_made_it() -> None:
    """The value, the names of its expression, and the cells that made them."""
    cells = [
        RanCell(number=1, code="import pandas as pd"),
        RanCell(number=2, code="df = pd.DataFrame({'price': ['1', '2']})"),
        RanCell(number=3, code="unused = 5"),
        RanCell(number=4, code="total = df.price.sum()"),
    ]
    names = {"df": pd.DataFrame({"price": ["1", "2"]}), "total": "12", "unused": 5, "pd": pd}
    found, moment = capture(False, expression="df.price.sum() == total", names=names, cells=cells)
    assert found.kind == "value"
    assert found.title == "df.price.sum() == total is False"
    shown = {each.name: each for each in found.values}
    assert shown["df"].shape == (2, 1)
    assert shown["df.price"].length == 2 or shown["df.price"].shape == (2,)
    assert shown["total"].value == "'12'"
    assert [each.number for each in found.cells] == [1, 2, 4]
    assert (moment.asked, moment.expression) == (False, "df.price.sum() == total")


def test_values_of_the_cells_that_made_a_value_are_told() -> None:
    """A total is explained by what it was made of, though the expression does not name it."""
    cells = [RanCell(number=1, code="rates = []"), RanCell(number=2, code="total = sum(rates)")]
    found = capture(0, expression="total", names={"rates": [], "total": 0}, cells=cells)[0]
    assert [each.name for each in found.values] == ["total", "rates"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (("error", "no such user"), "which tells of an error"),
        ((None, "timed out"), "which tells of an error"),
        ({"error": "quota"}, "which tells of an error"),
        ({"error": None}, "{'error': None}"),
        ((1, "b"), "A value: (1, 'b')"),
    ],
)
def test_values_that_tell_of_an_error(value: Any, said: str) -> None:
    """`("error", reason)` and its like are values that say they are errors."""
    found = capture(value)[0]
    assert found.kind == "value"
    assert said in found.title


def test_an_exception_given_back_as_a_value() -> None:
    """Its type, message and frames are told as of a raised one."""
    try:
        int("x")
    except ValueError as error:
        result = (None, error)
    found = capture(result, expression="result")[0]
    assert found.title.startswith("An error given back as a value: ValueError: invalid literal")
    assert found.kind == "value" and found.errors[0].frames


def test_the_value_is_not_changed_by_being_looked_at() -> None:
    """A frame's caches, a dictionary's defaults and an array stay as they are."""
    from collections import defaultdict

    table = pd.DataFrame({"a": [1, 2]})
    table.flags.allows_duplicate_labels = False
    default: defaultdict[str, list[int]] = defaultdict(list)
    names = {"table": table, "default": default, "array": np.arange(3)}
    before = dict(table.__dict__)
    capture(False, expression="table.a.sum() == default['x'] + array[0]", names=names)
    assert default == {}
    assert table.__dict__.keys() == before.keys()


def printed(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


def test_a_printed_chain() -> None:
    """Types, messages, relations and frames of a text that Python printed."""
    text = printed(
        """
        import json
        def load(text):
            try:
                return json.loads(text)
            except ValueError as error:
                raise RuntimeError("no settings") from error
        load("{'a'")
        """
    )
    found = capture(f"it says:\n{text}\nwhy?")[0]
    assert found.kind == "text"
    assert [(each.type, each.relation) for each in found.errors] == [
        ("JSONDecodeError", "cause"),
        ("RuntimeError", ""),
    ]
    assert found.title.startswith("RuntimeError: no settings")
    assert [each.function for each in found.errors[1].frames] == ["<module>", "load"]
    assert functions(found.errors[0].frames) == ["load"]


def test_a_printed_group() -> None:
    """The members of a group are read out of their bars, at every level."""
    text = printed(
        """
        def fail():
            [][1]
        errors = []
        try:
            fail()
        except IndexError as error:
            errors.append(error)
        raise ExceptionGroup("two", [*errors, ExceptionGroup("inner", [KeyError("k")])])
        """
    )
    error = capture(text)[0].errors[-1]
    assert (error.type, error.message) == ("ExceptionGroup", "two (2 sub-exceptions)")
    assert [each.type for each in error.members] == ["IndexError", "ExceptionGroup"]
    assert [each.function for each in error.members[0].frames] == ["<module>", "fail"]
    assert [(each.type, each.message) for each in error.members[1].members] == [("KeyError", "'k'")]


def test_a_printed_recursion_and_syntax_error() -> None:
    """Repeated lines are counted; a syntax error's own place is its frame."""
    text = printed("def f(n):\n    return f(n + 1)\nf(0)\n")
    error = capture(text)[0].errors[-1]
    assert error.type == "RecursionError"
    assert any(each.repeated > 900 for each in error.frames)
    found = capture(printed("x = (1,\n"))[0]
    assert found.title.startswith("SyntaxError: '(' was never closed")
    assert found.frame is not None
    assert (found.frame.line, found.frame.text) == (1, "x = (1,")


def test_a_traceback_of_ipython() -> None:
    """Cells by their number, the line behind the arrow, colours ignored."""
    text = textwrap.dedent(
        """\
        \x1b[31m---------------------------------------------------------------------------\x1b[0m
        ZeroDivisionError                         Traceback (most recent call last)
        Cell In[5], line 4
              1 def half(n):
              2     return n / 0
        ----> 4 half(rows[0])

        Cell In[5], line 2, in half(n)
              1 def half(n):
        ----> 2     return n / 0

        ZeroDivisionError: division by zero
        """
    )
    found = capture(text)[0]
    assert found.title == "ZeroDivisionError: division by zero"
    assert [(f.place, f.line, f.function) for f in found.errors[0].frames] == [
        ("In[5]", 4, "<module>"),
        ("In[5]", 2, "half"),
    ]
    assert found.frame is not None and found.frame.text == "return n / 0"


def test_a_printed_place_is_read_where_it_still_stands(tmp_path: Path) -> None:
    """More lines come from the file when the printed one is there unchanged, else they do not."""
    file = tmp_path / "job.py"
    file.write_text("import os\n\nrows = []\nprint(rows[3])\n", "utf-8")
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=False)
    frame = capture(done.stderr)[0].frame
    assert frame is not None
    assert [each.text for each in frame.lines] == ["import os", "", "rows = []", "print(rows[3])"]
    other = tmp_path / "other.py"
    other.write_text("# moved\n", "utf-8")
    frame = capture(done.stderr.replace("job.py", "other.py"))[0].frame
    assert frame is not None
    assert [each.text for each in frame.lines] == ["print(rows[3])"]


def test_a_text_without_a_traceback_is_a_value() -> None:
    """Plain words are looked at as a wrong value."""
    assert capture("hello", expression="name")[0].kind == "value"


def test_a_generator_expression_that_was_started() -> None:
    """It is told where it stands, and one that was not started that it was not."""
    squares = (x * x for x in [1, 2])
    assert "has not been started" in capture(squares)[0].title
    next(squares)
    assert "has not been started" not in capture(squares)[0].title


def test_ipython_is_no_caller_of_a_syntax_error() -> None:
    """Only the code that does not parse is told, none of the frames that compiled it."""
    from IPython.core.compilerop import CachingCompiler

    try:
        CachingCompiler().ast_parse("print 3", "<cell>")
    except SyntaxError as error:
        # what the user ran begins below the frame of this test
        assert error.__traceback__ is not None
        failure, _ = capture(error.with_traceback(error.__traceback__.tb_next))
    assert [each.line for each in failure.errors[-1].frames] == [1]
    assert not failure.errors[-1].frames[0].folded


def test_an_empty_table_has_a_title() -> None:
    """A table that is asked about is told by its size, not by how its rows are printed."""
    import pandas as pd

    empty = pd.DataFrame({"a": [], "b": []})
    failure, _ = capture(empty, expression="m2", names={"m2": empty})
    assert failure.title == "m2 is an empty DataFrame with the columns a, b"
    table = pd.DataFrame({"a": [1]})
    assert capture(table, expression="t")[0].title == "t is a DataFrame of shape (1, 1)"


def test_parameters_and_our_own_results_are_no_values_of_a_cell() -> None:
    """Of the cells that made a value only the statements that did are read, and of functions in
    them only the globals."""
    from aiex_ipy.grounding.cells import RanCell

    cells = [
        RanCell(number=1, code="n = 5\nscale = 2\nother = 1"),
        RanCell(number=2, code="def f(n):\n    k = n * scale\n    return [k]\nother = other + 1"),
        RanCell(number=3, code="total = f(3)"),
    ]
    names = {"n": 5, "scale": 2, "k": 9, "other": 2, "total": [6]}
    failure, _ = capture([6], expression="total", names=names, cells=cells)
    assert {"n", "k", "other"}.isdisjoint(each.name for each in failure.values)
    assert "scale" in {each.name for each in failure.values}
