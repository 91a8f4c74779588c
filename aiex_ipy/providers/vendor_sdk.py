"""Sending through a vendor's SDK, whose typed reading of the answer is left out."""

from __future__ import annotations

from functools import cached_property
from os import environ
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from aiex_ipy.config.settings import ProviderSettings, Settings
from aiex_ipy.errors import CredentialsError
from aiex_ipy.providers.faults import Peer
from aiex_ipy.providers.model_facts import check_not_retired, facts, fast_model
from aiex_ipy.providers.wire import NO_KEY, WireProvider, http_url

if TYPE_CHECKING:
    import httpx2

    from aiex_ipy.providers.transport import Repeated


class VendorProvider(WireProvider):
    """A vendor's own API, or a stand-in for it at `base_url`.

    The SDK signs and sends the first request of each kind; later ones repeat its address and
    headers, which saves a third of a call's time. It never retries: that is the router's to
    decide. It is imported in a thread at the first request, so that answers under way do not wait
    a second for it.
    """

    sdk_module: str
    sdk_client: str
    vendor_url: str
    key_variable: str
    _sdk: Any = None
    _stream_type: Any = None

    def __init__(self, instance: ProviderSettings, settings: Settings) -> None:
        super().__init__(instance, settings)
        self._signed: dict[tuple[str, bool], Repeated] = {}

    async def endpoint(self) -> tuple[str, str]:
        key = self.instance.api_key
        if not key and not self.at_vendor:
            return http_url(self.instance.base_url or ""), NO_KEY
        if not key:
            variable = self.instance.api_key_env or self.key_variable
            raise CredentialsError(
                f"Provider {self.name!r} has no key.",
                code="no_key",
                hint=f"Set {variable}.",
                provider=self.name,
            )
        return http_url(self.instance.base_url or self.vendor_url), key.reveal()

    async def choose_model(self) -> tuple[str, str]:
        return self.instance.model or facts(self.kind).default, ""

    def model_for(self, task: str) -> str | None:
        """Return the model for a task when none is set; None leaves it to `choose_model`."""
        return fast_model(self.kind) if task == "complete" else None

    @cached_property
    def at_vendor(self) -> bool:
        """True when the base URL is the vendor's own host, not a stand-in."""
        url = http_url(self.instance.base_url or self.vendor_url)
        return urlsplit(url).hostname in facts(self.kind).hosts

    def check(self, model: str) -> str:
        return check_not_retired(self.kind, model, self.peer()) if self.at_vendor else ""

    def peer(self) -> Peer:
        variable = self.instance.api_key_env or self.key_variable
        # Where a table holds the key, the variable would not be looked at.
        held = self.instance.api_key
        own = held and self.name != self.kind and environ.get(variable, "").strip() != held.reveal()
        key = f"llm.providers.{self.name}.api_key" if own else variable
        return Peer(
            provider=self.name,
            label=self.label,
            remedy="Check the network, HTTPS_PROXY and the base URL, or name another provider.",
            key_remedy=f"Set {key} to a valid key.",
        )

    async def import_sender(self) -> None:
        import asyncio
        import importlib

        await super().import_sender()
        await asyncio.to_thread(importlib.import_module, self.sdk_module)

    async def send(
        self, url: str, key: str, path: str, body: dict[str, Any] | None, *, stream: bool = False
    ) -> httpx2.Response:
        if body is None:  # a listing is not worth the SDK's import, a second or more
            return await super().send(url, key, path, None)
        # Kept in hand, because closing the provider lets go of it while an answer is awaited.
        sdk, post = self._sdk, self._signed.get((path, stream))
        if post is None or sdk is None:
            response = await self._send_by_sdk(url, key, path, body, stream=stream)
            from aiex_ipy.providers.transport import Repeated

            self._signed[path, stream] = Repeated(response.request, self.timeout)
            return response
        request = post.post(msgspec.json.encode(body))
        response = await self.client(url).send(request, stream=stream)
        if response.is_success:
            return response
        raise sdk._make_status_error_from_response(response)

    async def _send_by_sdk(
        self, url: str, key: str, path: str, body: dict[str, Any], *, stream: bool
    ) -> httpx2.Response:
        import httpx2

        sdk = self._sdk
        if sdk is None or sdk._client is not self.client(url):
            sdk = await self._make_sdk(url, key)
        # With `cast_to` a response, the SDK hands it over unread when streaming, else read.
        more: dict[str, Any] = {"stream": True, "stream_cls": self._stream_type} if stream else {}
        response = await sdk.post(
            path,
            cast_to=httpx2.Response,
            body=body,
            options={"timeout": self.timeout},
            **more,
        )
        assert isinstance(response, httpx2.Response)
        return response

    async def aclose(self) -> None:
        self._sdk = None
        self._signed.clear()
        await super().aclose()

    async def _make_sdk(self, url: str, key: str) -> Any:
        import asyncio
        import importlib

        # Also when it stands in `sys.modules`: a request that was cancelled may have left its
        # import under way in another thread, for whose end this waits.
        module = await asyncio.to_thread(importlib.import_module, self.sdk_module)
        self._stream_type = module.AsyncStream[Any]
        self._sdk = sdk = getattr(module, self.sdk_client)(
            api_key=key,
            base_url=url,
            max_retries=0,
            timeout=self.timeout,
            http_client=self.client(url),
        )
        return sdk
