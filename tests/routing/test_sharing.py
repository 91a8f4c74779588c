"""What is answered without being asked: with a twin under way, or from the cache."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.config.settings import (
    CacheSettings,
    LLMSettings,
    ProviderSettings,
    Settings,
)
from aiex_ipy.messages import Answer, Message, ModelRequest
from aiex_ipy.providers.fold import collect
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.router import Router
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply

SLOW = Reply(pieces=("one ", "two ", "three"), pause_s=0.1)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIEX_DATA_DIR", str(tmp_path))


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(SLOW) as server:
        yield server


def router_for(*servers: LoopbackServer, **llm: Any) -> Router:
    providers = {
        f"openai_compatible_{number}": ProviderSettings(
            name=f"openai_compatible_{number}",
            kind="openai_compatible",
            base_url=each.openai_url,
            model="m",
            priority=number,
        )
        for number, each in enumerate(servers, 1)
    }
    return Router(Settings(llm=LLMSettings(providers=providers, **llm)))


async def ask(router: Router, query: str = "same", **more: Any) -> Answer:
    def build(target: Target) -> ModelRequest:
        return ModelRequest(
            messages=(Message(role="user", content=query),), model=target.model, **more
        )

    return await collect(router.stream(build, Choice()))


def run(router: Router, *coroutines: Any) -> list[Any]:
    async def all_of() -> list[Any]:
        try:
            return await asyncio.gather(*coroutines, return_exceptions=True)
        finally:
            await router.aclose()

    found = asyncio.run(all_of())
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return found


def test_identical_requests_at_once_are_asked_once(server: LoopbackServer) -> None:
    """All get the whole answer; those that waited say so, and nothing is counted twice."""
    router = router_for(server)
    answers = run(router, *(ask(router) for _ in range(5)))
    assert {answer.text for answer in answers} == {"one two three"}
    assert len(server.asked) == 1
    notes = [answer.note for answer in answers if "identical request" in answer.note]
    assert len(notes) == 4
    totals = router.state.ledger.totals().all
    assert (totals.calls, totals.cached) == (5, 4)
    assert totals.output_tokens == answers[0].usage.output_tokens


def test_another_question_is_another_request(server: LoopbackServer) -> None:
    """Only what is the same in every byte is shared; a temperature asks for a draw of its own."""
    router = router_for(server)
    run(router, ask(router, "a"), ask(router, "b"), ask(router, "a", max_tokens=5))
    assert len(server.asked) == 3
    router = router_for(server)
    run(router, *(ask(router, temperature=0.7) for _ in range(3)))
    assert len(server.asked) == 6


def test_it_can_be_turned_off(server: LoopbackServer) -> None:
    """Who wants five answers to one question gets five."""
    router = router_for(server, deduplicate=False)
    run(router, *(ask(router) for _ in range(5)))
    assert len(server.asked) == 5


def test_when_the_first_is_cancelled_the_second_asks_itself(server: LoopbackServer) -> None:
    """Somebody else's Ctrl-C is nobody else's."""
    router = router_for(server)

    async def both() -> Answer:
        first = asyncio.create_task(ask(router))
        while not server.asked:
            await asyncio.sleep(0.01)
        second = asyncio.create_task(ask(router))
        await asyncio.sleep(0.05)
        first.cancel()
        return await second

    (answer,) = run(router, both())
    assert answer.text == "one two three"
    assert len(server.asked) == 2


def test_the_cache_answers_the_same_request_again(server: LoopbackServer) -> None:
    """Also for another process later; the answer says where it is from, and costs nothing."""
    cache = CacheSettings(enabled=True)
    router = router_for(server, cache=cache)
    run(router, ask(router))
    router = router_for(server, cache=cache)
    (answer,) = run(router, ask(router))
    assert answer.text == "one two three"
    assert len(server.asked) == 1
    assert "from the response cache, answered on" in answer.note
    assert answer.usage.output_tokens == 0
    router = router_for(server, cache=cache)
    run(router, ask(router, "another"))
    assert len(server.asked) == 2


def test_what_another_provider_answered_is_not_kept_for_the_first(server: LoopbackServer) -> None:
    """When the first is back it is asked."""
    with LoopbackServer(Raw(status=401, blocks=(b"{}",))) as first:
        cache = CacheSettings(enabled=True)
        router = router_for(first, server, cache=cache)
        (answer,) = run(router, ask(router))
        assert answer.provider == "openai_compatible_2"
        first.reply = lambda _: Reply(text="back")
        router = router_for(first, server, cache=cache)
        (answer,) = run(router, ask(router))
        assert answer.text == "back"


def test_an_interrupted_answer_is_not_kept(server: LoopbackServer) -> None:
    """The cache holds whole answers only."""
    from aiex_ipy.errors import InterruptedAnswerError

    cache = CacheSettings(enabled=True)
    server.replies = [Reply(pieces=("one ", "two"), cut_after=1)]
    router = router_for(server, cache=cache)
    with pytest.raises(InterruptedAnswerError):
        run(router, ask(router))
    server.reply = lambda _: Reply(text="whole")
    router = router_for(server, cache=cache)
    (answer,) = run(router, ask(router))
    assert answer.text == "whole"
