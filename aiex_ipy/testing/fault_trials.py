"""Each fault of the catalogue tried: through a provider, or through the router, alone or beside a
second provider that is well; and what is wrong with what was seen.

    for trial in trials():
        seen = tried(trial, beside=True, certificate=files)
        problems(trial, seen)           # empty when all is as the catalogue says

Everything is real but the waits between two attempts, which take no time unless `real_time`.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import ExitStack, aclosing, suppress
from functools import cache
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.errors import AiexError, InterruptedAnswerError, InvalidAnswerError
from aiex_ipy.messages import Answer, Chunk, Message, ModelRequest, TextDelta
from aiex_ipy.providers.fold import collect
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.router import Router
from aiex_ipy.routing.state import RoutingState
from aiex_ipy.testing.conformance import SCHEMA
from aiex_ipy.testing.fault_replies import KEY, NEAR, PIECES, TEXT
from aiex_ipy.testing.faults import CATALOGUE, Fault, Outcome
from aiex_ipy.testing.loopback import Listed, LoopbackServer, Received
from aiex_ipy.testing.replies import Raw, Reply, Wire
from aiex_ipy.testing.saying import Saying

MODEL = "table-model"
NO_NAME = "no_such_host!"
"""A name that the resolver refuses at once, without asking anybody."""

FAULTY, WELL = "faulty", "well"
WORDS = "word " * 2_400
"""A question that is too long for some."""

HURRY_MS = 100
UNSTREAMED_MS = 5
"""Deadlines for what never comes; that of an answer in one piece is multiplied by the providers."""

PATIENT_S = 60.0
UNSHOWN = (
    *("connect", "dns", "tls", "proxy", "redirect", "not_found", "quota", "credentials"),
    *("wrong_content", "too_large", "cut"),
)
"""Codes of errors that are not about a model, so that their messages name none."""


class Trial(Struct, frozen=True, kw_only=True):
    """One fault on one wire, streamed or not, and what must come of it."""

    fault: Fault
    wire: Wire
    streamed: bool
    outcome: Outcome

    def __str__(self) -> str:
        way = "streamed" if self.streamed else "whole"
        return f"{self.fault.row} {self.fault.what} - {self.wire} {way}"


class Seen(Struct, frozen=True, kw_only=True):
    """What came of a trial. `requests` are those the faulty server got, `well` those of the other;
    `waits` the seconds waited between attempts, `faults` what the breaker counted. `error` is
    None for an answer; `code` is "cancelled" or "left" where the caller went, which the server saw
    `gone_s` seconds later, None if it did not. `seconds` is from the question to the end. `address`
    is that of the faulty server."""

    code: str
    answer: Answer | None
    error: AiexError | None
    requests: int
    well: int
    waits: tuple[float, ...]
    faults: int
    cooling_s: float
    marked: bool
    seconds: float
    gone_s: float | None
    address: str


def trials() -> list[Trial]:
    """Every combination that the catalogue knows."""
    return [
        Trial(fault=fault, wire=wire, streamed=streamed, outcome=outcome)
        for fault in CATALOGUE
        for wire in fault.wires
        for streamed, outcome in ((True, fault.streamed), (False, fault.whole))
        if outcome is not None
    ]


def tried(
    trial: Trial,
    *,
    certificate: tuple[str, str],
    beside: bool = False,
    routed: bool = True,
    real_time: bool = False,
) -> Seen:
    """Try a fault: through the router, or through the provider alone if not `routed`."""
    _warmed(trial.wire)
    fault = trial.fault
    with ExitStack() as stack:
        server = LoopbackServer(
            models=(Listed(name=NEAR),), certificate=certificate if fault.at == "tls" else None
        )
        server.reply = _saying(trial, server)
        well = LoopbackServer(_well(trial))
        stack.enter_context(server)
        address = f"127.0.0.1:{server.port}"
        if fault.at == "nobody":
            closed = stack.enter_context(socket.socket())
            closed.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{closed.getsockname()[1]}"
        elif fault.at == "no_name":
            address = f"{NO_NAME}:9"
        urls = {FAULTY: f"{server.url.partition(':')[0]}://{address}"}
        if beside:
            urls[WELL] = stack.enter_context(well).url
        waits: list[float] = []
        state = _state(waits, real_time=real_time)
        router = Router(_settings(trial, urls), state=state)

        def stream() -> AsyncGenerator[Chunk, None]:
            def build(target: Target) -> ModelRequest:
                return _request(trial, target)

            if routed:
                return router.stream(build, Choice())
            target = Target(provider=FAULTY, kind=trial.wire, model=MODEL, max_tokens=4000)
            return router.provider(FAULTY).stream(build(target))

        began = time.monotonic()
        ended = _done(fault, stream, router, server)
        seconds = time.monotonic() - began
        standing = state.standing(router.instance(FAULTY))
        return Seen(
            code=ended.code,
            answer=ended.answer,
            error=ended.error,
            requests=len(server.asked),
            well=len(well.asked),
            waits=tuple(waits),
            faults=sum(breaker.faults for breaker in standing.breakers.values()),
            cooling_s=standing.cooling_s(MODEL),
            marked=standing.marked is not None,
            seconds=seconds,
            gone_s=ended.gone_s,
            address=address,
        )


def problems(trial: Trial, seen: Seen, *, beside: bool = False, routed: bool = True) -> list[str]:
    """Return what is not as the catalogue says; `beside` and `routed` as it was tried."""
    must = trial.outcome
    attempts = (must.beside or must.attempts) if beside else must.attempts
    passes_on = beside and must.error is not None and must.passes_on
    ends = replace(must, error=None, code="", text=TEXT) if passes_on else must
    if not routed:
        ends, attempts = must.first or must, 1
    found = [*_of_end(ends, trial, seen)]
    requests = attempts * must.each
    # Where hardly any time is given, a request may be given up before it was sent.
    if seen.requests != requests and not (trial.fault.hurry and seen.requests < requests):
        found.append(f"{seen.requests} requests, not {requests}")
    if passes_on != bool(seen.well):
        found.append(f"the next provider was asked {seen.well} times")
    if routed:
        found += _of_routing(must, attempts, seen)
    return found


def _of_routing(must: Outcome, attempts: int, seen: Seen) -> Iterator[str]:
    """Yield what is wrong with the attempts, and with what is remembered of the provider."""
    if seen.error is not None and seen.error.attempts != attempts:
        yield f"the error tells of {seen.error.attempts} attempts, not {attempts}"
    if seen.well and seen.answer is not None:
        note = seen.answer.note
        if seen.answer.provider != WELL or "tried before: " not in note or KEY in note:
            yield f"{seen.answer.provider!r} answered with the note {note!r}"
    waits = must.waits[: attempts - 1]
    if seen.waits != waits:
        yield f"waited for {seen.waits}, not {waits}"
    faults = attempts if must.counts else 0
    if seen.faults != faults:
        yield f"{seen.faults} faults counted, not {faults}"
    if seen.marked != must.marked or abs(seen.cooling_s - must.cools_s) > 1:
        yield f"left alone for {seen.cooling_s:g} s, marked: {seen.marked}"


def _of_end(must: Outcome, trial: Trial, seen: Seen) -> Iterator[str]:
    """Yield what is wrong with how it ended."""
    if seen.code != must.code:
        yield f"ended as {seen.code or 'answer'!r}, not {must.code or 'answer'!r}: {seen.error}"
        return
    if must.code in ("cancelled", "left") and seen.gone_s is None:
        yield "the server did not see that the caller had gone"
    if seen.answer is not None:
        yield from _of_answer(seen.answer, must)
    if seen.error is not None:
        yield from _of_error(seen.error, must, hurry=bool(trial.fault.hurry))
        yield from _of_message(seen.error, must, seen.address)


def _of_answer(answer: Answer, must: Outcome) -> Iterator[str]:
    if answer.text != must.text or answer.finish != must.finish:
        yield f"the answer is {answer.text[:80]!r} ({answer.finish})"
    if not answer.usage.estimated and answer.usage.output_tokens not in (3, None):
        yield f"counted {answer.usage.output_tokens} tokens"


def _of_error(error: AiexError, must: Outcome, *, hurry: bool) -> Iterator[str]:
    if type(error) is not must.error:
        yield f"the error is of class {type(error).__name__}"
    if getattr(error, "reason", "") != must.reason:
        yield f"the reason is {getattr(error, 'reason', '')!r}"
    if isinstance(error, InterruptedAnswerError | InvalidAnswerError):
        said = error.partial
        if said != must.text and not (hurry and said and must.text.startswith(said)):
            yield f"the partial text is {said!r}"


def _of_message(error: AiexError, must: Outcome, address: str) -> Iterator[str]:
    told = f"{error.message} {error.hint}"
    if KEY in told or KEY in repr(vars(error)):
        yield f"the key is told: {told!r}"
    if "<" in told or not told.isprintable() or len(told) > 700:
        yield f"the message is a page: {told!r}"
    if not error.hint or must.hint not in error.hint:
        yield f"the hint is {error.hint!r}"
    if address not in told and not isinstance(error, InvalidAnswerError):
        yield f"{address} is not named: {told!r}"
    if error.code not in UNSHOWN and MODEL not in told:
        yield f"the model is not named: {told!r}"


def _state(waits: list[float], *, real_time: bool) -> RoutingState:
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds
        await asyncio.sleep(seconds if real_time else 0)

    if real_time:
        return RoutingState(sleep=sleep, random=lambda: 0.0)
    return RoutingState(clock=lambda: now, sleep=sleep, random=lambda: 0.0)


def _settings(trial: Trial, urls: dict[str, str]) -> Settings:
    hurry, wire = trial.fault.hurry, trial.wire
    first_ms = None
    if hurry and not trial.streamed:
        first_ms = UNSTREAMED_MS
    elif hurry == "first":
        first_ms = HURRY_MS
    instances = {
        name: ProviderSettings(
            name=name,
            kind=wire,
            base_url=f"{url}/v1" if wire == "openai" else url,
            api_key=Secret(KEY),
            model=MODEL,
            priority=priority,
            timeout_ms=first_ms if name == FAULTY else None,
        )
        for priority, (name, url) in enumerate(urls.items(), 1)
    }
    idle_ms = HURRY_MS if hurry == "next" and trial.streamed else 60_000
    return Settings(llm=LLMSettings(providers=instances, idle_timeout_ms=idle_ms))


def _request(trial: Trial, target: Target) -> ModelRequest:
    text = WORDS if trial.fault.asks == "much" else "Say three words."
    if target.prompt_budget_tokens is not None:
        text = text[: target.prompt_budget_tokens * 2]
    return ModelRequest(
        messages=(Message(role="user", content=text),),
        model=target.model,
        max_tokens=target.max_tokens,
        response_schema=SCHEMA if trial.fault.asks == "json" else None,
        stream=trial.streamed,
    )


def _saying(trial: Trial, server: LoopbackServer) -> Callable[[Received], Reply | Raw]:
    def reply(received: Received) -> Reply | Raw:
        saying = Saying(
            trial.wire,
            Reply(pieces=PIECES, output_tokens=3),
            MODEL,
            streamed=trial.streamed,
            times=len(server.asked) - 1,
            asked=len(received.body),
            path=received.path,
        )
        return trial.fault.say(saying)

    return reply


def _well(trial: Trial) -> Raw:
    """The other provider's answer in one block, in which no deadline can pass."""
    said = Reply(pieces=PIECES, output_tokens=3)
    saying = Saying(trial.wire, said, MODEL, streamed=trial.streamed)
    return saying.raw(saying.data)


class _Ended(NamedTuple):
    code: str = ""
    answer: Answer | None = None
    error: AiexError | None = None
    gone_s: float | None = None


def _done(
    fault: Fault,
    stream: Callable[[], AsyncGenerator[Chunk, None]],
    router: Router,
    server: LoopbackServer,
) -> _Ended:
    """Do what the caller does, each time on a loop of its own; return how it ended."""

    async def act() -> _Ended:
        try:
            if fault.act == "twice":
                await collect(stream())
            return await _ACTS[fault.act](stream(), server)
        except AiexError as error:
            return _Ended(error.code, error=error)
        finally:
            if fault.act != "two_loops":
                await router.aclose()

    ended = asyncio.run(act())
    return ended if fault.act != "two_loops" else asyncio.run(act())


async def _read(stream: AsyncGenerator[Chunk, None], _: LoopbackServer) -> _Ended:
    return _Ended(answer=await collect(stream))


async def _cancel(stream: AsyncGenerator[Chunk, None], server: LoopbackServer) -> _Ended:
    """Cancel once it speaks, or, where nothing comes, once it was asked."""
    spoken = asyncio.Event()

    async def read() -> None:
        async with aclosing(stream):
            async for chunk in stream:
                if isinstance(chunk, TextDelta):
                    spoken.set()

    def under_way() -> bool:
        return spoken.is_set() or bool(server.asked and not server.asked[-1].json.get("stream"))

    task = asyncio.create_task(read())
    await asyncio.to_thread(server.wait_until, under_way, timeout_s=PATIENT_S)
    since = time.monotonic()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
        return _Ended()
    return _Ended("cancelled", gone_s=await _gone_s(server, since))


async def _leave(stream: AsyncGenerator[Chunk, None], server: LoopbackServer) -> _Ended:
    """Leave the loop over it after the first words, and let go of it."""
    async for chunk in stream:
        if isinstance(chunk, TextDelta):
            break
    since = time.monotonic()
    del stream
    return _Ended("left", gone_s=await _gone_s(server, since))


async def _gone_s(server: LoopbackServer, since: float) -> float | None:
    """Wait until the server sees that nobody listens, while the loop and its client live on."""

    def seen() -> bool:
        return bool(server.disconnects) and not server.open_connections

    if not await asyncio.to_thread(server.wait_until, seen, timeout_s=PATIENT_S):
        return None
    return server.disconnects[0] - since


_ACTS: dict[str, Callable[[AsyncGenerator[Chunk, None], LoopbackServer], Awaitable[_Ended]]] = {
    "read": _read,
    "twice": _read,
    "two_loops": _read,
    "cancel": _cancel,
    "leave": _leave,
}


@cache
def _warmed(wire: Wire) -> None:
    """Ask once, so that importing an SDK is not taken for a server's silence."""
    well = next(
        trial for trial in trials() if trial.wire == wire and trial.fault.act == "two_loops"
    )
    with LoopbackServer(_well(well)) as server:
        router = Router(_settings(well, {FAULTY: server.url}))

        async def ask() -> None:
            await collect(router.stream(lambda target: _request(well, target), Choice()))
            await router.aclose()

        asyncio.run(ask())
