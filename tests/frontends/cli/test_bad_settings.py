"""What is wrong with a provider ends a command with exit 2 and one line, and nobody is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aiex_ipy.testing.loopback import LoopbackServer

AIEX = str(Path(sys.executable).with_name("aiex"))
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    """The server that must not be asked."""
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def aiex(tmp_path: Path, server: LoopbackServer) -> Run:
    """Runs `aiex` with the settings given as `toml`, and a provider that would answer."""
    strange = ("AIEX_", "OPENAI", "ANTHROPIC", "XDG_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(strange)}
    env |= {"HOME": str(tmp_path), "AIEX_DEFAULT_PROVIDER": "openai", "OPENAI_API_KEY": "sk-012345"}
    env["OPENAI_BASE_URL"] = server.openai_url
    (tmp_path / ".config" / "aiex").mkdir(parents=True)

    def run(*words: str, toml: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path / ".config" / "aiex" / "config.toml"
        file.write_text(toml)
        file.chmod(0o600)
        return subprocess.run(
            [AIEX, *words],
            env={**env, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )

    return run


def refused(run: subprocess.CompletedProcess[str]) -> str:
    """The one line of a command that ended with exit 2."""
    assert (run.returncode, run.stdout) == (2, ""), run.stderr
    (line,) = run.stderr.splitlines()
    return line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("toml", "told"),
    [
        (
            "[llm.providers.lm-studio]\nmodel = 'x'\n[llm.providers.LM_Studio]\nmodel = 'y'\n",
            "is set twice, as 'lm-studio' and as 'LM_Studio'",
        ),
        ("[llm.providers.openai]\npriority = 'high'\n", "is 'high', but must be a whole number"),
        ('[llm.providers.openai]\nmodel = "a\\u0007"\n', "must be a name without control char"),
    ],
)
def test_a_wrong_file_ends_the_command(
    aiex: Run, server: LoopbackServer, toml: str, told: str
) -> None:
    """Whichever provider was to be asked."""
    assert told in refused(aiex("ai", "ask", "hi", toml=toml))
    assert server.asked == []


@pytest.mark.slow
def test_a_wrong_provider_that_is_not_asked_is_a_note(aiex: Run) -> None:
    """The answer of a healthy one comes, and one line tells what is wrong with the other; the
    commands that show settings and providers work, and tell it."""
    toml = "[llm.providers.ollama]\nbase_url = 'http:///v1'\n"
    with LoopbackServer() as server:
        run = aiex("ai", "ask", "hi", toml=toml, OPENAI_BASE_URL=server.openai_url)
    assert (run.returncode, "Hello from" in run.stdout) == (0, True)
    (line,) = run.stderr.splitlines()
    assert line.startswith("aiex: note: provider 'ollama' cannot be asked. ")
    for words in (("status",), ("llm", "providers"), ("config", "show"), ("llm", "health")):
        run = aiex(*words, toml=toml)
        assert "must be an address with a host" in run.stdout + run.stderr
        assert run.returncode in (0, 3)


@pytest.mark.slow
def test_a_wrong_key_is_named_by_its_variable(aiex: Run, server: LoopbackServer) -> None:
    """And is not shown."""
    line = refused(aiex("ai", "ask", "hi", OPENAI_API_KEY="sk-secret\nx"))
    assert "'OPENAI_API_KEY' must be printable ASCII" in line
    assert "secret" not in line
    assert server.asked == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("gpt\x07", "The model is 'gpt\\x07', but must be a name without control characters."),
        ("", "The model is '', but must be a name that is not empty."),
        ("x" * 2000, "…, but must be a name of at most 1000 characters."),
    ],
)
def test_a_model_that_none_can_be_is_refused_before_any_request(
    aiex: Run, server: LoopbackServer, model: str, told: str
) -> None:
    """Also the empty one of `--model "$UNSET"`, which must not become another model."""
    assert told in refused(aiex("ai", "ask", "hi", "--model", model))
    assert server.asked == []


@pytest.mark.slow
def test_a_provider_that_is_gone_is_told_with_a_near_miss(
    aiex: Run, server: LoopbackServer
) -> None:
    """Its table was removed, a script still names it."""
    toml = "[llm.providers.openai_fast]\nmodel = 'x'\n"
    assert "'openai_fast'" in refused(
        aiex("ai", "ask", "hi", "--provider", "openai_fats", toml=toml)
    )
    assert "The provider is ' ', but must be a name." in refused(
        aiex("ai", "ask", "hi", "--provider", " ")
    )
    assert "No provider 'openai_fast'." in refused(
        aiex("ai", "ask", "hi", "--provider", "openai_fast")
    )
    assert server.asked == []
