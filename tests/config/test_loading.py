"""The layers of the settings, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.config import keys, load
from aiex_ipy.config.loading import Origin, assemble, canonical_key
from aiex_ipy.config.settings import Secret, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Place


def test_nothing_set_gives_the_defaults(place: Place) -> None:
    """Without files and variables the settings are the documented defaults."""
    loaded = place.load()
    settings = msgspec.structs.replace(
        loaded.settings,
        project_dir=None,
        llm=msgspec.structs.replace(loaded.settings.llm, providers={}),
    )
    assert settings == Settings()
    assert set(map(str, loaded.origins.values())) == {"default", "override"}
    assert loaded.origins["project_dir"] == Origin("override")


def test_each_layer_wins_over_the_one_before(place: Place) -> None:
    """Defaults < team < user < project < profile < environment < overrides."""

    def value() -> tuple[int, str]:
        loaded = place.load(variables, overrides)
        return loaded.settings.llm.timeout_ms, loaded.origins["llm.timeout_ms"].layer

    variables: dict[str, str] = {}
    overrides: dict[str, object] = {}
    assert value() == (30_000, "default")
    place.team.write_text("[llm]\ntimeout_ms = 1\n")
    assert value() == (1, "team")
    place.user.write_text("[llm]\ntimeout_ms = 2\n")
    assert value() == (2, "user")
    place.aiex.write_text("[llm]\ntimeout_ms = 3\n")
    assert value() == (3, "project")
    place.team.write_text("[profiles.dev.llm]\ntimeout_ms = 4\n")
    assert value() == (4, "profile")
    variables["AIEX_LLM_TIMEOUT"] = "5"
    assert value() == (5, "environment")
    overrides["llm.timeout_ms"] = 6
    assert value() == (6, "override")


def test_an_origin_names_file_or_variable(place: Place) -> None:
    """`config show --origin` can tell the very file and variable."""
    place.user.write_text("[llm]\nprobe_keep_ms = 7\n")
    loaded = place.load({"AIEX_LLM_TIMEOUT": "5"})
    assert str(loaded.origins["llm.probe_keep_ms"]) == f"user ({place.user})"
    assert str(loaded.origins["llm.timeout_ms"]) == "environment (AIEX_LLM_TIMEOUT)"
    assert str(loaded.origins["log"]) == "default"


def test_the_profile_is_chosen_by_variable_or_argument(place: Place) -> None:
    """AIEX_ENV picks the profile, an argument wins over it, and dev is the default."""
    place.user.write_text("[profiles]\ndev.log = 'debug'\nprod.log = 'error'\ntest.log = 'info'\n")
    assert place.load().settings.log == "debug"
    prod = place.load({"AIEX_ENV": "prod"})
    assert (prod.settings.env, prod.settings.log) == ("prod", "error")
    test = place.load({"AIEX_ENV": "prod"}, profile="test")
    assert (test.settings.env, test.settings.log) == ("test", "info")
    assert place.load(overrides={"env": "test"}).settings.log == "info"


def test_a_profile_of_a_later_file_wins(place: Place) -> None:
    """Profiles are laid on each other as their files are."""
    place.team.write_text("[profiles.dev]\nlog = 'debug'\n[profiles.dev.llm]\ntimeout_ms = 1\n")
    place.aiex.write_text("[profiles.dev]\nlog = 'error'\n")
    settings = place.load().settings
    assert (settings.log, settings.llm.timeout_ms) == ("error", 1)


def test_the_bare_word_of_a_duration_is_accepted(place: Place) -> None:
    """The guide writes `timeout`; it is `timeout_ms`."""
    place.user.write_text("[llm]\ntimeout = 60_000\n[llm.providers.ollama]\ntimeout = 5\n")
    llm = place.load().settings.llm
    assert (llm.timeout_ms, llm.providers["ollama"].timeout_ms) == (60_000, 5)
    assert place.load(overrides={"llm.timeout": 9}).settings.llm.timeout_ms == 9


def test_both_words_of_a_duration_at_once_are_an_error(
    place: Place, refused: Callable[..., str]
) -> None:
    """`timeout` and `timeout_ms` in one table leave open which is meant."""
    place.user.write_text("[llm]\ntimeout = 1\ntimeout_ms = 1\n")
    assert refused() == (
        "conflict: 'llm.timeout_ms' in 'home/.config/aiex/config.toml' is set twice, as "
        "'timeout' and as 'timeout_ms'. Keep 'timeout_ms'."
    )


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            "[llm]\ntimout = 1",
            "unknown_key: 'llm.timout' in FILE is not a setting. Did you mean 'timeout_ms'?",
        ),
        (
            "llm = 1",
            "bad_value: 'llm' in FILE is 1, but must be a table. Write [llm] on a line of its",
        ),
        ("lmm.timeout = 1", "unknown_key: 'lmm' in FILE is not a setting. Did you mean 'llm'?"),
        (
            "[llm]\ntimeout_ms = '30'",
            "bad_value: 'llm.timeout_ms' in FILE is '30', but must be a whole number. Give a whole "
            "number of milliseconds, like 30000.",
        ),
        (
            "[llm]\ntimeout_ms = 1.5",
            "bad_value: 'llm.timeout_ms' in FILE is 1.5, but must be a whole",
        ),
        (
            "[llm]\ntimeout_ms = true",
            "bad_value: 'llm.timeout_ms' in FILE is True, but must be a wh",
        ),
        (
            "[llm]\ntimeout_ms = 0",
            "bad_value: 'llm.timeout_ms' in FILE is 0, but must be between 1 an",
        ),
        (
            "[llm]\ntimeout_ms = -1",
            "bad_value: 'llm.timeout_ms' in FILE is -1, but must be between",
        ),
        (
            "[display]\nwidgets = 'yes'",
            "bad_value: 'display.widgets' in FILE is 'yes', but must be tr",
        ),
        (
            "log = 'wraning'",
            "bad_value: 'log' in FILE is 'wraning', but must be one of debug, info, w",
        ),
        ("log = 3", "bad_value: 'log' in FILE is 3, but must be a text. Write it in quotes."),
        ("log = ''", "bad_value: 'log' in FILE is '', but must be a text that is not empty."),
        (
            "[sandbox]\nallowed_extensions = 'py'",
            "bad_value: 'sandbox.allowed_extensions' in FILE is 'py', but must be a list of texts.",
        ),
        (
            "[sandbox]\nallowed_extensions = ['py']",
            "bad_value: 'sandbox.allowed_extensions' in FILE is 'py', but must be suffixes with th",
        ),
        (
            "[sandbox]\ndenied_paths = [3]",
            "bad_value: 'sandbox.denied_paths' in FILE is 3, but must be a list of texts. Write",
        ),
        ("[profiles.porduction]", "unknown_key: 'profiles.porduction' in FILE is no profile. "),
        ("profiles = 3", "bad_value: 'profiles' in FILE is 3, but must be a table."),
        ("[profiles]\ndev = 3", "bad_value: 'profiles.dev' in FILE is 3, but must be a table."),
        (
            "[profiles.prod.llm]\ntimout = 3",
            "unknown_key: 'profiles.prod.llm.timout' in FILE is not a setting. Did you mean",
        ),
        ("env = 'prod'", "bad_value: 'env' in FILE cannot be set in a file. Set AIEX_ENV in the"),
        (
            "project_dir = '.'",
            "bad_value: 'project_dir' in FILE cannot be set in a file. Set AIEX_PROJECT_DIR in",
        ),
        (
            "[llm]\ndefault_provider = 'opnai'",
            "bad_value: 'llm.default_provider' in FILE is 'opnai', which is no provider. Did you "
            "mean 'openai'?",
        ),
        (
            "[llm]\nproviders = []",
            "bad_value: 'llm.providers' in FILE is [], but must be a table.",
        ),
        (
            "[llm.providers]\nopenai = 'x'",
            "bad_value: 'llm.providers.openai' in FILE is 'x', but must be a table.",
        ),
        (
            "[llm.providers.openai]\nmodle = 'x'",
            "unknown_key: 'llm.providers.openai.modle' in FILE is not a setting. Did you mean "
            "'model'?",
        ),
        (
            "[llm.providers.lm-studio]\nmodel = 'x'\n[llm.providers.lm_studio]\nmodel = 'y'",
            "conflict: 'llm.providers.lm_studio' in FILE is set twice",
        ),
    ],
)
def test_a_wrong_file_is_told_by_file_key_and_value(
    place: Place, refused: Callable[..., str], written: str, told: str
) -> None:
    """Each error names the file, the key, the value, and what was probably meant."""
    place.aiex.write_text(written)
    assert refused().startswith(told.replace("FILE", "'project/aiex.toml'"))


@pytest.mark.parametrize(
    ("written", "feature"),
    [
        ("cluster_enabled = true", "the cluster"),
        ("[cluster]\nnode_name = 'aiex'", "the cluster"),
        ("[cluster]\nheartbeat_interval = 5_000", "the cluster"),
        ("[llm]\ndistributed_coordination = true", "the cluster"),
        ("[context]\nmax_memory_mb = 200", "the session store"),
        ("[context]\ncompression_enabled = true", "the session store"),
        ("[telemetry]\nenabled = true", "telemetry"),
        ("[audit]\nretention_days = 90", "the audit log"),
        ("[sandbox]\naudit_log_enabled = true", "the audit log"),
        ("[sandbox.run]\nmemory_mb = 512", "the execution sandbox"),
        ("[secrets]\nbackend = 'vault'", "the secret store"),
        ("[logger]\nlevel = 'info'", "logging to files"),
        ("[tui]\nport = 9487", "the terminal interface"),
    ],
)
def test_a_key_whose_feature_is_not_built_is_refused(
    place: Place, refused: Callable[..., str], written: str, feature: str
) -> None:
    """The guide's keys for later features are never read and ignored."""
    place.user.write_text(written)
    told = refused()
    assert told.startswith("not_built: ")
    assert f"is a setting of {feature}, which is not built yet. Remove it." in told


@pytest.mark.parametrize(
    "written",
    [
        "cluster_enabled = false",
        "[context]\ndistributed_sync = false",
        "[audit]\nenabled = false",
        "[telemetry]\nenabled = false",
    ],
)
def test_a_setting_that_asks_for_nothing_is_accepted(place: Place, written: str) -> None:
    """The guide's development file says `cluster_enabled: false`, which is the case."""
    place.user.write_text(written)
    assert place.load().settings.llm.timeout_ms == 30_000


def test_zero_is_not_false(place: Place, refused: Callable[..., str]) -> None:
    """`cluster_enabled = 0` is a value of the wrong type and not taken for `false`."""
    place.user.write_text("cluster_enabled = 0")
    assert refused().startswith("not_built: 'cluster_enabled'")


def test_the_first_problem_is_told_whatever_the_others_are(
    place: Place, refused: Callable[..., str]
) -> None:
    """Of several problems the first in the order of the layers and of the file is told."""
    place.user.write_text("[llm]\nzzz = 1\naaa = 1\n")
    place.aiex.write_text("log = 1\n")
    how = {"variables": {"AIEX_LLM_TIMEOUT": "x"}, "overrides": {"log": "x"}}
    assert "'llm.zzz'" in refused(**how)
    place.user.unlink()
    assert "'log' in 'project/aiex.toml'" in refused(**how)
    place.aiex.unlink()
    assert "'AIEX_LLM_TIMEOUT'" in refused(**how)


def test_an_override_may_be_text_or_typed(place: Place) -> None:
    """`%config` gives typed values, the command line text; None is not set."""
    overrides = {
        "llm.timeout_ms": "5",
        "display.widgets": "off",
        "sandbox.allowed_extensions": [".py"],
        "log": None,
    }
    settings = place.load(overrides=overrides).settings
    assert settings.llm.timeout_ms == 5
    assert settings.display.widgets is False
    assert settings.sandbox.allowed_extensions == (".py",)
    assert settings.log == "warning"


def test_the_project_may_be_an_override(place: Place) -> None:
    """`--project-dir` is found like AIEX_PROJECT_DIR and wins over it."""
    from aiex_ipy.config import load_with_origins

    place.aiex.write_text("log = 'info'\n")
    loaded = load_with_origins(
        environ=place.environ(AIEX_PROJECT_DIR=str(place.home)),
        overrides={"project_dir": str(place.project)},
    )
    assert (loaded.settings.project_dir, loaded.settings.log) == (str(place.project), "info")
    assert loaded.origins["project_dir"] == Origin("override")


def test_a_wrong_override_is_told_without_a_file(place: Place, refused: Callable[..., str]) -> None:
    """A value of a call has no file to name."""
    assert refused(overrides={"llm.timeot_ms": 1}).startswith(
        "unknown_key: 'llm.timeot_ms' is not a setting. Did you mean 'timeout_ms'?"
    )
    assert refused(overrides={"llm.timeout_ms": "1s"}).startswith(
        "bad_value: 'llm.timeout_ms' is '1s', but must be a whole number."
    )
    assert refused(overrides={"cluster.node_name": "a"}).startswith("not_built: ")


def test_values_are_flat_and_complete(place: Place) -> None:
    """`%config Aiex` and `config show` see every key, with secrets that do not show."""
    place.user.write_text("[llm.providers.openai]\napi_key = 'sk-0123456789'\n")
    loaded = place.load()
    plain = [doc.key for doc in keys.KEYS if not doc.key.startswith(keys.PROVIDER_PREFIX)]
    assert [key for key in loaded.values if not key.startswith("llm.providers.")] == plain
    assert loaded.values.keys() == loaded.origins.keys()
    assert loaded.values["llm.providers.openai.api_key"] == Secret("sk-0123456789")
    assert "0123456789" not in repr(loaded)
    assert canonical_key("llm.providers.lm-studio.timeout") == "llm.providers.lm_studio.timeout_ms"


def test_a_file_with_a_key_that_others_can_read_is_warned_of(place: Place) -> None:
    """A key in a file of mode 644 gives a warning with the remedy, in one of mode 600 none."""
    place.user.write_text("[llm.providers.openai]\napi_key = 'sk-0123456789'\n")
    place.user.chmod(0o644)
    (warning,) = place.load().warnings
    assert str(place.user) in warning
    assert "chmod 600" in warning
    assert "0123456789" not in warning
    place.user.chmod(0o600)
    assert place.load().warnings == ()


def test_load_reads_the_environment_of_the_process(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without arguments the process's variables and working directory count."""
    monkeypatch.setenv("HOME", str(place.home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("AIEX_LLM_TIMEOUT", "77")
    monkeypatch.chdir(place.project)
    place.aiex.write_text("[llm]\nprobe_keep_ms = 3\n")
    settings = load()
    assert (settings.llm.timeout_ms, settings.llm.probe_keep_ms) == (77, 3)
    assert settings.project_dir == str(place.project)


_TEXT = st.text("ab-_. é\0🤖", max_size=12)
_TOML = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), _TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(keys.words_in("")), _TEXT), inner, max_size=3),
    ),
    max_leaves=8,
)
_WORDS = st.sampled_from(
    [*keys.words_in(""), *keys.words_in("llm"), *keys.words_in("llm.providers.x"), "openai"]
)


@given(
    st.dictionaries(
        _WORDS, st.one_of(_TOML, st.dictionaries(_WORDS, _TOML, max_size=3)), max_size=3
    )
)
def test_any_document_loads_or_is_refused_in_words(document: dict[str, object]) -> None:
    """Whatever a file holds, the outcome is settings or a ConfigError, never another exception."""
    from aiex_ipy.config.files import ConfigPaths
    from aiex_ipy.errors import ConfigError

    found = ConfigPaths(team="/t", user="/u", project=None, project_dir="/p")
    try:
        loaded = assemble(found, {}, replaced={"/u": document, "/t": {}})
    except ConfigError as error:
        assert error.message
        assert error.hint
    else:
        assert isinstance(loaded.settings, Settings)
