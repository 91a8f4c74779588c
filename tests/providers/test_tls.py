"""Certificates: whose are trusted, and what is told of one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import chunks, provider
from forwarding import Forwarder

from aiex_ipy.config import load
from aiex_ipy.config.settings import NetworkSettings, Settings
from aiex_ipy.errors import ConfigError, UnavailableError
from aiex_ipy.messages import Finish, Opened
from aiex_ipy.providers.wire import UNVERIFIED
from aiex_ipy.testing.loopback import LoopbackServer

KINDS = pytest.mark.parametrize("kind", ["openai", "anthropic", "openai_compatible", "ollama"])


def settings(place: Path, toml: str, **variables: str) -> Settings:
    """Settings as a user's file and environment make them."""
    config = place / ".config" / "aiex"
    config.mkdir(parents=True, exist_ok=True)
    (config / "config.toml").write_text(toml)
    project = place / "project"
    project.mkdir(exist_ok=True)
    return load(project_dir=str(project), environ={"HOME": str(place), **variables})


@KINDS
def test_a_certificate_nobody_trusts_is_named_and_asked_once(
    kind: str, certificate: tuple[str, str]
) -> None:
    """The message says what is wrong with it, and the hint what to set."""
    with LoopbackServer() as server, Forwarder(server.port, certificate=certificate) as tls:
        with pytest.raises(UnavailableError) as caught:
            chunks(provider(kind, f"https://127.0.0.1:{tls.port}"))
        assert tls.connections <= 1
        assert not server.asked
    assert caught.value.code == "tls"
    assert "its certificate is not trusted (self-signed certificate)" in caught.value.message
    assert "network.ssl_cacertfile" in caught.value.hint


def test_the_settings_name_a_ca_file(certificate: tuple[str, str], tmp_path: Path) -> None:
    """`network.ssl_cacertfile` in the user's file or its variable; `SSL_CERT_FILE` without them."""
    toml = f"[network]\nssl_cacertfile = '{certificate[0]}'\n"
    in_file = settings(tmp_path, toml).network
    in_variable = settings(tmp_path, "", AIEX_NETWORK_SSL_CACERTFILE=certificate[0]).network
    assert in_file == in_variable == NetworkSettings(ssl_cacertfile=certificate[0])
    with LoopbackServer() as server, Forwarder(server.port, certificate=certificate) as tls:
        for kind in ("openai", "ollama"):
            said = chunks(provider(kind, f"https://127.0.0.1:{tls.port}", network=in_file))
            assert isinstance(said[-1], Finish)


def test_the_usual_variable_names_a_ca_file_too(
    certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`SSL_CERT_FILE` is obeyed, and a file that is none is told before anything is sent."""
    with LoopbackServer() as server, Forwarder(server.port, certificate=certificate) as tls:
        monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
        assert isinstance(chunks(provider("ollama", f"https://127.0.0.1:{tls.port}"))[-1], Finish)
        for wrong in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
            (tmp_path / "empty.pem").write_text("no certificate")
            monkeypatch.setenv("SSL_CERT_FILE", str(wrong))
            with pytest.raises(ConfigError) as caught:
                chunks(provider("ollama", f"https://127.0.0.1:{tls.port}"))
            assert "'SSL_CERT_FILE'" in caught.value.message


def test_unchecked_certificates_are_told_once(certificate: tuple[str, str], tmp_path: Path) -> None:
    """`network.ssl_verify = false` works, and the first answer says what it means."""
    network = settings(tmp_path, "[network]\nssl_verify = false\n").network
    assert settings(tmp_path, "", AIEX_NETWORK_SSL_VERIFY="false").network == network
    with LoopbackServer() as server, Forwarder(server.port, certificate=certificate) as tls:
        import asyncio

        from asking import chunks_of

        asked = provider("openai", f"https://127.0.0.1:{tls.port}", network=network)

        async def work() -> list[str]:
            try:
                said = [await chunks_of(asked), await chunks_of(asked)]
            finally:
                await asked.aclose()
            return [each.note for one in said for each in one if isinstance(each, Opened)]

        assert asyncio.run(work()) == [UNVERIFIED, ""]


def test_no_warning_where_no_certificate_is(tmp_path: Path) -> None:
    """Without TLS there is nothing to leave unchecked."""
    with LoopbackServer() as server:
        said = chunks(provider("ollama", server.url, network=NetworkSettings(ssl_verify=False)))
    assert isinstance(said[0], Opened)
    assert said[0].note == ""


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("missing.pem", None, "a file that can be read (No such file or directory)"),
        ("page.pem", "<html>sign in</html>", "a file of PEM certificates"),
        (
            "cut.pem",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            "a file of PEM certificates",
        ),
    ],
)
def test_a_ca_file_that_is_none_is_refused_at_load(
    tmp_path: Path, name: str, content: str | None, told: str
) -> None:
    """With file, key and value, before anything is asked."""
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, f"[network]\nssl_cacertfile = '{tmp_path / name}'\n")
    assert caught.value.code == "bad_value"
    assert told in caught.value.message
    assert name in caught.value.message


@pytest.mark.parametrize(
    "line", ["ssl_verify = false", "ssl_cacertfile = 'ca.pem'", "proxy_url = 'http://evil.test:1'"]
)
@pytest.mark.parametrize("table", ["network", "profiles.dev.network"])
def test_a_project_cannot_say_whom_its_user_trusts(
    tmp_path: Path, line: str, table: str, certificate: tuple[str, str]
) -> None:
    """Such a key in a cloned project's file is an error, not a silent man in the middle."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "ca.pem").write_text(Path(certificate[0]).read_text())
    (project / "aiex.toml").write_text(f"[{table}]\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, "")
    assert caught.value.code == "untrusted"
    assert "aiex config set" in caught.value.hint
