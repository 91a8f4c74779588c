"""Anthropic, through its SDK's client and our own reading of the stream.

Source: Anthropic API reference, "Messages" and "Streaming messages".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from aiex_ipy.messages import (
    Chunk,
    Finish,
    FinishReason,
    Message,
    ModelInfo,
    ModelRequest,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from aiex_ipy.providers.faults import Failure, HttpFault
from aiex_ipy.providers.framing import Events, decoded, is_json
from aiex_ipy.providers.schema import in_words, strict_schema
from aiex_ipy.providers.vendor_sdk import VendorProvider


class AnthropicProvider(VendorProvider):
    """Anthropic's messages API."""

    kind = "anthropic"
    label = "Anthropic API"
    path = "/v1/messages"
    sdk_module = "anthropic"
    sdk_client = "AsyncAnthropic"
    vendor_url = "https://api.anthropic.com"
    key_variable = "ANTHROPIC_API_KEY"

    async def endpoint(self) -> tuple[str, str]:
        url, key = await super().endpoint()
        return url.removesuffix("/v1"), key

    def headers(self, key: str) -> dict[str, str]:
        return {"x-api-key": key, "anthropic-version": "2023-06-01"}

    async def models(self) -> Sequence[ModelInfo]:
        listed = await self.ask("/v1/models?limit=1000")
        entries = listed.get("data") if isinstance(listed, dict) else None
        return [
            ModelInfo(name=str(entry["id"]))
            for entry in entries or ()
            if isinstance(entry, dict) and "id" in entry
        ]

    def decoder(self) -> MessagesDecoder:
        return MessagesDecoder()

    def body(self, request: ModelRequest, model: str) -> dict[str, Any]:
        return messages_body(request, model, vendors=self.at_vendor)


class MessagesDecoder:
    """Bytes of one answer in, chunks out; text that arrives together leaves as one delta.

    `thought` counts words of thinking, `skipped` events before the end in no form we know. A
    missing `message_start` is tolerated: llama.cpp was seen to leave it out.
    """

    def __init__(self) -> None:
        self.heard = self.finished = self.ended = False
        self.failure: Failure | None = None
        self.skipped = self.thought = 0
        self._events = Events()
        self._calls: dict[int, int] = {}
        self._stop_reason = ""
        self._refusal = ""
        self._model = ""
        self._input: int | None = None
        self._output: int | None = None

    def feed(self, data: bytes) -> list[Chunk]:
        """Take bytes of the stream. What stands before an error is given out, the error kept."""
        chunks: list[Chunk] = []
        texts: list[str] = []
        if self.ended or self.failure is not None:
            return chunks
        try:
            self._take_all(self._events.feed(data), chunks, texts)
            self.failure = self._events.failure
        except HttpFault as fault:
            self.failure = fault
        if texts:
            chunks.append(TextDelta("".join(texts)))
        return chunks

    def whole(self, body: bytes) -> list[Chunk]:
        """Take the body of an answer that was not streamed; raises HttpFault for an error.

        The end of its JSON is the end of the answer, whatever else it holds.
        """
        chunks: list[Chunk] = []
        message = decoded(body, _messages)
        if message is None:
            self.heard = self.finished = self.ended = is_json(body)
            return chunks
        if message.error:
            raise HttpFault(200, {}, {"error": message.error})
        self.heard = self.finished = self.ended = True
        self._take_message(message)
        for index, block in enumerate(message.content or ()):
            if block.text:
                chunks.append(TextDelta(block.text))
            elif block.type == "tool_use":
                arguments = msgspec.json.encode(block.input or {}).decode()
                chunks.append(self._call(index, block, arguments))
        self._end(message.stop_reason, message.stop_details)
        return chunks

    def finish(self) -> Finish | None:
        """Return the last chunk, or None when the answer was cut."""
        if not self.finished:
            return None
        reason = _REASONS.get(self._stop_reason, "stop")
        if self._calls and reason == "stop":
            reason = "tool_calls"
        return Finish(
            reason=reason,
            model=self._model,
            refusal=self._refusal,
            skipped=self.skipped,
            usage=Usage(input_tokens=self._input, output_tokens=self._output),
        )

    def _take_all(self, events: list[bytes], chunks: list[Chunk], texts: list[str]) -> None:
        for data in events:
            event = self._read(data)
            if event is None or self.ended:
                continue
            delta = event.delta
            if event.type == "content_block_delta" and delta is not None:
                self.heard = True
                if delta.text:
                    if not self.finished:
                        texts.append(delta.text)
                    continue
                self.thought += bool(delta.thinking)
            if event.type != "ping":
                if texts:
                    chunks.append(TextDelta("".join(texts)))
                    texts.clear()
                self._take(event, chunks)

    def _read(self, data: bytes) -> _Event | None:
        event = decoded(data, _events)
        if event is None:
            lost = bool(data.strip()) and data != b"[DONE]"  # which some gateways add
            self.skipped += lost and not self.finished
            return None
        if event.error and not self.finished:
            raise HttpFault(200, {}, {"error": event.error})
        return event

    def _take(self, event: _Event, chunks: list[Chunk]) -> None:
        self.heard = True
        delta = event.delta
        if event.type == "message_start" and event.message is not None:
            self._take_message(event.message)
        elif event.type == "message_delta" and delta is not None:
            if event.usage is not None:
                self._take_usage(event.usage)
            self._end(delta.stop_reason, delta.stop_details)
        elif event.type == "message_stop":
            self.finished = self.ended = True
        elif not self.finished:  # after a doubled end nothing counts
            self._take_block(event, chunks)

    def _take_block(self, event: _Event, chunks: list[Chunk]) -> None:
        delta, block = event.delta, event.content_block
        if event.type == "content_block_start" and block is not None:
            if block.text:
                chunks.append(TextDelta(block.text))
            elif block.type == "tool_use":
                chunks.append(self._call(event.index, block, ""))
        elif delta is not None and delta.partial_json and event.index in self._calls:
            chunks.append(
                ToolCallDelta(index=self._calls[event.index], arguments=delta.partial_json)
            )

    def _take_message(self, message: _Message) -> None:
        self._model = message.model
        if message.usage is not None:
            self._take_usage(message.usage)

    def _take_usage(self, usage: _Tokens) -> None:
        self._input = usage.input_tokens or self._input
        self._output = usage.output_tokens or self._output

    def _end(self, reason: str | None, details: _Details | None) -> None:
        if reason:
            self._stop_reason = self._stop_reason or reason
            self.finished = True
        if details is not None:
            self._refusal = details.explanation or details.category or ""

    def _call(self, block_index: int, block: _Block, arguments: str) -> ToolCallDelta:
        index = self._calls.setdefault(block_index, len(self._calls))
        return ToolCallDelta(index=index, id=block.id, name=block.name, arguments=arguments)


def messages_body(request: ModelRequest, model: str, *, vendors: bool) -> dict[str, Any]:
    """Return the body of `/v1/messages`; `vendors` when it goes to Anthropic's own host.

    There the newer models refuse sampling parameters, and a schema is kept to. Elsewhere it may
    be ignored (llama.cpp does), so it is told in words as well.
    """
    told = [message.content for message in request.messages if message.role == "system"]
    schema, strict = strict_schema(request.response_schema or {}, bounds=False)
    if request.response_schema is not None and not (strict and vendors):
        told.append(in_words(schema))
    body: dict[str, Any] = {
        "model": model,
        "messages": _turns(request.messages),
        "max_tokens": request.max_tokens,
        "stream": request.stream,
    }
    if told:
        body["system"] = "\n\n".join(told)
    if request.temperature is not None and not vendors:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    if request.tools:
        body["tools"] = [
            {
                "name": tool.name,
                "description": tool.description,
                "input_schema": tool.parameters,
            }
            for tool in request.tools
        ]
    if request.response_schema is not None and strict:
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    return body


def _turns(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Return the turns; neighbours of one role are one, as the results of several calls must be."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"].extend(blocks)
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [
            {
                "type": "tool_result",
                "tool_use_id": message.tool_call_id or "",
                "content": message.content,
            }
        ]
    blocks: list[dict[str, Any]] = []
    if message.content:
        blocks.append({"type": "text", "text": message.content})
    for call in message.tool_calls:
        try:
            given = msgspec.json.decode(call.arguments or "{}")
        except msgspec.DecodeError:
            given = {}
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": given})
    return blocks


class _Details(Struct):
    category: str | None = None
    explanation: str | None = None


class _Tokens(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Block(Struct):
    type: str = ""
    text: str | None = None
    id: str = ""
    name: str = ""
    input: Any = None


class _Message(Struct):
    model: str = ""
    content: list[_Block] | None = None
    stop_reason: str | None = None
    stop_details: _Details | None = None
    usage: _Tokens | None = None
    error: Any = None


class _Delta(Struct):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_details: _Details | None = None


class _Event(Struct):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: _Tokens | None = None
    error: Any = None


_events = msgspec.json.Decoder(_Event)
_messages = msgspec.json.Decoder(_Message)

_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}
