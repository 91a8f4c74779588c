"""A provider that failed is left alone by the whole process, whichever shell asks."""

from __future__ import annotations

import pytest

from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply

from .conftest import Kernel

pytestmark = pytest.mark.slow


def test_subshells_and_threads_share_the_circuit(kernel: Kernel, server: LoopbackServer) -> None:
    """Opened by the main shell's questions, it is open for a subshell and for a thread."""
    server.reply = lambda _: Raw(status=500, blocks=(b"{}",))
    try:
        before = len(server.asked)
        kernel.run("%config Aiex.llm_max_retries = 0")
        for number in range(5):
            ran = kernel.run(f"%%aiex ask\nquestion {number}")
            assert "500" in ran.error, ran.error
        assert len(server.asked) == before + 5
        subshell = str(kernel.control("create_subshell_request", {})["subshell_id"])
        ran = kernel.finish(kernel.start("%%aiex ask\nfrom a subshell", subshell=subshell))
        assert "left alone" in ran.error, ran.error
        ran = kernel.run(
            "import threading, aiex\nsaid = []\n"
            "def ask():\n"
            "    try: aiex.ask('from a thread')\n"
            "    except Exception as error: said.append(error.code)\n"
            "thread = threading.Thread(target=ask); thread.start(); thread.join(20)"
        )
        assert ran.ok, ran.error
        assert kernel.value("said") == "['circuit_open']"
        assert len(server.asked) == before + 5
    finally:
        server.reply = lambda _: Reply()
