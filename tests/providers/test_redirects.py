"""Where a redirect is followed to, and where a question never goes."""

from __future__ import annotations

import asyncio

import pytest
from asking import WIRES, chunks, chunks_of, provider

from aiex_ipy.config.settings import NetworkSettings
from aiex_ipy.errors import ProtocolError
from aiex_ipy.messages import Finish
from aiex_ipy.testing.conformance import question
from aiex_ipy.testing.loopback import LoopbackServer, Received
from aiex_ipy.testing.replies import Raw, Reply

ALL = pytest.mark.parametrize("kind", ["openai", "anthropic", "ollama", "openai_compatible"])
BOTH = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "ollama": "/api/chat"}


def path(kind: str) -> str:
    return PATHS[WIRES.get(kind, kind)]


def to(location: str, status: int = 307) -> Raw:
    return Raw(status=status, headers={"location": location}, blocks=(b"moved",))


def bounces(times: int, then: Reply, location: str = "{path}?hop={hop}") -> object:
    """A server's reply: so many redirects to itself and then an answer."""
    seen: list[Received] = []

    def reply(received: Received) -> Reply | Raw:
        seen.append(received)
        if len(seen) > times:
            return then
        return to(location.format(path=received.path, hop=len(seen)))

    return reply


@ALL
@BOTH
@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_on_the_same_server_keeps_the_question(
    kind: str, streamed: bool, status: int
) -> None:
    """Method, body and key arrive again, and the answer comes."""
    with LoopbackServer() as server:
        server.replies = [to(f"{path(kind)}?here=1", status), Reply()]
        said = chunks(provider(kind, server.url), question(stream=streamed))
        first, second = server.asked
    assert isinstance(said[-1], Finish)
    assert second.method == first.method == "POST"
    assert second.body == first.body
    assert second.headers == first.headers


@ALL
@BOTH
def test_a_redirect_to_another_server_is_never_sent_the_question(kind: str, streamed: bool) -> None:
    """Another port is another server: it sees neither the prompt nor the key."""
    with LoopbackServer() as server, LoopbackServer() as other:
        server.replies = [to(f"{other.url}{path(kind)}")]
        with pytest.raises(ProtocolError) as caught:
            chunks(provider(kind, server.url), question(stream=streamed))
        assert other.connections == 0
        assert len(server.asked) == 1
        assert server.wait_until(lambda: server.open_connections == 0)
    assert caught.value.code == "redirect"
    assert caught.value.status == 307
    assert f"another server, {other.url!r}" in caught.value.message


@pytest.mark.parametrize(
    "elsewhere", ["https://127.0.0.1:{port}", "http://localhost:{port}", "//x"]
)
def test_scheme_and_host_make_another_server_too(elsewhere: str) -> None:
    """What the certificate or the name resolution guards is not given up on the way."""
    with LoopbackServer() as server:
        server.replies = [to(elsewhere.format(port=server.port))]
        with pytest.raises(ProtocolError) as caught:
            chunks(provider("ollama", server.url))
    assert "another server" in caught.value.message


@ALL
def test_a_loop_of_redirects_is_named(kind: str) -> None:
    """Two requests show a circle; nobody is asked 63 times."""
    with LoopbackServer() as server:
        server.replies = [to(path(kind))]
        with pytest.raises(ProtocolError) as caught:
            chunks(provider(kind, server.url))
        assert len(server.asked) == 1
    assert caught.value.code == "redirect"
    assert "in a circle" in caught.value.message


@pytest.mark.parametrize("kind", ["openai", "ollama"])
@pytest.mark.parametrize(("times", "most", "asked"), [(3, 3, 4), (4, 3, 4), (1, 0, 1), (5, 5, 6)])
def test_so_many_redirects_are_followed(kind: str, times: int, most: int, asked: int) -> None:
    """`network.max_redirects`, three by default; one more is an error that says so."""
    with LoopbackServer() as server:
        server.reply = bounces(times, Reply())  # type: ignore[assignment]
        made = provider(kind, server.url, network=NetworkSettings(max_redirects=most))
        if times <= most:
            assert isinstance(chunks(made)[-1], Finish)
        else:
            with pytest.raises(ProtocolError) as caught:
                chunks(made)
            assert f"more than {most} times" in caught.value.message
        assert len(server.asked) == asked


@ALL
@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_drops_the_question_is_refused(kind: str, status: int) -> None:
    """Browsers turn these into a GET; a question without its text is none."""
    with LoopbackServer() as server:
        server.replies = [to(f"{path(kind)}?here=1", status)]
        with pytest.raises(ProtocolError) as caught:
            chunks(provider(kind, server.url))
        assert len(server.asked) == 1
    assert f"status {status}" in caught.value.message


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_later_questions_begin_at_the_address_that_was_set(kind: str) -> None:
    """A temporary redirect is not kept for good."""

    async def work() -> list[str]:
        asked = provider(kind, server.url)
        try:
            await chunks_of(asked)
            await chunks_of(asked)
        finally:
            await asked.aclose()
        return [each.path for each in server.asked]

    with LoopbackServer() as server:
        server.replies = [to(f"{path(kind)}?here=1"), Reply(), to(f"{path(kind)}?here=1"), Reply()]
        assert len(asyncio.run(work())) == 4
