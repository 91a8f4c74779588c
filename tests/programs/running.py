"""Run a failing program for real and capture its failure as a user would have it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from aiex_ipy.grounding.crash.record import Crash, environment, read
from aiex_ipy.grounding.failure.masking import Mask
from aiex_ipy.grounding.failure.record import Failure
from aiex_ipy.operations.base import Grounding
from aiex_ipy.operations.debug import DebugOperation, DebugRequest
from aiex_ipy.prompts.failure import sections
from aiex_ipy.prompts.fit import cost, fit

from .program import Program

BUDGET = 6_000
"""Tokens of the prompt: what the small models of today are given."""
SECONDS = 120


class Captured:
    """What came of a program: the capture, the prompt it becomes, and the prompt's size."""

    def __init__(self, crash: Crash | None, output: str) -> None:
        self.output = output
        self.failure: Failure | None = crash.failure if crash is not None else None
        self.diagnosis = _said(crash) if crash is not None else ""
        self.diagnoses = crash.diagnoses if crash is not None else ()
        self.prompt, self.tokens = _prompt(crash) if crash is not None else ("", 0)


def run(program: Program) -> Captured:
    """Run a program in a directory of its own, in a child process."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "program")
        folder.mkdir()
        program.write(folder)
        crash = str(Path(place, "crash.json"))
        environ = {**os.environ, "AIEX_DEFAULT_PROVIDER": "none", "PYTHONDONTWRITEBYTECODE": "1"}
        environ["IPYTHONDIR"] = str(Path(place, "ipython"))
        root = str(Path(__file__).parents[2])
        if program.kind == "script" and program.target is None:
            command = [sys.executable, *program.command[1:]]
            environ = environment(crash, environ)
        else:
            described = Path(place, "program.json")
            described.write_bytes(msgspec.json.encode(program))
            command = [sys.executable, "-m", "tests.programs.child", str(described), crash]
            environ["PYTHONPATH"] = root
        done = subprocess.run(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        output = (done.stdout + done.stderr).decode(errors="replace")
        return Captured(read(crash).crash(), output)


def _prompt(crash: Crash) -> tuple[str, int]:
    """What a model would be told, cut to the budget."""
    request = DebugRequest(failure=crash.failure, diagnoses=crash.diagnoses, source=crash.source)
    shown = crash.source
    if shown is not None:  # as the operation masks it
        text = crash.shown or Mask((), (shown.text,)).text(shown.text)
        shown = msgspec.structs.replace(shown, text=text)
    parts = sections(crash.failure, crash.diagnoses, shown)
    extra = {"context": (), "sections": parts}
    ask = DebugOperation().prompt(request, Grounding(subjects=(), extra=extra))
    messages = fit(ask.prompt, BUDGET)
    return messages[-1].content, cost(messages)


def _said(crash: Crash) -> str:
    """What the diagnoses say, as text."""
    lines: list[str] = []
    for each in crash.diagnoses:
        lines += [each.cause, *each.evidence, each.remedy]
        if each.fix is not None:
            lines += [each.fix.why, each.fix.diff]
    return "\n".join(lines)
