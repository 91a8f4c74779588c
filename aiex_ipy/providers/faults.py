"""Foreign exceptions and error bodies to ours: the one seam where they are mapped.

A vendor's exception reaches nobody above the providers. Messages name host, port and remedy,
never a key, never an HTML page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

from aiex_ipy.config.settings import Secret
from aiex_ipy.config.values import without_password
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
from aiex_ipy.providers.server_hints import Lengths, hint_s, retry_after_s, told_lengths
from aiex_ipy.providers.unreachable import TransportFault, chain, why

_LOOKED_AT = 4000  # characters of a server's own words that are looked at
_SHOWN = 300  # characters of a server's own words that are shown
_SHOWN_KIND = 60  # characters of a content type
_READ = 2000  # and that are searched for numbers


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
    def shown_url(self) -> str:
        """The base URL without a password."""
        return without_password(self.base_url)

    @property
    def subject(self) -> str:
        """The label as the first word of a sentence."""
        return self.label[:1].upper() + self.label[1:]

    @property
    def place(self) -> str:
        """Label and, once it is known, address at the beginning of a sentence."""
        return f"{self.subject} at {self.address!r}" if self.base_url else self.subject

    @property
    def whom(self) -> str:
        """Label and, once it is known, address within a sentence."""
        return f"{self.label} at {self.address!r}" if self.base_url else self.label

    @property
    def asked(self) -> str:
        """Label, address and model, as far as they are known, at the beginning of a sentence."""
        return f"{self.place}{self.for_model}"

    @property
    def for_model(self) -> str:
        """The model in brackets, once it is known."""
        return f" (model {self.model!r})" if self.model else ""

    @property
    def or_fallback(self) -> str:
        """What helps beside asking again, as the end of a sentence."""
        return f"name a fallback in llm.providers.{self.provider}.fallbacks"

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


Failure = HttpFault | TransportFault
"""What ends a stream instead of its last event."""


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
        f"The answer of model {peer.model!r} of {peer.whom} was cut after"
        f" {len(partial)} characters.{told}",
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
            f"{peer.asked} did not answer in time.",
            code="timeout",
            hint="Raise llm.timeout_ms, or try again.",
            **peer.details(),
        )
    if names & _MALFORMED:
        return ProtocolError(
            f"{peer.place} answered in no form we know ({type(error).__name__}).",
            hint=f"Check that the base URL {peer.shown_url!r} is right.",
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
_TOO_LONG = {"context_length_exceeded", "exceed_context_size_error", "request_too_large"}
_BAD_KEY = {"authentication_error", "permission_error", "invalid_api_key"}
_RATE = {"rate_limit_error", "rate_limit_exceeded"}
_TRANSIENT = {"overloaded_error", "server_error", "api_error", "timeout_error"}


class _Said(NamedTuple):
    """An error as a server tells it: status, headers, the names it gives, and its own words, cut
    and without the key; `details` is what ours will carry."""

    status: int
    headers: Mapping[str, str]
    kinds: set[str]
    words: str
    lengths: Lengths | None
    details: dict[str, Any]

    @property
    def quoted(self) -> str:
        return f" It says: {self.words!r}." if self.words else ""


def from_status(status: int, headers: Mapping[str, str], body: object, peer: Peer) -> ProviderError:
    """Map an HTTP status, or an error event inside a stream (status 200), to our error.

    The error's own type counts before the status: inside a stream there is no other, but where
    its code is a status (as llama.cpp's and OpenRouter's is).
    """
    fault = _fault(body)
    if status == 200 and fault["code"].isdigit() and 400 <= int(fault["code"]) < 600:
        status = int(fault["code"])
    said = _Said(
        status,
        headers,
        {fault["type"], fault["code"], fault["cause"]},
        _words(fault["message"], peer),
        _lengths(fault, status),
        {**peer.details(), "status": status},
    )
    return _of_account(said, peer) or _of_request(said, peer) or _of_server(said, peer)


def _of_account(said: _Said, peer: Peer) -> ProviderError | None:
    """Quota, key and rate."""
    status, kinds, details = said.status, said.kinds, said.details
    # Anthropic tells it with status 400, in words only.
    if kinds & _OUT_OF_MONEY or status == 402 or "credit balance is too low" in said.words:
        return QuotaError(
            f"The account at {peer.whom}{peer.for_model} is empty.",
            hint=f"Add credit there, or {peer.or_fallback}.",
            **details,
        )
    if kinds & _BAD_KEY or status in (401, 403):
        # The server's own words quote parts of the key, so they are not shown.
        return CredentialsError(
            f"{peer.place} {'refused the key' if peer.secret else 'wants a key'}"
            f" (status {status}).",
            hint=peer.key_remedy,
            **details,
        )
    if (kinds & _RATE and status != 413) or status == 429:
        wait = retry_after_s(said.headers)
        if wait is None:
            wait = hint_s((k.encode(), v.encode()) for k, v in said.headers.items()) or None
        asks = f" and asks to wait {wait:g} s" if wait is not None else ""
        return RateLimitError(
            f"{peer.asked} limits the rate of requests{asks}.",
            hint=f"Wait and ask again, or {peer.or_fallback}.",
            retry_after_s=wait,
            **details,
        )
    return None


def _of_request(said: _Said, peer: Peer) -> ProviderError | None:
    """Length of the prompt, and the model."""
    status, kinds, details, told = said.status, said.kinds, said.details, said.quoted
    if kinds & _TOO_LONG or status == 413 or said.lengths is not None:
        limit, prompt = said.lengths or Lengths()
        tells = f" of {limit} tokens" if limit else ""
        return ContextTooLongError(
            f"The prompt does not fit the context{tells} of model {peer.model!r}"
            f" of {peer.whom}.{told}",
            hint="Ask about less, or name a model with a larger context.",
            limit_tokens=limit,
            prompt_tokens=prompt,
            **details,
        )
    missing = "not_found_error" in kinds or "model" in said.words.lower()
    if "model_not_found" in kinds or (status == 404 and missing):
        return ProviderError(
            f"{peer.place} has no model {peer.model!r}.",
            code="model_not_found",
            hint="List its models with `aiex llm models` and name one with --model.",
            **details,
        )
    return None


def _of_server(said: _Said, peer: Peer) -> ProviderError:
    """All that is wrong with the server, or with how it is asked."""
    status, kinds, details, told = said.status, said.kinds, said.details, said.quoted
    if kinds & _TRANSIENT or status >= 500 or status in (408, 409, 425):
        shown = f"status {status}" if status != 200 else "an error"
        return UnavailableError(
            f"{peer.asked} answered with {shown}.{told}",
            code="overloaded" if "overloaded_error" in kinds or status == 529 else "unavailable",
            hint=f"Try again later, or {peer.or_fallback}.",
            retry_after_s=retry_after_s(said.headers),
            **details,
        )
    if status == 200:
        return UnavailableError(
            f"{peer.asked} broke off with an error.{told}",
            code="server_error",
            hint=f"Try again, or {peer.or_fallback}.",
            **details,
        )
    if 300 <= status < 400:
        return ProtocolError(
            f"{peer.place} redirects{_to_whom(said.headers.get('location', ''), peer)}, which is"
            " not followed.",
            code="redirect",
            hint="Set the base URL to the address that answers itself.",
            **details,
        )
    if status in (404, 405):
        return ProtocolError(
            f"{peer.place} has no such address under {peer.shown_url!r} (status {status}).{told}",
            code="not_found",
            hint="Check the base URL; most servers want it to end in /v1.",
            **details,
        )
    return ProviderError(
        f"{peer.asked} refused the request (status {status}).{told}",
        code="bad_request",
        hint="Check model and options, or name another provider.",
        **details,
    )


def wrong_content(content_type: str, peer: Peer) -> ProtocolError:
    """Return the error for a 200 whose body is no answer, such as a login page."""
    kind = _words(content_type, peer)[:_SHOWN_KIND]
    if "json" in kind.lower():
        return ProtocolError(
            f"{peer.place} answered with a body that is no answer in JSON: empty, cut, or of"
            " another form.",
            code="wrong_content",
            hint=f"Check that the base URL {peer.shown_url!r} speaks this provider's wire.",
            **peer.details(),
        )
    return ProtocolError(
        f"{peer.place} answered with {kind or 'nothing'!r} instead of an answer.",
        code="wrong_content",
        hint=f"Check that the base URL {peer.shown_url!r} is an API and not a web page.",
        **peer.details(),
    )


def _to_whom(location: str, peer: Peer) -> str:
    """Return where a redirect leads, without path and query, which may hold a key; `""` for
    nowhere."""
    try:
        parts = urlsplit(location)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if not parts.hostname:
        return ""
    return f" to {_words(f'{parts.scheme}://{parts.hostname}{port}', peer)[:_SHOWN]!r}"


def _lengths(fault: dict[str, Any], status: int) -> Lengths | None:
    """Return the token counts of a prompt that is too long; None when that is not the fault."""
    if status not in (200, 400, 413, 422, 500):  # 500 is llama.cpp's and LM Studio's, at times
        return None
    counted = Lengths(limit=fault["n_ctx"], prompt=fault["n_prompt_tokens"])
    if counted.limit is not None:
        return counted
    return told_lengths(fault["message"][:_READ])


def _fault(body: object) -> dict[str, Any]:
    """Return type, code, message and token counts of an error body of any of the wires."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str):
        import contextlib

        with contextlib.suppress(msgspec.DecodeError, RecursionError):
            body = msgspec.json.decode(body)
    inner = body.get("error", body) if isinstance(body, Mapping) else body
    found: dict[str, Any] = {"type": "", "code": "", "cause": "", "message": ""}
    found |= {"n_ctx": None, "n_prompt_tokens": None}
    if isinstance(inner, Mapping):
        found["type"] = str(inner.get("type") or "")
        found["code"] = str(inner.get("code") or "")
        found["message"] = str(inner.get("message") or inner.get("detail") or "")
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
        for form in {peer.secret.reveal(), quote(peer.secret.reveal(), safe="")}:
            text = text.replace(form, "***")
    text = without_password(text[:_LOOKED_AT])
    line = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.split())
    if line.startswith("<") or "<html" in line[:1000].lower():
        return ""
    line = line.rstrip(".")
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
