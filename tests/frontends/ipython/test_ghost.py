"""Grey text from a model in IPython in a real terminal: off by default, history first."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

from .conftest import environment
from .test_terminal import Terminal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals"),
]
RIGHT = "\x1b[C"
LEFT = "\x1b[D"
CTRL_U = "\x15"
TYPE_OF_SUGGESTIONS = "type(get_ipython().auto_suggest).__name__"


@pytest.fixture(scope="module")
def terminal(
    server: LoopbackServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    started = Terminal(environment(server, tmp_path_factory.mktemp("home")))
    started.prompt()
    started.run("%load_ext aiex")
    yield started
    started.child.close(force=True)


def test_it_is_off_by_default(terminal: Terminal, server: LoopbackServer) -> None:
    """Whoever pauses while typing asks nobody."""
    assert "Ghost" not in terminal.run(TYPE_OF_SUGGESTIONS)
    terminal.child.send("value = sum")
    time.sleep(1.5)
    assert not server.asked
    terminal.child.send(CTRL_U)


def test_the_setting_turns_it_on(terminal: Terminal, server: LoopbackServer) -> None:
    """With the setting a pause brings the model's text, which Right accepts."""
    server.replies = [Reply(pieces=("([1,", " 2, ", "3])"), pause_s=0.05)]
    terminal.run("%config Aiex.completion_ghost_text = True")
    assert "GhostText" in terminal.run(TYPE_OF_SUGGESTIONS)
    terminal.child.send("total = sum")
    terminal.child.expect(r" 3\]\)")
    terminal.child.send(RIGHT)
    terminal.run("")
    assert "6" in terminal.run("total")


def test_history_stays_first(terminal: Terminal, server: LoopbackServer) -> None:
    """Where history has a suggestion, no model is asked."""
    asked = len(server.asked)
    terminal.child.send("total = su")
    time.sleep(1.5)
    assert len(server.asked) == asked
    terminal.child.send(CTRL_U)


def test_typing_on_ends_the_request_at_the_server(
    terminal: Terminal, server: LoopbackServer
) -> None:
    """A key typed while the model speaks closes the connection."""
    server.replies = [Reply(text="(1) + " * 200, pause_s=0.1)]
    gone, asked = len(server.disconnects), len(server.asked)
    terminal.child.send("average = abs")
    assert server.wait_until(lambda: len(server.asked) > asked, timeout_s=20)
    server.replies = [Reply(text="(2)")]
    terminal.child.send("(")
    assert server.wait_until(lambda: len(server.disconnects) > gone)
    terminal.child.send(CTRL_U)


def test_moving_the_cursor_ends_the_request_at_the_server(
    terminal: Terminal, server: LoopbackServer
) -> None:
    """So does moving away."""
    server.replies = [Reply(text="(1) + " * 200, pause_s=0.1)]
    gone, asked = len(server.disconnects), len(server.asked)
    terminal.child.send("middle = abs")
    assert server.wait_until(lambda: len(server.asked) > asked, timeout_s=20)
    terminal.child.send(LEFT)
    assert server.wait_until(lambda: len(server.disconnects) > gone)
    terminal.child.send(CTRL_U + "\x0b")


def test_running_the_cell_ends_the_request_at_the_server(
    terminal: Terminal, server: LoopbackServer
) -> None:
    """Enter does it too, while the cell runs."""
    server.replies = [Reply(text=" + 1" * 200, pause_s=0.1)]
    gone, asked = len(server.disconnects), len(server.asked)
    terminal.child.send("import time; time.sleep(8)")
    assert server.wait_until(lambda: len(server.asked) > asked, timeout_s=20)
    terminal.child.send("\r")
    assert server.wait_until(lambda: len(server.disconnects) > gone)
    terminal.prompt()


def test_unloading_puts_ipythons_own_back(terminal: Terminal) -> None:
    """After `%unload_ext` the suggestions are IPython's, and nothing of ours listens."""
    terminal.run("%unload_ext aiex")
    assert "NavigableAutoSuggestFromHistory" in terminal.run(TYPE_OF_SUGGESTIONS)
    heard = (
        "[h.__qualname__ for e in ('on_text_insert', 'on_cursor_position_changed') "
        "for h in getattr(get_ipython().pt_app.default_buffer, e)._handlers]"
    )
    shown = terminal.run(heard)
    assert "reset_history_position" in shown
    assert "Ghost" not in shown
