"""`aiex llm usage`: what a process of its own can tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aiex_ipy.engine import makers
from aiex_ipy.frontends.cli import main, run


def test_a_new_process_says_where_the_totals_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command has asked nothing itself, which is not to be read as nothing having been used."""
    for name in ("HOME", "XDG_CONFIG_HOME", "AIEX_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(makers, "MAKERS", [])
    monkeypatch.setattr(run, "MAKERS", [])
    assert main(["llm", "usage"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("This process asked no model: each command is a process of its own.")
    assert "`%aiex llm usage`" in said
    assert main(["llm", "usage", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["all"]["calls"] == 0
