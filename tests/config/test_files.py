"""Where settings files are found and what is said of files that cannot be used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from aiex_ipy.config import paths
from aiex_ipy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Place


def test_the_users_files_follow_xdg(place: Place, tmp_path: Path) -> None:
    """XDG_CONFIG_HOME moves them when it is absolute; a relative one is ignored."""
    assert paths(environ=place.environ()).user == str(place.user)
    moved = paths(environ=place.environ(XDG_CONFIG_HOME=str(tmp_path / "x")))
    assert moved.user == str(tmp_path / "x" / "aiex" / "config.toml")
    assert moved.team == str(tmp_path / "x" / "aiex" / "team.toml")
    assert paths(environ=place.environ(XDG_CONFIG_HOME="x")).user == str(place.user)


def test_the_project_is_found_from_a_directory_in_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nearest directory above with a settings file is the project, also past a nearer
    project marker."""
    inner = place.project / "package" / "src"
    inner.mkdir(parents=True)
    (place.project / "package" / "setup.py").write_text("")
    monkeypatch.chdir(inner)
    found = paths(environ=place.environ())
    assert (found.project_dir, found.project) == (str(place.project / "package"), None)
    place.aiex.write_text("")
    found = paths(environ=place.environ())
    assert (found.project_dir, found.project) == (str(place.project), str(place.aiex))


def test_without_any_marker_the_working_directory_is_the_project(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loose directory of scripts is its own project."""
    monkeypatch.chdir(place.project)
    assert paths(environ=place.environ()).project_dir == str(place.project)


def test_a_table_in_pyproject_is_the_projects_file(place: Place) -> None:
    """`[tool.aiex]` in pyproject.toml holds settings like aiex.toml does."""
    file = place.project / "pyproject.toml"
    file.write_text("[project]\nname = 'aiex-user'\ndependencies = ['aiex']\n[tool.x]\n")
    assert place.load().paths.project is None
    file.write_text("[project]\nname = 'x'\n[tool.aiex.llm]\ntimeout = 5\n")
    loaded = place.load()
    assert loaded.settings.llm.timeout_ms == 5
    assert str(loaded.origins["llm.timeout_ms"]) == f"project ({file})"


@pytest.mark.parametrize(
    "written",
    [
        "[tool.aiex]\nlog = 'info'",
        "[ tool . 'aiex' ]\nlog = 'info'",
        '["tool"."aiex"]\nlog = "info"',
        "tool.aiex.log = 'info'",
        "[tool]\naiex.log = 'info'",
        "tool = {aiex = {log = 'info'}}",
        "[project]\nname = 'x'\n[tool]\nother = 1\naiex = {log = 'info'}",
    ],
)
def test_the_table_is_found_in_every_form_of_toml(place: Place, written: str) -> None:
    """The file is parsed only when it may hold the table; no form of the table is missed."""
    (place.project / "pyproject.toml").write_text(written)
    assert place.load().settings.log == "info"


def test_settings_in_both_project_files_are_an_error(
    place: Place, refused: Callable[..., str]
) -> None:
    """Neither aiex.toml nor [tool.aiex] is silently ignored."""
    place.aiex.write_text("")
    (place.project / "pyproject.toml").write_text("[tool.aiex]\n")
    assert refused() == (
        "conflict: Both 'project/aiex.toml' and [tool.aiex] in 'project/pyproject.toml' hold "
        "settings. Keep one of the two."
    )


def test_somebody_elses_broken_pyproject_is_passed_over(
    place: Place, refused: Callable[..., str]
) -> None:
    """A syntax error in pyproject.toml is told only where it hides settings of aiex."""
    file = place.project / "pyproject.toml"
    file.write_text("[tool.other\naiex\n[tool]\n")
    assert place.load().paths.project is None
    file.write_text("[tool.aiex]\nlog = \n")
    assert refused() == (
        "bad_toml: 'project/pyproject.toml', line 2, column 7: Invalid value. "
        "Correct the TOML there."
    )
    file.write_text("[tool]\naiex = 3\n")
    assert refused().startswith("bad_value: 'tool.aiex' in 'project/pyproject.toml' is 3, but must")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"log = 'info'\nllm = [1,\n", "bad_toml: 'project/aiex.toml', line 3, column 1: "),
        (b"log = 'a'\nlog = 'b'\n", "bad_toml: 'project/aiex.toml', line 2, column 10: Cannot"),
        (b"# \xff\n", "bad_encoding: 'project/aiex.toml', line 1: byte 0xff is no UTF-8. Save"),
        (b"x = 1\n" * 200_000, "unreadable: The settings file 'project/aiex.toml' is larger"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_its_place(
    place: Place, refused: Callable[..., str], content: bytes, told: str
) -> None:
    """A syntax error names file, line and column."""
    place.aiex.write_bytes(content)
    assert refused().startswith(told)


def test_a_byte_order_mark_is_no_error(place: Place) -> None:
    """Editors on Windows write one."""
    place.aiex.write_bytes(b"\xef\xbb\xbflog = 'info'\r\n")
    assert place.load().settings.log == "info"


def test_a_directory_or_pipe_in_the_place_of_a_file_is_told(
    place: Place, refused: Callable[..., str]
) -> None:
    """What is no file is named and not waited for."""
    place.user.mkdir()
    assert refused().startswith(
        "unreadable: The settings file 'home/.config/aiex/config.toml' is a directory. Make it"
    )
    place.user.rmdir()
    os.mkfifo(place.user)
    assert "is no regular file" in refused()


def test_a_file_that_may_not_be_read_is_told(
    place: Place, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permission denied and a link to nowhere are told, not taken for an absent file."""
    place.user.symlink_to(place.home / "gone.toml")
    assert "config.toml' cannot be read: No such file or directory." in refused()
    place.user.unlink()
    place.user.write_text("")
    place.user.chmod(0)
    if os.geteuid() == 0:  # root may read everything: let the system say what it says to others
        import builtins

        def denied(*args: object, **kwargs: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(builtins, "open", denied)
    assert "config.toml' cannot be read: Permission denied." in refused()


def test_a_home_without_settings_is_fine(tmp_path: Path) -> None:
    """A home that does not exist, as in a container, has no settings and is no error."""
    from aiex_ipy.config import load

    settings = load(project_dir=str(tmp_path), environ={"HOME": str(tmp_path / "gone")})
    assert settings.project_dir == str(tmp_path)


def test_a_project_directory_that_is_none_is_told(place: Place) -> None:
    """AIEX_PROJECT_DIR must name a directory."""
    for name, what in ((str(place.home / "gone"), "does not exist"), (__file__, "is no directory")):
        with pytest.raises(ConfigError, match=f"The project directory {name!r} {what}"):
            paths(environ=place.environ(AIEX_PROJECT_DIR=name))


def test_the_project_directory_may_be_in_the_home(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`~` in AIEX_PROJECT_DIR is the home, as no shell expands it in a service's file."""
    monkeypatch.setenv("HOME", str(place.home))
    found = paths(environ=place.environ(AIEX_PROJECT_DIR="~/.config"))
    assert found.project_dir == str(place.home / ".config")


def test_a_deleted_working_directory_is_told(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell can stand in a directory that is gone."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match="The working directory no longer exists"):
        paths(environ=place.environ())


def test_paths_in_a_file_start_from_the_file(place: Place) -> None:
    """Relative paths mean the same wherever the command is run."""
    place.aiex.write_text("[sandbox]\nallowed_paths = ['data', '/opt']\n")
    place.user.write_text("[llm.embedded]\nmodel = './own.gguf'\n")
    settings = place.load().settings
    assert settings.sandbox.allowed_paths == (str(place.project / "data"), "/opt")
    assert settings.llm.embedded.model == str(place.config / "own.gguf")
    place.user.write_text("[llm.embedded]\nmodel = 'smollm2'\n")
    assert place.load().settings.llm.embedded.model == "smollm2"
