"""OpenAI, through its SDK's client and our own reading of the stream."""

from __future__ import annotations

from typing import Any

from aiex_ipy.messages import ModelRequest
from aiex_ipy.providers.chat_completions import chat_body
from aiex_ipy.providers.openai_compatible import OpenAICompatibleProvider
from aiex_ipy.providers.vendor_sdk import VendorProvider


class OpenAIProvider(VendorProvider, OpenAICompatibleProvider):
    """OpenAI's chat completions; a server that only speaks them is `openai_compatible`."""

    kind = "openai"
    label = "OpenAI API"
    sdk_module = "openai"
    sdk_client = "AsyncOpenAI"
    vendor_url = "https://api.openai.com/v1"
    key_variable = "OPENAI_API_KEY"

    def body(self, request: ModelRequest, model: str) -> dict[str, Any]:
        return chat_body(request, model, vendors=self.at_vendor)
