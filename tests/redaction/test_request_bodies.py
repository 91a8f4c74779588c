"""No secret in what is sent: the engine, the providers' own clients, a server that keeps it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from aiex_ipy.config import load
from aiex_ipy.engine.engine import Engine
from aiex_ipy.operations.ask import AskRequest
from aiex_ipy.providers.scripted import ScriptedProvider
from aiex_ipy.routing.router import Router
from aiex_ipy.testing.loopback import LoopbackServer

KEY = "sk-proj-0123456789abcdefghijklmnop"
TOKEN = "ghp_Zz9Yy8Xx7Ww6Vv5Uu4Tt3Ss2Rr1"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a careless file, in an environment with a token."""
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    basic = base64.b64encode(f"user:{TOKEN}".encode()).decode()
    (tmp_path / "deploy.py").write_text(
        f"TOKEN = {TOKEN!r}\nHEADERS = {{'Authorization': 'Basic {basic}'}}\nKEY = {KEY!r}\n"
    )
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["openai", "anthropic", "ollama", "lm_studio"])
def test_no_key_is_in_any_body(kind: str, project: Path) -> None:
    """On every wire the key stands in the header of its vendor, and no secret in a body."""
    with LoopbackServer() as server:
        url = server.openai_url if kind in ("openai", "lm_studio") else server.url
        settings = load(
            project_dir=str(project),
            environ={"HOME": str(project), "OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY},
            overrides={
                f"llm.providers.{kind}.base_url": url,
                f"llm.providers.{kind}.model": "loopback-model",
            },
        )
        engine = Engine(settings)
        try:
            question = f"why does {TOKEN} not work?"
            engine.run_sync(AskRequest(query=question, context=("deploy.py",), provider=kind))
        finally:
            engine.close()
    (asked,) = server.asked
    if kind in ("openai", "anthropic"):
        assert KEY in json.dumps(asked.headers)
    for secret in (KEY, TOKEN, base64.b64encode(TOKEN.encode()).decode()[:-4]):
        assert secret.encode() not in asked.body
    assert asked.body.count(b"[redacted:GITHUB_TOKEN]") == 3
    assert b"_API_KEY]" in asked.body


@pytest.mark.parametrize("budget", range(400, 480, 5))
def test_a_cut_to_a_budget_leaves_no_half_of_a_secret(project: Path, budget: int) -> None:
    """Secrets are masked before a long text is cut, wherever the cut falls."""
    settings = load(project_dir=str(project), environ={"HOME": str(project)})
    instance = settings.llm.providers["scripted"]
    provider = ScriptedProvider(instance, settings, script=["ok"])
    provider.prompt_budget_tokens = budget
    engine = Engine(settings, models=Router(settings, providers={"scripted": provider}))
    try:
        engine.run_sync(AskRequest(query="why?", context=(TOKEN * 200,), provider="scripted"))
    finally:
        engine.close()
    (request,) = provider.requests
    sent = "".join(message.content for message in request.messages)
    assert TOKEN[:6] not in sent
    assert TOKEN[-6:] not in sent
