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
from typing import IO, Any, NamedTuple

from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.crash.record import Crash, environment, failed_tests, read

MOST_STDERR = 200_000
"""Bytes of the program's stderr that are kept, the last ones: where no hook could run, the
traceback is read from them."""


class Ended(NamedTuple):
    """How a program ended. `crash` is what it wrote of its failure, None where it wrote nothing;
    `stderr` the end of what it said, `tests` how many failed tests were captured."""

    code: int
    crash: Crash | None
    stderr: str
    tests: int = 0

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

    An interrupt at the terminal reaches the program, whose end is then awaited. Raises UsageError
    when it cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="aiex-crash-") as place:
        written = str(Path(place) / "crash.jsonl")
        kept = bytearray()
        handler = signal.signal(signal.SIGINT, _leave_to_the_program)
        try:
            process = _start(command, written, apart)
            assert process.stderr is not None
            reader = threading.Thread(target=_pass_on, args=(process.stderr, kept), daemon=True)
            reader.start()
            code = process.wait()
            reader.join(timeout=1)  # a child of the program's may hold the pipe open
        finally:
            signal.signal(signal.SIGINT, handler)
        crash = read(written)
        tests = failed_tests(written)
    return Ended(code, crash, kept.decode("utf-8", "replace"), tests)


def _leave_to_the_program(number: int, frame: object) -> None:
    """Do nothing: the terminal sends an interrupt to the program too. Unlike an ignored signal a
    handler is not inherited."""


def _start(command: list[str], written: str, apart: bool) -> subprocess.Popen[bytes]:
    if command[0] in ("python", "python3") and shutil.which(command[0]) is None:
        command = [sys.executable, *command[1:]]
    env = {**environment(written), "PYTHONFAULTHANDLER": "1"}
    try:
        return subprocess.Popen(
            command, env=env, stdout=sys.stderr if apart else None, stderr=subprocess.PIPE
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
