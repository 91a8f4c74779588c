"""Asked again, passed on, given up: what a failure before the first word leads to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aiex_ipy.config.settings import (
    BudgetSettings,
    LLMSettings,
    ProviderSettings,
    Secret,
    Settings,
)
from aiex_ipy.errors import (
    AiexError,
    BudgetError,
    ContextTooLongError,
    CredentialsError,
    InterruptedAnswerError,
    InvalidAnswerError,
    ProviderError,
    QuotaError,
    RateLimitError,
    UnavailableError,
)
from aiex_ipy.messages import Answer, Message, ModelRequest
from aiex_ipy.providers.fold import collect
from aiex_ipy.providers.scripted import ScriptedProvider
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.router import Router
from aiex_ipy.routing.state import RoutingState
from aiex_ipy.testing.conformance import SCHEMA
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply

DOWN = UnavailableError("It answered with status 503.", code="unavailable")
LIMITED = RateLimitError("Slow down.", retry_after_s=2.0)


class Time:
    """A clock that a sleep moves on, so that no test waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class Place:
    """A router over scripted providers, in virtual time, without chance."""

    def __init__(self, scripts: dict[str, list[Any]], **llm: Any) -> None:
        self.time = Time()
        self.state = RoutingState(clock=self.time.clock, sleep=self.time.sleep, random=lambda: 0.0)
        more: dict[str, dict[str, Any]] = llm.pop("instances", {})
        instances = {
            name: ProviderSettings(
                name=name,
                kind="openai_compatible",
                base_url=f"https://{name}.example/v1",
                api_key=Secret("k"),
                **{"priority": number, **more.get(name, {})},
            )
            for number, name in enumerate(scripts, 1)
        }
        settings = Settings(llm=LLMSettings(providers=instances, **llm))
        self.providers = {
            name: ScriptedProvider(
                ProviderSettings(name=name, kind="scripted"), Settings(), script=script
            )
            for name, script in scripts.items()
        }
        self.router = Router(settings, providers=self.providers, state=self.state)

    def ask(self, choice: Choice = Choice(), **request: Any) -> Answer:
        def build(target: Target) -> ModelRequest:
            given = {
                "messages": (Message(role="user", content="hi"),),
                "model": target.model,
                "max_tokens": target.max_tokens,
            }
            return ModelRequest(**{**given, **request})

        return asyncio.run(collect(self.router.stream(build, choice)))

    def asked(self, name: str) -> int:
        return len(self.providers[name].requests)


def test_a_passing_fault_is_asked_again_with_growing_waits() -> None:
    """Half a second, one, two: then there is an answer, and it took four attempts."""
    place = Place({"one": [DOWN, DOWN, DOWN, "four"]})
    assert place.ask().text == "four"
    assert place.time.slept == [0.5, 1.0, 2.0]


def test_after_three_retries_the_next_is_asked() -> None:
    """And the answer tells who failed before it."""
    place = Place({"one": [DOWN], "two": ["ok"]})
    answer = place.ask()
    assert (answer.text, place.asked("one"), place.asked("two")) == ("ok", 4, 1)
    assert "tried before: It answered with status 503" in answer.note


def test_given_up_it_says_how_often_was_asked() -> None:
    """Nobody thinks that it was tried once."""
    place = Place({"one": [DOWN]})
    with pytest.raises(UnavailableError, match=r"status 503\. Asked 4 times\.") as caught:
        place.ask()
    assert caught.value.attempts == 4


@pytest.mark.parametrize(
    "error",
    [
        CredentialsError("Refused."),
        QuotaError("Empty."),
        ProviderError("No such model.", code="model_not_found"),
        ProviderError("Bad.", code="bad_request"),
        UnavailableError("Certificate.", code="tls"),
    ],
    ids=lambda error: error.code,
)
def test_what_cannot_pass_is_not_asked_again(error: AiexError) -> None:
    """One attempt, then the next provider at once; alone, the error at once."""
    place = Place({"one": [error], "two": ["ok"]})
    assert place.ask().text == "ok"
    assert (place.asked("one"), place.time.slept) == (1, [])
    alone = Place({"one": [error]})
    with pytest.raises(type(error)):
        alone.ask()
    assert alone.asked("one") == 1


def test_a_short_wait_that_a_server_asks_for_is_obeyed() -> None:
    """Two seconds are waited, and the breaker does not count it."""
    place = Place({"one": [LIMITED, "ok"], "two": ["other"]})
    assert place.ask().text == "ok"
    assert place.time.slept == [2.0]
    (breaker,) = place.state.standing(place.router.instance("one")).breakers.values()
    assert breaker.faults == 0


def test_a_long_wait_is_for_the_next_provider_and_is_remembered() -> None:
    """Five minutes are not slept: who limits is left alone until then, and asked again after."""
    long = RateLimitError("Slow down.", retry_after_s=300.0)
    place = Place({"one": [long, "back"], "two": ["ok"]})
    assert place.ask().text == "ok"
    assert place.ask(Choice(task="other"), temperature=0.5).text == "ok"
    assert (place.asked("one"), place.time.slept) == (1, [])
    place.time.now += 301
    assert place.ask().text == "back"


def test_a_wait_beyond_the_budget_is_told_at_once() -> None:
    """With nobody else there the error names the wait, and nothing is slept."""
    place = Place({"one": [RateLimitError("Slow down.", retry_after_s=300.0)]})
    for times in (1, 1):
        with pytest.raises(RateLimitError) as caught:
            place.ask()
        assert caught.value.retry_after_s == pytest.approx(300.0)
        assert (place.asked("one"), place.time.slept) == (times, [])


def test_no_attempt_begins_outside_the_retry_budget() -> None:
    """However many retries are allowed."""
    place = Place({"one": [DOWN]}, max_retries=100, retry_budget_ms=3_000)
    with pytest.raises(UnavailableError):
        place.ask()
    assert place.time.slept == [0.5, 1.0]


def test_a_timeout_is_asked_again_only_where_nobody_else_is() -> None:
    """Thirty seconds more are worth it only then, and once."""
    late = UnavailableError("No first word within 30 s.", code="timeout")
    place = Place({"one": [late], "two": ["ok"]})
    assert place.ask().text == "ok"
    assert place.asked("one") == 1
    alone = Place({"one": [late]})
    with pytest.raises(UnavailableError):
        alone.ask()
    assert alone.asked("one") == 2


def test_an_empty_answer_is_asked_for_once_more() -> None:
    """A model that said nothing may say something."""
    empty = Answer(text="", provider="", model="", finish="stop")
    place = Place({"one": [empty, "now"], "two": ["other"]})
    assert place.ask().text == "now"


def test_a_prompt_that_is_too_long_is_cut_once_to_the_named_limit() -> None:
    """The second request fits what the server said; a third is not made."""
    too_long = ContextTooLongError("Too long.", limit_tokens=1_000, prompt_tokens=4_000)
    place = Place({"one": [too_long, "short enough"]})
    budgets: list[int | None] = []

    def build(target: Target) -> ModelRequest:
        budgets.append(target.prompt_budget_tokens)
        words = 4_000 if target.prompt_budget_tokens is None else target.prompt_budget_tokens // 2
        return ModelRequest(messages=(Message(role="user", content="word " * words),))

    answer = asyncio.run(collect(place.router.stream(build, Choice())))
    assert answer.text == "short enough"
    assert budgets[0] is None
    assert budgets[1] is not None and 500 < budgets[1] < 1_000
    again = Place({"one": [too_long]})
    with pytest.raises(ContextTooLongError, match="Asked 2 times"):
        asyncio.run(collect(again.router.stream(build, Choice())))
    assert again.asked("one") == 2


def test_json_cut_at_its_limit_is_asked_for_with_more_room_once() -> None:
    """Never half an answer: the limit grows unless the user set it."""
    cut = Answer(text='{"name": "a', provider="", model="", finish="length")
    place = Place({"one": [cut, '{"name": "a", "count": 1, "tags": []}']})
    with pytest.raises(InvalidAnswerError, match="token limit"):
        Place({"one": [cut]}).ask(response_schema=SCHEMA)
    place.ask(response_schema={"type": "object"})
    limits = [request.max_tokens for request in place.providers["one"].requests]
    assert limits == [4_000, 16_000]
    bounded = Place({"one": [cut]}, instances={"one": {"max_tokens": 100}})
    with pytest.raises(InvalidAnswerError):
        bounded.ask(response_schema=SCHEMA)
    assert bounded.asked("one") == 1


def test_after_five_faults_the_provider_is_left_alone_for_a_minute() -> None:
    """The next request goes to the other one without trying; then one probe closes the circuit."""
    place = Place({"one": [*[DOWN] * 5, "back"], "two": ["ok"]})
    for query in "abc":
        assert place.ask(messages=(Message(role="user", content=query),)).text == "ok"
    assert place.asked("one") == 5, "four by the first, one by the second, none by the third"
    place.time.now += 61
    assert place.ask().text == "back"
    (breaker,) = place.state.standing(place.router.instance("one")).breakers.values()
    assert breaker.state == "closed"


def test_alone_an_open_circuit_is_an_error_that_names_the_rest() -> None:
    """Nothing is sent, and the last fault is told."""
    place = Place({"one": [DOWN]})
    for _ in range(2):
        with pytest.raises(UnavailableError):
            place.ask()
    before = place.asked("one")
    with pytest.raises(UnavailableError, match=r"left alone for \d\d s more.*status 503") as caught:
        place.ask()
    assert caught.value.code == "circuit_open"
    assert place.asked("one") == before


def test_a_models_faults_are_its_own() -> None:
    """Another model of the same provider is still asked."""
    place = Place({"one": [*[DOWN] * 5, "small answers"]})
    for _ in range(2):
        with pytest.raises(UnavailableError):
            place.ask(Choice(provider="one", model="large"))
    assert place.ask(Choice(provider="one", model="small")).text == "small answers"


def test_a_refused_key_is_passed_over_from_then_on() -> None:
    """While another can be asked; who names it, asks it."""
    place = Place({"one": [CredentialsError("Refused.")], "two": ["ok"]})
    for query in "ab":
        assert place.ask(messages=(Message(role="user", content=query),)).text == "ok"
    assert place.asked("one") == 1
    with pytest.raises(CredentialsError):
        place.ask(Choice(provider="one"))
    assert place.asked("one") == 2


def test_named_fallbacks_come_right_after_their_provider() -> None:
    """Before others of the same priority."""
    place = Place(
        {"one": [CredentialsError("Refused.")], "two": ["two"], "three": ["three"]},
        instances={"one": {"fallbacks": ("three",)}},
    )
    answer = place.ask()
    assert answer.text == "three"
    assert "the fallback of 'one'" in answer.note


def test_a_task_has_its_own_provider_and_model() -> None:
    """`complete` goes to the small one, everything else to the usual one."""
    place = Place({"one": ["large"], "two": ["quick"]}, tasks={"complete": "two/tiny:1b"})
    assert place.ask(Choice(task="complete")).text == "quick"
    assert place.providers["two"].requests[0].model == "tiny:1b"
    assert place.ask(Choice(task="refactor")).text == "large"
    assert place.ask(Choice(task="complete", provider="one")).text == "large"


def test_a_cancelled_request_leaves_nothing() -> None:
    """No fault is counted, no slot is held, and the ledger knows that it was cancelled."""
    with LoopbackServer(Reply(pieces=("word ",) * 200, pause_s=0.05)) as server:
        instance = ProviderSettings(
            name="one",
            kind="openai_compatible",
            base_url=server.openai_url,
            model="m",
            max_concurrent_requests=1,
        )
        router = Router(Settings(llm=LLMSettings(providers={"one": instance})))

        def build(target: Target) -> ModelRequest:
            return ModelRequest(messages=(Message(role="user", content="hi"),))

        async def run() -> None:
            for _ in range(3):
                task = asyncio.create_task(collect(router.stream(build, Choice())))
                while not server.asked or server.open_connections == 0:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            await router.aclose()

        asyncio.run(run())
        standing = router.state.standing(instance)
        assert standing.in_flight == 0
        assert [each.faults for each in standing.breakers.values()] == [0]
        totals = router.state.ledger.totals()
        assert totals.all.interrupted == 3
        assert totals.all.estimated_tokens > 0
        assert server.wait_until(lambda: len(server.disconnects) == 3)


def test_a_cut_after_the_first_word_counts_and_is_not_asked_again() -> None:
    """Five of them open the circuit; each is told with its text."""
    with LoopbackServer(Reply(pieces=("one ", "two"), cut_after=1)) as server:
        instance = ProviderSettings(
            name="one", kind="openai_compatible", base_url=server.openai_url, model="m"
        )
        router = Router(Settings(llm=LLMSettings(providers={"one": instance})))

        def build(target: Target) -> ModelRequest:
            return ModelRequest(messages=(Message(role="user", content="hi"),))

        async def run() -> None:
            for _ in range(5):
                with pytest.raises(InterruptedAnswerError) as caught:
                    await collect(router.stream(build, Choice()))
                assert caught.value.partial == "one "
            with pytest.raises(UnavailableError, match="left alone"):
                await collect(router.stream(build, Choice()))
            await router.aclose()

        asyncio.run(run())
        assert len(server.asked) == 5


def test_the_state_outlives_changed_settings() -> None:
    """A router made anew of the same state knows whose circuit is open."""
    with LoopbackServer(Raw(status=503, blocks=(b"{}",))) as server:
        instance = ProviderSettings(
            name="one", kind="openai_compatible", base_url=server.openai_url, model="m"
        )
        made = Settings(llm=LLMSettings(providers={"one": instance}, max_retries=0))
        state = RoutingState()

        def build(target: Target) -> ModelRequest:
            return ModelRequest(messages=(Message(role="user", content="hi"),))

        async def ask() -> str:
            router = Router(made, state=state)
            try:
                await collect(router.stream(build, Choice()))
            except UnavailableError as error:
                return error.code
            finally:
                await router.aclose()
            return ""

        codes = [asyncio.run(ask()) for _ in range(6)]
        assert codes == ["unavailable"] * 5 + ["circuit_open"]
        assert len(server.asked) == 5


def test_a_spent_budget_stops_the_next_call() -> None:
    """Nothing is asked, and the error says what was spent."""
    place = Place({"one": ["four words of answer"]}, budget=BudgetSettings(tokens=10))
    place.ask(messages=(Message(role="user", content="a question of some length " * 3),))
    with pytest.raises(BudgetError, match="of 10 tokens"):
        place.ask()
    assert place.asked("one") == 1


def test_a_budget_of_money_needs_a_price() -> None:
    """Where no price is known the budget could not be kept, so nothing is asked; with one it is."""
    unknown = Place({"one": ["ok"]}, budget=BudgetSettings(cost_usd=1.0))
    with pytest.raises(BudgetError) as caught:
        unknown.ask()
    assert caught.value.code == "price_unknown"
    assert unknown.asked("one") == 0
    prices = {"input_usd_per_mtok": 100.0, "output_usd_per_mtok": 100.0}
    priced = Place({"one": ["ok"]}, budget=BudgetSettings(cost_usd=1.0), instances={"one": prices})
    answer = priced.ask()
    assert answer.usage.cost_usd is not None and answer.usage.cost_usd > 0
