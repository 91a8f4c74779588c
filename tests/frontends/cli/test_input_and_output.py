"""What comes in that is no text, and what cannot go out: a named error and the exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

AIEX = os.fsencode(Path(sys.executable).with_name("aiex"))
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def aiex(tmp_path: Path) -> Run:
    """Runs `aiex` with a scripted model."""
    strange = ("AIEX_", "OPENAI", "ANTHROPIC", "XDG_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(strange)}
    config = tmp_path / ".config" / "aiex" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        '[llm]\ndefault_provider = "scripted"\n[llm.providers.scripted]\nanswers = ["Yes."]\n'
    )
    env["HOME"] = str(tmp_path)

    def run(*words: bytes, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [AIEX, *words], env=env, cwd=tmp_path, capture_output=True, input=stdin, timeout=120
        )

    return run


def test_a_turn_that_is_no_utf8(aiex: Run) -> None:
    """A conversation refuses the turn by name and goes on with the next."""
    run = aiex(b"ai", b"chat", stdin=b"caf\xe9\nhello\n")
    assert b"no UTF-8 text" in run.stderr and b"fault of aiex" not in run.stderr
    assert (run.returncode, b"Yes." in run.stdout) == (0, True)
    assert aiex(b"ai", b"chat", stdin=b"caf\xe9\n").returncode == 2


def test_a_question_that_is_no_utf8(aiex: Run) -> None:
    """A word of the command line that is no UTF-8 is refused, exit 2."""
    run = aiex(b"ai", b"ask", b"caf\xe9")
    assert (run.returncode, run.stdout) == (2, b"")
    assert b"no UTF-8 text" in run.stderr and b"fault of aiex" not in run.stderr
