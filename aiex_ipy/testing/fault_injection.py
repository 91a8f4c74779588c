"""A loopback server's answers with faults put in by chance, the same for the same seed.

    injected = Injector("openai", seed=7)
    server.reply = injected.reply
    injected.whole["soak-12"]         # the texts said wholly to the question that has this mark
    injected.begun["soak-12"]         # and all that were begun

Each question carries a mark such as `soak-12`, or `soak-12 json` where it asks for JSON. What is
said to it, and which fault befalls it, depend on seed, wire, mark and how often it was asked, not
on time.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from aiex_ipy.testing.loopback import Received
from aiex_ipy.testing.replies import Raw, Reply, Wire, content_type, stream_blocks, whole_body

MARK = re.compile(rb"soak-\d+( json)?")
_WORDS = ("alpha", "βήτα", "naïve", "— dash", "\n", "```", "x = {'a': 1}", "🙂", "end.", "Ω", '"q"')
_LIFE: dict[Wire, bytes] = {
    "openai": b": keep-alive\n\n",
    "anthropic": b'event: ping\ndata: {"type": "ping"}\n\n',
    "ollama": b"\n",
}
_BROKEN: dict[Wire, bytes] = {
    "openai": b'data: {"choices": [{"delta"\n\n',
    "anthropic": b'event: content_block_delta\ndata: {"type": "content_bl\n\n',
    "ollama": b'{"message": {"content"\n',
}
_UNDECODABLE: dict[Wire, bytes] = {
    "openai": b": \xff\xfe\n\n",
    "anthropic": b": \xff\xfe\n\n",
    "ollama": b'{"created_at": "\xff\xfe"}\n',
}
_ERROR: dict[Wire, bytes] = {
    "openai": b'data: {"error": {"type": "server_error", "message": "broke"}}\n\n',
    "anthropic": b"event: error\ndata: "
    b'{"type": "error", "error": {"type": "overloaded_error", "message": "full"}}\n\n',
    "ollama": b'{"error": "the runner has stopped"}\n',
}


class Injector:
    """What one server says. `share` is the part of all questions that a fault befalls.

    `said` counts the faults by name. `forget` empties `whole` and `begun`.
    """

    def __init__(self, wire: Wire, *, seed: int, share: float = 0.4) -> None:
        self.whole: dict[str, set[str]] = defaultdict(set)
        self.begun: dict[str, set[str]] = defaultdict(set)
        self.said: Counter[str] = Counter()
        self._wire, self._seed, self._share = wire, seed, share
        self._asked: Counter[str] = Counter()

    def forget(self) -> None:
        """Let go of all that was said."""
        self.whole.clear()
        self.begun.clear()
        self._asked.clear()

    def reply(self, received: Received) -> Reply | Raw:
        """Return what is said to a question."""
        found = MARK.search(received.body)
        mark = found[0].decode() if found else "soak-0"
        asked = received.json
        streamed = bool(asked.get("stream", self._wire == "ollama"))
        self._asked[mark] += 1
        chance = Random(f"{self._seed} {self._wire} {mark} {self._asked[mark]}")  # noqa: S311
        pieces = self._pieces(chance, mark, as_json=mark.endswith("json"))
        saying = _Saying(self._wire, chance, pieces, asked.get("model", "m"), streamed)
        text = "".join(pieces)
        self.begun[mark].add(text)
        if chance.random() >= self._share:
            self.said["whole"] += 1
            self.whole[mark].add(text)
            return chance.choice((saying.whole, saying.slow, saying.rechunked))()
        fault = chance.choice(FAULTS)
        self.said[fault.__name__] += 1
        if fault in _HARMLESS:
            self.whole[mark].add(text)
        return fault(saying)

    def _pieces(self, chance: Random, mark: str, *, as_json: bool) -> tuple[str, ...]:
        words = [chance.choice(_WORDS) + " " for _ in range(chance.randint(1, 40))]
        start = f"{mark}/{self._wire}/{self._asked[mark]} "
        if not as_json:
            return (start, *words)
        text = msgspec.json.encode({"mark": start, "words": words}).decode()
        return tuple(text[at : at + 7] for at in range(0, len(text), 7))


class _Saying:
    """One answer, in the forms it can be said in."""

    def __init__(
        self, wire: Wire, chance: Random, pieces: tuple[str, ...], model: str, streamed: bool
    ) -> None:
        self.wire, self.chance, self.streamed = wire, chance, streamed
        self.said = Reply(pieces=pieces, output_tokens=len(pieces))
        if streamed:
            deltas, self.end = stream_blocks(wire, self.said, model)
        else:
            deltas, self.end = [whole_body(wire, self.said, model)], []
        self.deltas = deltas
        self.head = {"content-type": content_type(wire) if streamed else "application/json"}

    def whole(self) -> Reply:
        return self.said

    def slow(self) -> Reply:
        return msgspec.structs.replace(self.said, first_pause_s=self.chance.random() / 20)

    def rechunked(self, *, extra: bytes = b"") -> Raw:
        """The same bytes in blocks of any length, with more events somewhere in between."""
        at = self.chance.randint(1, len(self.deltas))
        data = b"".join([*self.deltas[:at], extra, *self.deltas[at:], *self.end])
        blocks = []
        while data:
            length = self.chance.randint(1, 200)
            blocks.append(data[:length])
            data = data[length:]
        return Raw(headers=self.head, blocks=tuple(blocks))

    def begun(self, **more: Any) -> Raw:
        """The answer up to somewhere before its last event."""
        if self.streamed:
            blocks = tuple(self.deltas[: self.chance.randint(0, len(self.deltas))])
        else:
            body = self.deltas[0]
            blocks = (body[: self.chance.randint(0, len(body) - 1)],)
        return Raw(headers=self.head, blocks=blocks, **more)

    def status(self, status: int, kind: str, message: str, **headers: str) -> Raw:
        body = msgspec.json.encode({"error": {"type": kind, "code": kind, "message": message}})
        return Raw(status=status, headers=_named(headers), blocks=(body,))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def limited(saying: _Saying) -> Raw:
    """429: soon, in a while that is worth another provider, or without a word on when."""
    soon = {"retry_after_ms": "50"}
    wait = saying.chance.choice((soon, soon, soon, {}, {}, {"retry_after": "6"}))
    return saying.status(429, "rate_limit_error", "too many requests", **wait)


def overloaded(saying: _Saying) -> Raw:
    """503 and 529."""
    status = saying.chance.choice((503, 529))
    return saying.status(status, "overloaded_error", "try again later")


def failing(saying: _Saying) -> Raw:
    """500, and a proxy's page with 502."""
    if saying.chance.random() < 0.5:
        return saying.status(500, "server_error", "it broke")
    page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
    return Raw(status=502, headers={"content-type": "text/html"}, blocks=(page,))


def refusing(saying: _Saying) -> Raw:
    """The caller's mistakes, as far as the server sees it."""
    status, kind = saying.chance.choice(
        ((400, "invalid_request_error"), (401, "authentication_error"), (404, "model_not_found"))
    )
    return saying.status(status, kind, "no")


def unpaid(saying: _Saying) -> Raw:
    return saying.status(429, "insufficient_quota", "no credit")


def redirecting(saying: _Saying) -> Raw:
    """To another place, which must not be given the prompt."""
    return Raw(status=307, headers={"location": "http://127.0.0.1:9/v1/elsewhere"})


def page(saying: _Saying) -> Raw:
    """A login page with 200."""
    return Raw(headers={"content-type": "text/html"}, blocks=(b"<html>log in</html>",))


def cut(saying: _Saying) -> Raw:
    """A clean end without the last event."""
    return saying.begun()


def reset(saying: _Saying) -> Raw:
    """A connection that breaks in mid-answer."""
    return saying.begun(end="reset")


def hung_up(saying: _Saying) -> Raw:
    """A connection that breaks before a word."""
    return Raw(headers=saying.head, end="reset")


def silent(saying: _Saying) -> Raw:
    """Silence in mid-answer, for good."""
    return saying.begun(end="silence")


def mute(saying: _Saying) -> Raw:
    """Silence from the beginning."""
    return Raw(headers=saying.head, end="silence")


def only_pings(saying: _Saying) -> Raw:
    """Signs of life without a word, for longer than anybody waits."""
    begun = saying.begun()
    life = (_LIFE[saying.wire],) * 200 if saying.streamed else (b" ",) * 200
    return Raw(headers=saying.head, blocks=begun.blocks[:2] + life, pause_s=0.05, end="silence")


def error_inside(saying: _Saying) -> Raw:
    """An error event inside a stream with status 200."""
    begun = saying.begun()
    return Raw(headers=saying.head, blocks=(*begun.blocks, _ERROR[saying.wire]))


def empty(saying: _Saying) -> Reply:
    return Reply(pieces=(), output_tokens=0)


def broken_event(saying: _Saying) -> Raw:
    """One more event, whose JSON is none: to be skipped."""
    return saying.rechunked(extra=_BROKEN[saying.wire] if saying.streamed else b"")


def undecodable(saying: _Saying) -> Raw:
    """Bytes that are no UTF-8 where nothing is said."""
    return saying.rechunked(extra=_UNDECODABLE[saying.wire] if saying.streamed else b"")


def said_twice(saying: _Saying) -> Raw:
    """The last event comes twice."""
    return Raw(headers=saying.head, blocks=(*saying.deltas, *saying.end, *saying.end[-2:]))


FAULTS: tuple[Callable[[_Saying], Reply | Raw], ...] = (
    *(limited, overloaded, failing, refusing, unpaid, redirecting, page, cut, reset, hung_up),
    *(silent, mute, only_pings, error_inside, empty, broken_event, undecodable, said_twice),
)
_HARMLESS = {broken_event, undecodable, said_twice}
