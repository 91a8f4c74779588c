"""OpenAI, through its SDK's client and our own reading of the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiex_ipy.errors import CredentialsError
from aiex_ipy.providers.faults import Peer
from aiex_ipy.providers.openai_compatible import OpenAICompatibleProvider
from aiex_ipy.providers.wire import CONNECT_S, IDLE_S, http_url

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

VENDOR_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "gpt-6.1-sol"


class OpenAIProvider(OpenAICompatibleProvider):
    """OpenAI's own API, or a stand-in for it at `base_url`.

    The SDK signs and sends; its typed decoding is left out, which costs it five sixths of its
    time per token. It never retries: that is the router's to decide.
    """

    kind = "openai"
    label = "OpenAI API"
    _sdk: AsyncOpenAI | None = None

    async def endpoint(self) -> tuple[str, str]:
        key = self.instance.api_key
        if not key:
            raise CredentialsError(
                f"Provider {self.name!r} has no key.",
                code="no_key",
                hint="Set OPENAI_API_KEY.",
                provider=self.name,
            )
        return http_url(self.instance.base_url or VENDOR_URL), key.reveal()

    async def choose_model(self) -> tuple[str, str]:
        return self.instance.model or DEFAULT_MODEL, ""

    def peer(self) -> Peer:
        return Peer(
            provider=self.name,
            label=self.label,
            remedy="Check the network, HTTPS_PROXY and the base URL, or name another provider.",
            key_remedy="Set OPENAI_API_KEY to a valid key.",
        )

    async def open(self, url: str, key: str, body: dict[str, Any], stream: bool) -> httpx2.Response:
        import httpx2
        from openai import AsyncOpenAI, AsyncStream

        if self._sdk is None:
            self._sdk = AsyncOpenAI(
                api_key=key,
                base_url=url,
                max_retries=0,
                timeout=httpx2.Timeout(IDLE_S, connect=CONNECT_S),
                http_client=self.client(url),
            )
        # With `cast_to` a response, the SDK hands it over unread when streaming, else read.
        if not stream:
            return await self._sdk.post(self.path, cast_to=httpx2.Response, body=body)
        response: Any = await self._sdk.post(
            self.path,
            cast_to=httpx2.Response,
            body=body,
            stream=True,
            stream_cls=AsyncStream[Any],
        )
        assert isinstance(response, httpx2.Response)
        return response

    async def aclose(self) -> None:
        self._sdk = None
        await super().aclose()
