"""Events of a stream that could not be read: what may be missing of an answer is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Settings
from aiex_ipy.engine.engine import Engine
from aiex_ipy.errors import UnavailableError, UsageError
from aiex_ipy.grounding.failure.record import Failure
from aiex_ipy.grounding.fix import Source
from aiex_ipy.messages import Answer, Finish, Opened, TextDelta
from aiex_ipy.operations.analyze import AnalyzeRequest
from aiex_ipy.operations.ask import AskRequest
from aiex_ipy.operations.base import Facts, Grounding
from aiex_ipy.operations.complete import CompleteOperation, CompleteRequest
from aiex_ipy.operations.debug import DebugOperation, DebugRequest
from aiex_ipy.providers.anthropic import MessagesDecoder
from aiex_ipy.providers.chat_completions import ChatDecoder
from aiex_ipy.providers.fold import AnswerFold
from aiex_ipy.providers.ollama import OllamaDecoder
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply, Wire, stream_blocks

NOTICE = "1 event of the stream could not be read, so a part of the text may be missing."
LOST = b'data: {"choices": [{"delta": {"content": "do NOT \n\n'
DECODERS = {"openai": ChatDecoder, "anthropic": MessagesDecoder, "ollama": OllamaDecoder}
BROKEN = {"openai": b"data: {no\n\n", "anthropic": b"data: {no\n\n", "ollama": b"{no\n"}
HARMLESS = {
    "openai": b": ping\n\ndata:\n\ndata: {}\n\n",
    "anthropic": b": ping\n\ndata:\n\ndata: [DONE]\n\n",
    "ollama": b"\n {} \n\n",
}
EACH = pytest.mark.parametrize("wire", DECODERS)


def event(text: str, **more: Any) -> bytes:
    choice = {"delta": {"content": text}, **more}
    return b"data: " + json.dumps({"choices": [choice], "model": "m"}).encode() + b"\n\n"


def streamed(*blocks: bytes) -> Raw:
    return Raw(headers={"content-type": "text/event-stream"}, blocks=blocks)


HOLE = streamed(event("Run: rm "), LOST, event("delete the database.", finish_reason="stop"))


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(HOLE) as server:
        yield server


@pytest.fixture
def engine(server: LoopbackServer, tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "a.py").write_text("def add(a, b):\n    return a + b\n")
    one = ProviderSettings(
        name="one", kind="openai_compatible", base_url=server.openai_url, model="m"
    )
    llm = LLMSettings(providers={"one": one}, default_provider="one", max_retries=0)
    engine = Engine(Settings(project_dir=str(tmp_path), llm=llm))
    yield engine
    engine.close()


@EACH
def test_what_cannot_be_read_before_the_end_is_counted(wire: Wire) -> None:
    """What follows the end, what is empty, and what other wires end with is no part of a text."""
    deltas, end = stream_blocks(wire, Reply(text="one two"), "m")
    for stream, skipped in (
        ((*deltas, *end), 0),
        ((deltas[0], HARMLESS[wire], *deltas[1:], *end), 0),
        ((deltas[0], BROKEN[wire], *deltas[1:], BROKEN[wire], *end), 2),
        ((*deltas, *end, BROKEN[wire]), 0),
    ):
        decoder = DECODERS[wire]()
        decoder.feed(b"".join(stream))
        finish = decoder.finish()
        assert finish is not None
        assert finish.skipped == skipped


def test_an_answer_with_a_hole_says_so(engine: Engine) -> None:
    """Its notice tells it, and it is not complete, though the model ended by itself."""
    answer = engine.run_sync(AskRequest(query="How do I clean up?"))
    assert answer.text == "Run: rm delete the database."
    assert answer.notices == (NOTICE,)
    assert (answer.finish, answer.skipped, answer.complete) == ("stop", 1, False)
    with pytest.raises(UsageError, match="came to its end"):
        engine.cut_answers.request_for(answer)


def test_json_with_a_hole_is_not_used(engine: Engine, server: LoopbackServer) -> None:
    """It fits the schema and may be wrong all the same: a number without its last digits."""
    whole = json.dumps({"summary": "Fine.", "issues": []})
    server.replies = [streamed(event(whole), LOST, event("", finish_reason="stop"))]
    items: list[Any] = []
    with pytest.raises(UnavailableError, match="sent an event that could not be read") as caught:
        for item in engine.updates(AnalyzeRequest(paths=("a.py",), provider="one")):
            items.append(item)
    assert caught.value.code == "stream_incomplete"
    assert any(isinstance(item, Facts) for item in items)


def test_code_with_a_hole_is_not_offered_for_insertion() -> None:
    """A line that is missing in the middle is not seen by who presses Tab."""
    request = CompleteRequest(fragment="def area(r):\n    return ")
    said = Answer(text="3.14 * r ** 2", provider="p", model="m", finish="stop")
    grounding = Grounding(extra={"max_tokens": 8})
    whole = CompleteOperation().parse(said, request, grounding)
    assert whole.suggestion == "3.14 * r ** 2"
    holed = Answer(text=said.text, provider="p", model="m", finish="stop", skipped=1)
    result = CompleteOperation().parse(holed, request, grounding)
    assert result.suggestion == ""
    assert result.notices[-1] == NOTICE


def test_code_with_a_hole_is_no_fix() -> None:
    """A fix without the line that was lost would be put in place as it stands."""
    source = Source(path="In[1]", text="n = 4 / 0", cell=1)
    request = DebugRequest(
        failure=Failure(kind="exception", title="ZeroDivisionError"), source=source
    )
    grounding = Grounding(extra={"shown": source, "diagnoses": (), "ruff": None})
    said = Answer(text="```python\nn = 4\n```", provider="p", model="m", finish="stop")
    assert DebugOperation().parse(said, request, grounding).fix is not None
    holed = Answer(text=said.text, provider="p", model="m", finish="stop", skipped=1)
    report = DebugOperation().parse(holed, request, grounding)
    assert report.fix is None
    assert report.notices == (NOTICE,)


def test_the_fold_of_a_stream_keeps_the_count() -> None:
    """Who reads a provider's stream without an engine learns it too."""
    fold = AnswerFold()
    for chunk in (
        Opened(provider="p", model="m"),
        TextDelta("a"),
        Finish(reason="stop", skipped=2),
    ):
        fold.add(chunk)
    assert (fold.answer().skipped, fold.answer().complete) == (2, False)
