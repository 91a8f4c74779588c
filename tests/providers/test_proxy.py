"""The way to a server through a proxy, and a proxy that lets nothing through."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import KEY, chunks, provider
from forwarding import Forwarder
from test_tls import settings

from aiex_ipy.config.settings import NetworkSettings
from aiex_ipy.errors import ConfigError, UnavailableError
from aiex_ipy.messages import Finish
from aiex_ipy.testing.conformance import question
from aiex_ipy.testing.loopback import LoopbackServer

KINDS = pytest.mark.parametrize("kind", ["openai", "anthropic", "openai_compatible", "ollama"])
THERE = "https://model.invalid:8443"
VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def tunnel(certificate: tuple[str, str]) -> Iterator[tuple[LoopbackServer, Forwarder]]:
    """A model server far away, and a proxy that knows the way."""
    with (
        LoopbackServer() as server,
        Forwarder(server.port, certificate=certificate) as tls,
        Forwarder(tls.port, proxy=True) as proxy,
    ):
        yield server, proxy


def through(address: str, certificate: tuple[str, str]) -> NetworkSettings:
    return NetworkSettings(proxy_url=address, ssl_cacertfile=certificate[0])


@KINDS
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_the_proxy_of_the_settings_is_used(
    kind: str,
    streamed: bool,
    tunnel: tuple[LoopbackServer, Forwarder],
    certificate: tuple[str, str],
    tmp_path: Path,
) -> None:
    """`network.proxy_url`: the proxy learns the host and no more; the key goes by its tunnel."""
    server, proxy = tunnel
    toml = (
        f"[network]\nproxy_url = 'http://127.0.0.1:{proxy.port}'\n"
        f"ssl_cacertfile = '{certificate[0]}'\n"
    )
    network = settings(tmp_path, toml).network
    said = chunks(provider(kind, THERE, network=network), question(stream=streamed))
    assert isinstance(said[-1], Finish)
    assert proxy.asked[0].startswith("CONNECT model.invalid:8443 ")
    assert KEY not in "".join(proxy.asked)
    assert KEY in str(server.asked[0].headers)


def test_the_proxy_of_the_environment_is_used(
    tunnel: tuple[LoopbackServer, Forwarder],
    certificate: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HTTPS_PROXY with a name and a password, which the proxy gets and no message shows."""
    _, proxy = tunnel
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:hunter2@127.0.0.1:{proxy.port}")
    network = NetworkSettings(ssl_cacertfile=certificate[0])
    assert isinstance(chunks(provider("openai", THERE, network=network))[-1], Finish)
    assert "proxy-authorization: basic" in proxy.asked[0].lower()


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required"])
@KINDS
def test_a_proxy_that_refuses_is_named(
    kind: str, status: str, certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Host and port of the proxy and what it said; never its password."""
    with Forwarder(0, proxy=True, refusing=status) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:hunter2@127.0.0.1:{proxy.port}")
        with pytest.raises(UnavailableError) as caught:
            chunks(provider(kind, THERE))
    assert caught.value.code == "proxy"
    assert f"The proxy at '127.0.0.1:{proxy.port}' let nothing through ({status})" in str(
        caught.value
    )
    assert "hunter2" not in str(caught.value)
    assert "NO_PROXY" in caught.value.hint


@KINDS
def test_a_proxy_that_is_not_there_is_not_taken_for_the_server(
    kind: str, certificate: tuple[str, str]
) -> None:
    """The message names the proxy, because nobody can say how the server is."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(UnavailableError) as caught:
            chunks(provider(kind, THERE, network=through(f"http://{address}", certificate)))
    assert caught.value.code == "proxy"
    assert f"The proxy at {address!r} let nothing through (connection refused)" in str(caught.value)


def test_a_certificate_behind_the_proxy_is_the_servers(
    tunnel: tuple[LoopbackServer, Forwarder],
) -> None:
    """What fails in the tunnel is told of the server, not of the proxy."""
    network = NetworkSettings(proxy_url=f"http://127.0.0.1:{tunnel[1].port}")
    with pytest.raises(UnavailableError) as caught:
        chunks(provider("openai_compatible", THERE, network=network))
    assert caught.value.code == "tls"
    assert "'model.invalid:8443'" in caught.value.message


@KINDS
def test_no_proxy_is_asked_for_this_machine(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the settings and the environment say."""
    with Forwarder(0, proxy=True, refusing="403 Forbidden") as proxy, LoopbackServer() as server:
        address = f"http://127.0.0.1:{proxy.port}"
        monkeypatch.setenv("HTTP_PROXY", address)
        monkeypatch.setenv("ALL_PROXY", address)
        said = chunks(provider(kind, server.url, network=NetworkSettings(proxy_url=address)))
        assert isinstance(said[-1], Finish)
        assert proxy.connections == 0


def test_a_host_of_no_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY holds for the proxy of the settings too."""
    with Forwarder(0, proxy=True, refusing="403 Forbidden") as proxy:
        monkeypatch.setenv("NO_PROXY", "other.example, model.invalid")
        network = NetworkSettings(proxy_url=f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(UnavailableError) as caught:
            chunks(provider("ollama", THERE, network=network))
        assert proxy.connections == 0
    assert caught.value.code == "dns"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("ftp://proxy.test", "is no address of a proxy"),
        ("http://:3128", "is no address of a proxy"),
        ("http://me:hunter2@proxy.test:port", "is no address of a proxy"),
        ("socks5://proxy.test:1080", "needs the package 'socksio'"),
    ],
)
def test_a_variable_that_is_no_proxy_is_told(
    value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name, without its password, before anything is sent."""
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(ConfigError) as caught:
        chunks(provider("openai_compatible", THERE))
    assert "'HTTPS_PROXY'" in caught.value.message
    assert told in caught.value.message
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", ["http://me:hunter2@proxy.test:1", "http://:3128", "ftp://x", ""])
def test_a_proxy_that_is_none_is_refused_at_load(value: str, tmp_path: Path) -> None:
    """A password belongs in the environment, since settings are shown in many places."""
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, f"[network]\nproxy_url = '{value}'\n")
    assert "'network.proxy_url'" in caught.value.message
    assert "hunter2" not in str(caught.value)
