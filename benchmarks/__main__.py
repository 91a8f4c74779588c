"""All benchmarks and one table: `make bench`, or `python -m benchmarks [--rounds N] [NAME]…`.

Each benchmark is a process of its own, so that none warms anything up for another. What the table
says, and how to read it, stands in `docs/explanation/speed.md`.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.rows import HEAD, kept

HERE = Path(__file__).parent
NAMES = ("startup", "ipython", "calls", "handover", "analyze", "live", "complete", "debug")
ON_REQUEST = ("peers", "faults")
"""These install what they measure, or wait for minutes, so they run only when they are named."""
KNOWN = ", ".join((*NAMES, *ON_REQUEST))


def main() -> int:
    """Run them, print the table; exit 1 when a goal was missed."""
    words = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    words.add_argument("names", nargs="*", metavar="NAME", help=f"of {KNOWN}")
    words.add_argument("--rounds", type=int, default=15, help="at least so many rounds each")
    asked = words.parse_args()
    unknown = set(asked.names) - {*NAMES, *ON_REQUEST}
    if unknown:
        words.error(f"there is no benchmark {min(unknown)!r}; there are {KNOWN}")
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder, "rows")
        rows.touch()
        for name in asked.names or NAMES:
            print(f"== {name}", flush=True)
            command = [sys.executable, HERE / f"{name}.py", "--rounds", str(asked.rounds)]
            subprocess.run([*command, "--rows", rows], check=True)
        found = kept(rows)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\nPython {platform.python_version()}, {os.cpu_count()} processors, load {load}")
    print(HEAD, *found, sep="\n")
    return 0 if all(row.met for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
