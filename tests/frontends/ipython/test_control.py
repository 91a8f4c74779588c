"""The stop button: made only where somebody sees it, heard while its own cell runs."""

from __future__ import annotations

import time
from typing import Any

import pytest

from aiex_ipy.frontends.ipython.control import ASKING_TARGET, WIDGET_TARGET
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

from .conftest import Kernel

pytestmark = pytest.mark.slow
VIEW = "application/vnd.jupyter.widget-view+json"
SLOW = Reply(pieces=tuple(f"word{n} " for n in range(200)), pause_s=0.1)


class FrontEnd:
    """Answers comms as JupyterLab does: closes what it does not know, clicks the button."""

    def __init__(
        self, kernel: Kernel, *, subshell: str | None, widgets: bool = True, slow_s: float = 0.0
    ) -> None:
        self.kernel = kernel
        self.slow_s = slow_s
        self.subshell = subshell
        self.known = (WIDGET_TARGET,) if widgets else ()
        self.models: dict[str, str] = {}
        self.clicked = False
        self.seen: set[str] = set()

    def __call__(self, message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "comm_open":
            comm = content["comm_id"]
            if content["target_name"] not in self.known:
                time.sleep(self.slow_s)
                self.kernel.send_comm("comm_close", comm, {}, subshell=None)
                return
            self.models[comm] = content["data"]["state"]["_model_name"]
        elif message["msg_type"] == "comm_close":
            self.models.pop(content["comm_id"], None)
        elif message["msg_type"].endswith("display_data"):
            self.seen |= {VIEW} & set(content["data"])
            if "word" in content["data"].get("text/plain", "") and VIEW in self.seen:
                self.click()

    def click(self) -> None:
        button = next(comm for comm, name in self.models.items() if name == "ButtonModel")
        click = {"method": "custom", "content": {"event": "click"}}
        if not self.clicked:
            self.kernel.send_comm("comm_msg", button, click, subshell=self.subshell)
        self.clicked = True


@pytest.fixture
def subshell(kernel: Kernel) -> str:
    return str(kernel.control("create_subshell_request", {})["subshell_id"])


@pytest.mark.parametrize("over", ["subshell", "main shell"])
def test_a_click_during_the_cell_ends_the_request(
    kernel: Kernel, server: LoopbackServer, subshell: str, over: str
) -> None:
    """The button works while its own cell runs, from front ends with and without subshells: the
    server sees the disconnect, the cell ends, and in the button's place stands a line of text."""
    server.replies = [SLOW]
    before = len(server.disconnects)
    lab = FrontEnd(kernel, subshell=subshell if over == "subshell" else None)
    ran = kernel.run("%%aiex ask\nslowly", on_message=lab)
    assert lab.clicked
    assert server.wait_until(lambda: len(server.disconnects) == before + 1)
    assert not ran.ok
    assert "the request was ended" in ran.error
    texts = sorted(display["text/plain"] for display in ran.shown)
    assert texts[0].startswith("aiex: stopped after")
    assert "word0" in texts[1] and "stopped" in texts[1]
    assert not any(VIEW in display for display in ran.shown)
    assert not lab.models, "a widget was left open"
    assert kernel.value("sorted(get_ipython().kernel.comm_manager.comms)") == "[]"


def test_a_slow_front_end_gets_the_button_too(kernel: Kernel, server: LoopbackServer) -> None:
    """One that answers after a second, over a slow line or on a busy machine, is still waited
    for."""
    kernel.run(
        "from aiex_ipy.frontends.ipython.control import Control; Control._last_answer = -1e9"
    )
    server.replies = [SLOW]
    lab = FrontEnd(kernel, subshell=None, slow_s=1.0)
    kernel.run("%%aiex ask\nslowly", on_message=lab)
    assert lab.clicked
    assert kernel.value("sorted(get_ipython().kernel.comm_manager.comms)") == "[]"


def test_without_a_front_end_no_widget_is_made(kernel: Kernel, server: LoopbackServer) -> None:
    """Under nbclient, or when the browser is closed, nobody answers: text it is, and ipywidgets
    is not even imported."""
    kernel.run("import sys; had = 'ipywidgets' in sys.modules")
    kernel.run(
        "from aiex_ipy.frontends.ipython.control import Control; Control._last_answer = -1e9"
    )
    server.replies = [Reply(pieces=("one ", "two ", "three"), pause_s=0.5)]
    ran = kernel.run("%%aiex ask\nslowly")
    assert ran.ok, ran.error
    (display,) = ran.shown
    assert "one two three" in display["text/markdown"]
    opened = {content["target_name"] for content in ran.of("comm_open")}
    assert opened == {WIDGET_TARGET, ASKING_TARGET}
    assert len(ran.of("comm_close")) == 2
    assert kernel.value("had == ('ipywidgets' in sys.modules)") == "True"


def test_a_front_end_without_widgets_gets_text(kernel: Kernel, server: LoopbackServer) -> None:
    """Where the widget manager is not installed no view is shown that could not be drawn."""
    kernel.run("Control._last_answer = -1e9")
    server.replies = [Reply(pieces=("one ", "two ", "three"), pause_s=0.5)]
    ran = kernel.run(
        "%%aiex ask\nslowly", on_message=FrontEnd(kernel, subshell=None, widgets=False)
    )
    assert ran.ok, ran.error
    assert [VIEW in content["data"] for content in ran.of("display_data")] == [False]
    assert kernel.value("sorted(get_ipython().kernel.comm_manager.comms)") == "[]"


def test_the_setting_turns_it_off(kernel: Kernel, server: LoopbackServer) -> None:
    """With `display.widgets` false nobody is asked."""
    server.replies = [Reply(pieces=("one ", "two ", "three"), pause_s=0.3)]
    kernel.run("%config Aiex.display_widgets = False")
    ran = kernel.run("%%aiex ask\nslowly", on_message=FrontEnd(kernel, subshell=None))
    kernel.run("%config Aiex.display_widgets = True")
    assert ran.ok
    assert not ran.of("comm_open")


def test_a_quick_answer_has_no_widget(kernel: Kernel, server: LoopbackServer) -> None:
    """An answer that is there at once is one display message, and no front end is asked."""
    server.replies = [Reply(pieces=("at once",))]
    ran = kernel.run("%%aiex ask\nquickly")
    assert [m["msg_type"] for m in ran.messages if "display" in m["msg_type"]] == ["display_data"]
    assert not ran.of("comm_open")


def test_a_click_leaves_the_cells_figures_alone(
    kernel: Kernel, server: LoopbackServer, subshell: str
) -> None:
    """Comm messages of ours fire no `pre_execute` or `post_execute`: with those the inline backend
    of matplotlib would close the half-drawn figure of the running cell."""
    kernel.run(
        "fired = []; note = lambda *_: fired.append(1)\n"
        "get_ipython().events.register('pre_execute', note)"
    )
    kernel.run("fired.clear()")
    server.replies = [SLOW]
    lab = FrontEnd(kernel, subshell=subshell)
    kernel.run("%%aiex ask\nslowly", on_message=lab)
    assert lab.clicked
    assert kernel.value("len(fired)") == "2", "once for the cell, once for this one"
    kernel.run("get_ipython().events.unregister('pre_execute', note)")


def test_ipykernel_still_asks_where_a_comm_message_goes() -> None:
    """The hook in ipykernel by which a click is heard has not been renamed."""
    import inspect

    from ipykernel.comm.comm import BaseComm
    from ipykernel.kernelbase import Kernel as Base

    assert list(inspect.signature(BaseComm._reply_subshell_for).parameters) == [
        "self",
        "data",
        "default",
    ]
    assert "_reply_subshell_for" in inspect.getsource(Base.shell_channel_thread_main)
    assert "handle_msg" in vars(BaseComm.__mro__[1])
