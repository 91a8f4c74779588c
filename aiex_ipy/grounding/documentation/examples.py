"""Examples of a docstring, run in a bounded child process."""

from __future__ import annotations

import doctest
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

CHILD = os.path.join(os.path.dirname(__file__), "example_child.py")
TIME_S = 15.0
"""How long all examples of one docstring may take, the import of their package included."""
MEGABYTES = 4_096
"""Address space, of which numerical libraries reserve much that they never use."""
MOST_EXAMPLES = 60
Ran = Literal["ok", "differs", "failed", "not run"]


class Example(Struct, frozen=True, kw_only=True):
    """One example: `source` as it is typed, `expected` as the docstring shows it. `ran` is what
    came of running it: `ok`, `differs` (`got` is what it gave), `failed` (`got` is the error), or
    `not run` (`reason` says why)."""

    source: str
    expected: str = ""
    ran: Ran = "not run"
    got: str = ""
    reason: str = ""


def examples_in(docstring: str, reason: str) -> tuple[Example, ...]:
    """Return the examples of a docstring, none run, for a `reason`."""
    try:
        parsed = doctest.DocTestParser().get_examples(docstring)
    except ValueError:
        return ()
    return tuple(
        Example(source=each.source.rstrip("\n"), expected=each.want.rstrip("\n"), reason=reason)
        for each in parsed[:MOST_EXAMPLES]
    )


def run_examples(docstring: str, module: str, path: list[str]) -> tuple[Example, ...]:
    """Return the examples of a docstring with what came of running each, in order, in one process.

    The process has a time and a memory limit, a temporary working directory, none of the user's
    environment, no network where the system lets it be taken away (`unshare`), and refuses to
    write elsewhere, to start programs and to connect. `module` is imported there; `path` is where
    modules are found.
    """
    found = examples_in(docstring, "")
    if not found:
        return ()
    lines = [each.lineno for each in doctest.DocTestParser().get_examples(docstring)]
    skipped = [
        any(o is doctest.OPTIONFLAGS_BY_NAME["SKIP"] for o in each.options)
        for each in doctest.DocTestParser().get_examples(docstring)
    ]
    told, reason = _child(docstring, module, path)
    done = []
    for example, line, skip in zip(found, lines, skipped, strict=False):
        if line in told:
            ran, got = told[line]
            done.append(replace(example, ran=ran, got="" if ran == "ok" else got.rstrip("\n")))
        else:
            why = "the docstring says to skip it" if skip else reason
            done.append(replace(example, reason=why))
    return tuple(done)


def _child(docstring: str, module: str, path: list[str]) -> tuple[dict[int, tuple[Ran, str]], str]:
    """Return what was told by line, and why what was not told was not run."""
    order = {
        "text": docstring,
        "module": module,
        "path": path,
        "seconds": int(TIME_S),
        "megabytes": MEGABYTES,
    }
    with tempfile.TemporaryDirectory(prefix="aiex-examples-") as home:
        command = [*_without_network(), sys.executable, "-I", "-B", CHILD]
        child = subprocess.Popen(
            command,
            cwd=home,
            env=_environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        reason = "the examples before it ended the run"
        try:
            out, _ = child.communicate(json.dumps(order).encode(), TIME_S)
        except subprocess.TimeoutExpired:
            child.kill()
            out, _ = child.communicate()
            reason = f"the time limit of {TIME_S:.0f} s was reached"
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    told: dict[int, tuple[Ran, str]] = {}
    for line in out.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if "broken" in said:
            reason = f"{module!r} cannot be imported there: {said['broken']}"
        else:
            told[said["line"]] = (said["ran"], said["got"])
    return told, reason


@cache
def _without_network() -> tuple[str, ...]:
    """The command prefix under which a program has no network, `()` where there is none."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    command = (unshare, "--user", "--map-root-user", "--net", "--")
    try:
        tried = subprocess.run([*command, "true"], capture_output=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return command if tried.returncode == 0 else ()


def _environment(home: str) -> dict[str, str]:
    kept = {
        key: os.environ[key]
        for key in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")
        if key in os.environ
    }
    return {
        **kept,
        "HOME": home,
        "TMPDIR": home,
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": home,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
