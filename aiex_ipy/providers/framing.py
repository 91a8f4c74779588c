"""Bytes to frames, without I/O: server-sent events and newline-delimited JSON."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from aiex_ipy.errors import ProtocolError

T = TypeVar("T")

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""The most one event may hold; a larger one is a fault, not an answer."""


def decoded(data: bytes, decoder: msgspec.json.Decoder[T]) -> T | None:
    """Return the JSON of one event, or None when it is in no form we know.

    Invalid UTF-8 costs the event its bad bytes only.
    """
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return decoder.decode(data.decode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return None


class Lines:
    """Splits bytes, however they are cut, at LF or CRLF."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, without their ends."""
        *ended, rest = data.split(b"\n")
        if ended and self._rest:
            ended[0] = b"".join((*self._rest, ended[0]))
            self._rest, self._held = [], 0
        if rest:
            self._rest.append(rest)
            self._held += len(rest)
            if self._held > MAX_FRAME_BYTES:
                raise ProtocolError(
                    f"One event is larger than {MAX_FRAME_BYTES} bytes.",
                    code="too_large",
                    hint="Ask for less, or check the server.",
                )
        return [line[:-1] if line.endswith(b"\r") else line for line in ended]


class Events:
    """Takes the `data` of server-sent events out of bytes; other fields and comments are dropped.

    Both vendors name the event inside its data as well. Source: HTML Standard, section 9.2.6.
    """

    def __init__(self) -> None:
        self._lines = Lines()
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of each event that `data` completes."""
        events: list[bytes] = []
        for line in self._lines.feed(data):
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data = []
        return events
