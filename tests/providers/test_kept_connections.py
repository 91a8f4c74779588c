"""Connections that are kept for the next question, and servers that close them under it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import pytest

from aiex_ipy.config.settings import ProviderSettings, Settings
from aiex_ipy.errors import UnavailableError
from aiex_ipy.messages import Message, ModelRequest, TextDelta
from aiex_ipy.providers.anthropic import AnthropicProvider
from aiex_ipy.providers.lm_studio import LMStudioProvider
from aiex_ipy.providers.ollama import OllamaProvider
from aiex_ipy.providers.openai import OpenAIProvider
from aiex_ipy.providers.wire import WireProvider
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply, whole_body

ASKED = ModelRequest(
    messages=(Message(role="user", content="Say hello."),), model="m", max_tokens=8, stream=False
)
KINDS = pytest.mark.parametrize(
    ("kind", "wire"),
    [
        (OllamaProvider, "ollama"),
        (LMStudioProvider, "openai"),
        (OpenAIProvider, "openai"),
        (AnthropicProvider, "anthropic"),
    ],
)


class Impatient:
    """A server that hangs up on every question but the first of a connection, or on every one."""

    def __init__(self, wire: str, *, always: bool = False) -> None:
        self.connections = self.questions = 0
        self.together = asyncio.Barrier(1)
        self.under_way: set[asyncio.Task[None]] = set()
        self._always = always
        self._body = whole_body(wire, Reply(text="Hello."), "m")  # type: ignore[arg-type]

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.under_way.add(task)
        try:
            await self._question(reader)
            if not self._always:
                await self.together.wait()
                head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                writer.write(f"{head}{len(self._body)}\r\n\r\n".encode() + self._body)
                await writer.drain()
                await self._question(reader)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.transport.abort()

    async def _question(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        self.questions += 1


@asynccontextmanager
async def asking(kind: type[WireProvider], server: Impatient) -> AsyncGenerator[WireProvider, None]:
    listening = await asyncio.start_server(server.connected, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    provider = kind(ProviderSettings(name="local", kind=kind.kind, base_url=address), Settings())
    try:
        yield provider
    finally:
        await provider.aclose()
        listening.close()
        await asyncio.wait(server.under_way)


async def answer(provider: WireProvider) -> str:
    async with aclosing(provider.stream(ASKED)) as chunks:
        return "".join([chunk.text async for chunk in chunks if isinstance(chunk, TextDelta)])


@KINDS
@pytest.mark.parametrize("kept", [1, 3])
def test_kept_connections_that_are_closed_under_a_question_do_not_cost_the_answer(
    kind: type[WireProvider], wire: str, kept: int
) -> None:
    """It is asked again at once, over a new connection, however many had been kept."""

    async def work() -> None:
        server = Impatient(wire)
        server.together = asyncio.Barrier(kept)
        async with asking(kind, server) as provider:
            assert (
                await asyncio.gather(*(answer(provider) for _ in range(kept))) == ["Hello."] * kept
            )
            server.together = asyncio.Barrier(1)
            assert await answer(provider) == "Hello."
        assert server.connections == kept + 1
        assert server.questions == kept + 2

    asyncio.run(work())


@KINDS
def test_a_server_that_hangs_up_on_a_new_connection_is_not_asked_twice_in_silence(
    kind: type[WireProvider], wire: str
) -> None:
    """It had the question and may bill it: whether to come again is for the router to say."""

    async def work() -> None:
        server = Impatient(wire, always=True)
        async with asking(kind, server) as provider:
            with pytest.raises(UnavailableError) as caught:
                await answer(provider)
        assert caught.value.code == "cut"
        assert server.questions == 1

    asyncio.run(work())


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "new"])
def test_an_answer_that_breaks_off_is_not_asked_for_again_in_silence(kept: bool) -> None:
    """Half of it was there, so it was made and is billed, also over a connection that was kept."""
    whole = whole_body("openai", Reply(text="Hello."), "m")
    headers = {"content-type": "application/json"}

    async def work() -> None:
        provider = LMStudioProvider(
            ProviderSettings(name="local", kind="lm_studio", base_url=server.url), Settings()
        )
        if kept:
            assert await answer(provider) == "Hello."
        with pytest.raises(UnavailableError) as caught:
            await answer(provider)
        assert caught.value.code == "cut"
        await provider.aclose()

    def reply(request: object) -> Raw:
        cut = len(server.asked) > kept
        return Raw(
            headers={**headers, "content-length": str(len(whole))},
            blocks=(whole[:20] if cut else whole,),
            end="reset" if cut else "end",
        )

    with LoopbackServer() as server:
        server.reply = reply
        asyncio.run(work())
        assert server.connections == 1
        assert len(server.asked) == kept + 1
