"""HTTP/1.1 to servers on this machine, over kept connections and asyncio's own streams.

httpx2's transport serves every scheme, proxy and protocol, and costs most of what a local answer
costs in this process. On loopback there is no TLS, no proxy and no HTTP/2; what is left is here.

Source: RFC 9112, HTTP/1.1; RFC 9110, HTTP Semantics.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

import httpx2

T = TypeVar("T")
Headers = list[tuple[bytes, bytes]]

KEPT_S = 5.0
"""An idle connection older than this is not used again: servers begin to close it then.
Source: the keep-alive of httpx2 and of Node.js."""
MOST_IDLE = 100
HEAD_BYTES = 64 * 1024
READ_BYTES = 64 * 1024
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([^\r\n\0]*))?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_VALUE = re.compile(rb"[\0-\x08\x0a-\x1f\x7f]")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?")


class LocalTransport(httpx2.AsyncBaseTransport):
    """Sends requests to plain-HTTP servers; used on one event loop.

    Closing a response before its end closes its connection, which tells the server. Raises the
    exceptions of httpx2's own transport.
    """

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int], list[_Connection]] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        limits = request.extensions.get("timeout", {})
        server = (request.url.host, request.url.port or 80)
        head = _request_head(request)
        body = await request.aread()
        connection = self._take(server) or await _connect(server, limits.get("connect"))
        try:
            await connection.write(head + body, limits.get("write"))
            version, status, reason, headers, rest = await connection.head(limits.get("read"))
            framing, keep = _framing(request.method, version, status, headers)
        except BaseException:
            connection.close()
            raise
        return httpx2.Response(
            status,
            headers=headers,
            stream=_Body(self, server, connection, framing, rest, limits.get("read"), keep=keep),
            extensions={"http_version": b"HTTP/1." + version, "reason_phrase": reason},
        )

    async def aclose(self) -> None:
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()
        await asyncio.sleep(0)  # asyncio closes the sockets in the next round of the loop

    def _take(self, server: tuple[str, int]) -> _Connection | None:
        connections = self._idle.get(server, [])
        while connections:
            connection = connections.pop()
            if connection.usable():
                return connection
            connection.close()
        return None

    def release(self, server: tuple[str, int], connection: _Connection) -> None:
        """Keep a connection for the next request."""
        connections = self._idle.setdefault(server, [])
        if len(connections) < MOST_IDLE:
            connection.idle_since = time.monotonic()
            connections.append(connection)
        else:
            connection.close()


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.idle_since = 0.0

    def usable(self) -> bool:
        fresh = time.monotonic() - self.idle_since < KEPT_S
        return fresh and not self._reader.at_eof() and not self._writer.is_closing()

    def close(self) -> None:
        self._writer.transport.abort()

    async def write(self, data: bytes, within_s: float | None) -> None:
        self._writer.write(data)
        await _within(self._writer.drain(), within_s, httpx2.WriteTimeout, httpx2.WriteError)

    async def read(self, within_s: float | None) -> bytes:
        """Return what has come, waiting for the first of it; nothing at the end."""
        reading = self._reader.read(READ_BYTES)
        return await _within(reading, within_s, httpx2.ReadTimeout, httpx2.ReadError)

    async def head(self, within_s: float | None) -> tuple[bytes, int, bytes, Headers, bytes]:
        """Return minor version, status, reason, headers and what has come of the body."""
        data = b""
        while True:
            end = _HEAD_END.search(data)
            if end:
                version, status, reason, headers = _parsed(data[: end.start()])
                if status >= 200:
                    return version, status, reason, headers, data[end.end() :]
                if status == 101:
                    raise httpx2.RemoteProtocolError("The server switched to another protocol.")
                data = data[end.end() :]
                continue
            if len(data) > HEAD_BYTES:
                raise httpx2.RemoteProtocolError("The head of the response is too long.")
            more = await self.read(within_s)
            if not more:
                said = "a whole response head" if data else "sending a response"
                raise httpx2.RemoteProtocolError(f"Server disconnected without {said}.")
            data += more


class _Body(httpx2.AsyncByteStream):
    """The body as it comes: what arrives together is one piece."""

    def __init__(
        self,
        transport: LocalTransport,
        server: tuple[str, int],
        connection: _Connection,
        framing: _Framing,
        rest: bytes,
        within_s: float | None,
        *,
        keep: bool,
    ) -> None:
        self._transport, self._server = transport, server
        self._connection, self._framing = connection, framing
        self._rest, self._within_s, self._keep = rest, within_s, keep
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        data = self._rest
        try:
            while True:
                piece = self._framing.feed(data)
                if piece:
                    yield piece
                if self._framing.ended:
                    break
                data = await self._connection.read(self._within_s)
                if not data:
                    self._framing.no_more()
                    self._keep = False
                    break
        except BaseException:
            await self.aclose()
            raise
        self._open = False
        if self._keep and not self._framing.surplus:
            self._transport.release(self._server, self._connection)
        else:
            self._connection.close()

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            self._connection.close()


class _Framing:
    """Where a body ends: by its length (None: with the connection)."""

    def __init__(self, length: int | None) -> None:
        self._left = length
        self.ended = length == 0
        self.surplus = False
        """Whether something came after the end, so that the connection cannot be used again."""

    def feed(self, data: bytes) -> bytes:
        """Return the part of the body that `data` brings."""
        if self._left is None:
            return data
        piece = data[: self._left]
        self._left -= len(piece)
        self.ended = not self._left
        self.surplus = len(data) > len(piece)
        return piece

    def no_more(self) -> None:
        """The connection has ended: raise RemoteProtocolError if the body has not."""
        if self._left is not None:
            raise httpx2.RemoteProtocolError(f"The body ended {self._left} bytes too early.")


class _Chunks(_Framing):
    """Chunked transfer coding. Source: RFC 9112, section 7.1."""

    def __init__(self) -> None:
        super().__init__(None)
        self._buffer = b""
        self._in_chunk = 0
        self._state = "size"

    def feed(self, data: bytes) -> bytes:
        data = self._buffer + data
        at = 0
        pieces: list[bytes] = []
        while not self.ended:
            if self._state == "data":
                piece = data[at : at + self._in_chunk]
                pieces.append(piece)
                at += len(piece)
                self._in_chunk -= len(piece)
                if self._in_chunk:
                    break
                self._state = "end of chunk"
            end = data.find(b"\n", at)
            if end < 0:
                if len(data) - at > HEAD_BYTES:
                    raise httpx2.RemoteProtocolError("A line of the chunked body is too long.")
                break
            self._line(data[at:end])
            at = end + 1
        self._buffer = data[at:]
        self.surplus = self.ended and bool(self._buffer)
        return b"".join(pieces)

    def _line(self, line: bytes) -> None:
        if self._state == "size":
            size = _SIZE.fullmatch(line)
            if not size:
                raise httpx2.RemoteProtocolError(f"{line[:40]!r} is no size of a chunk.")
            self._in_chunk = int(size[1], 16)
            self._state = "data" if self._in_chunk else "trailer"
        elif self._state == "end of chunk":
            if line.rstrip(b"\r"):
                raise httpx2.RemoteProtocolError("A chunk is longer than its size.")
            self._state = "size"
        elif not line.rstrip(b"\r"):
            self.ended = True

    def no_more(self) -> None:
        raise httpx2.RemoteProtocolError("The connection ended within a chunked body.")


def _request_head(request: httpx2.Request) -> bytes:
    """Return request line and headers. Raises LocalProtocolError for what would break them."""
    target = request.url.raw_path
    lines = [request.method.encode("ascii") + b" " + target + b" HTTP/1.1"]
    for name, value in request.headers.raw:
        if not _NAME.fullmatch(name) or _NO_VALUE.search(value):
            raise httpx2.LocalProtocolError(f"Illegal header {name!r}.")
        lines.append(name + b": " + value)
    if b" " in target or _NO_VALUE.search(target):
        raise httpx2.LocalProtocolError(f"Illegal target {target!r}.")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _parsed(head: bytes) -> tuple[bytes, int, bytes, Headers]:
    first, *lines = (line.rstrip(b"\r") for line in head.split(b"\n"))
    status = _STATUS.fullmatch(first)
    if not status:
        raise httpx2.RemoteProtocolError(f"{first[:40]!r} is no status line of HTTP/1.1.")
    headers: Headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if not colon or not _NAME.fullmatch(name) or _NO_VALUE.search(value):
            raise httpx2.RemoteProtocolError(f"{line[:40]!r} is no header.")
        headers.append((name, value))
    return status[1], int(status[2]), status[3] or b"", headers


def _framing(method: str, version: bytes, status: int, headers: Headers) -> tuple[_Framing, bool]:
    """Return how the body is framed, and whether the connection may be kept after it.

    Source: RFC 9112, sections 6.3 and 9.3.
    """
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).extend(v.strip().lower() for v in value.split(b","))
    keep = version == b"1" and b"close" not in found.get(b"connection", [])
    if method == "HEAD" or status in (204, 304):
        return _Framing(0), keep
    if codings := found.get(b"transfer-encoding"):
        if codings != [b"chunked"]:
            raise httpx2.RemoteProtocolError(f"Unknown transfer coding {codings!r}.")
        return _Chunks(), keep
    lengths = set(found.get(b"content-length", []))
    if not lengths:
        return _Framing(None), False
    length = lengths.pop()
    if lengths or not length.isdigit() or len(length) > 18:
        raise httpx2.RemoteProtocolError("The length of the body is not a number.")
    return _Framing(int(length)), keep


async def _connect(server: tuple[str, int], within_s: float | None) -> _Connection:
    opening = asyncio.open_connection(*server)
    reader, writer = await _within(opening, within_s, httpx2.ConnectTimeout, httpx2.ConnectError)
    return _Connection(reader, writer)


async def _within(
    work: Awaitable[T],
    seconds: float | None,
    late: type[httpx2.TransportError],
    broken: type[httpx2.TransportError],
) -> T:
    """Await `work`, its faults as httpx2's."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError as error:  # an OSError too
        raise late(str(error) or f"{seconds} s have passed.") from error
    except OSError as error:
        raise broken(str(error)) from error
