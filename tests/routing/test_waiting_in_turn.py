"""What happens while a request waits: at the gate, between attempts, behind a twin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.config.settings import (
    BudgetSettings,
    CacheSettings,
    LLMSettings,
    ProviderSettings,
    Secret,
    Settings,
)
from aiex_ipy.errors import BudgetError, ProviderError, RateLimitError, UnavailableError
from aiex_ipy.messages import Answer, Chunk, Message, ModelRequest
from aiex_ipy.providers.fold import collect
from aiex_ipy.providers.scripted import ScriptedProvider
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.router import Router
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIEX_DATA_DIR", str(tmp_path))


def instance(name: str, server: LoopbackServer | None = None, **more: Any) -> ProviderSettings:
    return ProviderSettings(
        name=name,
        kind="openai_compatible",
        base_url=server.openai_url if server else f"https://{name}.example/v1",
        api_key=Secret("k"),
        model="m",
        **more,
    )


def router_for(*instances: ProviderSettings, **llm: Any) -> Router:
    return Router(Settings(llm=LLMSettings(providers={i.name: i for i in instances}, **llm)))


async def ask(router: Router, query: str = "same", choice: Choice = Choice()) -> Answer:
    def build(target: Target) -> ModelRequest:
        return ModelRequest(messages=(Message(role="user", content=query),), model=target.model)

    return await collect(router.stream(build, choice))


def run(router: Router, *coroutines: Any) -> list[Any]:
    async def all_of() -> list[Any]:
        try:
            return await asyncio.gather(*coroutines, return_exceptions=True)
        finally:
            await router.aclose()

    return asyncio.run(all_of())


def test_a_budget_spent_while_others_waited_stops_them() -> None:
    """With one slot and a hundred in the queue, those behind the bound are refused, not asked."""
    with LoopbackServer(Reply(input_tokens=50, output_tokens=50)) as server:
        one = instance("one", server, max_concurrent_requests=1)
        router = router_for(one, budget=BudgetSettings(tokens=100))
        found = run(router, *(ask(router, f"question {number}") for number in range(20)))
        refused = [each for each in found if isinstance(each, BudgetError)]
        assert len(refused) >= 18
        assert len(server.asked) == 20 - len(refused)


def test_a_server_that_asks_to_be_left_alone_is_not_hit_by_the_queue() -> None:
    """The first hears of the wait, and all behind it hear of it from us."""
    limited = Raw(status=429, headers={"retry-after": "300"}, blocks=(b"{}",))
    with LoopbackServer(limited) as server:
        router = router_for(instance("one", server, max_concurrent_requests=1))
        found = run(router, *(ask(router, f"question {number}") for number in range(20)))
        assert all(isinstance(each, RateLimitError) for each in found)
        assert len(server.asked) == 1


def test_who_has_no_room_for_long_is_not_waited_for() -> None:
    """With a minute to wait at the first provider's gate, the second is asked at once."""
    with LoopbackServer() as first, LoopbackServer() as second:
        slow = instance("one", first, priority=1, requests_per_minute=1, burst_size=1)
        router = router_for(slow, instance("two", second, priority=2))
        found = run(router, *(ask(router, f"question {number}") for number in range(3)))
        assert sorted(each.provider for each in found) == ["one", "two", "two"]


def test_the_total_deadline_is_the_requests_own() -> None:
    """Four silent providers do not take four times as long: those for whom nothing is left are
    not asked."""
    silent = Reply(first_pause_s=30)
    with (
        LoopbackServer(silent) as a,
        LoopbackServer(silent) as b,
        LoopbackServer(silent) as c,
    ):
        instances = [
            instance(name, server, priority=number)
            for number, (name, server) in enumerate({"a": a, "b": b, "c": c}.items(), 1)
        ]
        router = router_for(*instances, total_timeout_ms=300)
        (error,) = run(router, ask(router))
        assert isinstance(error, UnavailableError)
        assert error.code == "total_timeout"
        assert [len(each.asked) for each in (a, b, c)] == [1, 0, 0]


def test_a_long_wait_with_a_503_is_for_the_next_provider() -> None:
    """As with a 429; and who asked for it is left alone until then."""
    busy = Raw(status=503, headers={"retry-after": "20"}, blocks=(b"{}",))
    with LoopbackServer(busy) as first, LoopbackServer() as second:
        router = router_for(instance("one", first, priority=1), instance("two", second, priority=2))
        found = run(router, ask(router, "a"))
        found += run(router, ask(router, "b"))
        assert [each.provider for each in found] == ["two", "two"]
        assert len(first.asked) == 1


def test_what_is_not_the_providers_fault_counts_in_mid_answer_neither() -> None:
    """Five answers broken off by a limit on the rate leave the circuit closed."""
    event = b'data: {"error": {"type": "rate_limit_error", "message": "slow down"}}\n\n'
    word = b'data: {"choices": [{"delta": {"content": "word"}}]}\n\n'
    cut = Raw(headers={"content-type": "text/event-stream"}, blocks=(word, event))
    with LoopbackServer(cut) as server:
        router = router_for(instance("one", server))
        for number in range(6):
            (error,) = run(router, ask(router, f"question {number}"))
            assert error.code == "interrupted"
        standing = router.state.standing(router.instance("one"))
        assert [each.state for each in standing.breakers.values()] == ["closed"]


def test_equals_take_turns_with_the_cache_on() -> None:
    """Looking into the cache does not send all to the first."""
    with LoopbackServer() as a, LoopbackServer() as b, LoopbackServer() as c:
        instances = [
            instance(name, server, priority=1) for name, server in {"a": a, "b": b, "c": c}.items()
        ]
        router = router_for(*instances, cache=CacheSettings(enabled=True))
        run(router, *(ask(router, f"question {number}") for number in range(30)))
        assert [len(each.asked) for each in (a, b, c)] == [10, 10, 10]


def test_a_kept_answer_needs_no_budget() -> None:
    """It costs nothing, so it is given though the budget is spent."""
    with LoopbackServer(Reply(input_tokens=50, output_tokens=60)) as server:
        router = router_for(
            instance("one", server),
            cache=CacheSettings(enabled=True),
            budget=BudgetSettings(tokens=100),
        )
        run(router, ask(router))
        (again,) = run(router, ask(router))
        assert isinstance(again, Answer)
        assert isinstance(run(router, ask(router, "another"))[0], BudgetError)
        assert len(server.asked) == 1


def test_a_kept_answer_is_given_though_its_provider_is_left_alone() -> None:
    """Nothing has to be waited for."""
    with LoopbackServer() as server:
        router = router_for(instance("one", server), cache=CacheSettings(enabled=True))
        run(router, ask(router))
        router.state.standing(router.instance("one")).cool("m", 300.0)
        (again,) = run(router, ask(router))
        assert isinstance(again, Answer)
        (error,) = run(router, ask(router, "another"))
        assert isinstance(error, RateLimitError)


def test_a_request_cancelled_between_attempts_is_on_the_ledger() -> None:
    """What was asked is counted, whenever the user loses patience."""
    with LoopbackServer(Raw(status=503, blocks=(b"{}",))) as server:
        router = router_for(instance("one", server))

        async def impatient() -> None:
            task = asyncio.create_task(ask(router))
            while not server.asked:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # in the pause before the second attempt
            task.cancel()
            await task

        run(router, impatient())
        totals = router.state.ledger.totals().all
        assert totals.calls == 1
        assert totals.attempts == len(server.asked) == 1


def test_attempts_on_the_ledger_are_those_the_server_saw() -> None:
    """An empty answer and then a whole one is one call of two attempts."""
    with LoopbackServer() as server:
        said = iter((Reply(text=""), Reply(text="now")))
        server.reply = lambda _: next(said)
        router = router_for(instance("one", server))
        run(router, ask(router))
        totals = router.state.ledger.totals().all
        assert (totals.calls, totals.attempts) == (1, 2)


class Broken(ScriptedProvider):
    """A provider of another package with a fault of its own."""

    async def _fails(self) -> AsyncGenerator[Chunk, None]:
        raise KeyError("boom")
        yield

    def stream(self, request: ModelRequest, /) -> AsyncGenerator[Chunk, None]:
        return self._fails()


def test_a_fault_in_a_plugin_is_an_error_of_its_provider() -> None:
    """It is named, and the next provider is asked."""
    broken = Broken(ProviderSettings(name="one", kind="scripted"), Settings())
    fine = ScriptedProvider(
        ProviderSettings(name="two", kind="scripted"), Settings(), script=["ok"]
    )
    providers = {"one": instance("one", priority=1), "two": instance("two", priority=2)}
    router = Router(
        Settings(llm=LLMSettings(providers=providers)), providers={"one": broken, "two": fine}
    )
    answer, error = run(router, ask(router), ask(router, "b", Choice(provider="one")))
    assert (answer.text, answer.provider) == ("ok", "two")
    assert isinstance(error, ProviderError)
    assert "boom" in str(error)


def test_a_provider_named_in_the_call_has_its_own_fallbacks() -> None:
    """Who wrote them down meant them; nobody else is asked."""
    with LoopbackServer(Raw(status=401, blocks=(b"{}",))) as first, LoopbackServer() as second:
        router = router_for(
            instance("one", first, fallbacks=("two",)),
            instance("two", second),
            instance("three", second),
        )
        (answer,) = run(router, ask(router, choice=Choice(provider="one")))
        assert answer.provider == "two"
        assert "the fallback of 'one'" in answer.note


def test_a_local_default_keeps_what_a_task_asks_elsewhere_from_others() -> None:
    """The task's own provider is asked, then the one on this machine, and nobody after it."""
    local = ProviderSettings(name="ollama", kind="ollama", base_url="http://127.0.0.1:9")
    router = router_for(
        local,
        instance("named"),
        instance("stranger"),
        default_provider="ollama",
        tasks={"refactor": "named"},
    )

    async def order() -> list[str]:
        targets = await router.targets(Choice(task="refactor"))
        await router.aclose()
        return [target.provider for target in targets]

    assert asyncio.run(order()) == ["named", "ollama"]


def test_when_the_first_of_many_twins_is_cut_one_other_asks() -> None:
    """Not all of them at once."""
    said = iter(
        (Reply(pieces=("one ", "two"), cut_after=1, pause_s=0.1), *[Reply(pause_s=0.05)] * 9)
    )
    with LoopbackServer() as server:
        server.reply = lambda _: next(said)
        router = router_for(instance("one", server))
        found = run(router, *(ask(router) for _ in range(10)))
        assert sum(isinstance(each, Answer) for each in found) == 9
        assert len(server.asked) == 2


def test_a_probe_closes_the_circuit_with_its_first_words() -> None:
    """Nobody waits for the end of a long answer, nor after a refusal, which a dead server does
    not give."""
    from aiex_ipy.routing.breaker import Breaker

    now = [0.0]
    breaker = Breaker(clock=lambda: now[0])
    for _ in range(5):
        breaker.failed(breaker.enter() or 0, "It broke.")
    now[0] = 61.0
    probe = breaker.enter() or 0
    assert breaker.enter() is None and breaker.is_probed
    entry = breaker.alive(probe)
    assert breaker.state == "closed"
    breaker.failed(entry)
    assert (breaker.state, breaker.faults) == ("closed", 1)


def test_calls_under_way_are_held_against_the_budget() -> None:
    """Twenty at once do not spend a budget for five: what those under way are expected to use
    counts, and what one has cost is known of the next."""
    with LoopbackServer(Reply(input_tokens=50, output_tokens=50, first_pause_s=0.1)) as server:
        router = router_for(instance("one", server), budget=BudgetSettings(tokens=600))

        async def both() -> list[Any]:
            await ask(router, "the first")
            return await asyncio.gather(
                *(ask(router, f"question {number}") for number in range(20)),
                return_exceptions=True,
            )

        (found,) = run(router, both())
        refused = [each for each in found if isinstance(each, BudgetError)]
        assert 9 <= len(refused) <= 15
        assert router.state.ledger.totals().all.tokens < 1_200


def test_what_is_known_of_providers_does_not_grow_without_end() -> None:
    """Thousands of models and keys leave no more behind than can be of use."""
    router = router_for(instance("one"))
    breaker = router.settings.llm.circuit_breaker
    standing = router.state.standing(router.instance("one"))
    failing = standing.breaker("failing", breaker)
    failing.failed(failing.enter() or 0)
    for number in range(3_000):
        standing.breaker(f"model-{number}", breaker)
    assert len(standing.breakers) <= 200
    assert standing.breaker("failing", breaker).faults == 1
    for number in range(100):
        key = Secret(f"key-{number}")
        router.state.standing(ProviderSettings(name="one", kind="openai", api_key=key))
    assert len(router.state._standings) == 1


def test_a_cancelled_structured_answer_is_counted_too() -> None:
    """Nothing of it was shown, and yet it was written: half a thousand words are not nothing."""
    said = Reply(pieces=("word " * 20,) * 100, pause_s=0.02)
    with LoopbackServer(said) as server:
        router = router_for(instance("one", server))

        def build(target: Target) -> ModelRequest:
            return ModelRequest(
                messages=(Message(role="user", content="hi"),),
                response_schema={"type": "object"},
            )

        async def impatient() -> None:
            task = asyncio.create_task(collect(router.stream(build, Choice())))
            while not server.asked:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            task.cancel()
            await task

        run(router, impatient())
        assert router.state.ledger.totals().all.output_tokens > 20
