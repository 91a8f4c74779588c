"""The engine: facts first, one result, cancel, many at once, nothing left behind."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time

import pytest
from msgspec import structs

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Settings
from aiex_ipy.engine.conversation import Conversation
from aiex_ipy.engine.engine import Engine
from aiex_ipy.errors import (
    AiexError,
    EmptyAnswerError,
    EngineClosedError,
    ProviderError,
    UnavailableError,
    UnknownNameError,
    UsageError,
)
from aiex_ipy.messages import Answer
from aiex_ipy.operations.analyze import Analysis, AnalyzeRequest
from aiex_ipy.operations.ask import AskRequest
from aiex_ipy.operations.base import Facts, Speaking, Text
from aiex_ipy.operations.chat import ChatRequest
from aiex_ipy.providers.scripted import ScriptedProvider
from aiex_ipy.routing.router import Router

BAD = "import os\n\ndef run(code):\n    return eval(code)\n"


def engine_with(*script, pause_s=0.0, by_default=True):
    """An engine whose default provider says `script`; returns the provider too."""
    instance = ProviderSettings(name="scripted", kind="scripted")
    settings = Settings(
        llm=LLMSettings(
            default_provider="scripted" if by_default else "none",
            providers={"scripted": instance},
        )
    )
    provider = ScriptedProvider(instance, settings, script=script, pause_s=pause_s)
    engine = Engine(settings, models=Router(settings, providers={"scripted": provider}))
    return engine, provider


@pytest.fixture
def engine_of():
    """Makes engines and closes them at the end."""
    made = []

    def make(*script, **options):
        made.append(engine_with(*script, **options))
        return made[-1]

    yield make
    for engine, _ in made:
        engine.close()


@pytest.fixture
def bad_file(tmp_path):
    file = tmp_path / "bad.py"
    file.write_text(BAD)
    return str(file)


def judgement(**parts):
    return json.dumps({"summary": "Risky.", "issues": [], "recommendations": []} | parts)


def test_an_answer_names_who_spoke_and_comes_in_pieces(engine_of):
    """The words arrive as they are said, the speaker is named before, and the whole is last."""
    engine, _ = engine_of("one two three")
    items = list(engine.updates(AskRequest(query="count")))
    assert isinstance(items[0], Speaking)
    assert "".join(i.text for i in items if isinstance(i, Text)) == "one two three"
    assert len([i for i in items if isinstance(i, Text)]) == 3
    answer = items[-1]
    assert isinstance(answer, Answer)
    assert (answer.text, answer.provider, answer.complete) == ("one two three", "scripted", True)


def test_sync_and_async_give_the_same(engine_of):
    """`run_sync`, `await run` from another loop and `async for` over `stream` agree."""
    engine, _ = engine_of("same")

    async def both():
        streamed = [item async for item in engine.stream(AskRequest(query="q"))]
        return await engine.run(AskRequest(query="q")), streamed[-1]

    first, second = asyncio.run(both())
    third = engine.run_sync(AskRequest(query="q"))
    timeless = {"latency_ms": None, "first_token_ms": None}
    first, second, third = (structs.replace(each, **timeless) for each in (first, second, third))
    assert first == second == third


def test_facts_come_before_the_model_is_waited_for(engine_of, bad_file):
    """An analysis shows its facts first; the model's part comes with the result."""
    engine, _ = engine_of(judgement(), pause_s=0.05)
    stream = engine.updates(AnalyzeRequest(paths=(bad_file,)))
    first = next(stream)
    assert isinstance(first, Facts)
    assert first.result.quality_score is not None
    assert first.result.model is None
    *_, result = stream
    assert result.model == "scripted"
    assert result.judgement == "Risky."


def test_no_model_moves_the_score(engine_of, bad_file):
    """Whatever a model says, score, components and ledger are those of the facts."""
    flattery = judgement(summary="Perfect, 10/10!")
    doom = judgement(
        issues=[
            {
                "line": 4,
                "symbol": "run",
                "evidence": "return eval(code)",
                "message": "Everything is wrong.",
                "severity": "critical",
                "category": "security",
            }
        ]
    )
    results = []
    for script in ((flattery,), (doom,)):
        engine, _ = engine_of(*script)
        results.append(engine.run_sync(AnalyzeRequest(paths=(bad_file,))))
    bare, _ = engine_of(by_default=False)
    results.append(bare.run_sync(AnalyzeRequest(paths=(bad_file,))))
    assert len({(r.quality_score, str(r.components), r.ledger) for r in results}) == 1


def test_a_models_claims_are_confirmed_or_marked(engine_of, bad_file):
    """A claim that quotes the code is confirmed, a plausible false one is kept as unconfirmed."""
    said = [
        (4, "run", "return eval(code)", "Runs any code."),
        (2, "load", "pickle.loads(data)", "Unsafe pickle."),
    ]
    keys = ("line", "symbol", "evidence", "message")
    claims = [
        {**dict(zip(keys, claim, strict=True)), "severity": "high", "category": "security"}
        for claim in said
    ]
    engine, _ = engine_of(judgement(issues=claims))
    result = engine.run_sync(AnalyzeRequest(paths=(bad_file,)))
    marks = {i.message: i.confirmed for i in result.issues if i.source == "model"}
    assert marks == {"Runs any code.": True, "Unsafe pickle.": False}


def test_an_unusable_judgement_is_asked_for_once_more(engine_of, bad_file):
    """Nonsense where JSON was asked for gets one repair round, which may succeed."""
    engine, provider = engine_of("I like turtles.", judgement())
    result = engine.run_sync(AnalyzeRequest(paths=(bad_file,)))
    assert result.judgement == "Risky."
    assert len(provider.requests) == 2


def test_a_model_that_talks_nonsense_leaves_the_facts(engine_of, bad_file):
    """After the repair round the facts stand, with a notice; nothing is lost."""
    engine, provider = engine_of("I like turtles.")
    result = engine.run_sync(AnalyzeRequest(paths=(bad_file,)))
    assert result.quality_score is not None
    assert result.model is None
    assert any("judgement" in notice for notice in result.notices)
    assert len(provider.requests) == 2


def test_a_provider_named_in_the_call_that_fails_is_an_error(engine_of, bad_file):
    """Who names a provider wants that one: its failure is told as an error, not a notice."""
    engine, _ = engine_of(UnavailableError("It is down.", hint="Start it."))
    assert engine.run_sync(AnalyzeRequest(paths=(bad_file,))).notices
    with pytest.raises(ProviderError, match="It is down"):
        engine.run_sync(AnalyzeRequest(paths=(bad_file,), provider="scripted"))


def test_without_a_model_analysis_starts_no_thread(engine_of, bad_file):
    """Provider `none` analyzes in the calling thread; asking says what to set."""
    engine, _ = engine_of(by_default=False)
    before = threading.active_count()
    assert isinstance(engine.run_sync(AnalyzeRequest(paths=(bad_file,))), Analysis)
    assert threading.active_count() == before
    with pytest.raises(UnavailableError) as caught:
        engine.run_sync(AskRequest(query="hello"))
    assert caught.value.code == "no_provider"
    assert caught.value.exit_code == 3


def test_closing_the_updates_ends_the_request(engine_of):
    """Leaving the loop early closes the provider's stream within half a second."""
    engine, provider = engine_of("word " * 1000, pause_s=0.01)
    stream = engine.updates(AskRequest(query="talk"))
    for item in stream:
        if isinstance(item, Text):
            break
    stream.close()
    deadline = time.monotonic() + 2
    while not provider.cancelled and time.monotonic() < deadline:
        time.sleep(0.01)
    assert provider.cancelled == 1


def test_cancelling_an_awaiting_task_ends_the_request(engine_of):
    """Cancelling on the caller's own loop reaches the provider."""
    engine, provider = engine_of("word " * 1000, pause_s=0.01)

    async def give_up():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(engine.run(AskRequest(query="talk")), 0.2)

    asyncio.run(give_up())
    deadline = time.monotonic() + 2
    while not provider.cancelled and time.monotonic() < deadline:
        time.sleep(0.01)
    assert provider.cancelled == 1


def test_many_threads_share_one_engine(engine_of):
    """Twenty threads ask at once; each gets its own whole answer."""
    engine, _ = engine_of("a b c d e", pause_s=0.001)
    answers = []

    def ask():
        answers.append(engine.run_sync(AskRequest(query="q")).text)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["a b c d e"] * 20


def test_twenty_engines_leave_no_thread_behind():
    """Making, using and closing engines leaves the threads as they were."""
    before = set(threading.enumerate())
    for _ in range(20):
        engine, _ = engine_with("hi")
        engine.run_sync(AskRequest(query="q"))
        engine.close()
        engine.close()
    assert set(threading.enumerate()) == before


def test_a_closed_engine_says_so(engine_of):
    """Using an engine after `close` is a named error, not a hang."""
    engine, _ = engine_of("hi")
    engine.close()
    with pytest.raises(EngineClosedError):
        engine.run_sync(AskRequest(query="q"))


def test_new_settings_hold_from_the_next_request(engine_of):
    """`configure` changes the provider; a request under way keeps its own."""
    engine = Engine(engine_with("old")[0].settings)
    slow = ProviderSettings(name="scripted", kind="scripted", answers=("old " * 50,))
    engine.configure(
        Settings(llm=LLMSettings(default_provider="scripted", providers={"scripted": slow}))
    )
    job = engine.submit(AskRequest(query="q"))
    fresh = ProviderSettings(name="scripted", kind="scripted", answers=("new",))
    engine.configure(
        Settings(llm=LLMSettings(default_provider="scripted", providers={"scripted": fresh}))
    )
    assert engine.run_sync(AskRequest(query="q")).text == "new"
    assert job.result().text == "old " * 50
    engine.close()


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (AskRequest(query="  \n"), "empty_query"),
        (AskRequest(query="x" * 1_000_000), "query_too_long"),
        (ChatRequest(query=""), "empty_query"),
    ],
)
def test_a_useless_question_is_refused_before_any_model(engine_of, request_, code):
    """An empty or a one-megabyte question is a usage error; the provider is not asked."""
    engine, provider = engine_of("hi")
    with pytest.raises(UsageError) as caught:
        engine.run_sync(request_)
    assert caught.value.code == code
    assert not provider.requests


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"model": 5}, "The model is 5, but must be a text."),
        ({"model": ""}, "The model is '', but must be a name that is not empty."),
        ({"model": "a\x1b[31m"}, "The model is 'a\\x1b[31m', but must be a name without control"),
        ({"provider": 5}, "The provider is 5, but must be a name."),
        ({"provider": ""}, "The provider is '', but must be a name."),
    ],
)
def test_a_name_that_nobody_has_is_refused_before_any_model(engine_of, named, told):
    """From Python too, where a value of any type may come."""
    engine, provider = engine_of("hi")
    for ask in (engine.run_sync, lambda request: engine.submit(request).result()):
        with pytest.raises(UsageError) as caught:
            ask(AskRequest(query="q", **named))
        assert told in str(caught.value)
    assert not provider.requests


def test_an_unknown_provider_names_the_near_miss(engine_of):
    """A mistyped provider is told with the one that was meant."""
    engine, _ = engine_of("hi")
    with pytest.raises(UnknownNameError, match="scripted"):
        engine.run_sync(AskRequest(query="q", provider="scriptd"))


def test_a_model_that_says_nothing_is_an_error(engine_of):
    """No text is no success."""
    engine, _ = engine_of("")
    with pytest.raises(EmptyAnswerError):
        engine.run_sync(AskRequest(query="q"))


def test_context_is_a_path_if_it_exists_else_text(engine_of, bad_file):
    """A context that is a file goes in with its facts, any other text as it is."""
    engine, provider = engine_of("`run` uses `eval` and `sqlalchemy.text`.")
    answer = engine.run_sync(AskRequest(query="what?", context=(bad_file, "some words")))
    body = provider.requests[0].messages[-1].content
    assert "return eval(code)" in body
    assert "some words" in body
    assert answer.grounded
    assert answer.unconfirmed == ("sqlalchemy.text",)


def test_a_context_that_looks_like_a_path_and_is_none_is_told(engine_of):
    """A mistyped path goes in as text, and the answer says so; plain words raise no notice."""
    engine, _ = engine_of("hi")
    answer = engine.run_sync(AskRequest(query="q", context=("src/nope.py", "some words")))
    assert answer.notices == ("'src/nope.py' is no file here, so it was taken as text.",)


def test_secrets_do_not_leave(engine_of, monkeypatch):
    """The value of a variable that looks secret is masked in what the provider is asked."""
    monkeypatch.setenv("MY_SERVICE_TOKEN", "tok-4711-very-secret")
    engine, provider = engine_of("hi")
    engine.run_sync(AskRequest(query="why does tok-4711-very-secret fail?"))
    assert "tok-4711" not in str(provider.requests)


def test_a_conversation_remembers_whole_turns_only(engine_of):
    """Turns that ended stand in the next prompt; a failed turn leaves no trace."""
    failure = ProviderError("Down.", code="down")
    engine, provider = engine_of("first", failure, "third")
    talk = Conversation("coding", engine=engine)
    talk.ask("one")
    with pytest.raises(AiexError):
        talk.ask("two")
    talk.ask("three")
    contents = [m.content for m in provider.requests[-1].messages[1:]]
    assert contents == ["one", "first", "three"]
    talk.clear()
    assert talk.history == ()


def test_the_three_kinds_of_chat_differ_in_prompt_and_grounding(engine_of, bad_file):
    """General gets the text, coding the outline and findings, debug the code at each frame."""
    engine, provider = engine_of("ok")
    trace = f'Traceback (most recent call last):\n  File "{bad_file}", line 4, in run\n'
    bodies = {}
    for kind in ("general", "coding", "debug"):
        engine.run_sync(ChatRequest(query="help", type=kind, context=(bad_file, trace)))
        bodies[kind] = provider.requests[-1].messages
    assert len({messages[0].content for messages in bodies.values()}) == 3
    assert "Analyzer findings" not in bodies["general"][-1].content
    assert "Analyzer findings" in bodies["coding"][-1].content
    assert "Code at" not in bodies["coding"][-1].content


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_an_engine_in_a_forked_child_says_so_at_once(tmp_path):
    """The engine's loop did not come along: nothing waits for it, the remedy is named, what needs
    no model works, and closing it there leaves the parent's loop and requests alone."""
    code = """
import os, sys, warnings
from aiex_ipy.config.settings import Settings, LLMSettings
from aiex_ipy.engine.engine import Engine
from aiex_ipy.errors import EngineClosedError
from aiex_ipy.operations.analyze import AnalyzeRequest
warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
engine = Engine(Settings(llm=LLMSettings(default_provider="none")))
ended = []
engine.at_close(lambda: ended.append(os.getpid()))
async def one():
    return 1
engine.call(one())
pid = os.fork()
if not pid:
    try:
        engine.call(one())
    except EngineClosedError as error:
        print(error.code, error.hint, flush=True)
    print(engine.run_sync(AnalyzeRequest(paths=(sys.argv[1],))).quality_score > 0, flush=True)
    engine.close()
    os._exit(bool(ended))
print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(engine.call(one()), ended)
engine.close()
print(len(ended))
"""
    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code, str(file)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "forked Make a new Engine in the child.",
        "True",
        "child 0",
        "1 []",
        "1",
    ]
    assert "never awaited" not in done.stderr


def test_all_is_closed_though_something_of_it_fails():
    """An `at_close` that raises keeps neither the others from being called, nor the loop running;
    the failure is told."""
    engine, _ = engine_with("ok")
    ended = []
    engine.at_close(lambda: ended.append("before"))

    def fail():
        raise OSError("disk full")

    engine.at_close(fail)
    engine.at_close(lambda: ended.append("after"))
    engine.run_sync(AskRequest(query="q"))
    with pytest.raises(OSError, match="disk full"):
        engine.close()
    assert ended == ["before", "after"]
    assert not engine.loop_running
    engine.close()
