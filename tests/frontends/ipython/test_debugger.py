"""The `ai` command of pdb, in real debuggers."""

from __future__ import annotations

import pdb
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from aiex_ipy.testing.loopback import LoopbackServer

from .conftest import environment
from .test_terminal import ESCAPES, Terminal

slow = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals"),
]


def test_the_command_comes_and_goes(shell: Any) -> None:
    """Loaded, pdb has an `ai` command; unloaded it has none."""
    shell.run_cell("1")
    assert hasattr(pdb.Pdb, "do_ai")
    shell.run_line_magic("unload_ext", "aiex")
    assert not hasattr(pdb.Pdb, "do_ai")
    shell.run_line_magic("load_ext", "aiex")
    shell.run_cell("1")
    assert hasattr(pdb.Pdb, "do_ai")


def test_a_command_of_the_users_stays(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gave pdb an `ai` of their own keeps it."""
    shell.run_line_magic("unload_ext", "aiex")

    def do_ai(self: object, words: str) -> None: ...

    monkeypatch.setattr(pdb.Pdb, "do_ai", do_ai, raising=False)
    shell.run_line_magic("load_ext", "aiex")
    shell.run_line_magic("unload_ext", "aiex")
    assert pdb.Pdb.do_ai is do_ai  # type: ignore[attr-defined]
    shell.run_line_magic("load_ext", "aiex")


@pytest.fixture(scope="module")
def terminal(
    server: LoopbackServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    env = environment(server, tmp_path_factory.mktemp("home"))
    started = Terminal({**env, "AIEX_DEFAULT_PROVIDER": "none"})
    started.prompt()
    started.run("%load_ext aiex")
    yield started
    started.child.close(force=True)


def asked(terminal: Terminal) -> str:
    """Type `ai` to the debugger; return what it shows; leave the debugger with `q`."""
    terminal.child.expect(r"ipdb>|\(Pdb\) ")
    terminal.type("ai")
    terminal.child.expect("no model was asked")
    return ESCAPES.sub("", terminal.child.before)


@pytest.mark.usefixtures("terminal")
class TestInATerminal:
    """What `%debug` and `breakpoint()` show."""

    pytestmark = slow

    def test_post_mortem_explains_the_failure(self, terminal: Terminal) -> None:
        """In `%debug`, `ai` tells the error and its cause, in whichever frame one stands."""
        terminal.run("def total(xs): return sum(xs) + prices")
        terminal.run("price = total([1])")
        terminal.type("%debug")
        shown = asked(terminal)
        assert "NameError" in shown and "prices" in shown
        terminal.type("q")
        terminal.prompt()

    def test_a_breakpoint_explains_the_frame(self, terminal: Terminal) -> None:
        """Where nothing failed, `ai` tells the frame and its values."""
        terminal.run("def half(n): d = n * 7; breakpoint(); return n / 2")
        terminal.type("half(6)")
        shown = asked(terminal)
        assert "half" in shown and "42" in shown
        terminal.type("c")
        assert "3.0" in terminal.prompt()

    def test_the_mended_cell_stands_at_the_prompt(self, terminal: Terminal) -> None:
        """`%aiex debug --replace` puts the mended line at the next prompt; Enter runs it."""
        terminal.run("costs = [1, 2]")
        terminal.run("total = sum(csots)")
        shown = terminal.run("%aiex debug --replace")
        assert "+total = sum(costs)" in shown
        terminal.child.send("\r")
        terminal.prompt()
        assert "3" in terminal.run("print(total)")
