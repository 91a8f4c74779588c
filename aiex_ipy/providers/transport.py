"""The HTTP client of a provider: where it goes, by which way, and how much it takes in.

Importing this module imports httpx2, so it is imported at the first request.
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import AsyncIterator
from os import environ
from typing import Any
from urllib.parse import urlsplit

import httpx2

from aiex_ipy.config.settings import NetworkSettings
from aiex_ipy.config.values import without_password
from aiex_ipy.errors import ConfigError
from aiex_ipy.providers.unreachable import TransportFault, chain, is_loopback

ANSWER_BYTES = 16 * 1024 * 1024
"""The most an answer in one piece may hold, unpacked."""

ERROR_BYTES = 1024 * 1024
"""What is read of the body of an error; what follows is left."""

ERROR_BODY_S = 2.0
"""How long the body of an error is waited for; its status says the most."""

PIECE_BYTES = 1024 * 1024
"""The most that is unpacked at once."""

MOST_CONNECTIONS = 1000
KEPT_CONNECTIONS = 100
"""As both vendors' SDKs. A request that finds all in use waits for one until its own deadline."""

_BROKEN = (
    httpx2.RemoteProtocolError,
    httpx2.ReadError,
    httpx2.WriteError,
    httpx2.CloseError,
)
_KEEPS_METHOD = (307, 308)
_REDIRECTS = (301, 302, 303, *_KEEPS_METHOD)


class Client(httpx2.AsyncClient):
    """A client for one server, to be used on the loop it was made on; the SDKs send by it too.

    It follows redirects on the same origin only, reads no more of a body than the caps allow, and
    sends once more, on a new connection, what was lost with a kept one that the server closed in
    the moment of use: before any answer. All else that breaks is told, since what the server has
    begun with may be billed. Cookies are not kept.
    """

    def __init__(self, base_url: str, network: NetworkSettings, *, connect_s: float) -> None:
        tls = base_url.startswith("https:")
        self._verify = _tls_context(network) if tls else False
        address = _proxy_for(base_url, network)
        self._proxy_address = _host_and_port(address) if address else ""
        self._proxy = httpx2.Proxy(address) if address else None
        self._tls = tls
        self._most_redirects = network.max_redirects
        self._kept = self._new_transport(KEPT_CONNECTIONS)
        self._fresh: httpx2.AsyncHTTPTransport | None = None
        super().__init__(
            timeout=httpx2.Timeout(None, connect=connect_s),
            headers={"Accept-Encoding": "gzip"},
            transport=self._kept,
            trust_env=False,
        )

    async def send(
        self, request: httpx2.Request, *, stream: bool = False, **_: Any
    ) -> httpx2.Response:
        """Return the response: a 2xx unread if `stream`, any other with its body read.

        Raises TransportFault and what httpx2 raises.
        """
        sent = request
        seen = {sent.url}
        while True:
            response = await self._taken_in(await self._once_or_twice(sent), stream)
            if response.status_code not in _REDIRECTS or "location" not in response.headers:
                break
            sent = _redirected(sent, response)
            if sent.url in seen:
                raise _redirect_fault(response, "redirects in a circle")
            if len(seen) > self._most_redirects:
                times = f"more than {self._most_redirects} times"
                raise _redirect_fault(response, f"redirects {times}")
            seen.add(sent.url)
        response.request = request
        return response

    async def aclose(self) -> None:
        fresh, self._fresh = self._fresh, None
        if fresh is not None:
            await fresh.aclose()
        await super().aclose()

    def _new_transport(self, kept: int) -> httpx2.AsyncHTTPTransport:
        return httpx2.AsyncHTTPTransport(
            verify=self._verify,
            trust_env=True,  # of the environment it reads SSL_CERT_FILE and SSL_CERT_DIR only
            limits=httpx2.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=kept),
            proxy=self._proxy,
        )

    async def _once_or_twice(self, request: httpx2.Request) -> httpx2.Response:
        noting = _Connecting()
        request.extensions = {**request.extensions, "trace": noting}
        try:
            response = await self._answer(self._kept, request)
            del request.extensions["trace"]  # what follows the head need not be noted
            return response
        except _BROKEN:
            if noting.is_new:
                raise
            if self._fresh is None:
                self._fresh = self._new_transport(0)
        return await self._answer(self._fresh, request)

    async def _answer(
        self, transport: httpx2.AsyncHTTPTransport, request: httpx2.Request
    ) -> httpx2.Response:
        """Return the response once its head is there."""
        try:
            response = await transport.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            if self._is_the_proxys(error):
                raise _proxy_fault(self._proxy_address, error) from error
            raise
        response.request = request
        return response

    async def _taken_in(self, response: httpx2.Response, stream: bool) -> httpx2.Response:
        if not response.is_success:
            body = await _beginning(response)
            if response.status_code == 407 and self._proxy is not None:
                raise _proxy_fault(self._proxy_address, "407 Proxy Authentication Required")
            return _read(response, body)
        if stream:
            return response
        return _read(response, await whole_body(response))

    def _is_the_proxys(self, error: Exception) -> bool:
        """Return whether the proxy is at fault; the server's own TLS comes through its tunnel."""
        if self._proxy is None:
            return False
        return not (self._tls and any(isinstance(link, ssl.SSLError) for link in chain(error)))


class _Connecting:
    """Notes whether a request had a connection made for it.

    Source: httpx2, "Extensions", `trace`; httpcore2's events `connection.connect_tcp.*`.
    """

    __slots__ = ("is_new",)

    def __init__(self) -> None:
        self.is_new = False

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            self.is_new = True


class Repeated:
    """A POST that goes out again and again with other bodies: its address and headers are put
    together once, which takes a quarter of a call's time."""

    def __init__(self, request: httpx2.Request, timeout: httpx2.Timeout) -> None:
        self._url = request.url
        self._headers = [
            each for each in request.headers.raw if each[0].lower() != b"content-length"
        ]
        self._extensions = {"timeout": timeout.as_dict()}

    def post(self, body: bytes) -> httpx2.Request:
        """Return the request with this body."""
        return httpx2.Request(
            "POST", self._url, headers=self._headers, content=body, extensions=self._extensions
        )


def blocks(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Return the body as it comes, unpacked. Close the response yourself."""
    packed = response.headers.get("content-encoding", "").strip().lower()
    if packed in ("", "identity"):
        # The stream itself: the layers above it cost a microsecond a block.
        return response.stream.__aiter__()  # type: ignore[union-attr]
    if packed not in ("gzip", "x-gzip", "deflate"):
        raise TransportFault(
            "wrong_content",
            f"answered in the encoding {packed[:40]!r}, which was not asked for",
            hint="Check that the base URL is an API and not a web page.",
        )
    return _unpacked(response)


async def _unpacked(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Yield pieces of bounded size, so that a small body cannot fill the memory at a blow."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its head
    try:
        async for packed in response.stream:  # type: ignore[union-attr]
            piece = unpacker.decompress(packed, PIECE_BYTES)
            while piece:
                yield piece
                piece = unpacker.decompress(unpacker.unconsumed_tail, PIECE_BYTES)
    except zlib.error as error:
        raise TransportFault(
            "wrong_content",
            f"answered with a body that cannot be unpacked ({error})",
            hint="Check the server, or what stands before it.",
        ) from error


async def whole_body(response: httpx2.Response) -> bytes:
    """Return the body of an answer in one piece; TransportFault when it is too large."""
    read: list[bytes] = []
    size = 0
    try:
        async for block in blocks(response):
            size += len(block)
            if size > ANSWER_BYTES:
                raise TransportFault(
                    "too_large",
                    f"answered with more than {ANSWER_BYTES // 1_048_576} MB",
                    hint="Ask for less, or check the server.",
                )
            read.append(block)
    finally:
        await response.aclose()
    return b"".join(read)


async def _beginning(response: httpx2.Response) -> bytes:
    """Return what comes of an error's body in a short time, up to the cap; never fails."""
    import asyncio
    import contextlib

    read: list[bytes] = []
    size = 0
    try:
        with contextlib.suppress(TimeoutError, httpx2.HTTPError, TransportFault):
            async with asyncio.timeout(ERROR_BODY_S):
                async for block in blocks(response):
                    read.append(block)
                    size += len(block)
                    if size >= ERROR_BYTES:
                        break
    finally:
        await response.aclose()
    return b"".join(read)[:ERROR_BYTES]


def _read(response: httpx2.Response, body: bytes) -> httpx2.Response:
    """Return the response with its body, which has been read and unpacked."""
    about_body = (b"content-encoding", b"content-length", b"transfer-encoding")
    return httpx2.Response(
        response.status_code,
        headers=[each for each in response.headers.raw if each[0].lower() not in about_body],
        content=body,
        request=response.request,
    )


def _redirected(request: httpx2.Request, response: httpx2.Response) -> httpx2.Request:
    """Return the request for the place a redirect names; TransportFault if it is not followed."""
    try:
        there = request.url.join(response.headers["location"])
    except httpx2.InvalidURL:
        raise _redirect_fault(response, "redirects to no address") from None
    if _origin(there) != _origin(request.url):
        shown = f"{there.scheme}://{there.netloc.decode('ascii', 'replace').rpartition('@')[2]}"
        raise _redirect_fault(
            response, f"redirects to another server, {shown[:200]!r}, which is not followed"
        )
    if request.method != "GET" and response.status_code not in _KEEPS_METHOD:
        raise _redirect_fault(
            response, f"redirects with status {response.status_code}, which would lose the question"
        )
    return httpx2.Request(
        request.method,
        there.copy_with(fragment=None),
        headers=request.headers,
        content=request.content or None,
        extensions=request.extensions,
    )


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _redirect_fault(response: httpx2.Response, says: str) -> TransportFault:
    return TransportFault(
        "redirect",
        says,
        hint="Set the base URL to the address that answers itself.",
        status=response.status_code,
    )


def _proxy_fault(address: str, error: Exception | str) -> TransportFault:
    words = str(error)
    if isinstance(error, httpx2.ConnectTimeout):
        words = "no connection came about in time"
    elif isinstance(error, Exception) and any(
        isinstance(link, ConnectionRefusedError) for link in chain(error)
    ):
        words = "connection refused"
    return TransportFault(
        "proxy",
        f"The proxy at {address!r} let nothing through ({words})",
        hint="Check network.proxy_url and HTTPS_PROXY, or name the host in NO_PROXY.",
    )


def _proxy_for(base_url: str, network: NetworkSettings) -> str:
    """Return the address of the proxy to this server, `""` for none; never one for loopback.

    The environment's is asked for as urllib and httpx2 do: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and
    NO_PROXY, upper or lower case, or what the system has. ConfigError for one that is no address.
    """
    if is_loopback(base_url):
        return ""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(base_url)
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    if network.proxy_url:
        return network.proxy_url
    found = getproxies()
    for scheme in (parts.scheme, "all"):
        if found.get(scheme):
            return _checked_proxy(found[scheme], f"{scheme.upper()}_PROXY")
    return ""


def _checked_proxy(address: str, variable: str) -> str:
    url = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https", "socks5", "socks5h") and bool(parts.hostname)
        good = good and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ConfigError(
            f"{variable!r} is {without_password(address)!r}, which is no address of a proxy.",
            code="bad_value",
            hint="Set it to an address like 'http://proxy.example:3128', or unset it.",
            key="network.proxy_url",
        )
    if url.startswith("socks5"):
        from importlib.util import find_spec

        if find_spec("socksio") is None:
            raise ConfigError(
                f"{variable!r} names a SOCKS proxy, which needs the package 'socksio'.",
                code="bad_value",
                hint="Install it with `pip install socksio`, or name an http proxy.",
                key="network.proxy_url",
            )
    return url


def _host_and_port(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or {"https": 443, "socks5": 1080, "socks5h": 1080}.get(parts.scheme, 80)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tls_context(network: NetworkSettings) -> ssl.SSLContext | bool:
    """Return what certificates are checked against; True for the system's. Raises ConfigError."""
    if not network.ssl_verify:
        return False
    file, name = network.ssl_cacertfile, "network.ssl_cacertfile"
    if file is None:
        file, name = environ.get("SSL_CERT_FILE"), "SSL_CERT_FILE"
    if not file:
        return True
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        why = "does not exist" if isinstance(error, FileNotFoundError) else "cannot be used"
        raise ConfigError(
            f"{name!r} is {file!r}, a file of certificates that {why}.",
            code="bad_value",
            hint="Name a readable file of PEM certificates, or leave it out for the system's.",
            key="network.ssl_cacertfile",
        ) from error
