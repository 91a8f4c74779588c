"""The last guard of every stream: what is shown when, and what a failed answer is known by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from aiex_ipy.errors import (
    AiexError,
    EmptyAnswerError,
    InterruptedAnswerError,
    InvalidAnswerError,
    UnavailableError,
)
from aiex_ipy.messages import Chunk, Finish, Opened, TextDelta, ToolCallDelta, Usage
from aiex_ipy.providers.answering import whole
from aiex_ipy.providers.deadlines import Deadlines
from aiex_ipy.providers.faults import Peer
from aiex_ipy.testing.conformance import SCHEMA, question

PEER = Peer(provider="p", label="it", base_url="http://h:1", model="m")
OPENED = Opened(provider="p", model="m")
GOOD = '{"language": "python", "lines": 1}'
STOP = Finish(reason="stop")
CALL = ToolCallDelta(index=0, id="c", name="read", arguments='{"a": 1}')
HELD = pytest.mark.parametrize("held", [False, True], ids=["shown", "held"])


async def saying(said: Sequence[Chunk | BaseException | None]) -> AsyncGenerator[Chunk, None]:
    """Yield the chunks, raise the error; None is silence."""
    for each in said:
        if each is None:
            await asyncio.Event().wait()
        elif isinstance(each, BaseException):
            raise each
        else:
            yield each


async def guarded(
    *said: Chunk | BaseException | None, held: bool = False, first_s: float | None = None
) -> tuple[list[Chunk], BaseException | None]:
    """Return the chunks that were given out, and what ended them."""
    asked = question(response_schema=SCHEMA) if held else question()
    deadlines = Deadlines(idle_s=first_s)
    given: list[Chunk] = []
    try:
        async for chunk in whole(saying(said), asked, PEER, deadlines=deadlines):
            given.append(chunk)
    except (AiexError, asyncio.CancelledError) as error:
        return given, error
    return given, None


def run(*said: Chunk | BaseException | None, **more: Any) -> tuple[list[Chunk], Any]:
    return asyncio.run(guarded(*said, **more))


def test_white_space_waits_for_the_first_visible_character() -> None:
    """It is given out with it, and all of it; what follows comes as it comes."""
    given, error = run(
        OPENED, TextDelta(" "), TextDelta("\n\n"), TextDelta(" a"), TextDelta(" "), STOP
    )
    assert given == [OPENED, TextDelta(" \n\n a"), TextDelta(" "), STOP]
    assert error is None


def test_an_answer_of_white_space_is_shown_to_nobody() -> None:
    """So it is an empty answer, which can be asked for again, and not one that was cut."""
    given, error = run(
        OPENED, TextDelta(" "), TextDelta("\n"), Finish(reason="stop", usage=Usage(output_tokens=2))
    )
    assert given == [OPENED]
    assert type(error) is EmptyAnswerError
    assert (error.heard_chars, error.usage) == (2, Usage(output_tokens=2))


def test_a_cut_after_white_space_is_one_before_the_first_word() -> None:
    """Nothing was shown, so the question may be asked again."""
    given, error = run(OPENED, TextDelta("\n"), UnavailableError("gone", code="cut"))
    assert given == [OPENED]
    assert (type(error), error.code, error.heard_chars) == (UnavailableError, "cut", 1)


def test_white_space_before_a_tool_call_is_kept() -> None:
    """The call is something to see, so what came before it comes before it."""
    done = Finish(reason="tool_calls")
    assert run(OPENED, TextDelta("\n"), CALL, done) == ([OPENED, TextDelta("\n"), CALL, done], None)


@HELD
@pytest.mark.parametrize("ends", ["cut", "silence", "no end"])
def test_what_came_of_an_answer_that_failed_is_counted(ends: str, held: bool) -> None:
    """Shown or held back, it was made, and may be billed."""
    how: dict[str, tuple[Any, ...]] = {
        "cut": (UnavailableError("gone", code="cut"),),
        "silence": (None,),
        "no end": (),
    }
    said = (OPENED, TextDelta("12345"), TextDelta("67"), *how[ends])
    given, error = run(*said, held=held, first_s=0.05)
    assert error.heard_chars == 7
    assert isinstance(error, UnavailableError if held else InterruptedAnswerError)
    assert len(given) == (1 if held else 3)


def test_arguments_of_tool_calls_count_too() -> None:
    """A call that was cut was made as well."""
    _, error = run(OPENED, TextDelta("ab"), CALL, UnavailableError("gone", code="cut"))
    assert error.heard_chars == 2 + len(CALL.arguments)


def test_an_answer_that_is_not_of_the_form_is_counted_as_the_server_did() -> None:
    """It was whole, so the server told what it used."""
    usage = Usage(input_tokens=3, output_tokens=4, cost_usd=0.5)
    _, error = run(OPENED, TextDelta("no JSON"), Finish(reason="stop", usage=usage), held=True)
    assert type(error) is InvalidAnswerError
    assert (error.heard_chars, error.usage) == (7, usage)


@HELD
def test_a_cancelled_answer_says_what_had_come(held: bool) -> None:
    """Who stops a structured answer has been shown nothing, and may pay for it all the same."""

    async def cancelled() -> Any:
        task = asyncio.create_task(guarded(OPENED, TextDelta("12345"), None, held=held))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        return (await task)[1]

    error = asyncio.run(cancelled())
    assert isinstance(error, asyncio.CancelledError)
    assert error.__dict__["heard_chars"] == 5


REFUSED = Finish(reason="refusal", refusal="I will not.")
CALLED = Finish(reason="tool_calls")


@pytest.mark.parametrize("text", ['{"name": "hal', GOOD, "I will not."])
def test_a_refusal_is_no_half_of_a_structured_answer(text: str) -> None:
    """What was said before it is of no use, whatever it looks like."""
    assert run(OPENED, TextDelta(text), REFUSED, held=True) == ([OPENED, REFUSED], None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [('{"name": "hal', []), ("Let me look.", []), (f"So: {GOOD}", [TextDelta(GOOD)])],
)
def test_beside_a_tool_call_only_json_of_the_form_is_given_out(
    text: str, shown: list[Chunk]
) -> None:
    """Text that was held back to be checked is not let through by a call."""
    given, error = run(OPENED, TextDelta(text), CALL, CALLED, held=True)
    assert (given, error) == ([OPENED, CALL, *shown, CALLED], None)
