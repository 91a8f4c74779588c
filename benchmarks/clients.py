"""The clients `calls.py` measures in its own process: the raw SDKs, the transport, and ours."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from asking import MAX_TOKENS, MODEL, messages

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.messages import Message, ModelRequest, TextDelta
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.router import Router

KEY = "sk-bench"


class Ours:
    """A `Router` with one provider of `kind`; `limits` are fields of `ProviderSettings`."""

    def __init__(self, kind: str, url: str, **limits: int) -> None:
        base = url if kind in ("anthropic", "ollama") else f"{url}/v1"
        instance = ProviderSettings(
            name=kind, kind=kind, base_url=base, api_key=Secret(KEY), model=MODEL, **limits
        )
        self.router = Router(Settings(llm=LLMSettings(providers={kind: instance})))
        self.choice = Choice(provider=kind)

    async def call(self, question: str) -> str:
        return await self._text(question, stream=False)

    async def stream(self, question: str) -> str:
        return await self._text(question, stream=True)

    async def _text(self, question: str, *, stream: bool) -> str:
        def build(target: Target) -> ModelRequest:
            return ModelRequest(
                messages=(Message(role="user", content=question),),
                model=target.model,
                max_tokens=target.max_tokens,
                stream=stream,
            )

        pieces = []
        async with contextlib.aclosing(self.router.stream(build, self.choice)) as chunks:
            async for chunk in chunks:
                if type(chunk) is TextDelta:
                    pieces.append(chunk.text)
        return "".join(pieces)


class RawOpenAI:
    def __init__(self, url: str) -> None:
        import openai

        self.client = openai.AsyncOpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0)

    async def call(self, question: str) -> str:
        answer = await self.client.chat.completions.create(
            model=MODEL, messages=messages(question), max_tokens=MAX_TOKENS
        )
        return answer.choices[0].message.content or ""

    async def stream(self, question: str) -> str:
        pieces = []
        async with await self.client.chat.completions.create(
            model=MODEL,
            messages=messages(question),
            max_tokens=MAX_TOKENS,
            stream=True,
            stream_options={"include_usage": True},
        ) as events:
            async for event in events:
                if event.choices:
                    pieces.append(event.choices[0].delta.content or "")
        return "".join(pieces)


class RawAnthropic:
    def __init__(self, url: str) -> None:
        import anthropic

        self.client = anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0)

    async def call(self, question: str) -> str:
        answer = await self.client.messages.create(
            model=MODEL, messages=messages(question), max_tokens=MAX_TOKENS
        )
        return "".join(block.text for block in answer.content if block.type == "text")

    async def stream(self, question: str) -> str:
        pieces = []
        async with await self.client.messages.create(
            model=MODEL, messages=messages(question), max_tokens=MAX_TOKENS, stream=True
        ) as events:
            async for event in events:
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    pieces.append(event.delta.text)
        return "".join(pieces)


class RawHttp:
    """The transport alone: nothing but text is taken out of the events."""

    def __init__(self, url: str) -> None:
        import httpx2

        limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
        self.client = httpx2.AsyncClient(trust_env=False, limits=limits, timeout=600)
        self.url = f"{url}/v1/chat/completions"

    async def call(self, question: str) -> str:
        asked: dict[str, Any] = {"model": MODEL, "messages": messages(question)}
        answer = await self.client.post(self.url, json=asked)
        return str(answer.json()["choices"][0]["message"]["content"])

    async def stream(self, question: str) -> str:
        asked = {"model": MODEL, "messages": messages(question), "stream": True}
        pieces = []
        async with self.client.stream("POST", self.url, json=asked) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    choices = json.loads(line[6:])["choices"]
                    if choices:
                        pieces.append(choices[0]["delta"].get("content") or "")
        return "".join(pieces)


def everyone(url: str) -> dict[str, Any]:
    """All clients of one server, by name."""
    return {
        "openai SDK": RawOpenAI(url),
        "ours, openai": Ours("openai", url),
        "ours, openai_compatible": Ours("openai_compatible", url),
        "ours, ollama": Ours("ollama", url),
        "anthropic SDK": RawAnthropic(url),
        "ours, anthropic": Ours("anthropic", url),
        "httpx2": RawHttp(url),
    }
