"""OpenAI, through its SDK's client and our own reading of the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiex_ipy.config.settings import ProviderSettings, Settings
from aiex_ipy.messages import ModelRequest
from aiex_ipy.providers.chat_completions import chat_body
from aiex_ipy.providers.openai_compatible import OpenAICompatibleProvider
from aiex_ipy.providers.vendor_sdk import VendorProvider

if TYPE_CHECKING:
    import httpx2


class OpenAIProvider(VendorProvider, OpenAICompatibleProvider):
    """OpenAI's chat completions; a server that only speaks them is `openai_compatible`."""

    kind = "openai"
    label = "OpenAI API"
    sdk_module = "openai"
    sdk_client = "AsyncOpenAI"
    vendor_url = "https://api.openai.com/v1"
    key_variable = "OPENAI_API_KEY"

    def __init__(self, instance: ProviderSettings, settings: Settings) -> None:
        super().__init__(instance, settings)
        self._refused: set[tuple[str, str]] = set()  # model and field

    async def send(
        self, url: str, key: str, path: str, body: dict[str, Any] | None, *, stream: bool = False
    ) -> httpx2.Response:
        """Send; a field of sampling that the model refuses is left out from then on.

        Reasoning models refuse `temperature` and `stop`, and no listing tells which are such.
        """
        if body is None:
            return await super().send(url, key, path, body)
        model = str(body["model"])
        body = {field: body[field] for field in body if (model, field) not in self._refused}
        try:
            return await super().send(url, key, path, body, stream=stream)
        except Exception as error:
            field = getattr(error, "param", None)
            refused = getattr(error, "code", None) in ("unsupported_value", "unsupported_parameter")
            if not refused or field not in ("temperature", "stop") or field not in body:
                raise
        self._refused.add((model, field))
        del body[field]
        return await super().send(url, key, path, body, stream=stream)

    def body(self, request: ModelRequest, model: str) -> dict[str, Any]:
        return chat_body(request, model, vendors=self.at_vendor)
