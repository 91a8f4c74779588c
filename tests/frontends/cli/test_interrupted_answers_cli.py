"""An answer whose connection breaks, at the command line: what is written, how a talk goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply

pytestmark = pytest.mark.slow

AIEX = str(Path(sys.executable).with_name("aiex"))
CUT = Reply(pieces=("some ", "words ", "more"), cut_after=2, cut="reset")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(CUT) as running:
        yield running


@pytest.fixture
def aiex(tmp_path: Path, server: LoopbackServer) -> Run:
    """Runs `aiex`, which asks `server`."""
    strange = ("AIEX_", "OPENAI", "ANTHROPIC", "XDG_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(strange)}
    env |= {"HOME": str(tmp_path), "AIEX_DEFAULT_PROVIDER": "openai", "OPENAI_API_KEY": "sk-012345"}
    env["OPENAI_BASE_URL"] = server.openai_url

    def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [AIEX, *words],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            input=stdin,
            timeout=120,
        )

    return run


def test_the_words_are_written_and_marked(aiex: Run) -> None:
    """stdout has the words and why they end, stderr one line, and the exit code is 3."""
    run = aiex("ai", "ask", "hello")
    assert run.returncode == 3
    assert run.stdout.startswith("some words")
    assert "The answer is not whole. " in run.stdout
    (line,) = run.stderr.splitlines()
    assert line.startswith("aiex: ") and line.endswith("Ask again.")


def test_json_and_a_file_say_interrupted(aiex: Run, tmp_path: Path) -> None:
    """The record is whole JSON, whose finish is "interrupted", with the text so far; exit 3."""
    run = aiex("ai", "ask", "hello", "--output", "json")
    assert run.returncode == 3
    told = json.loads(run.stdout)
    assert (told["finish"], told["text"]) == ("interrupted", "some words ")
    run = aiex("ai", "ask", "hello", "--output", "answer.json")
    assert run.returncode == 3
    assert json.loads((tmp_path / "answer.json").read_text())["finish"] == "interrupted"


def test_a_talk_goes_on_with_it(aiex: Run, server: LoopbackServer) -> None:
    """`/continue` asks the same again with the words so far, and the turn is remembered whole."""
    replies: list[Reply | Raw] = [CUT, Reply(text="words and more."), Reply(text="because")]
    server.reply = lambda asked: replies.pop(0)
    run = aiex("ai", "chat", stdin="hello\n/continue\nwhy\n")
    assert run.returncode == 0
    assert "Go on with /continue" in run.stderr
    assert "some words and more." in run.stdout
    told = [each["content"] for each in server.asked[-1].json["messages"]]
    assert told[1:] == ["hello", "some words and more.", "why"]


def test_there_may_be_nothing_to_go_on_with(aiex: Run, server: LoopbackServer) -> None:
    """`/continue` after a whole answer, or first of all, is a named error."""
    server.reply = lambda asked: Reply(text="whole")
    run = aiex("ai", "chat", stdin="/continue\nhello\n/continue\n")
    assert run.returncode == 2
    assert run.stderr.count("was not cut") == 2
    assert len(server.asked) == 1
