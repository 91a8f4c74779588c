"""One answer of a loopback server, in all the forms that faults need: begun, cut, refused, late."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from aiex_ipy.testing.replies import Raw, Reply, Wire, content_type, stream_blocks, whole_body

WIRES: tuple[Wire, ...] = ("openai", "anthropic", "ollama")
LIFE: dict[Wire, bytes] = {
    "openai": b": keep-alive\n\n",
    "anthropic": b'event: ping\ndata: {"type": "ping"}\n\n',
    "ollama": b"\n",
}
"""Signs of life that say nothing."""

BROKEN: dict[Wire, bytes] = {
    "openai": b'data: {"choices": [{"delta"\n\n',
    "anthropic": b'event: content_block_delta\ndata: {"type": "content_bl\n\n',
    "ollama": b'{"message": {"content"\n',
}
"""An event whose JSON is none."""

UNDECODABLE: dict[Wire, bytes] = {
    "openai": b": \xff\xfe\n\n",
    "anthropic": b": \xff\xfe\n\n",
    "ollama": b'{"created_at": "\xff\xfe"}\n',
}
"""Bytes that are no UTF-8, where nothing is said."""

UNKNOWN: dict[Wire, bytes] = {
    "openai": b'data: {"object": "chat.completion.metrics", "queue": 3}\n\n',
    "anthropic": b'event: metrics\ndata: {"type": "metrics", "queue": 3}\n\n',
    "ollama": b'{"metrics": {"queue": 3}}\n',
}
"""An event that nobody has heard of."""


class Saying:
    """What is said to one question. `reply` is the answer it would be without a fault, `deltas`
    and `end` its pieces on the wire, `head` its content type. `times` counts the questions before
    it, `asked` is its body's length in bytes, `path` where it came to."""

    def __init__(
        self,
        wire: Wire,
        reply: Reply,
        model: str,
        *,
        streamed: bool,
        times: int = 0,
        asked: int = 0,
        path: str = "",
    ) -> None:
        self.wire, self.reply, self.model, self.streamed = wire, reply, model, streamed
        self.times, self.asked, self.path = times, asked, path
        if streamed:
            self.deltas, self.end = stream_blocks(wire, reply, model)
        else:
            self.deltas, self.end = [whole_body(wire, reply, model)], []
        self.head = {"content-type": content_type(wire) if streamed else "application/json"}

    @property
    def data(self) -> bytes:
        """The whole answer as bytes."""
        return b"".join((*self.deltas, *self.end))

    def opening(self) -> bytes:
        """The event with which a streamed answer begins, before any word."""
        return stream_blocks(self.wire, Reply(pieces=("",)), self.model)[0][0]

    def raw(self, *blocks: bytes, **more: Any) -> Raw:
        """These bytes as an answer with status 200."""
        # An empty block would end the body.
        return Raw(headers=self.head, blocks=tuple(block for block in blocks if block), **more)

    def begun(self, pieces: int, *then: bytes, **more: Any) -> Raw:
        """The answer's first pieces in one block, or half of it where it has one piece only."""
        half = self.data[: len(self.data) // 2]
        start = b"".join(self.deltas[:pieces]) if self.streamed else half
        return self.raw(start, *then, **more)

    def rechunked(self, lengths: Iterable[int], *, data: bytes | None = None) -> Raw:
        """The same bytes in blocks of these lengths."""
        data = self.data if data is None else data
        blocks = []
        for length in lengths:
            if not data:
                break
            blocks.append(data[:length])
            data = data[length:]
        return self.raw(*blocks, *((data,) if data else ()))

    def with_extra(self, at: int, extra: bytes) -> bytes:
        """The answer with more bytes after so many pieces."""
        return b"".join((*self.deltas[:at], extra, *self.deltas[at:], *self.end))

    def error(self, kind: str, message: str, **more: Any) -> bytes:
        """The JSON of an error as this wire tells it; `more` stands beside its message."""
        if self.wire == "ollama":
            return msgspec.json.encode({"error": message})
        told: dict[str, Any] = {"type": kind, "message": message}
        if self.wire == "anthropic":
            return msgspec.json.encode({"type": "error", "error": {**told, **more}})
        return msgspec.json.encode({"error": {"param": None, "code": None, **told, **more}})

    def error_event(self, kind: str, message: str) -> bytes:
        """The same inside a stream."""
        data = self.error(kind, message)
        if self.wire == "ollama":
            return data + b"\n"
        return (b"event: error\n" if self.wire == "anthropic" else b"") + b"data: %b\n\n" % data

    def status(
        self,
        status: int,
        kind: str,
        message: str,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> Raw:
        """An error with a status of its own."""
        body = self.error(kind, message, **more)
        return Raw(status=status, headers=headers or {}, blocks=(body,))
