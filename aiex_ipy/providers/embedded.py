"""A local model in a child process shared by the user's kernels and shells.

The child speaks OpenAI's chat completions on loopback with a key of its own; here is what it
needs beyond that wire: which file, how many threads, started when first asked, started again
when it was killed, and a prompt budget, because reading a prompt is what takes a CPU's time.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from aiex_ipy.config.settings import EmbeddedSettings, ProviderSettings, Settings
from aiex_ipy.errors import AiexError, InterruptedAnswerError, StoreError, UnavailableError
from aiex_ipy.messages import Chunk, Message, ModelInfo, ModelRequest, Opened
from aiex_ipy.providers.faults import Peer
from aiex_ipy.providers.openai_compatible import OpenAICompatibleProvider

if TYPE_CHECKING:
    import asyncio

    from aiex_ipy.providers.local_connection import Connection
    from aiex_ipy.providers.local_server import ServerSpec
    from aiex_ipy.providers.model_store import LocalModel

SLOTS = 2
"""Answers that run at once; more wait. Each has the whole `context_tokens`."""

SLEEP_S = 600
"""Seconds without a question after which the model's memory is given back: 345 MB become 65, and
the next answer comes about 0.6 s later."""

READING_S = 4.5
"""How long a prompt of the default budget may take to be read, in seconds."""

LEAST_BUDGET_TOKENS = 200
"""A prompt with less says too little; a slower machine takes longer over it."""

LONGEST_ANSWER_TOKENS = 400
"""Where an answer is cut: a model of this size rarely has more to say, and one that repeats
itself would go on for minutes (1,401 tokens in 40 s were seen, then 4,000 in JSON)."""

MOST_ITEMS = 2
LONGEST_TEXT = 100
"""Items of a list and characters of a text in a structured answer of a local model."""

AGAINST_LOOPS = {"dry_multiplier": 0.8, "dry_base": 1.75, "dry_allowed_length": 3}
"""Sampling that makes a phrase less likely the longer it repeats an earlier one. Not used where
a schema forces repetition. Source: llama.cpp, tools/server/README, "DRY" (defaults but for the
length, which leaves code its idioms)."""


class EmbeddedProvider:
    """Answers from a GGUF on this machine, at no cost; nothing leaves it.

    The model is the request's, else the instance's, else `llm.embedded.model`: a name known to
    `aiex models`, or the path of a GGUF. Each model asked for has a server of its own.
    """

    kind = "embedded"
    slots = SLOTS

    def __init__(self, instance: ProviderSettings, settings: Settings) -> None:
        self.name = instance.name
        self._instance = instance
        self._settings = settings
        self._servers: dict[ServerSpec, _Server] = {}

    @property
    def prompt_budget_tokens(self) -> int:
        """The setting where it was changed; else 700, or less where the machine reads slower.

        The speed is what the server measured when it started, now or the last time it ran.
        """
        asked = self._settings.llm.embedded.prompt_budget_tokens
        if asked != EmbeddedSettings().prompt_budget_tokens:
            return asked
        from aiex_ipy.providers.local_connection import last_speed

        try:
            speed = last_speed(self._spec(self._find(None)))
        except AiexError:
            speed = None
        if speed is None:
            return asked
        return min(asked, max(LEAST_BUDGET_TOKENS, int(speed.prompt_tokens_per_s * READING_S)))

    def unavailable(self) -> AiexError | None:
        """Why no local model can be asked, found out without starting anything; None if it can."""
        try:
            self._check_system()
            self._find(None)
        except AiexError as error:
            return error
        return None

    async def available(self, within_s: float, /) -> bool:
        """True when a model is installed and can be run; asks no server and starts none."""
        return self.unavailable() is None

    async def models(self) -> Sequence[ModelInfo]:
        """The installed models and the own file the settings name, if any."""
        from aiex_ipy.providers import model_store

        found = {model.path: model for model in model_store.list_models() if model.installed}
        try:
            chosen = self._find(None)
            found.setdefault(chosen.path, chosen)
        except AiexError:
            if not found:
                raise
        return [
            ModelInfo(
                name=model.name,
                context_tokens=self._settings.llm.embedded.context_tokens,
                size_bytes=model.size_bytes,
                loaded=self._is_loaded(model),
            )
            for model in found.values()
        ]

    def stream(self, request: ModelRequest, /) -> AsyncGenerator[Chunk, None]:
        return self._stream(request)

    async def count_tokens(self, messages: Sequence[Message], *, model: str | None = None) -> int:
        """The exact number of tokens of a prompt of `messages`, its template counted in."""
        server = self._server(model)
        await server.connected()
        return await server.count_tokens(messages)

    async def aclose(self) -> None:
        """Let go of the servers; each leaves when nobody else holds it."""
        servers, self._servers = self._servers, {}
        for server in servers.values():
            await server.aclose()

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        from contextlib import aclosing

        server = self._server(request.model)
        temperature = request.temperature
        asked = msgspec.structs.replace(
            request,
            model=server.model.model,
            temperature=server.model.temperature if temperature is None else temperature,
            max_tokens=min(request.max_tokens, LONGEST_ANSWER_TOKENS),
        )
        opened = shown = False
        for again in (True, False):
            connection = await server.connected()
            try:
                async with aclosing(server.stream(asked)) as chunks:
                    async for chunk in chunks:
                        if type(chunk) is not Opened:
                            shown = True
                        elif opened:
                            continue
                        opened = True
                        yield chunk
                return
            except (UnavailableError, InterruptedAnswerError) as error:
                if error.code == "timeout":
                    error.hint = "Ask for less, or raise llm.embedded.first_byte_timeout_ms."
                if shown or not again or not await connection.gone():
                    raise
                # It was killed before it said a word (or one of an answer that is given out only
                # when it is whole): the same question to a new one.

    def _check_system(self) -> None:
        import os
        import socket
        from importlib.util import find_spec

        if not hasattr(socket, "AF_UNIX") or not hasattr(os, "fork"):
            raise UnavailableError(
                "The embedded model needs local sockets and fork, which this system lacks.",
                code="not_on_this_system",
                hint="Run Ollama or LM Studio instead.",
                provider=self.name,
            )
        if find_spec("xllamacpp") is None:
            raise UnavailableError(
                "The embedded model needs the package 'xllamacpp', which is not installed.",
                code="local_extra_missing",
                hint="Install it with `pip install 'aiex[local]'`.",
                provider=self.name,
            )

    def _server(self, model: str | None) -> _Server:
        self._check_system()
        found = self._find(model)
        spec = self._spec(found)
        if spec not in self._servers:
            self._servers[spec] = _Server(self._instance, self._settings, found, spec)
        return self._servers[spec]

    def _find(self, model: str | None) -> LocalModel:
        from aiex_ipy.providers import model_store

        embedded = self._settings.llm.embedded
        try:
            return model_store.find(model or self._instance.model or embedded.model)
        except StoreError as error:
            raise _unavailable(error, self.name) from error

    def _spec(self, model: LocalModel) -> ServerSpec:
        from aiex_ipy.providers.local_server import ServerSpec

        embedded = self._settings.llm.embedded
        return ServerSpec(
            model_path=model.path,
            model_name=model.model,
            threads=embedded.threads,
            context_tokens=embedded.context_tokens,
            slots=SLOTS,
            linger_ms=embedded.linger_ms,
            sleep_s=SLEEP_S,
        )

    def _is_loaded(self, model: LocalModel) -> bool:
        server = self._servers.get(self._spec(model))
        return server is not None and server.alive()


def _bounded(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with lists and texts bounded, so that the grammar made of it comes to an end."""
    bounded = dict(schema)
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        bounded["properties"] = {name: _bounded(inner) for name, inner in properties.items()}
    elif schema.get("type") == "array":
        bounded["maxItems"] = min(MOST_ITEMS, schema.get("maxItems", MOST_ITEMS))
        bounded["items"] = _bounded(schema.get("items", {}))
    elif schema.get("type") == "string" and not {"enum", "const", "pattern"} & set(schema):
        bounded["maxLength"] = min(LONGEST_TEXT, schema.get("maxLength", LONGEST_TEXT))
    return bounded


def _unavailable(error: StoreError, provider: str) -> UnavailableError:
    """What is wrong with a file or directory, to one who asked a provider for an answer."""
    return UnavailableError(error.message, code=error.code, hint=error.hint, provider=provider)


class _Server(OpenAICompatibleProvider):
    """The chat completions of one shared server, held while this is open."""

    kind = "embedded"
    label = "the local model server"
    free = True

    def __init__(
        self, instance: ProviderSettings, settings: Settings, model: LocalModel, spec: ServerSpec
    ) -> None:
        super().__init__(instance, settings)
        self.model = model
        self._spec = spec
        self._connection: Connection | None = None
        self._connecting: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    @property
    def first_byte_s(self) -> float:
        ours = self.settings.llm.embedded.first_byte_timeout_ms
        return (self.instance.timeout_ms or ours) / 1000

    def peer(self) -> Peer:
        return Peer(
            provider=self.name,
            label=self.label,
            remedy="Ask again: the server is started anew.",
            key_remedy="Ask again: the server is started anew.",
        )

    def headers(self, key: str) -> dict[str, str]:
        # The server closes a connection that was idle for 5 s, and a question sent at that very
        # moment is lost. A new connection on loopback costs a tenth of a millisecond.
        return {**super().headers(key), "Connection": "close"}

    def alive(self) -> bool:
        return self._connection is not None and self._connection.alive()

    async def connected(self) -> Connection:
        """The held connection; the server is found or started first where there is none."""
        import asyncio

        from aiex_ipy.providers import model_store
        from aiex_ipy.providers.local_connection import connect

        loop = asyncio.get_running_loop()
        for other in list(self._connecting):
            if other.is_closed():
                self._connecting.pop(other, None)
        async with self._connecting.setdefault(loop, asyncio.Lock()):
            held = self._connection
            if held is not None and held.alive():
                return held
            try:
                made = await connect(self._spec, check=lambda: model_store.verify(self.model))
            except StoreError as error:
                raise _unavailable(error, self.name) from error
            held = self._connection
            if held is not None and held.alive():  # another loop was as quick
                made.close()
                return held
            self._connection = made
            if held is not None:
                held.close()
            return made

    async def endpoint(self) -> tuple[str, str]:
        ready = (await self.connected()).ready
        return f"{ready.address}/v1", ready.api_key

    def body(self, request: ModelRequest, model: str) -> dict[str, Any]:
        body = super().body(request, model)
        if request.response_schema is None:
            return body | AGAINST_LOOPS
        form = body["response_format"]["json_schema"]
        form["schema"] = _bounded(form["schema"])
        return body

    async def choose_model(self) -> tuple[str, str]:
        return self.model.model, ""

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        body = self.body(ModelRequest(messages=tuple(messages), stream=False), self.model.model)
        counted: dict[str, Any] = await self.ask(f"{self.path}/input_tokens", body)
        return int(counted["input_tokens"])

    async def aclose(self) -> None:
        await super().aclose()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
