"""However the bytes of a stream are cut, faults and all, the same becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aiex_ipy.config.settings import Secret
from aiex_ipy.errors import AiexError
from aiex_ipy.messages import Finish, Opened, TextDelta, ToolCall, ToolCallDelta
from aiex_ipy.providers.answering import whole
from aiex_ipy.providers.anthropic import MessagesDecoder
from aiex_ipy.providers.chat_completions import ChatDecoder
from aiex_ipy.providers.deadlines import Deadlines
from aiex_ipy.providers.faults import Peer
from aiex_ipy.providers.ollama import OllamaDecoder
from aiex_ipy.providers.wire import _streamed
from aiex_ipy.testing.conformance import question
from aiex_ipy.testing.replies import Reply, Wire, content_type, stream_blocks

DECODERS = {"openai": ChatDecoder, "anthropic": MessagesDecoder, "ollama": OllamaDecoder}

# What may stand between the events of each wire, besides whole events that come twice.
FAULTS: dict[str, list[bytes]] = {
    "openai": [
        b"data: [DONE]\n\n",
        b"data: {broken\n\n",
        b'data: {"choices": []}\n\n',
        b'data: {"choices": "none"}\n\n',
        b'data: {"choices": [{"delta": {"content": "a\xffb"}}]}\n\n',
        b'data: {"choices": [{"delta":\ndata: {"content": "two lines"}}]}\n\n',
        b'data: {"choices": [{"delta": {}, "finish_reason": "length"}]}\n\n',
        b'data: {"choices": [{"delta": {"refusal": "I will not"}}]}\n\n',
        b'data: {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}\n\n',
        b'data: {"error": {"type": "overloaded_error", "message": "no"}}\n\n',
        b"event: error\ndata: upstream exploded\n\n",
        b'error: {"code": 429}\n\n',
        b"event: error\n\n",
        b": keep-alive\n\n",
        b"\xef\xbb\xbf",
        b'data: {"half": ',
        b"\n",
    ],
    "anthropic": [
        b'event: message_stop\ndata: {"type": "message_stop"}\n\n',
        b"data: {broken\n\n",
        b'event: ping\ndata: {"type": "ping"}\n\n',
        b'data: {"type": "surprise"}\n\n',
        b'data: {"type": "content_block_delta", "delta": {"text": "a\xffb"}}\n\n',
        b'data: {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}\n\n',
        b'data: {"type": "content_block_start", "content_block": {"text": "more"}}\n\n',
        b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n',
        b"event: error\ndata: upstream exploded\n\n",
        b'data: {"error": {"type": "rate_limit_error"}}\n\n',
        b"event: error\n\n",
        b": keep-alive\n\n",
        b"\xef\xbb\xbf",
        b'data: {"half": ',
        b"\n",
    ],
    "ollama": [
        b'{"done": true, "done_reason": "length", "eval_count": 3}\n',
        b"{broken\n",
        b'{"message": {"content": "a\xffb"}}\n',
        b'{"message": null}\n',
        b'{"error": "model runner has stopped"}\n',
        b'{"error": {"message": "no", "code": 503}}\n',
        b"\xef\xbb\xbf",
        b'{"half": ',
        b"\n",
    ],
}


class Outcome(NamedTuple):
    """What became of a stream."""

    text: str
    calls: dict[int, tuple[str, str, str]]
    finish: Finish | None
    error: tuple[str, str, str, str] | None


class Blocks(httpx2.AsyncByteStream):
    """A body that arrives in these blocks."""

    def __init__(self, blocks: list[bytes]) -> None:
        self._blocks = blocks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for block in self._blocks:
            yield block


async def outcome_of(wire: Wire, blocks: list[bytes]) -> Outcome:
    """Read the blocks as a provider does, from the response to the last guard."""
    peer = Peer(provider="p", label="it", base_url="http://h:1", model="m", secret=Secret(""))
    response = httpx2.Response(
        200,
        headers={"content-type": content_type(wire)},
        stream=Blocks(blocks),
        request=httpx2.Request("POST", "http://h:1"),
    )
    decoder = DECODERS[wire]()
    text, calls = "", dict[int, tuple[str, str, str]]()
    finish, error = None, None

    async def chunks():
        async for chunk in _streamed(
            response, decoder, Opened(provider="p", model="m"), Deadlines()
        ):
            yield chunk
        end = decoder.finish()
        if end is not None:
            yield end

    try:
        async for chunk in whole(chunks(), question(), peer):
            if isinstance(chunk, TextDelta):
                text += chunk.text
            elif isinstance(chunk, ToolCallDelta):
                had = calls.get(chunk.index, ("", "", ""))
                new = (chunk.id, chunk.name, chunk.arguments)
                calls[chunk.index] = (had[0] or new[0], had[1] or new[1], had[2] + new[2])
            elif isinstance(chunk, Finish):
                finish = chunk
    except AiexError as caught:
        reason, partial = (getattr(caught, name, "") for name in ("reason", "partial"))
        error = (type(caught).__name__, caught.code, reason, partial)
    return Outcome(text, calls, finish, error)


def assert_cutting_changes_nothing(wire: Wire, stream: bytes, places: list[int]) -> Outcome:
    """Return what becomes of the stream: at once, one byte by one, and cut at these places."""
    cut = [stream[a:b] for a, b in zip([0, *places], [*places, None], strict=True)]
    ones = [stream[place : place + 1] for place in range(len(stream))]

    async def all_three() -> list[Outcome]:
        return [await outcome_of(wire, blocks) for blocks in ([stream], ones, cut)]

    at_once, one_by_one, in_blocks = asyncio.run(all_three())
    assert one_by_one == at_once
    assert in_blocks == at_once
    assert (at_once.finish is None) != (at_once.error is None)
    return at_once


@pytest.mark.parametrize("wire", DECODERS)
def test_a_fault_anywhere_comes_to_the_same_however_it_is_cut(wire: Wire) -> None:
    """Each fault before each event: what stood before it is not lost with it, and what follows
    the end does not count."""
    call = ToolCall(id="c", name="read", arguments='{"é": "ß☃"}')
    deltas, end = stream_blocks(
        wire, Reply(pieces=("one ", "☃ ", "three"), tool_calls=(call,)), "m"
    )
    events = [*deltas, *end]
    errors = 0
    for place in range(len(events) + 1):
        for fault in [*FAULTS[wire], *events]:
            stream = b"".join([*events[:place], fault, *events[place:]])
            outcome = assert_cutting_changes_nothing(wire, stream, [len(stream) // 2])
            errors += outcome.error is not None
    assert errors


@st.composite
def streams(draw: st.DrawFn, wire: Wire) -> bytes:
    """The bytes of an answer, with faults, doubled events and cuts in it, or none."""
    reply = Reply(
        pieces=tuple(draw(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4))),
        tool_calls=draw(
            st.sampled_from([(), (ToolCall(id="c", name="read", arguments='{"é": "ß☃"}'),)])
        ),
        finish=draw(st.sampled_from(["stop", "length"])),
    )
    deltas, end = stream_blocks(wire, reply, "m")
    events = [*deltas, *end]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(events)))
        events.insert(place, draw(st.sampled_from(FAULTS[wire]) | st.sampled_from(events)))
    stream = b"".join(events)
    if draw(st.booleans()):
        stream = stream.replace(b"\n", b"\r\n")
    kept = draw(st.none() | st.integers(0, len(stream)))
    return stream[:kept]


@pytest.mark.parametrize("wire", DECODERS)
@given(data=st.data())
def test_any_cutting_of_any_stream_comes_to_the_same(wire: Wire, data: st.DataObject) -> None:
    """Text, calls, end and error depend on the bytes and not on how they arrive."""
    stream = data.draw(streams(wire))
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    assert_cutting_changes_nothing(wire, stream, places)


@pytest.mark.parametrize("wire", DECODERS)
@given(stream=st.binary(max_size=200))
@example(stream=b"\n\n\n")
@example(stream=b"data:\n\n")
@example(stream=b"event: error\ndata:\n\n")
@example(stream=b'{"error": ""}\n')
def test_any_bytes_at_all_end_with_a_named_error(wire: Wire, stream: bytes) -> None:
    """Noise is no answer, and no exception of Python or of a library reaches the caller."""
    outcome = asyncio.run(outcome_of(wire, [stream]))
    assert outcome.error is not None
    assert outcome.text == ""
