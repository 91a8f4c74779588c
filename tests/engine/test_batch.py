"""Work in a loop says so, and questions of people go before it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Settings
from aiex_ipy.engine import functions
from aiex_ipy.engine.engine import Engine, use_engine
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

HELD = threading.Event()


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """A server that answers once `HELD` is set."""
    HELD.clear()
    with LoopbackServer() as server:

        def reply(_: object) -> Reply:
            HELD.wait(60)
            return Reply(text="ok")

        server.reply = reply
        yield server
        HELD.set()


@pytest.fixture
def engine(server: LoopbackServer) -> Iterator[Engine]:
    """The process's engine, for as long as a test: one request at a time."""
    instance = ProviderSettings(
        name="house",
        kind="openai_compatible",
        base_url=server.openai_url,
        model="m",
        max_concurrent_requests=1,
    )
    engine = Engine(
        Settings(llm=LLMSettings(default_provider="house", providers={"house": instance}))
    )
    before = use_engine(engine)
    yield engine
    use_engine(before)
    HELD.set()
    engine.close()


def test_a_question_overtakes_twenty_batch_requests(engine: Engine, server: LoopbackServer) -> None:
    """Twenty steps with `batch=True` wait for one place; the question asked last is the next to be
    sent after the one under way, and all are answered."""

    async def run() -> None:
        models = engine.models
        standing = models.state.standing(models.instance("house"))

        async def waiting(number: int) -> None:
            while standing.in_flight < number or not server.asked:
                await asyncio.sleep(0.005)

        steps = [
            asyncio.ensure_future(functions.ask_async(f"step {number}", batch=True))
            for number in range(20)
        ]
        await waiting(20)
        question = asyncio.ensure_future(functions.ask_async("question"))
        await waiting(21)
        HELD.set()
        answers = await asyncio.gather(question, *steps)
        assert [answer.text for answer in answers] == ["ok"] * 21

    asyncio.run(run())
    questions = [request.json["messages"][-1]["content"] for request in server.asked]
    assert len(questions) == 21
    (place,) = [at for at, asked in enumerate(questions) if "question" in asked]
    assert place == 1
