"""A server that passes on to another what it is sent: the end of a TLS tunnel, a proxy, IPv6."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from types import TracebackType


class Forwarder:
    """Listens on loopback and forwards to `port`; a context manager.

    With `certificate` (files of certificate and key) it speaks TLS. With `proxy` it is asked by
    CONNECT first, keeps what was asked in `asked`, and refuses if `refusing` is a status line.
    """

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        certificate: tuple[str, str] | None = None,
        proxy: bool = False,
        refusing: str = "",
    ) -> None:
        self.asked: list[str] = []
        self.connections = 0
        self.port = 0
        self._to, self._host, self._proxy, self._refusing = port, host, proxy, refusing
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*certificate)
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Forwarder:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            self.connections += 1
            try:
                await self._forward(reader, writer)
            except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                tasks.discard(task)
                writer.transport.abort()

        server = await asyncio.start_server(connected, self._host, 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        while tasks:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.1)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._proxy:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.asked.append(head)
            if self._refusing:
                writer.write(f"HTTP/1.1 {self._refusing}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
                return
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        there, answers = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            _, waiting = await asyncio.wait(
                {
                    asyncio.ensure_future(_pipe(reader, answers)),
                    asyncio.ensure_future(_pipe(there, writer)),
                },
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in waiting:
                task.cancel()
            if waiting:
                await asyncio.wait(waiting)
        finally:
            answers.transport.abort()


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.CancelledError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
