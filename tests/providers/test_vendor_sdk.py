"""Later requests repeat what the vendor's SDK signed, and fail as its own would."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.errors import CredentialsError, RateLimitError, UnavailableError
from aiex_ipy.providers.anthropic import AnthropicProvider
from aiex_ipy.providers.fold import collect
from aiex_ipy.providers.openai import OpenAIProvider
from aiex_ipy.testing.conformance import question
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply

PORT = re.compile(r":\d+")
KINDS: dict[str, type[OpenAIProvider | AnthropicProvider]] = {
    "openai": OpenAIProvider,
    "anthropic": AnthropicProvider,
}


def asked(kind: str, *replies: Reply | Raw, stop_before: int = -1) -> tuple[list[Any], list[Any]]:
    """Ask once a reply over one provider; return the outcomes and what the server received."""
    outcomes: list[Any] = []

    async def run(server: LoopbackServer) -> None:
        base = server.openai_url if kind == "openai" else server.url
        instance = ProviderSettings(
            name=kind, kind=kind, base_url=base, api_key=Secret("sk-one"), model="m"
        )
        provider = KINDS[kind](instance, Settings(llm=LLMSettings(timeout_ms=5000)))
        try:
            for number in range(len(replies)):
                if number == stop_before:
                    server.stop()
                try:
                    outcomes.append(await collect(provider.stream(question())))
                except Exception as error:
                    outcomes.append(error)
        finally:
            await provider.aclose()

    server = LoopbackServer(*replies).start()
    try:
        asyncio.run(run(server))
    finally:
        if stop_before < 0:
            server.stop()
    return outcomes, server.asked


@pytest.mark.parametrize("kind", KINDS)
def test_later_requests_are_like_the_first(kind: str) -> None:
    """The second request, which does not pass through the SDK, has the same headers and body."""
    outcomes, (first, second, third) = asked(kind, Reply(), Reply(), Reply())
    assert [answer.text for answer in outcomes] == ["Hello from the loopback server."] * 3
    assert second.headers == first.headers == third.headers
    assert second.json == first.json


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "error"),
    [(401, CredentialsError), (429, RateLimitError), (500, UnavailableError)],
)
def test_a_later_request_fails_as_the_first(kind: str, status: int, error: type) -> None:
    """A refusal means the same whether it meets the first request or the second."""
    refusal = Raw(
        status=status,
        headers={"content-type": "application/json"},
        blocks=(b'{"error": {"message": "no", "type": "x"}}',),
    )
    (first,), _ = asked(kind, refusal)
    (answer, second), _ = asked(kind, Reply(), refusal)
    assert answer.text
    assert type(first) is type(second) is error
    assert PORT.sub("", str(first)) == PORT.sub("", str(second))


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_has_gone_is_told(kind: str) -> None:
    """A later request that finds nobody is an UnavailableError like a first one."""
    outcomes, _ = asked(kind, Reply(), Reply(), stop_before=1)
    assert outcomes[0].text
    assert type(outcomes[1]) is UnavailableError


@pytest.mark.parametrize("kind", KINDS)
def test_a_provider_closed_while_it_is_asked_tells_what_the_server_said(kind: str) -> None:
    """Settings may change while an answer is awaited: its fault stays the server's own."""

    async def run() -> None:
        provider = KINDS[kind](
            ProviderSettings(
                name=kind,
                kind=kind,
                base_url=server.openai_url if kind == "openai" else server.url,
                api_key=Secret("sk-one"),
                model="m",
            ),
            Settings(),
        )
        await collect(provider.stream(question()))
        server.reply = lambda _: Raw(
            status=503, blocks=(b'{"error": {"message": "down"}}',), pause_s=0.05
        )
        asking = asyncio.create_task(collect(provider.stream(question())))
        assert await asyncio.to_thread(server.wait_until, lambda: len(server.asked) == 2)
        provider._sdk = None  # what `aclose` does before it waits for anything
        provider._signed.clear()
        with pytest.raises(UnavailableError, match="status 503"):
            await asking
        await provider.aclose()

    with LoopbackServer() as server:
        asyncio.run(run())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_import_of_the_sdk_is_no_time_of_the_servers(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that takes longer than the first word and the whole may take fails no question."""
    name = f"slow_{kind}"
    (tmp_path / f"{name}.py").write_text(
        f"import time\ntime.sleep(2.5)\nfrom {kind} import *\nfrom {kind} import AsyncStream\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(KINDS[kind], "sdk_module", name)

    async def ask(server: LoopbackServer) -> str:
        base = server.openai_url if kind == "openai" else server.url
        instance = ProviderSettings(
            name=kind, kind=kind, base_url=base, api_key=Secret("sk-one"), model="m"
        )
        llm = LLMSettings(timeout_ms=2000, total_timeout_ms=2000)
        provider = KINDS[kind](instance, Settings(llm=llm))
        try:
            return (await collect(provider.stream(question()))).text
        finally:
            await provider.aclose()

    with LoopbackServer() as server:
        assert asyncio.run(ask(server)) == "Hello from the loopback server."
        assert len(server.requests) == 1
