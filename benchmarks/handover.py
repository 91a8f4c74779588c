"""What handing words over to another thread costs: SPEC 14, "first token, engine to screen".

    python benchmarks/handover.py [--rounds 15] [--tokens 2000]

A provider in this process says a word every half millisecond; the main thread reads the answer
through `Engine.updates`. In turn, words are handed over in batches (as they are) and each one as
it comes (as they would be without); what counts is the process's CPU time and its thread
switches (`getrusage`, those given up and those taken), per word. And how long the first word
takes from the engine's loop to the reader.
"""

from __future__ import annotations

import asyncio
import functools
import resource
import statistics
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any

from rows import Row, keep, parser, ratio

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Settings
from aiex_ipy.engine import engine as engines
from aiex_ipy.engine.jobs import HOLD_S, Job
from aiex_ipy.messages import Chunk, Finish, ModelInfo, ModelRequest, Opened, TextDelta, Usage
from aiex_ipy.operations.ask import AskRequest
from aiex_ipy.operations.base import Text
from aiex_ipy.routing.router import Router

PACE_S = 0.0005
FIRST = "0 "
WAYS = {"in batches": HOLD_S, "each as it comes": 0.0}


class Paced:
    """A provider that says numbered words at a steady pace."""

    name = kind = "paced"
    prompt_budget_tokens = None

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    async def stream(self, request: ModelRequest, /) -> AsyncGenerator[Chunk, None]:
        yield Opened(provider=self.name, model="paced-model")
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number in range(self.tokens):
            yield TextDelta(f"{number} ")
            ahead = start + (number + 1) * PACE_S - loop.time()
            await asyncio.sleep(max(0.0, ahead))
        yield Finish(reason="stop", model="paced-model", usage=Usage(output_tokens=self.tokens))

    async def models(self) -> Sequence[ModelInfo]:
        return [ModelInfo(name="paced-model")]

    async def available(self, within_s: float, /) -> bool:
        return True

    async def aclose(self) -> None:
        pass


def engine_for(tokens: int) -> engines.Engine:
    instance = ProviderSettings(name="paced", kind="paced", model="paced-model")
    settings = Settings(llm=LLMSettings(default_provider="paced", providers={"paced": instance}))
    return engines.Engine(settings, models=Router(settings, providers={"paced": Paced(tokens)}))


def switches() -> tuple[int, int]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_nvcsw, used.ru_nivcsw


def read(engine: engines.Engine, tokens: int, hold_s: float, number: int) -> tuple[float, float]:
    """CPU microseconds and thread switches per word of one answer, of which nothing is lost."""
    made: Any = functools.partial(Job, hold_s=hold_s)
    engines.Job = made  # type: ignore[misc]
    before, cpu = switches(), time.process_time()
    items = list(engine.updates(AskRequest(query=f"count, {number}, {hold_s}")))
    cpu, after = time.process_time() - cpu, switches()
    engines.Job = Job  # type: ignore[misc]
    words = "".join(item.text for item in items if isinstance(item, Text))
    assert words == "".join(f"{number} " for number in range(tokens)), "a word was lost"
    return cpu / tokens * 1e6, (sum(after) - sum(before)) / tokens


def first_words(times: int) -> list[float]:
    """Milliseconds from the first word on the loop to the reader, in order of size."""
    engine = engine_for(20)
    came: list[float] = []
    waits: list[float] = []
    put = Job.put

    def timed(job: Any, update: Any) -> None:
        if type(update) is Text and update.text == FIRST:
            came.append(time.perf_counter())
        put(job, update)

    Job.put = timed  # type: ignore[method-assign]
    try:
        for number in range(times):
            for item in engine.updates(AskRequest(query=f"say, {number}")):
                if type(item) is Text and item.text == FIRST:
                    waits.append((time.perf_counter() - came[-1]) * 1e3)
    finally:
        Job.put = put  # type: ignore[method-assign]
        engine.close()
    return sorted(waits[1:])


def measure(rounds: int, tokens: int) -> Iterator[Row]:
    """Print what was measured; yield its rows."""
    engine = engine_for(tokens)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    try:
        read(engine, tokens, 0.0, -1)
        for number in range(rounds):
            for name in sorted(WAYS, reverse=bool(number % 2)):
                found[name].append(read(engine, tokens, WAYS[name], number))
    finally:
        engine.close()
    cpu, switched = ({name: [pair[i] for pair in found[name]] for name in WAYS} for i in (0, 1))
    print(f"{tokens} words, one every {PACE_S * 1e3:g} ms")
    for name in WAYS:
        print(
            f"{name:18} CPU median {statistics.median(cpu[name]):6.1f} µs, "
            f"min {min(cpu[name]):6.1f} µs; "
            f"switches median {statistics.median(switched[name]):5.2f}, "
            f"min {min(switched[name]):5.2f} a word"
        )
    batches, each = WAYS
    yield ratio("a word to the reader, CPU", "each as it comes", cpu[batches], cpu[each], 0.9)
    yield ratio(
        "a word to the reader, switches", "each as it comes", switched[batches], switched[each], 0.9
    )
    waits = first_words(6 * rounds)
    p95 = waits[int(len(waits) * 0.95)]
    yield Row("first word, engine to reader, p95", "nothing", p95, waits[0], 5.0, "ms")


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--tokens", type=int, default=2000)
    asked = words.parse_args()
    keep(measure(asked.rounds, asked.tokens), asked.rows)


if __name__ == "__main__":
    main()
