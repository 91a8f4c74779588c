"""A real run of a notebook's cells in a fresh kernel, which is always ended.

Source: the Jupyter messaging protocol 5.4; the tag `raises-exception` is nbconvert's.
"""

from __future__ import annotations

import contextlib
import queue
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from aiex_ipy.errors import AiexError
from aiex_ipy.grounding.health.record import SavedCell

CELL_TIMEOUT_S = 600.0
READY_WITHIN_S = 60.0
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class FreshRun(Struct, frozen=True, kw_only=True):
    """What came of the run: the first cell that failed and its error, None when all ran. `ran`
    counts the cells that did; `kernel` is the name of the kernel."""

    kernel: str
    ran: int
    failed_cell: int | None = None
    error: str = ""

    @property
    def ok(self) -> bool:
        """True when every cell ran."""
        return self.failed_cell is None


def run_fresh(
    cells: Sequence[SavedCell], *, kernel: str, cwd: str, cell_timeout_s: float = CELL_TIMEOUT_S
) -> FreshRun:
    """Run cells one after the other in a new kernel that works in `cwd`, up to the first failure.

    The notebook is not changed, its outputs are not kept. An interrupt ends the kernel. Raises
    AiexError with code `fresh_kernel` when none starts.
    """
    ran = 0
    with _kernel(kernel, cwd) as (name, manager, client):
        for cell in cells:
            if not cell.code.strip():
                continue
            error = _execute(manager, client, cell, cell_timeout_s)
            if error is not None:
                return FreshRun(kernel=name, ran=ran, failed_cell=cell.number, error=error)
            ran += 1
    return FreshRun(kernel=name, ran=ran)


@contextlib.contextmanager
def _kernel(kernel: str, cwd: str) -> Iterator[tuple[str, Any, Any]]:
    """Start a kernel; end it and its channels whatever happens."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import KernelManager
    except ImportError:
        raise AiexError(
            "jupyter_client is not installed.",
            code="fresh_kernel",
            hint="Install ipykernel, which brings it.",
        ) from None
    name = kernel if kernel in KernelSpecManager().find_kernel_specs() else "python3"
    manager = KernelManager(kernel_name=name)
    client = None
    try:
        try:
            quiet = subprocess.DEVNULL
            manager.start_kernel(cwd=cwd, stdout=quiet, stderr=quiet)
            client = manager.blocking_client()
            client.start_channels()
            client.wait_for_ready(timeout=READY_WITHIN_S)
        except Exception as error:  # whatever a kernel's launcher raises
            raise AiexError(
                f"No fresh {name!r} kernel could be started: {error}.",
                code="fresh_kernel",
                hint="Try `jupyter console` with the same kernel.",
            ) from None
        yield name, manager, client
    finally:
        if client is not None:
            client.stop_channels()
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def _execute(manager: Any, client: Any, cell: SavedCell, timeout_s: float) -> str | None:
    """Run one cell; its error as one line, None without one."""
    asked = client.execute(cell.code, store_history=True, allow_stdin=False)
    end = time.monotonic() + timeout_s
    while True:
        try:
            reply = client.get_shell_msg(timeout=0.2)
        except queue.Empty:
            _drop_outputs(client)
            if not manager.is_alive():
                return "the kernel died"
            if time.monotonic() > end:
                return f"it ran longer than {timeout_s:g} s"
            continue
        if reply["parent_header"].get("msg_id") == asked:
            break
    _drop_outputs(client)
    content = reply["content"]
    if content.get("status") != "error" or cell.may_fail:
        return None
    said = f"{content.get('ename', 'error')}: {content.get('evalue', '')}"
    return _COLOURS.sub("", said).split("\n", 1)[0].rstrip(": ")[:400]


def _drop_outputs(client: Any) -> None:
    """Take the outputs that came off the wire, and forget them."""
    with contextlib.suppress(queue.Empty):
        while True:
            client.get_iopub_msg(timeout=0)
