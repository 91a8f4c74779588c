"""A model that declines: what comes of the question, in words and in a form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Settings
from aiex_ipy.engine.engine import Engine
from aiex_ipy.errors import RefusedError
from aiex_ipy.messages import Answer
from aiex_ipy.operations.analyze import Analysis, AnalyzeRequest
from aiex_ipy.operations.ask import AskRequest
from aiex_ipy.operations.base import Facts, Note
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

SAID = "I cannot help\nwith that."
REFUSAL = Reply(pieces=(), finish="refusal", refusal=SAID)
MID_JSON = Reply(pieces=('{"name": "hal',), finish="refusal")


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        yield server


@pytest.fixture
def engine(server: LoopbackServer, tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "a.py").write_text("def add(a, b):\n    return a + b\n")
    one = ProviderSettings(
        name="one", kind="openai_compatible", base_url=server.openai_url, model="m"
    )
    llm = LLMSettings(providers={"one": one}, default_provider="one")
    engine = Engine(Settings(project_dir=str(tmp_path), llm=llm))
    yield engine
    engine.close()


@pytest.mark.parametrize("reply", [REFUSAL, MID_JSON], ids=["refusal", "filter in mid JSON"])
def test_a_declined_structured_answer_is_told_as_that_and_not_asked_again(
    engine: Engine, server: LoopbackServer, reply: Reply
) -> None:
    """It is no malformed JSON that a second question would mend. Facts come all the same."""
    server.replies = [reply]
    items: list[Any] = []
    with pytest.raises(RefusedError) as caught:
        for item in engine.updates(AnalyzeRequest(paths=("a.py",), provider="one")):
            items.append(item)
    assert len(server.asked) == 1
    assert any(isinstance(item, Facts) for item in items)
    assert not any(isinstance(item, Note) for item in items)
    assert caught.value.message.startswith("Model 'm' of 'one' declined to answer")
    assert ("'I cannot help with that.'" in caught.value.message) == (reply is REFUSAL)
    assert (caught.value.code, caught.value.provider) == ("refused", "one")


def test_facts_stand_with_a_notice_when_the_model_declines(
    engine: Engine, server: LoopbackServer
) -> None:
    """Nobody named the provider, so what is known without it is the result."""
    server.replies = [REFUSAL]
    result = engine.run_sync(AnalyzeRequest(paths=("a.py",)))
    assert isinstance(result, Analysis)
    assert "declined to answer" in result.notices[-1]
    assert len(server.asked) == 1


@pytest.mark.parametrize("words", [SAID, ""])
def test_a_question_in_words_that_is_declined_is_an_answer(
    engine: Engine, server: LoopbackServer, words: str
) -> None:
    """Its notice says so, also where the model gave no reason."""
    server.replies = [Reply(pieces=(), finish="refusal", refusal=words)]
    answer = engine.run_sync(AskRequest(query="How?"))
    assert isinstance(answer, Answer)
    assert answer.finish == "refusal"
    assert not answer.complete
    assert answer.notices[-1].startswith("The model declined to answer.")
    assert len(server.asked) == 1
