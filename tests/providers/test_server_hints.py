"""What servers say of waiting and of lengths, in each of the forms they say it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.config.settings import Secret
from aiex_ipy.errors import ContextTooLongError
from aiex_ipy.providers.faults import Peer, from_status
from aiex_ipy.providers.server_hints import (
    LONGEST_WAIT_S,
    hint_s,
    retry_after_s,
    told_lengths,
)

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, LONGEST_WAIT_S),
        ({"retry-after": "99999999999"}, LONGEST_WAIT_S),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT", "date": DATE}, 30.0),
        ({"retry-after": "Sunday, 22-Nov-26 10:00:30 GMT", "date": DATE}, 30.0),
        ({"retry-after": "Sun Nov 22 10:00:30 2026", "date": DATE}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 09:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "Mon, 22 Nov 2100 10:00:00 GMT", "date": DATE}, LONGEST_WAIT_S),
        ({"retry-after": "Sun, 22 Nov 2020 10:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after_in_all_its_forms(headers, seconds):
    """Seconds, milliseconds and dates; a date is measured by the server's own clock, and no clock
    that is wrong makes anybody wait for years."""
    assert retry_after_s(headers) == seconds


@given(value=st.text(max_size=30), date=st.text(max_size=30))
def test_no_header_can_break_the_reading(value, date):
    """Whatever stands there, it is a wait within the bounds, or none."""
    waits = (
        retry_after_s({"retry-after": value, "date": date}),
        hint_s([(b"x-remaining", b"0"), (b"x-reset", value.encode()), (b"date", date.encode())]),
    )
    assert all(wait is None or 0.0 <= wait <= LONGEST_WAIT_S for wait in waits)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s"}, 0.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1s"}, 1.0),
        ({"X-RateLimit-Remaining-Tokens": "0", "X-RateLimit-Reset-Tokens": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m1.5s"}, 61.5),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"}, 7.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795341600"}, 0.0),
        ({"x-ratelimit-remaining-requests": "0"}, 0.0),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-22T10:00:09Z",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2026-11-22T10:00:30Z",
                "anthropic-ratelimit-output-tokens-remaining": "8000",
                "anthropic-ratelimit-output-tokens-reset": "2026-11-22T10:59:00Z",
                "date": DATE,
            },
            30.0,
        ),
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-11-22T09:00:00Z",
                "date": DATE,
            },
            0.0,
        ),
    ],
)
def test_a_limit_that_is_used_up_tells_when_it_is_filled_again(headers, seconds):
    """Both vendors tell it with every answer, so the next request need not be refused first."""
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert hint_s(raw) == pytest.approx(seconds)


WORDS = [
    ("prompt is too long: 210000 tokens > 200000 maximum", 200000, 210000),
    (
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease"
        " input length or `max_tokens` and try again",
        200000,
        190000,
    ),
    (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in"
        " 9000 tokens. Please reduce the length of the messages.",
        8192,
        9000,
    ),
    (
        "This model's maximum context length is 4097 tokens. However, you requested 5000 tokens"
        " (4000 in the messages, 1000 in the completion).",
        4097,
        4000,
    ),
    (
        "Input tokens exceed the configured limit of 272,000 tokens. Your messages resulted in"
        " 300,123 tokens.",
        272000,
        300123,
    ),
    (
        "the request exceeds the available context size. try increasing it",
        None,
        None,
    ),
    ("request (700 tokens) exceeds the available context size (512 tokens)", 512, 700),
    (
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        1048576,
        1200000,
    ),
    (
        "Trying to keep the first 5000 tokens when context the overflows. However, the model is"
        " loaded with context length of only 4096 tokens, which is not enough.",
        4096,
        5000,
    ),
    (
        "'max_tokens' is too large: 50. This model's maximum context length is 4096 tokens and"
        " your request has 4090 input tokens.",
        4096,
        4090,
    ),
]


@pytest.mark.parametrize(("words", "limit", "prompt"), WORDS)
def test_a_prompt_too_long_is_known_by_its_words(words, limit, prompt):
    """Half of the servers have no code for it; the numbers say how much to cut."""
    body = {"error": {"type": "invalid_request_error", "message": words}}
    peer = Peer(provider="p", label="it", base_url="http://h:1", model="m", secret=Secret(""))
    error = from_status(400, {}, body, peer)
    assert type(error) is ContextTooLongError
    assert (error.limit_tokens, error.prompt_tokens) == (limit, prompt)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "max_tokens: must be at least 1",
        "temperature exceeds 2",
        "Rate limit reached for requests per min. Limit 3, used 3.",
        "The file is too long.",
    ],
)
def test_other_complaints_are_not_taken_for_it(words):
    """A prompt is not cut because something else was wrong."""
    assert told_lengths(words) is None


@given(words=st.text(max_size=200))
def test_no_words_can_break_the_reading(words):
    """Whatever a server says."""
    told_lengths(words)
