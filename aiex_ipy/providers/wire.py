"""A provider reached over HTTP: what all wires share, from the request to the closed stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import msgspec

from aiex_ipy.config.settings import ProviderSettings, Secret, Settings
from aiex_ipy.errors import AiexError, CredentialsError
from aiex_ipy.messages import Chunk, Finish, ModelInfo, ModelRequest, Opened
from aiex_ipy.providers.answering import whole
from aiex_ipy.providers.faults import HttpFault, Peer, from_exception, hung_up, wrong_content

if TYPE_CHECKING:
    import ssl

    import httpx2

CONNECT_S = 5.0  # as both vendors' SDKs by default
IDLE_S = 60.0  # silence between two reads of one answer
MOST_KEPT = 100  # connections without a request that are kept for the next
AFTER_LAST_WORD_S = 2.0  # for the usage event that may follow the finish reason
AFTER_END_S = 0.1  # for the end of the body, so that the connection can be used again
UNSTREAMED = 20
"""An answer in one piece comes when all of it is made, so its first byte gets this many times the
deadline: 600 s at the default of 30 s, which is the SDKs' own."""


_opened: ContextVar[list[str] | None] = ContextVar("_opened", default=None)
"""What is told of a connection that had to be opened for a request; None when nobody asks."""


class Decoder(Protocol):
    """A wire without I/O: bytes in, chunks out.

    `heard` is True once a real event came, `finished` once the answer is whole, `ended` once the
    wire said that nothing follows.
    """

    heard: bool
    finished: bool
    ended: bool

    def feed(self, data: bytes) -> list[Chunk]: ...
    def whole(self, body: bytes) -> list[Chunk]: ...
    def finish(self) -> Finish | None: ...


class WireProvider:
    """One server, one kept client, one wire. Subclasses say where, what and in which form.

    The client is made at the first request, on the loop that runs then, and belongs to it.
    `default_timeout_ms` is the kind's own first-byte deadline, None for `llm.timeout_ms`.
    """

    kind: str
    label: str
    path: str
    prompt_budget_tokens: int | None = None
    default_timeout_ms: int | None = None

    def __init__(self, instance: ProviderSettings, settings: Settings) -> None:
        self.name = instance.name
        self.instance = instance
        self.settings = settings
        self._client: httpx2.AsyncClient | None = None

    # What a subclass says.

    async def endpoint(self) -> tuple[str, str]:
        """Return base URL and key (`""` for none); asked before every request, may start it."""
        raise NotImplementedError

    async def choose_model(self) -> tuple[str, str]:
        """Return the model when the caller named none, and a note that tells how it was chosen."""
        raise NotImplementedError

    async def models(self) -> Sequence[ModelInfo]:
        """Return what the server offers; raises ProviderError when it cannot be asked."""
        raise NotImplementedError

    def decoder(self) -> Decoder:
        """Return a new decoder for one answer."""
        raise NotImplementedError

    def body(self, request: ModelRequest, model: str) -> dict[str, Any]:
        """Return the JSON body of a request."""
        raise NotImplementedError

    def check(self, model: str) -> str:
        """Raise ProviderError for a model known to be gone; return what is to be told of it."""
        return ""

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry the key."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def peer(self) -> Peer:
        """Return what messages need to know about this provider."""
        return Peer(
            provider=self.name,
            label=self.label,
            remedy=f"Check that it runs and that llm.providers.{self.name}.base_url is right.",
            key_remedy=f"Set llm.providers.{self.name}.api_key.",
        )

    @property
    def first_byte_s(self) -> float:
        """The longest wait for the first event of a streamed answer, in seconds."""
        own = self.instance.timeout_ms or self.default_timeout_ms
        return (own or self.settings.llm.timeout_ms) / 1000

    # What all share.

    def stream(self, request: ModelRequest, /) -> AsyncGenerator[Chunk, None]:
        peer = self.peer()
        patience = 1 if request.stream else UNSTREAMED
        return whole(
            self._chunks(request, peer), request, peer, first_byte_s=self.first_byte_s * patience
        )

    async def available(self, within_s: float, /) -> bool:
        """Return whether the server answers within so many seconds and offers a model."""
        import asyncio

        import httpx2  # noqa: F401  # its import is not the server's time

        try:
            async with asyncio.timeout(within_s):
                return any(model.can_chat for model in await self.models())
        except (AiexError, TimeoutError):
            return False

    async def aclose(self) -> None:
        """Close the connections; the next request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _chunks(self, request: ModelRequest, peer: Peer) -> AsyncGenerator[Chunk, None]:
        from contextlib import aclosing

        url, key = await self._sendable(peer)
        model, note = (request.model, "") if request.model else await self.choose_model()
        peer.model = model
        decoder = self.decoder()
        note = "; ".join(part for part in (note, self.check(model)) if part)
        opened = Opened(provider=self.name, model=model, note=note)
        body = self.body(request, model)
        response = await self._asked(url, key, body, stream=request.stream)
        if request.stream and not _is_whole(response):
            async with aclosing(_streamed(response, decoder, opened)) as chunks:
                async for chunk in chunks:
                    yield chunk
        else:
            said = decoder.whole(await _read(response))
            if decoder.heard:
                yield opened
            for chunk in said:
                yield chunk
        finish = decoder.finish()
        if finish is not None:
            yield finish
        elif not decoder.heard:
            raise wrong_content(response.headers.get("content-type", ""), peer)

    async def _asked(
        self, url: str, key: str, body: dict[str, Any], *, stream: bool
    ) -> httpx2.Response:
        """Send a question; again at once where the server closed a kept connection under it.

        There may be more such connections, so it goes on until one was opened for the question.
        """
        opened: list[str] | None = None
        for _ in range(MOST_KEPT + 1):
            watching = _opened.set(opened)
            try:
                return await self.send(url, key, self.path, body, stream=stream)
            except Exception as error:
                if opened or not hung_up(error):
                    raise
            finally:
                _opened.reset(watching)
            opened = []
        raise AssertionError("More connections were kept than may be.")

    async def send(
        self, url: str, key: str, path: str, body: dict[str, Any] | None, *, stream: bool = False
    ) -> httpx2.Response:
        """GET (`body` None) or POST; return the 2xx response, read to its end unless `stream`."""
        client = self.client(url)
        headers = self.headers(key)
        if body is None:
            return await checked(await client.get(url + path, headers=headers))
        headers["Content-Type"] = "application/json"
        request = client.build_request(
            "POST",
            url + path,
            content=msgspec.json.encode(body),
            headers=headers,
            timeout=self.patience(stream),
        )
        return await checked(await client.send(request, stream=stream))

    def patience(self, stream: bool) -> httpx2.Timeout:
        """Return the limits of a connection: it may be silent as long as the first event may take.

        With a shorter one a slow answer in one piece would end here, before its own deadline.
        """
        import httpx2

        first_s = self.first_byte_s * (1 if stream else UNSTREAMED)
        return httpx2.Timeout(max(IDLE_S, first_s), connect=CONNECT_S)

    async def ask(
        self, path: str, body: dict[str, Any] | None = None, *, from_root: bool = False
    ) -> Any:
        """Return the decoded JSON of a GET or POST, within the first-byte deadline.

        Faults are mapped. This is for questions about the server, not for answers. `from_root`
        takes `path` from the server's root and not from below the base URL.
        """
        import asyncio

        peer = self.peer()
        try:
            async with asyncio.timeout(self.first_byte_s):
                url, key = await self._sendable(peer)
                if from_root:
                    url = url.removesuffix(urlsplit(url).path)
                response = await self.send(url, key, path, body)
            return msgspec.json.decode(response.content)
        except Exception as error:
            mapped = from_exception(error, peer)
            if mapped is error:
                raise
            raise mapped from error

    async def _sendable(self, peer: Peer) -> tuple[str, str]:
        """Return base URL and key, told to `peer`; CredentialsError for what no header holds."""
        url, key = await self.endpoint()
        peer.base_url, peer.secret = url, Secret(key)
        if not key.isascii() or not key.isprintable() or " " in key:
            raise CredentialsError(
                f"The key of provider {self.name!r} holds a character that no key has.",
                code="bad_key",
                hint=f"{peer.key_remedy.rstrip('.')}, without quotes, blanks and line ends.",
                provider=self.name,
            )
        return url, key

    def client(self, url: str) -> httpx2.AsyncClient:
        """Return the kept client."""
        if self._client is None:
            self._client = new_client(url)
        return self._client


def _is_whole(response: httpx2.Response) -> bool:
    """Return whether a server answered in one piece, whatever it was asked for."""
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip() == "application/json"


async def _read(response: httpx2.Response) -> bytes:
    try:
        return await response.aread()
    finally:
        await response.aclose()


async def checked(response: httpx2.Response) -> httpx2.Response:
    """Return a 2xx response; read and close any other and raise HttpFault."""
    if response.is_success:
        return response
    try:
        body = await response.aread()
    finally:
        await response.aclose()
    raise HttpFault(response.status_code, response.headers, body)


def is_loopback(url: str) -> bool:
    """Return whether `url` points at this very machine."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def http_url(address: str, *, ending: str = "") -> str:
    """Return `address` with a scheme, without a closing slash, and with `ending` (such as `/v1`).

    `localhost:1234`, `http://localhost:1234/` and `http://localhost:1234/v1` are one address.
    """
    url = address.strip().rstrip("/")
    if "://" not in url:
        url = f"http://{url}"
    return url if url.endswith(ending) else url + ending


def new_client(base_url: str) -> httpx2.AsyncClient:
    """Return a client for one server, to be used on the running loop only.

    Redirects are not followed: a POST would hand the prompt to the other host. A proxy is not
    asked for loopback addresses. Without TLS the certificates are not loaded.
    """
    import httpx2

    here, tls = is_loopback(base_url), base_url.startswith("https:")
    verify: ssl.SSLContext | bool = tls
    if here and tls:  # without `trust_env` the client would pass over SSL_CERT_FILE too
        import ssl

        verify = ssl.create_default_context()
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(IDLE_S, connect=CONNECT_S),
        limits=httpx2.Limits(max_connections=1000, max_keepalive_connections=MOST_KEPT),
        event_hooks={"request": [_watch]},
        follow_redirects=False,
        trust_env=not here,
        verify=verify,
    )


async def _watch(request: httpx2.Request) -> None:
    """Note when the transport opens a connection. Source: httpx2, "Request extensions", `trace`."""
    opened = _opened.get()
    if opened is None:
        return

    async def trace(event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            opened.append(event)

    request.extensions = {**request.extensions, "trace": trace}


async def _streamed(
    response: httpx2.Response, decoder: Decoder, opened: Opened
) -> AsyncGenerator[Chunk, None]:
    """Yield `opened` at the first real event, then the deltas; close the response in any case.

    Read to its end, the connection can be used again.
    """
    try:
        blocks = response.aiter_bytes()
        async for block in blocks:
            first = not decoder.heard
            chunks = decoder.feed(block)
            if first and decoder.heard:
                yield opened
            for chunk in chunks:
                yield chunk
            if decoder.finished:
                await _rest(blocks, decoder)
                break
    finally:
        await response.aclose()


async def _rest(blocks: AsyncIterator[bytes], decoder: Decoder) -> None:
    """Read what follows the last word; whatever happens here, the answer is whole."""
    import asyncio
    import contextlib

    with contextlib.suppress(Exception):
        async with asyncio.timeout(AFTER_LAST_WORD_S):
            await _until_end(blocks, decoder)
        async with asyncio.timeout(AFTER_END_S):
            async for _ in blocks:
                pass


async def _until_end(blocks: AsyncIterator[bytes], decoder: Decoder) -> None:
    while not decoder.ended:
        decoder.feed(await anext(blocks))
