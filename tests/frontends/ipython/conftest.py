"""A model server and a real kernel for the tests of the IPython front end."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

KEY = "sk-test-0123456789abcdef"


def environment(server: LoopbackServer, home: Path) -> dict[str, str]:
    """Variables under which aiex asks `server` and reads nobody's settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIEX_", "OPENAI", "ANTHROP"))}
    return {
        **kept,
        "AIEX_DEFAULT_PROVIDER": "openai",
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": server.openai_url,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "AIEX_PROJECT_DIR": str(home),
    }


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    """A model server of the module's own."""
    with LoopbackServer() as running:
        yield running


class Ran:
    """What came of one cell: messages in order, and those of each kind."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.reply: dict[str, Any] = {}

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Contents of the messages of one type."""
        return [m["content"] for m in self.messages if m["msg_type"] == kind]

    @property
    def ok(self) -> bool:
        return bool(self.reply["status"] == "ok")

    @property
    def printed(self) -> str:
        return "".join(c["text"] for c in self.of("stream"))

    @property
    def error(self) -> str:
        """The traceback as front ends show it."""
        return "\n".join("\n".join(c["traceback"]) for c in self.of("error"))

    @property
    def shown(self) -> list[dict[str, str]]:
        """The displays as a front end would keep them: updates folded into what they update."""
        displays: list[dict[str, Any]] = []
        for message in self.messages:
            content = message["content"]
            if message["msg_type"] in ("display_data", "execute_result"):
                displays.append(dict(content))
            elif message["msg_type"] == "update_display_data":
                for display in displays:
                    if display.get("transient", {}) == content["transient"]:
                        display["data"] = content["data"]
        return [display["data"] for display in displays]


class Kernel:
    """A real kernel and one client of it."""

    def __init__(self, env: dict[str, str]) -> None:
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(env=env)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def start(self, code: str, *, subshell: str | None = None) -> str:
        """Send a cell; return its request's id."""
        client = self.client
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": True,
            "stop_on_error": False,
        }
        message = client.session.msg("execute_request", content)
        message["header"]["subshell_id"] = subshell
        client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def finish(
        self,
        request: str,
        *,
        on_message: Callable[[dict[str, Any]], object] | None = None,
        timeout_s: float = 30.0,
    ) -> Ran:
        """Collect what comes of a cell until it is idle and answered."""
        ran = Ran()
        idle = False
        end = time.monotonic() + timeout_s
        while not (idle and ran.reply):
            if time.monotonic() > end:
                raise TimeoutError(f"no end of {request}: {[m['msg_type'] for m in ran.messages]}")
            try:
                message = self.client.get_iopub_msg(timeout=0.02)
            except queue.Empty:
                message = None
            if message is not None:
                if on_message is not None:
                    on_message(message)
                if message["parent_header"].get("msg_id") == request:
                    ran.messages.append(message)
                    idle = idle or message["content"].get("execution_state") == "idle"
            try:
                reply = self.client.get_shell_msg(timeout=0)
            except queue.Empty:
                continue
            if reply["parent_header"].get("msg_id") == request:
                ran.reply = reply["content"]
        return ran

    def run(self, code: str, **how: Any) -> Ran:
        """Run a cell to its end."""
        return self.finish(self.start(code), **how)

    def value(self, expression: str) -> str:
        """The `str` of an expression."""
        ran = self.run(f"print(({expression}), end='')")
        assert ran.ok, ran.error
        return ran.printed

    def control(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        """Send a message on the control channel and return the reply's content."""
        message = self.client.session.msg(kind, content)
        self.client.control_channel.send(message)
        while True:
            reply = self.client.get_control_msg(timeout=10)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return dict(reply["content"])

    def send_comm(
        self, kind: str, comm_id: str, data: dict[str, Any], *, subshell: str | None = None
    ) -> None:
        """Say something on a comm, as a front end does."""
        message = self.client.session.msg(kind, {"comm_id": comm_id, "data": data})
        message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel(server: LoopbackServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with aiex loaded, which asks `server`."""
    home = tmp_path_factory.mktemp("home")
    running = Kernel(environment(server, home))
    try:
        running.run("%load_ext aiex")
        yield running
    finally:
        running.close()


@pytest.fixture
def shell(server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A terminal-like IPython shell in this process with aiex loaded, which asks `server`."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    for name in os.environ:
        if name.startswith(("AIEX_", "OPENAI", "ANTHROP")):
            monkeypatch.delenv(name)
    for name, value in environment(server, tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    InteractiveShell.clear_instance()
    running = InteractiveShell.instance(config=config)
    server.replies = [Reply()]
    try:
        running.run_line_magic("load_ext", "aiex")
        yield running
    finally:
        running.run_line_magic("unload_ext", "aiex")
        InteractiveShell.clear_instance()
