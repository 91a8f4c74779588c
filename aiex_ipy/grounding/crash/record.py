"""What a child process left of its crash: written there, read by the parent."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.failure.record import Failure
from aiex_ipy.grounding.fix import Source

FILE = "AIEX_CRASH_FILE"
"""The environment variable that tells a child where to write."""
PATHS = "PYTHONPATH"
SITE = Path(__file__).with_name("site")

Where = Literal["main", "test", "thread", "unraisable"]
_ORDER: tuple[Where, ...] = ("main", "test", "thread", "unraisable")


class Crash(Struct, frozen=True, kw_only=True):
    """One uncaught exception of a child: `where` it ended, the failure, what the facts say, and
    the text a fix would be for."""

    where: Where
    failure: Failure
    diagnoses: tuple[Diagnosis, ...] = ()
    source: Source | None = None
    shown: str = ""


def environment(path: str, environ: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a Python child, or a pytest one, that writes its crashes to
    `path`. A `sitecustomize` of our own comes first; it runs the user's after it."""
    found = dict(os.environ if environ is None else environ)
    before = found.get(PATHS)
    root = str(Path(__file__).parents[3])
    found[PATHS] = os.pathsep.join([str(SITE), *([before] if before else [])])
    found[FILE] = os.pathsep.join([path, root, before or ""])
    return found


def append(path: str | int, crash: Crash) -> None:
    """Write a crash behind those before, as one line of JSON, to a path or file descriptor."""
    line = msgspec.json.encode(crash) + b"\n"
    if isinstance(path, int):
        os.write(path, line)
        return
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)


def read(path: str) -> Crash | None:
    """Return the crash that ended a child: what its main thread died of, else its first failed
    test, thread or finalizer; None when nothing was written."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return None
    crashes = _crashes(data, path)
    return min(crashes, key=lambda each: _ORDER.index(each.where), default=None)


def failed_tests(path: str) -> int:
    """Return how many failing tests wrote a crash."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return 0
    return sum(each.where == "test" for each in _crashes(data, path))


def _crashes(data: bytes, path: str) -> list[Crash]:
    decoder = msgspec.json.Decoder(Crash)
    crashes = []
    for line in data.splitlines():
        try:
            crashes.append(decoder.decode(line))
        except msgspec.DecodeError:  # the child was killed while it wrote
            print(f"A crash in {path!r} was not written to its end.", file=sys.stderr)
    return crashes
