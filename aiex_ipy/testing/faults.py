"""The faults a server can show, on each wire, streamed or not, and what must come of each.

`CATALOGUE` is data: what the loopback server does, how the request must end, how often is asked,
whether the next provider is. `fault_trials.py` tries them; `docs/reference/faults.md` and
`python -m benchmarks faults` show them. `row` is the number of the fault in that list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from aiex_ipy.errors import (
    AiexError,
    ContextTooLongError,
    CredentialsError,
    EmptyAnswerError,
    InterruptedAnswerError,
    InvalidAnswerError,
    ProtocolError,
    ProviderError,
    QuotaError,
    RateLimitError,
    UnavailableError,
)
from aiex_ipy.messages import FinishReason
from aiex_ipy.testing import fault_replies as say
from aiex_ipy.testing.fault_replies import BEGUN, JSON, NEAR, PIECES, TEXT
from aiex_ipy.testing.replies import Raw, Reply, Wire
from aiex_ipy.testing.saying import BROKEN, UNDECODABLE, UNKNOWN, WIRES, Saying

BACKOFF = (0.5, 1.0, 2.0)


class Outcome(Struct, frozen=True, kw_only=True):
    """How a request ends. `error` None is a whole answer of `text`; else `code` is the error's,
    `text` its partial text, and `reason` what interrupted it.

    `attempts` is how often the provider is asked when it is alone, after `waits` in seconds
    (without chance), and `beside` how often when there is another; `each` is the requests the
    server sees for each. `passes_on`: the other one is asked then. `counts`: each attempt is a
    fault of the provider's to the breaker. It is left alone for `cools_s`, and passed over while
    there is another if `marked`. `hint` stands in the error's hint. `first` is what the provider
    gives to the first request, where the router makes another of it.
    """

    error: type[AiexError] | None = None
    code: str = ""
    reason: str = ""
    text: str = TEXT
    finish: FinishReason = "stop"
    attempts: int = 1
    beside: int | None = None
    each: int = 1
    waits: tuple[float, ...] = ()
    passes_on: bool = True
    counts: bool = False
    cools_s: float = 0.0
    marked: bool = False
    hint: str = ""
    first: Outcome | None = None


class Fault(Struct, frozen=True, kw_only=True):
    """One fault. `streamed` and `whole` say what comes of it; None where it cannot be shown.

    `at` is what stands at the address, `act` what the caller does. `asks` is what is asked for:
    words, JSON, or words about a long text. `hurry` is the deadline that must be short, lest it
    takes long to show: for the first word, or for each next one.
    """

    row: int
    what: str
    say: Callable[[Saying], Reply | Raw]
    wires: tuple[Wire, ...]
    streamed: Outcome | None
    whole: Outcome | None
    at: Literal["server", "tls", "nobody", "no_name"] = "server"
    act: Literal["read", "twice", "two_loops", "cancel", "leave"] = "read"
    asks: Literal["words", "json", "much"] = "words"
    hurry: Literal["", "first", "next"] = ""


ANSWER = Outcome()
REFUSED = Outcome(finish="refusal", text="")
EMPTY = Outcome(error=EmptyAnswerError, code="empty_answer", text="", attempts=2, waits=(0.5,))
LATE = Outcome(
    error=UnavailableError,
    code="timeout",
    text="",
    attempts=2,
    beside=1,
    waits=(0.5,),
    counts=True,
)


def _again(code: str) -> Outcome:
    """A fault that may pass: three retries with growing waits, then the next provider."""
    return Outcome(
        error=UnavailableError, code=code, text="", attempts=4, waits=BACKOFF, counts=True
    )


def _once(error: type[AiexError], code: str) -> Outcome:
    """A fault that does not pass: the next provider at once."""
    return Outcome(error=error, code=code, text="")


def _limited(wait_s: float | None = None) -> Outcome:
    """A rate limit that asks for such a wait, or for none."""
    waits = BACKOFF if wait_s is None else (wait_s,) * 3
    limited = Outcome(error=RateLimitError, code="rate_limit", text="", attempts=4, waits=waits)
    return replace(limited, cools_s=wait_s or 0.0)


def _limited_long(wait_s: float) -> Outcome:
    """A rate limit that asks for more than anybody waits: told at once."""
    return replace(_limited(wait_s), attempts=1, waits=())


def _cut(reason: str) -> Outcome:
    """An answer that was begun: what came is kept, and nobody else is asked."""
    return Outcome(
        error=InterruptedAnswerError,
        code="interrupted",
        reason=reason,
        text=BEGUN,
        passes_on=False,
        counts=True,
    )


UNPAID = replace(_once(QuotaError, "quota"), marked=True)
AT_ONCE = replace(ANSWER, each=3)
"""A first question, a second one, and this once more."""
BAD_KEY = replace(_once(CredentialsError, "credentials"), marked=True)
NO_ANSWER = replace(_once(ProtocolError, "wrong_content"), counts=True)
TOO_LARGE = replace(_once(ProtocolError, "too_large"), counts=True)
TOO_LONG = replace(_once(ContextTooLongError, "context_too_long"), attempts=2)
CUT_JSON = Outcome(
    error=InvalidAnswerError, code="truncated", text=JSON[:20], attempts=2, passes_on=False
)


def _of(
    row: int,
    what: str,
    say: Callable[[Saying], Reply | Raw],
    both: Outcome | None = None,
    *,
    wires: tuple[Wire, ...] = WIRES,
    streamed: Outcome | None = None,
    whole: Outcome | None = None,
    at: Literal["server", "tls", "nobody", "no_name"] = "server",
    act: Literal["read", "twice", "two_loops", "cancel", "leave"] = "read",
    asks: Literal["words", "json", "much"] = "words",
    hurry: Literal["", "first", "next"] = "",
) -> Fault:
    return Fault(
        row=row,
        what=what,
        say=say,
        wires=wires,
        streamed=streamed or both,
        whole=whole or both,
        at=at,
        act=act,
        asks=asks,
        hurry=hurry,
    )


# What must come of it. The dates are those of a server whose clock is far off from ours.

_SOON = {"retry_after": "Sun, 22 Nov 2026 10:00:02 GMT", "date": "Sun, 22 Nov 2026 10:00:00 GMT"}
_CLOSED = Raw(head=False, end="close")
_EVENTS: tuple[Wire, ...] = ("openai", "anthropic")

CATALOGUE: tuple[Fault, ...] = (
    _of(1, "429, Retry-After: 1", say.limit(retry_after="1"), _limited(1)),
    _of(1, "429, retry-after-ms: 250", say.limit(retry_after_ms="250"), _limited(0.25)),
    _of(
        1,
        "429, Retry-After: 6, longer than another provider takes",
        say.limit(retry_after="6"),
        replace(_limited(6), beside=1),
    ),
    _of(1, "429 without Retry-After", say.limit(), _limited()),
    _of(2, "429, Retry-After as HTTP date, clocks apart", say.limit(**_SOON), _limited(2)),
    _of(
        3,
        "429, Retry-After: 300",
        say.limit(retry_after="300"),
        _limited_long(300),
    ),
    _of(
        4,
        "429, Retry-After in the past",
        say.limit(retry_after="Sun, 06 Nov 1994 08:49:37 GMT"),
        _limited(),
    ),
    _of(
        4,
        "429, Retry-After in 73 years",
        say.limit(retry_after="Sun, 22 Nov 2099 10:00:00 GMT"),
        _limited_long(3600),
    ),
    _of(5, "the account is empty", say.unpaid, UNPAID, wires=_EVENTS),
    _of(5, "402 Payment Required", say.status(402, "billing_error"), UNPAID),
    _of(6, "529 overloaded", say.status(529, "overloaded_error"), _again("overloaded")),
    _of(7, "500 with JSON", say.status(500), _again("unavailable")),
    _of(7, "503 with JSON", say.status(503), _again("unavailable")),
    _of(8, "502 with a page", say.page(502), _again("unavailable")),
    _of(
        9,
        "connection refused",
        say.same,
        replace(_once(UnavailableError, "connect"), each=0),
        at="nobody",
    ),
    _of(
        10,
        "unknown host name",
        say.same,
        replace(_again("dns"), beside=1, each=0, counts=False),
        at="no_name",
    ),
    _of(
        11,
        "self-signed certificate",
        say.same,
        replace(_once(UnavailableError, "tls"), each=0),
        at="tls",
    ),
    _of(
        12,
        "silence before the headers",
        lambda _: Raw(head=False, end="silence"),
        LATE,
        hurry="first",
    ),
    _of(12, "silence after the headers", lambda s: s.raw(end="silence"), LATE, hurry="first"),
    _of(
        13,
        "reset before the headers",
        lambda _: Raw(head=False, end="reset"),
        _again("cut"),
    ),
    _of(13, "closed before the headers", lambda _: _CLOSED, _again("cut")),
    _of(13, "a kept connection reset in the moment of use", say.reset_second, AT_ONCE, act="twice"),
    _of(13, "reset after the headers", lambda s: s.raw(end="reset"), _again("cut")),
    _of(14, "silence in mid-answer", say.silence, streamed=_cut("idle"), whole=LATE, hurry="next"),
    _of(
        15,
        "reset in mid-answer",
        lambda s: s.begun(2, end="reset"),
        streamed=_cut("cut"),
        whole=_again("cut"),
    ),
    _of(
        15,
        "closed in mid-answer",
        lambda s: s.begun(2, end="close"),
        streamed=_cut("cut"),
        whole=_again("cut"),
    ),
    _of(
        16,
        "clean end without the last event",
        lambda s: s.begun(2),
        streamed=_cut("stream_incomplete"),
    ),
    _of(16, "clean end within an event", say.half_event, streamed=_cut("stream_incomplete")),
    _of(
        16,
        "clean end before any word",
        lambda s: s.raw(s.opening()),
        streamed=_again("stream_incomplete"),
    ),
    _of(16, "[DONE] without a finish reason", say.only_done, streamed=ANSWER, wires=("openai",)),
    _of(17, "error event before any word", say.error_inside, _again("overloaded"), wires=_EVENTS),
    _of(
        17,
        "error event before any word",
        say.error_inside,
        _again("server_error"),
        wires=("ollama",),
    ),
    _of(
        17,
        "error event after words",
        say.error_after_words,
        streamed=_cut("overloaded"),
        wires=_EVENTS,
    ),
    _of(
        17,
        "error event after words",
        say.error_after_words,
        streamed=_cut("server_error"),
        wires=("ollama",),
    ),
    _of(
        18,
        "error event of plain text",
        say.plain_error,
        streamed=_again("server_error"),
        wires=_EVENTS,
    ),
    _of(19, "no UTF-8 within a word", say.bad_bytes, replace(ANSWER, text=f"{BEGUN}thr\ufffdee")),
    _of(
        19,
        "no UTF-8 beside the words",
        lambda s: s.raw(s.with_extra(1, UNDECODABLE[s.wire])),
        streamed=ANSWER,
    ),
    _of(
        20,
        "an event whose JSON is broken",
        lambda s: s.raw(s.with_extra(1, BROKEN[s.wire])),
        streamed=ANSWER,
    ),
    _of(
        20,
        "a last event whose JSON is broken",
        lambda s: s.begun(2, BROKEN[s.wire]),
        streamed=_cut("stream_incomplete"),
    ),
    _of(21, "no words", say.reply(pieces=()), EMPTY),
    _of(21, "blanks only", say.reply(pieces=(" ", "\n")), EMPTY),
    _of(21, "null where words should be", say.null_content, EMPTY, wires=("openai",)),
    _of(21, "null where words should be", say.null_content, whole=EMPTY, wires=("anthropic",)),
    _of(21, "null where words should be", say.null_content, whole=EMPTY, wires=("ollama",)),
    _of(21, "JSON of no known form", say.strange, EMPTY),
    _of(22, "200 with a page", say.page(200), NO_ANSWER),
    _of(22, "200 with broken JSON", say.body(b'{"half": ', say.KEY.encode()), NO_ANSWER),
    _of(22, "200 with nothing", say.body(), NO_ANSWER),
    _of(23, "token limit reached", say.reply(finish="length"), replace(ANSWER, finish="length")),
    _of(23, "JSON cut at the token limit", say.cut_json, CUT_JSON, asks="json"),
    _of(
        23,
        "JSON cut at the token limit, once",
        say.more_room,
        replace(ANSWER, text=JSON, attempts=2, first=CUT_JSON),
        asks="json",
    ),
    _of(
        24,
        "refusal",
        say.reply(pieces=(), finish="refusal", refusal="I will not."),
        REFUSED,
        wires=_EVENTS,
    ),
    _of(
        24,
        "content filter after words",
        say.reply(pieces=PIECES[:2], finish="refusal"),
        replace(REFUSED, text=BEGUN),
        wires=_EVENTS,
    ),
    _of(25, "signs of life without a word, for ever", say.alive, LATE, hurry="first"),
    _of(
        25,
        "signs of life after words, for ever",
        say.alive_after_words,
        streamed=_cut("idle"),
        hurry="next",
    ),
    _of(26, "no message_start", say.no_start, streamed=ANSWER, wires=("anthropic",)),
    _of(
        26,
        "an event nobody knows",
        lambda s: s.raw(s.with_extra(1, UNKNOWN[s.wire])),
        streamed=ANSWER,
    ),
    _of(27, "end and usage twice, words between", say.twice, streamed=ANSWER),
    _of(
        27,
        "a delta twice",
        say.delta_twice,
        streamed=replace(ANSWER, text=PIECES[0] + PIECES[1] * 2 + PIECES[2]),
    ),
    _of(28, "8 MB in one event", say.giant(8), ANSWER),
    _of(28, "17 MB in one event", say.giant(17), TOO_LARGE),
    _of(28, "17 MB in one event after words", say.giant_later, streamed=_cut("too_large")),
    _of(29, "CRLF between lines", say.crlf, streamed=ANSWER),
    _of(29, "in blocks that end within characters", say.split, ANSWER),
    _of(30, "redirect within the server", say.redirect_once, replace(ANSWER, each=2)),
    _of(30, "redirect in a circle", say.redirect("{path}"), _once(ProtocolError, "redirect")),
    _of(
        30,
        "redirect on and on",
        say.redirect("{path}?n={times}"),
        replace(_once(ProtocolError, "redirect"), each=4),
    ),
    _of(
        30,
        "redirect to another server",
        say.redirect("http://localhost:9{path}"),
        _once(ProtocolError, "redirect"),
    ),
    _of(
        30,
        "redirect that drops the question",
        say.redirect("{path}?moved", 302),
        _once(ProtocolError, "redirect"),
    ),
    _of(31, "401 bad key", say.status(401, "authentication_error"), BAD_KEY),
    _of(31, "403 not allowed", say.status(403, "permission_error"), BAD_KEY),
    _of(
        32,
        "404 unknown model",
        say.no_model,
        replace(_once(ProviderError, "model_not_found"), hint=NEAR),
    ),
    _of(33, "prompt too long", say.too_long, TOO_LONG, asks="much"),
    _of(
        33,
        "prompt too long, until cut",
        say.shorter,
        replace(ANSWER, attempts=2, first=TOO_LONG),
        asks="much",
    ),
    _of(
        33,
        "prompt too long for llama.cpp",
        say.llama_too_long,
        TOO_LONG,
        asks="much",
        wires=("openai",),
    ),
    _of(34, "the caller cancels", say.endless, Outcome(code="cancelled"), act="cancel"),
    _of(
        35,
        "the caller leaves without closing",
        say.endless,
        streamed=Outcome(code="left"),
        act="leave",
    ),
    _of(36, "one provider on two loops", say.same, replace(ANSWER, each=2), act="two_loops"),
)
