"""aiex in a real kernel: what front ends receive, interrupts, cells at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

from .conftest import Kernel, environment

pytestmark = pytest.mark.slow

THREADS = "sorted(t.name for t in __import__('threading').enumerate() if 'aiex' in t.name)"


def test_words_are_shown_as_they_come(kernel: Kernel, server: LoopbackServer) -> None:
    """One display is updated while words come, and its last form is the whole answer, as Markdown
    and as text."""
    server.replies = [Reply(pieces=tuple(f"**w{n}** " for n in range(20)), pause_s=0.05)]
    ran = kernel.run("%%aiex\nslowly")
    assert ran.ok, ran.error
    first, *updates = [m for m in ran.messages if "display" in m["msg_type"]]
    assert first["msg_type"] == "display_data"
    assert "w0" in first["content"]["data"]["text/plain"]
    assert "w19" not in first["content"]["data"]["text/plain"]
    assert {m["msg_type"] for m in updates} == {"update_display_data"}
    assert {m["content"]["transient"]["display_id"] for m in (first, *updates)} == {
        first["content"]["transient"]["display_id"]
    }
    assert 3 <= len(updates) <= 20, "15 a second over one second"
    last = updates[-1]["content"]["data"]
    assert "**w19**" in last["text/markdown"] and "w19" in last["text/plain"]
    assert "gpt" in last["text/plain"], "the model's name"


def test_facts_are_shown_while_the_model_is_waited_for(
    kernel: Kernel, server: LoopbackServer
) -> None:
    """`%%aiex explain` shows the parse tree's facts at once; the model's words join them in the
    same output, which in the end holds the whole result."""
    server.replies = [Reply(text="It gives r back.", first_pause_s=0.3)]
    ran = kernel.run("%%aiex explain\ndef f(r):\n    return r")
    assert ran.ok, ran.error
    first, *_, last = [m["content"]["data"] for m in ran.messages if "display" in m["msg_type"]]
    assert "def f(r)" in first["text/markdown"] and "Asking a model" in first["text/markdown"]
    assert "It gives" not in first["text/plain"] and "no model" not in first["text/plain"]
    assert len(ran.shown) == 1
    assert "def f(r)" in last["text/markdown"] and "It gives r back." in last["text/markdown"]


def test_the_cells_value_is_not_displayed_again(kernel: Kernel, server: LoopbackServer) -> None:
    """`ai()` at the end of a cell sends no second output, yet `_` and `Out[n]` have the answer."""
    server.replies = [Reply()]
    ran = kernel.run("x = ai('hello'); x")
    assert not ran.of("execute_result")
    assert len(ran.shown) == 1
    again = kernel.run("_")
    (result,) = again.of("execute_result")
    assert "loopback server." in result["data"]["text/markdown"]
    assert kernel.value("_aiex is x") == "True"


def test_an_error_is_no_success(kernel: Kernel) -> None:
    """The cell fails with one line; nothing is in `Out`; a cell after it runs."""
    ran = kernel.run("%%aiex ask --provider opnai\nhello")
    assert not ran.ok
    assert ran.error.startswith("UnknownNameError: ") and "\n" not in ran.error
    assert not ran.of("execute_result") and not ran.of("display_data")
    assert kernel.value(f"{ran.reply['execution_count']} in Out") == "False"


@pytest.mark.parametrize(
    "cell",
    [
        "await asyncio.sleep(0)\nai('slowly')",
        "async def task(): ai('slowly')\nawait asyncio.create_task(task())",
    ],
)
def test_an_interrupt_ends_the_request_of_a_cell_that_awaits(
    kernel: Kernel, server: LoopbackServer, cell: str
) -> None:
    """In a cell with `await` ipykernel tells interrupts to the event loop, which `ai()` holds; a
    KeyboardInterrupt in a task would end the kernel."""
    server.replies = [Reply(pieces=("word ",) * 600, pause_s=0.05)]
    kernel.run("import asyncio")
    asked, gone = len(server.asked), len(server.disconnects)
    request = kernel.start(cell)
    assert server.wait_until(lambda: len(server.asked) > asked)
    time.sleep(0.3)
    kernel.manager.interrupt_kernel()
    ran = kernel.finish(request)
    assert server.wait_until(lambda: len(server.disconnects) > gone)
    assert not ran.ok and ran.reply["ename"] == "CancelledError"
    assert kernel.value("6 * 7") == "42"
    handler = "__import__('signal').getsignal(2).__qualname__"
    assert kernel.value(handler) == "default_int_handler"


@pytest.mark.parametrize("reply", ["before the first word", "between words"])
def test_an_interrupt_ends_the_request_at_the_server(
    kernel: Kernel, server: LoopbackServer, reply: str
) -> None:
    """Ctrl-C (the stop button of a front end): the server sees the disconnect within half a
    second, the words so far stay, no frame of ours is shown, and nothing goes on in the kernel."""
    early = reply == "before the first word"
    server.replies = [
        Reply(first_pause_s=30) if early else Reply(pieces=("word ",) * 600, pause_s=0.05)
    ]
    asked, gone = len(server.asked), len(server.disconnects)
    request = kernel.start("answer = ai('slowly')")
    assert server.wait_until(lambda: len(server.asked) > asked)
    time.sleep(0.3)
    at = time.monotonic()
    kernel.manager.interrupt_kernel()
    ran = kernel.finish(request)
    assert server.wait_until(lambda: len(server.disconnects) > gone)
    assert server.disconnects[-1] - at < 0.5  # a number of the specification, not of speed
    assert not ran.ok and ran.reply["ename"] == "KeyboardInterrupt"
    way_on = "" if early else " Go on with %aiex continue, or ask again."
    assert ran.error == f"KeyboardInterrupt: the request was ended.{way_on}"
    if early:
        assert not ran.shown
    else:
        assert "word word" in ran.shown[0]["text/plain"]
        assert "interrupted" in ran.shown[0]["text/plain"]
    assert kernel.value("'answer' in dir()") == "False"
    assert (
        kernel.value(
            "len(__import__('aiex_ipy.engine.engine', fromlist=['x']).default_engine()._under_way)"
        )
        == "0"
    )
    server.replies = [Reply()]
    assert kernel.run("ai('hello')").ok


def test_cells_of_subshells_use_one_engine_at_once(kernel: Kernel, server: LoopbackServer) -> None:
    """Three cells in the main shell and two subshells are answered at the same time, each with its
    own words under its own cell, over one engine."""
    shells = [None] + [kernel.control("create_subshell_request", {})["subshell_id"] for _ in "ab"]

    def say(received: Any) -> Reply:
        name = received.json["messages"][-1]["content"]
        return Reply(pieces=tuple(f"{name}{n} " for n in range(10)), pause_s=0.1)

    server.reply = say
    asked = len(server.asked)
    try:
        requests = [
            kernel.start(f"%%aiex ask\nname{number}", subshell=shell)
            for number, shell in enumerate(shells)
        ]
        messages: list[dict[str, Any]] = []
        first = kernel.finish(requests[0], on_message=messages.append)
        end = time.monotonic() + 10
        while time.monotonic() < end and len(idle(messages, requests)) < 3:
            messages.append(kernel.client.get_iopub_msg(timeout=10))
    finally:
        server.reply = None
    assert first.ok, first.error
    times = [received.at for received in server.asked[asked:]]
    assert len(times) == 3 and max(times) - min(times) < 0.9, "answers take a second each"
    for number, request in enumerate(requests):
        texts = [
            m["content"]["data"]["text/plain"]
            for m in messages
            if "display" in m["msg_type"] and m["parent_header"]["msg_id"] == request
        ]
        others = {f"name{n}" for n in range(3)} - {f"name{number}"}
        assert f"name{number}9" in texts[-1]
        assert not any(other in text for text in texts for other in others)
    assert kernel.value(THREADS) == "['aiex-engine']"


def idle(messages: list[dict[str, Any]], requests: list[str]) -> set[str]:
    return {
        m["parent_header"]["msg_id"]
        for m in messages
        if m["content"].get("execution_state") == "idle"
    } & set(requests)


def test_threads_of_the_user_may_ask(kernel: Kernel, server: LoopbackServer) -> None:
    """`ai()` works from the user's own threads."""
    server.replies = [Reply(pause_s=0.02)]
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    texts = [a.text for a in pool.map(ai, ['q'] * 8)]\n"
        "print(set(texts))"
    )
    assert "{'Hello from the loopback server.'}" in kernel.run(code).printed


def test_ai_works_in_an_async_cell(kernel: Kernel, server: LoopbackServer) -> None:
    """A cell with `await` runs on the kernel's own loop; the engine has its own."""
    server.replies = [Reply()]
    ran = kernel.run("import asyncio\nawait asyncio.sleep(0)\nx = ai('hello')\nprint(x.text)")
    assert "Hello from" in ran.printed, ran.error


def test_unloading_ends_the_engine(kernel: Kernel) -> None:
    """Nothing of it runs on in the kernel; loading again works."""
    kernel.run("%unload_ext aiex")
    assert kernel.value(THREADS) == "[]"
    assert not kernel.run("ai").ok
    kernel.run("%load_ext aiex")
    assert kernel.run("ai('hello')").ok


def test_a_saved_notebook_keeps_the_answer(
    server: LoopbackServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Run by nbclient, with no front end: the notebook holds the last form of each answer, which
    needs no kernel, and no widget."""
    import nbformat
    from nbclient import NotebookClient

    server.replies = [Reply(pieces=("one ", "two ", "three ", "four"), pause_s=0.3)]
    for name, value in environment(server, tmp_path).items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(source)
        for source in ("%load_ext aiex", "ai('hello')", "%%aiex analyze --provider none\nimport os")
    ]
    NotebookClient(notebook, kernel_name="python3").execute()
    (answer,) = notebook.cells[1].outputs
    assert "one two three four" in answer["data"]["text/markdown"]
    assert "one two three four" in answer["data"]["text/plain"]
    (analysis,) = notebook.cells[2].outputs
    assert "Quality Score" in analysis["data"]["text/plain"]
    assert "widgets" not in notebook.metadata
    assert not caplog.records


def test_completion_in_a_kernel(kernel: Kernel, server: LoopbackServer) -> None:
    """`ai_complete` knows the session's live names, shows what fits once, and gives it back."""
    assert kernel.run(
        "receipts = {'milk': 3}\nclass Till:\n    def refund(self): ...\ntill = Till()"
    ).ok
    ran = kernel.run("found = ai_complete('till.ref', provider='none')")
    assert ran.ok, ran.error
    assert "refund" in ran.shown[0]["text/plain"]
    ran = kernel.run("print([each.text for each in found.items], found.word)")
    assert ran.printed.strip() == "['refund'] ref"
    server.replies = [Reply(text="items()")]
    ran = kernel.run("print(repr(ai_complete('receipts.', provider='openai').suggestion))")
    assert ran.ok, ran.error
    assert "items()" in ran.printed
