"""`aiex.debug_info()`: what a bug report needs, without secrets."""

from __future__ import annotations

import json
import os

import pytest

import aiex

KEY = "sk-test-abcdefghijklmnop"


def test_it_tells_versions_and_settings_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of the environment is told by its variable's name only, in JSON that can be sent."""
    from aiex_ipy.config import load
    from aiex_ipy.engine.engine import Engine, use_engine

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AIEX_DEFAULT_PROVIDER", "none")
    engine = Engine(load())
    before = use_engine(engine)
    try:
        info = aiex.debug_info()
    finally:
        use_engine(before)
        engine.close()
    text = json.dumps(info)
    assert KEY not in text
    assert "OPENAI_API_KEY" in info["environment"]
    assert info["aiex"] == aiex.__version__
    assert info["packages"]["ruff"] != "not installed"
    assert info["settings"]["llm"]["default_provider"] == "none"
    assert info["status"]["provider"] is None
    assert os.path.expanduser("~") + "/" not in text or os.path.expanduser("~") == "/"
