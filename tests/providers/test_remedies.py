"""The remedy in a message is one that works for the provider it is about."""

from __future__ import annotations

import pytest
from asking import KINDS

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.errors import AiexError, CredentialsError
from aiex_ipy.providers.faults import Peer, from_status
from aiex_ipy.providers.unreachable import why


def peer(kind: str, name: str, key: str = "") -> Peer:
    """What the messages of a provider are made of."""
    instance = ProviderSettings(name=name, kind=kind, api_key=Secret(key) if key else None)
    return KINDS[kind](instance, Settings(llm=LLMSettings())).peer()


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_key_of_ones_own_table_is_mended_there(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable would not be looked at; where the key came from it, it is named."""
    variable = f"{kind.upper()}_API_KEY"
    monkeypatch.delenv(variable, raising=False)
    assert peer(kind, "mine", "sk-1").key_remedy == "Set llm.providers.mine.api_key to a valid key."
    assert variable in peer(kind, kind).key_remedy
    monkeypatch.setenv(variable, "sk-1")
    assert variable in peer(kind, "mine", "sk-1").key_remedy


@pytest.mark.parametrize("kind", ["ollama", "lm_studio"])
def test_an_instance_of_another_name_has_its_own_address(kind: str) -> None:
    """`AIEX_OLLAMA_HOST` is about the instance called ollama only."""
    assert f"AIEX_{kind.upper()}_HOST" in peer(kind, kind).remedy
    assert "llm.providers.there.base_url" in peer(kind, "there").remedy


def told(status: int, code: str = "", **known: str) -> AiexError:
    about = Peer(provider="mine", label="the server", base_url="http://h:81/v1", model="m", **known)  # type: ignore[arg-type]
    return from_status(status, {}, {"error": {"code": code, "message": "no"}}, about)


@pytest.mark.parametrize(
    ("status", "code"), [(429, ""), (402, ""), (500, ""), (529, ""), (200, "server_error")]
)
def test_a_fault_names_address_model_and_a_fallback_that_works(status: int, code: str) -> None:
    """`fallbacks` of the provider itself, since `fallback_provider` is not asked after one that
    was named."""
    error = told(status, code)
    assert "'h:81'" in error.message and "'m'" in error.message
    assert "llm.providers.mine.fallbacks" in error.hint


def test_who_sent_no_key_has_none_refused() -> None:
    """A server that wants a key and got none is told so."""
    assert "wants a key (status 401)" in told(401).message
    error = told(401, secret=Secret("sk-1"))  # type: ignore[arg-type]
    assert isinstance(error, CredentialsError)
    assert "refused the key (status 401)" in error.message


def test_tls_that_tells_nothing_is_said_once() -> None:
    """Not as `TLS failed (TLS failed)`."""
    import ssl

    assert why([ssl.SSLError()]).cause == "TLS failed"
