"""Foreign exceptions and error bodies to ours: the one seam where they are mapped.

A vendor's exception reaches nobody above the providers. Messages name host, port and remedy,
never a key, never an HTML page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from aiex_ipy.config.settings import Secret
from aiex_ipy.errors import (
    AiexError,
    ContextTooLongError,
    CredentialsError,
    InterruptedAnswerError,
    ProtocolError,
    ProviderError,
    QuotaError,
    RateLimitError,
    UnavailableError,
)
from aiex_ipy.providers.unreachable import TransportFault, chain, why

_LOOKED_AT = 4000  # characters of a server's own words that are looked at
_SHOWN = 300  # characters of a server's own words that are shown


class Peer(Struct, kw_only=True):
    """Who is asked, as far as messages need it; `model`, `base_url` and `secret` are filled in as
    they become known.

    `label` is the name people know ("OpenAI API"), `remedy` the sentence that helps when it
    cannot be reached, `key_remedy` the one for a missing or refused key. `secret` is taken out
    of every text.
    """

    provider: str
    label: str
    remedy: str = "Try again, or name another provider."
    key_remedy: str = "Set its key."
    base_url: str = ""
    model: str = ""
    secret: Secret = Secret("")

    @property
    def address(self) -> str:
        """`host:port` of the base URL."""
        parts = urlsplit(self.base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = parts.hostname or ""
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def subject(self) -> str:
        """The label as the first word of a sentence."""
        return self.label[:1].upper() + self.label[1:]

    @property
    def place(self) -> str:
        """Label and, once it is known, address at the beginning of a sentence."""
        return f"{self.subject} at {self.address!r}" if self.base_url else self.subject

    def details(self) -> dict[str, Any]:
        """Return what every error carries."""
        return {"provider": self.provider, "model": self.model}


_MALFORMED = {
    "DecodingError",
    "DecodeError",
    "InvalidURL",
    "JSONDecodeError",
    "SSEError",
    "StreamError",
    "TooManyRedirects",
    "UnicodeDecodeError",
    "UnsupportedProtocol",
}


class HttpFault(Exception):
    """An HTTP status other than 2xx, or an error event inside a stream (status 200)."""

    def __init__(self, status: int, headers: Mapping[str, str], body: object) -> None:
        super().__init__(f"HTTP status {status}")
        self.status, self.headers, self.body = status, headers, body


def from_exception(error: Exception, peer: Peer, *, partial: str | None = None) -> AiexError:
    """Map any exception of the SDKs, of httpx2 or of the sockets below.

    `partial` is the text already given out, None when no delta has been.
    """
    mapped = error if isinstance(error, AiexError) else _foreign(error, peer)
    if partial is None or not isinstance(mapped, ProviderError):
        return mapped
    return interrupted(peer, partial, because=mapped.message, reason=mapped.code)


def interrupted(
    peer: Peer, partial: str, *, because: str = "", reason: str = "stream_incomplete"
) -> InterruptedAnswerError:
    """Return the error for an answer cut after its first delta; `reason` is the code of the cut."""
    told = f" {because}" if because else " The stream ended without its last event."
    return InterruptedAnswerError(
        f"The answer of {peer.label} was cut after {len(partial)} characters.{told}",
        hint="Ask again; the text received so far is kept in `partial`.",
        partial=partial,
        reason=reason,
        **peer.details(),
    )


def _foreign(error: Exception, peer: Peer) -> ProviderError:
    if isinstance(error, HttpFault):
        return from_status(error.status, error.headers, error.body, peer)
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    if isinstance(status, int):
        headers: Mapping[str, str] = getattr(response, "headers", {})
        body = getattr(error, "body", None)
        return from_status(status, headers, body, peer)
    links = chain(error)
    for link in links:
        if isinstance(link, TransportFault):
            return _refused_on_the_way(link, peer)
    names = {cls.__name__ for link in links for cls in type(link).__mro__}
    if "ConnectTimeout" in names:
        return _unreachable(links, peer)
    if names & {"TimeoutException", "TimeoutError", "APITimeoutError"}:
        return UnavailableError(
            f"{peer.place} did not answer in time.",
            code="timeout",
            hint="Raise AIEX_LLM_TIMEOUT or try again.",
            **peer.details(),
        )
    if names & _MALFORMED:
        return ProtocolError(
            f"{peer.place} answered in no form we know ({type(error).__name__}).",
            hint=f"Check that the base URL {peer.base_url!r} is right.",
            **peer.details(),
        )
    if names & {"RequestError", "APIConnectionError", "OSError"}:
        return _unreachable(links, peer)
    return ProviderError(
        f"{peer.subject} failed: {_words(str(error), peer) or type(error).__name__}.",
        hint=peer.remedy,
        **peer.details(),
    )


def _unreachable(links: list[BaseException], peer: Peer) -> UnavailableError:
    code, cause, hint = why(links)
    return UnavailableError(
        f"Failed to connect to {peer.label} at {peer.address!r}: {_words(cause, peer)}."
        if code != "cut"
        else f"The connection to {peer.label} at {peer.address!r} broke.",
        code=code,
        hint=hint or peer.remedy,
        **peer.details(),
    )


def _refused_on_the_way(fault: TransportFault, peer: Peer) -> ProviderError:
    kind = UnavailableError if fault.code in ("proxy", "tls") else ProtocolError
    says = _words(fault.says, peer)
    return kind(
        f"{says if says[:1].isupper() else f'{peer.place} {says}'}.",
        code=fault.code,
        hint=fault.hint or peer.remedy,
        status=fault.status,
        **peer.details(),
    )


_OUT_OF_MONEY = {
    "insufficient_quota",
    "billing_error",
    "contract_spend_limit_reached",
    "enforced_spend_limit_reached",
}


def from_status(status: int, headers: Mapping[str, str], body: object, peer: Peer) -> ProviderError:
    """Map an HTTP status, or an error event inside a stream (status 200), to our error.

    The error's own type counts before the status: inside a stream there is no other.
    """
    fault = _fault(body)
    kinds = {fault["type"], fault["code"], fault["cause"]}
    said = _words(fault["message"], peer)
    told = f" It says: {said!r}." if said else ""
    at = peer.place
    details: dict[str, Any] = {**peer.details(), "status": status}
    if kinds & _OUT_OF_MONEY or status == 402:
        return QuotaError(
            f"The account at {peer.label} is empty.",
            hint="Add credit there, or set AIEX_FALLBACK_PROVIDER.",
            **details,
        )
    if (
        kinds
        & {
            "context_length_exceeded",
            "exceed_context_size_error",
            "request_too_large",
        }
        or status == 413
    ):
        limit = fault["n_ctx"]
        tells = f" of {limit} tokens" if limit else ""
        return ContextTooLongError(
            f"The prompt does not fit the context{tells} of model {peer.model!r}.{told}",
            hint="Ask about less, or name a model with a larger context.",
            limit_tokens=limit,
            prompt_tokens=fault["n_prompt_tokens"],
            **details,
        )
    if kinds & {"authentication_error", "permission_error", "invalid_api_key"} or status in (
        401,
        403,
    ):
        # The server's own words quote parts of the key, so they are not shown.
        return CredentialsError(
            f"{at} refused the key (status {status}).", hint=peer.key_remedy, **details
        )
    if kinds & {"rate_limit_error", "rate_limit_exceeded"} or status == 429:
        wait = retry_after_s(headers)
        asks = f" and asks to wait {wait:g} s" if wait is not None else ""
        return RateLimitError(
            f"{peer.subject} limits the rate of requests{asks}.",
            hint="Wait and ask again, or set AIEX_FALLBACK_PROVIDER.",
            retry_after_s=wait,
            **details,
        )
    if (
        "model_not_found" in kinds
        or (status == 404 and "not_found_error" in kinds)
        or (status == 404 and "model" in said.lower())
    ):
        return ProviderError(
            f"{at} has no model {peer.model!r}.",
            code="model_not_found",
            hint="List its models with `aiex llm models` and name one with --model.",
            **details,
        )
    if kinds & {"overloaded_error", "server_error", "api_error", "timeout_error"} or (
        status >= 500 or status in (408, 409, 425)
    ):
        shown = f"status {status}" if status != 200 else "an error"
        return UnavailableError(
            f"{at} answered with {shown}.{told}",
            code="overloaded" if "overloaded_error" in kinds or status == 529 else "unavailable",
            hint="Try again later, or set AIEX_FALLBACK_PROVIDER.",
            retry_after_s=retry_after_s(headers),
            **details,
        )
    if status == 200:
        return UnavailableError(
            f"{at} broke off with an error.{told}",
            code="server_error",
            hint="Try again, or set AIEX_FALLBACK_PROVIDER.",
            **details,
        )
    if 300 <= status < 400:
        return ProtocolError(
            f"{at} redirects to {headers.get('location', '?')!r}, which is not followed.",
            code="redirect",
            hint="Set the base URL to the address that answers itself.",
            **details,
        )
    if status in (404, 405, 501):
        return ProtocolError(
            f"{at} has no such address under {peer.base_url!r} (status {status}).{told}",
            code="not_found",
            hint="Check the base URL; most servers want it to end in /v1.",
            **details,
        )
    return ProviderError(
        f"{at} refused the request (status {status}).{told}",
        code="bad_request",
        hint="Check model and options, or name another provider.",
        **details,
    )


def wrong_content(content_type: str, peer: Peer) -> ProtocolError:
    """Return the error for a 200 whose body is no answer, such as a login page."""
    return ProtocolError(
        f"{peer.place} answered with {content_type or 'nothing'!r} instead of an answer.",
        code="wrong_content",
        hint=f"Check that the base URL {peer.base_url!r} is an API and not a web page.",
        **peer.details(),
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the wait in seconds that the server asks for; None when it does not say.

    An HTTP date is taken against the response's own `Date`, so a wrong clock here does no harm.
    Source: RFC 9110, section 10.2.3; `retry-after-ms` as both vendors' SDKs read it.
    """
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / scale)
        except (KeyError, ValueError):
            continue
    if "retry-after" not in headers:
        return None
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    try:
        until = parsedate_to_datetime(headers["retry-after"])
        since = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        return max(0.0, (until - since).total_seconds())
    except (ValueError, TypeError):
        return None


def _fault(body: object) -> dict[str, Any]:
    """Return type, code, message and token counts of an error body of any of the wires."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str):
        import contextlib

        with contextlib.suppress(msgspec.DecodeError):
            body = msgspec.json.decode(body)
    inner = body.get("error", body) if isinstance(body, Mapping) else body
    found: dict[str, Any] = {"type": "", "code": "", "cause": "", "message": ""}
    found |= {"n_ctx": None, "n_prompt_tokens": None}
    if isinstance(inner, Mapping):
        found["type"] = str(inner.get("type") or "")
        found["code"] = str(inner.get("code") or "")
        found["message"] = str(inner.get("message") or "")
        details = inner.get("details")  # Anthropic's own place for the cause
        if isinstance(details, Mapping):
            found["cause"] = str(details.get("error_code") or "")
        for count in ("n_ctx", "n_prompt_tokens"):
            found[count] = inner[count] if isinstance(inner.get(count), int) else None
    elif isinstance(inner, str):
        found["message"] = inner
    return found


def _words(text: str, peer: Peer) -> str:
    """Return a server's words on one line, short, without the key, empty for a page."""
    if peer.secret:
        text = text.replace(peer.secret.reveal(), "***")
    line = "".join(c if c.isprintable() else " " for c in text[:_LOOKED_AT])
    line = " ".join(line.split())
    if line.startswith("<") or "<html" in line[:1000].lower():
        return ""
    line = line.rstrip(".")
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
