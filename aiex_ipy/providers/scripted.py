"""Answers from a list, for tests and docs; never chosen unless named."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence

from aiex_ipy.config.settings import ProviderSettings, Settings
from aiex_ipy.errors import ConfigError
from aiex_ipy.messages import (
    Answer,
    Chunk,
    Finish,
    ModelInfo,
    ModelRequest,
    Opened,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from aiex_ipy.providers.answering import whole
from aiex_ipy.providers.faults import Peer

_PIECE = re.compile(r"\s*\S+|\s+")


class ScriptedProvider:
    """Says its answers in order, then the last one again and again; text leaves word by word.

    The list is the setting `answers`, or `script`, whose items may also be an `Answer` (with tool
    calls, a finish or a refusal) or an exception to raise. `pause_s` is slept before each piece.
    `requests` keeps what was asked, `cancelled` counts the streams closed before their end.
    """

    kind = "scripted"
    prompt_budget_tokens: int | None = None

    def __init__(
        self,
        instance: ProviderSettings,
        settings: Settings,
        *,
        script: Sequence[str | Answer | Exception] = (),
        pause_s: float = 0.0,
    ) -> None:
        self.name = instance.name
        self._model = instance.model or "scripted"
        self._script = tuple(script) or instance.answers
        self._pause_s = pause_s
        self.requests: list[ModelRequest] = []
        self.cancelled = 0

    async def available(self, within_s: float, /) -> bool:
        return bool(self._script)

    async def models(self) -> Sequence[ModelInfo]:
        return [ModelInfo(name=self._model, loaded=True)]

    def stream(self, request: ModelRequest, /) -> AsyncGenerator[Chunk, None]:
        return whole(
            self._chunks(request),
            request,
            Peer(provider=self.name, label=repr(self.name), model=request.model or self._model),
        )

    async def aclose(self) -> None:
        """Nothing is held."""

    async def _chunks(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        import asyncio

        if not self._script:
            raise ConfigError(
                f"The scripted provider {self.name!r} has no answers.",
                hint=f"Set llm.providers.{self.name}.answers to a list of texts.",
            )
        said = self._script[min(len(self.requests), len(self._script) - 1)]
        self.requests.append(request)
        if isinstance(said, Exception):
            raise said
        answer = (
            said
            if isinstance(said, Answer)
            else Answer(text=said, provider=self.name, model=self._model, finish="stop")
        )
        model = request.model or self._model
        pieces = _PIECE.findall(answer.text) if request.stream else [answer.text]
        try:
            yield Opened(provider=self.name, model=model)
            for piece in pieces:
                await asyncio.sleep(self._pause_s)
                if piece:
                    yield TextDelta(piece)
            for index, call in enumerate(answer.tool_calls):
                yield ToolCallDelta(
                    index=index, id=call.id, name=call.name, arguments=call.arguments
                )
        except (GeneratorExit, asyncio.CancelledError):
            self.cancelled += 1
            raise
        yield Finish(
            reason=answer.finish,
            model=model,
            refusal=answer.refusal,
            usage=Usage(
                input_tokens=sum(len(m.content.split()) for m in request.messages),
                output_tokens=len(answer.text.split()),
                cost_usd=0.0,
            ),
        )
