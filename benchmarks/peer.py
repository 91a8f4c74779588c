"""One client of another project, in an environment of its own: run by `peers.py`, not by hand.

    python benchmarks/peer.py NAME PACKAGE SHORT_URL LONG_URL

Reads commands from standard input as JSON lines, `{"do": "calls", "times": 100}`, and answers each
with what it measured of itself. Nothing of aiex is here.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import sys
from collections.abc import Callable
from typing import Any

from asking import MAX_TOKENS, MODEL, Asker, Client, messages

KEY = "sk-bench"


class LiteLLM:
    """`litellm.acompletion`, or the same by its router."""

    def __init__(self, url: str, *, router: bool) -> None:
        import litellm

        litellm.telemetry = False
        self.asked = {"model": f"openai/{MODEL}", "api_base": f"{url}/v1", "api_key": KEY}
        self.complete: Any = litellm.acompletion
        self.named: dict[str, Any] = self.asked
        if router:
            entry = {"model_name": MODEL, "litellm_params": self.asked}
            self.complete = litellm.Router(model_list=[entry], num_retries=0).acompletion
            self.named = {"model": MODEL}

    async def call(self, question: str) -> str:
        answer = await self.complete(
            **self.named, messages=messages(question), max_tokens=MAX_TOKENS
        )
        return str(answer.choices[0].message.content)

    async def stream(self, question: str) -> str:
        answer = await self.complete(
            **self.named, messages=messages(question), max_tokens=MAX_TOKENS, stream=True
        )
        return "".join([event.choices[0].delta.content or "" async for event in answer])


class AnyLLM:
    def __init__(self, url: str, *, kind: str) -> None:
        from any_llm import AnyLLM as Made

        base = url if kind == "anthropic" else f"{url}/v1"
        self.client = Made.create(kind, api_key=KEY, api_base=base, max_retries=0)

    async def call(self, question: str) -> str:
        answer: Any = await self.client.acompletion(
            MODEL, messages(question), max_tokens=MAX_TOKENS
        )
        return str(answer.choices[0].message.content)

    async def stream(self, question: str) -> str:
        answer: Any = await self.client.acompletion(
            MODEL, messages(question), max_tokens=MAX_TOKENS, stream=True
        )
        pieces = []
        async for event in answer:
            if event.choices:
                pieces.append(event.choices[0].delta.content or "")
        return "".join(pieces)


def pydantic_model(url: str, kind: str) -> Any:
    if kind == "anthropic":
        import anthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        theirs = anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0)
        return AnthropicModel(MODEL, provider=AnthropicProvider(anthropic_client=theirs))
    import openai
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    client = openai.AsyncOpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0)
    return OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=client))


class PydanticDirect:
    """`pydantic_ai.direct`, its thinnest way."""

    def __init__(self, url: str, *, kind: str) -> None:
        self.model = pydantic_model(url, kind)
        self.settings: Any = {"max_tokens": MAX_TOKENS}

    async def call(self, question: str) -> str:
        from pydantic_ai.direct import model_request
        from pydantic_ai.messages import ModelRequest, TextPart

        asked = [ModelRequest.user_text_prompt(question)]
        answer = await model_request(self.model, asked, model_settings=self.settings)
        return "".join(part.content for part in answer.parts if isinstance(part, TextPart))

    async def stream(self, question: str) -> str:
        from pydantic_ai.direct import model_request_stream
        from pydantic_ai.messages import ModelRequest, PartDeltaEvent, PartStartEvent, TextPart

        asked = [ModelRequest.user_text_prompt(question)]
        pieces: list[str] = []
        async with model_request_stream(self.model, asked, model_settings=self.settings) as events:
            async for event in events:
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    pieces.append(event.part.content)
                elif isinstance(event, PartDeltaEvent):
                    pieces.append(getattr(event.delta, "content_delta", "") or "")
        return "".join(pieces)


class PydanticAgent:
    """An `Agent`, its usual way."""

    def __init__(self, url: str) -> None:
        from pydantic_ai import Agent

        self.agent = Agent(pydantic_model(url, "openai"), model_settings={"max_tokens": MAX_TOKENS})

    async def call(self, question: str) -> str:
        return str((await self.agent.run(question)).output)

    async def stream(self, question: str) -> str:
        async with self.agent.run_stream(question) as answer:
            pieces = [piece async for piece in answer.stream_text(delta=True, debounce_by=None)]
        return "".join(pieces)


CLIENTS: dict[str, Callable[[str], Client]] = {
    "litellm": lambda url: LiteLLM(url, router=False),
    "litellm Router": lambda url: LiteLLM(url, router=True),
    "any-llm, openai": lambda url: AnyLLM(url, kind="openai"),
    "any-llm, anthropic": lambda url: AnyLLM(url, kind="anthropic"),
    "pydantic-ai, openai": lambda url: PydanticDirect(url, kind="openai"),
    "pydantic-ai, anthropic": lambda url: PydanticDirect(url, kind="anthropic"),
    "pydantic-ai Agent": lambda url: PydanticAgent(url),
}


async def serve(asker: Asker) -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        result = await getattr(asker, command.pop("do"))(**command)
        print(json.dumps({"result": result, "asked": asker.asked}), file=OUT, flush=True)


def main() -> None:
    name, package, short, long = sys.argv[1:]
    make = CLIENTS[name]
    asker = Asker(name, make(short), make(long))
    print(json.dumps({"version": importlib.metadata.version(package)}), file=OUT, flush=True)
    asyncio.run(serve(asker))


OUT, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer

if __name__ == "__main__":
    main()
