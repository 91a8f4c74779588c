"""A text that is no UTF-8 is refused by name before anything is asked, whoever gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

import aiex
from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Settings
from aiex_ipy.engine.engine import Engine
from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.operations.analyze import AnalyzeRequest
from aiex_ipy.operations.ask import AskRequest
from aiex_ipy.operations.base import Request
from aiex_ipy.operations.chat import ChatRequest
from aiex_ipy.operations.encodable import check_texts

HALF = "caf\udce9 au lait"


@pytest.mark.parametrize(
    "request_",
    [
        AskRequest(query=HALF),
        AskRequest(query="why", context=("fine", HALF)),
        AskRequest(query="why", context=(Subject(path="<text>", text=HALF, language="text"),)),
        ChatRequest(query=HALF),
    ],
    ids=["question", "context", "subject", "chat"],
)
def test_a_text_that_is_no_utf8_is_refused(request_: Request[object]) -> None:
    """The error names the text and the place in it; the scripted model is not asked."""
    provider = ProviderSettings(name="scripted", kind="scripted", answers=("Yes.",))
    llm = LLMSettings(default_provider="scripted", providers={"scripted": provider})
    engine = Engine(Settings(llm=llm))
    try:
        with pytest.raises(UsageError, match=r"is no UTF-8 text: '\\udce9' at character 4") as told:
            engine.run_sync(request_)
    finally:
        engine.close()
    assert told.value.code == "not_utf8"


def test_python_is_told_the_same() -> None:
    """`aiex.ask` with half a surrogate pair raises UsageError."""
    with pytest.raises(UsageError, match="no UTF-8"):
        aiex.ask("\udcff x")


def test_a_file_of_such_a_name_is_read(tmp_path: Path) -> None:
    """A file may have a name that is no UTF-8; a name without a file is refused."""
    path = tmp_path / "caf\udce9.py"
    request = AnalyzeRequest(paths=(str(path),))
    with pytest.raises(UsageError):
        check_texts(request)
    path.write_text("x = 1\n")
    check_texts(request)
