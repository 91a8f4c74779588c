"""`aiex ai project` and `aiex ai test-suggest` at a command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Aiex = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def aiex(tmp_path: Path) -> Aiex:
    """Runs a command in a project of two modules; nobody is asked."""
    (tmp_path / "a.py").write_text("import b\n\n\ndef half(n):\n    return b.x / n\n")
    (tmp_path / "b.py").write_text("x = 1\n")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AIEX_")}
    env = {**kept, "AIEX_DEFAULT_PROVIDER": "none", "HOME": str(tmp_path), "PYTHONUTF8": "1"}

    def run(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "aiex"), "ai", *words]
        return subprocess.run(
            command, cwd=tmp_path, env=env, input=stdin or "", capture_output=True, text=True
        )

    return run


def test_the_project_is_surveyed_in_any_format(aiex: Aiex) -> None:
    """The directory one stands in; JSON as its schema says."""
    shown = aiex("project", "--focus", "architecture")
    assert shown.returncode == 0 and "1 import between 2 modules" in shown.stdout, shown.stderr
    data = json.loads(aiex("project", ".", "--output", "json").stdout)
    assert data["size"]["files"] == 2 and data["schema_version"] == 1
    assert '<img alt="Import graph of 2' in aiex("project", "--output", "html").stdout


def test_tests_are_suggested_for_a_file_a_name_and_stdin(aiex: Aiex) -> None:
    """Each names the line."""
    for words, stdin in (
        (("test-suggest", "a.py"), None),
        (("test-suggest", "a.half"), None),
        (("test-suggest", "--file", "a.py", "--symbol", "half"), None),
    ):
        shown = aiex(*words, stdin=stdin)
        assert "line 5" in shown.stdout and "`n` is 0" in shown.stdout, shown.stderr
    assert "line 2" in aiex("test-suggest", "-", stdin="def f(n):\n    return 1 / n\n").stdout


def test_mistakes_are_told_with_a_remedy(aiex: Aiex) -> None:
    """Exit status 2 and a hint."""
    for words, says in (
        (("project", "a.py"), "is a file"),
        (("project", "--focus", "securty"), "security"),
        (("test-suggest",), "There is nothing to suggest tests for"),
        (("test-suggest", "a.py", "--file", "b.py"), "two things to test"),
    ):
        shown = aiex(*words)
        assert shown.returncode == 2 and says in shown.stderr, shown.stderr
