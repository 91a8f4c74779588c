"""An answer without words is told as what it is: declined, a call of a tool, or empty."""

from __future__ import annotations

import pytest

from aiex_ipy.errors import EmptyAnswerError
from aiex_ipy.messages import Answer, FinishReason
from aiex_ipy.operations.ask import finished
from aiex_ipy.operations.base import Grounding


def wordless(finish: FinishReason) -> Answer:
    return Answer(text="", provider="p", model="m", finish=finish)


def test_a_refusal_without_a_word_is_a_refusal() -> None:
    """`content_filter` and `refusal` come with no text at all; the result says who declined."""
    answer = finished(wordless("refusal"), "ask", Grounding())
    assert answer.finish == "refusal"
    assert answer.notices == ("The model declined to answer.",)


def test_a_call_of_a_tool_is_no_silence() -> None:
    """The result says that the model called a tool, of which it has none."""
    (told,) = finished(wordless("tool_calls"), "chat", Grounding()).notices
    assert told.startswith("The model called a tool instead of answering")


def test_an_empty_answer_names_model_and_provider() -> None:
    """Nothing said and no reason given is an error."""
    with pytest.raises(EmptyAnswerError, match="Model 'm' of provider 'p' answered with no text"):
        finished(wordless("stop"), "ask", Grounding())
