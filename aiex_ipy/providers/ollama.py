"""Ollama, by its own protocol: tags, ps, show, and chat as newline-delimited JSON.

Source: Ollama, docs/api.md, "Generate a chat completion", "List local models", "List running
models", "Show model information"; docs.ollama.com/cloud. A listing names `remote_host` (such as
"https://ollama.com:443") and `remote_model` where a model runs in Ollama's cloud: seen in
answers of servers of version 0.12 and later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from aiex_ipy.errors import AiexError, ProviderError
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
from aiex_ipy.providers.faults import Failure, HttpFault, Peer
from aiex_ipy.providers.framing import Lines, decoded, is_json
from aiex_ipy.providers.model_facts import is_in_ollamas_cloud
from aiex_ipy.providers.schema import strict_schema
from aiex_ipy.providers.wire import WireProvider, http_url

DEFAULT_URL = "http://localhost:11434"
CLOUD_HOST = "ollama.com"

_USUAL_CONTEXT = 4096
"""Tokens an Ollama server gives a model by default; a longer prompt is cut without a word."""

_CHARS_PER_TOKEN = 3  # a low guess, so that the context asked for is enough


class OllamaProvider(WireProvider):
    """A running Ollama; with no model set, the one it used last that can chat.

    A model of Ollama's cloud is asked only by its name: the question leaves this machine, and its
    price is not known.
    """

    kind = "ollama"
    label = "Ollama"
    path = "/api/chat"
    default_timeout_ms = 60_000  # the guide's, because a model may have to be loaded first

    async def endpoint(self) -> tuple[str, str]:
        key = self.instance.api_key
        url = http_url(self.instance.base_url or DEFAULT_URL).removesuffix("/v1")
        return url, key.reveal() if key else ""

    async def choose_model(self) -> tuple[str, str]:
        if self.instance.model:
            return self.instance.model, ""
        listed = await self.models()
        for model in listed:
            if model.can_chat and not model.elsewhere:
                last = "used" if model.loaded else "got"
                return model.name, f"the model Ollama {last} last"
        has, hint = "only models that cannot chat" if listed else "no model", ""
        if any(model.can_chat for model in listed):
            has = "no model on this machine, only such as run in its cloud"
            hint = ", or name one of the cloud with --model"
        raise ProviderError(
            f"Ollama has {has}.",
            code="no_model",
            hint=f"Get one with `ollama pull codellama`{hint}.",
            provider=self.name,
        )

    async def models(self) -> Sequence[ModelInfo]:
        """Return its models, those in memory first by their last use, then the newest."""
        import asyncio

        tags, running = await asyncio.gather(self._listed("/api/tags"), self._listed("/api/ps"))
        loaded = {entry.name: entry for entry in running}
        can_chat = await asyncio.gather(*(self._can_chat(entry) for entry in tags))
        # `expires_at` is the last use plus the time a model is kept.
        ordered = sorted(
            zip(tags, can_chat, strict=True),
            key=lambda pair: (
                loaded[pair[0].name].expires_at if pair[0].name in loaded else "",
                pair[0].modified_at,
            ),
            reverse=True,
        )
        return [
            ModelInfo(
                name=entry.name,
                size_bytes=entry.size,
                modified=entry.modified_at or None,
                context_tokens=(
                    loaded[entry.name].context_length if entry.name in loaded else None
                ),
                can_chat=chats,
                elsewhere=entry.elsewhere,
                loaded=entry.name in loaded,
            )
            for entry, chats in ordered
        ]

    async def available(self, within_s: float, /) -> bool:
        import asyncio

        import httpx2  # noqa: F401  # its import is not the server's time

        try:
            async with asyncio.timeout(within_s):
                listed = await self._listed("/api/tags")
                return any(self.instance.model or not each.elsewhere for each in listed)
        except AiexError as error:
            self.unavailable_because = error.message
        except TimeoutError:
            self.unavailable_because = (
                f"{self.peer().subject} did not answer within {within_s:g} s."
            )
        return False

    def decoder(self) -> OllamaDecoder:
        host = urlsplit(http_url(self.instance.base_url or DEFAULT_URL)).hostname
        return OllamaDecoder(free=host != CLOUD_HOST)

    def body(self, request: ModelRequest, model: str) -> dict[str, Any]:
        return chat_body(request, model)

    def peer(self) -> Peer:
        # The variable is about the instance of the kind's name only.
        own = f"llm.providers.{self.name}.base_url"
        where = "AIEX_OLLAMA_HOST" if self.name == self.kind else own
        return Peer(
            provider=self.name,
            label=self.label,
            remedy=f"Start it with `ollama serve`, or set {where}.",
            key_remedy=f"Set llm.providers.{self.name}.api_key.",
        )

    async def _listed(self, path: str) -> list[_Entry]:
        try:
            return msgspec.convert(await self.ask(path), _Listing).models or []
        except msgspec.ValidationError as error:
            raise ProviderError(
                f"Ollama answered {path!r} in no form we know: {error}.",
                code="protocol",
                hint="Check that AIEX_OLLAMA_HOST is an Ollama server.",
                provider=self.name,
            ) from error

    async def _can_chat(self, entry: _Entry) -> bool:
        """Newer versions tell in the listing, older ones when asked, still older ones not."""
        capabilities = entry.capabilities
        if capabilities is None:
            try:
                shown = msgspec.convert(await self.ask("/api/show", {"model": entry.name}), _Shown)
            except (AiexError, msgspec.ValidationError):
                return True
            capabilities = shown.capabilities
        return capabilities is None or "completion" in capabilities


class OllamaDecoder:
    """Lines of JSON in, chunks out; text that arrives together leaves as one delta. `free` says
    that the tokens of the server's own models cost nothing."""

    def __init__(self, *, free: bool = True) -> None:
        self.heard = self.finished = self.ended = False
        self._free = free
        self.failure: Failure | None = None
        self.skipped = self.thought = 0
        self._lines = Lines()
        self._last: _Line | None = None
        self._calls = 0

    def feed(self, data: bytes) -> list[Chunk]:
        """Take bytes of the stream. What stands before an error is given out, the error kept."""
        chunks: list[Chunk] = []
        if self.ended or self.failure is not None:
            return chunks
        try:
            self._take(self._lines.feed(data), chunks)
            self.failure = self._lines.failure
        except HttpFault as fault:
            self.failure = fault
        return chunks

    def whole(self, body: bytes) -> list[Chunk]:
        """Take the body of an answer that was not streamed; raises HttpFault for an error.

        Several lines are a stream that was not asked for, which ends with its last line only.
        """
        chunks: list[Chunk] = []
        one = is_json(body)
        self._take([body] if one else body.split(b"\n"), chunks)
        if one and not chunks and self._last is None:
            self.heard, self._last = True, _Line()  # an answer that holds none
        return chunks

    def finish(self) -> Finish | None:
        """Return the last chunk, or None when the answer was cut."""
        if self._last is None:
            return None
        reason: FinishReason = "length" if self._last.done_reason == "length" else "stop"
        elsewhere = self._last.remote_host or is_in_ollamas_cloud(self._last.model)
        return Finish(
            reason="tool_calls" if self._calls and reason == "stop" else reason,
            model=self._last.model,
            skipped=self.skipped,
            usage=Usage(
                input_tokens=self._last.prompt_eval_count,
                output_tokens=self._last.eval_count,
                cost_usd=0.0 if self._free and not elsewhere else None,
            ),
        )

    def _take(self, lines: list[bytes], chunks: list[Chunk]) -> None:
        texts: list[str] = []
        try:
            for data in lines:
                line = self._read(data)
                if line is None:
                    continue
                self.heard = True
                if line.message is not None:
                    if line.message.content:
                        texts.append(line.message.content)
                    elif line.message.thinking:
                        self.thought += 1
                    for call in line.message.tool_calls or ():
                        if texts:
                            chunks.append(TextDelta("".join(texts)))
                            texts.clear()
                        chunks.append(self._call(call))
                if line.done:
                    self._last = line
                    self.finished = self.ended = True
                    break
        finally:
            if texts:
                chunks.append(TextDelta("".join(texts)))

    def _read(self, data: bytes) -> _Line | None:
        if not data.strip():
            return None
        line = decoded(data, _lines)
        if line is None:
            self.skipped += 1
            return None
        if line.error:
            raise HttpFault(200, {}, {"error": line.error})
        return line

    def _call(self, call: _Call) -> ToolCallDelta:
        index, self._calls = self._calls, self._calls + 1
        return ToolCallDelta(
            index=index,
            id=call.id or f"call_{index}",
            name=call.function.name,
            arguments=msgspec.json.encode(call.function.arguments).decode(),
        )


def chat_body(request: ModelRequest, model: str) -> dict[str, Any]:
    """Return the body of `/api/chat`, with a context that holds the whole prompt."""
    options: dict[str, Any] = {"num_predict": request.max_tokens}
    chars = sum(len(message.content) for message in request.messages)
    needed = chars // _CHARS_PER_TOKEN + request.max_tokens
    if needed > _USUAL_CONTEXT:
        # Powers of two, because another size makes the server load the model again.
        options["num_ctx"] = 1 << (needed - 1).bit_length()
    if request.temperature is not None:
        options["temperature"] = request.temperature
    if request.stop:
        options["stop"] = list(request.stop)
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message, request.messages) for message in request.messages],
        "stream": request.stream,
        "options": options,
    }
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
        body["format"] = strict_schema(request.response_schema)[0]
    return body


def _message(message: Message, all_of_them: tuple[Message, ...]) -> dict[str, Any]:
    made: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        made["tool_calls"] = [
            {"function": {"name": call.name, "arguments": _arguments(call.arguments)}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        made["tool_name"] = next(
            (
                call.name
                for each in all_of_them
                for call in each.tool_calls
                if call.id == message.tool_call_id
            ),
            message.tool_call_id,
        )
    return made


def _arguments(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}


class _Function(Struct, frozen=True):
    name: str = ""
    arguments: Any = None


class _Call(Struct):
    function: _Function = _Function()
    id: str | None = None


class _Words(Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Line(Struct):
    message: _Words | None = None
    done: bool = False
    done_reason: str | None = None
    model: str = ""
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    remote_host: str | None = None
    error: Any = None


class _Entry(Struct):
    name: str
    size: int | None = None
    modified_at: str = ""
    expires_at: str = ""
    context_length: int | None = None
    capabilities: list[str] | None = None
    remote_host: str | None = None
    remote_model: str | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether it runs in Ollama's cloud; an alias is told by its host alone."""
        return bool(self.remote_host or self.remote_model) or is_in_ollamas_cloud(self.name)


class _Listing(Struct):
    models: list[_Entry] | None = None


class _Shown(Struct):
    capabilities: list[str] | None = None


_lines = msgspec.json.Decoder(_Line)
