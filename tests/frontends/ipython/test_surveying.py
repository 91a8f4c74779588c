"""`ai_test_suggest()` and `ai_project()` in a shell: shown once, returned, kept."""

from __future__ import annotations

from typing import Any

import pytest

from aiex_ipy.testing.loopback import LoopbackServer

from .test_magics import Capture, Run


@pytest.fixture
def run(shell: Any, capsys: Capture, server: LoopbackServer, monkeypatch: Any) -> Run:
    monkeypatch.setenv("AIEX_DEFAULT_PROVIDER", "none")
    return Run(shell, capsys, server)


def test_tests_for_a_function_of_a_cell_are_suggested(run: Run) -> None:
    """From its own source, under the cell's name; shown once, and `_aiex` then."""
    run("def half(n):\n    return 1 / n")
    result = run("ai_test_suggest(half)").result
    assert run.out.count("line 2: `n` is 0") == 1
    assert "tests for function half in In[1]" in run.out
    assert run("_aiex is Out[2]").result is True
    assert result.suggestions[0].kind == "division"


def test_the_magics_do_the_same(run: Run, tmp_path: Any) -> None:
    """On a name of the session, a cell, a dotted name, a file, a directory."""
    run("def half(n):\n    return 1 / n")
    for line in (
        "%aiex test_suggest half",
        "%aiex test-suggest half",
        "%%aiex test_suggest\ndef half(n):\n    return 1 / n",
    ):
        run(line)
        assert "line 2: `n` is 0" in run.out, line
    run("%aiex test_suggest statistics.quantiles --into found")
    assert run("found.symbol").result == "quantiles"
    (tmp_path / "a.py").write_text("def f(n):\n    return 1 / n\n")
    run(f"%aiex test_suggest --file {tmp_path / 'a.py'} --symbol f")
    assert "line 2: `n` is 0" in run.out
    run(f"%aiex project {tmp_path} --focus tests --into found")
    assert run("found.focus, found.size.files").result == ("tests", 1)
    assert "takes no cell" in run.fails("%%aiex project\nx = 1")
    assert "two things to test" in run.fails("%%aiex test_suggest f\nx = 1")


def test_a_wrong_target_is_one_line(run: Run) -> None:
    """No traceback of ours."""
    assert "'len' has no Python source" in run.fails("ai_test_suggest(len)")


def test_a_project_is_shown_once_and_kept(run: Run, tmp_path: Any, monkeypatch: Any) -> None:
    """As the last value of a cell it is not shown again."""
    (tmp_path / "a.py").write_text("import b\n")
    (tmp_path / "b.py").write_text("x = 1\n")
    result = run(f"ai_project('architecture', path={str(tmp_path)!r})").result
    assert run.out.count("1 import between 2 modules") == 1
    assert run("_aiex is Out[1]").result is True
    assert result.focus == "architecture"


def test_an_unknown_focus_is_one_line(run: Run) -> None:
    """With the word that was meant."""
    assert "'security'" in run.fails("ai_project('securty')")


@pytest.mark.slow
def test_a_notebook_gets_the_picture(kernel: Any, tmp_path: Any) -> None:
    """In one bundle with the text, so that a saved notebook shows it without a kernel."""
    (tmp_path / "a.py").write_text("import b\n")
    (tmp_path / "b.py").write_text("x = 1\n")
    ran = kernel.run(f"x = ai_project(path={str(tmp_path)!r}, provider='none')")
    (shown,) = [m["content"]["data"] for m in ran.messages if m["msg_type"] == "display_data"]
    assert 'alt="Import graph of 2 modules' in shown["text/html"]
    assert "data:image/svg+xml;base64," in shown["text/html"]
    assert "<script" not in shown["text/html"]
    assert shown["text/plain"] and shown["text/markdown"]
