"""The embedded model's server, killed at every moment of an answer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest

from aiex_ipy.config.settings import EmbeddedSettings, LLMSettings, ProviderSettings, Settings
from aiex_ipy.errors import InterruptedAnswerError, UnavailableError
from aiex_ipy.messages import Chunk, Message, ModelRequest, Opened, TextDelta
from aiex_ipy.providers.chat_completions import ChatDecoder
from aiex_ipy.providers.embedded import EmbeddedProvider

pytestmark = pytest.mark.slow

SETTINGS = Settings(llm=LLMSettings(embedded=EmbeddedSettings(threads=1, context_tokens=512)))


def question(text: str = "Say hello.", *, max_tokens: int = 8, **more: object) -> ModelRequest:
    """A short question whose answer is the same each time."""
    messages = (Message(role="user", content=text),)
    return ModelRequest(messages=messages, max_tokens=max_tokens, temperature=0.0, **more)  # type: ignore[arg-type]


def use(work: Callable[[EmbeddedProvider], Awaitable[object]]) -> None:
    """Run `work` with a provider on a loop, as the engine does."""

    async def run() -> None:
        provider = EmbeddedProvider(ProviderSettings(name="embedded", kind="embedded"), SETTINGS)
        try:
            await work(provider)
        finally:
            await provider.aclose()

    asyncio.run(run())


async def answer(provider: EmbeddedProvider, request: ModelRequest) -> list[Chunk]:
    async with aclosing(provider.stream(request)) as chunks:
        return [chunk async for chunk in chunks]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta))


async def pid_of(provider: EmbeddedProvider) -> int:
    return (await provider._server(None).connected()).ready.pid


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_a_server_killed_by_every_question_ends_in_a_named_error(
    at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers are started for it and no third; the next question is answered."""

    async def work(provider: EmbeddedProvider) -> None:
        server, killed = provider._server(None), []
        real = server.endpoint

        async def endpoint() -> tuple[str, str]:
            found = await real()
            killed.append(await pid_of(provider))
            kill(killed[-1])
            return found

        with monkeypatch.context() as patch:
            patch.setattr(server, "endpoint", endpoint)
            with pytest.raises(UnavailableError) as caught:
                await answer(provider, question())
        assert caught.value.code in ("connect", "cut")
        assert caught.value.hint == "Ask again: the server is started anew."
        assert len(set(killed)) == 2
        assert text_of(await answer(provider, question()))
        assert await pid_of(provider) not in killed

    use(work)


def test_a_question_that_notices_late_goes_to_the_server_that_another_has_started(
    at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two lose their server: the second must not take the new one for the one that it lost."""

    async def work(provider: EmbeddedProvider) -> None:
        server = provider._server(None)
        real, killed = server.endpoint, await pid_of(provider)
        both_here, first_answered, asked = asyncio.Event(), asyncio.Event(), 0

        async def endpoint() -> tuple[str, str]:
            nonlocal asked
            asked += 1
            found, number = await real(), asked
            if number == 1:
                await both_here.wait()
                kill(killed)
            elif number == 2:
                both_here.set()
                await first_answered.wait()
            return found

        monkeypatch.setattr(server, "endpoint", endpoint)
        first = asyncio.create_task(answer(provider, question()))
        second = asyncio.create_task(answer(provider, question()))
        said = text_of(await first)
        started = await pid_of(provider)
        first_answered.set()
        assert text_of(await second) == said != ""
        assert await pid_of(provider) == started != killed
        assert asked == 4

    use(work)


@pytest.mark.parametrize("form", ["streamed", "in one piece", "held back"])
def test_a_server_killed_before_anything_is_shown_is_asked_again(
    at_home: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """The answer is whole and opened once, though a part of the first one had come already."""
    schema = {
        "type": "object",
        "properties": {"verdict": {"enum": ["good", "bad"]}, "reason": {"type": "string"}},
        "required": ["verdict", "reason"],
        "additionalProperties": False,
    }
    more: dict[str, object] = {
        "streamed": {},
        "in one piece": {"stream": False},
        "held back": {"response_schema": schema, "max_tokens": 200},
    }[form]

    async def work(provider: EmbeddedProvider) -> None:
        asked = question("Is this code good?", **({"max_tokens": 24} | more))
        expected = await answer(provider, asked)
        server = provider._server(None)
        killed = await pid_of(provider)
        made, fed = server.decoder, 0

        def decoder() -> ChatDecoder:
            new = made()
            feed = new.feed

            def killing(data: bytes) -> list[Chunk]:
                nonlocal fed
                fed += 1
                chunks = feed(data)
                if fed == 1:
                    kill(killed)
                    # Else the first word would be visible, and what comes then another test's.
                    return chunks if form == "held back" else []
                return chunks

            new.feed = killing  # type: ignore[method-assign]
            return new

        monkeypatch.setattr(server, "decoder", decoder)
        if form == "in one piece":

            async def kill_soon() -> None:
                await asyncio.sleep(0.05)
                kill(killed)

            chunks, _ = await asyncio.gather(answer(provider, asked), kill_soon())
        else:
            chunks = await answer(provider, asked)
        assert text_of(chunks) == text_of(expected)
        assert sum(isinstance(chunk, Opened) for chunk in chunks) == 1
        assert await pid_of(provider) != killed

    use(work)


# A kernel of its own: says each word it gets, then whether it was cut, then asks once more.
OTHER = """
import asyncio, json, sys
from contextlib import aclosing
import msgspec
from aiex_ipy.config.settings import EmbeddedSettings, LLMSettings, ProviderSettings, Settings
from aiex_ipy.errors import AiexError
from aiex_ipy.messages import ModelRequest, TextDelta
from aiex_ipy.providers.embedded import EmbeddedProvider

def say(**said):
    print(json.dumps(said), flush=True)

async def ask(provider, request):
    said = ""
    async with aclosing(provider.stream(request)) as chunks:
        async for chunk in chunks:
            if isinstance(chunk, TextDelta):
                if not said:
                    say(begun=(await provider._server(None).connected()).ready.pid)
                said += chunk.text
    return said

async def main():
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    provider = EmbeddedProvider(ProviderSettings(name="embedded", kind="embedded"), settings)
    for request in msgspec.json.decode(sys.argv[2], type=list[ModelRequest]):
        try:
            say(answer=await ask(provider, request))
        except AiexError as error:
            say(error=error.code, partial=error.partial, reason=error.reason)
    sys.stdin.read()
    await provider.aclose()

asyncio.run(main())
"""


def test_two_processes_lose_their_server_in_mid_answer_and_share_the_next(at_home: Path) -> None:
    """Both keep the text they had, under a named error, and both go on with one new server."""

    async def work(provider: EmbeddedProvider) -> None:
        endless = question("Tell a long story.", max_tokens=400, stop=("\0",))
        other = subprocess.Popen(
            [
                *(sys.executable, "-c", OTHER, msgspec.json.encode(SETTINGS)),
                msgspec.json.encode([endless, question()]),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert other.stdout is not None

        async def next_line() -> dict[str, object]:
            assert other.stdout is not None
            line = await asyncio.to_thread(other.stdout.readline)
            return json.loads(line)  # type: ignore[no-any-return]

        said = ""
        try:
            with pytest.raises(InterruptedAnswerError) as caught:
                async with aclosing(provider.stream(endless)) as chunks:
                    async for chunk in chunks:
                        if isinstance(chunk, TextDelta):
                            said += chunk.text
                            if said == chunk.text:
                                killed = await pid_of(provider)
                                assert (await next_line())["begun"] == killed
                                kill(killed)
            assert caught.value.partial == said != ""
            cut = await next_line()
            assert (cut["error"], cut["reason"]) == ("interrupted", caught.value.reason)
            assert cut["partial"]
            assert text_of(await answer(provider, question()))
            assert (await next_line())["begun"] == await pid_of(provider) != killed
            assert (await next_line())["answer"]
        finally:
            other.communicate(input="")

    use(work)
