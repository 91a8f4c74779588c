"""Progress with a stop button beside a running request, where a front end is there to show it.

A cell that runs holds the kernel's main shell, so a click must be heard elsewhere. ipykernel
asks `comm._reply_subshell_for` in its shell channel thread, which user code never holds, to
which subshell each message of a comm goes. Our comms answer there: the message's own subshell,
and never the one that spoke last (else every click would wait for the cell's end); and they hear
the message on that occasion, whether or not the front end uses subshells at all.
Source: ipykernel 7.4, `Kernel.shell_channel_thread_main`; without that hook there is no control.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from os import urandom
from typing import Any

APPEAR_AFTER_S = 0.4
"""An answer that is whole by then needs no control."""
LOOK_AGAIN_S = 0.3
"""How often a front end's answer is looked for."""
ANSWER_WITHIN_S = 10.0
"""How long a front end may take to answer: one behind a slow line or on a busy machine needs more
than a moment, and where none is attached, as under nbclient, waiting costs a look now and then."""
REMEMBERED_S = 60.0
"""How long a front end that answered is taken to be there."""
STATUS_EVERY_S = 1.0
ASKING_TARGET = "aiex.is_anybody_there"
WIDGET_TARGET = "jupyter.widget"
PROTOCOL = {"version": "2.1.0"}
"""Source: the widget messaging protocol 2.1 of ipywidgets 8."""
LAYOUT_MODEL = {
    "_model_module": "@jupyter-widgets/base",
    "_model_module_version": "2.0.0",
    "_model_name": "LayoutModel",
    "_view_module": "@jupyter-widgets/base",
    "_view_module_version": "2.0.0",
    "_view_name": "LayoutView",
}


class Control:
    """One request's control; used in the request's own thread.

    It asks for a front end `APPEAR_AFTER_S` after it was made, becomes a widget when one answers
    within `ANSWER_WITHIN_S`, and a line of text when it is closed. `cancel` is called, in any
    thread, when the button is clicked.
    """

    _last_answer = float("-inf")

    def __init__(self, shell: Any, cancel: Callable[[], object]) -> None:
        self._shell = shell
        self._cancel = cancel
        self._began = time.monotonic()
        self._question: Question | None = None
        self._asked_at = self._began
        self._widget: StopWidget | None = None
        self.due_at: float | None = None
        if getattr(shell.kernel, "shell_channel_thread", None) and somebody_sits_there(shell):
            self.due_at = self._began + APPEAR_AFTER_S

    def look_after(self, status: str) -> None:
        """Ask, appear, or show the status: what is due."""
        now = time.monotonic()
        if self._widget is not None:
            self._widget.say(f"{status}, {now - self._began:.0f} s".removeprefix(", "))
        elif self._question is None and now - Control._last_answer > REMEMBERED_S:
            self._question = Question()
            self._asked_at = now
            self.due_at = now + LOOK_AGAIN_S
            return
        elif self._question is not None and not self._question.answered:
            if now - self._asked_at < ANSWER_WITHIN_S and not self._question.declined:
                self.due_at = now + LOOK_AGAIN_S
                return
            self._question.close()
            self.due_at = None
            return
        else:
            if self._question is not None:
                self._question.close()
                Control._last_answer = now
            self._widget = StopWidget(self._shell, self._cancel, status)
        self.due_at = now + STATUS_EVERY_S

    def close(self, status: str) -> None:
        """Leave nothing but a line of text."""
        self.due_at = None
        if self._question is not None:
            self._question.close()
        if self._widget is not None:
            self._widget.close(f"aiex: {status} after {time.monotonic() - self._began:.1f} s")
            self._widget = None


def somebody_sits_there(shell: Any) -> bool:
    """False when the cell's request says that nobody can be asked for input: a notebook run by
    nbclient or nbval, which would log a warning for each comm it does not know."""
    return bool(shell.get_parent().get("content", {}).get("allow_stdin", True))


class Question:
    """Asks whether a front end is attached that shows widgets, without importing ipywidgets.

    Two comms are opened, of a widget's target and then of one that nobody knows. Every front end
    closes what it does not know, in order: so when the second is closed and the first is not,
    there is one and it knows widgets. Source: `_handleCommOpen` of @jupyterlab/services 7.6.
    """

    def __init__(self) -> None:
        from comm import create_comm

        self._closed: set[str] = set()
        self._comms: list[Any] = []
        state = {"state": LAYOUT_MODEL, "buffer_paths": []}
        for target, opening in ((WIDGET_TARGET, state), (ASKING_TARGET, {})):
            comm = create_comm(target_name=target, data=opening, metadata=PROTOCOL)
            hear(comm, partial(self._note, target))
            self._comms.append(comm)

    def _note(self, target: str, data: Any) -> None:
        if not data:  # a comm_close; a widget's messages name a method
            self._closed.add(target)

    @property
    def answered(self) -> bool:
        """True when there is a front end that shows widgets."""
        return self._closed == {ASKING_TARGET}

    @property
    def declined(self) -> bool:
        """True when there is a front end that shows no widgets."""
        return WIDGET_TARGET in self._closed

    def close(self) -> None:
        """Close what no front end has closed; of the rest the message is still under way, and
        removes them when it arrives. Safe to call twice."""
        for comm in self._comms:
            if comm.target_name not in self._closed:
                comm.close()
        self._comms.clear()


class StopWidget:
    """The button and the line of status, displayed."""

    def __init__(self, shell: Any, cancel: Callable[[], object], status: str) -> None:
        import ipywidgets

        self._publisher = shell.display_pub
        self._display_id = urandom(16).hex()
        self._label = ipywidgets.Label(value=status)
        button = ipywidgets.Button(description="Stop", icon="stop", tooltip="End this request")
        box = ipywidgets.HBox([button, self._label])
        button.on_click(lambda _: cancel())
        self._widgets = [
            part
            for widget in (box, button, self._label)
            for part in (widget, widget.layout, getattr(widget, "style", None))
            if part is not None
        ]
        for widget in self._widgets:
            hear(widget.comm, lambda data: None)
        hear(button.comm, lambda data: cancel() if is_click(data) else None)
        self._publisher.publish(box._repr_mimebundle_(), transient={"display_id": self._display_id})

    def say(self, status: str) -> None:
        """Show a status."""
        self._label.value = status

    def close(self, status: str) -> None:
        """Put a line of text in the widget's place."""
        self._publisher.publish(
            {"text/plain": status}, transient={"display_id": self._display_id}, update=True
        )
        for widget in self._widgets:
            widget.close()


def is_click(data: Any) -> bool:
    """True for the message of a button that was clicked."""
    return (
        isinstance(data, dict)
        and data.get("method") == "custom"
        and isinstance(content := data.get("content"), dict)
        and content.get("event") == "click"
    )


def hear(comm: Any, listener: Callable[[Any], object]) -> None:
    """Give `listener` the data of each message of `comm` in the shell channel thread, and let the
    message go where its header says.

    And let the comm's callback run without the `pre_execute` and `post_execute` events which
    BaseComm fires around it: they close the figures of the cell that runs.
    Source: ipykernel issue 1564.
    """

    def route(data: Any, subshell_id: str | None) -> str | None:
        listener(data)
        return subshell_id

    def handle(message: Any) -> None:
        if comm._msg_callback:
            comm._msg_callback(message)

    comm._reply_subshell_for = route
    comm.handle_msg = handle
