"""Rival commands, each a process of its own, by CPU time with that of their children."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile

SCRATCH = tempfile.TemporaryDirectory(prefix="aiex-bench-")
# Compiled modules, as after an installation, whatever this shell says about writing them.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT |= {"AIEX_DEFAULT_PROVIDER": "none", "PYTHONPYCACHEPREFIX": f"{SCRATCH.name}/pyc"}


def cpu_s(command: list[str]) -> float:
    """Run a command and return its CPU seconds with its children's. Source: `os.wait4`."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 4):  # 4: some files of a tree are in no known encoding
        raise SystemExit(f"{command!r} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def race(rivals: dict[str, list[str]], rounds: int) -> dict[str, list[float]]:
    """Let the rivals take turns, each round begun by another; print and return their seconds.

    The first rival is what the others are compared with.
    """
    for command in rivals.values():
        cpu_s(command)
    taken: dict[str, list[float]] = {name: [] for name in rivals}
    names = list(rivals)
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            taken[name].append(cpu_s(rivals[name]))
    base = taken[names[0]]
    for name, times in taken.items():
        middle, least = statistics.median(times), min(times)
        print(
            f"  {name:<34} median {middle * 1000:9.1f} ms  min {least * 1000:9.1f} ms"
            f"  {middle / statistics.median(base):6.2f}x  {least / min(base):6.2f}x",
            flush=True,
        )
    return taken
