"""Who can be asked now, what they offer, and how they are set up."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.errors import UnavailableError, UnknownNameError
from aiex_ipy.frontends.cli.llm import _health_line
from aiex_ipy.render.usage import of_state
from aiex_ipy.routing.health import (
    AT_ONCE,
    check_health,
    describe,
    list_models,
    provider_states,
)
from aiex_ipy.routing.router import Router
from aiex_ipy.routing.state import RoutingState
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


class Hanging:
    """A provider that lists its models late or never, and counts who is asked at once."""

    asked = most = ended = 0

    def __init__(self, name, models=None):
        self.name, self.kind, self.prompt_budget_tokens = name, "scripted", None
        self._models = models

    async def models(self):
        Hanging.asked += 1
        Hanging.most = max(Hanging.most, Hanging.asked - Hanging.ended)
        try:
            if self._models is None:
                await asyncio.Event().wait()
            return self._models
        finally:
            Hanging.ended += 1

    async def aclose(self):
        pass


@pytest.fixture
def hanging(monkeypatch):
    for name in ("asked", "most", "ended"):
        monkeypatch.setattr(Hanging, name, 0)
    return Hanging


def probe_all(providers, **bounds):
    async def inner():
        router = Router(settings(), providers={each.name: each for each in providers})
        names = [each.name for each in providers]
        return await check_health(router, names, **bounds)

    return asyncio.run(inner())


def test_thirty_providers_are_asked_a_few_at_once(hanging):
    """Among thirty of which some hang, those that answer are found, ten at once at most."""
    made = [hanging(f"p{n}", None if n % 3 == 0 else ()) for n in range(30)]
    found = probe_all(made, within_s=0.05, total_s=600.0)
    assert [each.name for each in found] == [each.name for each in made]
    assert [each.ok for each in found] == [n % 3 != 0 for n in range(30)]
    assert 1 < hanging.most <= AT_ONCE
    assert hanging.ended == hanging.asked == 30


def test_all_probes_together_are_bounded(hanging):
    """When every provider hangs, the total bound ends it: the rest is told as not asked."""
    found = probe_all([hanging(f"p{n}") for n in range(30)], within_s=600.0, total_s=0.05)
    assert {each.code for each in found} == {"timeout"}
    late = [each for each in found if "was not asked" in each.error]
    assert len(late) == 20
    assert late[-1].hint == "Name it alone: `aiex llm health p29`."
    assert hanging.asked == AT_ONCE


def test_a_probe_tells_how_a_provider_stands(server):
    """An open circuit is told with its seconds, though the server answers again by now."""
    instance = ProviderSettings(name="ollama", kind="ollama", base_url=server.url)

    async def inner():
        router = Router(settings(instance), state=RoutingState(clock=lambda: 0.0))
        stands = router.state.standing(instance)
        breaker = stands.breaker("m", router.settings.llm.circuit_breaker)
        for _ in range(5):
            breaker.failed(breaker.enter())
        stands.failed = 5
        stands.last_error = UnavailableError("It said 529.", code="overloaded")
        (found,) = await check_health(router, ["ollama"])
        states = provider_states(router)
        await router.aclose()
        return found, states

    found, states = asyncio.run(inner())
    assert found.ok
    assert states == [found.state]
    assert (found.state.circuit, found.state.left_alone_s) == ("open", 60.0)
    assert (found.state.failed, found.state.last_error) == (5, "overloaded")
    assert of_state(found.state) == "circuit open for 60 s after overloaded"


def test_a_probe_tells_whether_the_price_is_known(server):
    """Free and own prices are known, a gateway's is not, and where the server chooses the model
    nothing is said."""
    made = settings(
        ProviderSettings(
            name="openai", kind="openai", base_url=server.openai_url, api_key=Secret("k")
        ),
        ProviderSettings(name="ollama", kind="ollama", base_url=server.url, model="a"),
        ProviderSettings(
            name="openai_own",
            kind="openai",
            base_url=server.openai_url,
            api_key=Secret("k"),
            input_usd_per_mtok=1.0,
            output_usd_per_mtok=2.0,
        ),
        ProviderSettings(name="lm_studio", kind="lm_studio", base_url="http://127.0.0.1:9/v1"),
    )
    names = ["openai", "ollama", "openai_own", "lm_studio"]
    found = run(made, lambda router: check_health(router, names))
    assert [each.priced for each in found] == [False, True, True, None]
    assert [each.model for each in found] == ["gpt-6.1-sol", "a", "gpt-6.1-sol", None]


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


@pytest.mark.parametrize(("model", "listed"), [("a", True), ("nonesuch", False), (None, None)])
@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_a_model_that_the_server_does_not_list_is_told(server, kind, model, listed):
    """A server that answers may still lack the model that would be asked."""
    url = server.url if kind == "ollama" else server.openai_url
    made = settings(
        ProviderSettings(name="mine", kind=kind, base_url=url, api_key=Secret("k"), model=model)
    )
    (found,) = run(made, lambda router: check_health(router, ["mine"]))
    assert (found.ok, found.listed) == (True, listed)
    assert ("does not list its model 'nonesuch'" in _health_line(found)) is (listed is False)
