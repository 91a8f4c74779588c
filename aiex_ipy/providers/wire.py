"""A provider reached over HTTP: what all wires share, from the request to the closed stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import msgspec

from aiex_ipy.config.settings import ProviderSettings, Secret, Settings
from aiex_ipy.config.values import model_name_fault
from aiex_ipy.errors import AiexError, CredentialsError, UnavailableError, near_miss
from aiex_ipy.messages import Chunk, Finish, ModelInfo, ModelRequest, Opened
from aiex_ipy.providers.answering import whole
from aiex_ipy.providers.deadlines import Deadlines
from aiex_ipy.providers.faults import Failure, HttpFault, Peer, from_exception, wrong_content
from aiex_ipy.providers.server_hints import hint_s
from aiex_ipy.providers.unreachable import is_loopback as is_loopback

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    import httpx2

    from aiex_ipy.providers.transport import Client, Repeated

AFTER_LAST_WORD_S = 2.0  # for the usage event that may follow the finish reason
AFTER_END_S = 0.1  # for the end of the body, so that the connection can be used again
UNSTREAMED = 20
"""An answer in one piece comes when all of it is made, so its first byte gets this many times the
deadline: 600 s at the default of 30 s, which is the SDKs' own."""

NO_KEY = "no-key"
"""What goes to a stand-in of a vendor that needs no key: the SDKs want one."""

NEAR_MODELS_S = 2.0
"""How long the listing is waited for that tells which models there are, when one is not."""

LONGEST_NAME = 100
"""Characters of a model's name that a hint shows; a longer one is left out."""

UNVERIFIED = "certificates are not checked, because network.ssl_verify is false"


class Decoder(Protocol):
    """A wire without I/O: bytes in, chunks out.

    `heard` is True once a real event came, `finished` once the answer is whole, `ended` once the
    wire said that nothing follows. `failure` is the error that ended it instead, after the chunks
    that stand before it. `thought` counts words of thinking, of which no chunk is made.
    """

    heard: bool
    thought: int
    finished: bool
    ended: bool
    failure: Failure | None

    def feed(self, data: bytes) -> list[Chunk]: ...
    def whole(self, body: bytes) -> list[Chunk]: ...
    def finish(self) -> Finish | None: ...


class WireProvider:
    """One server, one wire, a kept client for each loop. Subclasses say where, what and in which
    form.

    A client is made at the first request on a loop and is closed by `aclose`, or with the loop.
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
        self._clients: dict[AbstractEventLoop, tuple[Client, AsyncGenerator[None, None]]] = {}
        self._timeout: httpx2.Timeout | None = None
        self._told_unverified = False
        self._imported = False
        self.unavailable_because = ""  # what `available` found last
        self._posts: dict[str, tuple[tuple[str, str], Repeated]] = {}

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

    async def import_sender(self) -> None:
        """Import what sends a request: a second or more at times, which is not the server's."""
        import asyncio
        import importlib

        # In a thread, so that answers under way do not wait for it.
        await asyncio.to_thread(importlib.import_module, "aiex_ipy.providers.transport")

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry the key."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def peer(self) -> Peer:
        """Return what messages need to know about this provider."""
        own = f"llm.providers.{self.name}.api_key"
        return Peer(
            provider=self.name,
            label=self.label,
            remedy=f"Check that it runs and that llm.providers.{self.name}.base_url is right.",
            key_remedy=f"Set {self.instance.api_key_env or own}.",
        )

    @property
    def first_byte_s(self) -> float:
        """The longest wait for the first event of a streamed answer, in seconds."""
        own = self.instance.timeout_ms or self.default_timeout_ms
        return (own or self.settings.llm.timeout_ms) / 1000

    # What all share.

    def stream(self, request: ModelRequest, /) -> AsyncGenerator[Chunk, None]:
        peer = self.peer()
        llm = self.settings.llm
        total_s = llm.total_timeout_ms / 1000
        deadlines = Deadlines(
            first_s=self.first_byte_s * (1 if request.stream else UNSTREAMED),
            idle_s=llm.idle_timeout_ms / 1000,
            total_s=total_s if request.within_s is None else min(total_s, request.within_s),
        )
        return whole(self._chunks(request, peer, deadlines), request, peer, deadlines=deadlines)

    async def available(self, within_s: float, /) -> bool:
        """Return whether the server answers within so many seconds and offers a model."""
        import asyncio

        import httpx2  # noqa: F401  # its import is not the server's time

        try:
            async with asyncio.timeout(within_s):
                return any(model.can_chat for model in await self.models())
        except AiexError as error:
            self.unavailable_because = error.message
        except TimeoutError:
            self.unavailable_because = (
                f"{self.peer().subject} did not answer within {within_s:g} s."
            )
        return False

    async def aclose(self) -> None:
        """Close the connections, on whatever loop they are; the next request opens new ones."""
        import asyncio

        clients, self._clients = self._clients, {}
        here = asyncio.get_running_loop()
        for loop, (_, closing) in clients.items():
            if loop is here:
                await closing.aclose()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(closing.aclose(), loop))

    async def _chunks(
        self, request: ModelRequest, peer: Peer, deadlines: Deadlines
    ) -> AsyncGenerator[Chunk, None]:
        from contextlib import aclosing

        url, key = await self._sendable(peer)
        await self._import_once(deadlines)
        model, note = (request.model, "") if request.model else await self.choose_model()
        peer.model = model
        decoder = self.decoder()
        notes = (note, self.check(model), self._unverified(url))
        body = self.body(request, model)
        try:
            response = await self.send(url, key, self.path, body, stream=request.stream)
        except Exception as error:
            mapped = from_exception(error, peer)
            if mapped.code == "model_not_found":
                mapped.hint = await self._near_models(peer.model) or mapped.hint
            if mapped is error:
                raise
            raise mapped from error
        opened = Opened(
            provider=self.name,
            model=model,
            note="; ".join(part for part in notes if part),
            wait_s=hint_s(response.headers.raw),
        )
        if request.stream and not _is_whole(response):
            async with aclosing(_streamed(response, decoder, opened, deadlines)) as chunks:
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
        elif not decoder.heard and not (request.stream and _is_a_stream(response)):
            raise wrong_content(response.headers.get("content-type", ""), peer)

    async def _import_once(self, deadlines: Deadlines) -> None:
        if not self._imported:
            with deadlines.held():
                await self.import_sender()
            self._imported = True

    async def _near_models(self, model: str) -> str:
        """Return a hint that names the models there are, those like `model` first; `""` when the
        server does not tell them soon."""
        import asyncio

        try:
            async with asyncio.timeout(NEAR_MODELS_S):
                listed = await self.models()
        except (AiexError, TimeoutError):
            return ""
        names = tuple(
            each.name
            for each in listed
            if len(each.name) <= LONGEST_NAME and not model_name_fault(each.name)
        )
        return near_miss(model, names) if names else ""

    def _unverified(self, url: str) -> str:
        """Return a warning, once, when whoever answers is believed without a certificate."""
        if self.settings.network.ssl_verify or self._told_unverified:
            return ""
        self._told_unverified = url.startswith("https:")
        return UNVERIFIED if self._told_unverified else ""

    async def send(
        self, url: str, key: str, path: str, body: dict[str, Any] | None, *, stream: bool = False
    ) -> httpx2.Response:
        """GET (`body` None) or POST; return the 2xx response, read to its end unless `stream`."""
        client = self.client(url)
        if body is None:
            return checked(await client.get(url + path, headers=self.headers(key)))
        content = msgspec.json.encode(body)
        known, post = self._posts.get(path, (None, None))
        if post is None or known != (url, key):
            from aiex_ipy.providers.transport import Repeated

            headers = {**self.headers(key), "Content-Type": "application/json"}
            first = client.build_request("POST", url + path, content=content, headers=headers)
            post = Repeated(first, self.timeout)
            self._posts[path] = (url, key), post
        return checked(await client.send(post.post(content), stream=stream))

    @property
    def timeout(self) -> httpx2.Timeout:
        """The transport's limits: only connecting has one. What follows is the deadlines' to end,
        which do not take comments for words as a limit on the silence between two reads would."""
        if self._timeout is None:
            import httpx2

            self._timeout = httpx2.Timeout(
                None, connect=self.settings.llm.connect_timeout_ms / 1000
            )
        return self._timeout

    async def ask(
        self, path: str, body: dict[str, Any] | None = None, *, from_root: bool = False
    ) -> Any:
        """Return the decoded JSON of a GET or POST, within `network.timeout_ms`.

        Faults are mapped. This is for questions about the server, not for answers. `from_root`
        takes `path` from the server's root and not from below the base URL.
        """
        import asyncio

        peer = self.peer()
        within_s = self.settings.network.timeout_ms / 1000
        try:
            async with asyncio.timeout(within_s) as deadline:
                url, key = await self._sendable(peer)
                if from_root:
                    url = url.removesuffix(urlsplit(url).path)
                response = await self.send(url, key, path, body)
            return msgspec.json.decode(response.content)
        except Exception as error:
            if isinstance(error, TimeoutError) and deadline.expired():
                raise UnavailableError(
                    f"{peer.place} did not answer within {within_s:g} s.",
                    code="timeout",
                    hint="Raise network.timeout_ms, or check that the server is well.",
                    **peer.details(),
                ) from None
            mapped = from_exception(error, peer)
            if mapped is error:
                raise
            raise mapped from error

    async def _sendable(self, peer: Peer) -> tuple[str, str]:
        """Return base URL and key, told to `peer`; CredentialsError for what no header holds."""
        url, key = await self.endpoint()
        peer.base_url, peer.secret = url, Secret("" if key == NO_KEY else key)
        if not key.isascii() or not key.isprintable() or " " in key:
            raise CredentialsError(
                f"The key of provider {self.name!r} holds a character that no key has.",
                code="bad_key",
                hint=f"{peer.key_remedy.rstrip('.')}, without quotes, blanks and line ends.",
                provider=self.name,
            )
        return url, key

    def client(self, url: str) -> Client:
        """Return the client that is kept for the running loop."""
        from asyncio import get_running_loop

        loop = get_running_loop()
        kept = self._clients.get(loop)
        if kept is None:
            from aiex_ipy.providers.transport import Client

            client = Client(
                url,
                self.settings.network,
                connect_s=self.settings.llm.connect_timeout_ms / 1000,
            )
            for other in [each for each in self._clients if each.is_closed()]:
                del self._clients[other]
            kept = self._clients[loop] = client, _closing(client)
        return kept[0]


def _closing(client: Client) -> AsyncGenerator[None, None]:
    """Return a begun generator that closes `client` with its own end.

    A loop that ends closes the generators begun on it, and so the connections nobody closed.
    """

    async def until_closed() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await client.aclose()

    closing = until_closed()
    with suppress(StopIteration):
        closing.asend(None).send(None)
    return closing


def _is_a_stream(response: httpx2.Response) -> bool:
    """Return whether a server says that its answer is a stream, of one wire or the other."""
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip() in ("text/event-stream", "application/x-ndjson")


def _is_whole(response: httpx2.Response) -> bool:
    """Return whether a server answered in one piece, whatever it was asked for."""
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip() == "application/json"


def checked(response: httpx2.Response) -> httpx2.Response:
    """Return a 2xx response; raise HttpFault for any other, whose body is read."""
    if response.is_success:
        return response
    raise HttpFault(response.status_code, response.headers, response.content)


def http_url(address: str, *, ending: str = "") -> str:
    """Return `address` with a scheme, without a closing slash, and with `ending` (such as `/v1`).

    `localhost:1234`, `http://localhost:1234/` and `http://localhost:1234/v1` are one address.
    """
    url = address.strip().rstrip("/")
    if "://" not in url:
        url = f"http://{url}"
    return url if url.endswith(ending) else url + ending


async def _read(response: httpx2.Response) -> bytes:
    """Return the body, which is unread where a stream was asked for."""
    if response.is_closed:
        return response.content
    from aiex_ipy.providers.transport import whole_body

    return await whole_body(response)


async def _streamed(
    response: httpx2.Response, decoder: Decoder, opened: Opened, deadlines: Deadlines
) -> AsyncGenerator[Chunk, None]:
    """Yield `opened` at the first real event, then the deltas; close the response in any case.

    Read to its end, the connection can be used again.
    """
    from aiex_ipy.providers.transport import blocks

    try:
        read = blocks(response)
        thought = 0
        async for block in read:
            first = not decoder.heard
            chunks = decoder.feed(block)
            if first and decoder.heard:
                yield opened
            for chunk in chunks:
                yield chunk
            if decoder.thought != thought:
                thought = decoder.thought
                deadlines.alive()
            if decoder.finished:
                deadlines.stop()
                await _rest(read, decoder)
                break
            if decoder.failure is not None:
                raise decoder.failure
    finally:
        await response.aclose()


async def _rest(read: AsyncIterator[bytes], decoder: Decoder) -> None:
    """Read what follows the last word; whatever happens here, the answer is whole."""
    import asyncio

    with suppress(Exception):
        async with asyncio.timeout(AFTER_LAST_WORD_S):
            await _until_end(read, decoder)
        async with asyncio.timeout(AFTER_END_S):
            async for _ in read:
                pass


async def _until_end(read: AsyncIterator[bytes], decoder: Decoder) -> None:
    while not decoder.ended:
        decoder.feed(await anext(read))
