"""How tokens and cost are told: estimates marked, the unknown never as nothing."""

from __future__ import annotations

import pytest

from aiex_ipy.messages import Answer, Usage
from aiex_ipy.render.answer import footer
from aiex_ipy.render.usage import of_calls, text
from aiex_ipy.routing.ledger import Call, Ledger, Spent
from aiex_ipy.routing.prices import Tariffs


@pytest.mark.parametrize(
    ("usage", "line"),
    [
        (Usage(), "m (p)"),
        (Usage(cost_usd=0.0), "m (p), free"),
        (Usage(input_tokens=9, output_tokens=4, cost_usd=0.0), "m (p), 9 + 4 tokens, free"),
        (Usage(input_tokens=9, output_tokens=4), "m (p), 9 + 4 tokens, cost unknown"),
        (
            Usage(input_tokens=9, output_tokens=4, cost_usd=0.0123),
            "m (p), 9 + 4 tokens, $0.0123",
        ),
        (
            Usage(input_tokens=9, output_tokens=4, cost_usd=2.0, estimated=True),
            "m (p), about 9 + 4 tokens, about $2.00",
        ),
        (
            Usage(input_tokens=9, output_tokens=4, cost_usd=0.0, estimated=True),
            "m (p), about 9 + 4 tokens, free",
        ),
    ],
)
def test_an_answers_footer_tells_tokens_and_cost(usage: Usage, line: str) -> None:
    """What the server counted, what is our estimate, and whether the cost is known."""
    answer = Answer(text="a", provider="p", model="m", finish="stop", usage=usage)
    assert footer(answer) == [line]


def test_a_process_is_told_by_model_and_in_sum() -> None:
    """A line each, then all; a single model needs no sum, and none is said so."""
    ledger = Ledger(Tariffs())
    assert text(ledger.totals()) == "This process has asked no model yet.\n"
    usage = Usage(input_tokens=100, output_tokens=50, cost_usd=0.5)
    ledger.add(Call(provider="p", model="m", usage=usage, latency_ms=30.4, first_token_ms=10.0))
    (line,) = text(ledger.totals()).splitlines()
    told = "p m 1 call, 100 + 50 tokens, $0.5000, median 30 ms, first word after 10 ms"
    assert " ".join(line.split()) == told
    guess = Usage(input_tokens=7, output_tokens=3, estimated=True)
    ledger.add(Call(provider="p", model="\x1b[2Jn", usage=guess, outcome="cancelled"))
    ledger.add(Call(provider="p", model="m", outcome="timeout"))
    lines = text(ledger.totals()).splitlines()
    assert "\x1b" not in lines[1]
    assert lines[2].startswith("all ")
    assert lines[2].endswith(
        "3 calls, 1 failed, 1 interrupted, 107 + 53 tokens (10 estimated), $0.5000 and 1 call of"
        " unknown cost"
    )


def test_unknown_cost_is_told_and_nothing_is_free() -> None:
    """Neither is shown as $0."""
    assert of_calls(Spent(calls=2, input_tokens=5, cost_usd=None, unpriced=2)) == (
        "2 calls, 5 + 0 tokens, cost unknown"
    )
    used = Spent(calls=2, cached=1, input_tokens=5, cost_usd=0.0)
    assert of_calls(used) == (
        "2 calls, 1 answered by the cache or an identical call, 5 + 0 tokens, free"
    )


@pytest.mark.parametrize(
    ("spent", "line"),
    [
        (Spent(calls=2, failed=2), "2 calls, 2 failed, nothing used"),
        (
            Spent(calls=1, cached=1),
            "1 call, 1 answered by the cache or an identical call, nothing used",
        ),
        (Spent(calls=1, failed=1, cost_usd=0.25), "1 call, 1 failed, 0 + 0 tokens, $0.2500"),
    ],
)
def test_a_call_that_used_nothing_is_not_called_free(spent: Spent, line: str) -> None:
    """A refused connection, or an answer from the cache, is no free model."""
    assert of_calls(spent) == line
