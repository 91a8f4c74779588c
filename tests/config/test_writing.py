"""`aiex config set`: what is written, and what is not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from aiex_ipy.config import set_value
from aiex_ipy.errors import ConfigError

if TYPE_CHECKING:
    from conftest import Place


def put(place: Place, key: str, value: object, *, project: bool = False, **variables: str) -> str:
    return set_value(
        key,
        value,
        project=project,
        project_dir=str(place.project),
        environ=place.environ(**variables),
    )


def test_a_value_is_written_and_loads(place: Place) -> None:
    """The user's file is made, readable by its user only, and takes effect."""
    place.config.rmdir()
    assert put(place, "llm.timeout", "5000") == str(place.user)
    assert place.user.read_text() == "[llm]\ntimeout_ms = 5000\n"
    assert place.user.stat().st_mode & 0o777 == 0o600
    assert place.load().settings.llm.timeout_ms == 5000


def test_comments_order_and_mode_are_kept(place: Place) -> None:
    """Only the value changes; the rest of the file is as its owner wrote it."""
    place.user.write_text(
        "# mine\n[llm]  # models\ntimeout = 1  # short\n\n[display]\nwidgets=false\n"
    )
    place.user.chmod(0o640)
    put(place, "llm.timeout_ms", 2)
    put(place, "llm.providers.lm-studio.model", "qwen")
    assert place.user.read_text() == (
        "# mine\n[llm]  # models\ntimeout = 2  # short\n\n[llm.providers.lm_studio]\n"
        'model = "qwen"\n[display]\nwidgets=false\n'
    )
    assert place.user.stat().st_mode & 0o777 == 0o640


def test_each_type_of_value_is_written_as_toml(place: Place) -> None:
    """Text from the command line becomes numbers, truth values and lists."""
    put(place, "display.widgets", "off")
    put(place, "sandbox.allowed_extensions", ".py,.md")
    put(place, "log", "INFO")
    put(place, "profiles.prod.llm.default_provider", "ollama")
    text = place.user.read_text()
    for line in (
        "widgets = false",
        'allowed_extensions = [".py", ".md"]',
        'log = "info"',
        '[profiles.prod.llm]\ndefault_provider = "ollama"',
    ):
        assert line in text
    assert place.load(profile="prod").settings.llm.default_provider == "ollama"


def test_the_projects_file_is_the_one_it_has(place: Place) -> None:
    """`--project` writes aiex.toml, or [tool.aiex] where a project keeps its settings there."""
    assert put(place, "log", "info", project=True) == str(place.aiex)
    place.aiex.unlink()
    pyproject = place.project / "pyproject.toml"
    pyproject.write_text("[project]\nname = 'x'\n\n[tool.aiex]\nlog = 'info'\n")
    assert put(place, "log", "error", project=True) == str(pyproject)
    assert pyproject.read_text() == "[project]\nname = 'x'\n\n[tool.aiex]\nlog = \"error\"\n"


def test_a_link_to_the_file_stays_a_link(place: Place) -> None:
    """Settings kept in a directory of dotfiles are changed there."""
    real = place.home / "dotfiles.toml"
    real.write_text("log = 'info'\n")
    place.user.symlink_to(real)
    put(place, "log", "error")
    assert place.user.is_symlink()
    assert real.read_text() == 'log = "error"\n'


@pytest.mark.parametrize(
    ("key", "value", "code", "told"),
    [
        ("llm.timeot", "1", "unknown_key", "'llm.timeot' is not a setting. Did you mean 'timeout"),
        ("llm", "1", "unknown_key", "'llm' is not a setting."),
        ("", "1", "unknown_key", "'' is not a setting."),
        ("llm.timeout_ms", "soon", "bad_value", "'llm.timeout_ms' is 'soon', but must be a whole"),
        (
            "tui.port",
            "9487",
            "not_built",
            "'tui.port' is a setting of the terminal interface, which",
        ),
        ("env", "prod", "bad_value", "'env' cannot be set in a file. Set AIEX_ENV in the environ"),
        ("llm.default_provider", "opnai", "bad_value", "is 'opnai', which is no provider."),
        ("llm.providers.x.model", "m", "bad_value", "The provider 'x' in "),
        ("llm.providers.openai.api_key", "sk-12345678", "secret", "is a credential and is not wri"),
        ("profiles.staging.log", "info", "unknown_key", "is no profile. Use one of: dev, prod, t"),
        ("profiles.dev", "info", "unknown_key", "'profiles.dev' is not a setting."),
        (
            "sandbox.allowed_extensions",
            "py",
            "bad_value",
            "is 'py', but must be suffixes with th",
        ),
    ],
)
def test_what_would_not_load_is_not_written(
    place: Place, key: str, value: str, code: str, told: str
) -> None:
    """An error leaves the file as it was."""
    place.user.write_text("log = 'info'\n")
    with pytest.raises(ConfigError) as caught:
        put(place, key, value)
    assert caught.value.code == code
    assert told in str(caught.value)
    assert "12345678" not in str(caught.value)
    assert place.user.read_text() == "log = 'info'\n"
    assert os.listdir(place.config) == ["config.toml"]


def test_a_project_is_not_given_an_address_its_users_key_would_go_to(place: Place) -> None:
    """What loading would refuse afterwards is refused at once."""
    with pytest.raises(ConfigError) as caught:
        put(
            place,
            "llm.providers.openai.base_url",
            "https://x.example",
            project=True,
            OPENAI_API_KEY="sk-12345678",
        )
    assert caught.value.code == "untrusted"
    assert not place.aiex.exists()


def test_a_wrong_variable_does_not_keep_a_file_unmended(place: Place) -> None:
    """The file can be set while the environment holds something that is refused."""
    put(place, "log", "info", AIEX_LLM_TIMEOUT="soon")
    assert place.user.read_text() == 'log = "info"\n'


def test_a_broken_file_is_told_and_kept(place: Place) -> None:
    """A syntax error is told with its place, and nothing is written over it."""
    place.user.write_text("[llm\n")
    with pytest.raises(ConfigError, match="line 1, column 5"):
        put(place, "log", "info")
    assert place.user.read_text() == "[llm\n"


def test_a_home_that_cannot_be_written_is_told(place: Place) -> None:
    """A file where the directory should be, a read-only home: one line with what to do."""
    place.config.rmdir()
    place.config.write_text("")
    with pytest.raises(ConfigError) as caught:
        put(place, "log", "info")
    assert caught.value.code == "unwritable"
    assert "cannot be written: " in str(caught.value)


def test_a_value_in_the_place_of_a_table_is_told(place: Place) -> None:
    """What is in the way is named with its file."""
    place.user.write_text("llm = 3\n")
    with pytest.raises(ConfigError) as caught:
        put(place, "llm.timeout_ms", 5)
    assert str(caught.value) == (
        f"'llm' in {str(place.user)!r} is 3, but must be a table. Correct the file first."
    )


def test_a_full_disk_leaves_the_old_file(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new text takes the place of the old only when it is whole; nothing else is left."""
    place.user.write_text("log = 'info'\n")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
        put(place, "log", "error")
    assert place.user.read_text() == "log = 'info'\n"
    assert os.listdir(place.config) == ["config.toml"]
