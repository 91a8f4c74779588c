"""What was asked from Python before the extension was loaded belongs to the session, too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, aiex
from aiex_ipy.engine.engine import default_engine
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply
from IPython.testing.globalipapp import start_ipython

async def give_up():
    asked = asyncio.ensure_future(aiex.ask_async("hello"))
    while not server.asked:
        await asyncio.sleep(0.01)
    asked.cancel()
    await asyncio.wait([asked])

with LoopbackServer(Reply(first_pause_s=30)) as server:
    import os
    os.environ["OPENAI_BASE_URL"] = server.openai_url
    asyncio.run(give_up())
    before = default_engine().models.state.ledger
    assert server.wait_until(lambda: before.totals().all.calls == 1)
    shell = start_ipython()
    shell.run_line_magic("load_ext", "aiex")
    shell.run_line_magic("aiex", "llm usage")
"""


@pytest.mark.slow
def test_a_call_given_up_before_loading_is_told(tmp_path: Path) -> None:
    """`%aiex llm usage` tells a call that was cancelled before `%load_ext aiex`."""
    strange = ("AIEX_", "OPENAI", "ANTHROPIC", "XDG_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(strange)}
    env |= {"HOME": str(tmp_path), "AIEX_DEFAULT_PROVIDER": "openai", "OPENAI_API_KEY": "sk-012345"}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert "1 call" in run.stdout and "asked no model" not in run.stdout
