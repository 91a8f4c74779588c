"""`aiex.debug` of a wrong value in a plain program, and results as strings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiex_ipy.config.settings import LLMSettings, Settings
from aiex_ipy.engine.debugging import debug_request
from aiex_ipy.engine.engine import Engine
from aiex_ipy.render.results import render


def test_a_report_is_one_line_as_a_string_and_whole_by_render() -> None:
    """`print(report)` names failure and cause; `aiex.render` is public."""
    import aiex

    assert aiex.render is render
    engine = Engine(Settings(llm=LLMSettings(default_provider="none")))
    try:
        report = engine.run_sync(debug_request(engine, ZeroDivisionError("division by zero")))
    finally:
        engine.close()
    assert str(report).startswith("<DebugReport: ZeroDivisionError: division by zero.")
    assert "\n" not in str(report)
    assert aiex.render(report).count("\n") > 3
    assert aiex.render(report, format="json").startswith("{")


PROGRAM = """\
import aiex
prices = [3, 4]
bare = aiex.debug(len(prices) == 3)
told = aiex.debug(len(prices) == 3, expression="len(prices) == 3")
assert 'expression="len(x) == 3"' in aiex.render(bare), aiex.render(bare)
assert told.failure.title == "len(prices) == 3 is False" and told.notices == ()
assert "prices: list, length 2" in aiex.render(told), aiex.render(told)
"""


@pytest.mark.slow
def test_a_value_alone_asks_for_its_expression(tmp_path: Path) -> None:
    """A function is given False and nothing more; with the text its parts are told."""
    (tmp_path / "program.py").write_text(PROGRAM)
    run = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, "AIEX_DEFAULT_PROVIDER": "none"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
