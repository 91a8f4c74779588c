"""What a child process left of its crash: written there, read by the parent."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from aiex_ipy.grounding.crash.writing import write
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.failure.record import Failure
from aiex_ipy.grounding.fix import Source

FILE = "AIEX_CRASH_FILE"
"""The environment variable that tells a child where to write. The first Python that starts takes
it away, so that those it starts itself are left alone."""
PATHS = "PYTHONPATH"
SITE = Path(__file__).with_name("site")

Where = Literal["main", "hook", "process", "test", "thread", "unraisable"]
_ORDER: tuple[Where, ...] = ("test", "process", "thread", "unraisable")


class Crash(Struct, frozen=True, kw_only=True, tag="crash"):
    """One uncaught exception of a child: `where` it ended, the failure, what the facts say, and
    the text a fix would be for, with `shown`, the same without secrets. Of `where`, "hook" is one
    that a hook of the program's own took; `process` names a process that the child forked."""

    where: Where
    failure: Failure
    diagnoses: tuple[Diagnosis, ...] = ()
    source: Source | None = None
    shown: str = ""
    process: str = ""


class Watched(Struct, frozen=True, kw_only=True, tag="watched"):
    """A Python was started that could be watched."""


class Unable(Struct, frozen=True, kw_only=True, tag="unable"):
    """An exception went uncaught that the child's Python had no aiex to capture with."""


class FailedTest(Struct, frozen=True, kw_only=True, tag="failed"):
    """One test failed, captured or not."""


class Left(Struct, frozen=True, kw_only=True):
    """All that a child left. `crashes` are in the order of time, `failed` counts tests, `watched`
    is False where no Python took our `sitecustomize`, `able` False where one had no aiex."""

    crashes: tuple[Crash, ...] = ()
    failed: int = 0
    watched: bool = False
    able: bool = True

    def crash(self, code: int = 1) -> Crash | None:
        """Return the crash that ended a child with this exit code: what its main thread died of,
        or a process of its before that; else its first failed test, process, thread or finalizer.
        """
        ends = [each for each in self.crashes if each.where in ("main", "process", "hook")]
        if code == 0:  # a hook has shown an error that the program went on after
            ends = [each for each in ends if each.where != "hook"]
        if any(each.where != "process" for each in ends):
            return ends[0]
        rest = [each for each in self.crashes if each.where in _ORDER]
        return min(rest, key=lambda each: _ORDER.index(each.where), default=None)


def environment(path: str, environ: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a program whose first Python writes its crashes to `path`. A
    `sitecustomize` of our own comes first in it; that puts the environment back as it was, and
    runs the user's `sitecustomize` after it."""
    found = dict(os.environ if environ is None else environ)
    before = found.get(PATHS)
    root = str(Path(__file__).parents[3])
    found[PATHS] = os.pathsep.join([str(SITE), *([before] if before else [])])
    found[FILE] = os.pathsep.join([path, root, before or ""])
    return found


def append(path: str | int, crash: Crash) -> None:
    """Write a crash behind those before, as one line of JSON, to a path or file descriptor."""
    write(path, msgspec.json.encode(crash))


def read(path: str) -> Left:
    """Return what a child left; nothing where it wrote nothing."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return Left()
    decoder = msgspec.json.Decoder(Crash | Watched | Unable | FailedTest)
    found = []
    for line in data.splitlines():
        try:
            found.append(decoder.decode(line))
        except msgspec.DecodeError:  # the child was killed while it wrote
            print(f"A crash in {path!r} was not written to its end.", file=sys.stderr)
    return Left(
        crashes=tuple(each for each in found if isinstance(each, Crash)),
        failed=sum(isinstance(each, FailedTest) for each in found),
        watched=any(isinstance(each, Watched) for each in found),
        able=not any(isinstance(each, Unable) for each in found),
    )
