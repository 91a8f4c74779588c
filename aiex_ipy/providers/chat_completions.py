"""The chat completions wire of OpenAI and of all who speak it, without I/O.

Source: OpenAI API reference, "Create chat completion" and "Streaming"; llama.cpp server README.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from aiex_ipy.messages import (
    Chunk,
    Finish,
    FinishReason,
    Message,
    ModelRequest,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from aiex_ipy.providers.faults import Failure, HttpFault
from aiex_ipy.providers.framing import Events, decoded, is_json
from aiex_ipy.providers.schema import strict_schema


class _Function(Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Words(Struct):
    content: str | None = None
    reasoning_content: Any = None  # text of DeepSeek, vLLM, llama.cpp, LM Studio
    reasoning: Any = None  # text of OpenRouter
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(Struct):
    delta: _Words | None = None
    message: _Words | None = None
    finish_reason: str | None = None


class _Tokens(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: Any = None

    @property
    def cached(self) -> int:
        """Tokens of the prompt that the server still had; 0 where it says nothing of the kind.

        Source: OpenAI API reference, `usage.prompt_tokens_details.cached_tokens`.
        """
        details = self.prompt_tokens_details
        found = details.get("cached_tokens") if type(details) is dict else None
        return found if type(found) is int and found > 0 else 0


class _Event(Struct):
    choices: list[_Choice] | None = None
    usage: _Tokens | None = None
    model: str | None = None
    error: Any = None


_events = msgspec.json.Decoder(_Event)

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refusal",
}


class ChatDecoder:
    """Bytes of one answer in, chunks out; text that arrives together leaves as one delta.

    `heard` is True once a real event came (comments do not count), `finished` once the answer
    is whole, `ended` once the wire said so, `failure` what ended it instead. `thought` counts words
    of thinking, which are not shown, `skipped` events before the end in no form we know. `free`
    says that the tokens cost nothing.
    """

    def __init__(self, *, free: bool = False) -> None:
        self.heard = self.finished = self.ended = False
        self.failure: Failure | None = None
        self.skipped = self.thought = 0
        self._events = Events()
        self._free = free
        self._reason: FinishReason | None = None
        self._refusal = ""
        self._tokens: _Tokens | None = None
        self._model = ""
        self._called = False

    def feed(self, data: bytes) -> list[Chunk]:
        """Take bytes of the stream. What stands before an error is given out, the error kept."""
        chunks: list[Chunk] = []
        texts: list[str] = []
        if self.ended or self.failure is not None:
            return chunks
        try:
            for event in self._events.feed(data):
                if event == b"[DONE]":
                    self.heard = self.finished = self.ended = True
                    break
                self._take(event, chunks, texts)
            else:
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
        texts: list[str] = []
        self._take(body, chunks, texts)
        if self.heard or is_json(body):
            self.heard = self.finished = self.ended = True
        return [TextDelta("".join(texts)), *chunks] if texts else chunks

    def finish(self) -> Finish | None:
        """Return the last chunk, or None when the answer was cut."""
        if not self.finished:
            return None
        reason = self._reason or ("tool_calls" if self._called else "stop")
        if self._refusal:
            reason = "refusal"
        elif self._called and reason == "stop":
            reason = "tool_calls"
        tokens = self._tokens or _Tokens()
        return Finish(
            reason=reason,
            model=self._model,
            refusal=self._refusal,
            skipped=self.skipped,
            usage=Usage(
                input_tokens=tokens.prompt_tokens,
                output_tokens=tokens.completion_tokens,
                cached_tokens=tokens.cached,
                cost_usd=0.0 if self._free else None,
            ),
        )

    def _take(self, data: bytes, chunks: list[Chunk], texts: list[str]) -> None:
        event = self._read(data)
        if event is None:
            return
        self.heard = True
        for choice in event.choices or ():
            words = choice.delta or choice.message
            if words is not None and not self.finished:
                if words.content:
                    texts.append(words.content)
                elif words.reasoning_content or words.reasoning:
                    self.thought += 1
                if words.tool_calls:
                    if texts:
                        chunks.append(TextDelta("".join(texts)))
                        texts.clear()
                    self._take_calls(words.tool_calls, chunks)
                if words.refusal:
                    self._refusal += words.refusal
            if choice.finish_reason and not self.finished:
                self._reason = _REASONS.get(choice.finish_reason, "stop")
                self.finished = True

    def _read(self, data: bytes) -> _Event | None:
        event = decoded(data, _events)
        if event is None:
            self.skipped += bool(data.strip()) and not self.finished
            return None
        if event.error and not self.finished:
            raise HttpFault(200, {}, {"error": event.error})
        if event.usage is not None:
            self._tokens = event.usage
        if event.model and not self._model:
            self._model = event.model
        return event

    def _take_calls(self, calls: list[_Call], chunks: list[Chunk]) -> None:
        self._called = True
        for position, call in enumerate(calls):
            function = call.function or _Function()
            chunks.append(
                ToolCallDelta(
                    index=position if call.index is None else call.index,
                    id=call.id or "",
                    name=function.name or "",
                    arguments=function.arguments or "",
                )
            )


def chat_body(request: ModelRequest, model: str, *, vendors: bool) -> dict[str, Any]:
    """Return the JSON body for `request`; `vendors` when it goes to OpenAI's own host.

    There `max_tokens` is deprecated and refused by reasoning models, and some bounds are no
    part of a strict schema; servers that speak the wire know only `max_tokens`.
    Source: OpenAI API reference, chat completions; Structured outputs.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in request.messages],
        "max_completion_tokens" if vendors else "max_tokens": request.max_tokens,
        "stream": request.stream,
    }
    if request.stream:
        body["stream_options"] = {"include_usage": True}
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop"] = list(request.stop)
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in request.tools
        ]
    if request.response_schema is not None:
        schema, strict = strict_schema(request.response_schema, bounds=not vendors)
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": request.schema_name, "schema": schema, "strict": strict},
        }
    return body


def _message(message: Message) -> dict[str, Any]:
    made: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        made["content"] = message.content or None
        made["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        made["tool_call_id"] = message.tool_call_id
    return made
