"""Equal providers share the work, and questions do not wait behind batch work; real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Settings
from aiex_ipy.messages import Message, ModelRequest
from aiex_ipy.providers.fold import collect
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.router import Router
from aiex_ipy.routing.state import RoutingState
from aiex_ipy.testing.loopback import LoopbackServer, Received
from aiex_ipy.testing.replies import Reply

pytestmark = pytest.mark.slow


def echo(pause_s: float) -> Callable[[Received], Reply]:
    """Return what answers each question with itself, after so long."""

    def reply(received: Received) -> Reply:
        return Reply(text=received.json["messages"][-1]["content"], first_pause_s=pause_s)

    return reply


def question(text: str) -> Callable[[Target], ModelRequest]:
    def build(target: Target) -> ModelRequest:
        return ModelRequest(
            messages=(Message(role="user", content=text),), model=target.model, max_tokens=10
        )

    return build


async def answer(router: Router, text: str, *, batch: bool = False) -> str:
    return (await collect(router.stream(question(text), Choice(batch=batch)))).text


def at(server: LoopbackServer, name: str, **more: int) -> ProviderSettings:
    return ProviderSettings(
        name=name, kind="openai_compatible", base_url=server.openai_url, model="m", **more
    )


def made(*instances: ProviderSettings) -> Settings:
    return Settings(llm=LLMSettings(providers={each.name: each for each in instances}))


PAUSES_S = (0.0, 0.05, 0.25)


@pytest.fixture
def three() -> Iterator[list[LoopbackServer]]:
    """Servers that answer at once, soon and late."""
    with ExitStack() as stack:
        servers = [stack.enter_context(LoopbackServer()) for _ in PAUSES_S]
        for server, pause_s in zip(servers, PAUSES_S, strict=True):
            server.reply = echo(pause_s)
        yield servers


def test_the_least_busy_of_equals_is_asked(three: list[LoopbackServer]) -> None:
    """Of 1,000 questions, twelve at a time, each server answers the more the faster it is; each
    question has its own answer."""

    async def run() -> list[str]:
        router = Router(made(*(at(server, f"s{n}", priority=1) for n, server in enumerate(three))))
        left = iter(range(1_000))
        found: dict[int, str] = {}

        async def asking() -> None:
            for number in left:
                found[number] = await answer(router, f"question {number}")

        try:
            await asyncio.gather(*(asking() for _ in range(12)))
        finally:
            await router.aclose()
        return [found[number] for number in range(1_000)]

    assert asyncio.run(run()) == [f"question {number}" for number in range(1_000)]
    instant, slower, slowest = (len(server.asked) for server in three)
    assert instant + slower + slowest == 1_000
    assert instant > slower > slowest > 0


def test_idle_equals_take_turns(three: list[LoopbackServer]) -> None:
    """Asked one after the other, three servers get a third each, however fast they are."""
    for server in three:
        server.reply = echo(0.0)
    three[2].reply = echo(0.005)

    async def run() -> None:
        router = Router(made(*(at(server, f"s{n}", priority=1) for n, server in enumerate(three))))
        try:
            for number in range(150):
                assert await answer(router, f"question {number}") == f"question {number}"
        finally:
            await router.aclose()

    asyncio.run(run())
    assert [len(server.asked) for server in three] == [50, 50, 50]


@pytest.mark.parametrize("slots", [1, 4])
def test_a_question_is_answered_before_waiting_batch_work(slots: int) -> None:
    """Two hundred pipeline steps wait for one provider; a question asked then does not, even
    where it answers only one at a time. The steps are all answered."""

    async def run(server: LoopbackServer) -> None:
        instance = at(server, "one", max_concurrent_requests=slots)
        state = RoutingState()
        router = Router(made(instance), state=state)
        try:
            steps = [
                asyncio.create_task(answer(router, f"step {number}", batch=True))
                for number in range(200)
            ]
            while state.standing(instance).in_flight < len(steps) or not server.asked:
                await asyncio.sleep(0.001)
            assert sum(step.done() for step in steps) < 20
            assert await answer(router, "question") == "question"
            assert sum(step.done() for step in steps) < 100
            assert await asyncio.gather(*steps) == [f"step {number}" for number in range(200)]
        finally:
            await router.aclose()

    with LoopbackServer() as server:
        server.reply = echo(0.005 * slots)
        asyncio.run(run(server))
        assert len(server.asked) == 201
