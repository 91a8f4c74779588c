"""The rows of the table of `python -m benchmarks`: what was measured, and its goal."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """What was measured over what; `middle` is of medians, `least` of minima; at most `goal`.

    `unit` is `x` for a ratio, else that of a difference.
    """

    what: str
    over: str
    middle: float
    least: float
    goal: float
    unit: str = "x"

    @property
    def met(self) -> bool:
        """Whether the median reaches the goal."""
        return self.middle <= self.goal

    def __str__(self) -> str:
        sign = "+" if self.unit != "x" else ""
        middle, least = (f"{value:{sign}.2f} {self.unit}" for value in (self.middle, self.least))
        goal = f"{'≤ '}{self.goal:{sign}g} {self.unit}"
        verdict = "met" if self.met else "MISSED"
        return f"{self.what:44} {self.over:24} {middle:>10} {least:>10}  {goal:10} {verdict}"


HEAD = f"{'what':44} {'over':24} {'median':>10} {'minimum':>10}  {'goal':10}"


def ratio(what: str, over: str, ours: Sequence[float], base: Sequence[float], goal: float) -> Row:
    """A row of a ratio: of medians, and of minima."""
    middle = statistics.median(ours) / statistics.median(base)
    return Row(what, over, middle, min(ours) / min(base), goal)


def parser(about: str | None) -> argparse.ArgumentParser:
    """A parser for a benchmark, with `--rounds` and `--rows`."""
    words = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    words.add_argument("--rounds", type=int, default=15)
    words.add_argument("--rows", type=Path, help="append the rows to this file, as JSON lines")
    return words


def keep(rows: Iterable[Row], file: Path | None) -> None:
    """Print the rows, and append them to `file`."""
    rows = list(rows)
    print("", HEAD, *rows, sep="\n")
    if file is not None:
        with file.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in rows)


def kept(file: Path) -> list[Row]:
    """The rows of a file."""
    return [Row(*json.loads(line)) for line in file.read_text("utf-8").splitlines()]
