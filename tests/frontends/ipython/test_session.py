"""The session outside a loaded extension, in other processes, and its settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.frontends.ipython.session import MOST_THREADS, Session
from aiex_ipy.testing.loopback import LoopbackServer

from .conftest import environment


def python(code: str, server: LoopbackServer, home: Path, **more: str) -> str:
    """What a Python process prints."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**environment(server, home), **more},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.slow
def test_helpers_work_without_ipython(server: LoopbackServer, tmp_path: Path) -> None:
    """In a plain Python program `ai` writes the answer to standard output and returns it; IPython
    is not imported for that."""
    code = (
        "import aiex, sys; aiex.load_helpers(); answer = ai('hello');"
        "print(repr(answer.text)); assert 'IPython' not in sys.modules"
    )
    out = python(code, server, tmp_path)
    assert out.count("Hello from the loopback server.") == 2


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_asks_for_itself(server: LoopbackServer, tmp_path: Path) -> None:
    """A child of a kernel has none of its threads; it makes an engine of its own."""
    code = (
        "import os, warnings\n"
        "warnings.simplefilter('ignore', DeprecationWarning)  # of Python itself, from 3.12 on\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance(); shell.history_manager.enabled = False\n"
        "shell.run_line_magic('load_ext', 'aiex'); ai = shell.user_ns['ai']\n"
        "assert ai('hello').text\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    os._exit(0 if ai('hello').text else 1)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "assert ai('again').text\n"
        "shell.run_line_magic('unload_ext', 'aiex')\n"
    )
    asked = len(server.asked)
    python(code, server, tmp_path)
    assert len(server.asked) - asked == 3


@pytest.mark.slow
def test_settings_of_ipythons_configuration_are_taken(
    server: LoopbackServer, tmp_path: Path
) -> None:
    """`c.Aiex.…` in ipython_config.py is in force from loading on; a bad value is told in a line,
    and loading goes on."""
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    file = profile / "ipython_config.py"
    code = (
        "from IPython.terminal.ipapp import TerminalIPythonApp as App\n"
        "app = App.instance(); app.initialize(['--no-banner', '--HistoryManager.enabled=False'])\n"
        "app.shell.run_line_magic('load_ext', 'aiex')\n"
        "app.shell.run_cell('%config Aiex.display_updates_per_second')\n"
        "app.shell.run_line_magic('unload_ext', 'aiex')\n"
    )
    file.write_text("c.Aiex.display_updates_per_second = 7\n")
    assert "7" in python(code, server, tmp_path)
    file.write_text("c.Aiex.display_updates_per_second = 7000\n")
    out = python(code, server, tmp_path)
    assert "left out" in out and "display.updates_per_second" in out and "15" in out


def test_a_bad_variable_is_one_line(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are read with the first request; what is wrong in them fails that cell alone."""
    monkeypatch.setenv("AIEX_LLM_TIMEOUT", "soon")
    result = shell.run_cell("ai('hello')")
    assert type(result.error_in_exec).__name__ == "ConfigError"
    monkeypatch.delenv("AIEX_LLM_TIMEOUT")
    assert shell.run_cell("ai('hello');").success


def test_each_thread_knows_what_its_cell_has_shown() -> None:
    """Cells that run at once do not take each other's answer for shown; memory is bounded."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    session = Session(None)
    barrier = Barrier(8)

    def cell(number: int) -> bool:
        mine = object()
        session.mark_shown(mine)
        barrier.wait()
        return session.shown_in_this_cell(mine) and not session.shown_in_this_cell(object())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(cell, range(8)))
    assert len(session._shown) <= MOST_THREADS


def test_reloading_starts_afresh(shell: Any) -> None:
    """`%reload_ext aiex` is unloading and loading."""
    assert shell.run_cell("ai('hello');").success
    before = shell.user_ns["_aiex"]
    shell.run_line_magic("reload_ext", "aiex")
    assert "_aiex" not in shell.user_ns and before.text
    assert shell.run_cell("ai('hello');").success
