"""Any server that speaks OpenAI's chat completions: vLLM, llama.cpp, a gateway, our own child."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiex_ipy.errors import ConfigError, ProviderError
from aiex_ipy.messages import ModelInfo, ModelRequest
from aiex_ipy.providers.chat_completions import ChatDecoder, chat_body
from aiex_ipy.providers.faults import HttpFault
from aiex_ipy.providers.schema import in_words
from aiex_ipy.providers.wire import WireProvider, http_url

if TYPE_CHECKING:
    import httpx2


class OpenAICompatibleProvider(WireProvider):
    """Chat completions at a base URL, without an SDK: no vendor's variables or headers travel.

    A subclass with an address known only at first use overrides `endpoint`, and `first_byte_s`
    where its deadline is its own.
    """

    kind = "openai_compatible"
    label = "the OpenAI-compatible server"
    path = "/chat/completions"
    free = False  # a server on loopback may be a gateway to a vendor

    async def endpoint(self) -> tuple[str, str]:
        if not self.instance.base_url:
            raise ConfigError(
                f"Provider {self.name!r} has no base URL.",
                hint=f"Set llm.providers.{self.name}.base_url, such as 'http://localhost:8000/v1'.",
            )
        key = self.instance.api_key
        return http_url(self.instance.base_url), key.reveal() if key else ""

    async def choose_model(self) -> tuple[str, str]:
        if self.instance.model:
            return self.instance.model, ""
        offered = await self.models()
        if not offered:
            raise ProviderError(
                f"{self.label} offers no model.",
                code="no_model",
                hint=f"Load one there, or set llm.providers.{self.name}.model.",
                provider=self.name,
            )
        return offered[0].name, f"the first model that {self.label} offers"

    async def models(self) -> Sequence[ModelInfo]:
        listed = await self.ask("/models")
        entries = listed.get("data") if isinstance(listed, dict) else None
        return [
            ModelInfo(name=str(entry["id"]))
            for entry in entries or ()
            if isinstance(entry, dict) and "id" in entry
        ]

    async def send(
        self, url: str, key: str, path: str, body: dict[str, Any] | None, *, stream: bool = False
    ) -> httpx2.Response:
        """Send; a server that refuses `response_format` is told the schema in words instead."""
        try:
            return await super().send(url, key, path, body, stream=stream)
        except HttpFault as error:
            refusing = error.status in (400, 415, 422, 501)
            if body is None or "response_format" not in body or not refusing:
                raise
        schema = body.pop("response_format")["json_schema"]["schema"]
        body["messages"] = [*body["messages"], {"role": "system", "content": in_words(schema)}]
        return await super().send(url, key, path, body, stream=stream)

    def decoder(self) -> ChatDecoder:
        return ChatDecoder(free=self.free)

    def body(self, request: ModelRequest, model: str) -> dict[str, Any]:
        return chat_body(request, model, vendors=False)
