"""Asking one provider, as the tests of the network do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiex_ipy.config.settings import (
    LLMSettings,
    NetworkSettings,
    ProviderSettings,
    Secret,
    Settings,
)
from aiex_ipy.messages import Chunk, ModelRequest
from aiex_ipy.providers.anthropic import AnthropicProvider
from aiex_ipy.providers.lm_studio import LMStudioProvider
from aiex_ipy.providers.ollama import OllamaProvider
from aiex_ipy.providers.openai import OpenAIProvider
from aiex_ipy.providers.openai_compatible import OpenAICompatibleProvider
from aiex_ipy.providers.wire import WireProvider
from aiex_ipy.testing.conformance import question

KEY = "sk-secret-0123456789"
KINDS: dict[str, Callable[[ProviderSettings, Settings], WireProvider]] = {
    "openai": OpenAIProvider,
    "anthropic": AnthropicProvider,
    "ollama": OllamaProvider,
    "openai_compatible": OpenAICompatibleProvider,
    "lm_studio": LMStudioProvider,
}
WIRES = {"openai_compatible": "openai", "lm_studio": "openai"}


def provider(
    kind: str,
    url: str,
    *,
    network: NetworkSettings | None = None,
    timeout_ms: int | None = 10_000,
    model: str | None = "m",
    **llm: Any,
) -> WireProvider:
    """Return a provider of this kind; `url` ends before `/v1`."""
    if kind in ("openai", "openai_compatible"):
        url = f"{url}/v1"
    instance = ProviderSettings(
        name="mine",
        kind=kind,
        base_url=url,
        api_key=Secret(KEY),
        model=model,
        timeout_ms=timeout_ms,
    )
    return KINDS[kind](
        instance, Settings(llm=LLMSettings(**llm), network=network or NetworkSettings())
    )


async def chunks_of(asked: WireProvider, request: ModelRequest | None = None) -> list[Chunk]:
    """Return the chunks of one answer; the provider stays open."""
    return [chunk async for chunk in asked.stream(request or question())]


def chunks(asked: WireProvider, request: ModelRequest | None = None) -> list[Chunk]:
    """Return the chunks of one answer, on a loop of its own."""

    async def ask() -> list[Chunk]:
        try:
            return await chunks_of(asked, request)
        finally:
            await asked.aclose()

    return asyncio.run(ask())
