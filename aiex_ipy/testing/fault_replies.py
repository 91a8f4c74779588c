"""What a loopback server says where it shows a fault; `faults.py` tells which fault is which."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

from msgspec.structs import replace

from aiex_ipy.testing.replies import Raw, Reply, Wire
from aiex_ipy.testing.saying import LIFE, UNKNOWN, Saying

KEY = "sk-planted-0123456789abcdef"
"""The key of each request. Every server puts it into its words; it must appear nowhere."""

NEAR = "table-model-2"
"""The one model the server lists, when it does not know the one that is asked."""

PIECES = ("one ", "twö 🙂 ", "three")
TEXT = "".join(PIECES)
BEGUN = "".join(PIECES[:2])
JSON = '{"language": "python", "lines": 3}'
MEGABYTE = 1024 * 1024


def limit(**headers: str) -> Callable[[Saying], Raw]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    told = f"Too many requests for {KEY}."
    return lambda saying: saying.status(429, "rate_limit_error", told, named)


def status(status: int, kind: str = "server_error") -> Callable[[Saying], Raw]:
    told = f"Something is wrong with {KEY} here."
    return lambda saying: saying.status(status, kind, told)


def page(status: int) -> Callable[[Saying], Raw]:
    html = f"<!DOCTYPE html><html><body><h1>Sorry</h1><p>{KEY}</p></body></html>"
    headers = {"content-type": "text/html; charset=utf-8"}
    return lambda _: Raw(status=status, headers=headers, blocks=(html.encode(),))


def body(*blocks: bytes) -> Callable[[Saying], Raw]:
    return lambda _: Raw(blocks=blocks)


def unpaid(saying: Saying) -> Raw:
    told = f"You exceeded your current quota, {KEY}."
    if saying.wire == "openai":
        return saying.status(429, "insufficient_quota", told, code="insufficient_quota")
    return saying.status(400, "invalid_request_error", "Your credit balance is too low.")


def reset_second(saying: Saying) -> Reply | Raw:
    return Raw(head=False, end="reset") if saying.times == 1 else saying.reply


def error_event(saying: Saying) -> bytes:
    return saying.error_event("overloaded_error", f"Too busy for {KEY}.")


def error_inside(saying: Saying) -> Raw:
    if saying.streamed:
        return saying.raw(saying.opening(), error_event(saying))
    return saying.raw(saying.error("overloaded_error", f"Too busy for {KEY}."))


def error_after_words(saying: Saying) -> Raw:
    return saying.begun(2, error_event(saying))


def plain_error(saying: Saying) -> Raw:
    return saying.raw(f"event: error\ndata: upstream exploded, {KEY}\n\n".encode())


def bad_bytes(saying: Saying) -> Raw:
    return saying.raw(saying.data.replace(b"three", b"thr\xffee"))


def half_event(saying: Saying) -> Raw:
    return saying.begun(2, saying.deltas[2][:25])


def only_done(saying: Saying) -> Raw:
    return saying.raw(*saying.deltas, saying.end[-1])


def null_content(saying: Saying) -> Raw:
    if saying.streamed:
        return saying.raw(
            b'data: {"choices": [{"index": 0, "delta": {"content": null}, "finish_reason": null}]}'
            b"\n\n",
            *saying.end,
        )
    nulls: dict[Wire, bytes] = {
        "openai": b'{"choices": null}',
        "anthropic": b'{"type": "message", "content": null, "stop_reason": null}',
        "ollama": b'{"message": null, "done": true}',
    }
    return saying.raw(nulls[saying.wire])


def strange(saying: Saying) -> Raw:
    """JSON of no form we know, where an answer should be."""
    if saying.streamed:
        start = saying.opening() if saying.wire == "anthropic" else b""
        return saying.raw(start, UNKNOWN[saying.wire], *saying.end)
    return saying.raw(b'{"hello": [1, 2]}')


def cut_json(saying: Saying) -> Reply:
    return replace(saying.reply, pieces=(JSON[:10], JSON[10:20]), finish="length")


def more_room(saying: Saying) -> Reply:
    return replace(saying.reply, pieces=(JSON,)) if saying.times else cut_json(saying)


def silence(saying: Saying) -> Raw:
    return saying.begun(2, end="silence")


def alive(saying: Saying) -> Raw:
    """Signs of life for ever, and no word."""
    life = LIFE[saying.wire] if saying.streamed else b" "
    return saying.raw(for_ever=life, pause_s=0.02)


def alive_after_words(saying: Saying) -> Raw:
    return saying.begun(2, for_ever=LIFE[saying.wire], pause_s=0.02)


def no_start(saying: Saying) -> Raw:
    return saying.raw(saying.data.partition(b"\n\n")[2])


def twice(saying: Saying) -> Raw:
    return saying.raw(*saying.deltas, *saying.end, saying.deltas[2], *saying.end)


def delta_twice(saying: Saying) -> Raw:
    return saying.raw(saying.with_extra(2, saying.deltas[1]))


def giant(megabytes: int) -> Callable[[Saying], Raw]:
    """An event, or a body, of so many megabytes, most of which nobody reads."""

    def say(saying: Saying) -> Raw:
        padding = b'{"padding": "%b",' % (b"x" * (megabytes * MEGABYTE))
        if saying.streamed:
            return saying.raw(saying.with_extra(0, UNKNOWN[saying.wire].replace(b"{", padding, 1)))
        return saying.raw(saying.data.replace(b"{", padding, 1))

    return say


def giant_later(saying: Saying) -> Raw:
    padding = b'{"padding": "%b",' % (b"x" * (17 * MEGABYTE))
    return saying.begun(2, UNKNOWN[saying.wire].replace(b"{", padding, 1))


def crlf(saying: Saying) -> Raw:
    return saying.raw(saying.data.replace(b"\n", b"\r\n"))


def split(saying: Saying) -> Raw:
    """In blocks of a few bytes, which end within characters and events."""
    return saying.rechunked(cycle((1, 2, 5)))


def redirect(location: str, status: int = 307) -> Callable[[Saying], Raw]:
    """A redirect, in which `{path}` and `{times}` are filled in."""

    def say(saying: Saying) -> Raw:
        there = location.format(path=saying.path, times=saying.times)
        return Raw(status=status, headers={"location": there}, blocks=(KEY.encode(),))

    return say


def redirect_once(saying: Saying) -> Reply | Raw:
    return saying.reply if saying.times else redirect("{path}?moved=1")(saying)


def no_model(saying: Saying) -> Raw:
    told = f"The model {saying.model!r} was not found for {KEY}."
    if saying.wire == "openai":
        return saying.status(404, "invalid_request_error", told, code="model_not_found")
    return saying.status(404, "not_found_error", told)


LONGEST = 8_000
"""Bytes of a request that is not too long."""


def too_long(saying: Saying) -> Raw:
    if saying.wire == "openai":
        told = "This model's maximum context length is 1000 tokens. Your messages"
        told += " resulted in 4000 tokens. Please reduce their length."
        return saying.status(400, "invalid_request_error", told, code="context_length_exceeded")
    told = "prompt is too long: 4000 tokens > 1000 maximum"
    if saying.wire == "ollama":
        told = "the input length exceeds the context length"
    return saying.status(400, "invalid_request_error", told)


def llama_too_long(saying: Saying) -> Raw:
    told = "the request exceeds the available context size, try increasing it"
    kind = "exceed_context_size_error"
    return saying.status(400, kind, told, n_prompt_tokens=4000, n_ctx=1000)


def shorter(saying: Saying) -> Reply | Raw:
    return too_long(saying) if saying.asked > LONGEST else saying.reply


def endless(saying: Saying) -> Raw:
    """Words for ever, or an answer in one piece that never comes."""
    if not saying.streamed:
        return Raw(head=False, end="silence")
    return saying.begun(1, for_ever=saying.deltas[1], pause_s=0.01)


def same(saying: Saying) -> Reply:
    return saying.reply


def reply(**changes: object) -> Callable[[Saying], Reply]:
    return lambda saying: replace(saying.reply, **changes)
