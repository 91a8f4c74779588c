"""Run a program with its own terminal, and learn why it failed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import IO, Any, NamedTuple

from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.crash.record import Left, environment, read

MOST_STDERR = 200_000
"""Bytes of the program's stderr that are kept, the last ones: where no hook could run, the
traceback is read from them."""


class Ended(NamedTuple):
    """How a program ended: `left` is what it wrote of its failure, `stderr` the end of what it
    said. `stopped` is the signal that ended us, which was passed on to it, 0 where none came."""

    code: int
    left: Left
    stderr: str
    stopped: int = 0

    @property
    def how(self) -> str:
        """The exit code, or the signal's name."""
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"


def run(command: list[str], *, apart: bool = False) -> Ended:
    """Run `command` to its end; stdin and stdout are its own, stderr passes through. With `apart`
    its stdout goes to our stderr.

    An interrupt at the terminal reaches the program, whose end is then awaited; what else is to
    end us ends the program. Raises UsageError when it cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="aiex-crash-") as place:
        written = str(Path(place) / "crash.jsonl")
        kept = bytearray()
        ending = _Ending()
        handlers = {each: signal.signal(each, ending) for each in _ENDINGS}
        try:
            process = ending.process = _start(command, written, apart)
            ending.pass_on()
            assert process.stderr is not None
            reader = threading.Thread(target=_pass_on, args=(process.stderr, kept), daemon=True)
            reader.start()
            code = process.wait()
            reader.join(timeout=1)  # a child of the program's may hold the pipe open
        finally:
            for each, handler in handlers.items():
                signal.signal(each, handler)
        left = read(written)
    return Ended(code, left, kept.decode("utf-8", "replace"), ending.number)


class _Ending:
    """Takes the signals that are to end us. An interrupt the terminal sends to the program too, so
    nothing is done; unlike an ignored signal a handler is not inherited."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.number = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self.pass_on()

    def pass_on(self) -> None:
        """Send the program what came, unless it has it or has ended."""
        if self.process is not None and self.number not in (0, signal.SIGINT):
            self.process.send_signal(self.number)


_ENDINGS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def _start(command: list[str], written: str, apart: bool) -> subprocess.Popen[bytes]:
    if command[0] in ("python", "python3") and shutil.which(command[0]) is None:
        command = [sys.executable, *command[1:]]
    try:
        return subprocess.Popen(
            command,
            env=environment(written),
            stdout=sys.stderr if apart else None,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise UsageError(
            f"{command[0]!r} cannot be started: {error.strerror}.",
            code="not_started",
            hint="Name a program on the PATH, or give its path.",
        ) from error


def _pass_on(stream: IO[bytes], kept: bytearray) -> None:
    """Copy the program's stderr to ours as it comes, and keep its end."""
    out: Any = getattr(sys.stderr, "buffer", None)
    while chunk := os.read(stream.fileno(), 65_536):
        if out is not None:
            out.write(chunk)
            out.flush()
        kept += chunk
        del kept[:-MOST_STDERR]
