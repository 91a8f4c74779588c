"""What a call costs over the vendors' SDKs: SPEC 14, "one non-streamed call" and the two below.

    python benchmarks/calls.py [--rounds 15] [--calls 100] [--streams 200]

A loopback server in a process of its own answers at once: one word, or 500 one-word deltas. In
one process and one run, the raw SDKs and ours take turns, round by round; what counts is this
process's CPU time (`time.process_time`), and for the 200 streams at once the wall time. Medians
stand beside minima. Ratios are of medians, ours over the vendor's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from rows import Row, keep, parser, ratio

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.messages import Message, ModelRequest, TextDelta
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.router import Router

TOKENS = 500
EXPECTED = "".join(f" word{number % 10}" for number in range(TOKENS))
QUESTION = "Explain this function."
PEERS = {"ours, anthropic": "anthropic SDK"}
GOALS = {"openai SDK": (1.1, 0.3, 0.4), "anthropic SDK": (1.1, 0.8, 0.4)}
"""One call, one streamed token, many streams at once."""


@contextlib.contextmanager
def server(tokens: int) -> Iterator[str]:
    child = subprocess.Popen(
        [sys.executable, "-m", "aiex_ipy.testing.loopback", "--tokens", str(tokens)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None and child.stdin is not None
    try:
        yield json.loads(child.stdout.readline())["url"]
    finally:
        child.stdin.close()
        child.wait()


class Ours:
    def __init__(self, kind: str, url: str) -> None:
        base = url if kind == "anthropic" else f"{url}/v1"
        instance = ProviderSettings(
            name=kind, kind=kind, base_url=base, api_key=Secret("sk-bench"), model="loopback-model"
        )
        self.router = Router(Settings(llm=LLMSettings(providers={kind: instance})))
        self.choice = Choice(provider=kind)

    async def call(self) -> str:
        return "".join([piece async for piece in self._texts(stream=False)])

    async def stream(self) -> str:
        return "".join([piece async for piece in self._texts(stream=True)])

    async def _texts(self, *, stream: bool) -> AsyncIterator[str]:
        def build(target: Target) -> ModelRequest:
            return ModelRequest(messages=(Message(role="user", content=QUESTION),), stream=stream)

        async with contextlib.aclosing(self.router.stream(build, self.choice)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, TextDelta):
                    yield chunk.text


class RawOpenAI:
    def __init__(self, url: str) -> None:
        import openai

        self.client = openai.AsyncOpenAI(api_key="sk-bench", base_url=f"{url}/v1", max_retries=0)
        self.asked: dict[str, Any] = {
            "model": "loopback-model",
            "messages": [{"role": "user", "content": QUESTION}],
            "max_tokens": 4000,
        }

    async def call(self) -> str:
        answer = await self.client.chat.completions.create(**self.asked)
        return answer.choices[0].message.content or ""

    async def stream(self) -> str:
        pieces = []
        async with await self.client.chat.completions.create(
            **self.asked, stream=True, stream_options={"include_usage": True}
        ) as events:
            async for event in events:
                if event.choices:
                    pieces.append(event.choices[0].delta.content or "")
        return "".join(pieces)


class RawAnthropic:
    def __init__(self, url: str) -> None:
        import anthropic

        self.client = anthropic.AsyncAnthropic(api_key="sk-bench", base_url=url, max_retries=0)
        self.asked: dict[str, Any] = {
            "model": "loopback-model",
            "messages": [{"role": "user", "content": QUESTION}],
            "max_tokens": 4000,
        }

    async def call(self) -> str:
        answer = await self.client.messages.create(**self.asked)
        return "".join(block.text for block in answer.content if block.type == "text")

    async def stream(self) -> str:
        pieces = []
        async with await self.client.messages.create(**self.asked, stream=True) as events:
            async for event in events:
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    pieces.append(event.delta.text)
        return "".join(pieces)


class RawHttp:
    """The transport alone: nothing but text is taken out of the events."""

    def __init__(self, url: str) -> None:
        import httpx2

        self.client = httpx2.AsyncClient(trust_env=False)
        self.url = f"{url}/v1/chat/completions"
        self.asked = {
            "model": "loopback-model",
            "messages": [{"role": "user", "content": QUESTION}],
        }

    async def call(self) -> str:
        answer = await self.client.post(self.url, json=self.asked)
        return str(answer.json()["choices"][0]["message"]["content"])

    async def stream(self) -> str:
        pieces = []
        async with self.client.stream(
            "POST", self.url, json={**self.asked, "stream": True}
        ) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    choices = json.loads(line[6:])["choices"]
                    if choices:
                        pieces.append(choices[0]["delta"].get("content") or "")
        return "".join(pieces)


async def repeated(call: Callable[[], Awaitable[str]], times: int) -> float:
    """Return CPU microseconds per call."""
    before = time.process_time()
    for _ in range(times):
        await call()
    return (time.process_time() - before) / times * 1e6


async def at_once(call: Callable[[], Awaitable[str]], times: int) -> float:
    """Return the wall seconds of so many streams at once; each must have lost nothing."""
    before = time.perf_counter()
    texts = await asyncio.gather(*(call() for _ in range(times)))
    took = time.perf_counter() - before
    assert all(text == EXPECTED for text in texts), "a delta was lost or out of order"
    return took


async def measure(rounds: int, calls: int, streams: int) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {}
    with server(1) as one_word, server(TOKENS) as many_words:

        def everyone(url: str) -> dict[str, Any]:
            return {
                "openai SDK": RawOpenAI(url),
                "ours, openai": Ours("openai", url),
                "ours, openai_compatible": Ours("openai_compatible", url),
                "anthropic SDK": RawAnthropic(url),
                "ours, anthropic": Ours("anthropic", url),
                "httpx2": RawHttp(url),
            }

        short, long = everyone(one_word), everyone(many_words)
        for name in short:  # connections, imports and caches are warm before anything counts
            await repeated(short[name].call, 5)
            assert await long[name].stream() == EXPECTED
        for _ in range(rounds):
            for name in short:
                row = found.setdefault(name, {"call": [], "token": [], "at once": []})
                row["call"].append(await repeated(short[name].call, calls))
                row["token"].append(await repeated(long[name].stream, 4) / TOKENS)
        for _ in range(3):
            for name in short:
                found[name]["at once"].append(await at_once(long[name].stream, streams))
    return found


def report(found: dict[str, dict[str, list[float]]], streams: int) -> Iterator[Row]:
    """Print what was measured; yield its ratios to what the goals name."""
    print(f"{'':26}{'CPU µs/call':>22}{'CPU µs/token':>22}{f'{streams} streams, s':>22}")
    for name, row in found.items():
        cells = [f"{statistics.median(row[what]):.4g} ({min(row[what]):.4g})" for what in row]
        print(f"{name:26}" + "".join(f"{cell:>22}" for cell in cells))
    said = {"call": "one call, CPU", "token": "a streamed token, CPU"}
    said["at once"] = f"{streams} streams at once"
    for name, row in found.items():
        if not name.startswith("ours"):
            continue
        peer = PEERS.get(name, "openai SDK")
        for what, goal in zip(row, GOALS[peer], strict=True):
            over = "openai SDK" if what == "at once" else peer  # the goal's own measure
            label = f"{said[what]}: {name.removeprefix('ours, ')}"
            yield ratio(label, over, row[what], found[over][what], goal)


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--calls", type=int, default=100)
    words.add_argument("--streams", type=int, default=200)
    asked = words.parse_args()
    found = asyncio.run(measure(asked.rounds, asked.calls, asked.streams))
    keep(report(found, asked.streams), asked.rows)


if __name__ == "__main__":
    main()
