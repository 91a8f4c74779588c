"""Bytes of each wire to chunks: however they are cut, and whatever is wrong with some of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.messages import Answer, Chunk, TextDelta, ToolCall
from aiex_ipy.providers.anthropic import MessagesDecoder
from aiex_ipy.providers.chat_completions import ChatDecoder
from aiex_ipy.providers.faults import HttpFault
from aiex_ipy.providers.fold import AnswerFold
from aiex_ipy.providers.framing import MAX_FRAME_BYTES, Events, Lines
from aiex_ipy.providers.ollama import OllamaDecoder
from aiex_ipy.testing.replies import Reply, stream_blocks

DECODERS = {"openai": ChatDecoder, "anthropic": MessagesDecoder, "ollama": OllamaDecoder}
WIRES = pytest.mark.parametrize("wire", DECODERS)


def folded(wire: str, blocks: list[bytes]) -> Answer:
    """The answer that comes of bytes in these blocks."""
    decoder = DECODERS[wire]()
    fold = AnswerFold()
    for block in blocks:
        for chunk in decoder.feed(block):
            fold.add(chunk)
    finish = decoder.finish()
    if finish is not None:
        fold.add(finish)
    return fold.answer()


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta))


def sent(wire: str, reply: Reply) -> bytes:
    deltas, end = stream_blocks(wire, reply, "m")
    return b"".join(deltas + end)


REPLIES = st.builds(
    Reply,
    pieces=st.lists(st.text(min_size=1, max_size=8), max_size=6).map(tuple),
    tool_calls=st.lists(
        st.builds(
            ToolCall,
            id=st.just("call_0"),
            name=st.sampled_from(["read", "find"]),
            arguments=st.dictionaries(st.text(max_size=3), st.integers(), max_size=2).map(
                lambda given: json.dumps(given, separators=(",", ":"), ensure_ascii=False)
            ),
        ),
        max_size=1,
    ).map(tuple),
    finish=st.sampled_from(["stop", "length"]),
)


@WIRES
@given(data=st.data(), reply=REPLIES, crlf=st.booleans())
def test_any_cutting_of_the_bytes_gives_the_same_answer(wire, data, reply, crlf):
    """TCP cuts where it likes, in the middle of a character too; the answer stays the same."""
    stream = sent(wire, reply)
    if crlf:
        stream = stream.replace(b"\n", b"\r\n")
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    blocks = [stream[start:end] for start, end in zip([0, *places], [*places, None], strict=True)]
    answer = folded(wire, blocks)
    assert answer == folded(wire, [stream])
    assert answer.text == "".join(reply.pieces or ())
    assert [call.arguments for call in answer.tool_calls] == [
        call.arguments for call in reply.tool_calls
    ]


@given(lines=st.lists(st.binary().filter(lambda line: b"\n" not in line and b"\r" not in line)))
def test_lines_join_to_what_was_sent(lines):
    """Nothing is lost between two line ends."""
    assert Lines().feed(b"".join(line + b"\n" for line in lines)) == lines


def test_an_event_of_several_data_lines_is_one():
    """As the standard of server-sent events says; comments and other fields are dropped."""
    events = Events().feed(b': hello\nevent: x\nid: 3\ndata: {"a":\ndata:1}\n\n: bye\n\n')
    assert events == [b'{"a":\n1}']


def test_an_event_without_end_is_no_event():
    """Half an event is held back until it is whole."""
    assert Events().feed(b'data: {"a": 1}\n') == []


def test_an_endless_event_is_refused():
    """One event cannot take all memory, be it one line or many; what stood before it is kept."""
    for frames, piece in (
        (Lines(), b"x" * (1 << 20)),
        (Events(), b"data:" + b"x" * (1 << 20) + b"\n"),
    ):
        assert frames.feed(b"data: 1\n\n" + piece)
        for _ in range(MAX_FRAME_BYTES // (1 << 20) + 1):
            assert frames.feed(piece) == []
        assert frames.failure.code == "too_large"


DELTAS = {
    "openai": b'data: {"choices": [{"delta": {"content": "%b"}}]}\n\n',
    "anthropic": b'data: {"type": "content_block_delta", "index": 0, '
    b'"delta": {"type": "text_delta", "text": "%b"}}\n\n',
    "ollama": b'{"message": {"content": "%b"}}\n',
}
JUNK = {
    "openai": [
        b"data: {broken\n\n",
        b'data: {"choices": null}\n\n',
        b'data: {"choices": []}\n\n',
        b'data: {"choices": [{"delta": null}]}\n\n',
        b'data: {"choices": "none"}\n\n',
        b'data: {"choices": [{"delta": {"content": null}, "finish_reason": null}]}\n\n',
        b'data: {"choices": [{"delta": {"reasoning_content": "thinking"}}]}\n\n',
        b"data: 17\n\n",
        b"data: " + b"[" * 5000 + b"\n\n",
    ],
    "anthropic": [
        b"data: {broken\n\n",
        b'data: {"type": "surprise", "index": 9}\n\n',
        b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", '
        b'"thinking": "hm"}}\n\n',
        b'data: {"type": "content_block_stop", "index": 0}\n\n',
        b'data: {"type": 5}\n\n',
        b'event: ping\ndata: {"type": "ping"}\n\n',
    ],
    "ollama": [
        b"{broken\n",
        b"\n",
        b'{"message": null}\n',
        b'{"message": {"content": "", "thinking": "hm"}}\n',
        b'{"message": 3}\n',
    ],
}


@pytest.mark.parametrize(("wire", "junk"), [(wire, junk) for wire in JUNK for junk in JUNK[wire]])
def test_an_event_in_no_known_form_costs_only_itself(wire, junk):
    """What stands before and after a broken event is not lost with it."""
    decoder = DECODERS[wire]()
    chunks = [*decoder.feed(DELTAS[wire] % b"one "), *decoder.feed(junk)]
    chunks += decoder.feed(DELTAS[wire] % b"two")
    assert text_of(chunks) == "one two"
    assert decoder.finish() is None


@WIRES
def test_invalid_utf_8_costs_only_its_bytes(wire):
    """A bad byte becomes the replacement character."""
    assert text_of(DECODERS[wire]().feed(DELTAS[wire] % b"a\xffb")) == "a\ufffdb"


@WIRES
def test_bytes_that_arrive_together_leave_as_one_delta(wire):
    """A burst of tokens costs one chunk, which is what makes a stream cheap."""
    chunks = DECODERS[wire]().feed(b"".join(DELTAS[wire] % b"%d" % n for n in range(9)))
    assert chunks == [TextDelta("012345678")]


ERRORS = {
    "openai": b'data: {"error": {"message": "no", "type": "server_error"}}\n\n',
    "anthropic": b'event: error\ndata: {"type": "error", "error": {"type": "api_error"}}\n\n',
    "ollama": b'{"error": "model runner has stopped"}\n',
}


@WIRES
def test_an_error_inside_a_stream_ends_it(wire):
    """Status 200 says nothing about how a stream goes on; what stood before the error is kept."""
    decoder = DECODERS[wire]()
    more = DELTAS[wire] % b"two"
    assert text_of(decoder.feed(DELTAS[wire] % b"one" + ERRORS[wire] + more)) == "one"
    assert isinstance(decoder.failure, HttpFault)
    assert decoder.feed(more) == []
    assert decoder.finish() is None


@pytest.mark.parametrize("decoder", [ChatDecoder, MessagesDecoder])
@pytest.mark.parametrize(
    ("event", "told"),
    [
        (b"event: error\ndata: upstream exploded\n\n", "upstream exploded"),
        (b'event:error\r\ndata:{"message": "no"}\r\n\r\n', {"message": "no"}),
        (b'event: error\ndata: {"error": {"message": "no"}}\n\n', {"message": "no"}),
        (b'error: {"message": "no"}\n\n', {"message": "no"}),
        (b"event: error\ndata: [1]\n\n", "[1]"),
    ],
)
def test_an_error_event_is_one_whatever_its_data(decoder, event, told):
    """Gateways put plain text into it; old llama.cpp has a field of its own."""
    decoder = decoder()
    assert decoder.feed(event) == []
    assert decoder.failure.body == {"error": told}


@pytest.mark.parametrize("wire", ["openai", "anthropic", "ollama"])
def test_a_byte_order_mark_costs_no_words(wire):
    """Some proxies put one before the first event."""
    assert text_of(DECODERS[wire]().feed(b"\xef\xbb\xbf" + DELTAS[wire] % b"one")) == "one"


def test_words_after_the_finish_reason_do_not_count():
    """A doubled end changes nothing."""
    decoder = ChatDecoder()
    finish = b'data: {"choices": [{"delta": {}, "finish_reason": "length"}]}\n\n'
    chunks = decoder.feed(DELTAS["openai"] % b"one" + finish + DELTAS["openai"] % b"two" + finish)
    chunks += decoder.feed(b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n')
    assert text_of(chunks) == "one"
    assert decoder.finish().reason == "length"


def test_done_without_a_finish_reason_is_a_whole_answer():
    """Some servers never send a finish reason; their `[DONE]` is the end."""
    decoder = ChatDecoder()
    decoder.feed(DELTAS["openai"] % b"one" + b"data: [DONE]\n\n")
    assert decoder.finish().reason == "stop"


def test_a_stream_of_messages_without_its_start_is_tolerated():
    """llama.cpp was seen to leave `message_start` out."""
    decoder = MessagesDecoder()
    end = b'data: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}\n\n'
    chunks = decoder.feed(DELTAS["anthropic"] % b"one" + end)
    assert text_of(chunks) == "one"
    assert decoder.finish().reason == "stop"


def test_a_doubled_end_of_messages_changes_nothing():
    """The first end counts, words after it do not, and usage is not added up."""
    decoder = MessagesDecoder()
    end = b"""data: {"type": "message_delta", "delta": {"stop_reason": "%b"},
data: "usage": {"output_tokens": 5}}

"""
    chunks = decoder.feed(DELTAS["anthropic"] % b"one" + end % b"max_tokens")
    chunks += decoder.feed(DELTAS["anthropic"] % b"two" + end % b"end_turn")
    assert text_of(chunks) == "one"
    assert decoder.finish().reason == "length"
    assert decoder.finish().usage.output_tokens == 5


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        ("openai", b'{"choices": []}'),
        ("openai", b'{"choices": null}'),
        ("openai", b'{"choices": "none"}'),
        ("openai", b'{"hello": 1}'),
        ("anthropic", b'{"content": []}'),
        ("anthropic", b'{"content": null, "stop_reason": null}'),
        ("anthropic", b'{"content": 5}'),
        ("ollama", b'{"message": null}'),
        ("ollama", b'{"hello": 1}'),
        ("ollama", b"[]"),
    ],
)
def test_json_that_holds_no_answer_is_a_whole_answer_without_words(wire, body):
    """So it is an empty answer, which is asked for once more."""
    decoder = DECODERS[wire]()
    assert decoder.whole(body) == []
    assert decoder.heard
    assert decoder.finish().reason == "stop"


@WIRES
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"half": '])
def test_what_is_no_json_is_no_answer(wire, body):
    """A page, half a body, or nothing."""
    decoder = DECODERS[wire]()
    assert decoder.whole(body) == []
    assert not decoder.heard
    assert decoder.finish() is None


@WIRES
def test_an_error_with_status_200_in_one_piece_is_raised(wire):
    """Gateways do this."""
    with pytest.raises(HttpFault):
        DECODERS[wire]().whole(b'{"error": {"message": "no"}}')
