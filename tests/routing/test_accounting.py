"""What a call used, as it arrives from a real server: counted, priced, and held against budgets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from aiex_ipy.config.settings import BudgetSettings, LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.errors import AiexError, BudgetError, InterruptedAnswerError
from aiex_ipy.messages import Finish, Message, ModelRequest, TextDelta, Usage
from aiex_ipy.providers.chat_completions import ChatDecoder
from aiex_ipy.routing.choice import Choice
from aiex_ipy.routing.ledger import Totals
from aiex_ipy.routing.router import Router
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


def at(server: LoopbackServer, **more: Any) -> ProviderSettings:
    """An instance at the server; a token of input costs 1 USD and one of output 2, as set."""
    options = {
        "base_url": server.openai_url,
        "api_key": Secret("k"),
        "input_usd_per_mtok": 1e6,
        "output_usd_per_mtok": 2e6,
    }
    return ProviderSettings(name="openai", kind="openai", **{**options, **more})


def ask(
    instance: ProviderSettings,
    *,
    times: int = 1,
    budget: BudgetSettings | None = None,
    cancel: bool = False,
) -> tuple[list[Any], Totals]:
    """Ask one question several times; return what came of each, and the ledger's totals."""
    settings = Settings(
        llm=LLMSettings(
            default_provider=instance.name,
            providers={instance.name: instance},
            budget=budget or BudgetSettings(),
            max_retries=0,
            deduplicate=False,
        )
    )
    request = ModelRequest(messages=(Message(role="user", content="x" * 70),), model="big")

    async def once(router: Router) -> Any:
        try:
            async with aclosing(router.stream(lambda target: request, Choice())) as chunks:
                async for chunk in chunks:
                    if cancel and isinstance(chunk, TextDelta):
                        return chunk
        except AiexError as error:
            return error
        return chunk

    async def work() -> tuple[list[Any], Totals]:
        router = Router(settings)
        try:
            ends = [await once(router) for _ in range(times)]
            return ends, router.state.ledger.totals()
        finally:
            await router.aclose()

    return asyncio.run(work())


def test_tokens_and_cost_come_with_the_answer(server: LoopbackServer) -> None:
    """The server's counts at the user's prices, in the answer and in the totals alike."""
    server.reply = lambda *_: Reply(text="hello there", input_tokens=10, output_tokens=4)
    ends, totals = ask(at(server), times=3)
    for finish in ends:
        assert isinstance(finish, Finish)
        assert finish.usage == Usage(input_tokens=10, output_tokens=4, cost_usd=18.0)
    (row,) = totals.models
    assert (row.provider, row.model, row.calls) == ("openai", "big", 3)
    assert (totals.all.tokens, totals.all.cost_usd, totals.all.estimated_tokens) == (42, 54.0, 0)
    assert row.latency_ms is not None
    assert row.first_token_ms is not None


def test_a_budget_stops_before_the_server_is_asked(server: LoopbackServer) -> None:
    """The call that reaches it is answered, the next never leaves the process."""
    server.reply = lambda *_: Reply(text="hi", input_tokens=10, output_tokens=4)
    before = len(server.requests)
    ends, totals = ask(at(server), times=4, budget=BudgetSettings(cost_usd=20.0))
    assert [type(end) for end in ends] == [Finish, Finish, BudgetError, BudgetError]
    assert len(server.requests) - before == 2
    assert totals.all.calls == 2


def test_an_unpriced_server_is_not_asked_under_a_budget_of_cost(server: LoopbackServer) -> None:
    """Nobody can say what it costs, so it could go through any budget."""
    before = len(server.requests)
    unknown = at(server, input_usd_per_mtok=None, output_usd_per_mtok=None)
    (end,), _ = ask(unknown, budget=BudgetSettings(cost_usd=20.0))
    assert isinstance(end, BudgetError)
    assert end.code == "price_unknown"
    assert len(server.requests) == before
    server.reply = lambda *_: Reply(text="hi")
    (end,), totals = ask(unknown)
    assert end.usage.cost_usd is None
    assert (totals.all.cost_usd, totals.all.unpriced) == (None, 1)


def test_a_cut_answer_is_counted_by_estimate(server: LoopbackServer) -> None:
    """Words that were shown were paid for: they are estimated, marked and priced."""
    server.reply = lambda *_: Reply(text="one two three four five", cut_after=3)
    (end,), totals = ask(at(server))
    assert isinstance(end, InterruptedAnswerError)
    assert end.usage.estimated
    assert end.usage.input_tokens == 20  # 70 letters
    assert end.usage.output_tokens > 0
    assert end.usage.cost_usd == 20 + 2 * end.usage.output_tokens
    assert totals.all.interrupted == 1
    assert totals.all.estimated_tokens == totals.all.tokens == 20 + end.usage.output_tokens


def test_a_cancelled_answer_is_counted_by_estimate(server: LoopbackServer) -> None:
    """Stopping in mid-answer does not make what was said free."""
    server.reply = lambda *_: Reply(text="one two three four five")
    _, totals = ask(at(server), cancel=True)
    assert (totals.all.calls, totals.all.interrupted) == (1, 1)
    assert totals.all.estimated_tokens == totals.all.tokens > 20


def test_a_refused_call_used_nothing(server: LoopbackServer) -> None:
    """An error before the answer is a call that failed, without tokens and without cost."""
    server.reply = lambda *_: Raw(status=500)
    (end,), totals = ask(at(server))
    assert isinstance(end, AiexError)
    assert (totals.all.failed, totals.all.tokens, totals.all.cost_usd) == (1, 0, 0.0)


@pytest.mark.parametrize(
    ("details", "cached"),
    [
        ('{"cached_tokens": 6}', 6),
        ('{"cached_tokens": -1}', 0),
        ('{"cached_tokens": "many"}', 0),
        ("null", 0),
        ("[1]", 0),
        ("{}", 0),
    ],
)
def test_cached_input_is_read_where_the_server_tells(details: str, cached: int) -> None:
    """Input that the server still had is billed at less; nonsense there costs the answer
    nothing."""
    decoder = ChatDecoder()
    decoder.feed(
        b'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\n'
        b'data: {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 1,'
        b' "prompt_tokens_details": ' + details.encode() + b"}}\n\ndata: [DONE]\n\n"
    )
    finish = decoder.finish()
    assert finish is not None
    assert (finish.usage.input_tokens, finish.usage.cached_tokens) == (10, cached)
