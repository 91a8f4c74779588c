"""Every helper, interrupted at random moments in a real kernel and a real terminal, then used
again."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

from .conftest import Kernel, environment
from .test_terminal import Terminal

pytestmark = pytest.mark.slow

CALLS = {
    "ai": "ai('why?')",
    "ai_debug": "ai_debug(error)",
    "ai_complete": "ai_complete('def handle_')",
    "ai_doc": "ai_doc('json.loads')",
    "ai_eval": "ai_eval('__import__(\"time\").sleep(PAUSE); 6 * 7')",
    "ai_project": "ai_project()",
    "ai_test_suggest": "ai_test_suggest('textwrap.dedent')",
}
"""Each takes as long as `PAUSE` says, or as the server."""
PREPARED = """\
import os, pathlib
pathlib.Path(os.environ['AIEX_PROJECT_DIR'], 'mod.py').write_text('def f(x):\\n    return x + 1\\n')
try:
    {}['x']
except KeyError as kept:
    error = kept
PAUSE = 3
"""
SLOW = Reply(pieces=tuple(f"word{n} " for n in range(20)), pause_s=0.2)
QUICK = Reply(text="It is done.")
LONGEST_S = 1.5
"""Random moments are within this time of the call: before, between and after the first words."""


@pytest.mark.parametrize("name", CALLS)
def test_in_a_kernel(kernel: Kernel, server: LoopbackServer, name: str) -> None:
    """The cell ends by an interrupt soon after it, the kernel answers the next cell, and the same
    helper then works."""
    chance = random.Random(name)
    assert kernel.run(PREPARED).ok
    server.replies = [SLOW]
    for _ in range(3):
        request = kernel.start(CALLS[name])
        time.sleep(chance.uniform(0, LONGEST_S))
        kernel.manager.interrupt_kernel()
        ran = kernel.finish(request)
        assert ran.ok or ran.reply["ename"] in ("KeyboardInterrupt", "CancelledError"), ran.error
        assert kernel.value("1 + 1") == "2"
    server.replies = [QUICK]
    kernel.run("PAUSE = 0")
    ran = kernel.run(CALLS[name])
    assert ran.ok, ran.error
    assert kernel.value("type(_aiex).__name__") != "NoneType"


@pytest.fixture(scope="module")
def terminal(
    server: LoopbackServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    home = tmp_path_factory.mktemp("home")
    started = Terminal(environment(server, home))
    started.prompt()
    started.run("%load_ext aiex")
    (home / "mod.py").write_text("def f(x):\n    return x + 1\n")
    started.run("error = KeyError('x')")
    yield started
    started.child.close(force=True)


@pytest.mark.parametrize("name", CALLS)
def test_in_a_terminal(terminal: Terminal, server: LoopbackServer, name: str) -> None:
    """Ctrl-C gives the prompt back, and the same helper then works."""
    chance = random.Random(name)
    server.replies = [SLOW]
    terminal.run("PAUSE = 3")
    for _ in range(2):
        terminal.type(CALLS[name])
        time.sleep(0.3 + chance.uniform(0, LONGEST_S))
        terminal.child.sendintr()
        terminal.prompt()
    server.replies = [QUICK]
    terminal.run("PAUSE = 0")
    shown = terminal.run(CALLS[name] + "; print('went', 'well')")
    assert "went well" in shown
