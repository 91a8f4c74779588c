"""Every foreign exception and every fault of a server becomes one of our errors."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import pickle
import socket
import ssl
import subprocess
import threading
from urllib.parse import quote

import anthropic
import httpx2
import openai
import pytest
from asking import chunks, provider

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.errors import (
    AiexError,
    AnswerError,
    ContextTooLongError,
    CredentialsError,
    InterruptedAnswerError,
    ProtocolError,
    ProviderError,
    QuotaError,
    RateLimitError,
    UnavailableError,
)
from aiex_ipy.messages import ModelRequest, Opened
from aiex_ipy.providers.anthropic import AnthropicProvider
from aiex_ipy.providers.faults import Peer, from_exception, from_status, wrong_content
from aiex_ipy.providers.fold import collect
from aiex_ipy.providers.ollama import OllamaProvider
from aiex_ipy.providers.openai import OpenAIProvider
from aiex_ipy.providers.openai_compatible import OpenAICompatibleProvider
from aiex_ipy.testing.conformance import question
from aiex_ipy.testing.fault_trials import NO_NAME
from aiex_ipy.testing.loopback import Listed, LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply, content_type, stream_blocks, whole_body

KEY = "sk-secret-0123456789"
ODD_KEY = "sk/secret+0123456789=="
PEER = Peer(
    provider="mine",
    label="OpenAI API",
    base_url="https://api.openai.com/v1",
    model="gpt-6.1-sol",
    secret=Secret(KEY),
    key_remedy="Set OPENAI_API_KEY to a valid key.",
)
PROVIDERS = {
    "openai": OpenAIProvider,
    "anthropic": AnthropicProvider,
    "ollama": OllamaProvider,
    "openai_compatible": OpenAICompatibleProvider,
}


def family(*roots: type) -> set[type]:
    """The classes and all that derive from them, of the vendors' own making."""
    found = set(roots)
    for root in roots:
        for child in root.__subclasses__():
            if child.__module__.startswith(("openai", "anthropic", "httpx2")):
                found |= family(child)
    return found


# What each class of the three libraries means; a class not named here means what the nearest
# above it does. A new branch of a library's tree fails the test below until it is given one.
EXPECTED: dict[str, tuple[type[AiexError], str]] = {
    "openai.BadRequestError": (ProviderError, "bad_request"),
    "openai.AuthenticationError": (CredentialsError, "credentials"),
    "openai.OAuthError": (CredentialsError, "credentials"),
    "openai.PermissionDeniedError": (CredentialsError, "credentials"),
    "openai.NotFoundError": (ProtocolError, "not_found"),
    "openai.ConflictError": (UnavailableError, "unavailable"),
    "openai.UnprocessableEntityError": (ProviderError, "bad_request"),
    "openai.RateLimitError": (RateLimitError, "rate_limit"),
    "openai.InternalServerError": (UnavailableError, "unavailable"),
    "openai.APIStatusError": (ProviderError, "bad_request"),
    "openai.APIConnectionError": (UnavailableError, "cut"),
    "openai.APITimeoutError": (UnavailableError, "timeout"),
    "openai.APIResponseValidationError": (UnavailableError, "server_error"),
    "openai.APIError": (ProviderError, "provider"),
    "openai.OpenAIError": (ProviderError, "provider"),
    "openai.SubjectTokenProviderError": (ProviderError, "bad_request"),
    "openai.MutuallyExclusiveAuthError": (ProviderError, "provider"),
    "openai.StreamAlreadyConsumed": (ProviderError, "provider"),
    "openai._AmbiguousModuleClientUsageError": (ProviderError, "provider"),
    "openai.APIRemovedInV1": (ProviderError, "provider"),
    "openai.LengthFinishReasonError": (ProviderError, "provider"),
    "openai.ContentFilterFinishReasonError": (ProviderError, "provider"),
    "openai.WebSocketConnectionClosedError": (ProviderError, "provider"),
    "openai.WebSocketQueueFullError": (ProviderError, "provider"),
    "anthropic.BadRequestError": (ProviderError, "bad_request"),
    "anthropic.AuthenticationError": (CredentialsError, "credentials"),
    "anthropic.PaymentRequiredError": (QuotaError, "quota"),
    "anthropic.PermissionDeniedError": (CredentialsError, "credentials"),
    "anthropic.NotFoundError": (ProtocolError, "not_found"),
    "anthropic.RequestTimeoutError": (UnavailableError, "unavailable"),
    "anthropic.ConflictError": (UnavailableError, "unavailable"),
    "anthropic.PreconditionFailedError": (ProviderError, "bad_request"),
    "anthropic.ContentTooLargeError": (ContextTooLongError, "context_too_long"),
    "anthropic.UnprocessableEntityError": (ProviderError, "bad_request"),
    "anthropic.RateLimitError": (RateLimitError, "rate_limit"),
    "anthropic.RequestHeaderFieldsTooLargeError": (ProviderError, "bad_request"),
    "anthropic.ClientClosedRequestError": (ProviderError, "bad_request"),
    "anthropic.InternalServerError": (UnavailableError, "unavailable"),
    "anthropic.HTTPNotImplementedError": (UnavailableError, "unavailable"),
    "anthropic.ServiceUnavailableError": (UnavailableError, "unavailable"),
    "anthropic.GatewayTimeoutError": (UnavailableError, "unavailable"),
    "anthropic.OverloadedError": (UnavailableError, "overloaded"),
    "anthropic.APIStatusError": (ProviderError, "bad_request"),
    "anthropic.APIConnectionError": (UnavailableError, "cut"),
    "anthropic.APITimeoutError": (UnavailableError, "timeout"),
    "anthropic.APIResponseValidationError": (UnavailableError, "server_error"),
    "anthropic.APIWebhookValidationError": (ProviderError, "provider"),
    "anthropic.APIError": (ProviderError, "provider"),
    "anthropic.AnthropicError": (ProviderError, "provider"),
    "anthropic.RetryableError": (ProviderError, "provider"),
    "anthropic.CredentialsError": (ProviderError, "provider"),
    "anthropic.MissingDependencyError": (ProviderError, "provider"),
    "anthropic.MutuallyExclusiveAuthError": (ProviderError, "provider"),
    "anthropic.StreamAlreadyConsumed": (ProviderError, "provider"),
    "anthropic.ToolsetUsageError": (ProviderError, "provider"),
    "anthropic.WorkloadIdentityError": (ProviderError, "bad_request"),
    "httpx2.SSEError": (ProtocolError, "protocol"),
    "httpx2.HTTPError": (ProviderError, "provider"),
    "httpx2.RequestError": (UnavailableError, "cut"),
    "httpx2.TransportError": (UnavailableError, "cut"),
    "httpx2.TimeoutException": (UnavailableError, "timeout"),
    "httpx2.ConnectTimeout": (UnavailableError, "connect"),
    "httpx2.ReadTimeout": (UnavailableError, "timeout"),
    "httpx2.WriteTimeout": (UnavailableError, "timeout"),
    "httpx2.PoolTimeout": (UnavailableError, "timeout"),
    "httpx2.NetworkError": (UnavailableError, "cut"),
    "httpx2.ReadError": (UnavailableError, "cut"),
    "httpx2.WriteError": (UnavailableError, "cut"),
    "httpx2.ConnectError": (UnavailableError, "connect"),
    "httpx2.CloseError": (UnavailableError, "cut"),
    "httpx2.ProxyError": (UnavailableError, "proxy"),
    "httpx2.UnsupportedProtocol": (ProtocolError, "protocol"),
    "httpx2.ProtocolError": (UnavailableError, "cut"),
    "httpx2.LocalProtocolError": (UnavailableError, "cut"),
    "httpx2.RemoteProtocolError": (UnavailableError, "cut"),
    "httpx2.DecodingError": (ProtocolError, "protocol"),
    "httpx2.TooManyRedirects": (ProtocolError, "protocol"),
    "httpx2.HTTPStatusError": (UnavailableError, "unavailable"),
    "httpx2.InvalidURL": (ProtocolError, "protocol"),
    "httpx2.CookieConflict": (ProviderError, "provider"),
    "httpx2.StreamError": (ProtocolError, "protocol"),
    "httpx2.StreamConsumed": (ProtocolError, "protocol"),
    "httpx2.StreamClosed": (ProtocolError, "protocol"),
    "httpx2.ResponseNotRead": (ProtocolError, "protocol"),
    "httpx2.RequestNotRead": (ProtocolError, "protocol"),
}
STATUS = {
    "BadRequestError": 400,
    "AuthenticationError": 401,
    "OAuthError": 401,
    "PaymentRequiredError": 402,
    "PermissionDeniedError": 403,
    "NotFoundError": 404,
    "RequestTimeoutError": 408,
    "ConflictError": 409,
    "PreconditionFailedError": 412,
    "ContentTooLargeError": 413,
    "UnprocessableEntityError": 422,
    "RateLimitError": 429,
    "RequestHeaderFieldsTooLargeError": 431,
    "ClientClosedRequestError": 499,
    "InternalServerError": 500,
    "HTTPNotImplementedError": 501,
    "HTTPStatusError": 502,
    "ServiceUnavailableError": 503,
    "GatewayTimeoutError": 504,
    "OverloadedError": 529,
    "APIResponseValidationError": 200,
}

FOREIGN = family(
    openai.OpenAIError,
    anthropic.AnthropicError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.CookieConflict,
    httpx2.StreamError,
)


ROOTS = {"openai.OpenAIError", "anthropic.AnthropicError", "httpx2.HTTPError"}


def short(foreign: type) -> str:
    return f"{foreign.__module__.partition('.')[0]}.{foreign.__name__}"


def nearest(foreign: type) -> str:
    """The named class that a class is, or is nearest below."""
    return next(short(each) for each in foreign.__mro__ if short(each) in EXPECTED)


def instance_of(foreign: type) -> Exception:
    """An exception of this class as its library would raise it."""
    request = httpx2.Request("POST", "https://api.openai.com/v1/chat/completions")
    status = STATUS.get(nearest(foreign).partition(".")[2], 418)
    given = {
        "message": "it broke",
        "request": request,
        "response": httpx2.Response(status, request=request, json={"error": {"message": "no"}}),
        "body": None,
    }
    parameters = inspect.signature(foreign.__init__).parameters
    made = foreign.__new__(foreign)
    if "status_code" in parameters:
        made.status_code = status
    Exception.__init__(made, "it broke")
    for name in ("request", "response", "body"):
        if name in parameters:
            try:
                setattr(made, name, given[name])
            except AttributeError:
                made.__dict__[f"_{name}"] = given[name]
    if "response" in parameters and hasattr(foreign, "status_code") is False:
        made.__dict__["status_code"] = status
    return made


def test_the_mapping_is_complete():
    """No branch of the exception trees of the SDKs and of httpx2 is without a meaning of ours."""
    assert {short(each) for each in FOREIGN} >= set(EXPECTED)
    unnamed = {short(each) for each in FOREIGN if nearest(each) in ROOTS}
    assert unnamed == ROOTS


@pytest.mark.parametrize("foreign", sorted(FOREIGN, key=short), ids=short)
def test_each_foreign_exception_becomes_ours(foreign):
    """Before the first word it is a `ProviderError`, after it an interrupted answer."""
    expected, code = EXPECTED[nearest(foreign)]
    error = instance_of(foreign)
    mapped = from_exception(error, PEER)
    assert type(mapped) is expected
    assert mapped.code == code
    assert mapped.hint
    assert mapped.provider == "mine"
    cut = from_exception(error, PEER, partial="so far")
    assert type(cut) is InterruptedAnswerError
    assert cut.partial == "so far"
    assert type(pickle.loads(pickle.dumps(mapped))) is expected


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionResetError(104, "reset"), "cut"),
        (ConnectionRefusedError(111, "refused"), "connect"),
        (socket.gaierror(-2, "unknown"), "dns"),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "tls"),
        (TimeoutError(), "timeout"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "protocol"),
        (json.JSONDecodeError("bad", "x", 0), "protocol"),
        (KeyError("choices"), "provider"),
    ],
)
def test_exceptions_of_python_itself_are_mapped(error, code):
    """A fault below the libraries is told as what it is."""
    assert from_exception(error, PEER).code == code


def test_cancellation_is_not_an_exception_to_map():
    """Ctrl-C and cancel are no `Exception`, so no `except Exception` of ours can wrap them."""
    assert not issubclass(asyncio.CancelledError, Exception)
    assert not issubclass(KeyboardInterrupt, Exception)


BODIES = [
    (429, {"error": {"type": "insufficient_quota", "code": "insufficient_quota"}}, QuotaError),
    (429, {"error": {"type": "requests", "code": "rate_limit_exceeded"}}, RateLimitError),
    (200, {"error": {"type": "overloaded_error", "message": "Overloaded"}}, UnavailableError),
    (200, {"error": {"type": "rate_limit_error"}}, RateLimitError),
    (200, {"error": "model runner has stopped"}, UnavailableError),
    (400, {"error": {"code": "context_length_exceeded"}}, ContextTooLongError),
    (
        400,
        {"error": {"code": 400, "type": "exceed_context_size_error", "n_ctx": 512}},
        ContextTooLongError,
    ),
    (404, {"error": {"code": "model_not_found"}}, ProviderError),
    (404, {"error": "model 'x' not found"}, ProviderError),
    (404, {"type": "error", "error": {"type": "not_found_error", "message": "m"}}, ProviderError),
    (404, b"<html><body>nginx</body></html>", ProtocolError),
    (502, "<!DOCTYPE html><html>Bad gateway</html>", UnavailableError),
    (307, b"", ProtocolError),
    (500, b"\xff\xfe", UnavailableError),
    (200, {"error": {"code": 429, "message": "slow down"}}, RateLimitError),
    (200, {"error": {"code": 502, "message": "upstream"}}, UnavailableError),
    (400, {"error": {"message": "Your credit balance is too low to access it."}}, QuotaError),
    (500, "[" * 5000, UnavailableError),
    (418, None, ProviderError),
]


@pytest.mark.parametrize(("status", "body", "expected"), BODIES)
def test_a_status_becomes_the_error_it_means(status, body, expected):
    """The type in the body counts before the status, and no page is ever shown."""
    error = from_status(status, {}, body, PEER)
    assert type(error) is expected
    assert "<" not in error.message
    assert "html" not in error.message.lower()
    assert error.hint.endswith(".")


def test_the_limit_of_the_context_is_kept():
    """A caller can shrink to the limit the server named."""
    body = {"error": {"type": "exceed_context_size_error", "n_ctx": 512, "n_prompt_tokens": 700}}
    error = from_status(400, {}, body, PEER)
    assert (error.limit_tokens, error.prompt_tokens) == (512, 700)


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_a_key_is_never_in_a_message(status):
    """Vendors quote the key they refuse; we do not."""
    body = {"error": {"message": f"Incorrect API key provided: {KEY}."}}
    error = from_status(status, {}, body, PEER)
    assert KEY not in str(error)
    assert KEY not in repr(error.__dict__)


def test_long_words_of_a_server_are_cut():
    """A server's own words take one short line."""
    body = {"error": {"message": "no\n" * 5000}}
    assert len(from_status(400, {}, body, PEER).message) < 500
    assert "\n" not in from_status(400, {}, body, PEER).message


PLACES = {
    "redirect": Raw(status=300, headers={"location": f"https://login.example/?token={KEY}"}),
    "elsewhere": Raw(status=307, headers={"location": f"https://u:{KEY}@login.example/?k={KEY}"}),
    "content type": Raw(headers={"content-type": f"text/html; echo={KEY}{'y' * 5000}"}),
    "words": Raw(status=400, blocks=(f"you sent {KEY}".encode(),)),
    "quoted words": Raw(status=400, blocks=(f"you sent {quote(ODD_KEY, safe='')}".encode(),)),
    "encoding": Raw(headers={"content-encoding": KEY, "content-type": "application/json"}),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", PROVIDERS)
def test_what_a_server_says_is_shown_short_and_without_the_key(kind, place):
    """A login page before the API likes to put the key it saw into addresses and headers."""
    key = ODD_KEY if place == "quoted words" else KEY
    with LoopbackServer(PLACES[place]) as server:
        error = ask(kind, server, request=question(), key=key)
    for shown in (key, quote(key, safe="")):
        assert shown not in str(error)
        assert shown not in repr(error.__dict__)
    assert len(error.message) < 300
    if place in ("redirect", "elsewhere"):
        assert "'https://login.example'" in error.message
        assert "token" not in error.message


def test_the_password_of_a_base_url_is_not_shown():
    """An address with a user and a password is told without them."""
    peer = Peer(provider="mine", label="it", base_url="https://u:hunter2@host.example/v1")
    for error in (
        from_status(404, {}, b"", peer),
        from_exception(ValueError("https://u:hunter2@host.example"), peer),
        from_exception(httpx2.DecodingError("no"), peer),
        wrong_content("text/html", peer),
    ):
        assert "hunter2" not in str(error)


# Over the wire.


async def answer_of(
    kind: str,
    server: LoopbackServer | str,
    request: ModelRequest,
    *,
    timeout_ms: int = 5000,
    key: str = KEY,
) -> str:
    """Return the text of an answer."""
    if isinstance(server, str):
        url = server
    else:
        url = server.url if kind in ("anthropic", "ollama") else server.openai_url
    instance = ProviderSettings(
        name="mine",
        kind=kind,
        base_url=url,
        api_key=Secret(key),
        model="loopback-model",
        timeout_ms=timeout_ms,
    )
    provider = PROVIDERS[kind](instance, Settings(llm=LLMSettings()))
    try:
        return (await collect(provider.stream(request))).text
    finally:
        await provider.aclose()


def ask(
    kind: str, server: LoopbackServer | str, *, request: ModelRequest, **more: object
) -> AiexError:
    """Return the error that asking ends with."""
    with pytest.raises(AiexError) as caught:
        asyncio.run(answer_of(kind, server, request, **more))
    assert isinstance(caught.value, ProviderError | AnswerError)
    assert KEY not in str(caught.value)
    return caught.value


@pytest.fixture(scope="module")
def server():
    with LoopbackServer() as server:
        yield server


@pytest.fixture
def closed_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


BOTH = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
ALL = pytest.mark.parametrize("kind", PROVIDERS)


@ALL
@BOTH
def test_a_refused_connection_names_host_port_and_remedy(kind, streamed, closed_port):
    """The guide's sentence, with what to do."""
    url = f"http://127.0.0.1:{closed_port}"
    error = ask(kind, url, request=question(stream=streamed))
    assert type(error) is UnavailableError
    assert error.message.startswith("Failed to connect to ")
    assert f"'127.0.0.1:{closed_port}': connection refused" in error.message
    assert error.hint


def test_the_guides_sentence_stands_as_it_is(closed_port):
    """'Failed to connect to OpenAI API' is what the troubleshooting chapter looks for."""
    error = ask("openai", f"http://127.0.0.1:{closed_port}", request=question())
    assert error.message.startswith("Failed to connect to OpenAI API")


@ALL
def test_an_unknown_host_is_told_apart(kind):
    """A misspelt host is no server that is down."""
    error = ask(kind, f"http://{NO_NAME}:9", request=question())
    assert error.code == "dns"
    assert f"'{NO_NAME}:9': the host name is not known" in error.message


@pytest.mark.parametrize("kind", ["openai", "anthropic", "openai_compatible"])
def test_a_certificate_nobody_trusts_is_named(kind, tmp_path, monkeypatch):
    """TLS that fails is told as such, with the variable that helps; and it does help."""
    made = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
        " -addext subjectAltName=IP:127.0.0.1 -keyout k.pem -out c.pem"
    )
    subprocess.run(
        made.split(),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"https://127.0.0.1:{listening.getsockname()[1]}"

    def hang_up_after_the_handshake() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                with client, contextlib.suppress(ssl.SSLError, OSError):
                    context.wrap_socket(client, server_side=True).close()

    thread = threading.Thread(target=hang_up_after_the_handshake)
    thread.start()
    try:
        error = ask(kind, url, request=question())
        assert error.code == "tls"
        assert "certificate" in error.message
        assert "SSL_CERT_FILE" in error.hint
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "c.pem"))
        assert ask(kind, url, request=question()).code == "cut"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@ALL
@BOTH
def test_a_page_instead_of_an_answer_is_not_shown(kind, streamed, server):
    """A login page or a proxy's page with status 200 is no answer."""
    page = b"<html><body><h1>Sign in</h1></body></html>"
    server.replies = [Raw(headers={"content-type": "text/html"}, blocks=(page,))]
    error = ask(kind, server, request=question(stream=streamed))
    assert type(error) is ProtocolError
    assert "Sign in" not in str(error)
    assert "'text/html'" in error.message


@ALL
@BOTH
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, CredentialsError),
        (429, RateLimitError),
        (500, UnavailableError),
        (529, UnavailableError),
        (302, ProtocolError),
    ],
)
def test_statuses_over_the_wire(kind, streamed, status, expected, server):
    """Each status is asked once: the SDKs' own retries are off."""
    server.replies = [
        Raw(status=status, headers={"location": "http://x.invalid/"}, blocks=(b"{}",))
    ]
    before = len(server.asked)
    error = ask(kind, server, request=question(stream=streamed))
    assert type(error) is expected
    assert error.status == status
    assert len(server.asked) - before == 1


def test_the_wait_a_server_asks_for_is_kept(server):
    """The router decides what to do with it; nobody sleeps here."""
    server.replies = [Raw(status=429, headers={"retry-after": "300"}, blocks=(b"{}",))]
    for kind in ("openai", "anthropic"):
        assert ask(kind, server, request=question()).retry_after_s == 300.0


@ALL
def test_no_answer_in_time_is_an_error(kind, server):
    """The first-byte deadline is the instance's own."""
    server.replies = [Reply(first_pause_s=5)]
    error = ask(kind, server, timeout_ms=150, request=question())
    assert type(error) is UnavailableError
    assert error.code == "timeout"
    assert "0.15 s" in error.message


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_comments_and_pings_are_no_sign_of_life(kind, server):
    """A server that only keeps the connection warm runs into the deadline all the same."""
    alive = {"openai": b": ok\n\n", "anthropic": b'event: ping\ndata: {"type": "ping"}\n\n'}
    headers = {"content-type": "text/event-stream"}
    server.replies = [Raw(headers=headers, blocks=(alive[kind],) * 40, pause_s=0.05)]
    error = ask(kind, server, timeout_ms=300, request=question())
    assert error.code == "timeout"


@ALL
def test_a_server_that_does_not_stream_is_understood(kind, server):
    """Asked for a stream, some answer in one piece; that is an answer too."""
    wire = "openai" if kind == "openai_compatible" else kind
    body = whole_body(wire, Reply(text="in one piece"), "m")
    headers = {"content-type": "application/json; charset=utf-8"}
    server.replies = [Raw(headers=headers, blocks=(body,))]
    assert asyncio.run(answer_of(kind, server, question())) == "in one piece"


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-\u201cquoted\u201d", "sk a", "sk-\x00"])
@ALL
def test_a_key_no_header_can_hold_is_told_before_it_is_sent(kind, key, server):
    """A line end or a typographic quote from the clipboard; the key itself is not shown."""
    before = len(server.requests)
    error = ask(kind, server, request=question(), key=key)
    assert type(error) is CredentialsError
    assert error.code == "bad_key"
    assert key not in str(error)
    assert len(server.requests) == before


MISSING = {
    "openai": b'{"error": {"message": "no such model", "code": "model_not_found"}}',
    "anthropic": b'{"type": "error", "error": {"type": "not_found_error", "message": "model: m"}}',
    "ollama": b'{"error": "model \'loopback-model\' not found"}',
    "openai_compatible": b'{"error": {"message": "The model does not exist", "code": 404}}',
}


@ALL
@BOTH
def test_a_model_that_is_not_there_is_told_with_those_like_it(kind, streamed):
    """The listing is asked once, and what is misspelt is found in it."""
    models = (Listed(name="loopback-model-2"), Listed(name="other"))
    with LoopbackServer(Raw(status=404, blocks=(MISSING[kind],)), models=models) as server:
        error = ask(kind, server, request=question(stream=streamed))
        assert error.code == "model_not_found"
        assert error.hint.startswith("Did you mean 'loopback-model-2'? Known: ")
        assert "'loopback-model'" in error.message
        assert len(server.asked) == 1
        server.models = (Listed(name="x" * 5000), Listed(name="a\x1b[31m"))
        error = ask(kind, server, request=question(stream=streamed))
        assert error.hint.startswith("List its models with")


@ALL
@BOTH
def test_a_limit_that_is_used_up_is_told_with_the_answer(kind, streamed, server):
    """The router then holds the next request back instead of having it refused."""
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}
    wire = "openai" if kind == "openai_compatible" else kind
    if streamed:
        headers["content-type"] = content_type(wire)
        deltas, end = stream_blocks(wire, Reply(), "m")
        server.replies = [Raw(headers=headers, blocks=(*deltas, *end))]
    else:
        server.replies = [Raw(headers=headers, blocks=(whole_body(wire, Reply(), "m"),))]
    opened = chunks(provider(kind, server.url), question(stream=streamed))[0]
    assert isinstance(opened, Opened)
    assert opened.wait_s == 360.0


@ALL
def test_an_event_stream_without_events_is_an_answer_that_was_cut(kind, server):
    """Not a wrong address: the server said which wire it speaks, and then nothing."""
    wire = "openai" if kind == "openai_compatible" else kind
    headers = {"content-type": content_type(wire)}
    for blocks in ((), (b"\n\n",)):
        server.replies = [Raw(headers=headers, blocks=blocks)]
        error = ask(kind, server, request=question())
        assert type(error) is UnavailableError
        assert error.code == "stream_incomplete"


@ALL
def test_an_event_larger_than_any_answer_names_who_sent_it(kind, server):
    """It is refused before it fills the memory."""
    wire = "openai" if kind == "openai_compatible" else kind
    megabyte = b"x" * (1 << 20)
    headers = {"content-type": content_type(wire)}
    server.replies = [Raw(headers=headers, blocks=(b"data: ", *(megabyte,) * 17))]
    error = ask(kind, server, request=question(), timeout_ms=60_000)
    assert type(error) is ProtocolError
    assert error.code == "too_large"
    assert f"127.0.0.1:{server.port}" in error.message
