"""`ai_eval` and `%aiex eval` in a shell, a kernel and a terminal."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from typing import Any

import pytest

from aiex_ipy.errors import UsageError
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

from .conftest import Kernel
from .test_terminal import Terminal, terminal

__all__ = ["terminal"]  # a fixture
pytestmark = pytest.mark.slow


def test_value_and_names_are_told_offline(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """What the code printed and showed comes first, then value, time and names changed; `_`,
    `Out` and `In` stay; `_aiex` is the result, whose value is the live one."""
    shell.run_cell("11", store_history=True)
    inputs, outputs = list(shell.user_ns["In"]), dict(shell.user_ns["Out"])
    shell.user_ns["data"] = data = [1]
    code = "print('first')\ndata.append(2)\nanswer = 42\ndata"
    result = shell.ev(f"ai_eval({code!r}, provider='none')")
    out = capsys.readouterr().out
    assert out.index("first") < out.index("[1, 2]") < out.index("ran")
    assert "data: length 1 → length 2" in out and "answer: int = 42" in out
    assert result.value is data and result.ok and result.error is None
    assert shell.user_ns["In"] == inputs and shell.user_ns["Out"] == outputs
    assert shell.user_ns["_"] == 11
    assert shell.user_ns["_aiex"] is result


def test_the_live_value_is_in_no_json(shell: Any) -> None:
    """The record can be written as JSON whatever the value is."""
    from aiex_ipy.render.results import render

    result = shell.ev("ai_eval('object()', provider='none')")
    assert type(result.value) is object
    assert '"type": "object"' in render(result, "json")


def test_magics_and_shell_lines_are_run_as_in_a_cell(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """`%` and `!` lines do what they do in a cell, and a semicolon at the end shows nothing."""
    result = shell.ev("ai_eval('here = %pwd\\n!echo from the shell\\nhere;', False)")
    out = capsys.readouterr().out
    assert result.value == shell.ev("__import__('os').getcwd()")
    assert result.error is None
    assert f"{result.value!r}\n▶" not in out


def test_an_error_is_explained_and_not_raised(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The failure goes the way of `ai_debug`, which afterwards knows it as the last one."""
    shell.user_ns["colour"] = 1
    result = shell.ev("ai_eval('color + 1', provider='none')")
    out = capsys.readouterr().out
    assert isinstance(result.error, NameError) and not result.ok
    assert result.report.failure.title in out and "'colour'" in out
    assert shell.ev("ai_debug(provider='none')").failure.title == result.report.failure.title


@pytest.mark.parametrize("code", ["def f(:", "x = (", "raise SystemExit(3)"])
def test_bad_code_is_explained(shell: Any, code: str) -> None:
    """Code that is no Python, or that asks to exit."""
    result = shell.ev(f"ai_eval({code!r}, provider='none')")
    assert result.error is not None
    assert type(result.error).__name__ in result.report.failure.title


@pytest.mark.parametrize("code", ["", "  \n", 5, None])
def test_no_code_is_refused(shell: Any, code: Any) -> None:
    """An empty string and what is no string."""
    with pytest.raises(UsageError):
        shell.user_ns["ai_eval"](code)


def test_the_model_is_told_what_was_measured(shell: Any, server: LoopbackServer) -> None:
    """The prompt holds the code, the value with its type, what was printed and the names; of
    failed code the error. Words that name what is not there are marked."""
    server.replies = [Reply(pieces=("It adds, see `nowhere_named`.",))]
    result = shell.ev("ai_eval('total = 40 + 2\\nprint(\"said\")\\ntotal')")
    asked = server.asked[-1].json["messages"][-1]["content"]
    for part in ("total = 40 + 2", "value: int = 42", "said", "added: total: int = 42"):
        assert part in asked, part
    assert result.text == "It adds, see `nowhere_named`."
    assert result.unconfirmed == ("nowhere_named",)
    server.replies = [Reply(pieces=("Because of the zero.",))]
    result = shell.ev("ai_eval('1 / 0')")
    assert "ZeroDivisionError" in server.asked[-1].json["messages"][-1]["content"]
    assert result.report.text == "Because of the zero."
    count = len(server.asked)
    assert shell.ev("ai_eval('1', False)").text == "" and len(server.asked) == count


def test_the_magic_runs_a_line_or_a_cell(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`%aiex eval CODE` and `%%aiex eval`; `--facts` asks nobody; `--into` keeps the result."""
    shell.run_cell("%aiex eval --facts 6 * 7")
    assert "value    int = 42" in capsys.readouterr().out
    shell.run_cell("%%aiex eval --facts --into found\nword = 'cell'\nword")
    assert shell.user_ns["found"].value == "cell"
    shell.run_cell("%%aiex eval --facts 1\n2")
    assert "two pieces of code" in capsys.readouterr().out


def test_functions_in_plain_python(tmp_path: Any) -> None:
    """`aiex.evaluate` runs in a namespace of the caller's, and its twin on the caller's loop."""
    import asyncio

    import aiex

    names: dict[str, Any] = {"x": 1}
    found = aiex.evaluate("y = x + 1\ny", names, provider="none")
    assert (found.value, names["y"]) == (2, 2)

    async def twin() -> Any:
        task = asyncio.ensure_future(asyncio.sleep(0, "done"))
        nested = aiex.evaluate("await task", {"task": task}, provider="none")
        own = await aiex.evaluate_async("await task", {"task": task}, provider="none")
        return nested.value, own.value

    assert asyncio.run(twin()) == ("done", "done")
    failed = aiex.evaluate("1 / 0", {}, provider="none")
    assert isinstance(failed.error, ZeroDivisionError) and failed.report is not None
    with pytest.raises(KeyboardInterrupt):
        aiex.evaluate("raise KeyboardInterrupt", {}, provider="none")


def test_a_kernel_awaits_and_shows_in_order(kernel: Kernel) -> None:
    """In a kernel, whose loop runs: `await` in a plain cell and in one that awaits itself, what
    belongs to the kernel's loop included; displays stand in order with what is printed."""
    kernel.run("import asyncio\nasync def soon(x):\n    await asyncio.sleep(0.01)\n    return x")
    kernel.run("task = asyncio.ensure_future(soon(5))")
    code = "print('one')\nfrom IPython.display import display\ndisplay({'two': 2})\nawait task"
    ran = kernel.run(f"r = ai_eval({code!r}, provider='none')")
    assert ran.ok, ran.error
    kinds = [m["msg_type"] for m in ran.messages]
    kinds = [each for each in kinds if each not in ("status", "execute_input")]
    assert kinds == ["stream", "display_data", "display_data", "display_data"]
    assert ran.shown[1]["text/plain"] == "5"
    assert "ran" in ran.shown[2]["text/markdown"]
    assert kernel.value("r.value") == "5"
    ran = kernel.run("await soon(1)\nr = ai_eval('await soon(6)', provider='none')\nawait soon(1)")
    assert ran.ok, ran.error
    assert kernel.value("r.value") == "6"
    ran = kernel.run("r = ai_eval('await 5', provider='none')")
    assert ran.ok and "TypeError" in ran.shown[-1]["text/markdown"]
    ran = kernel.run("r = ai_eval('1/0', provider='none')")
    assert ran.ok and not ran.of("error")
    assert "ZeroDivisionError" in ran.shown[-1]["text/markdown"]


def interrupt_until(kernel: Kernel, ended: threading.Event) -> None:
    """Interrupt at once, and again each two seconds: what comes between two cells is nobody's."""
    while True:
        os.kill(kernel.manager.provisioner.pid, signal.SIGINT)
        if ended.wait(2):
            return


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child")
def test_interrupted_at_random_moments_then_used_again(kernel: Kernel) -> None:
    """Whether it counts, sleeps, awaits, prints without end or has just ended: the interrupt ends
    the cell within a few seconds, the next evaluation works, and streams and loop are whole."""
    codes = [
        "while True: pass",
        "import time\ntime.sleep(30)",
        "import asyncio\nawait asyncio.sleep(30)",
        "while True: print('x' * 50)",
        "import asyncio\nwhile True: await asyncio.sleep(0)",
        "1 + 1",
    ]
    chance = random.Random(11)
    kernel.run("ai_eval('1', provider='none')")
    for number in range(12):
        code = codes[number % len(codes)]
        head = "import asyncio; await asyncio.sleep(0)\n" if number % 2 else ""
        request = kernel.start(f"{head}r = ai_eval({code!r}, provider='none')")
        time.sleep(chance.uniform(0.0, 0.4))
        ended = threading.Event()
        thread = threading.Thread(target=interrupt_until, args=(kernel, ended))
        thread.start()
        try:
            ran = kernel.finish(request, timeout_s=30)
        finally:
            ended.set()
            thread.join()
        if not ran.ok:
            assert "KeyboardInterrupt" in ran.error or "CancelledError" in ran.error, ran.error
    assert kernel.value("ai_eval('6 * 7', provider='none').value").endswith("42")
    ran = kernel.run("print('still here')\nimport asyncio; await asyncio.sleep(0)")
    assert ran.ok and ran.printed == "still here\n"
    assert kernel.value("type(__import__('sys').stdout).__name__") == "OutStream"


def test_control_c_in_a_terminal(terminal: Terminal) -> None:
    """One line says that the code was interrupted and where; the next evaluation works."""
    terminal.run("ai_eval('1', provider='none')")
    for code in ("while True: pass", "import asyncio; await asyncio.sleep(60)"):
        terminal.type(f"ai_eval({code!r}, provider='none')")
        time.sleep(0.5)
        terminal.child.sendintr()
        shown = terminal.prompt()
        assert "the code was interrupted after" in shown
        assert "Traceback" not in shown
        assert "value" in terminal.run("ai_eval('2 + 3', provider='none')")
