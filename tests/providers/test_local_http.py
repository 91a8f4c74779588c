"""The transport for servers on this machine does what httpx2's own does."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiex_ipy.providers import local_http
from aiex_ipy.providers.local_http import LocalTransport

Outcome = tuple[Any, ...]
TRANSPORTS: dict[str, Callable[[], httpx2.AsyncBaseTransport]] = {
    "ours": LocalTransport,
    "httpx2's": lambda: httpx2.AsyncHTTPTransport(retries=0),
}


class Server:
    """Says the same bytes to every request, in given pieces, and counts its connections."""

    def __init__(self, *pieces: bytes, close: bool = True) -> None:
        self.pieces, self.close = pieces, close
        self.connections = 0
        self.gone = asyncio.Event()
        self.tasks: set[asyncio.Task[None] | None] = set()
        self.asked: list[bytes] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.add(asyncio.current_task())
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
        ):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.split(b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line[15:])
                self.asked.append(head + await reader.readexactly(length))
                for piece in self.pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if self.close:
                    break
        self.gone.set()
        writer.close()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/x?y=1"
        finally:
            server.close()
            for task in self.tasks:
                if task is not None:
                    task.cancel()
            await asyncio.gather(*filter(None, self.tasks), return_exceptions=True)


async def asked(transport: httpx2.AsyncBaseTransport, url: str) -> Outcome:
    """Status, headers and body of a POST, or the class of the error."""
    async with httpx2.AsyncClient(transport=transport, timeout=5) as client:
        try:
            response = await client.post(url, content=b"question")
        except httpx2.TransportError as error:
            return (type(error),)
        return response.status_code, response.headers.raw, response.content


def outcome(which: str, *pieces: bytes, close: bool = True) -> Outcome:
    async def run() -> Outcome:
        async with Server(*pieces, close=close).running() as url:
            return await asked(TRANSPORTS[which](), url)

    return asyncio.run(run())


WHOLE = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n1;ext=1\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
    "until close": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it\r\n\r\n",
    "old version": b"HTTP/1.0 200 OK\r\n\r\nall of it",
    "nothing": b"HTTP/1.1 204 No Content\r\n\r\n",
    "empty": b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
    "no reason": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
    "informational": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "header twice": b"HTTP/1.1 200 OK\r\nA: a\r\nA: b\r\nContent-Length: 0\r\n\r\n",
    "latin-1": b"HTTP/1.1 200 OK\r\nX: \xe9 \t\r\nContent-Length: 0\r\n\r\n",
}

BROKEN = {
    "silence": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "no HTTP": b"hello\r\n\r\n",
    "other protocol": b"SIP/2.0 200 OK\r\n\r\n",
    "no status": b"HTTP/1.1 2x0 OK\r\n\r\n",
    "short body": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
    "no number": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
    "unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: zip, chunked\r\n\r\n0\r\n\r\n",
    "bad chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "long chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n",
    "name with a blank": b"HTTP/1.1 200 OK\r\nA b: c\r\nContent-Length: 0\r\n\r\n",
    "no colon": b"HTTP/1.1 200 OK\r\nnothing\r\nContent-Length: 0\r\n\r\n",
    "control character": b"HTTP/1.1 200 OK\r\nA: \0\r\nContent-Length: 0\r\n\r\n",
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 30_000,
}


@pytest.mark.parametrize("said", WHOLE.values(), ids=WHOLE.keys())
def test_whole_responses_are_read_like_httpx2s(said: bytes) -> None:
    """Status, headers and body are the same as over httpx2's own transport."""
    ours = outcome("ours", said)
    assert ours == outcome("httpx2's", said)
    assert isinstance(ours[0], int)


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN.keys())
def test_broken_responses_are_refused_like_httpx2s(said: bytes) -> None:
    """What is not HTTP is an error, and the same one."""
    ours = outcome("ours", said)
    assert ours == (httpx2.RemoteProtocolError,)
    assert ours == outcome("httpx2's", said)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(WHOLE)), st.lists(st.integers(0, 150), max_size=12))
def test_cuts_of_the_network_change_nothing(name: str, cuts: list[int]) -> None:
    """However the bytes arrive, the response is the same."""
    said = WHOLE[name]
    edges = sorted({0, *(min(cut, len(said)) for cut in cuts), len(said)})
    pieces = [said[a:b] for a, b in itertools.pairwise(edges)]
    assert outcome("ours", *pieces) == outcome("ours", said)


@given(st.lists(st.binary(max_size=20), max_size=6), st.lists(st.integers(1, 7), max_size=40))
def test_chunks_are_joined_however_they_are_cut(bodies: list[bytes], sizes: list[int]) -> None:
    """The decoder gives the chunks' content and nothing else, and knows the end."""
    said = b"".join(b"%x\r\n%s\r\n" % (len(body), body) for body in bodies if body) + b"0\r\n\r\n"
    chunks = local_http._Chunks()
    found, at = b"", 0
    for size in [*sizes, len(said)]:
        found += chunks.feed(said[at : at + size])
        at += size
    assert found == b"".join(bodies)
    assert chunks.ended and not chunks.surplus


def test_a_connection_is_kept() -> None:
    """Three questions one after the other need one connection; a body that is left half read, or a
    server that says close, ends it."""

    async def run() -> None:
        server = Server(WHOLE["chunks"], close=False)
        async with (
            server.running() as url,
            httpx2.AsyncClient(transport=LocalTransport()) as client,
        ):
            for _ in range(3):
                assert (await client.post(url, content=b"q")).content == b"hello 0123456789"
            assert server.connections == 1
            async with client.stream("POST", url, content=b"q") as response:
                assert response.status_code == 200
            await asyncio.wait_for(server.gone.wait(), 5)
            await client.post(url, content=b"q")
            assert server.connections == 2
        closing = Server(WHOLE["length"].replace(b"X-A: b", b"Connection: Close"), close=False)
        async with (
            closing.running() as url,
            httpx2.AsyncClient(transport=LocalTransport()) as client,
        ):
            await client.post(url, content=b"q")
            await client.post(url, content=b"q")
            assert closing.connections == 2

    asyncio.run(run())


def test_a_connection_the_server_has_closed_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor one that was idle for long, or that said more than it was asked."""

    async def run(said: bytes, close: bool) -> int:
        server = Server(said, close=close)
        async with (
            server.running() as url,
            httpx2.AsyncClient(transport=LocalTransport()) as client,
        ):
            for _ in range(2):
                assert (await client.post(url, content=b"q")).content == b"hello"
                await asyncio.sleep(0.05)
            return server.connections

    assert asyncio.run(run(WHOLE["length"], True)) == 2
    assert asyncio.run(run(WHOLE["length"] + b"surplus", False)) == 2
    assert asyncio.run(run(WHOLE["length"], False)) == 1
    monkeypatch.setattr(local_http, "KEPT_S", 0.01)
    assert asyncio.run(run(WHOLE["length"], False)) == 2


def test_what_is_sent_is_what_httpx2_sends() -> None:
    """Request line, headers and body are the same, also of a large body."""

    async def run(which: str) -> bytes:
        server = Server(WHOLE["length"])
        transport = TRANSPORTS[which]()
        async with server.running() as url, httpx2.AsyncClient(transport=transport) as client:
            await client.post(url, content=b"x" * 3_000_000, headers={"A": "b"})
        head, _, body = server.asked[0].partition(b"\r\n\r\n")
        assert len(body) == 3_000_000
        return b"\r\n".join(line for line in head.split(b"\r\n") if b"127.0.0.1" not in line)

    ours, theirs = asyncio.run(run("ours")), asyncio.run(run("httpx2's"))
    assert ours.lower() == theirs.lower()
    assert ours.startswith(b"POST /v1/x?y=1 HTTP/1.1\r\n")


@pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\0b", "a\nb"])
def test_a_header_cannot_break_out(value: str) -> None:
    """A value with a line end is refused before anything is sent."""

    async def run() -> None:
        server = Server(WHOLE["length"])
        async with (
            server.running() as url,
            httpx2.AsyncClient(transport=LocalTransport()) as client,
        ):
            with pytest.raises(httpx2.LocalProtocolError):
                await client.get(url, headers={"X": value})
            assert not server.asked

    asyncio.run(run())


def test_deadlines_and_refusals_are_httpx2s() -> None:
    """Nobody there, a server that says nothing, one that stops: each has its exception."""

    async def run() -> None:
        limits = httpx2.Timeout(5, read=0.1)
        async with httpx2.AsyncClient(transport=LocalTransport(), timeout=limits) as client:
            with pytest.raises(httpx2.ConnectError):
                await client.get("http://127.0.0.1:9/")
            async with Server(close=False).running() as url:
                with pytest.raises(httpx2.ReadTimeout):
                    await client.get(url)
            async with Server(WHOLE["length"][:-2], close=False).running() as url:
                with pytest.raises(httpx2.ReadTimeout):
                    await client.get(url)

    asyncio.run(run())


def test_a_cancelled_request_closes_its_connection() -> None:
    """The server sees that nobody waits any more."""

    async def run() -> None:
        server = Server(close=False)
        async with (
            server.running() as url,
            httpx2.AsyncClient(transport=LocalTransport()) as client,
        ):
            task = asyncio.create_task(client.post(url, content=b"q"))
            while not server.asked:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(server.gone.wait(), 5)

    asyncio.run(run())
