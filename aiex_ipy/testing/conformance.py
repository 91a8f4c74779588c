"""What every provider must do, whatever its wire; for our own and for plugins' tests.

    @pytest.mark.parametrize("case", CASES)
    def test_conforms(case):
        asyncio.run(check(case, subject))

A `Subject` wraps the provider and the server behind it: one that can be told what to say, or a
real one, which says what it likes (`exact` False) and is asked only the cases it `can`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

import msgspec

from aiex_ipy.errors import (
    EmptyAnswerError,
    InterruptedAnswerError,
    InvalidAnswerError,
)
from aiex_ipy.messages import (
    Answer,
    Chunk,
    Finish,
    Message,
    ModelRequest,
    Opened,
    TextDelta,
    ToolCall,
    ToolSpec,
)
from aiex_ipy.providers import Provider
from aiex_ipy.providers.fold import AnswerFold, collect
from aiex_ipy.providers.schema import problems
from aiex_ipy.testing.replies import Reply

SCHEMA = {
    "type": "object",
    "properties": {
        "language": {"type": "string", "enum": ["python", "elixir"]},
        "lines": {"type": "integer"},
    },
    "required": ["language", "lines"],
}
TOOL = ToolSpec(
    name="read_lines",
    description="Read lines of a file.",
    parameters={
        "type": "object",
        "properties": {"path": {"type": "string"}, "first": {"type": "integer"}},
        "required": ["path"],
    },
)
_CALL = ToolCall(id="call_1", name="read_lines", arguments='{"path":"a.py","first":3}')
_WORDS = "The loop reads each line, naïvely — once.\n\n```python\nx = {'a': 1}\n```\n"


class Subject(Protocol):
    """A provider under test. `say` tells its server the next answers; a real one ignores it."""

    exact: bool

    @property
    def provider(self) -> Provider: ...

    def say(self, *replies: Reply) -> None: ...

    async def saw_disconnect(self) -> bool:
        """Return whether the server noticed, in its own time, that its client has gone."""
        ...


async def check(case: str, subject: Subject) -> None:
    """Run one of `CASES`; AssertionError when the provider does not conform."""
    await CASES[case](subject)


def question(text: str = "Say hello.", **options: object) -> ModelRequest:
    """Return a request with one question."""
    request = ModelRequest(messages=(Message(role="user", content=text),), max_tokens=24)
    return msgspec.structs.replace(request, **options)


async def heard(subject: Subject, request: ModelRequest) -> tuple[list[Chunk], Answer]:
    """Return the chunks of one stream and their fold, the order of the chunks checked."""
    fold = AnswerFold()
    chunks: list[Chunk] = []
    async with aclosing(subject.provider.stream(request)) as stream:
        async for chunk in stream:
            fold.add(chunk)
            chunks.append(chunk)
    assert isinstance(chunks[0], Opened), "a stream begins with Opened"
    assert isinstance(chunks[-1], Finish), "a whole stream ends with Finish"
    for chunk in chunks[1:-1]:
        assert not isinstance(chunk, Opened | Finish), "Opened and Finish come once"
        assert not isinstance(chunk, TextDelta) or chunk.text, "a delta is never empty"
    assert chunks[0].provider == subject.provider.name
    return chunks, fold.answer()


async def text(subject: Subject) -> None:
    """An answer in one piece is whole, names its model and counts its tokens."""
    subject.say(Reply(text=_WORDS, input_tokens=11, output_tokens=13))
    _, answer = await heard(subject, question(stream=False))
    assert answer.text == _WORDS or not subject.exact
    assert answer.text
    assert answer.model
    assert (answer.usage.output_tokens or 0) > 0
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 13) or not subject.exact


async def stream(subject: Subject) -> None:
    """A streamed answer arrives in pieces that join to the whole, in order."""
    subject.say(Reply(text=_WORDS, pause_s=0.002))
    chunks, answer = await heard(subject, question("Count from one to nine."))
    assert sum(isinstance(chunk, TextDelta) for chunk in chunks) > 1
    assert answer.text == _WORDS or not subject.exact
    assert answer.text.strip()


async def json(subject: Subject) -> None:
    """With a schema, the text is one delta of JSON that satisfies it, however it was wrapped."""
    wanted = '{"language": "python", "lines": 3}'
    for said in (wanted, f"Here it is:\n```json\n{wanted}\n```\n"):
        subject.say(Reply(text=said))
        request = question(
            "Describe a Python file of three lines.", response_schema=SCHEMA, temperature=0.0
        )
        chunks, answer = await heard(subject, msgspec.structs.replace(request, max_tokens=60))
        assert not list(problems(msgspec.json.decode(answer.text), SCHEMA))
        assert sum(isinstance(chunk, TextDelta) for chunk in chunks) == 1


async def bad_json(subject: Subject) -> None:
    """Text that does not satisfy the schema is an error that keeps the text, in both ways."""
    for said, code in (("I would rather not.", "invalid_answer"), ('{"lines": "x"}', "")):
        subject.say(Reply(text=said))
        try:
            await collect(subject.provider.stream(question(response_schema=SCHEMA)))
        except InvalidAnswerError as error:
            assert error.partial == said
            assert not code or error.code == code
        else:
            raise AssertionError("an answer of another form was passed on")


async def tools(subject: Subject) -> None:
    """A tool call arrives whole, and its result can be handed back."""
    for streamed in (True, False):
        subject.say(Reply(text="", pieces=(), tool_calls=(_CALL,), finish="tool_calls"))
        _, answer = await heard(subject, question(tools=(TOOL,), stream=streamed))
        assert answer.finish == "tool_calls"
        (call,) = answer.tool_calls
        assert call.name == _CALL.name
        assert msgspec.json.decode(call.arguments) == msgspec.json.decode(_CALL.arguments)
    subject.say(Reply(text="It has one line."))
    told = ModelRequest(
        messages=(
            Message(role="system", content="You read files."),
            Message(role="user", content="Read a.py."),
            Message(role="assistant", content="", tool_calls=(call,)),
            Message(role="tool", content="x = 1", tool_call_id=call.id),
        ),
        tools=(TOOL,),
    )
    _, answer = await heard(subject, told)
    assert answer.text == "It has one line."


async def refusal(subject: Subject) -> None:
    """A refusal is an answer that says so, and neither an error nor an empty answer."""
    for streamed in (True, False):
        subject.say(Reply(pieces=(), finish="refusal", refusal="I cannot help with that."))
        _, answer = await heard(subject, question(stream=streamed))
        assert answer.finish == "refusal"
        assert answer.refusal == "I cannot help with that."


async def length(subject: Subject) -> None:
    """An answer cut at its token limit says so."""
    for streamed in (True, False):
        subject.say(Reply(text="one two three", finish="length"))
        request = question("Write a long story.", stream=streamed, max_tokens=4, temperature=0.0)
        _, answer = await heard(subject, request)
        assert answer.finish == "length"
        assert not answer.complete


async def cut_json(subject: Subject) -> None:
    """Half a structured answer is an error, never half a result."""
    subject.say(Reply(text='{"language": "python", "li', finish="length"))
    try:
        await collect(subject.provider.stream(question(response_schema=SCHEMA)))
    except InvalidAnswerError as error:
        assert error.code == "truncated"
    else:
        raise AssertionError("half a structured answer was passed on")


async def empty(subject: Subject) -> None:
    """A model that says nothing is an error, streamed or not."""
    for streamed in (True, False):
        subject.say(Reply(pieces=()))
        try:
            await collect(subject.provider.stream(question(stream=streamed)))
        except EmptyAnswerError:
            continue
        raise AssertionError("an empty answer was passed on")


async def cut(subject: Subject) -> None:
    """An answer that ends without its last event is never whole; what came is kept."""
    for how in ("end", "reset"):
        subject.say(Reply(pieces=("one ", "two ", "three"), cut_after=2, cut=how))
        try:
            await collect(subject.provider.stream(question()))
        except InterruptedAnswerError as error:
            assert "one two three".startswith(error.partial)
            assert error.partial
        else:
            raise AssertionError(f"an answer cut by {how} was passed on as whole")


async def cancel(subject: Subject) -> None:
    """Closing the stream ends the request at the server; the next request is served."""
    subject.say(Reply(text="word " * 200, pause_s=0.05))
    async with aclosing(
        subject.provider.stream(question("Write a long story.", max_tokens=400))
    ) as chunks:
        async for chunk in chunks:
            if isinstance(chunk, TextDelta):
                break
    assert await subject.saw_disconnect()

    for streamed in (True, False):
        subject.say(Reply(text="word " * 200, pause_s=0.05, first_pause_s=0.0 if streamed else 9.0))
        request = question("Write a long story.", max_tokens=400, stream=streamed)
        task = asyncio.ensure_future(collect(subject.provider.stream(request)))
        await asyncio.sleep(0.3)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        else:
            raise AssertionError("a cancelled request ended as if whole")
        assert await subject.saw_disconnect()

    subject.say(Reply())
    _, answer = await heard(subject, question())
    assert answer.text


CASES: dict[str, Callable[[Subject], Awaitable[None]]] = {
    case.__name__: case
    for case in (
        text,
        stream,
        json,
        bad_json,
        tools,
        refusal,
        length,
        cut_json,
        empty,
        cut,
        cancel,
    )
}
