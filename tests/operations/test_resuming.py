"""Two parts of an answer become one: nothing said twice, nothing lost, words kept apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiex_ipy.errors import InterruptedAnswerError
from aiex_ipy.messages import Chunk, Finish, Message, Opened, TextDelta
from aiex_ipy.operations.resuming import joined, with_first_part
from aiex_ipy.prompts.fit import Prompt, cost, fit, last_words


@pytest.mark.parametrize(
    ("so_far", "rest", "whole"),
    [
        ("Hello from", " the server.", "Hello from the server."),
        ("Hello from", "Hello from the server.", "Hello from the server."),
        ("Hello from", "from the server.", "Hello from the server."),
        ("Hello from ", "from the server.", "Hello from the server."),
        ("Hello from", "the server.", "Hello from the server."),
        ("the functi", "the function is", "the function is"),
        ("the functi", "function is", "the function is"),
        ("One line.\n", "One line.\nTwo.", "One line.\nTwo."),
        ("One line.\n\n", "One line.\nTwo.", "One line.\n\nTwo."),
        ("One line.", "\n\nTwo.", "One line.\n\nTwo."),
        ("```python\ndef f():\n    return", "```python\n    return 1\n```",
         "```python\ndef f():\n    return 1\n```"),
        ("a = ", "```python\na = 1\n```", "a = ```python\na = 1\n```"),
        ("is it a", "a priori", "is it a a priori"),
        ("x = [1,", " 2]", "x = [1, 2]"),
    ],
)  # fmt: skip
def test_the_parts_meet(so_far: str, rest: str, whole: str) -> None:
    """Repeated words and a fence opened anew go; two words do not become one."""
    assert joined(so_far, rest) == whole


@settings(deadline=None)
@given(st.text(), st.text())
def test_the_first_part_stays_as_it_was_shown(so_far: str, rest: str) -> None:
    """Whatever the model says, the text begins with what stood on the screen."""
    assert joined(so_far, rest).startswith(so_far)


async def _said(pieces: list[str], cut: bool) -> AsyncGenerator[Chunk, None]:
    yield Opened(provider="p", model="m")
    for piece in pieces:
        yield TextDelta(piece)
    if cut:
        raise InterruptedAnswerError("cut", partial="".join(pieces))
    yield Finish(reason="stop")


@settings(deadline=None)
@given(
    st.sampled_from(["Hello from", "One line.\n", "```\ncode = (", "word"]),
    st.lists(
        st.sampled_from(
            ["from", " ", "\n", "the", "``", "`", "```", "code", "= ", "(", "One line."]
        )
    ),
    st.booleans(),
)
def test_pieces_join_as_the_whole_does(so_far: str, pieces: list[str], cut: bool) -> None:
    """However the second part is cut into pieces, and though it is cut short itself: what is shown
    is the joined text, nothing else, and the error comes after it."""

    async def play() -> list[Chunk]:
        got: list[Chunk] = []
        try:
            async for chunk in with_first_part(_said(pieces, cut), so_far):
                got.append(chunk)
        except InterruptedAnswerError:
            assert cut
        else:
            assert not cut
            assert got[-1] == Finish(reason="stop")
        return got

    shown = "".join(c.text for c in asyncio.run(play()) if isinstance(c, TextDelta))
    rest = "".join(pieces)
    assert shown == (joined(so_far, rest) if rest else "")


def test_the_model_gets_its_words_as_its_turn_and_is_asked_to_go_on() -> None:
    """The same question, the answer so far, and which words are its last."""
    messages = fit(Prompt(system="s", question="why?", so_far="Because of\nthe red fox and"), None)
    assert messages[:3] == (
        Message(role="system", content="s"),
        Message(role="user", content="why?"),
        Message(role="assistant", content="Because of\nthe red fox and"),
    )
    assert messages[3].role == "user"
    assert messages[3].content.endswith("which are: red fox and")


@settings(deadline=None)
@given(st.integers(200, 800), st.integers(0, 3000))
def test_a_small_budget_holds_the_end_of_a_long_answer(budget: int, words: int) -> None:
    """The prompt stays within the budget, and the last words are in it."""
    so_far = " ".join(f"w{number}" for number in range(words + 1))
    messages = fit(Prompt(system="s", question="why?", so_far=so_far), budget)
    assert cost(messages) <= budget
    assert messages[2].content.endswith(f"w{words}")


def test_last_words_are_of_the_last_line() -> None:
    """Three words, their own spacing, at most eighty characters, none of nothing."""
    assert last_words("a b\nc  d e f \n") == "d e f"
    assert last_words("one") == "one"
    assert last_words(" \n") == last_words("") == ""
    assert last_words("x" * 200) == "x" * 80
