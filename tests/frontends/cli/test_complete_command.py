"""`aiex ai complete`: code, stdin, a place in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aiex_ipy.frontends.cli.app import program

CODE = "def area(radius):\n    squared = radius ** 2\n    return rad\n\nprint(are)\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIEX_DEFAULT_PROVIDER", "none")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "area.py").write_text(CODE)
    return "area.py"


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(
        program(), ["ai", "complete", "--output", "json", *words], input=stdin
    )


def names(result: Result) -> list[str]:
    assert result.exit_code in (0, None), result.output
    return [each["text"] for each in json.loads(result.stdout)["items"]]


@pytest.mark.slow
def test_code_is_completed(file: str) -> None:
    """A fragment, stdin, a place in a file, code typed at a file's end."""
    assert names(run("import json\njson.dum")) == ["dump", "dumps"]
    assert names(run("-", stdin="import json\njson.dum\n")) == ["dump", "dumps"]
    assert names(run("--file", file, "--line", "3")) == ["radius"]
    assert names(run("--file", file, "--line", "5", "--column", "10")) == ["area"]
    assert names(run("are", "--file", file)) == ["area"]


def test_a_place_outside_the_file_is_refused(file: str) -> None:
    """The error names the file and the place."""
    for place in (("--line", "99"), ("--line", "1", "--column", "77"), ("--line", "x")):
        result = run("--file", file, *place)
        assert "'area.py' has no place at line" in str(result.exception) + result.output
    assert "no file" in str(run("--line", "3", "x").exception)


def test_nothing_to_complete_is_a_usage_error(file: str) -> None:
    """Without code and without a file there is nothing to do."""
    assert run().exit_code == 2


def test_a_jedi_that_is_too_slow_is_told_as_it_is(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command ends: nothing is kept for a next key."""
    from aiex_ipy.frontends.cli import completing

    monkeypatch.setattr(completing, "JEDI_WAIT_S", 1e-9)
    (notice,) = json.loads(run("import json\njson.dum").stdout)["notices"]
    assert "jedi did not answer within 1e-09 s" in notice and "next" not in notice
