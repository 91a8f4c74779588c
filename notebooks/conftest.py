"""Lets nbval see a notebook as a front end does: `python -m pytest --nbval notebooks`.

An answer that grows is one display that is updated; the saved notebook holds its last form. nbval
passes over `update_display_data`, so each is folded into the display with its id before nbval
compares. Cells are numbered as in a front end, for `In[3]`.

Source: nbval 0.11, `plugin.IPyNbCell.runtest` and `kernel.RunningKernel`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from nbval import plugin

Message = dict[str, Any]


def fold(messages: Iterable[Message]) -> list[Message]:
    """Return the messages with each update put into the display it belongs to; an update of a
    display that an earlier cell made is left out."""
    kept: list[Message] = []
    displays: dict[str, Message] = {}
    for message in messages:
        content = message["content"]
        name = content.get("transient", {}).get("display_id")
        if message["msg_type"] == "update_display_data":
            if name in displays:
                displays[name]["data"] = content["data"]
            continue
        if name:
            displays[name] = content
        kept.append(message)
    return kept


class FoldingKernel(plugin.RunningKernel):
    """Hands out what a request gave once the kernel is idle again, updates folded in."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._folded: deque[Message] = deque()
        super().__init__(*arguments, **options)

    def get_message(self, stream: str, timeout: float | None = None) -> Message:
        if stream != "iopub":
            return super().get_message(stream, timeout)
        if not self._folded:
            batch: list[Message] = []
            while not batch or batch[-1]["content"].get("execution_state") != "idle":
                batch.append(super().get_message(stream, timeout))
            self._folded.extend(fold(batch))
        return self._folded.popleft()

    def execute_cell_input(self, cell_input: str, allow_stdin: bool | None = None) -> str:
        return self.kc.execute(cell_input, allow_stdin=allow_stdin, stop_on_error=False)


plugin.RunningKernel = FoldingKernel
