"""Identical requests under way share one answer, and nothing is left of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiex_ipy.config.settings import (
    CircuitBreakerSettings,
    LLMSettings,
    ProviderSettings,
    Secret,
    Settings,
)
from aiex_ipy.errors import InterruptedAnswerError, UnavailableError
from aiex_ipy.messages import (
    Chunk,
    Finish,
    Message,
    ModelRequest,
    Opened,
    TextDelta,
    ToolSpec,
    Usage,
)
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.reuse import NOTHING_SPENT, SHARED_NOTE, InFlight, cache_key, request_key
from aiex_ipy.routing.router import Router

REQUEST = ModelRequest(messages=(Message(role="user", content="hi"),), model="m")
OPENAI = ProviderSettings(name="openai", kind="openai", api_key=Secret("one"))
OTHERS = {
    "messages": (Message(role="user", content="ho"),),
    "model": "n",
    "max_tokens": 7,
    "temperature": 0.0,
    "stop": ("x",),
    "tools": (ToolSpec(name="t", description="", parameters={}),),
    "response_schema": {"type": "object"},
    "schema_name": "other",
}


@pytest.mark.parametrize("field", OTHERS)
def test_any_difference_makes_another_request(field: str) -> None:
    """What decides the answer is part of the key, each field of it."""
    other = msgspec.structs.replace(REQUEST, **{field: OTHERS[field]})
    assert request_key(OPENAI, other) != request_key(OPENAI, REQUEST)
    assert cache_key(OPENAI, other, Settings()) != cache_key(OPENAI, REQUEST, Settings())


def test_every_field_of_a_request_is_thought_of() -> None:
    """A field added to requests is either part of the key or named here as one that is not."""
    assert {*OTHERS, "stream", "within_s"} == set(ModelRequest.__struct_fields__)


def test_the_server_is_part_of_it_and_the_key_of_the_account_is_not() -> None:
    """Another name, address or kind is another request; key and way of sending are not."""
    same = msgspec.structs.replace(OPENAI, api_key=Secret("two"))
    for key in (request_key, lambda *asked: cache_key(*asked, Settings())):
        assert key(same, msgspec.structs.replace(REQUEST, stream=False)) == key(OPENAI, REQUEST)
        elsewhere = msgspec.structs.replace(OPENAI, base_url="http://127.0.0.1:1/v1")
        assert key(elsewhere, REQUEST) != key(OPENAI, REQUEST)
        assert key(msgspec.structs.replace(OPENAI, kind="ollama"), REQUEST) != key(OPENAI, REQUEST)
    assert b"one" not in (request_key(OPENAI, REQUEST) or b"")


def test_interactive_and_batch_requests_are_apart() -> None:
    """A question of a person does not wait for the answer to a pipeline's step."""
    assert request_key(OPENAI, REQUEST, batch=True) != request_key(OPENAI, REQUEST)


def test_draws_and_scripts_are_not_shared() -> None:
    """Who asks for a temperature above 0 asks for a draw of his own; scripts answer in order."""
    drawn = msgspec.structs.replace(REQUEST, temperature=0.7)
    scripted = ProviderSettings(name="scripted", kind="scripted")
    for instance, request in ((OPENAI, drawn), (scripted, REQUEST)):
        assert request_key(instance, request) is None
        assert cache_key(instance, request, Settings()) is None


def test_a_model_the_server_chooses_is_not_kept() -> None:
    """Ollama's last used model may be another one tomorrow; a vendor's default is a name."""
    unnamed = msgspec.structs.replace(REQUEST, model=None)
    ollama = ProviderSettings(name="ollama", kind="ollama")
    assert cache_key(ollama, unnamed, Settings()) is None
    assert request_key(ollama, unnamed) is not None
    own = msgspec.structs.replace(ollama, model="m")
    assert cache_key(own, unnamed, Settings()) == cache_key(ollama, REQUEST, Settings())
    for kind in ("openai", "anthropic", "embedded"):
        instance = ProviderSettings(name=kind, kind=kind)
        assert cache_key(instance, unnamed, Settings()) is not None


# Any interleaving: each request gets exactly one answer or named error. --------------------------


class Held:
    """A provider that answers, fails or hangs as a test says, word by word."""

    name = kind = "openai"
    prompt_budget_tokens = None

    def __init__(self) -> None:
        self.asked = 0
        self.waiting: list[asyncio.Future[str]] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        self.asked += 1
        number = self.asked
        yield Opened(provider=self.name, model="m")
        for part in ("one", "two"):
            told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self.waiting.append(told)
            try:
                end = await told
            finally:
                self.waiting.remove(told)
            if end == "fail" and part == "two":
                raise InterruptedAnswerError("It is cut.", partial="one")
            if end == "fail":
                raise UnavailableError("It is gone.", code="cut")
            yield TextDelta(f"{part} of {number} ")
        yield Finish(reason="stop", usage=Usage(input_tokens=1, output_tokens=1, cost_usd=0.5))

    async def aclose(self) -> None:
        """Nothing is held."""


def router_to(held: Held, in_flight: InFlight) -> Router:
    """A router that asks `held`, gives up at its first failure and never leaves it alone."""
    here = msgspec.structs.replace(OPENAI, base_url="http://127.0.0.1:9/v1")
    llm = LLMSettings(
        providers={"openai": here},
        max_retries=0,
        circuit_breaker=CircuitBreakerSettings(failure_threshold=1000),
    )
    router = Router(Settings(llm=llm), providers={"openai": held})  # type: ignore[dict-item]
    router.state.in_flight = lambda: in_flight  # type: ignore[method-assign]
    return router


async def asking(router: Router, question: str, got: list[Chunk]) -> None:
    """Ask, keeping what comes."""

    def build(target: Target) -> ModelRequest:
        return ModelRequest(messages=(Message(role="user", content=question),), model="m")

    async with aclosing(router.stream(build, Choice(provider="openai"))) as chunks:
        async for chunk in chunks:
            got.append(chunk)


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "go", "go", "fail", "cancel"]), st.integers(0, 5)),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_any_interleaving_gives_each_one_answer_or_its_error(
    steps: list[tuple[str, int]],
) -> None:
    """Whoever leads, fails, is cancelled or follows: one whole answer each or the error of its own
    question, and nothing is left under way."""

    async def play() -> None:
        in_flight, server = InFlight(), Held()
        router = router_to(server, in_flight)
        running: list[tuple[asyncio.Task[None], list[Chunk], str]] = []
        cancelled = set()

        async def settle() -> None:
            for _ in range(25):
                await asyncio.sleep(0)

        for action, number in steps:
            if action == "ask":
                key, got = f"key {number % 2}", list[Chunk]()
                work = asking(router, key, got)
                running.append((asyncio.create_task(work), got, key))
            elif action == "cancel" and running:
                task = running[number % len(running)][0]
                if task.cancel():
                    cancelled.add(task)
            elif action in ("go", "fail") and server.waiting:
                server.waiting[number % len(server.waiting)].set_result(action)
            await settle()
        while server.waiting:
            server.waiting[0].set_result("go")
            await settle()
        await asyncio.wait([task for task, _, _ in running] or [asyncio.create_task(settle())])
        for task, got, _ in running:
            if task.cancelled():
                assert task in cancelled
            elif task.exception() is not None:
                assert isinstance(task.exception(), UnavailableError | InterruptedAnswerError)
            else:
                kinds = Counter(type(chunk) for chunk in got)
                assert kinds[Opened] == kinds[Finish] == 1
                opened = got[0]
                assert isinstance(opened, Opened)
                text = "".join(c.text for c in got if isinstance(c, TextDelta))
                numbers = set(text.replace("one", " ").replace("two", " ").split())
                assert text.count("one of") == text.count("two of") == 1
                assert len(numbers - {"of"}) == 1, "the parts of one answer"
                if opened.note == SHARED_NOTE:
                    finish = got[-1]
                    assert isinstance(finish, Finish)
                    assert finish.usage == NOTHING_SPENT
        assert len(in_flight) == 0
        assert server.waiting == []

    asyncio.run(play())


def test_followers_share_what_the_first_got() -> None:
    """Twenty identical requests at once are one at the server, and nothing more is spent."""

    async def play() -> None:
        server = Held()
        router = router_to(server, InFlight())
        answers: list[list[Chunk]] = [[] for _ in range(20)]
        tasks = [asyncio.create_task(asking(router, "hi", got)) for got in answers]
        while not all(task.done() for task in tasks):
            for told in list(server.waiting):
                if not told.done():
                    told.set_result("go")
            await asyncio.sleep(0)
        assert server.asked == 1
        spent = [got[-1].usage.cost_usd for got in answers if isinstance(got[-1], Finish)]
        assert spent == [0.5] + [0.0] * 19

    asyncio.run(play())


def test_a_leader_that_hangs_is_not_waited_for_beyond_its_time() -> None:
    """The follower asks by itself when the leader's time is over; later ones share its answer."""

    async def play() -> None:
        in_flight = InFlight()
        lead = in_flight.lead(b"k")
        assert lead is not None
        lead.begun -= 600
        assert await in_flight.follow(b"k", 599) is None
        assert await in_flight.follow(b"another", 600) is None
        lead.leave()
        assert in_flight.lead(b"k") is not None

    asyncio.run(play())


def test_a_twin_that_named_the_provider_gets_no_other_ones_answer() -> None:
    """When the leader goes on to another provider, its follower asks the one it named itself."""

    async def play() -> None:
        first, second = Held(), Held()
        second.name = "openai_spare"
        router = router_to(first, InFlight())
        here = router.settings.llm.providers["openai"]
        here = msgspec.structs.replace(here, fallbacks=("openai_spare",))
        spare = msgspec.structs.replace(here, name="openai_spare", priority=200)
        llm = msgspec.structs.replace(
            router.settings.llm,
            default_provider="openai",
            providers={"openai": here, "openai_spare": spare},
        )
        both = {"openai": first, "openai_spare": second}
        router = Router(Settings(llm=llm), providers=both)  # type: ignore[arg-type]
        leader: list[Chunk] = []
        follower: list[Chunk] = []

        def build(target: Target) -> ModelRequest:
            return REQUEST

        async def lead() -> None:
            async with aclosing(router.stream(build, Choice())) as chunks:
                async for chunk in chunks:
                    leader.append(chunk)

        async def follow() -> None:
            async with aclosing(router.stream(build, Choice(provider="openai"))) as chunks:
                async for chunk in chunks:
                    follower.append(chunk)

        tasks = [asyncio.create_task(lead())]
        while not first.waiting:
            await asyncio.sleep(0)
        tasks.append(asyncio.create_task(follow()))
        for _ in range(25):
            await asyncio.sleep(0)
        first.waiting[0].set_result("fail")
        while not all(task.done() for task in tasks):
            for told in [*first.waiting, *second.waiting]:
                if not told.done():
                    told.set_result("go")
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert (first.asked, second.asked) == (2, 1)
        assert isinstance(leader[0], Opened) and isinstance(follower[0], Opened)
        assert follower[0].note != SHARED_NOTE

    asyncio.run(play())


@pytest.mark.parametrize("reason", ["refusal", "interrupted"])
def test_what_is_no_whole_answer_is_not_shared(reason: str) -> None:
    """A refusal or a cut answer is the leader's alone."""

    async def play() -> None:
        in_flight = InFlight()
        lead = in_flight.lead(b"k")
        assert lead is not None
        follower = asyncio.create_task(in_flight.follow(b"k", 600))
        await asyncio.sleep(0)
        lead.chunks += [Opened(provider="p", model="m"), TextDelta("x")]
        lead.chunks.append(Finish(reason=reason))  # type: ignore[arg-type]
        lead.share()
        assert await follower is None

    asyncio.run(play())
