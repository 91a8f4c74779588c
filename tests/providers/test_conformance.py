"""The conformance suite over each provider, against a server that says what it is told."""

from __future__ import annotations

import asyncio

import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.messages import Answer
from aiex_ipy.providers import Provider
from aiex_ipy.providers.anthropic import AnthropicProvider
from aiex_ipy.providers.fold import collect
from aiex_ipy.providers.lm_studio import LMStudioProvider
from aiex_ipy.providers.ollama import OllamaProvider
from aiex_ipy.providers.openai import OpenAIProvider
from aiex_ipy.providers.openai_compatible import OpenAICompatibleProvider
from aiex_ipy.providers.scripted import ScriptedProvider
from aiex_ipy.testing.conformance import CASES, check, question
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

KINDS = {
    provider.kind: provider
    for provider in (
        OpenAIProvider,
        AnthropicProvider,
        OllamaProvider,
        LMStudioProvider,
        OpenAICompatibleProvider,
    )
}
SETTINGS = Settings(llm=LLMSettings(timeout_ms=10_000))
KEY = "sk-secret-0123456789"


def made(kind: str, server: LoopbackServer) -> Provider:
    url = server.url if kind in ("anthropic", "ollama") else server.openai_url
    instance = ProviderSettings(
        name=f"my_{kind}", kind=kind, base_url=url, api_key=Secret(KEY), model="loopback-model"
    )
    return KINDS[kind](instance, SETTINGS)


class OverLoopback:
    exact = True

    def __init__(self, kind: str, server: LoopbackServer) -> None:
        self.provider = made(kind, server)
        self._server = server
        self._seen = 0

    def say(self, *replies: Reply) -> None:
        self._server.replies = list(replies)

    async def saw_disconnect(self) -> bool:
        for _ in range(500):
            if len(self._server.disconnects) > self._seen:
                self._seen = len(self._server.disconnects)
                return True
            await asyncio.sleep(0.01)
        return False


class Scripted:
    exact = True

    def __init__(self) -> None:
        self.say(Reply())
        self._seen = 0

    def say(self, *replies: Reply) -> None:
        script = [
            Answer(
                text="".join(reply.deltas()),
                provider="",
                model="",
                finish=reply.finish,
                refusal=reply.refusal,
                tool_calls=reply.tool_calls,
            )
            for reply in replies
        ]
        self._seen = 0
        self.provider = ScriptedProvider(
            ProviderSettings(name="scripted", kind="scripted"),
            SETTINGS,
            script=script,
            pause_s=max(replies[0].pause_s, replies[0].first_pause_s),
        )

    async def saw_disconnect(self) -> bool:
        return self.provider.cancelled == 1


@pytest.fixture(scope="module")
def server():
    with LoopbackServer() as server:
        yield server


# Ollama has no word for a refusal.
CASES_OF = [
    (kind, case) for kind in KINDS for case in CASES if (kind, case) != ("ollama", "refusal")
]


@pytest.mark.parametrize(("kind", "case"), CASES_OF)
def test_each_wire_conforms(kind, case, server):
    """Whichever vendor is asked, text, streams, JSON, tools, refusals and cuts mean the same."""

    async def run() -> None:
        subject = OverLoopback(kind, server)
        try:
            await check(case, subject)
        finally:
            await subject.provider.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("case", sorted(set(CASES) - {"cut", "text"}))
def test_scripted_conforms(case):
    """Answers from a list behave as those of a server do."""
    asyncio.run(check(case, Scripted()))


@pytest.mark.parametrize("kind", KINDS)
def test_connections_are_used_again(kind, server):
    """Ten answers in a row, streamed and not, need one connection."""

    async def run() -> None:
        provider = made(kind, server)
        try:
            for streamed in (True, False) * 5:
                await collect(provider.stream(question(stream=streamed)))
        finally:
            await provider.aclose()

    server.replies = [Reply()]
    before = server.connections
    asyncio.run(run())
    assert server.connections - before == 1


@pytest.mark.parametrize("kind", KINDS)
def test_no_task_or_connection_is_left(kind, server):
    """After `aclose` the loop has nothing to do and the server no client."""

    async def run() -> set[asyncio.Task[object]]:
        provider = made(kind, server)
        await asyncio.gather(*(collect(provider.stream(question())) for _ in range(20)))
        await provider.aclose()
        return asyncio.all_tasks() - {asyncio.current_task()}

    server.replies = [Reply(pause_s=0.01)]
    assert asyncio.run(run()) == set()
    assert server.wait_until(lambda: server.open_connections == 0)


def test_the_key_travels_in_its_header_only(server):
    """No key stands in a body, whoever is asked."""
    server.replies = [Reply()]
    before = len(server.requests)

    async def run() -> None:
        for kind in KINDS:
            provider = made(kind, server)
            await collect(provider.stream(question()))
            await provider.aclose()

    asyncio.run(run())
    sent = [each for each in server.requests[before:] if each.method == "POST"]
    assert len(sent) == len(KINDS)
    for received in sent:
        assert KEY.encode() not in received.body
        assert KEY in received.headers.get("authorization", "") + received.headers.get(
            "x-api-key", ""
        )
