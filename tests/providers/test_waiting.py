"""How long a provider waits for a server that is slow but not dead."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.messages import Finish, Message, ModelRequest
from aiex_ipy.providers.openai import OpenAIProvider
from aiex_ipy.providers.openai_compatible import OpenAICompatibleProvider
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply


@pytest.mark.parametrize("kind", [OpenAICompatibleProvider, OpenAIProvider])
@pytest.mark.parametrize("stream", [True, False])
def test_a_slow_first_word_ends_by_its_own_deadline_alone(
    kind: type[OpenAICompatibleProvider], stream: bool
) -> None:
    """A deadline set above the usual silence between two words is kept, as a local model needs."""

    async def run(server: LoopbackServer) -> None:
        provider = kind(
            ProviderSettings(
                name="slow",
                kind=kind.kind,
                base_url=server.openai_url,
                api_key=Secret("k"),
                timeout_ms=30_000,
            ),
            Settings(llm=LLMSettings(idle_timeout_ms=100)),
        )
        request = ModelRequest(
            messages=(Message(role="user", content="Take your time."),), model="m", stream=stream
        )
        async with aclosing(provider.stream(request)) as chunks:
            said = [chunk async for chunk in chunks]
        await provider.aclose()
        assert isinstance(said[-1], Finish)

    with LoopbackServer(Reply(first_pause_s=0.4)) as server:
        asyncio.run(run(server))
