"""An answer whose connection breaks, in a real kernel, a saved notebook and a real terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

from .conftest import Kernel, environment
from .test_terminal import Terminal

pytestmark = pytest.mark.slow

CUT = Reply(pieces=("some ", "words ", "more"), cut_after=2, cut="reset", pause_s=0.05)
REST = Reply(text="words and more.")


def test_a_kernel_keeps_the_words_and_goes_on(kernel: Kernel, server: LoopbackServer) -> None:
    """The display holds the words and why they end; the cell fails; the next one has the whole."""
    server.replies = [CUT]
    ran = kernel.run("ai('hello')")
    assert not ran.ok
    (shown,) = ran.shown
    for form in ("text/plain", "text/markdown"):
        assert "some words" in shown[form]
        assert "The answer is not whole" in shown[form]
    assert "Go on with %aiex continue" in ran.error
    server.replies = [REST]
    ran = kernel.run("%aiex continue")
    assert ran.ok, ran.error
    (shown,) = ran.shown
    assert "some words and more." in shown["text/plain"]
    assert "continued after" in shown["text/plain"]


def test_as_json_it_says_interrupted(kernel: Kernel, server: LoopbackServer) -> None:
    """`--output json` shows the answer so far, whose finish says that it is none."""
    server.replies = [CUT]
    ran = kernel.run("%%aiex ask --output json\nhello")
    assert not ran.ok
    (shown,) = ran.shown
    assert '"finish": "interrupted"' in shown["text/plain"]


def test_a_saved_notebook_keeps_what_was_said(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run by nbclient: words, reason and error stand in the notebook."""
    import nbformat
    from nbclient import NotebookClient

    server.replies = [CUT]
    for name, value in environment(server, tmp_path).items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(source) for source in ("%load_ext aiex", "ai('hello')")
    ]
    NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()
    answer, error = notebook.cells[1].outputs
    assert "some words" in answer["data"]["text/markdown"]
    assert "not whole" in answer["data"]["text/markdown"]
    assert error["ename"] == "InterruptedAnswerError"


@pytest.fixture
def terminal(server: LoopbackServer, tmp_path: Path) -> Iterator[Terminal]:
    started = Terminal(environment(server, tmp_path))
    started.prompt()
    started.run("%load_ext aiex")
    yield started
    started.child.close(force=True)


def test_a_terminal_keeps_the_words_and_goes_on(terminal: Terminal, server: LoopbackServer) -> None:
    """The words stand once, then why they end; `%aiex continue` has the whole."""
    server.replies = [CUT]
    shown = terminal.run("ai('hello')")
    assert shown.count("some words") == 1
    assert "The answer is not whole" in shown
    server.replies = [REST]
    assert "some words and more." in terminal.run("%aiex continue")
