"""The stack of another Python process, through `py-spy`: it reads the process's memory and runs
nothing in it."""

from __future__ import annotations

import linecache
import os
import shutil
import subprocess
import sysconfig
from typing import Any

from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.failure.frames import window
from aiex_ipy.grounding.failure.record import FrameRecord
from aiex_ipy.grounding.failure.sources import GONE, Sources, library_of
from aiex_ipy.grounding.live.description import CHARACTERS, Description
from aiex_ipy.grounding.owners import shown_path
from aiex_ipy.redaction.shapes import WITHHELD, is_secret_name, is_token_name

SECONDS = 20
"""After this py-spy is stopped: it may wait for a process that is stopped itself."""
MOST_FRAMES = 20
MOST_LOCALS = 10

Stacks = list[tuple[str, tuple[FrameRecord, ...]]]


def is_running(pid: int) -> bool:
    """True when a process has this id. Nothing is sent to it."""
    if not 0 < pid < 1 << 31:
        return False
    if os.path.isdir("/proc/self"):
        return os.path.isdir(f"/proc/{pid}")
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def stacks_of(pid: int, sources: Sources) -> tuple[Stacks, dict[str, str]]:
    """Return the stacks of a process's threads, as `py-spy dump` tells them, and the values of
    secret-looking names in them, which are to be masked elsewhere too.

    Raises UsageError when py-spy is not installed, may not look, or the process is not Python.
    Source: py-spy 0.4, `dump --json --locals`.
    """
    import msgspec

    program = _program()
    try:
        done = subprocess.run(
            [program, "dump", "--json", "--locals", "--pid", str(pid)],
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"py-spy gave no stack of process {pid} within {SECONDS} s.",
            code="process_unreadable",
            hint="Check that the process is not stopped, and ask again.",
        ) from None
    if done.returncode:
        raise _refused(pid, done.stderr.decode(errors="replace"))
    threads = msgspec.json.decode(done.stdout)
    found: Stacks = []
    for thread in threads:
        name = thread.get("thread_name") or f"thread {thread.get('os_thread_id') or '?'}"
        state = "runs" if thread.get("active") else "waits"
        gil = ", holds the interpreter lock" if thread.get("owns_gil") else ""
        frames = [_frame(each, sources) for each in thread["frames"][:MOST_FRAMES]]
        found.append((f"{name} ({state}{gil})", tuple(_folded(frames[::-1]))))
    return found, _secrets(threads)


def _secrets(threads: list[dict[str, Any]]) -> dict[str, str]:
    """The texts that secret-looking locals hold, by name."""
    return {
        each["name"]: (each.get("repr") or "").strip("\"'")
        for thread in threads
        for frame in thread["frames"]
        for each in frame.get("locals") or ()
        if is_secret_name(each["name"]) or is_token_name(each["name"])
    }


def _program() -> str:
    own = os.path.join(sysconfig.get_path("scripts"), "py-spy")
    found = own if os.path.isfile(own) else shutil.which("py-spy")
    if found is None:
        raise UsageError(
            "Looking into another process needs py-spy, which is not installed.",
            code="py_spy_missing",
            hint='Install it by `pip install "aiex[processes]"`.',
        )
    return found


def _refused(pid: int, said: str) -> UsageError:
    words = said.lower()
    if not is_running(pid):
        return UsageError(f"There is no process {pid}.", code="no_process", hint="Check the id.")
    if "permission denied" in words or "not permitted" in words or "os error 13" in words:
        return UsageError(
            f"This user may not look into process {pid}.",
            code="process_denied",
            hint="Run as its owner or as root, or set kernel.yama.ptrace_scope to 0 with sysctl.",
        )
    if "python version" in words or "python interpreter" in words or "libpython" in words:
        return UsageError(
            f"Process {pid} is not a Python process.", code="not_python", hint="Check the id."
        )
    first = next((each.strip() for each in said.splitlines() if each.strip()), "nothing")
    return UsageError(
        f"py-spy could not read process {pid}: {first!r}.",
        code="process_unreadable",
        hint="Ask again; the process may have been starting or ending.",
    )


def _frame(told: dict[str, Any], sources: Sources) -> FrameRecord:
    file, line = told["filename"], told["line"]
    user = sources.is_users(file)
    lines = linecache.getlines(file) if user else []
    return FrameRecord(
        function=told["name"],
        place=shown_path(file, sources.project_dir) if user else library_of(file),
        line=line,
        user=user,
        lines=window(lines, line, inner=False) if 0 < line <= len(lines) else (),
        missing=GONE if user and not lines else "",
        variables=tuple(_local(each) for each in (told.get("locals") or [])[:MOST_LOCALS]),
    )


def _local(told: dict[str, Any]) -> Description:
    name, value = told["name"], told.get("repr") or ""
    if is_secret_name(name) or is_token_name(name):
        return Description(name=name, type="?", value=WITHHELD, withheld=True)
    short = value if len(value) <= CHARACTERS else f"{value[: CHARACTERS - 1]}…"
    return Description(name=name, type=_type(value), value=short)


def _type(value: str) -> str:
    """The type as far as py-spy's text tells it."""
    starts = {'"': "str", "[": "list", "{": "dict", "(": "tuple", "<": value[1:].split(" ")[0]}
    if value in ("True", "False"):
        return "bool"
    if value == "None":
        return "NoneType"
    if value[:1] in starts:
        return starts[value[:1]]
    digits = value.lstrip("-")
    return "int" if digits.isdigit() else "float" if digits[:1].isdigit() else "?"


def _folded(frames: list[FrameRecord]) -> list[FrameRecord]:
    """The user's frames and the last of the libraries', those between counted."""
    from msgspec.structs import replace

    found: list[FrameRecord] = []
    left: list[FrameRecord] = []
    for number, frame in enumerate(frames):
        if not frame.user and number < len(frames) - 1:
            left.append(frame)
            continue
        names = tuple(dict.fromkeys(each.place for each in left))
        found.append(replace(frame, folded=len(left), libraries=names))
        left = []
    return found
