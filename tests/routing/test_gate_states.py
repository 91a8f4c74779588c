"""Whatever comes in between, a gate counts right and forgets nobody (a stateful property test)."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from virtual_time import VirtualLoop, settled

from aiex_ipy.errors import RateLimitError
from aiex_ipy.routing.gate import IN_A_ROW, MOST_HELD_S, Gate, Limits

PATIENCE_S = 100_000.0
"""Longer than any gate of this test keeps anybody."""


class Watched(Gate):
    """A gate that keeps when it let somebody in, and sees that nobody's turn was taken."""

    def __init__(self, limits: Limits, name: str) -> None:
        super().__init__(limits, name)
        self.entries: list[float] = []
        self.questions_in_a_row = 0

    def _entered(self, *, batch: bool) -> None:
        if batch and any(not turn.done() for turn in self._interactive):
            assert self.questions_in_a_row >= IN_A_ROW
        self.questions_in_a_row = 0 if batch else self.questions_in_a_row + 1
        self.entries.append(asyncio.get_running_loop().time())
        super()._entered(batch=batch)


class Request:
    """One request: `state` goes from waiting to inside to left, or to refused."""

    def __init__(self, states: GateStates, *, batch: bool) -> None:
        self.batch = batch
        self.state = "waiting"
        self.work: asyncio.Future[None] = states.loop.create_future()
        self.task = states.loop.create_task(self._run(states))

    async def _run(self, states: GateStates) -> None:
        try:
            await states.gate.enter(batch=self.batch)
        except RateLimitError:
            self.state = "refused"
            return
        self.state = "inside"
        try:
            await self.work
        except ValueError:
            pass
        finally:
            self.state = "left"
            states.gate.leave(batch=self.batch)


class GateStates(RuleBasedStateMachine):
    """Any interleaving of enter, cancel, fail, finish, hint and time."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.requests: list[Request] = []
        self.quiet = False
        self.cancelled: list[Request] = []

    @initialize(
        per_minute=st.sampled_from([None, None, 60, 600]),
        burst=st.integers(1, 4),
        slots=st.sampled_from([1, 2, 3, None]),
        queued=st.sampled_from([1_000, 1_000, 2, 0]),
    )
    def open(self, per_minute: int | None, burst: int, slots: int | None, queued: int) -> None:
        self.limits = Limits(
            requests_per_minute=per_minute,
            burst_size=None if per_minute is None else burst,
            max_concurrent=slots,
            max_queued=queued,
        )
        self.gate = Watched(self.limits, "mine")

    def found(self, state: str, *, batch: bool | None = None) -> list[Request]:
        return [
            each
            for each in self.requests
            if each.state == state
            and batch in (None, each.batch)
            and not each.work.done()
            and each not in self.cancelled
        ]

    @rule(sorts=st.lists(st.booleans(), min_size=1, max_size=6), settle=st.booleans())
    def ask(self, sorts: list[bool], settle: bool) -> None:
        self.quiet = False
        self.requests += [Request(self, batch=batch) for batch in sorts]
        if settle:
            self.settle()

    @precondition(lambda self: self.found("inside"))
    @rule(data=st.data(), how=st.sampled_from(["finish", "fail", "cancel"]))
    def end_work(self, data: st.DataObject, how: str) -> None:
        self.quiet = False
        request = data.draw(st.sampled_from(self.found("inside")))
        if how == "finish":
            request.work.set_result(None)
        elif how == "fail":
            request.work.set_exception(ValueError())
        else:
            self.cancel(request)

    @precondition(lambda self: self.found("waiting"))
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        self.quiet = False
        self.cancel(data.draw(st.sampled_from(self.found("waiting"))))

    @precondition(lambda self: self.quiet and self.found("waiting") and self.found("inside"))
    @rule(rounds=st.integers(0, 2), next_too=st.booleans())
    def end_one_and_cancel_the_next(self, rounds: int, next_too: bool) -> None:
        """The next of each sort is cancelled just before, while or after the slot falls to it."""

        async def race() -> None:
            for request in self.found("inside")[:1]:
                request.work.set_result(None)
            for _ in range(rounds):
                await asyncio.sleep(0)
            for batch in (False, True):
                for request in self.found("waiting", batch=batch)[: 1 + next_too]:
                    self.cancel(request)

        self.quiet = False
        self.loop.run_until_complete(race())

    def cancel(self, request: Request) -> None:
        self.cancelled.append(request)
        request.task.cancel()

    @rule(batch=st.booleans())
    def try_at_once(self, batch: bool) -> None:
        async def attempt() -> None:
            if self.gate.try_enter(batch=batch):
                self.gate.leave(batch=batch)

        self.loop.run_until_complete(attempt())

    @rule(seconds=st.sampled_from([-1.0, 0.1, 2.0, 30.0, 1e9]))
    def hint(self, seconds: float) -> None:
        async def tell() -> None:
            before = self.gate.next_in_s
            self.gate.hold_until(seconds)
            assert self.gate.next_in_s >= max(before, min(seconds, MOST_HELD_S) - 1e-6)

        self.loop.run_until_complete(tell())

    @rule(rounds=st.integers(1, 3))
    def go_on_a_little(self, rounds: int) -> None:
        async def go() -> None:
            for _ in range(rounds):
                await asyncio.sleep(0)

        self.loop.run_until_complete(go())

    @rule(seconds=st.floats(0, 90))
    def pass_time(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))
        self.settle()

    @rule()
    def settle(self) -> None:
        self.loop.run_until_complete(settled())
        self.quiet = True

    @invariant()
    def never_more_than_allowed(self) -> None:
        slots = self.limits.max_concurrent
        inside = [each for each in self.requests if each.state == "inside"]
        assert self.gate.running >= len(inside)
        if slots is not None:
            assert self.gate.running <= slots
            assert slots == 1 or sum(each.batch for each in inside) < slots

    @invariant()
    def never_oftener_than_allowed(self) -> None:
        if self.limits.requests_per_minute is None:
            return
        assert self.limits.burst_size is not None
        level, last = 0.0, 0.0
        for at in self.gate.entries:
            level = max(0.0, level - (at - last) * self.limits.requests_per_minute / 60) + 1
            last = at
            assert level <= self.limits.burst_size + 1e-6

    @invariant()
    @precondition(lambda self: self.quiet)
    def counts_are_right(self) -> None:
        assert self.gate.running == len(self.found("inside"))
        assert self.gate.waiting == len(self.found("waiting"))
        assert self.gate.waiting_batch == len(self.found("waiting", batch=True))
        if not self.gate.waiting:
            assert self.no_timer_is_left()

    @invariant()
    @precondition(lambda self: self.quiet)
    def nobody_waits_for_nothing(self) -> None:
        async def closed_s() -> float:
            return self.gate.next_in_s

        slots = self.limits.max_concurrent
        full = slots is not None and self.gate.running >= slots
        if not full and self.loop.run_until_complete(closed_s()) == 0:
            assert not self.found("waiting", batch=False)
            batch_inside = len(self.found("inside", batch=True))
            if slots is None or slots == 1 or batch_inside < slots - 1:
                assert not self.found("waiting", batch=True)

    @invariant()
    def first_come_first_let_in(self) -> None:
        for batch in (False, True):
            of_sort = [
                each
                for each in self.requests
                if each.batch == batch and each.state != "refused" and each not in self.cancelled
            ]
            entered = [each.state != "waiting" for each in of_sort]
            if self.quiet:
                assert entered == sorted(entered, reverse=True)

    def no_timer_is_left(self) -> bool:
        return all(timer.cancelled() for timer in self.loop._scheduled)  # type: ignore[attr-defined]

    def teardown(self) -> None:
        if not hasattr(self, "gate"):
            self.loop.close()
            return
        for request in self.requests:
            if not request.work.done():
                request.work.set_result(None)
        if self.requests:
            everyone = asyncio.wait([each.task for each in self.requests], timeout=PATIENCE_S)
            _, forgotten = self.loop.run_until_complete(everyone)
            assert not forgotten
        self.settle()
        assert (self.gate.running, self.gate.waiting, self.gate.waiting_batch) == (0, 0, 0)
        assert self.no_timer_is_left()
        for request in self.requests:
            assert request.task.cancelled() or request.task.exception() is None
            assert request.state in ("left", "refused") or request in self.cancelled
        self.loop.close()


TestGateStates = pytest.mark.slow(GateStates.TestCase)
TestGateStates.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
