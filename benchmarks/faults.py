"""Every fault that a server can show, in real time: `python -m benchmarks faults`.

    python benchmarks/faults.py [--at-once 24]

Each entry of `aiex_ipy/testing/faults.py` is tried on each wire that can show it, streamed and in
one piece, through the router over real servers on loopback: once where the provider is alone and
once beside a second one that is well. Waits between attempts are as long as they are for users;
the deadlines of what never comes are short, by `llm.providers.*.timeout_ms` and
`llm.idle_timeout_ms`. Many are tried at once, since most of the time is waiting; those whose time
has a goal are tried alone. `--rounds` changes nothing: what is shown is what happens, not how fast.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rows import Row, keep, parser

from aiex_ipy.errors import InterruptedAnswerError
from aiex_ipy.testing.certificates import self_signed
from aiex_ipy.testing.fault_trials import Seen, Trial, problems, trials, tried

TIMED = {9: "refused, until the next one answered", 34: "cancelled, until the server saw it"}
TIMED |= {35: "left, until the server saw it"}
GOALS_MS = {9: 100.0, 34: 500.0, 35: 500.0}
HEAD = (
    f"{'row and fault':52} {'wire':9} {'way':8} {'result':32} {'attempts':>8} {'seconds':>8}"
    f"  {'next provider':13} {'seconds':>8}"
)


class Shown(NamedTuple):
    """A trial, alone and beside a provider that is well, and what was not as it must be."""

    trial: Trial
    alone: Seen
    beside: Seen
    wrong: list[str]

    def __str__(self) -> str:
        way = "streamed" if self.trial.streamed else "whole"
        attempts = self.alone.error.attempts if self.alone.error else self.alone.requests
        following = "answers" if self.beside.well else "not asked"
        return (
            f"{self.trial.fault.row:2} {self.trial.fault.what:49} {self.trial.wire:9} {way:8}"
            f" {result(self.alone):32} {attempts:8} {self.alone.seconds:8.2f}"
            f"  {following:13} {self.beside.seconds:8.2f}"
        )


def result(seen: Seen) -> str:
    """The code of the error, or how the answer ended."""
    if isinstance(seen.error, InterruptedAnswerError):
        return f"{seen.code} ({seen.error.reason})"
    if seen.answer is not None and seen.answer.finish != "stop":
        return f"answer ({seen.answer.finish})"
    return seen.code or "answer"


def show(trial: Trial, certificate: tuple[str, str]) -> Shown:
    """Try it both ways."""
    alone = tried(trial, certificate=certificate, real_time=True)
    beside = tried(trial, certificate=certificate, real_time=True, beside=True)
    wrong = problems(trial, alone) + problems(trial, beside, beside=True)
    return Shown(trial, alone, beside, wrong)


def measure(at_once: int) -> list[Shown]:
    """Try all, in the catalogue's order; nothing else goes on while times are taken."""
    everything = trials()
    with tempfile.TemporaryDirectory() as place:
        certificate = self_signed(Path(place))
        timed = {str(each): show(each, certificate) for each in everything if is_timed(each)}
        with ThreadPoolExecutor(at_once) as pool:
            rest = [each for each in everything if not is_timed(each)]
            waited = dict(zip(map(str, rest), pool.map(lambda t: show(t, certificate), rest)))
    found = timed | waited
    return [found[str(each)] for each in everything]


def is_timed(trial: Trial) -> bool:
    return trial.fault.row in TIMED


def report(found: Sequence[Shown], seconds: float) -> Iterator[Row]:
    """Print the table; yield its rows."""
    print(HEAD)
    for each in found:
        print(each, *(f"   WRONG: {wrong}" for wrong in each.wrong), sep="\n")
    wrong = [each for each in found if each.wrong]
    rows = len({each.trial.fault.row for each in found})
    print(
        f"\nrows: {rows}, combinations: {len(found)}, each alone and beside another provider,"
        f" unexpected: {len(wrong)}; {seconds:.0f} s"
    )
    yield Row(
        "faults handled otherwise", f"{len(found)} combinations", len(wrong), len(wrong), 0, ""
    )
    for row, what in TIMED.items():
        times = sorted(
            (each.beside.seconds if row == 9 else each.alone.gone_s or 0.0) * 1e3
            for each in found
            if each.trial.fault.row == row
        )
        yield Row(what, "nothing", times[len(times) // 2], times[0], GOALS_MS[row], "ms")


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--at-once", type=int, default=24)
    asked = words.parse_args()
    began = time.monotonic()
    found = measure(asked.at_once)
    keep(report(found, time.monotonic() - began), asked.rows)
    sys.exit(any(each.wrong for each in found))


if __name__ == "__main__":
    main()
