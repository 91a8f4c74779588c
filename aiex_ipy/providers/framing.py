"""Bytes to frames, without I/O: server-sent events and newline-delimited JSON."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from aiex_ipy.providers.unreachable import TransportFault

T = TypeVar("T")

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""The most one event may hold; a larger one is a fault, not an answer."""


def decoded(data: bytes, decoder: msgspec.json.Decoder[T]) -> T | None:
    """Return the JSON of one event, or None when it is in no form we know.

    Invalid UTF-8 costs the event its bad bytes only; a byte order mark costs nothing.
    """
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return decoder.decode(data.decode("utf-8-sig", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return None


def is_json(data: bytes) -> bool:
    """Return whether `data` is JSON at all."""
    return decoded(data, _anything) is not None


class Lines:
    """Splits bytes, however they are cut, at LF or CRLF.

    `failure` is set once a line is too large: what came before it is given out all the same.
    """

    def __init__(self) -> None:
        self.failure: TransportFault | None = None
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
                self._rest, self._held = [], 0
                self.failure = _too_large()
        return [line[:-1] if line.endswith(b"\r") else line for line in ended]


class Events:
    """Takes the `data` of server-sent events out of bytes; other fields and comments are dropped.

    Both vendors name the event inside its data as well; only that of an error is looked at, whose
    data may be plain text: it becomes `{"error": …}`. `failure` is set once an event is too large.
    Source: HTML Standard, section 9.2.6; the field `error` is llama.cpp's.
    """

    def __init__(self) -> None:
        self.failure: TransportFault | None = None
        self._lines = Lines()
        self._data: list[bytes] = []
        self._held = 0
        self._is_error = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of each event that `data` completes."""
        events: list[bytes] = []
        for line in self._lines.feed(data):
            if line.startswith(b"data:"):
                if self._data:
                    self._held += len(line)
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line:
                if self._data:
                    events.append(self._ended())
                self._is_error = False
            elif line in _ERROR_EVENT:
                self._is_error = True
            elif line.startswith((b"error:", _BOM)):
                self._take_rare(line)
        if self._held > MAX_FRAME_BYTES:
            self._data, self._held = [], 0
            self.failure = _too_large()
        elif self._lines.failure is not None:
            self.failure = self._lines.failure
        return events

    def _ended(self) -> bytes:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data, self._held = [], 0
        return _as_error(data) if self._is_error else data

    def _take_rare(self, line: bytes) -> None:
        if line.startswith(b"error:"):
            self._data.append(line[6:].removeprefix(b" "))
            self._is_error = True
            return
        bare = line.removeprefix(_BOM)  # it may stand at the very beginning
        if bare.startswith(b"data:"):
            self._data.append(bare[5:].removeprefix(b" "))
        elif bare in _ERROR_EVENT:
            self._is_error = True


def _too_large() -> TransportFault:
    return TransportFault(
        "too_large",
        f"sent an event of more than {MAX_FRAME_BYTES // 1_048_576} MB",
        hint="Ask for less, or check the server.",
    )


def _as_error(data: bytes) -> bytes:
    """Return the data of an error event in the one form that all decoders know."""
    found = decoded(data, _anything)
    if isinstance(found, dict) and found.get("error"):
        return data
    said = found if isinstance(found, dict) and found else data.decode("utf-8", "replace")
    return msgspec.json.encode({"error": said})


_ERROR_EVENT = frozenset((b"event: error", b"event:error"))
_BOM = b"\xef\xbb\xbf"
_anything = msgspec.json.Decoder()
