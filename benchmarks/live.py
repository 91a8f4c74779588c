"""How long describing live values takes, and what it adds to memory: SPEC, facts in 200 ms.

    python benchmarks/live.py [--rounds 15]

Values no description may be slow for: frames of 2 GB of numbers and of objects, a dictionary of ten
million keys, deep and wide structures, namespaces of 10,000 and 100,000 names. Each is described
`rounds` times, the first time, which loads what describes it, told beside. What counts is wall time
in milliseconds; memory is what the peak of the process grew by during all rounds.
"""

from __future__ import annotations

import random
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from rows import Row, keep, parser

from aiex_ipy.grounding.live.describe import describe, line
from aiex_ipy.grounding.live.namespace import namespace

GOAL_MS = 200.0


def numbers() -> pd.DataFrame:
    return pd.DataFrame(np.zeros((12_500_000, 20)), columns=[f"c{i}" for i in range(20)])


def objects() -> pd.DataFrame:
    kinds = [1, "a", None, 2.5, object()]
    column = np.array([kinds[i % 5] for i in range(1_000)] * 12_500, dtype=object)
    return pd.DataFrame({f"c{i}": column.copy() for i in range(20)}, copy=False)


def many_columns() -> pd.DataFrame:
    return pd.DataFrame(np.zeros((10, 100_000)))


def deep() -> Any:
    found: Any = []
    for _ in range(1_000_000):
        found = [found, {"more": found}]
    return found


class Thing:
    def __init__(self) -> None:
        self.__dict__.update({f"attribute_{number}": number for number in range(100_000)})


def names(count: int) -> dict[str, Any]:
    mixed: list[Any] = [1, "text", [1, 2], {"a": 1}, np.zeros(10), pd.DataFrame({"a": [1]}), len]
    chosen = random.Random(1)
    return {f"name_{number}": chosen.choice(mixed) for number in range(count)}


VALUES: dict[str, Callable[[], Any]] = {
    "2 GB frame of float64": numbers,
    "2 GB frame of objects": objects,
    "frame of 100,000 columns": many_columns,
    "1 GB array": lambda: np.zeros((11_000, 11_000)),
    "polars frame, 1 GB": lambda: pl.DataFrame({f"c{i}": np.zeros(12_500_000) for i in range(10)}),
    "dictionary of 1e7 keys": lambda: dict.fromkeys(range(10_000_000)),
    "set of 1e7 numbers": lambda: set(range(10_000_000)),
    "sets of 2,000 texts in lists": lambda: [[set(map(str, range(2_000)))] * 10] * 10,
    "text of 500 MB": lambda: "x" * 500_000_000,
    "integer of a million digits": lambda: 10**1_000_000,
    "two million containers, nested": deep,
    "object of 100,000 attributes": Thing,
    "class of pandas": lambda: pd.DataFrame,
    "module of pandas": lambda: pd,
}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(what: str, call: Callable[[], object], rounds: int) -> Row:
    """Print what was measured; return its row."""
    taken = []
    before = peak_mb()
    for _ in range(rounds + 1):
        start = time.perf_counter()
        call()
        taken.append((time.perf_counter() - start) * 1e3)
    first, *rest = taken
    middle, least = statistics.median(rest), min(rest)
    print(
        f"{what:34} first {first:7.1f} ms, median {middle:7.2f} ms, min {least:7.2f} ms, "
        f"max {max(rest):7.2f} ms, memory +{peak_mb() - before:.1f} MB",
        flush=True,
    )
    return Row(f"describe: {what}", "nothing", middle, least, GOAL_MS, "ms")


def measured(rounds: int) -> Iterator[Row]:
    for what, make in VALUES.items():
        value = make()
        yield timed(what, lambda value=value: line(describe(value, "value")), rounds)  # type: ignore[misc]
        del value
    for count in (10_000, 100_000):
        held = names(count)
        yield timed(f"{count:,} names", lambda held=held: namespace(held), rounds)  # type: ignore[misc]


def main() -> None:
    given = parser(__doc__).parse_args()
    keep(measured(given.rounds), given.rows)


if __name__ == "__main__":
    main()
