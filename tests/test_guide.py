"""The guide's integration tests, translated (guide, "Integration Testing")."""

import subprocess
import sys
from pathlib import Path

import pytest

import aiex

SAMPLE = str(Path(__file__).with_name("fixtures") / "sample.py")


@pytest.fixture(autouse=True)
def no_model(monkeypatch):
    """The analyzers alone answer."""
    from aiex_ipy.engine.engine import use_engine

    monkeypatch.setenv("AIEX_DEFAULT_PROVIDER", "none")
    before = use_engine(None)
    yield
    made = use_engine(before)
    if made is not None:
        made.close()


def test_ai_analysis_provides_quality_feedback():
    """Analyzing a file gives a score above zero and a list of suggestions."""
    result = aiex.analyze_file(SAMPLE)
    assert result.quality_score > 0
    assert isinstance(result.suggestions, list)
    assert any("B006" in suggestion.rule for suggestion in result.suggestions)


def test_the_configuration_can_be_looked_at():
    """`aiex.config("llm")` is the guide's look at the settings; an unknown section names the
    near miss."""
    assert aiex.config("llm")["default_provider"] == "none"
    assert aiex.config()["llm"]["timeout_ms"] == 30_000
    with pytest.raises(aiex.errors.UnknownNameError, match="llm"):
        aiex.config("lmm")


def test_a_secret_file_is_read_when_the_call_says_so(tmp_path):
    """`.env` is refused, and read with `allow_secret_file=True` in that call only."""
    secret = tmp_path / ".env"
    secret.write_text("TOKEN=1\n")
    for _ in range(2):
        with pytest.raises(aiex.AiexError) as caught:
            aiex.analyze(str(secret))
        assert caught.value.code == "denied"
        assert aiex.analyze(str(secret), allow_secret_file=True).quality_score is None


def test_helpers_can_be_loaded_by_hand():
    """`aiex.load_helpers(namespace)` puts the helpers into a namespace without any extension."""
    namespace = {}
    aiex.load_helpers(namespace)
    assert callable(namespace["ai"])


def test_importing_aiex_loads_nothing_else():
    """`import aiex` leaves every SDK, msgspec, asyncio and IPython unloaded."""
    heavy = (
        "('msgspec', 'asyncio', 'IPython', 'openai', 'anthropic', 'httpx2', 'pydantic', 'click')"
    )
    code = f"import sys, aiex; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
