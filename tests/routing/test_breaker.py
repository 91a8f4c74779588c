"""A provider that fails is left alone, and asked again by exactly one."""

from __future__ import annotations

import threading

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aiex_ipy.routing.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock=clock)
    for _ in range(5):
        entry = breaker.enter()
        assert entry is not None
        breaker.failed(entry)
    return breaker


def test_five_faults_in_a_row_open_it(clock: Clock) -> None:
    """Four do not, and an answer in between begins the count anew."""
    breaker = Breaker(clock=clock)
    for round in range(2):
        for _ in range(4):
            breaker.failed(breaker.enter() or 0)
        assert breaker.state == "closed", round
        breaker.succeeded(breaker.enter() or 0)
    for _ in range(5):
        breaker.failed(breaker.enter() or 0)
    assert breaker.state == "open"
    assert breaker.enter() is None
    assert breaker.retry_in_s == 60.0


def test_what_says_nothing_of_the_provider_does_not_count(clock: Clock) -> None:
    """Interrupts and the caller's own mistakes leave it closed, however many."""
    breaker = Breaker(clock=clock)
    for _ in range(100):
        breaker.ended(breaker.enter() or 0)
    assert (breaker.state, breaker.faults) == ("closed", 0)


def test_after_the_recovery_time_exactly_one_is_let_in(clock: Clock) -> None:
    """Of a hundred threads at once one probes; the others are refused until it has ended."""
    breaker = opened(clock)
    clock.now += 59.9
    assert breaker.enter() is None
    clock.now += 0.2
    entries: list[int | None] = []
    barrier = threading.Barrier(100)

    def ask() -> None:
        barrier.wait()
        entries.append(breaker.enter())

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (probe,) = [entry for entry in entries if entry is not None]
    breaker.succeeded(probe)
    assert breaker.state == "closed"


def test_a_probe_that_fails_opens_it_again(clock: Clock) -> None:
    """For the whole recovery time."""
    breaker = opened(clock)
    clock.now += 61
    breaker.failed(breaker.enter() or 0)
    assert breaker.state == "open"
    assert breaker.retry_in_s == 60.0


def test_a_probe_that_is_cancelled_makes_room_for_the_next(clock: Clock) -> None:
    """An interrupt does not cost another minute."""
    breaker = opened(clock)
    clock.now += 61
    first = breaker.enter()
    assert first is not None and breaker.enter() is None
    breaker.ended(first)
    assert breaker.enter() is not None


def test_what_began_before_it_opened_changes_nothing(clock: Clock) -> None:
    """A late answer does not close it, a late fault does not count twice."""
    breaker = Breaker(clock=clock)
    late = breaker.enter() or 0
    for _ in range(5):
        breaker.failed(breaker.enter() or 0)
    breaker.succeeded(late)
    assert breaker.state == "open"
    clock.now += 61
    probe = breaker.enter() or 0
    breaker.failed(late)
    breaker.succeeded(probe)
    assert breaker.state == "closed"


class Interleaved(RuleBasedStateMachine):
    """Any order of entering, failing, finishing and cancelling, beside a model of what must be."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker(clock=self.clock)
        self.under_way: list[tuple[int, int]] = []  # entry, and the number of its phase
        self.phase = 0  # grows whenever the state changes
        self.row = 0
        self.opened_at: float | None = None
        self.probe: int | None = None

    def end(self, index: int) -> tuple[int, bool]:
        entry, phase = self.under_way.pop(index % len(self.under_way))
        if self.probe == entry:
            self.probe = None
        return entry, phase == self.phase

    @rule()
    def enter(self) -> None:
        entry = self.breaker.enter()
        due = self.opened_at is not None and self.clock.now >= self.opened_at + 60
        may = self.opened_at is None or (due and self.probe is None)
        assert (entry is not None) == may
        if entry is not None:
            if self.opened_at is not None:
                self.phase += 1
                self.probe = entry
            self.under_way.append((entry, self.phase))

    @precondition(lambda self: self.under_way)
    @rule(index=st.integers(0, 50))
    def fail(self, index: int) -> None:
        entry, present = self.end(index)
        self.breaker.failed(entry)
        if present:
            self.row += 1
            if self.opened_at is not None or self.row >= 5:
                self.opened_at = self.clock.now
                self.phase += 1

    @precondition(lambda self: self.under_way)
    @rule(index=st.integers(0, 50))
    def finish(self, index: int) -> None:
        entry, present = self.end(index)
        self.breaker.succeeded(entry)
        if present:
            self.row = 0
            if self.opened_at is not None:
                self.opened_at = None
                self.phase += 1

    @precondition(lambda self: self.under_way)
    @rule(index=st.integers(0, 50))
    def cancel(self, index: int) -> None:
        entry, _ = self.end(index)
        self.breaker.ended(entry)

    @rule(seconds=st.sampled_from([1.0, 30.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def agrees(self) -> None:
        assert (self.breaker.state == "closed") == (self.opened_at is None)
        assert self.breaker.lets_in == (
            self.opened_at is None or (self.clock.now >= self.opened_at + 60 and self.probe is None)
        )


Interleaved.TestCase.settings = hypothesis_settings(max_examples=60, stateful_step_count=40)
TestInterleaved = Interleaved.TestCase
