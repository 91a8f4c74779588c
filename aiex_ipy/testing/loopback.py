"""A model server on loopback that says what a test tells it and keeps what it was sent.

It speaks OpenAI's chat completions, Anthropic's messages and Ollama's chat, with the listings of
the three and of LM Studio:

    with LoopbackServer() as server:
        server.replies = [Reply(text="four"), Raw(status=503)]     # in order, the last repeats
        ...                                                         # ask server.openai_url
        server.requests[0].json["messages"]
        server.disconnects                                          # clients gone in mid-answer

It runs on a loop and thread of its own. `python -m aiex_ipy.testing.loopback --tokens 500`
runs it as a process of its own, for benchmarks, until its standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import msgspec
from msgspec import Struct

from aiex_ipy.testing.replies import (
    Raw,
    Reply,
    Wire,
    content_type,
    stream_blocks,
    whole_body,
)

_ROUTES: dict[str, Wire] = {
    "/v1/chat/completions": "openai",
    "/v1/messages": "anthropic",
    "/api/chat": "ollama",
}


class Received(Struct, frozen=True, kw_only=True):
    """A request as it came: header names in lower case, `at` by `time.monotonic`."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.body)


class Listed(Struct, frozen=True, kw_only=True):
    """A model of the listings. `used_at` (such as "2026-11-22T10:00:00Z") puts it in memory,
    `remote_host` in the cloud of Ollama."""

    name: str
    capabilities: tuple[str, ...] = ("completion",)
    modified_at: str = "2026-01-01T00:00:00Z"
    used_at: str = ""
    remote_host: str = ""


class LoopbackServer:
    """The server; a context manager, started on entry, gone after exit.

    `requests` has everything sent to it; `asked` only what asks a model. `disconnects` are the
    times (`time.monotonic`) at which a client was seen to have gone before its answer was whole.
    `reply` may be set to a function of the request instead of `replies`. With `certificate` (files
    of certificate and key) it speaks TLS.
    """

    def __init__(
        self,
        *replies: Reply | Raw,
        models: tuple[Listed, ...] = (),
        certificate: tuple[str, str] | None = None,
    ) -> None:
        self.replies: list[Reply | Raw] = list(replies) or [Reply()]
        self.reply: Callable[[Received], Reply | Raw] | None = None
        self.models = models or (Listed(name="loopback-model"),)
        self.requests: list[Received] = []
        self.disconnects: list[float] = []
        self.open_connections = 0
        self.connections = 0
        self.port = 0
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*certificate)
        self._said = 0
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="loopback-server", daemon=True)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT` (or https), for kinds anthropic and ollama."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        """The base URL for kinds openai, openai_compatible and lm_studio."""
        return f"{self.url}/v1"

    @property
    def asked(self) -> list[Received]:
        """The requests that ask a model."""
        return [each for each in self.requests if each.path in _ROUTES]

    def wait_until(self, condition: Callable[[], bool], *, timeout_s: float = 5.0) -> bool:
        """Return whether `condition` came true within so many seconds."""
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def start(self) -> LoopbackServer:
        """Listen on a free port."""
        self._thread.start()
        self._started.wait()
        return self

    def stop(self) -> None:
        """Close the port and all connections."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def __enter__(self) -> LoopbackServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.run(self.serve())

    async def serve(self) -> None:
        """Serve until stopped, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        connections: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await _Connection(self, reader, writer).serve()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # No coroutine: one that is cancelled before its first step could close nothing.
            task = asyncio.ensure_future(serve(reader, writer))
            connections.add(task)
            self.connections += 1
            self.open_connections += 1

            def ended(task: asyncio.Task[None]) -> None:
                self.open_connections -= 1
                connections.discard(task)
                writer.transport.abort()

            task.add_done_callback(ended)

        server = await asyncio.start_server(
            connected, "127.0.0.1", self.port, backlog=1024, ssl=self._tls
        )
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        # First no more are accepted, then who was accepted just now gets its transport: once the
        # server is closed, that fails and leaves the socket open (CPython's `Server._attach`).
        for listening in server.sockets:
            with contextlib.suppress(NotImplementedError):  # Windows
                self._loop.remove_reader(listening.fileno())
        for _ in range(5):
            await asyncio.sleep(0)
        server.close()
        while connections:
            # Again and again: Python 3.11's `wait_for` loses a cancellation that comes just when
            # what it waits for is done (CPython issue 86296).
            for task in connections:
                task.cancel()
            await asyncio.wait(connections, timeout=0.1)

    def next_reply(self, received: Received) -> Reply | Raw:
        """Return what is said to this request."""
        if self.reply is not None:
            return self.reply(received)
        said = self.replies[min(self._said, len(self.replies) - 1)]
        self._said += 1
        return said


class _Connection:
    """One client: requests one after the other until it goes."""

    def __init__(
        self, server: LoopbackServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._early = b""  # the first byte of a request that came before the last answer ended

    async def serve(self) -> None:
        while True:
            head = self._early + await self._reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ", 2)
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
            received = Received(
                method=method,
                path=target.partition("?")[0],
                headers=headers,
                body=body,
                at=time.monotonic(),
            )
            self._server.requests.append(received)
            if not await self._answer(received):
                return

    async def _answer(self, received: Received) -> bool:
        """Answer; return whether the connection goes on."""
        wire = _ROUTES.get(received.path)
        if wire is None:
            status, body = _listing(self._server, received)
            self._head(status, "application/json", length=len(body))
            self._writer.write(body)
            await self._writer.drain()
            return True
        # Who waits for an answer sends nothing: what can be read is the end of the connection.
        gone = asyncio.ensure_future(self._reader.read(1))
        try:
            said = self._server.next_reply(received)
            if isinstance(said, Raw):
                return await self._say_raw(said, gone)
            return await self._say(said, wire, received.json, gone)
        except (_Gone, ConnectionError):
            self._server.disconnects.append(time.monotonic())
            return False
        finally:
            gone.cancel()
            self._early = b""
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                self._early = await gone

    async def _say(
        self, reply: Reply, wire: Wire, asked: dict[str, Any], gone: asyncio.Future[bytes]
    ) -> bool:
        model = asked.get("model", "loopback-model")
        await _pause(reply.first_pause_s, gone)
        if not asked.get("stream", wire == "ollama"):
            body = whole_body(wire, reply, model)
            self._head(200, "application/json", length=len(body))
            self._writer.write(body)
            await self._writer.drain()
            return True
        self._head(200, content_type(wire))
        deltas, end = stream_blocks(wire, reply, model)
        for number, block in enumerate(deltas):
            if number == reply.cut_after:
                return await self._cut(reply.cut)
            await _pause(reply.pause_s, gone)
            await self._block(block)
        if reply.cut_after is not None:
            return await self._cut(reply.cut)
        for block in end:
            await self._block(block)
        return await self._cut("end")

    async def _say_raw(self, raw: Raw, gone: asyncio.Future[bytes]) -> bool:
        headers = {"content-type": "application/json", **raw.headers}
        if raw.head:
            self._head(raw.status, headers.pop("content-type"), extra=headers)
        for block in raw.blocks:
            await _pause(raw.pause_s, gone)
            await self._block(block)
        while raw.for_ever:
            await _pause(raw.pause_s, gone)
            await self._block(raw.for_ever)
        if raw.end == "silence":
            await _pause(3600, gone)
        return await self._cut(raw.end)

    def _head(
        self,
        status: int,
        kind: str,
        *,
        length: int | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        lines = [f"HTTP/1.1 {status} Status", f"Content-Type: {kind}", size]
        lines += [f"{name}: {value}" for name, value in (extra or {}).items()]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def _block(self, data: bytes) -> None:
        self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self._writer.drain()

    async def _cut(self, how: str) -> bool:
        if how in ("reset", "close"):
            await asyncio.sleep(0.02)  # what was written goes out before the connection breaks
            if how == "reset":
                at_once = struct.pack("ii", 1, 0)  # closing sends RST; without it, FIN
                plain = self._writer.get_extra_info("socket")
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            self._writer.transport.abort()
            return False
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
        return True


class _Gone(Exception):
    """The client closed its connection."""


async def _pause(seconds: float, gone: asyncio.Future[bytes]) -> None:
    if gone.done() or (seconds and (await asyncio.wait({gone}, timeout=seconds))[0]):
        raise _Gone
    if not seconds:
        await asyncio.sleep(0)


def _listing(server: LoopbackServer, received: Received) -> tuple[int, bytes]:
    """Answer what is no question to a model."""
    models = server.models
    bodies: dict[str, Callable[[], Any]] = {
        "/v1/models": lambda: {
            "object": "list",
            "data": [{"id": each.name, "object": "model", "type": "model"} for each in models],
        },
        "/api/v1/models": lambda: {
            "models": [
                {
                    "key": each.name,
                    "type": "llm" if "completion" in each.capabilities else "embedding",
                    "loaded_instances": [{"id": each.name, "config": {}}] if each.used_at else [],
                    "max_context_length": 8192,
                }
                for each in models
            ]
        },
        "/api/tags": lambda: {
            "models": [
                {
                    "name": each.name,
                    "model": each.name,
                    "modified_at": each.modified_at,
                    "size": 1,
                    **({"remote_host": each.remote_host} if each.remote_host else {}),
                }
                for each in models
            ]
        },
        "/api/ps": lambda: {
            "models": [
                {"name": each.name, "expires_at": each.used_at, "context_length": 4096}
                for each in models
                if each.used_at
            ]
        },
        "/api/show": lambda: {
            "capabilities": next(
                (each.capabilities for each in models if each.name == received.json["model"]), ()
            )
        },
    }
    if received.path in bodies:
        return 200, msgspec.json.encode(bodies[received.path]())
    return 404, b'{"error": {"message": "no such address", "type": "not_found"}}'


def main(arguments: list[str]) -> None:
    """Run as a process: print `{"url": …}`, serve until standard input ends, print `{"asked": …}`.

    With `--echo` the first word of an answer is the question itself, so that every answer can be
    told from every other.
    """
    tokens = int(arguments[arguments.index("--tokens") + 1]) if "--tokens" in arguments else 1
    pieces = tuple(f" word{number}" for number in range(tokens))
    server = LoopbackServer(Reply(pieces=pieces, output_tokens=tokens))
    if "--echo" in arguments:

        def echo(received: Received) -> Reply:
            question = received.json["messages"][-1]["content"]
            if not isinstance(question, str):
                question = question[-1]["text"]
            return Reply(pieces=(question, *pieces[1:]), output_tokens=tokens)

        server.reply = echo
    with server:
        print(msgspec.json.encode({"url": server.url}).decode(), flush=True)
        sys.stdin.read()
    print(msgspec.json.encode({"asked": len(server.asked)}).decode(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
