"""What servers say of waiting and of the length of a prompt: headers and words to numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

LONGEST_WAIT_S = 3600.0
"""The longest wait that is believed. A date years ahead is a server's clock that is wrong; after
an hour one request finds out."""

_SCALES = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the wait in seconds that the server asks for; None when it does not say.

    An HTTP date is taken against the response's own `Date`, so a wrong clock here does no harm.
    Source: RFC 9110, section 10.2.3; `retry-after-ms` as both vendors' SDKs read it.
    """
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * scale
        except (KeyError, ValueError):
            continue
        if seconds == seconds:  # "nan" is a float as well
            return _believed(seconds)
    until = _http_date(headers.get("retry-after", ""))
    return None if until is None else _from_now(until, headers.get("date", ""))


def hint_s(headers: Iterable[tuple[bytes, bytes]]) -> float:
    """Return how long nothing more may be asked, in seconds; 0 while something is left.

    `headers` are those of any answer, as they came. Of each limit of which 0 remains, the reset
    counts, and the latest of all. It costs a microsecond where no limit is used up.
    Source: OpenAI, "Rate limits in headers" (`x-ratelimit-remaining-requests`,
    `x-ratelimit-reset-requests: 6m0s`); Anthropic, "Rate limits: response headers"
    (`anthropic-ratelimit-requests-remaining`, `-reset` as RFC 3339).
    """
    used_up = [name for name, value in headers if value == b"0" and b"remaining" in name.lower()]
    if not used_up:
        return 0.0
    said = {name.lower(): value.decode("latin-1") for name, value in headers}
    resets = (said.get(name.lower().replace(b"remaining", b"reset"), "") for name in used_up)
    return max(_reset_s(reset, said.get(b"date", "")) for reset in resets)


class Lengths(NamedTuple):
    """What a server said of a prompt that is too long, in tokens; None where it did not."""

    limit: int | None = None
    prompt: int | None = None


_TOO_LONG = (
    r"prompt (?:is )?too long",
    r"maximum context length",
    r"context[ _](?:length|window|limit|size)\b[^.]*\bexceed",
    r"exceed\w*\b[^.]*\bcontext[ _](?:length|window|limit|size)\b",
    r"input (?:tokens?|token count|length)\b[^.]*\bexceed",
    r"context length of only",
)
_N = r"(\d[\d,_]*)"
_PAIRS = (
    # Prompt first, then the limit.
    rf"too long: {_N} tokens > {_N} maximum",  # Anthropic
    rf"context limit: {_N} \+ \d+ > {_N}",  # Anthropic, with max_tokens
    rf"request \({_N} tokens\) exceeds the available context size \({_N} tokens\)",  # llama.cpp
    rf"token count \({_N}\) exceeds the maximum number of tokens allowed \({_N}\)",  # Gemini
    rf"the first {_N} tokens .*context length of only {_N}",  # LM Studio
)
_LIMITS = (
    rf"maximum context length (?:is|of) {_N}",  # OpenAI, vLLM
    rf"(?:configured )?limit of {_N} tokens",  # OpenAI
)
_PROMPTS = (
    rf"\({_N} in the messages",  # OpenAI, with max_tokens
    rf"resulted in {_N} tokens",  # OpenAI
    rf"request has {_N} input tokens",  # vLLM
    rf"requested {_N} tokens in the messages",  # vLLM
    rf"prompt contains (?:at least )?{_N} (?:input )?tokens",  # vLLM
    rf"requested {_N} tokens",  # OpenAI, both together
)


def told_lengths(words: str) -> Lengths | None:
    """Return what `words` of a server tell of a prompt that is too long; None if it is not that.

    Servers without a code of their own for it have only the sentence. Source: the error texts of
    OpenAI, Anthropic, Gemini, vLLM, LM Studio and llama.cpp.
    """
    from re import IGNORECASE, search

    if not any(search(form, words, IGNORECASE) for form in _TOO_LONG):
        return None
    for form in _PAIRS:
        found = search(form, words, IGNORECASE)
        if found:
            return Lengths(prompt=_number(found[1]), limit=_number(found[2]))
    limits = (search(form, words, IGNORECASE) for form in _LIMITS)
    prompts = (search(form, words, IGNORECASE) for form in _PROMPTS)
    limit, prompt = (next((each[1] for each in some if each), "") for some in (limits, prompts))
    return Lengths(limit=_number(limit), prompt=_number(prompt))


def _number(digits: str) -> int | None:
    bare = digits.replace(",", "").replace("_", "")
    return int(bare) if bare and len(bare) < 12 else None


def _believed(seconds: float) -> float:
    return min(LONGEST_WAIT_S, max(0.0, seconds))


def _reset_s(reset: str, date: str) -> float:
    """Return the seconds of `1s`, `6m0s`, `120ms`, a plain number, or the time until a moment."""
    from re import findall, fullmatch

    if fullmatch(r"(\d+(\.\d+)?(ms|[smhd]))+", reset):
        parts = findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", reset)
        return _believed(sum(float(value) * _SCALES[unit] for value, unit in parts))
    if fullmatch(r"\d+(\.\d+)?", reset):
        # A moment since 1970, in seconds or in ms, is no length of time: whose clock it is read
        # from nobody says.
        seconds = float(reset)
        return _believed(seconds) if seconds <= 86_400 else 0.0
    try:
        return _from_now(datetime.fromisoformat(reset), date)
    except ValueError:
        return 0.0


def _from_now(until: datetime, date: str) -> float:
    from datetime import UTC

    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    now = _http_date(date) or datetime.now(UTC)
    return _believed((until - now).total_seconds())


def _http_date(text: str) -> datetime | None:
    """Return an HTTP date, in any of its three forms. Source: RFC 9110, section 5.6.7."""
    if not text:
        return None
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
