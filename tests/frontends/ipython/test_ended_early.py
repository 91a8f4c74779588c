"""An answer that its reader ends: the words that came are kept, and one can go on with them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply

from .conftest import Kernel, Ran, environment
from .test_terminal import Terminal

pytestmark = pytest.mark.slow

STALLED = Raw(
    blocks=tuple(
        b'data: {"model": "m", "choices": [{"index": 0, "delta": {"content": "%s"}}]}\n\n' % word
        for word in (b"some", b" words")
    ),
    headers={"content-type": "text/event-stream"},
    end="silence",
)
REST = Reply(text=" words and more.")
AFTER_THAT = "(_aiex.text, _aiex.finish, _aiex.reason)"


def ended(kernel: Kernel, cell: str, *, at: str = "some words") -> Ran:
    """Run a cell and interrupt it when `at` has been shown."""
    sent: list[bool] = []

    def watch(message: dict[str, Any]) -> None:
        if not sent and at in str(message["content"].get("data", "")):
            sent.append(True)
            kernel.manager.interrupt_kernel()

    ran = kernel.finish(kernel.start(cell), on_message=watch)
    assert sent and ran.reply["ename"] == "KeyboardInterrupt", ran.error
    return ran


@pytest.mark.parametrize(
    ("cell", "name"), [("ai('why?')", "_aiex"), ("%%aiex ask --into early\nwhy?", "early")]
)
def test_the_words_are_kept_and_gone_on_with(
    kernel: Kernel, server: LoopbackServer, cell: str, name: str
) -> None:
    """They are the last result, and the variable's; `%aiex continue` goes on with just them."""
    kernel.run("_aiex = None")
    server.replies = [STALLED]
    ran = ended(kernel, cell)
    line = "KeyboardInterrupt: the request was ended. Go on with %aiex continue, or ask again."
    assert ran.error == line
    assert kernel.value(AFTER_THAT) == "('some words', 'interrupted', 'cancelled')"
    assert kernel.value(f"{name} is _aiex") == "True"
    server.replies = [REST]
    ran = kernel.run("%aiex continue")
    assert ran.ok and not ran.printed, ran.error + ran.printed
    assert kernel.value("_aiex.text, _aiex.complete") == "('some words and more.', True)"


def test_a_turn_of_a_talk_is_not_remembered(kernel: Kernel, server: LoopbackServer) -> None:
    """That is said in the line below, and is so until one has gone on with it."""
    server.replies = [STALLED]
    ran = ended(kernel, "%aiex chat --new hello")
    assert ran.error.endswith("or ask again: this turn is not remembered.")
    server.replies = [REST]
    assert kernel.run("%aiex continue").ok
    assert kernel.run("%aiex chat why").ok
    told = [each["content"] for each in server.asked[-1].json["messages"]]
    assert told[1:] == ["hello", "some words and more.", "why"]


@pytest.mark.parametrize(
    ("reply", "left"), [(Raw(status=401), "cut short"), (STALLED, "interrupted")]
)
@pytest.mark.parametrize("verb", ["explain", "analyze"])
def test_facts_are_shown_when_no_model_speaks(
    kernel: Kernel, server: LoopbackServer, verb: str, reply: Raw, left: str
) -> None:
    """Refused at once or ended by hand, with the provider named: the facts stand in the notebook
    and are the last result."""
    server.replies = [reply]
    cell = f"%%aiex {verb} --into facts --provider openai\ndef f(x):\n    return x\n"
    ran = kernel.run(cell) if reply.status == 401 else ended(kernel, cell, at="In[")
    assert not ran.ok
    (shown,) = ran.shown
    assert "f has no docstring" in shown["text/plain"] or "Returns the argument" in str(shown)
    assert left in shown["text/plain"]
    assert "partial" not in ran.error
    kinds = {"explain": "Explanation", "analyze": "Analysis"}
    assert kernel.value("type(_aiex).__name__, facts is _aiex") == f"('{kinds[verb]}', True)"


def test_a_probe_of_the_providers_is_ended(kernel: Kernel) -> None:
    """`%aiex llm health`, interrupted, is an interrupt and no fault."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        at = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        kernel.run(f"%config Aiex.llm_providers = {{'openai': {{'base_url': '{at}'}}}}")
        request = kernel.start("%aiex llm health openai")
        asking, _ = silent.accept()
        kernel.manager.interrupt_kernel()
        ran = kernel.finish(request)
        asking.close()
    kernel.run("%config Aiex.llm_providers = {}")
    assert ran.error == "KeyboardInterrupt: aiex llm was ended."


@pytest.fixture
def terminal(server: LoopbackServer, tmp_path: Path) -> Iterator[Terminal]:
    started = Terminal(environment(server, tmp_path))
    started.prompt()
    started.run("%load_ext aiex")
    yield started
    started.child.close(force=True)


def test_what_a_terminal_awaits_is_ended_too(terminal: Terminal, server: LoopbackServer) -> None:
    """Ctrl-C leaves the loop with the cell's tasks in it: their requests end at the server."""
    server.reply = lambda _: STALLED
    asked, gone = len(server.asked), len(server.disconnects)
    terminal.type("import aiex; await aiex.ask_async('why?')")
    assert server.wait_until(lambda: len(server.asked) > asked)
    terminal.child.sendintr()
    assert "KeyboardInterrupt" in terminal.prompt()
    assert server.wait_until(lambda: len(server.disconnects) > gone)
    assert "openai" in terminal.run("%aiex llm usage")
