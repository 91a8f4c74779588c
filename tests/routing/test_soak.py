"""A minute of many requests over three providers that fail by chance, and proof that it would see
what it is there to see."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aiex_ipy.messages import Chunk, Finish, TextDelta
from aiex_ipy.providers.chat_completions import ChatDecoder
from aiex_ipy.routing.attempts import Asked
from aiex_ipy.testing import fault_injection
from aiex_ipy.testing.soak import main, soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_minute_of_random_faults_leaves_every_request_answered_or_refused_by_name() -> None:
    """No half answer taken for a whole one, no delta lost, nothing left behind, memory flat."""
    report = soak(seed=20261122, seconds=60)
    print(report)
    assert report.problems == ()
    assert report.answers > 0
    assert report.failed_over > 0
    assert set(report.said) > {"whole", "cut", "reset", "silent", "limited", "refusing"}


def test_it_runs_as_a_command_and_tells_what_happened(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`python -m aiex_ipy.testing.soak --minutes 10` is for the night."""
    assert main(["--minutes", "0.02", "--seed", "5", "--at-once", "4"]) == 0
    told = capsys.readouterr().out
    assert "(seed 5):" in told
    assert "nothing wrong" in told


def lose_a_delta(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = ChatDecoder.feed
    fed = 0

    def losing(self: ChatDecoder, data: bytes) -> list[Chunk]:
        nonlocal fed
        chunks = feed(self, data)
        if any(isinstance(chunk, TextDelta) for chunk in chunks):
            fed += 1
            if fed % 2 == 0:
                return [chunk for chunk in chunks if not isinstance(chunk, TextDelta)]
        return chunks

    monkeypatch.setattr(ChatDecoder, "feed", losing)


def take_half_for_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    finish = ChatDecoder.finish
    monkeypatch.setattr(
        ChatDecoder, "finish", lambda self: finish(self) or Finish(reason="stop", model="m")
    )


def leave_a_request_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    leave = Asked.leave

    def forgetting(self: Asked) -> None:
        leave(self)
        self.standing.in_flight += 1

    monkeypatch.setattr(Asked, "leave", forgetting)


def leave_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    leave = Asked.leave

    def leaving(self: Asked) -> None:
        leave(self)
        self.left_behind: Any = asyncio.ensure_future(asyncio.sleep(30))

    monkeypatch.setattr(Asked, "leave", leaving)


def raise_what_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaking(self: Asked) -> bool:
        raise KeyError("usage")

    monkeypatch.setattr(Asked, "ready", breaking)


@pytest.mark.parametrize(
    ("sabotage", "found"),
    [
        (lose_a_delta, "was answered"),
        (take_half_for_whole, "was answered"),
        (leave_a_request_counted, "still under way"),
        (leave_a_task, "tasks are left"),
        (raise_what_is_not_ours, "ended with KeyError('usage')"),
    ],
)
def test_it_finds_what_goes_wrong(
    monkeypatch: pytest.MonkeyPatch, sabotage: Any, found: str
) -> None:
    """Each promise of the soak, broken on purpose, is told."""
    sabotage(monkeypatch)
    monkeypatch.setattr(fault_injection, "FAULTS", (fault_injection.cut,))
    for seed in range(1, 8):  # a busy machine asks little in one second
        report = soak(seed=seed, seconds=1, at_once=16, rounds=1)
        if any(found in problem for problem in report.problems):
            return
    pytest.fail(f"{found!r} was not told of: {report}")
