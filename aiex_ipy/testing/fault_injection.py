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
from aiex_ipy.testing.replies import Raw, Reply, Wire
from aiex_ipy.testing.saying import BROKEN, LIFE, UNDECODABLE, Saying

MARK = re.compile(rb"soak-\d+( json)?")
_WORDS = ("alpha", "βήτα", "naïve", "— dash", "\n", "```", "x = {'a': 1}", "🙂", "end.", "Ω", '"q"')


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
        said = Reply(pieces=pieces, output_tokens=len(pieces))
        saying = _Chance(chance, self._wire, said, asked.get("model", "m"), streamed)
        text = "".join(pieces)
        self.begun[mark].add(text)
        if chance.random() >= self._share:
            self.said["whole"] += 1
            self.whole[mark].add(text)
            return chance.choice((saying.whole, saying.slow, saying.in_blocks))()
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


class _Chance(Saying):
    """One answer, in the forms it can be said in by chance."""

    def __init__(
        self, chance: Random, wire: Wire, reply: Reply, model: str, streamed: bool
    ) -> None:
        super().__init__(wire, reply, model, streamed=streamed)
        self.chance = chance

    def whole(self) -> Reply:
        return self.reply

    def slow(self) -> Reply:
        return msgspec.structs.replace(self.reply, first_pause_s=self.chance.random() / 20)

    def in_blocks(self, extra: bytes = b"") -> Raw:
        """The same bytes in blocks of any length, with more events somewhere in between."""
        data = self.with_extra(self.chance.randint(1, len(self.deltas)), extra)
        lengths = iter(lambda: self.chance.randint(1, 200), 0)
        return self.rechunked(lengths, data=data)

    def begun_somewhere(self, *then: bytes, **more: Any) -> Raw:
        """The answer up to somewhere before its last event."""
        if self.streamed:
            blocks = tuple(self.deltas[: self.chance.randint(0, len(self.deltas))])
        else:
            body = self.deltas[0]
            blocks = (body[: self.chance.randint(0, len(body) - 1)],)
        return self.raw(*blocks, *then, **more)

    def refused(self, status: int, kind: str, message: str, **headers: str) -> Raw:
        body = msgspec.json.encode({"error": {"type": kind, "code": kind, "message": message}})
        return Raw(status=status, headers=_named(headers), blocks=(body,))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def limited(saying: _Chance) -> Raw:
    """429: soon, in a while that is worth another provider, or without a word on when."""
    soon = {"retry_after_ms": "50"}
    wait = saying.chance.choice((soon, soon, soon, {}, {}, {"retry_after": "6"}))
    return saying.refused(429, "rate_limit_error", "too many requests", **wait)


def overloaded(saying: _Chance) -> Raw:
    """503 and 529."""
    status = saying.chance.choice((503, 529))
    return saying.refused(status, "overloaded_error", "try again later")


def failing(saying: _Chance) -> Raw:
    """500, and a proxy's page with 502."""
    if saying.chance.random() < 0.5:
        return saying.refused(500, "server_error", "it broke")
    page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
    return Raw(status=502, headers={"content-type": "text/html"}, blocks=(page,))


def refusing(saying: _Chance) -> Raw:
    """The caller's mistakes, as far as the server sees it."""
    status, kind = saying.chance.choice(
        ((400, "invalid_request_error"), (401, "authentication_error"), (404, "model_not_found"))
    )
    return saying.refused(status, kind, "no")


def unpaid(saying: _Chance) -> Raw:
    return saying.refused(429, "insufficient_quota", "no credit")


def redirecting(saying: _Chance) -> Raw:
    """To another place, which must not be given the prompt."""
    return Raw(status=307, headers={"location": "http://127.0.0.1:9/v1/elsewhere"})


def page(saying: _Chance) -> Raw:
    """A login page with 200."""
    return Raw(headers={"content-type": "text/html"}, blocks=(b"<html>log in</html>",))


def cut(saying: _Chance) -> Raw:
    """A clean end without the last event."""
    return saying.begun_somewhere()


def reset(saying: _Chance) -> Raw:
    """A connection that breaks in mid-answer."""
    return saying.begun_somewhere(end="reset")


def hung_up(saying: _Chance) -> Raw:
    """A connection that breaks before a word."""
    return saying.raw(end="reset")


def silent(saying: _Chance) -> Raw:
    """Silence in mid-answer, for good."""
    return saying.begun_somewhere(end="silence")


def mute(saying: _Chance) -> Raw:
    """Silence from the beginning."""
    return saying.raw(end="silence")


def only_pings(saying: _Chance) -> Raw:
    """Signs of life without a word, for longer than anybody waits."""
    begun = saying.begun_somewhere()
    life = LIFE[saying.wire] if saying.streamed else b" "
    return saying.raw(*begun.blocks[:2], for_ever=life, pause_s=0.05)


def error_inside(saying: _Chance) -> Raw:
    """An error event inside a stream with status 200."""
    return saying.begun_somewhere(saying.error_event("overloaded_error", "full"))


def empty(saying: _Chance) -> Reply:
    return Reply(pieces=(), output_tokens=0)


def broken_event(saying: _Chance) -> Raw:
    """One more event, whose JSON is none: to be skipped."""
    return saying.in_blocks(BROKEN[saying.wire] if saying.streamed else b"")


def undecodable(saying: _Chance) -> Raw:
    """Bytes that are no UTF-8 where nothing is said."""
    return saying.in_blocks(UNDECODABLE[saying.wire] if saying.streamed else b"")


def said_twice(saying: _Chance) -> Raw:
    """The last event comes twice."""
    return saying.raw(*saying.deltas, *saying.end, *saying.end[-2:])


FAULTS: tuple[Callable[[_Chance], Reply | Raw], ...] = (
    *(limited, overloaded, failing, refusing, unpaid, redirecting, page, cut, reset, hung_up),
    *(silent, mute, only_pings, error_inside, empty, broken_event, undecodable, said_twice),
)
_HARMLESS = {broken_event, undecodable, said_twice}
