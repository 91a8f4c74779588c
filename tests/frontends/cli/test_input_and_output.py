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

    def run(
        *words: bytes, stdin: bytes = b"", shell: bool = False, path: str = ""
    ) -> subprocess.CompletedProcess[bytes]:
        command: list[bytes] | bytes = [AIEX, *words]
        if shell:
            command = b" ".join((b"exec", AIEX, *words, b">&-"))
        return subprocess.run(
            command,
            shell=shell,
            env=env | ({"PYTHONPATH": path} if path else {}),
            cwd=tmp_path,
            capture_output=True,
            input=stdin,
            timeout=120,
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


def test_a_closed_stdout_is_told_before_the_model_is_asked(aiex: Run, tmp_path: Path) -> None:
    """`aiex ai ask … >&-` would lose an answer that was paid for: exit 2; a file takes it."""
    for words in (b"ai ask hello", b"ai ask hello --output json", b"ai chat"):
        run = aiex(words, shell=True)
        assert run.returncode == 2
        assert b"The standard output is closed" in run.stderr
    assert aiex(b"ai ask hello --output said.txt", shell=True).returncode == 0
    assert "Yes." in (tmp_path / "said.txt").read_text()


@pytest.mark.parametrize("module", ["click", "asyncio", "aiex_ipy.config"])
def test_an_interrupt_while_it_starts(aiex: Run, tmp_path: Path, module: str) -> None:
    """Ctrl-C while something is still being imported ends with 130 and one line."""
    (tmp_path / "sitecustomize.py").write_text(
        "import builtins, sys\n"
        "real = builtins.__import__\n"
        "def interrupting(name, *more, **named):\n"
        f"    if name == {module!r} and 'aiex_ipy.frontends.cli' in sys.modules:\n"
        "        builtins.__import__ = real\n"
        "        raise KeyboardInterrupt\n"
        "    return real(name, *more, **named)\n"
        "builtins.__import__ = interrupting\n"
    )
    run = aiex(b"ai", b"ask", b"hello", path=str(tmp_path))
    assert (run.returncode, run.stderr.strip()) == (130, b"aiex: interrupted.")
