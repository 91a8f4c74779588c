"""What a call costs over the vendors' SDKs: SPEC 14, "one non-streamed call" and the two below.

    python benchmarks/calls.py [--rounds 15] [--calls 100] [--streams 200]

A loopback server in a process of its own answers at once: with the question, or with the question
and 499 words, a delta each. In one process and one run, the raw SDKs, the bare transport and ours
take turns, round by round; what counts is this process's CPU time (`time.process_time`), and for
the 200 streams at once the wall time too. Every question is another one, every answer is compared
with what was asked for, and the server must have counted as many requests as were made. One row is
taken with the default limits of remote vendors. Medians stand beside minima. Ratios are of medians,
ours over the vendor's own. `benchmarks/peers.py` adds other clients to the same run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from asking import TOKENS, Asker
from clients import Ours, RawOpenAI, everyone
from rows import Row, keep, parser, ratio

from aiex_ipy.config.settings import LLMSettings

Found = dict[str, dict[str, list[float]]]
PEERS = {"ours, anthropic": "anthropic SDK"}
GOALS = {"openai SDK": (1.1, 0.3, 0.4), "anthropic SDK": (1.1, 0.8, 0.4)}
"""One call, one streamed token, many streams at once."""
LIMITED = "ours, default limits"
LIMITED_CALLS = 20
AT_ONCE_ROUNDS = 3


class Measured(Protocol):
    """A client that measures itself; `asked` counts its questions."""

    asked: int

    async def warm(self) -> None: ...
    async def calls(self, times: int) -> float: ...
    async def streams(self, times: int) -> float: ...
    async def at_once(self, times: int) -> tuple[float, float]: ...


@contextlib.contextmanager
def server(tokens: int, counts: list[int]) -> Iterator[str]:
    """A server process; how many questions it was asked is added to `counts` at its end."""
    command = [sys.executable, "-m", "aiex_ipy.testing.loopback", "--tokens", str(tokens), "--echo"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdin is not None
    try:
        yield json.loads(child.stdout.readline())["url"]
    finally:
        child.stdin.close()
        counts.append(json.loads(child.stdout.readline())["asked"])
        child.wait()


async def interleaved(
    clients: Mapping[str, Measured], rounds: int, calls: int, streams: int
) -> Found:
    """Let the clients take turns; whoever is not of this process has one round of streams at once,
    because some need minutes for it."""
    found: Found = {}
    for name, client in clients.items():
        await client.warm()
        found[name] = {"call": [], "token": [], "at once": [], "at once, CPU": []}
    for number in range(rounds):
        for name in _turned(list(clients), number):
            found[name]["call"].append(await clients[name].calls(calls))
            found[name]["token"].append(await clients[name].streams(4))
    for number in range(AT_ONCE_ROUNDS):
        for name, client in clients.items():
            if number == 0 or isinstance(client, Asker):
                wall, cpu = await client.at_once(streams)
                found[name]["at once"].append(wall)
                found[name]["at once, CPU"].append(cpu)
    return found


def _turned(names: list[str], number: int) -> list[str]:
    start = number % len(names)
    return names[start:] + names[:start]


async def limited(url: str) -> tuple[dict[str, list[float]], float, int]:
    """CPU microseconds of each call with the limits a remote vendor has by default, in turn with
    the raw SDK's; the wall seconds of ours; and how many were asked.

    A server on this machine has no limits by itself, so they are configured.
    """
    llm = LLMSettings()
    ours = Ours(
        "openai",
        url,
        requests_per_minute=llm.rate_limit.requests_per_minute,
        burst_size=llm.rate_limit.burst_size,
        max_concurrent_requests=llm.max_concurrent_requests,
    )
    raw = RawOpenAI(url)
    both = {LIMITED: Asker(LIMITED, ours, ours), "openai SDK": Asker("limited SDK", raw, raw)}
    for asker in both.values():
        await asker.calls(1)
    cpu: dict[str, list[float]] = {name: [] for name in both}
    wall = 0.0
    for _ in range(LIMITED_CALLS):
        for name, asker in both.items():
            start = time.perf_counter()
            cpu[name].append(await asker.calls(1))
            if name == LIMITED:
                wall += time.perf_counter() - start
    return cpu, wall, sum(asker.asked for asker in both.values())


def measure(
    rounds: int, calls: int, streams: int, others: Any = None
) -> tuple[Found, dict[str, list[float]], float]:
    """Measure everyone; `others(short, long)` gives the clients of other processes."""
    counts: list[int] = []
    asked = 0
    with server(1, counts) as one_word, server(TOKENS, counts) as many_words:

        async def run() -> tuple[Found, dict[str, list[float]], float]:
            nonlocal asked
            short, long = everyone(one_word), everyone(many_words)
            clients: dict[str, Measured] = {
                name: Asker(name, short[name], long[name]) for name in short
            }
            if others is not None:
                clients |= others(one_word, many_words)
            found = await interleaved(clients, rounds, calls, streams)
            cpu, wall, more = await limited(one_word)
            asked = sum(client.asked for client in clients.values()) + more
            return found, cpu, wall

        measured = asyncio.run(run())
    assert sum(counts) == asked, f"{asked} questions were asked, the servers got {sum(counts)}"
    print(f"{asked} questions were asked, all different; the servers counted as many")
    return measured


def report(
    found: Found, cpu: dict[str, list[float]], wall: float, streams: int, peers: tuple[str, ...]
) -> Iterator[Row]:
    """Print what was measured; yield its ratios to what the goals name."""
    heads = ("CPU µs/call", "CPU µs/token", f"{streams} streams, s", "their CPU, s")
    print(f"{'median (minimum)':28}" + "".join(f"{head:>20}" for head in heads))
    for name, row in found.items():
        cells = [f"{statistics.median(values):.4g} ({min(values):.4g})" for values in row.values()]
        print(f"{name:28}" + "".join(f"{cell:>20}" for cell in cells))
    for name, values in cpu.items():
        print(f"{name:28}{statistics.median(values):12.4g} ({min(values):.4g}), paced alike")
    limits = LLMSettings().rate_limit
    print(
        f"{LIMITED_CALLS} calls with the default limits took {wall:.1f} s: {limits.burst_size} at"
        f" once, then {limits.requests_per_minute} a minute"
    )
    said = {"call": "one call, CPU", "token": "a streamed token, CPU"}
    said["at once"] = f"{streams} streams at once"
    for name, row in found.items():
        if not name.startswith("ours"):
            continue
        sdk = PEERS.get(name, "openai SDK")
        for what, goal in zip(said, GOALS[sdk], strict=True):
            over = "openai SDK" if what == "at once" else sdk  # the goal's own measure
            label = f"{said[what]}: {name.removeprefix('ours, ')}"
            yield ratio(label, over, row[what], found[over][what], goal)
    yield ratio("one call, CPU: default limits", "openai SDK", *cpu.values(), 1.1)
    for peer in peers:
        kind = "anthropic" if peer.endswith("anthropic") else "openai"
        for what, label in said.items():
            ours = found[f"ours, {kind}"]
            yield ratio(f"{label}: {kind}", peer, ours[what], found[peer][what], 1.0)


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--calls", type=int, default=100)
    words.add_argument("--streams", type=int, default=200)
    asked = words.parse_args()
    found, cpu, wall = measure(asked.rounds, asked.calls, asked.streams)
    keep(report(found, cpu, wall, asked.streams, ()), asked.rows)


if __name__ == "__main__":
    main()
