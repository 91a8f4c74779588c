"""What the loopback server says, rendered on each wire."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec
from msgspec import Struct

from aiex_ipy.messages import FinishReason, ToolCall

Wire = Literal["openai", "anthropic", "ollama"]

_CALLED = "loopback-model"


class Reply(Struct, frozen=True, kw_only=True):
    """An answer of the loopback server.

    `pieces` are the deltas of a streamed answer, else `text` leaves word by word. `pause_s` is
    slept before each piece, `first_pause_s` before anything is sent. With `cut_after`, the stream
    ends after so many pieces: `cut` says whether as a clean end without the last event or as a
    broken connection.
    """

    text: str = "Hello from the loopback server."
    pieces: tuple[str, ...] | None = None
    finish: FinishReason = "stop"
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    input_tokens: int = 7
    output_tokens: int = 5
    pause_s: float = 0.0
    first_pause_s: float = 0.0
    cut_after: int | None = None
    cut: Literal["end", "reset"] = "end"

    def deltas(self) -> tuple[str, ...]:
        """Return the pieces the text leaves in."""
        if self.pieces is not None:
            return self.pieces
        return tuple(re.findall(r"\s*\S+|\s+", self.text))


class Raw(Struct, frozen=True, kw_only=True):
    """Bytes as they are, for faults: `blocks` leave one by one after `pause_s` each.

    Without `head` there are no status and no headers. `for_ever`, if any, is sent again and again
    after the blocks. `end` says what follows: the end of the body, a connection that is reset, one
    that is closed in mid-body, or silence.
    """

    status: int = 200
    headers: dict[str, str] = {}
    head: bool = True
    blocks: tuple[bytes, ...] = ()
    for_ever: bytes = b""
    pause_s: float = 0.0
    end: Literal["end", "reset", "close", "silence"] = "end"


def whole_body(wire: Wire, reply: Reply, model: str) -> bytes:
    """Return the JSON of an answer that is not streamed."""
    text = "".join(reply.deltas())
    body: dict[str, Any]
    if wire == "openai":
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if reply.refusal:
            message["refusal"] = reply.refusal
        if reply.tool_calls:
            message["tool_calls"] = _openai_calls(reply)
        choice = {"index": 0, "message": message, "finish_reason": _REASONS[wire][reply.finish]}
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [choice],
            "usage": _openai_usage(reply),
        }
    elif wire == "anthropic":
        body = {**_anthropic_message(reply, model), "content": _anthropic_blocks(reply, text)}
        body["stop_reason"] = _REASONS[wire][reply.finish]
        body["usage"]["output_tokens"] = reply.output_tokens
        if reply.refusal:
            body["stop_details"] = {"type": "refusal", "explanation": reply.refusal}
    else:
        body = {**_ollama_end(reply, model), "message": {"role": "assistant", "content": text}}
        if reply.tool_calls:
            body["message"]["tool_calls"] = _ollama_calls(reply)
    return msgspec.json.encode(body)


def stream_blocks(wire: Wire, reply: Reply, model: str) -> tuple[list[bytes], list[bytes]]:
    """Return the deltas of a streamed answer, one block each, and what stands after them."""
    if wire == "openai":
        return _openai_stream(reply, model)
    if wire == "anthropic":
        return _anthropic_stream(reply, model)
    return _ollama_stream(reply, model)


def content_type(wire: Wire) -> str:
    """Return the content type of a streamed answer."""
    return "application/x-ndjson" if wire == "ollama" else "text/event-stream"


_REASONS: dict[Wire, dict[FinishReason, str]] = {
    "openai": {
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "refusal": "content_filter",
    },
    "anthropic": {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "refusal": "refusal",
    },
    "ollama": {"stop": "stop", "length": "length", "tool_calls": "stop", "refusal": "stop"},
}


def _data(event: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(event) + b"\n\n"


def _openai_usage(reply: Reply) -> dict[str, int]:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }


def _openai_calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for index, call in enumerate(reply.tool_calls)
    ]


def _openai_stream(reply: Reply, model: str) -> tuple[list[bytes], list[bytes]]:
    def event(delta: dict[str, Any], reason: str | None = None) -> bytes:
        return _data(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": model,
                "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
            }
        )

    deltas = [event({"content": piece}) for piece in reply.deltas()]
    for call in _openai_calls(reply):
        arguments = call["function"]["arguments"]
        first = {**call, "function": {**call["function"], "arguments": arguments[:3]}}
        rest = {"index": call["index"], "function": {"arguments": arguments[3:]}}
        deltas += [event({"tool_calls": [first]}), event({"tool_calls": [rest]})]
    if reply.refusal:
        deltas.append(event({"refusal": reply.refusal}))
    if deltas:
        deltas[0] = event({"role": "assistant", "content": None}) + deltas[0]
    usage = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
        "choices": [],
        "usage": _openai_usage(reply),
    }
    end = [event({}, _REASONS["openai"][reply.finish]), _data(usage), b"data: [DONE]\n\n"]
    return deltas, end


def _named(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\n".encode() + _data(event)


def _anthropic_message(reply: Reply, model: str) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": reply.input_tokens, "output_tokens": 1},
    }


def _anthropic_blocks(reply: Reply, text: str) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    blocks += [
        {
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": msgspec.json.decode(call.arguments),
        }
        for call in reply.tool_calls
    ]
    return blocks


def _anthropic_stream(reply: Reply, model: str) -> tuple[list[bytes], list[bytes]]:
    def delta(index: int, kind: str, field: str, value: str) -> bytes:
        return _named(
            {
                "type": "content_block_delta",
                "index": index,
                "delta": {"type": kind, field: value},
            }
        )

    def start(index: int, block: dict[str, Any]) -> bytes:
        return _named({"type": "content_block_start", "index": index, "content_block": block})

    def stop(index: int) -> bytes:
        return _named({"type": "content_block_stop", "index": index})

    begin = _named({"type": "message_start", "message": _anthropic_message(reply, model)})
    deltas = [delta(0, "text_delta", "text", piece) for piece in reply.deltas()]
    index = 0
    if deltas:
        deltas[0] = start(0, {"type": "text", "text": ""}) + _named({"type": "ping"}) + deltas[0]
        deltas[-1] += stop(0)
        index = 1
    for call in reply.tool_calls:
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        deltas.append(start(index, block))
        deltas.append(delta(index, "input_json_delta", "partial_json", call.arguments[:3]))
        deltas.append(
            delta(index, "input_json_delta", "partial_json", call.arguments[3:]) + stop(index)
        )
        index += 1
    details = {"type": "refusal", "explanation": reply.refusal} if reply.refusal else None
    last = {
        "type": "message_delta",
        "delta": {
            "stop_reason": _REASONS["anthropic"][reply.finish],
            "stop_sequence": None,
            "stop_details": details,
        },
        "usage": {"output_tokens": reply.output_tokens},
    }
    end = [_named(last), _named({"type": "message_stop"})]
    if deltas:
        deltas[0] = begin + deltas[0]
    else:
        end.insert(0, begin)
    return deltas, end


def _ollama_calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"function": {"name": call.name, "arguments": msgspec.json.decode(call.arguments)}}
        for call in reply.tool_calls
    ]


def _ollama_end(reply: Reply, model: str) -> dict[str, Any]:
    return {
        "model": model,
        "created_at": "2026-11-22T00:00:00Z",
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": _REASONS["ollama"][reply.finish],
        "prompt_eval_count": reply.input_tokens,
        "eval_count": reply.output_tokens,
    }


def _ollama_stream(reply: Reply, model: str) -> tuple[list[bytes], list[bytes]]:
    def line(message: dict[str, Any]) -> bytes:
        said = {"model": model, "created_at": "2026-11-22T00:00:00Z", "done": False}
        return msgspec.json.encode({**said, "message": message}) + b"\n"

    deltas = [line({"role": "assistant", "content": piece}) for piece in reply.deltas()]
    if reply.tool_calls:
        calls = _ollama_calls(reply)
        deltas.append(line({"role": "assistant", "content": "", "tool_calls": calls}))
    return deltas, [msgspec.json.encode(_ollama_end(reply, model)) + b"\n"]
