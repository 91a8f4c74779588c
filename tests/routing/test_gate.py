"""The gate of one provider: how often, how many at once, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from virtual_time import VirtualLoop, settled

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, RateLimitSettings
from aiex_ipy.errors import RateLimitError
from aiex_ipy.routing.gate import IN_A_ROW, MOST_HELD_S, Gate, Limits, limits_for

REMOTE = Limits(requests_per_minute=60, burst_size=10, max_concurrent=10)


def run(test: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(test)


class Line:
    """Requests at a gate: each enters, is kept in `entered` with its time, and works until told."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.entered: list[tuple[str, float]] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._done: dict[str, asyncio.Event] = {}
        self._begin = asyncio.get_running_loop().time()

    def ask(self, name: str, *, batch: bool = False) -> None:
        self._done[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._request(name, batch=batch))

    async def _request(self, name: str, *, batch: bool) -> None:
        await self.gate.enter(batch=batch)
        try:
            now = asyncio.get_running_loop().time() - self._begin
            self.entered.append((name, round(now, 3)))
            await self._done[name].wait()
        finally:
            self.gate.leave(batch=batch)

    async def finish(self, *names: str) -> None:
        for name in names:
            self._done[name].set()
        await settled()

    async def finish_as_they_come(self) -> None:
        for done in self._done.values():
            done.set()
        await asyncio.gather(*self.tasks.values())

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.entered]


def test_ten_at_once_then_one_a_second() -> None:
    """With the defaults ten requests go at once, and the eleventh a second later."""

    async def test() -> None:
        line = Line(Gate(REMOTE, "openai"))
        for number in range(13):
            line.ask(str(number))
        await line.finish_as_they_come()
        assert [at for _, at in line.entered] == [0.0] * 10 + [1.0, 2.0, 3.0]
        assert line.names == [str(number) for number in range(13)]

    run(test())


def test_a_pause_gives_the_burst_back() -> None:
    """Ten seconds without a question, and ten may be asked at once again."""

    async def test() -> None:
        gate = Gate(REMOTE, "openai")
        for _ in range(2):
            for _ in range(10):
                assert gate.try_enter(batch=False)
                gate.leave(batch=False)
            assert not gate.try_enter(batch=False)
            assert gate.next_in_s == pytest.approx(1.0, abs=1e-3)
            await asyncio.sleep(10)
        assert gate.next_in_s == 0.0

    run(test())


def test_no_more_than_may_run_at_once() -> None:
    """The eleventh of eleven long answers waits for the first to end, however long it takes."""

    async def test() -> None:
        gate = Gate(Limits(max_concurrent=10), "openai")
        line = Line(gate)
        for number in range(12):
            line.ask(str(number))
        await asyncio.sleep(3_600)
        assert (gate.running, gate.waiting, gate.waiting_batch) == (10, 2, 0)
        await line.finish("4")
        assert line.names[-1] == "10"
        await line.finish("7")
        assert line.names[-1] == "11"
        await line.finish_as_they_come()
        assert (gate.running, gate.waiting) == (0, 0)

    run(test())


def test_a_question_finds_a_slot_while_batch_work_waits() -> None:
    """Two hundred pipeline steps take nine of ten slots; a question has the tenth at once."""

    async def test() -> None:
        gate = Gate(Limits(max_concurrent=10), "openai")
        line = Line(gate)
        for number in range(200):
            line.ask(f"step {number}", batch=True)
        await settled()
        assert (gate.running, gate.waiting_batch) == (9, 191)
        assert gate.try_enter(batch=False)
        gate.leave(batch=False)
        line.ask("question")
        line.ask("second question")
        await settled()
        assert line.names[9:] == ["question"]
        await line.finish("step 3")
        assert line.names[10:] == ["second question"]
        await line.finish_as_they_come()
        assert gate.running == gate.waiting == 0

    run(test())


def test_a_question_has_the_next_token_while_batch_work_waits() -> None:
    """Where the rate is the limit, a question goes before every step that waits."""

    async def test() -> None:
        line = Line(Gate(Limits(requests_per_minute=60, burst_size=10), "openai"))
        for number in range(200):
            line.ask(f"step {number}", batch=True)
        await asyncio.sleep(5.5)
        line.ask("question")
        await asyncio.sleep(0.6)
        assert line.entered[-1] == ("question", 6.0)
        assert len(line.entered) == 10 + 5 + 1
        await line.finish_as_they_come()

    run(test())


def test_batch_work_is_not_forgotten() -> None:
    """Where questions come faster than they are answered, one step goes after so many of them."""

    async def test() -> None:
        gate = Gate(Limits(max_concurrent=1), "openai")
        line = Line(gate)
        line.ask("first")
        await settled()
        line.ask("step", batch=True)
        for number in range(20):
            line.ask(f"question {number}")
        await line.finish_as_they_come()
        assert line.names.index("step") == 1 + IN_A_ROW

    run(test())


def test_the_turn_of_batch_work_is_not_taken_by_who_comes() -> None:
    """A question that comes when it is batch work's turn does not take the token it waits for."""

    async def test() -> None:
        gate = Gate(Limits(requests_per_minute=60, burst_size=1), "openai")
        line = Line(gate)
        line.ask("first")
        await settled()
        line.ask("step", batch=True)
        for number in range(IN_A_ROW):
            line.ask(f"question {number}")
        await asyncio.sleep(IN_A_ROW + 0.5)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.now += 0.6  # the next token is there, and its timer has not fired yet
        assert gate.next_in_s == 0.0
        assert not gate.try_enter(batch=False)
        await line.finish_as_they_come()
        assert line.names[-1] == "step"

    run(test())


def test_one_slot_serves_both_sorts() -> None:
    """A server that answers one at a time is not closed to batch work."""

    async def test() -> None:
        gate = Gate(Limits(max_concurrent=1), "one")
        assert gate.try_enter(batch=True)
        assert not gate.try_enter(batch=False)

    run(test())


def test_a_full_queue_refuses_at_once() -> None:
    """As many as may wait do; the next is told so, and a question is not refused for batch work."""

    async def test() -> None:
        gate = Gate(Limits(max_concurrent=2, max_queued=2), "openai")
        line = Line(gate)
        for number in range(3):
            line.ask(f"step {number}", batch=True)
        await settled()
        with pytest.raises(RateLimitError) as caught:
            await gate.enter(batch=True)
        assert caught.value.code == "queue_full"
        assert "'openai'" in caught.value.message
        assert "llm.max_queued_requests" in caught.value.hint
        for number in range(3):
            line.ask(f"question {number}")
        await settled()
        assert (gate.running, gate.waiting, gate.waiting_batch) == (2, 4, 2)
        with pytest.raises(RateLimitError):
            await gate.enter(batch=False)
        await line.finish_as_they_come()

    run(test())


def test_a_servers_hint_closes_the_gate() -> None:
    """Nobody is let in before the server's time has passed; a shorter hint does not open it."""

    async def test() -> None:
        gate = Gate(Limits(), "openai")
        line = Line(gate)
        gate.hold_until(30)
        gate.hold_until(5)
        assert not gate.try_enter(batch=False)
        line.ask("question")
        await asyncio.sleep(10)
        assert gate.next_in_s == pytest.approx(20.0)
        gate.hold_until(25)
        await asyncio.sleep(24)
        assert line.entered == []
        await line.finish_as_they_come()
        assert line.entered == [("question", 35.0)]
        assert gate.next_in_s == 0.0

    run(test())


@pytest.mark.parametrize("hint", [float("inf"), 1e9, 86_400.0])
def test_no_hint_closes_the_gate_for_long(hint: float) -> None:
    """A header that says a day, or forever, is obeyed for a minute."""

    async def test() -> None:
        gate = Gate(Limits(), "openai")
        gate.hold_until(hint)
        assert gate.next_in_s == MOST_HELD_S

    run(test())


@pytest.mark.parametrize("hint", [float("nan"), -3.0, 0.0])
def test_a_senseless_hint_changes_nothing(hint: float) -> None:
    """A header without a time in the future closes nothing."""

    async def test() -> None:
        gate = Gate(Limits(), "openai")
        gate.hold_until(hint)
        assert gate.try_enter(batch=False)

    run(test())


def test_who_gives_up_waiting_takes_nothing() -> None:
    """A cancelled wait costs neither slot nor token, and leaves no timer behind."""

    async def test() -> None:
        gate = Gate(Limits(requests_per_minute=60, burst_size=1), "openai")
        line = Line(gate)
        for name in ("first", "second", "third"):
            line.ask(name)
        await settled()
        line.tasks["second"].cancel()
        await asyncio.sleep(1.1)
        assert line.entered == [("first", 0.0), ("third", 1.0)]
        await line.finish("first", "third")
        line.ask("fourth")
        await settled()
        line.tasks["fourth"].cancel()
        await settled()
        assert (gate.running, gate.waiting) == (0, 0)
        loop = asyncio.get_running_loop()
        assert all(timer.cancelled() for timer in loop._scheduled)  # type: ignore[attr-defined]

    run(test())


def test_who_is_cancelled_just_when_let_in_gives_the_slot_back() -> None:
    """A slot that falls to a request in the moment of its cancellation goes to the next."""

    async def test() -> None:
        gate = Gate(Limits(max_concurrent=1), "openai")
        line = Line(gate)
        for name in ("first", "second", "third"):
            line.ask(name)
        await settled()
        line._done["first"].set()
        while gate.waiting == 2:
            await asyncio.sleep(0)
        line.tasks["second"].cancel()  # it has the slot and does not know it
        await settled()
        assert line.names == ["first", "third"]
        line.ask("fourth")
        line.ask("fifth")
        await settled()
        line.tasks["fourth"].cancel()
        line._done["third"].set()  # both in one round of the loop
        await settled()
        assert line.names == ["first", "third", "fifth"]
        await line.finish("fifth")
        assert (gate.running, gate.waiting) == (0, 0)

    run(test())


LLM = LLMSettings()


def limits(*, remote: bool = False, slots: int | None = None, **own: int) -> tuple[object, ...]:
    instance = ProviderSettings(name="mine", kind="openai", **own)  # type: ignore[arg-type]
    found = limits_for(instance, LLM, remote=remote, slots=slots)
    return found.requests_per_minute, found.burst_size, found.max_concurrent


def test_defaults_hold_for_remote_servers_only() -> None:
    """60 a minute, 10 at once for a vendor; this machine's servers have only their slots."""
    assert limits(remote=True) == (60, 10, 10)
    assert limits() == (None, None, None)
    assert limits(slots=2) == (None, None, 2)


def test_own_numbers_hold_everywhere() -> None:
    """A number of the provider's table holds wherever its server is, up to the server's slots."""
    assert limits(requests_per_minute=6) == (6, 10, None)
    assert limits(burst_size=3) == (60, 3, None)
    assert limits(max_concurrent_requests=4) == (None, None, 4)
    assert limits(max_concurrent_requests=4, slots=2) == (None, None, 2)
    assert limits(remote=True, requests_per_minute=6_000, burst_size=500) == (6_000, 500, 10)


def test_the_queues_length_is_the_settings() -> None:
    """`llm.max_queued_requests` holds for every provider."""
    llm = LLMSettings(max_queued_requests=3, rate_limit=RateLimitSettings(burst_size=4))
    instance = ProviderSettings(name="mine", kind="openai")
    assert limits_for(instance, llm, remote=False, slots=None).max_queued == 3
    assert limits_for(instance, llm, remote=True, slots=None).burst_size == 4
