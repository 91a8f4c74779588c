"""Code run as a cell is run."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import threading
from typing import Any

import pytest

from aiex_ipy.grounding.evaluation.memory import MemoryPeak
from aiex_ipy.grounding.evaluation.output import KEPT, Tee, kept_output, take_away
from aiex_ipy.grounding.evaluation.running import Outcome, Program, execute, finish_at_once
from aiex_ipy.grounding.evaluation.waiting import wait_for


def ran(code: str, names: dict[str, Any] | None = None, **options: Any) -> Outcome:
    program = Program(code, interactivity=options.pop("interactivity", "last_expr"))
    running = execute(program, {} if names is None else names, **options)
    return wait_for(running) if program.awaits else finish_at_once(running)


def test_the_last_expression_is_the_value() -> None:
    """As in a cell; a statement at the end leaves no value, and None is a value."""
    assert ran("x = 2\nx * 3").value == 6
    assert ran("3\nx = 2").run.value is None
    assert ran("None").has_value
    value = ran("x = 2\nx * 3").run.value
    assert value is not None and value.value == "6"


@pytest.mark.parametrize(
    ("interactivity", "shown"),
    [
        ("last_expr", [3]),
        ("all", [1, 3]),
        ("none", []),
        ("last_expr_or_assign", [3]),
    ],
)
def test_values_are_shown_as_ipython_is_set(interactivity: str, shown: list[int]) -> None:
    """`InteractiveShell.ast_node_interactivity` is obeyed."""
    found: list[int] = []
    ran("1\nx = 2\n3", interactivity=interactivity, show=found.append)
    assert found == shown
    assigned: list[int] = []
    ran("x = 5", interactivity="last_expr_or_assign", show=assigned.append)
    assert assigned == [5]


def test_shown_values_stand_in_order_with_what_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is held back: a value is shown before what is printed after it."""
    ran("print('a')\n1\nprint('b')\n2", interactivity="all", show=print)
    assert capsys.readouterr().out == "a\n1\nb\n2\n"


def test_await_is_allowed_with_and_without_a_running_loop() -> None:
    """Top-level `await` works from plain code, and from a call inside a running loop, where the
    code may await what belongs to that loop while its other tasks go on."""
    code = "import asyncio\nawait asyncio.sleep(0)\n42"
    assert ran(code).value == 42

    async def inside() -> list[Any]:
        beats: list[int] = []

        async def beat() -> int:
            for number in range(3):
                beats.append(number)
                await asyncio.sleep(0)
            return 7

        task = asyncio.create_task(beat())
        calls: list[int] = []
        for _ in range(5):
            asyncio.get_running_loop().call_soon(calls.append, 1)
        outcome = ran("await task", {"task": task})
        me = asyncio.current_task()
        await asyncio.sleep(0)
        return [outcome.value, beats, me is asyncio.current_task(), len(calls)]

    assert asyncio.run(inside()) == [7, [0, 1, 2], True, 5]


def test_many_nested_runs_leave_the_loop_in_order() -> None:
    """Tasks that each drive the loop from inside it all end, and the loop goes on."""

    async def one(number: int) -> Any:
        await asyncio.sleep(0)
        return ran(f"import asyncio\nawait asyncio.sleep(0.001)\n{number}").value

    async def all_of_them() -> list[Any]:
        return list(await asyncio.gather(*(one(number) for number in range(20))))

    assert asyncio.run(all_of_them()) == list(range(20))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("1 / 0", ZeroDivisionError),
        ("def f(:", SyntaxError),
        ("x = 1\n  y = 2", IndentationError),
        ("return 5", SyntaxError),
        ("x = '\\0' + nope", NameError),
        ("import sys; sys.exit(3)", SystemExit),
        ("raise KeyboardInterrupt", KeyboardInterrupt),
        ("raise GeneratorExit", GeneratorExit),
        ("'\x00'", (SyntaxError, ValueError)),
        ("def f(): return f()\nf()", RecursionError),
        ("(" * 5000 + ")" * 5000, (MemoryError, SyntaxError, RecursionError)),
    ],
)
def test_every_error_is_an_outcome(code: str, error: Any) -> None:
    """No error of the code escapes; its traceback begins in the code, not in ours."""
    outcome = ran(code)
    assert isinstance(outcome.error, error)
    assert not outcome.run.ok and outcome.run.value is None
    frames = outcome.error.__traceback__
    assert frames is None or frames.tb_frame.f_code.co_filename.startswith("<ai_eval")


def test_nothing_runs_of_code_that_cannot_be_compiled() -> None:
    """The first line does not run when a later one is no Python."""
    names: dict[str, Any] = {}
    ran("x = 1\nreturn", names)
    assert "x" not in names


def test_a_cancelled_task_is_an_error_and_no_interrupt() -> None:
    """Only the code's own task being cancelled counts as an interrupt."""
    code = "import asyncio\nt = asyncio.ensure_future(asyncio.sleep(9))\nt.cancel()\nawait t"
    outcome = ran(code)
    assert isinstance(outcome.error, asyncio.CancelledError) and not outcome.run.interrupted


@pytest.mark.parametrize("code", ["(i for i in [1])", "(i async for i in a)", "f()"])
def test_lazy_values_are_not_used_up(code: str) -> None:
    """A generator, an asynchronous one and a coroutine are described and left as they are; that a
    coroutine was not awaited is said."""
    names: dict[str, Any] = {}
    exec("async def f(): return 1\nasync def g():\n    yield 1\na = g()", names)
    outcome = ran(code, names)
    if code == "f()":
        assert "await" in outcome.run.notices[0]
        assert asyncio.run(outcome.value) == 1
    elif "async" not in code:
        assert list(outcome.value) == [1]
    assert outcome.error is None


def test_printing_is_passed_on_counted_and_kept_in_part(capsys: pytest.CaptureFixture[str]) -> None:
    """A million lines arrive; their number is known; what is kept is bounded."""
    run = ran("for i in range(20_000): print(i)\nimport sys\nprint('e', file=sys.stderr)").run
    out = capsys.readouterr()
    assert run.printed.characters == len(out.out) == sum(len(str(i)) + 1 for i in range(20_000))
    assert len(run.printed.text) < 2 * KEPT + 100
    assert run.printed.text.startswith("0\n1\n") and run.printed.text.endswith("19999\n")
    assert run.errors.text == out.err == "e\n"


def test_streams_are_as_before_afterwards() -> None:
    """Also when the code fails, prints from a thread later, keeps the stream, or redefines
    `print`; a stream the code put in place stays."""
    before = sys.stdout, sys.stderr
    names: dict[str, Any] = {}
    ran("import sys\nkept = sys.stdout\nprint = None\n1 / 0", names)
    assert (sys.stdout, sys.stderr) == before
    with contextlib.redirect_stdout(io.StringIO()) as out:
        ran("import sys\nkept = sys.stdout", names)
        thread = threading.Thread(target=lambda: names["kept"].write("later"))
        thread.start()
        thread.join()
        assert out.getvalue() == "later"
        ran("import io, sys\nsys.stdout = mine = io.StringIO()", names)
        assert sys.stdout is names["mine"]


def test_the_tee_is_the_stream_for_all_else() -> None:
    """`fileno`, `encoding`, `isatty` and the rest are the stream's."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    tee = Tee(stream)
    assert tee.encoding == "latin-1" and not tee.isatty() and tee.buffer is stream.buffer
    tee.writelines(["a", "b"])
    assert tee.close_tee().text == "ab"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's mark is Linux's")
def test_the_memory_peak_is_seen_though_it_is_given_back() -> None:
    """96 MB that numpy used and freed are seen, also after a higher peak earlier on."""
    import gc

    import numpy as np

    np.ones(30_000_000).sum()
    gc.collect()  # what other tests left would be given back meanwhile, and hide a part
    memory = MemoryPeak()
    np.ones(12_000_000).sum()
    peak, measure = memory.stop()
    assert peak is not None and 50_000_000 < peak < 200_000_000
    assert "resident" in measure


def test_code_of_a_megabyte_runs() -> None:
    """There is no limit on what one may run."""
    outcome = ran("x = 0\n" + "x += 1\n" * 20_000)
    assert outcome.error is None


def test_a_tee_that_was_left_is_taken_away() -> None:
    """Output goes its way again though an interrupt kept the way out from being taken."""
    before = sys.stdout, sys.stderr
    left = kept_output()
    left.__enter__()
    assert sys.stdout is not before[0]
    take_away()
    assert (sys.stdout, sys.stderr) == before
