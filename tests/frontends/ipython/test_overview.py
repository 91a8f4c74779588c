"""`ai_status`, `ai_help`, `H` and the names that hide nothing."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from aiex_ipy.frontends.ipython.helpers import HELPERS, add_helpers, ai_status


def test_the_status_tells_the_session(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`ai_status()` tells who is asked and what failed last; it is not shown twice."""
    shell.run_cell("1/0", store_history=True)
    capsys.readouterr()
    shell.run_cell("ai_status()", store_history=True)
    shown = capsys.readouterr().out
    assert "openai" in shown and "1 failed" in shown and "ZeroDivisionError" in shown
    assert shown.count("\nlocal model") == 1


def test_help_names_every_helper(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`ai_help()` shows each helper with its head, and the magic's verbs."""
    shell.run_cell("ai_help()")
    shown = capsys.readouterr().out
    for name in HELPERS:
        assert f"{name}(" in shown or f"\n{name}\n" in shown
    assert "%aiex" in shown


def test_shortcuts_are_the_helpers(shell: Any) -> None:
    """`H.debug` is `ai_debug`, and what is not built is not there."""
    short = shell.user_ns["H"]
    assert short.debug is HELPERS["ai_debug"] and short.ai is HELPERS["ai"]
    assert not hasattr(short, "shell")


def test_plain_names_hide_nothing(
    shell: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`status` is there unless the user has one; `help` stays Python's own. Nothing is said."""
    assert shell.user_ns["status"] is ai_status
    assert "help" not in shell.user_ns
    names: dict[str, Any] = {"status": 404}
    assert "status" not in add_helpers(names)
    assert names["status"] == 404
    monkeypatch.delattr(builtins, "help")
    assert "help" in add_helpers(names)
    assert capsys.readouterr().out == ""


def test_unloading_takes_the_plain_names_away(shell: Any) -> None:
    """`%unload_ext aiex` leaves neither `status` nor `H`."""
    shell.run_line_magic("unload_ext", "aiex")
    assert not {"status", "H", "ai_status"} & set(shell.user_ns)
    shell.run_line_magic("load_ext", "aiex")


def test_help_on_one_helper(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`ai_help("debug")` and `%aiex debug --help` tell the docstring and the verb's options."""
    capsys.readouterr()
    for cell in ('ai_help("debug")', 'ai_help("ai_debug")', "%aiex debug --help"):
        assert shell.run_cell(cell).success
        said = capsys.readouterr().out
        assert "Without `target` the last failure." in said
        assert "%aiex debug [OPTION" in said
        assert "--replace" in said
    shell.run_cell('ai_help("debog")')
    assert "Did you mean 'debug'" in capsys.readouterr().out.replace("ai_debug", "debug")
