"""Many requests at once over three providers that fail by chance: does every one end as it must?

    python -m aiex_ipy.testing.soak --minutes 10 --seed 7

Three loopback servers speak the wires of OpenAI, Anthropic and Ollama, with faults put in; one
after the other is switched off for a moment. Requests stream or not, ask for JSON or not, name a
provider or not, are batch work or not; some are cancelled, some closed after a few words. What is
chosen depends on the seed alone. What is found wrong stands in `SoakReport.problems`:

- a request that ended neither with an answer nor with an AiexError nor as it was cancelled;
- a text that no server said wholly, or a partial text that is not the beginning of one;
- after each round: requests under way, slots taken, tasks; after the last: connections;
- memory that grows from round to round.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from aiex_ipy.config.settings import (
    CircuitBreakerSettings,
    LLMSettings,
    ProviderSettings,
    Secret,
    Settings,
)
from aiex_ipy.errors import AiexError, InterruptedAnswerError
from aiex_ipy.messages import Answer, Finish, Message, ModelRequest, Opened
from aiex_ipy.providers.fold import AnswerFold
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.router import Router
from aiex_ipy.routing.state import RoutingState
from aiex_ipy.testing.fault_injection import Injector
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Wire

WIRES: tuple[Wire, ...] = ("openai", "anthropic", "ollama")
ROUNDS = 6
"""After each, when nothing is under way, it is looked at what is left."""

WARM_UP = 500
"""Requests of which on memory is compared; before that modules are loaded and caches filled."""

MOST_PROBLEMS = 20
"""With so many it ends early."""

HUNG_S = 60.0
"""No request may take longer: each attempt ends at its total deadline, and there are few."""

MOST_GROWTH_MB = 24.0
MOST_OBJECTS = 2_000
MOST_OBJECTS_EACH = 0.05
"""Objects of the garbage collector that may be left after the warm-up: so many for the connections
that are kept, and so many for each request."""

SCHEMA = {
    "type": "object",
    "properties": {
        "mark": {"type": "string"},
        "words": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["mark", "words"],
    "additionalProperties": False,
}
LIMITS = LLMSettings(
    timeout_ms=1_000,
    connect_timeout_ms=1_000,
    idle_timeout_ms=700,
    total_timeout_ms=4_000,
    max_retries=2,
    retry_budget_ms=2_000,
    circuit_breaker=CircuitBreakerSettings(recovery_time_ms=500),
)


class SoakReport(Struct, frozen=True, kw_only=True):
    """What came of it; times in ms of those that ended with an answer, memory in MB."""

    seed: int
    seconds: float
    requests: int
    answers: int
    failed_over: int
    cancelled: int
    closed_early: int
    interrupted: int
    errors: dict[str, int]
    said: dict[str, int]
    p50_ms: float
    p95_ms: float
    resident_mb: tuple[float, ...]
    objects: tuple[int, ...]
    problems: tuple[str, ...]

    def __str__(self) -> str:
        lines = [
            f"{self.requests} requests in {self.seconds:.0f} s (seed {self.seed}):",
            f"  {self.answers} answers, {self.failed_over} of them after a failure elsewhere;"
            f" p50 {self.p50_ms:.0f} ms, p95 {self.p95_ms:.0f} ms",
            f"  {self.interrupted} interrupted, {self.cancelled} cancelled,"
            f" {self.closed_early} closed early",
            f"  errors: {_counts(self.errors)}",
            f"  servers said: {_counts(self.said)}",
            "  memory after each round: "
            + ", ".join(f"{each:.0f}" for each in self.resident_mb)
            + " MB; objects: "
            + ", ".join(str(each) for each in self.objects),
        ]
        lines += [f"  WRONG: {problem}" for problem in self.problems]
        return "\n".join([*lines, "  nothing wrong"] if not self.problems else lines)


def _counts(found: dict[str, int]) -> str:
    ordered = sorted(found.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {count}" for name, count in ordered)


def soak(*, seed: int, seconds: float, at_once: int = 24, rounds: int = ROUNDS) -> SoakReport:
    """Run for so many seconds with so many requests at once, and tell."""
    return asyncio.run(_Soak(seed, at_once).run(seconds, rounds))


class _Soak:
    def __init__(self, seed: int, at_once: int) -> None:
        self.seed, self.at_once = seed, at_once
        self.injectors = {wire: Injector(wire, seed=seed) for wire in WIRES}
        self.servers = {wire: self._server(wire) for wire in WIRES}
        self.state = RoutingState(random=random.Random(seed).random)  # noqa: S311
        self.router = Router(self._settings(), state=self.state)
        self.errors: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.times_ms = array("f")
        self.problems: list[str] = []
        self.number = 0

    def _server(self, wire: Wire, port: int = 0) -> LoopbackServer:
        server = LoopbackServer()
        server.port = port
        server.reply = self.injectors[wire].reply
        return server.start()

    def _settings(self) -> Settings:
        providers = {}
        for wire, server in self.servers.items():
            providers[wire] = ProviderSettings(
                name=wire,
                kind=wire,
                base_url=server.openai_url if wire == "openai" else server.url,
                api_key=Secret("k"),
                model="m",
                priority=1,
                max_concurrent_requests=8 if wire == "openai" else None,
                requests_per_minute=6_000 if wire == "anthropic" else None,
            )
        return Settings(llm=msgspec.structs.replace(LIMITS, providers=providers))

    async def run(self, seconds: float, rounds: int) -> SoakReport:
        began = time.monotonic()
        resident, objects, requests = [], [], []
        try:
            for done in range(rounds):
                until = began + seconds * (done + 1) / rounds
                await self._round(until, outage_of=WIRES[done % len(WIRES)])
                self._check_idle()
                resident.append(_resident_mb())
                objects.append(_objects())
                requests.append(self.number)
            self._check_memory(resident, objects, requests)
        finally:
            await self.router.aclose()
            await asyncio.to_thread(self._check_closed)
        times = sorted(self.times_ms) or [0.0]
        return SoakReport(
            seed=self.seed,
            seconds=time.monotonic() - began,
            requests=self.number,
            answers=self.told["answer"],
            failed_over=self.told["failed over"],
            cancelled=self.told["cancelled"],
            closed_early=self.told["closed early"],
            interrupted=self.errors["interrupted"],
            errors=dict(self.errors),
            said=dict(sum((each.said for each in self.injectors.values()), Counter[str]())),
            p50_ms=times[len(times) // 2],
            p95_ms=times[len(times) * 95 // 100],
            resident_mb=tuple(resident),
            objects=tuple(objects),
            problems=tuple(self.problems),
        )

    async def _round(self, until: float, *, outage_of: Wire) -> None:
        workers = [self._work(until) for _ in range(self.at_once)]
        await asyncio.gather(self._outage(outage_of, until), *workers)

    async def _work(self, until: float) -> None:
        while True:
            self.number += 1
            await _Request(self, self.number).run()
            if time.monotonic() >= until or len(self.problems) >= MOST_PROBLEMS:
                return

    async def _outage(self, wire: Wire, until: float) -> None:
        """Switch one server off for a moment, in mid-answer for some."""
        left = until - time.monotonic()
        await asyncio.sleep(left / 3)
        off = self.servers[wire]
        await asyncio.to_thread(off.stop)
        await asyncio.sleep(min(1.0, left / 6))
        self.servers[wire] = await asyncio.to_thread(self._server, wire, off.port)

    def _check_idle(self) -> None:
        """Nothing is under way: nothing may be left of what was."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            self._wrong(f"tasks are left: {tasks!r}")
        for wire in WIRES:
            standing = self.state.standing(self.router.instance(wire))
            if standing.in_flight:
                self._wrong(f"{standing.in_flight} requests of {wire} are still under way")
            for model, breaker in standing.breakers.items():
                if breaker.state == "half_open" and not breaker.lets_in:
                    self._wrong(f"the circuit of {wire} {model} waits for a probe nobody makes")
        for gate in self.state.gates():
            if gate.running or gate.waiting:
                self._wrong(f"a gate counts {gate.running} requests, {gate.waiting} waiting")
        if len(self.state.in_flight()):
            self._wrong(f"{len(self.state.in_flight())} requests can still be shared")
        for wire in WIRES:
            self.servers[wire].requests.clear()
            self.servers[wire].disconnects.clear()
            self.injectors[wire].forget()

    def _check_memory(
        self, resident: Sequence[float], objects: Sequence[int], requests: Sequence[int]
    ) -> None:
        warm = next((at for at, asked in enumerate(requests) if asked >= WARM_UP), -1)
        if resident[-1] - resident[warm] > MOST_GROWTH_MB:
            self._wrong(f"memory grew from {resident[warm]:.0f} to {resident[-1]:.0f} MB")
        since = requests[-1] - requests[warm]
        if objects[-1] - objects[warm] > MOST_OBJECTS + MOST_OBJECTS_EACH * since:
            self._wrong(f"objects grew from {objects[warm]} to {objects[-1]} in {since} requests")

    def _check_closed(self) -> None:
        for wire, server in self.servers.items():
            if not server.wait_until(partial(_has_no_client, server), timeout_s=20):
                self._wrong(f"{server.open_connections} connections to {wire} are open")
            server.stop()

    def _wrong(self, problem: str) -> None:
        self.problems.append(problem)


class _Request:
    """One request, from its choice to the check of its end."""

    def __init__(self, soak: _Soak, number: int) -> None:
        chance = random.Random(f"{soak.seed} {number}")  # noqa: S311
        self.soak = soak
        twin = number > 1 and chance.random() < 0.1
        self.as_json = chance.random() < 0.15
        self.mark = f"soak-{number - 1 if twin else number}" + " json" * self.as_json
        self.streamed = chance.random() < 0.7
        named = chance.choice(WIRES) if chance.random() < 0.2 else None
        self.choice = Choice(provider=named, batch=chance.random() < 0.5)
        ending = chance.random()
        self.cancel_after_s = chance.random() ** 2 if ending < 0.15 else None
        self.close_after = chance.randint(1, 10) if 0.15 <= ending < 0.25 else None
        self.fold = AnswerFold()
        self.note = ""

    def build(self, target: Target) -> ModelRequest:
        return ModelRequest(
            messages=(Message(role="user", content=self.mark),),
            model=target.model,
            max_tokens=target.max_tokens,
            response_schema=SCHEMA if self.as_json else None,
            stream=self.streamed,
        )

    async def run(self) -> None:
        began = time.monotonic()
        asking = asyncio.create_task(self._ask())
        timer = None
        if self.cancel_after_s is not None:
            timer = asyncio.get_running_loop().call_later(self.cancel_after_s, asking.cancel)
        done, _ = await asyncio.wait({asking}, timeout=HUNG_S)
        if timer is not None:
            timer.cancel()
        if not done:
            asking.cancel()
            self._wrong(f"has not ended after {HUNG_S:g} s")
            return
        if asking.cancelled():
            self.soak.told["cancelled"] += 1
            if self.cancel_after_s is None:
                self._wrong("was cancelled by nobody")
            return
        self._judge(asking.exception(), (time.monotonic() - began) * 1000)

    async def _ask(self) -> None:
        async with aclosing(self.soak.router.stream(self.build, self.choice)) as chunks:
            async for chunk in chunks:
                if type(chunk) is Opened:
                    self.note = chunk.note
                self.fold.add(chunk)
                if self.close_after is not None and not isinstance(chunk, Finish):
                    self.close_after -= 1
                    if not self.close_after:
                        self.soak.told["closed early"] += 1
                        return

    def _judge(self, error: BaseException | None, took_ms: float) -> None:
        soak = self.soak
        if error is None and self.close_after == 0:
            self._check_begun(self.fold.text)
        elif error is None:
            soak.told["answer"] += 1
            soak.told["failed over"] += "tried before" in self.note
            soak.times_ms.append(took_ms)
            self._check_whole(self.fold.answer())
        elif isinstance(error, AiexError):
            soak.errors[error.code] += 1
            if isinstance(error, InterruptedAnswerError):
                if error.partial != self.fold.text:
                    self._wrong(f"was shown {self.fold.text!r} and told of {error.partial!r}")
                if self.as_json:
                    self._wrong("showed half of a structured answer")
            elif self.fold.text:
                self._wrong(f"showed {self.fold.text!r} and ended with {error!r}")
            self._check_begun(self.fold.text)
        else:
            self._wrong(f"ended with {error!r}")

    def _check_whole(self, answer: Answer) -> None:
        said = [
            text
            for wire, injector in self.soak.injectors.items()
            if wire == answer.provider
            for text in injector.whole[self.mark]
        ]
        if self.as_json:
            told = [msgspec.json.decode(each) for each in said]
            right = msgspec.json.decode(answer.text) in told
        else:
            right = answer.text in said
        if not right:
            self._wrong(f"was answered {answer.text!r} by {answer.provider}, which said {said!r}")

    def _check_begun(self, text: str) -> None:
        injectors = self.soak.injectors.values()
        begun = [each for injector in injectors for each in injector.begun[self.mark]]
        if text and not self.as_json and not any(each.startswith(text) for each in begun):
            self._wrong(f"was shown {text!r}, which nobody said")

    def _wrong(self, problem: str) -> None:
        self.soak._wrong(f"{self.mark} {problem}")


def _has_no_client(server: LoopbackServer) -> bool:
    return not server.open_connections


def _resident_mb() -> float:
    """Memory of this process, in MB of 10^6 bytes; 0 where the system does not tell."""
    import os

    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _objects() -> int:
    gc.collect()
    return len(gc.get_objects())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; exit 1 when something was wrong."""
    import argparse

    words = argparse.ArgumentParser(prog="python -m aiex_ipy.testing.soak", description=__doc__)
    words.add_argument("--minutes", type=float, default=10.0)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--at-once", type=int, default=24)
    asked = words.parse_args(arguments)
    report = soak(seed=asked.seed, seconds=asked.minutes * 60, at_once=asked.at_once)
    print(report)
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
