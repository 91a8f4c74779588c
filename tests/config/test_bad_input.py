"""Providers that cannot be meant: told when the settings are loaded, before anybody is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiex_ipy.config import set_value
from aiex_ipy.engine.engine import Engine
from aiex_ipy.errors import ConfigError
from aiex_ipy.operations.ask import AskRequest
from aiex_ipy.routing.health import check_health, describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Place

KEY = "sk-0123456789abcdef"


@pytest.mark.parametrize("other", ["lm_studio", "LM-Studio", "LM_STUDIO", "' lm-studio '"])
def test_two_providers_of_one_name_are_refused(
    place: Place, refused: Callable[..., str], other: str
) -> None:
    """In one file `-`, `_`, case and blanks around make no second provider; both are named as
    written."""
    place.user.write_text(
        f"[llm.providers.lm-studio]\nmodel = 'x'\n[llm.providers.{other}]\nmodel = 'y'\n"
    )
    written = other.strip("'")
    assert refused() == (
        "conflict: 'llm.providers.lm_studio' in 'home/.config/aiex/config.toml' is set twice, as "
        f"'lm-studio' and as {written!r}. Keep 'lm_studio'."
    )


def test_the_spellings_of_two_layers_are_one_provider(place: Place) -> None:
    """What one file says of `LM-Studio`, another and a call may add to."""
    place.team.write_text("[llm.providers.LM-Studio]\nmodel = 'x'\n")
    place.user.write_text("[llm.providers.lm_studio]\npriority = 3\n")
    loaded = place.load(overrides={"llm.providers.lm-studio.max_tokens": 5})
    found = loaded.settings.llm.providers["lm_studio"]
    assert (found.model, found.priority, found.max_tokens) == ("x", 3, 5)


def test_two_spellings_in_one_call_are_refused(refused: Callable[..., str]) -> None:
    """`%config` with both spellings leaves open which is meant, also of a key."""
    both = {"llm.providers.lm-studio.model": "x", "llm.providers.lm_studio.priority": 2}
    assert refused(overrides=both) == (
        "conflict: 'llm.providers.lm_studio' is set twice, as 'lm-studio' and as 'lm_studio'. Keep "
        "'lm_studio'."
    )
    assert refused(overrides={"llm.timeout": 1, "llm.timeout_ms": 2}).startswith(
        "conflict: 'llm.timeout_ms' is set twice, as 'timeout' and as 'timeout_ms'."
    )


def test_a_provider_is_set_under_the_spelling_of_its_file(place: Place) -> None:
    """`aiex config set` adds to the table that is there and not a second one."""
    place.user.write_text("[llm.providers.LM-Studio]\nmodel = 'x'\n")
    set_value("llm.providers.lm-studio.priority", "2", environ=place.environ())
    assert place.user.read_text() == "[llm.providers.LM-Studio]\nmodel = 'x'\npriority = 2\n"


@pytest.mark.parametrize("name", ["gpt/4", "a.b", "two words", "", "open\\nai", "a:b"])
def test_a_name_that_is_none_is_refused(
    place: Place, refused: Callable[..., str], name: str
) -> None:
    """A slash would end the name in `llm.tasks`, a dot in a key."""
    place.user.write_text(f'[llm.providers."{name}"]\nkind = "openai"\n')
    told = refused()
    assert told.startswith("bad_value: '")
    assert told.endswith("is no name for a provider. Choose a name of letters, digits, - and _.")


def test_none_is_no_name(place: Place, refused: Callable[..., str]) -> None:
    """`none` is the wish for no model; an instance of that name could never be asked."""
    place.user.write_text("[llm.providers.None]\nkind = 'openai'\n")
    assert refused().startswith("bad_value: 'None' in 'llm.providers' in ")
    told = refused(overrides={"llm.providers.none.model": "x"})
    assert "stands for no provider" in told


@pytest.mark.parametrize("written", ["'high'", "0", "-1", "1.5", "true", "[]", "inf", "1_000_001"])
def test_a_priority_that_is_no_number_is_refused(
    place: Place, refused: Callable[..., str], written: str
) -> None:
    """Whole numbers from 1; the message has the value and an example."""
    place.user.write_text(f"[llm.providers.openai]\npriority = {written}\n")
    told = refused()
    assert told.startswith(
        "bad_value: 'llm.providers.openai.priority' in 'home/.config/aiex/config.toml' is "
    )
    assert "must be a whole number" in told or "must be between 1 and 1000000" in told
    assert told.endswith("Give a whole number, like 100.")


@pytest.mark.parametrize("value", ["high", 0, 1.5, True, "1.5"])
def test_a_priority_of_a_call_is_checked_too(refused: Callable[..., str], value: object) -> None:
    """`%config` and `aiex config set` have the same rule."""
    told = refused(overrides={"llm.providers.openai.priority": value})
    assert told.startswith("bad_value: 'llm.providers.openai.priority' is ")


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://", "an address with a host"),
        ("http:///v1", "an address with a host"),
        (":8000", "an address with a host"),
        ("http://:8000/v1", "an address with a host"),
        ("/v1", "an address with a host"),
        ("http://h:99999", "an address with a port from 1 to 65535"),
        ("http://h:0", "an address with a port from 1 to 65535"),
        ("http://h:port/v1", "an address with a port from 1 to 65535"),
        ("h:-1", "an address with a port from 1 to 65535"),
        ("ftp://h", "an http or https address"),
        ("file:///etc/passwd", "an http or https address"),
        ("ws://h:1", "an http or https address"),
        ("http:/localhost:8000", "an http or https address"),
        ("http:localhost", "an http or https address"),
        ("https//host", "an http or https address"),
        ("http:localhost:8000", "an http or https address"),
        ("http://http://h", "an http or https address"),
        ("http://[::1", "an http or https address"),
        ("h h", "an address without blanks and control characters"),
        ("http://h\\u0007/v1", "an address without blanks and control characters"),
        ("http://h\\n/v1", "an address without blanks and control characters"),
        ("http://h/?x=1", "an address without '?' and '#'"),
        ("http://..", "an address with a host that can be looked up"),
        ("http://a..b", "an address with a host that can be looked up"),
        ("http://*:80", "an address with a host that can be looked up"),
        (f"http://{'a' * 64}.b", "an address with a host that can be looked up"),
    ],
)
def test_an_address_tells_what_it_lacks(
    place: Place, refused: Callable[..., str], url: str, wanted: str
) -> None:
    """In a file and in the vendor's variable alike, before a connection is tried."""
    place.user.write_text(f'[llm.providers.openai]\nbase_url = "{url}"\n')
    told = refused()
    assert told.startswith("bad_value: 'llm.providers.openai.base_url' in ")
    assert f"but must be {wanted}. Give an address like" in told
    place.user.unlink()
    variable = {"OPENAI_BASE_URL": url.encode().decode("unicode_escape")}
    assert f"must be {wanted}." in refused(variables=variable)


@pytest.mark.parametrize(
    "url", ["https://xn--bcher-kva.example/v1", "http://bücher.example", "http://my_host:1", "h."]
)
def test_an_unusual_host_is_let_through(place: Place, url: str) -> None:
    """Hosts of Docker with `_`, of other scripts, and with the closing dot."""
    assert place.load({"OPENAI_BASE_URL": url}).settings.llm.providers["openai"].base_url


@pytest.mark.parametrize(
    "key", ["sk-secret\nsk-more", "sk-secret\r", "sk-\x07secret", "'sk-secret'", '"sk-secret"']
)
def test_a_key_that_cannot_be_sent_is_told_at_loading(
    place: Place, refused: Callable[..., str], key: str
) -> None:
    """Variable or file and key are named, the key itself never is."""
    inner = key.replace("\r", "\rx")  # at the end it is cut off
    told = refused(variables={"ANTHROPIC_API_KEY": inner})
    assert told.startswith("bad_value: 'ANTHROPIC_API_KEY' must be ")
    assert "secret" not in told
    text = inner.encode("unicode_escape").decode().replace('"', '\\"').replace("\\x", "\\u00")
    place.user.write_text(f'[llm.providers.openai]\napi_key = "{text}"\n')
    told = refused()
    assert told.startswith("bad_value: 'llm.providers.openai.api_key' in 'home/.config/aiex/")
    assert "secret" not in told


@pytest.mark.parametrize("ending", ["\n", "\r\n", " ", "\t\n"])
def test_a_line_end_after_a_key_is_cut(place: Place, ending: str) -> None:
    """What `$(cat file)` and editors leave behind is no part of a key, from wherever it comes."""
    text = f"{KEY}{ending}".encode("unicode_escape").decode()
    place.user.write_text(
        f'[llm.providers.openai]\napi_key = "{text}"\n'
        "[llm.providers.openai_other]\napi_key_env = 'MY_KEY'\n"
    )
    variables = {"MY_KEY": f"{KEY}{ending}", "ANTHROPIC_API_KEY": f"{KEY}{ending}"}
    providers = place.load(variables).settings.llm.providers
    for name in ("openai", "openai_other", "anthropic"):
        key = providers[name].api_key
        assert key is not None
        assert key.reveal() == KEY


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("gpt\\u0007", "a name without control characters"),
        ("gpt\\n6", "a name without control characters"),
        ("gpt\\u202e6", "a name without control characters"),
        ("gpt\\u001b[31m", "a name without control characters"),
        ("x" * 1001, "a name of at most 1000 characters"),
        ("", "a text that is not empty"),
        (" ", "a text that is not empty"),
    ],
)
def test_a_model_name_that_none_has_is_told_at_loading(
    place: Place, refused: Callable[..., str], model: str, wanted: str
) -> None:
    """Control characters, invisible ones, nothing at all, or a whole text."""
    place.user.write_text(f'[llm.providers.openai]\nmodel = "{model}"\n')
    told = refused()
    assert told.startswith("bad_value: 'llm.providers.openai.model' in ")
    assert f"must be {wanted}." in told
    assert told.isprintable()


@pytest.mark.parametrize(
    "model", ["hf.co/bartowski/Qwen2.5:Q4_K_M", "publisher/some model", "/models/a b.gguf", "模型"]
)
def test_slashes_colons_and_blanks_are_names(place: Place, model: str) -> None:
    """Ollama, LM Studio and vLLM name models so."""
    place.user.write_text(f"[llm.providers.openai]\nmodel = '{model}'\n")
    assert place.load().settings.llm.providers["openai"].model == model


def house(name: str, more: str) -> str:
    """The table of an instance."""
    return f"[llm.providers.{name}]\nkind = 'openai'\n{more}\n"


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        (
            house("a", "fallbacks = ['a']"),
            "conflict: 'llm.providers.a.fallbacks' in FILE leads back to 'a': a → a. Take 'a' out",
        ),
        (
            house("big-one", "fallbacks = 'Big_One'"),
            "conflict: 'llm.providers.big_one.fallbacks' in FILE leads back to 'big_one': "
            "big_one → big_one.",
        ),
        (
            house("a", "fallbacks = ['ollama', 'b']") + house("b", "fallbacks = ['c']")
            + house("c", "fallbacks = ['embedded', 'a']"),
            "conflict: 'llm.providers.a.fallbacks' in FILE leads back to 'a': a → b → c → a. Take "
            "'b' out of it.",
        ),
        (
            house("a", "fallbacks = ['b']") + house("b", "fallbacks = ['b']"),
            "conflict: 'llm.providers.b.fallbacks' in FILE leads back to 'b': b → b.",
        ),
        (
            house("a", "fallbacks = ['olama']"),
            "bad_value: 'llm.providers.a.fallbacks' in FILE is 'olama', which is no provider. Did "
            "you mean 'ollama'?",
        ),
        (
            house("a", "fallbacks = ['none']"),
            "bad_value: 'llm.providers.a.fallbacks' in FILE is 'none', which is no provider.",
        ),
        (
            house("a", "fallbacks = 3"),
            "bad_value: 'llm.providers.a.fallbacks' in FILE is 3, but must be a list of texts.",
        ),
        (
            house("a", "fallbacks = [3]"),
            "bad_value: 'llm.providers.a.fallbacks' in FILE is 3, but must be a list of texts.",
        ),
        (
            "[llm]\ndefault_provider = 'lm-studio'\nfallback_provider = 'LM_Studio'",
            "bad_value: 'llm.fallback_provider' in FILE is 'lm_studio', which is the default prov",
        ),
        (
            "[llm]\nfallback_provider = 'opnai'",
            "bad_value: 'llm.fallback_provider' in FILE is 'opnai', which is no provider. Did you",
        ),
        (
            "[llm.tasks]\ncomplet = 'openai'",
            "unknown_key: 'llm.tasks.complet' in FILE is not a setting. Did you mean 'complete'?",
        ),
        (
            "[llm.tasks]\ncomplete = 'opnai/gpt-6-luna'",
            "bad_value: 'llm.tasks.complete' in FILE is 'opnai', which is no provider. Did you",
        ),
        (
            "[llm.tasks]\ncomplete = 'none/gpt-6-luna'",
            "bad_value: 'llm.tasks.complete' in FILE is 'none', which is no provider.",
        ),
        (
            "[llm.tasks]\ncomplete = 'openai/'",
            "bad_value: 'llm.tasks.complete' in FILE is 'openai/', but must be a provider, a slash "
            "and a name that is not empty. Write 'provider', 'provider/model' or '/model'.",
        ),
        (
            "[llm.tasks]\ncomplete = '/'",
            "bad_value: 'llm.tasks.complete' in FILE is '/', but must be a provider, a slash and",
        ),
        (
            '[llm.tasks]\ncomplete = "openai/a\\u0007"',
            "bad_value: 'llm.tasks.complete' in FILE is 'openai/a\\x07', but must be a provider, a "
            "slash and a name without control characters.",
        ),
        (
            "[llm.tasks]\ncomplete = ['openai']",
            "bad_value: 'llm.tasks.complete' in FILE is ['openai'], but must be a text.",
        ),
        ("[llm]\ntasks = 'openai'", "bad_value: 'llm.tasks' in FILE is 'openai', but must be a ta"),
    ],
)  # fmt: skip
def test_a_name_that_leads_nowhere_is_told(
    place: Place, refused: Callable[..., str], toml: str, told: str
) -> None:
    """Fallbacks and tasks are followed when the settings are loaded, not when somebody fails."""
    place.user.write_text(toml)
    assert refused().startswith(told.replace("FILE", "'home/.config/aiex/config.toml'"))


def test_a_way_back_over_two_files_is_told(place: Place, refused: Callable[..., str]) -> None:
    """Each file alone is right; the error names the one whose key begins the way."""
    place.user.write_text(house("a", "fallbacks = ['b']") + house("b", ""))
    assert place.load().settings.llm.providers["a"].fallbacks == ("b",)
    place.aiex.write_text("[llm.providers.b]\nfallbacks = ['a']\n")
    assert refused().startswith(
        "conflict: 'llm.providers.a.fallbacks' in 'home/.config/aiex/config.toml' leads back to"
    )


def test_two_ways_to_one_fallback_are_no_circle(place: Place) -> None:
    """A last resort may be named by many, and twice by one."""
    place.user.write_text(
        house("a", "fallbacks = ['b', 'last', 'last']") + house("b", "fallbacks = ['last']")
        + house("last", "")
    )  # fmt: skip
    providers = place.load().settings.llm.providers
    assert providers["a"].fallbacks == ("b", "last")


def test_a_default_for_one_command_leaves_the_fallback(place: Place) -> None:
    """A variable that makes the file's fallback the default is no contradiction of the file; and
    `none` in a variable takes the file's fallback away."""
    place.user.write_text("[llm]\ndefault_provider = 'openai'\nfallback_provider = 'ollama'\n")
    llm = place.load({"AIEX_DEFAULT_PROVIDER": "ollama"}).settings.llm
    assert (llm.default_provider, llm.fallback_provider) == ("ollama", "ollama")
    assert place.load({"AIEX_FALLBACK_PROVIDER": "none"}).settings.llm.fallback_provider == "none"


def test_a_task_is_written_and_read_back(place: Place) -> None:
    """`aiex config set` knows the tasks, and fallbacks from a list with commas."""
    set_value("llm.tasks.complete", "ollama/qwen2.5-coder:1.5b", environ=place.environ())
    set_value("llm.providers.openai.fallbacks", "anthropic, ollama", environ=place.environ())
    loaded = place.load()
    assert loaded.settings.llm.tasks == {"complete": "ollama/qwen2.5-coder:1.5b"}
    assert loaded.values["llm.tasks.complete"] == "ollama/qwen2.5-coder:1.5b"
    assert loaded.settings.llm.providers["openai"].fallbacks == ("anthropic", "ollama")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("llm.max_retries", -1),
        ("llm.max_retries", "many"),
        ("llm.backoff_factor", 0),
        ("llm.backoff_factor", 1.5),
        ("llm.retry_budget_ms", -1),
        ("llm.circuit_breaker.failure_threshold", 0),
        ("llm.circuit_breaker.recovery_time_ms", 0),
        ("llm.prefer_local", "perhaps"),
    ],
)
def test_a_number_out_of_its_bounds_is_told(
    refused: Callable[..., str], key: str, value: object
) -> None:
    """A breaker that opens after no fault, or a pause that shrinks, means nothing."""
    assert refused(overrides={key: value}).startswith(f"bad_value: {key!r} is {value!r}, but must")


BAD = {
    "a key with blanks": '[llm.providers.bad]\nkind = "openai"\napi_key = "bad key with blanks"\n',
    "no host": '[llm.providers.bad]\nkind = "openai_compatible"\nbase_url = "http://"\n',
    "no kind": '[llm.providers.bad]\nmodel = "m"\n',
    "itself": '[llm.providers.bad]\nkind = "openai"\napi_key_env = "K"\nfallbacks = ["bad"]\n',
    "no number": '[llm.providers.bad]\nkind = "openai"\napi_key_env = "K"\npriority = "x"\n',
}


@pytest.mark.parametrize("toml", BAD.values(), ids=BAD)
def test_one_bad_provider_harms_no_other(place: Place, toml: str) -> None:
    """The others are as they were and are asked; who names the bad one is told, and nobody goes
    on from it to a provider further away."""
    good = '[llm.providers.good]\nkind = "scripted"\nanswers = ["Yes."]\n'
    place.user.write_text(good + toml)
    settings = place.load({"K": KEY}).settings
    assert settings.llm.providers["bad"].fault is not None
    assert settings.llm.providers["bad"].base_url is None
    engine = Engine(settings)
    try:
        assert engine.run_sync(AskRequest(query="hi", provider="good")).text == "Yes."
        with pytest.raises(ConfigError) as told:
            engine.run_sync(AskRequest(query="hi", provider="bad"))
        assert told.value.message == settings.llm.providers["bad"].fault.message
        (row,) = engine.call(check_health(engine.models, ["bad"]))
        assert (row.ok, row.error) == (False, told.value.message)
        assert {each.name: each.error for each in describe(engine.models)}["good"] == ""
    finally:
        engine.close()


def test_a_bad_variable_harms_only_its_provider(place: Place) -> None:
    """A key in the environment that no header can carry leaves the other vendor's as it is."""
    loaded = place.load({"OPENAI_API_KEY": "two words", "ANTHROPIC_API_KEY": KEY})
    providers = loaded.settings.llm.providers
    assert providers["openai"].fault is not None and providers["openai"].api_key is None
    assert providers["anthropic"].fault is None and providers["anthropic"].api_key is not None


def test_a_bad_provider_is_mended_by_a_command(place: Place) -> None:
    """`aiex config set` works while a provider is wrong, on it and on others, and refuses to make
    one wrong."""
    place.user.write_text(BAD["no host"])
    set_value("llm.max_retries", "1", environ=place.environ())
    set_value("llm.providers.bad.model", "m", environ=place.environ())
    set_value("llm.providers.bad.base_url", "http://h/v1", environ=place.environ())
    assert place.load().settings.llm.providers["bad"].fault is None
    with pytest.raises(ConfigError, match="means nothing"):
        set_value("llm.providers.bad.answers", "x", environ=place.environ())


@pytest.mark.parametrize("amount", [-5, "many"])
def test_no_hint_names_what_is_refused(refused: Callable[..., str], amount: object) -> None:
    """A budget of 0 would refuse all calls, so it is no example of a budget."""
    told = refused(overrides={"llm.budget.tokens": amount})
    assert told.endswith("of tokens, like 100000.")
    assert "between 0 and" not in told


def test_a_command_does_not_close_a_circle(place: Place) -> None:
    """The fault may stand at another provider than the one that is set."""
    place.user.write_text(
        "[llm.providers.a]\nkind = 'openai'\nfallbacks = ['b']\n"
        "[llm.providers.b]\nkind = 'openai'\n"
    )
    with pytest.raises(ConfigError, match="leads back to 'a'"):
        set_value("llm.providers.b.fallbacks", "a", environ=place.environ())
