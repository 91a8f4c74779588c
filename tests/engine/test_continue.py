"""An interrupted answer is told as one, kept with its text, and continued by a separate act."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import structs

import aiex
from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.engine.conversation import Conversation
from aiex_ipy.engine.engine import Engine, use_engine
from aiex_ipy.errors import InterruptedAnswerError, UnknownNameError, UsageError
from aiex_ipy.messages import Answer
from aiex_ipy.operations.analyze import AnalyzeRequest
from aiex_ipy.operations.ask import AskRequest
from aiex_ipy.operations.base import Text
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply

STALLED = Raw(
    blocks=tuple(
        b'data: {"model": "m", "choices": [{"index": 0, "delta": {"content": "%s"}}]}\n\n' % word
        for word in (b"Hello", b" from")
    ),
    headers={"content-type": "text/event-stream"},
    end="silence",
)
CUT = Reply(pieces=("Hello", " from", " far", " away"), cut_after=3)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def engine(server: LoopbackServer) -> Iterator[Engine]:
    """The process's own engine, which asks `server`."""
    provider = ProviderSettings(
        name="openai", kind="openai", base_url=server.openai_url, api_key=Secret("k"), model="m"
    )
    llm = LLMSettings(default_provider="openai", providers={"openai": provider}, max_retries=0)
    engine = Engine(Settings(llm=llm))
    before = use_engine(engine)
    yield engine
    use_engine(before)
    engine.close()


def say(server: LoopbackServer, *replies: Reply | Raw) -> None:
    """Have the next questions answered by these, the last one again and again."""
    left = list(replies)
    server.reply = lambda asked: left.pop(0) if len(left) > 1 else left[0]


def cut(query: str = "hi") -> InterruptedAnswerError:
    with pytest.raises(InterruptedAnswerError) as caught:
        aiex.ask(query)
    return caught.value


def test_an_interrupted_answer_is_named_as_one(engine: Engine, server: LoopbackServer) -> None:
    """Text so far, speaker and reason stand in the error's answer, which is not whole."""
    say(server, CUT)
    error = cut()
    answer = error.answer
    assert isinstance(answer, Answer)
    assert (answer.text, answer.finish, answer.complete) == ("Hello from far", "interrupted", False)
    assert (answer.provider, answer.model, answer.operation) == ("openai", "m", "ask")
    assert error.partial == answer.text
    assert error.reason
    assert "not whole" in answer.notices[0] and "cut after 14 characters" in answer.notices[0]
    assert "continue_answer" in str(error)
    assert "interrupted" in aiex.render(answer, "json")
    assert pickle.loads(pickle.dumps(error)).answer == answer
    assert copy.copy(error).answer == answer


def test_continuing_gives_one_answer_of_both_parts(engine: Engine, server: LoopbackServer) -> None:
    """The question is asked again with the text so far; the note says that it was continued."""
    say(server, CUT, Reply(text="from far away and near."))
    error = cut("where?")
    answer = aiex.continue_answer(error)
    assert answer.text == "Hello from far away and near."
    assert (answer.finish, answer.complete) == ("stop", True)
    assert "continued after 14 characters by m (openai), the answer to 'where?'" in answer.note
    first, second = (each.json["messages"] for each in server.asked)
    assert second[: len(first)] == first
    assert second[len(first)] == {"role": "assistant", "content": "Hello from far"}
    assert second[-1]["role"] == "user"
    with pytest.raises(UsageError, match="cannot be continued"):
        aiex.continue_answer(error)


@pytest.mark.parametrize("how", ["error", "answer", "last", "async"])
def test_it_is_named_by_error_or_answer_or_is_the_last(
    engine: Engine, server: LoopbackServer, how: str
) -> None:
    """Each way leads to the same; the asynchronous twin too."""
    say(server, CUT, Reply(text=" away."))
    error = cut()
    named: Any = {"answer": error.answer, "last": None}.get(how, error)
    if how == "async":
        answer = asyncio.run(aiex.continue_answer_async(named))
    else:
        answer = aiex.continue_answer(named)
    assert answer.text == "Hello from far away."


def test_an_answer_cut_at_its_limit_is_continued(engine: Engine, server: LoopbackServer) -> None:
    """`finish` "length" is no error, and can be gone on with."""
    say(server, Reply(text="one two", finish="length"), Reply(text="two three."))
    answer = aiex.ask("count")
    assert answer.finish == "length"
    assert aiex.continue_answer(answer).text == "one two three."
    say(server, Reply(text="whole"))
    with pytest.raises(UsageError, match="is whole"):
        aiex.continue_answer(aiex.ask("more"))


def test_one_interrupted_again_keeps_both_parts(engine: Engine, server: LoopbackServer) -> None:
    """The second interruption's text is all that was said, and it is continued in its turn."""
    again = Reply(pieces=("from", " far", " away", " and", " away"), cut_after=4)
    say(server, CUT, again, Reply(text="and near."))
    cut()
    with pytest.raises(InterruptedAnswerError) as caught:
        aiex.continue_answer()
    assert caught.value.partial == caught.value.answer.text == "Hello from far away and"
    assert aiex.continue_answer().text == "Hello from far away and near."
    with pytest.raises(UsageError, match="No answer"):
        aiex.continue_answer()


def test_a_failed_continuation_can_be_tried_again(engine: Engine, server: LoopbackServer) -> None:
    """Nobody answered: the text so far is not lost."""
    say(server, CUT, Raw(status=401), Reply(text=" away."))
    error = cut()
    with pytest.raises(aiex.AiexError):
        aiex.continue_answer(error)
    assert aiex.continue_answer(error, provider="openai").text == "Hello from far away."


def test_a_structured_answer_is_never_used_half(
    engine: Engine, server: LoopbackServer, tmp_path: Any
) -> None:
    """An analysis whose model was cut is the facts with a notice; nothing of it is continued."""
    code = tmp_path / "code.py"
    code.write_text("import os\n")
    say(server, Reply(pieces=('{"summary"', ": ", '"half', '"}'), cut_after=3))
    result = engine.run_sync(AnalyzeRequest(paths=(str(code),)))
    assert "half" not in aiex.render(result, "json")
    assert any("No model's judgement" in notice for notice in result.notices)
    with pytest.raises(UsageError, match="No answer"):
        aiex.continue_answer()


def test_an_answer_its_reader_ended_is_continued(engine: Engine, server: LoopbackServer) -> None:
    """The words up to the interrupt are the last cut answer, and are known for what they are."""
    say(server, STALLED)
    request = AskRequest(query="where?")
    job = engine.submit(request)
    words = 0
    for update in job:
        words += isinstance(update, Text)
        if words == 2:
            break
    job.cancel_and_wait()
    kept = engine.cut_answers.answer_of(request)
    assert kept is not None
    assert (kept.text, kept.finish, kept.reason) == ("Hello from", "interrupted", "cancelled")
    assert (kept.provider, kept.model, kept.complete) == ("openai", "m", False)
    assert kept.usage.estimated and kept.usage.output_tokens
    say(server, Reply(text=" from far away and near."))
    assert aiex.continue_answer().text == "Hello from far away and near."
    assert engine.cut_answers.answer_of(request) is None


def test_ended_before_its_first_word_it_leaves_nothing(
    engine: Engine, server: LoopbackServer
) -> None:
    """There is nothing to go on with, and an earlier cut answer is named as the earlier one."""
    say(server, CUT)
    cut("earlier")
    assert engine.cut_answers.earlier_question == ""
    say(server, Reply(first_pause_s=30))
    job = engine.submit(AskRequest(query="later"))
    assert server.wait_until(lambda: len(server.asked) == 2)
    job.cancel_and_wait()
    assert engine.cut_answers.earlier_question == "earlier"


def test_what_is_continued_is_named(engine: Engine, server: LoopbackServer) -> None:
    """An answer that was whole came between: the note says to what the continued one belongs."""
    say(server, CUT, Reply(text="whole"), Reply(text=" away."))
    cut("the first of them")
    aiex.ask("the second")
    assert engine.cut_answers.earlier_question == "the first of them"
    assert "'the first of them'" in aiex.continue_answer().note
    assert engine.cut_answers.earlier_question == ""


def test_a_provider_that_is_gone_leads_to_another(engine: Engine, server: LoopbackServer) -> None:
    """The error says how another provider goes on, and that one does."""
    say(server, CUT, Reply(text=" away."))
    settings = engine.settings
    house = structs.replace(settings.llm.providers["openai"], name="house")
    engine.configure(Settings(llm=structs.replace(settings.llm, providers={"house": house})))
    with pytest.raises(InterruptedAnswerError):
        aiex.ask("where?", provider="house")
    engine.configure(settings)
    with pytest.raises(UnknownNameError, match=r"continue --provider NAME .*\(provider=NAME\)"):
        aiex.continue_answer()
    assert aiex.continue_answer(provider="openai").text == "Hello from far away."


def test_a_turn_its_reader_ended_is_gone_on_with(engine: Engine, server: LoopbackServer) -> None:
    """It is not remembered until `resume` has the rest; what it used is counted."""
    say(server, STALLED)
    talk = Conversation(engine=engine)
    words = 0
    turn = talk.stream("where?")
    for item in turn:
        words += isinstance(item, Text)
        if words == 2:
            turn.close()
    assert (talk.history, talk.was_cut, talk.usage.interrupted) == ((), True, 1)
    say(server, Reply(text=" from far."))
    list(talk.resume())
    assert [message.content for message in talk.history] == ["where?", "Hello from far."]
    assert not talk.was_cut


def test_a_cut_turn_says_that_it_is_not_remembered(engine: Engine, server: LoopbackServer) -> None:
    """The error names the conversation's own way to go on; `repr` tells where it stands."""
    say(server, Reply(text="yes"), CUT)
    talk = Conversation(engine=engine)
    talk.ask("first")
    assert repr(talk).startswith("<Chat: general, 1 turn remembered, 1 call of ")
    with pytest.raises(InterruptedAnswerError, match=r"resume\(\).*this turn is not remembered"):
        talk.ask("second")
    assert repr(talk).endswith("cost unknown, the last answer was cut>")
    assert "\n" not in repr(talk)


@pytest.mark.parametrize("foreign", ["text", 3, ValueError("x")])
def test_what_is_no_cut_answer_is_a_named_error(engine: Engine, foreign: Any) -> None:
    """The kind of what was given is named."""
    with pytest.raises(UsageError, match=type(foreign).__name__):
        aiex.continue_answer(foreign)


def test_a_conversation_goes_on_with_its_cut_answer(engine: Engine, server: LoopbackServer) -> None:
    """The turn is remembered once, whole; before that it is not."""
    say(server, CUT, Reply(text=" away."), Reply(text="next"))
    talk = Conversation(engine=engine)
    with pytest.raises(UsageError, match="not cut"):
        list(talk.resume())
    with pytest.raises(InterruptedAnswerError):
        talk.ask("where?")
    assert talk.history == ()
    *_, answer = talk.resume()
    assert isinstance(answer, Answer)
    said = [(message.role, message.content) for message in talk.history]
    assert said == [("user", "where?"), ("assistant", "Hello from far away.")]
    talk.ask("and then?")
    assert [m["content"] for m in server.asked[-1].json["messages"][1:]] == [
        "where?",
        "Hello from far away.",
        "and then?",
    ]


def test_a_turn_cut_at_its_limit_is_replaced_by_the_whole(
    engine: Engine, server: LoopbackServer
) -> None:
    """It was remembered as it was; continued, it stands there whole, not twice."""
    say(server, Reply(text="one two", finish="length"), Reply(text=" three."))
    talk = Conversation(engine=engine)
    list(talk.stream("count"))
    list(talk.resume())
    assert [message.content for message in talk.history] == ["count", "one two three."]


def test_a_forgotten_conversation_has_nothing_to_go_on_with(
    engine: Engine, server: LoopbackServer
) -> None:
    """After `clear` the answer that was cut is not sent again."""
    say(server, CUT)
    talk = Conversation(engine=engine)
    with pytest.raises(InterruptedAnswerError):
        talk.ask("a secret topic")
    talk.clear()
    asked = len(server.asked)
    with pytest.raises(UsageError):
        list(talk.resume())
    assert len(server.asked) == asked


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(text="one two", finish="refusal"), "not whole: the vendor's filter stopped it."),
        (Reply(text="", finish="refusal", refusal="No."), "The model declined to answer. No."),
    ],
)
def test_a_filter_is_told_from_a_refusal(
    engine: Engine, server: LoopbackServer, reply: Reply, told: str
) -> None:
    """Words that came before it are an answer that was stopped; without any it was declined."""
    say(server, reply)
    (notice,) = aiex.ask("hi").notices
    assert notice.endswith(told)
