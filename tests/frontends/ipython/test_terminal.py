"""aiex in IPython in a real terminal."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator

import pytest

from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

from .conftest import environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals"),
]
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[=>78])")


class Terminal:
    """IPython with its full prompt, typed into."""

    def __init__(self, env: dict[str, str]) -> None:
        import pexpect

        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "IPython", "--no-banner", "--colors=NoColor", "--no-term-title"],
            env={**env, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
            dimensions=(50, 200),
            encoding="utf-8",
            timeout=30,
        )
        self.prompts = 0

    def prompt(self) -> str:
        """Wait for the next prompt; return what was shown before it."""
        self.prompts += 1
        self.child.expect(rf"In \[{self.prompts}\]:")
        return ESCAPES.sub("", self.child.before)

    def type(self, text: str) -> None:
        """Type a line and press Enter."""
        self.child.send(text)
        time.sleep(0.1)
        self.child.send("\r")

    def run(self, text: str) -> str:
        """Type a line; return what was shown until the next prompt."""
        self.type(text)
        return self.prompt()


@pytest.fixture(scope="module")
def terminal(
    server: LoopbackServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    started = Terminal(environment(server, tmp_path_factory.mktemp("home")))
    started.prompt()
    started.run("%load_ext aiex")
    yield started
    started.child.close(force=True)


def test_words_appear_while_the_model_speaks(terminal: Terminal, server: LoopbackServer) -> None:
    """The words are written as they come and not again; the value is told as shown."""
    server.replies = [Reply(pieces=("first ", "second ", "third"), pause_s=0.4)]
    terminal.type("ai('hello')")
    terminal.child.expect("first ")
    assert not server.disconnects
    shown = terminal.prompt()
    assert "second third" in shown.replace("\r", "").replace("\n", "")
    assert "first" not in shown, "nothing is printed twice"
    assert "<Answer, shown above>" in shown


def test_a_later_line_shows_the_answer(terminal: Terminal) -> None:
    """`_` is the answer."""
    assert "first second third" in terminal.run("_")


def test_control_c_ends_the_request_at_the_server(
    terminal: Terminal, server: LoopbackServer
) -> None:
    """Ctrl-C: the server sees the disconnect within half a second, the words so far stay, one line
    says what happened, and the prompt is there again."""
    server.replies = [Reply(pieces=("word ",) * 600, pause_s=0.05)]
    gone = len(server.disconnects)
    terminal.type("x = ai('slowly')")
    terminal.child.expect("word word")
    at = time.monotonic()
    terminal.child.sendintr()
    shown = terminal.prompt()
    assert server.wait_until(lambda: len(server.disconnects) > gone)
    assert server.disconnects[-1] - at < 0.5  # a number of the specification, not of speed
    assert "[interrupted]" in shown
    assert "KeyboardInterrupt: the request was ended." in shown
    assert "Traceback" not in shown and ".py" not in shown
    server.replies = [Reply()]
    assert "Hello from the loopback server." in terminal.run("ai('again')")


def test_a_cell_magic_is_typed_over_several_lines(
    terminal: Terminal, server: LoopbackServer
) -> None:
    """`%%aiex` waits for its cell; empty lines end it."""
    for line in ("%%aiex", "what is {1 + 1}", "and {2}?", "", ""):
        terminal.type(line)
    shown = terminal.prompt()
    assert "Hello from" in shown
    assert "what is {1 + 1}\nand {2}?" in server.asked[-1].json["messages"][-1]["content"]


def test_an_error_is_one_line(terminal: Terminal) -> None:
    """No traceback of ours."""
    shown = terminal.run("%aiex analyse x.py")
    assert "Did you mean 'analyze'?" in shown
    assert "Traceback" not in shown and "magics.py" not in shown


def test_the_process_ends(terminal: Terminal) -> None:
    """The engine's thread and connections do not hold IPython back when it is left."""
    terminal.type("exit()")
    import pexpect

    terminal.child.expect(pexpect.EOF, timeout=10)
