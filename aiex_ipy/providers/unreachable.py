"""Why a server could not be reached, read from what the transport raised."""

from __future__ import annotations

from collections.abc import Iterator
from re import fullmatch
from typing import NamedTuple
from urllib.parse import urlsplit


class TransportFault(Exception):
    """What our own client refuses or is refused on the way to a server.

    `says` follows the server's name and address in the message, or stands alone where it begins
    with a capital letter; `hint` is empty where the provider's own remedy fits. `status` is that
    of the HTTP answer, if there was one.
    """

    def __init__(self, code: str, says: str, *, hint: str = "", status: int | None = None) -> None:
        super().__init__(says)
        self.code, self.says, self.hint, self.status = code, says, hint, status


class Why(NamedTuple):
    """The code of the error, what happened in a few words, and a remedy (else the provider's)."""

    code: str
    cause: str
    hint: str = ""


def is_loopback(url: str) -> bool:
    """Return whether `url` points at this very machine."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or bool(fullmatch(r"127(\.\d+){3}", host))


def chain(error: BaseException) -> list[BaseException]:
    """Return the exception and what caused it, outermost first, groups opened.

    A name with several addresses fails with a group of one exception for each.
    """
    return list(_links(error, set()))


def _links(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _links(member, seen)
        error = error.__cause__ or error.__context__


def why(links: list[BaseException]) -> Why:
    """Return why no answer came, from the exceptions of `chain`."""
    import socket
    import ssl

    names = {cls.__name__ for link in links for cls in type(link).__mro__}
    tls = next((link for link in links if isinstance(link, ssl.SSLError)), None)
    if tls is not None:
        told = getattr(tls, "verify_message", None) or getattr(tls, "reason", None)
        says = f" ({told})" if told else ""
        if isinstance(tls, ssl.SSLCertVerificationError):
            hint = "Set network.ssl_cacertfile or SSL_CERT_FILE to your CA file, or correct the"
            return Why(
                "tls",
                f"its certificate is not trusted{says}",
                f"{hint} base URL.",
            )
        return Why(
            "tls",
            f"TLS failed{says}",
            "Check that the base URL's https is right.",
        )
    if any(isinstance(link, socket.gaierror) for link in links):
        return Why("dns", "the host name is not known")
    if any(isinstance(link, ConnectionRefusedError) for link in links):
        return Why("connect", "connection refused")
    if "ConnectTimeout" in names:
        hint = "Check the address and the network, or raise llm.connect_timeout_ms."
        return Why("connect", "no connection came about in time", hint)
    if "ConnectError" in names:
        return Why("connect", " ".join(str(links[-1]).split())[:200] or "no connection")
    if "ProxyError" in names:
        return Why("proxy", "the proxy refused", "Check network.proxy_url and HTTPS_PROXY.")
    return Why("cut", "the connection broke")
