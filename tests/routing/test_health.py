"""Who can be asked now, what they offer, and how they are set up."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.errors import UnknownNameError
from aiex_ipy.routing.health import check_health, describe, list_models
from aiex_ipy.routing.router import Router
from aiex_ipy.testing.loopback import Listed, LoopbackServer


@pytest.fixture
def server():
    with LoopbackServer(models=(Listed(name="a"), Listed(name="b"))) as server:
        yield server


def settings(*instances: ProviderSettings) -> Settings:
    return Settings(llm=LLMSettings(providers={each.name: each for each in instances}))


def run(made: Settings, work: Any) -> Any:
    async def inner() -> Any:
        router = Router(made)
        try:
            return await work(router)
        finally:
            await router.aclose()

    return asyncio.run(inner())


def test_each_provider_is_probed(server):
    """Who answers has a latency and models; who does not, an error and a remedy."""
    made = settings(
        ProviderSettings(
            name="openai", kind="openai", base_url=server.openai_url, api_key=Secret("k")
        ),
        ProviderSettings(
            name="anthropic", kind="anthropic", base_url=server.url, api_key=Secret("k")
        ),
        ProviderSettings(name="ollama", kind="ollama", base_url=server.url),
        ProviderSettings(name="lm_studio", kind="lm_studio", base_url="http://127.0.0.1:9"),
        ProviderSettings(name="openai_keyless", kind="openai"),
    )
    found = {each.name: each for each in run(made, lambda router: check_health(router))}
    for name in ("openai", "anthropic", "ollama"):
        assert found[name].ok
        assert found[name].models == 2
        assert found[name].latency_ms is not None
        assert found[name].error == ""
    assert not found["lm_studio"].ok
    assert "connection refused" in found["lm_studio"].error
    assert "lms server start" in found["lm_studio"].hint
    assert found["openai_keyless"].code == "no_key"
    assert "scripted" not in found
    assert server.asked == []


def test_a_probe_is_bounded():
    """A server that accepts and says nothing is given up on."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        made = settings(ProviderSettings(name="mine", kind="openai_compatible", base_url=url))
        (found,) = run(made, lambda router: check_health(router, ["mine"], within_s=0.1))
    assert not found.ok
    assert found.code == "timeout"
    assert "within 0.1 s" in found.error


def test_an_unknown_name_gets_a_near_miss():
    """A misspelt provider is an error, not one that is down."""
    with pytest.raises(UnknownNameError, match="Did you mean 'ollama'"):
        run(settings(), lambda router: check_health(router, ["olama"]))


def test_models_are_listed(server):
    """What each offers, by its own listing; who cannot be asked says why."""
    made = settings(
        ProviderSettings(name="ollama", kind="ollama", base_url=server.url),
        ProviderSettings(name="lm_studio", kind="lm_studio", base_url="http://127.0.0.1:9/v1"),
    )
    found = run(made, lambda router: list_models(router, ["ollama", "lm-studio"]))
    assert [model.name for model in found[0].models] == ["a", "b"]
    assert found[1].models == ()
    assert "Failed to connect to LM Studio" in found[1].error


def test_a_description_asks_nobody_and_shows_no_key(server):
    """How they are set up: kind, address, model, whether a key is set, whose code it is."""
    made = settings(
        ProviderSettings(
            name="openai_turbo",
            kind="openai",
            base_url=server.openai_url,
            api_key=Secret("sk-secret"),
            model="gpt-6-luna",
            priority=2,
        )
    )
    found = {each.name: each for each in describe(Router(made))}
    mine = found["openai_turbo"]
    assert (mine.kind, mine.model, mine.priority) == ("openai", "gpt-6-luna", 2)
    assert (mine.key, mine.package) == (True, "aiex")
    assert found["anthropic"].key is False
    assert found["ollama"].key is None
    assert "sk-secret" not in repr(found)
    assert server.requests == []
