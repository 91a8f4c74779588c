"""Provider instances: kinds, addresses, keys, and where keys may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiex_ipy.config import canonical_provider
from aiex_ipy.config.providers import KINDS, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Place

KEY = "sk-0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("openai", "openai"),
        ("openai_turbo", "openai"),
        ("openai_turbo_2", "openai"),
        ("anthropic_work", "anthropic"),
        ("lm_studio", "lm_studio"),
        ("lm_studio_big", "lm_studio"),
        ("openai_compatible", "openai_compatible"),
        ("openai_compatible_groq", "openai_compatible"),
        ("openaiturbo", None),
        ("gateway", None),
    ],
)
def test_the_kind_is_told_by_the_name(name: str, kind: str | None) -> None:
    """`openai_turbo` is openai; a kind with a `_` of its own is not cut at it."""
    assert kind_of(name) == kind


def test_every_kind_has_its_default_instance(place: Place) -> None:
    """Naming a provider is enough to use it; only a server of unknown address needs a table."""
    providers = place.load().settings.llm.providers
    assert list(providers) == [name for name in KINDS if name != "openai_compatible"]
    assert {(p.name, p.api_key, p.base_url, p.priority) for p in providers.values()} == {
        (name, None, None, 100) for name in providers
    }
    assert {p.max_tokens for p in providers.values()} == {4000}


def test_the_guides_providers_load(place: Place) -> None:
    """The guide's multi-provider configuration, in TOML, with its models and priorities."""
    place.user.write_text(
        """
        [llm]
        default_provider = "openai"
        [llm.providers.openai]
        model = "gpt-4"
        base_url = "https://api.openai.com/v1"
        timeout = 30_000
        max_tokens = 4000
        priority = 1
        [llm.providers.openai_turbo]
        model = "gpt-3.5-turbo"
        priority = 2
        [llm.providers.ollama]
        base_url = "http://localhost:11434"
        model = "codellama"
        priority = 3
        """
    )
    llm = place.load({"OPENAI_API_KEY": KEY}).settings.llm
    assert llm.default_provider == "openai"
    assert list(llm.providers)[:3] == ["openai", "openai_turbo", "ollama"]
    turbo = llm.providers["openai_turbo"]
    assert (turbo.kind, turbo.model, turbo.priority) == ("openai", "gpt-3.5-turbo", 2)
    assert turbo.api_key is not None
    assert turbo.api_key.reveal() == KEY


def test_a_provider_table_needs_a_kind_it_can_tell(
    place: Place, refused: Callable[..., str]
) -> None:
    """A name that tells no kind, and a kind that is none, are told with what there is."""
    place.user.write_text("[llm.providers.gateway]\nmodel = 'x'\n")
    assert refused().startswith(
        "bad_value: The provider 'gateway' in 'home/.config/aiex/config.toml' has no kind. Set "
        "llm.providers.gateway.kind."
    )
    place.user.write_text("[llm.providers.gateway]\nkind = 'opnai'\n")
    assert refused().startswith(
        "bad_value: 'llm.providers.gateway.kind' in 'home/.config/aiex/config.toml' is 'opnai', "
        "which is no kind of provider. Did you mean 'openai'?"
    )
    place.user.write_text("[llm.providers.gateway]\nkind = 'lm-studio'\n")
    assert place.load().settings.llm.providers["gateway"].kind == "lm_studio"


@pytest.mark.parametrize(
    ("written", "ollama", "lm_studio"),
    [
        ("http://h:1", "http://h:1", "http://h:1/v1"),
        ("h:1", "http://h:1", "http://h:1/v1"),
        ("h", "http://h:11434", "http://h:1234/v1"),
        ("h:1/v1", "http://h:1", "http://h:1/v1"),
        ("https://h/v1/", "https://h", "https://h/v1"),
        ("[::1]:5", "http://[::1]:5", "http://[::1]:5/v1"),
    ],
)
def test_a_host_may_lack_scheme_port_and_v1(
    place: Place, written: str, ollama: str, lm_studio: str
) -> None:
    """AIEX_OLLAMA_HOST and AIEX_LM_STUDIO_HOST are taken in each form people write."""
    place.user.write_text("[llm.providers.ollama]\nbase_url = 'http://other'\n")
    loaded = place.load({"AIEX_OLLAMA_HOST": written, "AIEX_LM_STUDIO_HOST": written})
    providers = loaded.settings.llm.providers
    assert (providers["ollama"].base_url, providers["lm_studio"].base_url) == (ollama, lm_studio)
    assert loaded.origins["llm.providers.ollama.base_url"].source == "AIEX_OLLAMA_HOST"


@pytest.mark.parametrize("url", ["http://me:hunter2@h", "https://hunter2@h", "ftp://a:hunter2@h"])
def test_an_address_with_a_password_is_refused_without_showing_it(
    place: Place, refused: Callable[..., str], url: str
) -> None:
    """Addresses are shown in lists, errors and logs; what is secret is an api_key."""
    told = refused(variables={"AIEX_OLLAMA_HOST": url})
    assert told.endswith(
        "***@h', but must be an address without name and password. Give what the server asks for "
        "as api_key."
    )
    assert "hunter2" not in told


def test_the_vendors_variables_are_honoured(place: Place) -> None:
    """OPENAI_* and ANTHROPIC_* set the instance of that name over its file, and what other
    instances of the kind leave out."""
    place.user.write_text(
        "[llm.providers.openai]\nbase_url = 'http://file/v1'\napi_key = 'sk-of-the-file'\n"
        "[llm.providers.openai_own]\nbase_url = 'http://own/v1'\napi_key = 'sk-of-own'\n"
        "[llm.providers.openai_bare]\nmodel = 'x'\n"
    )
    place.user.chmod(0o600)
    variables = {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": "http://env/v1",
        "ANTHROPIC_API_KEY": "sk-ant-1",
        "ANTHROPIC_BASE_URL": "http://ant/v1",
    }
    providers = place.load(variables).settings.llm.providers
    seen = {
        name: (p.base_url, p.api_key and p.api_key.reveal())
        for name, p in providers.items()
        if p.api_key
    }
    assert seen == {
        "openai": ("http://env/v1", KEY),
        "openai_own": ("http://own/v1", "sk-of-own"),
        "openai_bare": ("http://env/v1", KEY),
        "anthropic": ("http://ant", "sk-ant-1"),
    }


def test_a_vendors_key_does_not_reach_another_kind(place: Place) -> None:
    """OPENAI_API_KEY is for openai instances, not for every server that speaks the protocol."""
    place.user.write_text("[llm.providers.openai_compatible]\nbase_url = 'http://h/v1'\n")
    providers = place.load({"OPENAI_API_KEY": KEY}).settings.llm.providers
    assert [name for name, each in providers.items() if each.api_key] == ["openai"]


def test_a_key_may_be_in_a_variable_of_another_name(place: Place) -> None:
    """`api_key_env` names the variable; it is told so that messages can name it."""
    place.user.write_text(
        "[llm.providers.openai_compatible_groq]\nbase_url = 'https://h/v1'\n"
        "api_key_env = 'GROQ_API_KEY'\n"
        "[llm.providers.openai]\napi_key_env = 'OTHER_KEY'\n"
    )
    loaded = place.load({"GROQ_API_KEY": KEY, "OPENAI_API_KEY": "sk-not-this-one"})
    groq = loaded.settings.llm.providers["openai_compatible_groq"]
    assert groq.api_key is not None
    assert groq.api_key.reveal() == KEY
    assert loaded.origins["llm.providers.openai_compatible_groq.api_key"].source == "GROQ_API_KEY"
    openai = loaded.settings.llm.providers["openai"]
    assert (openai.api_key, openai.api_key_env) == (None, "OTHER_KEY")


def test_a_key_that_no_header_can_carry_is_told_without_showing_it(
    place: Place, refused: Callable[..., str]
) -> None:
    """A key with a line break inside is refused; blanks around it are cut."""
    told = refused(variables={"OPENAI_API_KEY": "sk-secret\nsk-more"})
    assert told == (
        "bad_value: 'OPENAI_API_KEY' must be printable ASCII without blanks. Copy the key again, "
        "without quotes or line breaks."
    )
    key = place.load({"OPENAI_API_KEY": f"{KEY}\n"}).settings.llm.providers["openai"].api_key
    assert key is not None
    assert key.reveal() == KEY


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[llm.providers.openai]\napi_key = 12345678", "'llm.providers.openai.api_key' in"),
        ("[llm.providers.openai]\napi_key = 'sk 12345678'", "'llm.providers.openai.api_key' in"),
        ("[llm.providers.openai]\napi_key_env = 'sk-12345678'", "must be the name of an environ"),
        ("[llm.providers.openai]\napikey = 'sk-12345678'", "Did you mean 'api_key'?"),
        ("[llm.providers.openai]\napi_key = ['sk-12345678']", "must be a text"),
    ],
)
def test_no_error_shows_a_key(
    place: Place, refused: Callable[..., str], written: str, told: str
) -> None:
    """Whatever is wrong with a key, the message does not hold it."""
    place.user.write_text(written)
    message = refused()
    assert told in message
    assert "12345678" not in message


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[llm.providers.embedded]\nbase_url = 'h'", "means nothing for a provider of kind 'embe"),
        ("[llm.providers.scripted]\napi_key = 'abcdefgh'", "means nothing for a provider of kind"),
        ("[llm.providers.openai]\nanswers = ['x']", "means nothing for a provider of kind 'open"),
        ("[llm.providers.openai_compatible]\nmodel = 'x'", "'openai_compatible' in 'home/.confi"),
        ("[llm.providers.openai]\napi_key = 'x1'\napi_key_env = 'X'", "has both api_key and api_k"),
    ],
)
def test_a_key_that_means_nothing_is_refused(
    place: Place, refused: Callable[..., str], written: str, told: str
) -> None:
    """No key is read and then ignored."""
    place.user.write_text(written)
    assert told in refused()


def test_scripted_answers_are_settings(place: Place) -> None:
    """Docs and tests script a provider in a file."""
    place.aiex.write_text("[llm.providers.scripted]\nanswers = ['one', 'two']\n")
    assert place.load().settings.llm.providers["scripted"].answers == ("one", "two")


EVIL = "https://evil.example/v1"


@pytest.mark.parametrize(
    "written",
    [
        f"[llm.providers.openai]\nbase_url = '{EVIL}'\n",
        f"[llm.providers.openai]\nbase_url = '{EVIL}'\napi_key = 'of-the-project'\n",
        f"[profiles.dev.llm.providers.openai_x]\nbase_url = '{EVIL}'\n",
        f"[llm.providers.ollama]\nbase_url = '{EVIL}'\n",
        "[llm.providers.openai]\nbase_url = 'https://127.0.0.1.evil.example'\n",
    ],
)
def test_a_cloned_project_cannot_say_where_things_are_sent(
    place: Place, refused: Callable[..., str], written: str
) -> None:
    """An address from a project's file that is not on this machine is refused."""
    place.aiex.write_text(written)
    told = refused(variables={"OPENAI_API_KEY": KEY})
    assert told.startswith("untrusted: 'llm.providers.")
    assert "and a project cannot say where your questions and keys are sent. If it is" in told


def test_a_cloned_project_cannot_choose_a_variable(
    place: Place, refused: Callable[..., str]
) -> None:
    """Nor which of the user's variables is sent as a key."""
    place.aiex.write_text("[llm.providers.openai]\napi_key_env = 'AWS_SECRET_ACCESS_KEY'\n")
    assert refused(variables={"OPENAI_API_KEY": KEY}).startswith(
        "untrusted: 'llm.providers.openai.api_key_env' in 'project/aiex.toml' would let a project "
        "choose which of your variables is sent away."
    )


def test_a_cloned_project_is_not_given_the_users_key(place: Place) -> None:
    """A project may name a server on this machine, but only the project's own key is sent there;
    that the user's is kept back is said."""
    address = "[llm.providers.openai]\nbase_url = 'http://127.0.0.1:8000/v1'\n"
    place.aiex.write_text(address)
    loaded = place.load({"OPENAI_API_KEY": KEY})
    assert loaded.settings.llm.providers["openai"].api_key is None
    assert any("OPENAI_API_KEY is not used" in line for line in loaded.warnings)
    place.aiex.write_text(f"{address}api_key = 'of-the-project'\n")
    own = place.load().settings.llm.providers["openai"].api_key
    assert own is not None
    assert own.reveal() == "of-the-project"
    place.aiex.unlink()
    place.user.write_text(address)
    loaded = place.load({"OPENAI_API_KEY": KEY})
    used = loaded.settings.llm.providers["openai"].api_key
    assert used is not None
    assert used.reveal() == KEY
    assert not any("is not used" in line for line in loaded.warnings)


def test_a_user_says_where_things_are_sent(place: Place) -> None:
    """Any address is fine in the user's or the team's file, and one on this machine anywhere."""
    url = "https://gateway.example/v1"
    for file in (place.user, place.team):
        file.write_text(f"[llm.providers.openai]\nbase_url = '{url}'\n")
        assert place.load().settings.llm.providers["openai"].base_url == url
        file.unlink()
    for url in ("http://127.0.0.1:8000/v1", "http://localhost:8000/v1", "http://[::1]:8000/v1"):
        place.aiex.write_text(f"[llm.providers.openai]\nbase_url = '{url}'\n")
        assert place.load({"OPENAI_API_KEY": KEY}).settings.llm.providers["openai"].base_url == url
    place.aiex.write_text(f"[llm.providers.openai]\nbase_url = '{EVIL}'\n")
    place.user.write_text("")
    settings = place.load({"OPENAI_BASE_URL": "https://mine.example/v1"}).settings
    assert settings.llm.providers["openai"].base_url == "https://mine.example/v1"


def test_a_set_time_out_is_every_providers(place: Place) -> None:
    """`llm.timeout_ms`, when set, counts for instances without their own; left out, the kind's
    own default does."""
    place.user.write_text("[llm.providers.ollama]\ntimeout = 60_000\n")
    before = place.load().settings.llm.providers
    assert (before["ollama"].timeout_ms, before["openai"].timeout_ms) == (60_000, None)
    after = place.load({"AIEX_LLM_TIMEOUT": "5"}).settings.llm.providers
    assert (after["ollama"].timeout_ms, after["openai"].timeout_ms) == (60_000, 5)
    assert after["embedded"].timeout_ms is None, "llm.embedded.first_byte_timeout_ms is its own"


def test_an_override_of_an_instance_wins_over_its_variable(place: Place) -> None:
    """What is said in `%config` or on the command line is the last word but for a call's."""
    loaded = place.load(
        {"AIEX_OLLAMA_HOST": "http://env", "OPENAI_API_KEY": KEY},
        {
            "llm.providers.ollama.base_url": "http://call:9",
            "llm.providers.openai.api_key": "sk-called",
        },
    )
    providers = loaded.settings.llm.providers
    assert providers["ollama"].base_url == "http://call:9"
    assert providers["openai"].api_key is not None
    assert providers["openai"].api_key.reveal() == "sk-called"


def test_a_providers_name_is_looked_up_without_regard_to_form() -> None:
    """`lm-studio` is `lm_studio`, as is `LM-Studio`."""
    assert {canonical_provider(name) for name in ("lm-studio", " LM_Studio ")} == {"lm_studio"}
