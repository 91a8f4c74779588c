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


def test_a_wrong_target_is_one_line(run: Run) -> None:
    """No traceback of ours."""
    assert "'len' has no Python source" in run.fails("ai_test_suggest(len)")
