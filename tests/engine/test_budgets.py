"""Conversations count what their turns used and stop before the turn after their budget."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator

import pytest
from msgspec import structs

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Settings
from aiex_ipy.engine.conversation import Conversation
from aiex_ipy.engine.engine import Engine
from aiex_ipy.engine.status import status_of
from aiex_ipy.errors import BudgetError, InterruptedAnswerError, UsageError
from aiex_ipy.messages import Answer, Chunk, ModelRequest, Opened, TextDelta, Usage
from aiex_ipy.operations.base import Text
from aiex_ipy.providers.scripted import ScriptedProvider
from aiex_ipy.routing.ledger import Call
from aiex_ipy.routing.router import Router
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

OWN = ProviderSettings(
    name="scripted", kind="scripted", input_usd_per_mtok=1e6, output_usd_per_mtok=1e6
)


class Cut(ScriptedProvider):
    """Every answer is cut after its first word."""

    async def stream(self, request: ModelRequest, /) -> AsyncGenerator[Chunk, None]:
        yield Opened(provider=self.name, model="m")
        yield TextDelta("one")
        raise InterruptedAnswerError(
            "Cut.", provider=self.name, model="m", reason="cut", partial="one"
        )


@pytest.fixture
def engine_of() -> Iterator[Callable[..., Engine]]:
    """Makes engines that say a script; each token costs a dollar."""
    made = []

    def make(*script: str, kind: type[ScriptedProvider] = ScriptedProvider) -> Engine:
        settings = Settings(
            llm=LLMSettings(default_provider="scripted", providers={"scripted": OWN})
        )
        provider = kind(OWN, settings, script=script)
        engine = Engine(settings, models=Router(settings, providers={"scripted": provider}))
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.close()


def test_a_conversation_counts_its_turns(engine_of: Callable[..., Engine]) -> None:
    """`usage` is the sum of the answers' usage; forgetting turns does not forget what they
    cost."""
    talk = Conversation(engine=engine_of("one", "two"))
    answers = [talk.ask("first"), talk.ask("second")]
    tokens = sum(
        (each.usage.input_tokens or 0) + (each.usage.output_tokens or 0) for each in answers
    )
    assert talk.usage.calls == 2
    assert talk.usage.tokens == tokens > 0
    talk.clear()
    assert talk.usage.calls == 2


def test_a_budget_of_tokens_stops_the_next_turn(engine_of: Callable[..., Engine]) -> None:
    """The turn that reaches it is answered; the next is refused before anything is asked."""
    engine = engine_of("one", "two")
    talk = Conversation(budget_tokens=1, engine=engine)
    assert talk.ask("first").text == "one"
    with pytest.raises(BudgetError, match="of 1 tokens in 1 call"):
        talk.ask("second")
    with pytest.raises(BudgetError):
        list(talk.stream("second"))
    assert [message.content for message in talk.history] == ["first", "one"]
    assert Conversation(engine=engine).ask("second").text == "two"


def answer(cost_usd: float | None, model: str = "m", provider: str = "scripted") -> Answer:
    usage = Usage(input_tokens=1, output_tokens=1, cost_usd=cost_usd)
    return Answer(text="a", provider=provider, model=model, finish="stop", usage=usage)


def test_a_budget_of_cost_stops_the_next_turn(engine_of: Callable[..., Engine]) -> None:
    """Sums of known costs count, and a cost that came too late for its answer is found out."""
    talk = Conversation(budget_usd=3.0, engine=engine_of())
    talk.request("q")
    talk.remember("q", answer(0.75))
    talk.request("q")
    talk.remember("q", answer(None))
    assert talk.usage.unpriced == 1
    talk.request("q")  # two tokens at a dollar each
    assert talk.usage.unpriced == 0
    talk.remember("q", answer(0.25))
    with pytest.raises(BudgetError, match=r"\$3\.00 of \$3\.00 in 3 calls"):
        talk.request("q")


def test_a_cost_that_stays_unknown_ends_a_conversation_with_a_budget(
    engine_of: Callable[..., Engine],
) -> None:
    """What an answer cost cannot be told: the budget could be broken without notice."""
    engine = engine_of()
    talk = Conversation(budget_usd=1.0, engine=engine)
    talk.remember("q", answer(None, provider="openai_compatible", model="gpt-6.2-sol"))
    with pytest.raises(BudgetError, match="'gpt-6.2-sol'") as caught:  # noqa: RUF043
        talk.request("q")
    assert caught.value.code == "price_unknown"
    free = Conversation(budget_tokens=100, engine=engine)
    free.remember("q", answer(None, provider="openai_compatible", model="gpt-6.2-sol"))
    free.request("q")


def test_a_model_of_unknown_price_is_not_asked_once_under_a_budget_of_cost() -> None:
    """The first turn is refused already, before the server hears of it; a budget of tokens and a
    price of one's own let it through."""
    with LoopbackServer(Reply(text="ok")) as server:
        gateway = ProviderSettings(
            name="house", kind="openai_compatible", base_url=server.openai_url, model="m"
        )
        priced = structs.replace(gateway, input_usd_per_mtok=1.0, output_usd_per_mtok=1.0)
        ends = []
        for instance, budget in (
            (gateway, {"budget_usd": 1.0}),
            (gateway, {"budget_tokens": 1000}),
            (priced, {"budget_usd": 1.0}),
        ):
            engine = Engine(
                Settings(llm=LLMSettings(default_provider="house", providers={"house": instance}))
            )
            talk = Conversation(engine=engine, **budget)  # type: ignore[arg-type]
            try:
                ends.append(talk.ask("q").text)
            except BudgetError as error:
                ends.append(error.code)
                assert "'m' of provider 'house'" in error.message
                assert server.asked == []
                with pytest.raises(BudgetError):
                    next(talk.stream("q"))
                assert server.asked == []
            finally:
                engine.close()
    assert ends == ["price_unknown", "ok", "ok"]


def test_an_interrupted_turn_is_counted(engine_of: Callable[..., Engine]) -> None:
    """Its words were paid for, though the turn is not remembered."""
    talk = Conversation(engine=engine_of("one two three", kind=Cut))
    for ask in (talk.ask, lambda query: list(talk.stream(query))):
        with pytest.raises(InterruptedAnswerError):
            ask("q")
    assert talk.history == ()
    assert talk.usage.interrupted == 2
    assert talk.usage.estimated_tokens == talk.usage.tokens > 0


@pytest.mark.parametrize("amount", [0, -1, float("nan"), float("inf"), True, "5"])
def test_a_budget_is_an_amount_above_zero(amount: object) -> None:
    """A conversation that could never be asked is refused when it is made."""
    for name in ("budget_usd", "budget_tokens"):
        with pytest.raises(UsageError, match=f"{name} is .* but must be a number above 0"):
            Conversation(**{name: amount})  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        Conversation(budget_tokens=1.5)  # type: ignore[arg-type]


def test_the_status_tells_what_the_process_used(engine_of: Callable[..., Engine]) -> None:
    """`ai_status()` and `aiex status` hold the totals and who is left alone."""
    engine = engine_of("one")
    before = status_of(engine)
    assert (before.usage.calls, before.states) == (0, ())
    state = engine.models.state
    usage = Usage(input_tokens=1, output_tokens=1, cost_usd=0.5)
    state.ledger.add(Call(provider="scripted", model="m", usage=usage))
    state.standing(OWN).failed = 1
    after = status_of(engine)
    assert after.usage == structs.replace(after.usage, calls=1, cost_usd=0.5)
    assert [each.name for each in after.states] == ["scripted"]


def test_a_turn_that_is_given_up_is_counted(engine_of: Callable[..., Engine]) -> None:
    """Leaving an answer in its midst leaves its tokens in the conversation's totals."""
    engine = engine_of("one two three four five")
    talk = Conversation(engine=engine)
    turn = talk.stream("hello")
    assert isinstance(next(item for item in turn if isinstance(item, Text)), Text)
    turn.close()  # type: ignore[attr-defined]
    assert talk.usage.calls == 1
    assert talk.usage.tokens == engine.models.state.ledger.totals().all.tokens > 0
    assert talk.history == ()
