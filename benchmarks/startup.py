"""What the commands cost that only say something: SPEC 14, `version`, `--help`, `help ai`.

    python benchmarks/startup.py [--rounds 15]

Each is a process of its own, its CPU time over that of `python -c pass`, in turn with it.
`aiex ai analyze` over the same is measured by `benchmarks/analyze.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from processes import race
from rows import Row, keep, parser, ratio

GOALS = {"aiex version": 2.0, "aiex --help": 5.0, "aiex help ai": 6.0}
BASE = "python -c pass"


def measure(rounds: int) -> Iterator[Row]:
    """The rows."""
    aiex = str(Path(sys.executable).with_name("aiex"))
    rivals = {BASE: [sys.executable, "-c", "pass"]}
    rivals |= {name: [aiex, *name.split()[1:]] for name in GOALS}
    taken = race(rivals, rounds)
    for name, goal in GOALS.items():
        yield ratio(name, BASE, taken[name], taken[BASE], goal)


def main() -> None:
    asked = parser(__doc__).parse_args()
    keep(measure(asked.rounds), asked.rows)


if __name__ == "__main__":
    main()
