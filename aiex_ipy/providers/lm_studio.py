"""LM Studio: chat completions on its own port, and its own listing of what is loaded.

Source: LM Studio documentation, "REST API" v1 (0.4) and v0 (0.3.6), "List your models".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from aiex_ipy.errors import ProtocolError, ProviderError
from aiex_ipy.messages import ModelInfo
from aiex_ipy.providers.faults import Peer
from aiex_ipy.providers.openai_compatible import OpenAICompatibleProvider
from aiex_ipy.providers.wire import http_url

DEFAULT_URL = "http://localhost:1234/v1"


class LMStudioProvider(OpenAICompatibleProvider):
    """A running LM Studio; with no model set, the one it has loaded."""

    kind = "lm_studio"
    label = "LM Studio"
    free = True
    default_timeout_ms = 60_000  # the guide's, because a model may have to be loaded first

    async def endpoint(self) -> tuple[str, str]:
        key = self.instance.api_key
        url = http_url(self.instance.base_url or DEFAULT_URL, ending="/v1")
        return url, key.reveal() if key else ""

    async def choose_model(self) -> tuple[str, str]:
        if self.instance.model:
            return self.instance.model, ""
        offered = [model for model in await self.models() if model.can_chat]
        if not offered:
            raise ProviderError(
                "LM Studio offers no model that can chat.",
                code="no_model",
                hint=f"Load one in LM Studio, or set llm.providers.{self.name}.model.",
                provider=self.name,
            )
        loaded = next((model for model in offered if model.loaded), None)
        if loaded is None:
            return offered[0].name, "none is loaded in LM Studio: its first"
        return loaded.name, "the model loaded in LM Studio"

    async def models(self) -> Sequence[ModelInfo]:
        for path, read in (("/api/v1/models", _of_v1), ("/api/v0/models", _of_v0)):
            try:
                return read(await self.ask(path, from_root=True))
            except msgspec.ValidationError:
                continue  # older versions answer 200 with an error text for what they lack
            except ProtocolError as error:
                if error.code != "not_found":
                    raise
        return await super().models()

    def peer(self) -> Peer:
        # The variable is about the instance of the kind's name only.
        own = f"llm.providers.{self.name}.base_url"
        where = "AIEX_LM_STUDIO_HOST" if self.name == self.kind else own
        return Peer(
            provider=self.name,
            label=self.label,
            remedy=f"Start its server (`lms server start`), or set {where}.",
            key_remedy=f"Set llm.providers.{self.name}.api_key to a token of LM Studio.",
        )


class _Config(Struct, frozen=True):
    context_length: int | None = None


class _Instance(Struct):
    id: str
    config: _Config = _Config()


class _Entry(Struct):
    """A model of `/api/v1/models`."""

    key: str
    type: str = "llm"
    size_bytes: int | None = None
    max_context_length: int | None = None
    loaded_instances: list[_Instance] = []


class _ListingV1(Struct):
    models: list[_Entry]


class _EntryV0(Struct):
    """A model of `/api/v0/models`."""

    id: str
    type: str = "llm"
    state: str = ""
    max_context_length: int | None = None
    loaded_context_length: int | None = None


class _ListingV0(Struct):
    data: list[_EntryV0]


def _of_v1(body: Any) -> list[ModelInfo]:
    listed = []
    for entry in msgspec.convert(body, _ListingV1).models:
        running = entry.loaded_instances[0] if entry.loaded_instances else None
        context = running.config.context_length if running else None
        listed.append(
            ModelInfo(
                name=running.id if running else entry.key,
                context_tokens=context or entry.max_context_length,
                size_bytes=entry.size_bytes,
                can_chat=entry.type != "embedding",
                loaded=running is not None,
            )
        )
    return listed


def _of_v0(body: Any) -> list[ModelInfo]:
    return [
        ModelInfo(
            name=entry.id,
            context_tokens=entry.loaded_context_length or entry.max_context_length,
            can_chat=entry.type != "embeddings",
            loaded=entry.state == "loaded",
        )
        for entry in msgspec.convert(body, _ListingV0).data
    ]
