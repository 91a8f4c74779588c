"""What becomes of connections: cancelled, abandoned, many at once, and those of another loop."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
from contextlib import aclosing

import pytest
from asking import WIRES, chunks, chunks_of, provider
from forwarding import Forwarder

from aiex_ipy.errors import ProtocolError, ProviderError, UnavailableError
from aiex_ipy.messages import Chunk, Finish, TextDelta
from aiex_ipy.providers import transport
from aiex_ipy.providers.transport import ANSWER_BYTES, ERROR_BYTES
from aiex_ipy.testing.conformance import question
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply, content_type, stream_blocks, whole_body

ALL = pytest.mark.parametrize("kind", ["openai", "anthropic", "ollama", "openai_compatible"])
BOTH = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
SLOW = Reply(pieces=(" word",) * 2000, pause_s=0.02)


@ALL
@pytest.mark.parametrize("phase", ["waiting", "speaking"])
def test_cancelling_closes_the_connection(kind: str, phase: str) -> None:
    """Before the first word and in mid-answer: the server sees it and need not go on."""

    async def work() -> None:
        asked = provider(kind, server.url)
        spoken = asyncio.Event()

        async def read() -> None:
            async with aclosing(asked.stream(question())) as stream:
                async for chunk in stream:
                    if isinstance(chunk, TextDelta):
                        spoken.set()

        task = asyncio.create_task(read())
        if phase == "speaking":
            await spoken.wait()
        else:
            assert await asyncio.to_thread(server.wait_until, lambda: bool(server.asked))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # The client is kept and open: it is the answer's connection that has gone.
        assert await asyncio.to_thread(server.wait_until, lambda: bool(server.disconnects))
        assert await asyncio.to_thread(server.wait_until, lambda: server.open_connections == 0)
        await asked.aclose()

    with LoopbackServer(SLOW if phase == "speaking" else Reply(first_pause_s=60)) as server:
        asyncio.run(work())


def test_cancelling_while_connecting_leaves_nothing() -> None:
    """A host that does not answer holds nobody who wants to go."""

    async def work(url: str) -> None:
        asked = provider("ollama", url)
        task = asyncio.create_task(chunks_of(asked))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asked.aclose()

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        asyncio.run(work(f"http://127.0.0.1:{silent.getsockname()[1]}"))


@ALL
def test_an_abandoned_answer_is_closed(kind: str) -> None:
    """Who leaves the loop without closing the stream does not leave a server writing for nobody."""

    async def work() -> None:
        asked = provider(kind, server.url)
        async for chunk in asked.stream(question()):
            if isinstance(chunk, TextDelta):
                break
        gc.collect()
        assert await asyncio.to_thread(server.wait_until, lambda: server.open_connections == 0)
        await asked.aclose()

    with LoopbackServer(SLOW) as server:
        asyncio.run(work())


@ALL
def test_a_provider_is_used_from_loop_after_loop(kind: str) -> None:
    """Each has a client of its own, and a loop that ends closes its connections."""
    with LoopbackServer() as server:
        asked = provider(kind, server.url)
        for number in range(3):
            assert isinstance(asyncio.run(chunks_of(asked))[-1], Finish)
            assert server.wait_until(lambda: server.open_connections == 0)
            assert server.connections == number + 1
    gc.collect()


def test_two_loops_at_once_have_a_client_each() -> None:
    """Closing the provider closes both, each on its own loop."""

    async def both() -> None:
        asked = provider("openai", server.url)
        other = asyncio.new_event_loop()
        running = asyncio.create_task(asyncio.to_thread(other.run_forever))
        there = asyncio.run_coroutine_threadsafe(chunks_of(asked), other)
        here = await chunks_of(asked)
        assert isinstance((await asyncio.wrap_future(there))[-1], Finish)
        assert isinstance(here[-1], Finish)
        await asked.aclose()
        assert await asyncio.to_thread(server.wait_until, lambda: server.open_connections == 0)
        other.call_soon_threadsafe(other.stop)
        await running
        other.close()

    with LoopbackServer() as server:
        asyncio.run(both())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_hundreds_of_streams_run_at_once(kind: str) -> None:
    """None waits for a connection until it fails, and none is left open."""

    async def work() -> None:
        asked = provider(kind, server.url, timeout_ms=60_000)
        answers = await asyncio.gather(*(chunks_of(asked) for _ in range(250)))
        assert all(isinstance(answer[-1], Finish) for answer in answers)
        await asked.aclose()
        assert await asyncio.to_thread(server.wait_until, lambda: server.open_connections == 0)

    with LoopbackServer(Reply(text="one two three", pause_s=0.05)) as server:
        asyncio.run(work())
        assert server.connections >= 100


@ALL
@pytest.mark.parametrize(
    "fault",
    [
        Raw(status=500, blocks=(b'{"error": {"message": "no"}}',)),
        Raw(status=503, blocks=(b"never",), end="silence"),
        Raw(blocks=(b"<html>",), headers={"content-type": "text/html"}),
        Raw(headers={"content-type": "text/event-stream"}, blocks=(b"data: ",), end="reset"),
    ],
    ids=["500", "unfinished 503", "page", "reset"],
)
def test_nothing_is_left_open_after_a_fault(
    kind: str, fault: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the provider is closed, the server has no connection of it."""
    monkeypatch.setattr(transport, "ERROR_BODY_S", 0.2)
    with LoopbackServer(fault) as server:
        with pytest.raises(ProviderError):
            chunks(provider(kind, server.url))
        assert server.wait_until(lambda: server.open_connections == 0)


def bomb(unpacked: int) -> bytes:
    return gzip.compress(bytes(unpacked), 9)


@ALL
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "plain"])
def test_an_answer_in_one_piece_has_a_cap(kind: str, packed: bool) -> None:
    """Neither a body without end nor one that unpacks to that fills the memory."""
    body = bomb(ANSWER_BYTES + 1) if packed else bytes(ANSWER_BYTES + 1)
    headers = {"content-type": "application/json"} | (
        {"content-encoding": "gzip"} if packed else {}
    )
    pieces = tuple(body[at : at + 262_144] for at in range(0, len(body), 262_144))
    with LoopbackServer(Raw(headers=headers, blocks=pieces)) as server:
        with pytest.raises(ProtocolError) as caught:
            chunks(provider(kind, server.url), question(stream=False))
        assert server.wait_until(lambda: server.open_connections == 0)
    assert caught.value.code == "too_large"
    assert "more than 16 MB" in caught.value.message


@ALL
@BOTH
def test_an_error_is_read_no_further_than_needed(kind: str, streamed: bool) -> None:
    """What the status says counts, however much a page says after it."""
    page = bomb(ERROR_BYTES * 8)
    headers = {"content-type": "text/html", "content-encoding": "gzip"}
    with LoopbackServer(Raw(status=502, headers=headers, blocks=(page,) * 20)) as server:
        with pytest.raises(UnavailableError) as caught:
            chunks(provider(kind, server.url), question(stream=streamed))
        assert server.wait_until(lambda: server.open_connections == 0)
    assert caught.value.status == 502
    assert len(caught.value.message) < 200


@ALL
@BOTH
def test_a_packed_answer_is_unpacked(kind: str, streamed: bool) -> None:
    """Some servers, and what stands before them, pack what they send."""
    wire = WIRES.get(kind, kind)
    reply = Reply(text="one two three")
    if streamed:
        deltas, end = stream_blocks(wire, reply, "m")  # type: ignore[arg-type]
        said, form = b"".join((*deltas, *end)), content_type(wire)  # type: ignore[arg-type]
    else:
        said, form = whole_body(wire, reply, "m"), "application/json"  # type: ignore[arg-type]
    packed = gzip.compress(said)
    headers = {"content-type": form, "content-encoding": "gzip"}
    blocks = tuple(packed[at : at + 7] for at in range(0, len(packed), 7))
    with LoopbackServer(Raw(headers=headers, blocks=blocks)) as server:
        answer: list[Chunk] = chunks(provider(kind, server.url), question(stream=streamed))
    assert "".join(each.text for each in answer if isinstance(each, TextDelta)) == reply.text


@BOTH
@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip"])
def test_an_encoding_nobody_asked_for_is_told(encoding: str, streamed: bool) -> None:
    """Packed twice is how a small body unpacks to a huge one; and gzip may be none."""
    headers = {"content-type": "text/event-stream", "content-encoding": encoding}
    with LoopbackServer(Raw(headers=headers, blocks=(b"no gzip",))) as server:
        with pytest.raises(ProtocolError) as caught:
            chunks(provider("openai", server.url), question(stream=streamed))
        assert server.wait_until(lambda: server.open_connections == 0)
    assert caught.value.code == "wrong_content"


@ALL
def test_a_server_at_an_ipv6_address_is_reached(kind: str) -> None:
    """The address in brackets, in the settings and in messages."""
    with LoopbackServer() as server:
        with Forwarder(server.port, host="::1") as six:
            url = f"http://[::1]:{six.port}"
            assert isinstance(chunks(provider(kind, url))[-1], Finish)
        with pytest.raises(UnavailableError) as caught:
            chunks(provider(kind, url))
    assert caught.value.code == "connect"
    assert f"'[::1]:{six.port}': connection refused" in caught.value.message


def test_a_name_with_several_addresses_is_told_as_refused() -> None:
    """`localhost` is tried by IPv6 and IPv4, and both failures are one."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://localhost:{closed.getsockname()[1]}"
        with pytest.raises(UnavailableError) as caught:
            chunks(provider("ollama", url))
    assert caught.value.code == "connect"
    assert "connection refused" in caught.value.message
