"""Every fault of the catalogue through the real providers: what comes of one question."""

from __future__ import annotations

import pytest

from aiex_ipy.testing.fault_trials import Trial, problems, trials, tried
from aiex_ipy.testing.faults import CATALOGUE
from aiex_ipy.testing.saying import WIRES

CLIENTS = {9, 10, 11, 34, 35, 36}
"""Rows that no server shows: what is not there, and what the caller does."""


def test_the_catalogue_has_all_rows_on_every_wire_that_can_show_them() -> None:
    """36 faults; each is shown streamed, and in one piece where that is possible."""
    assert {fault.row for fault in CATALOGUE} == set(range(1, 37))
    assert [fault.row for fault in CATALOGUE] == sorted(fault.row for fault in CATALOGUE)
    shown = {(trial.fault.row, trial.wire) for trial in trials() if trial.streamed}
    missing = {(row, wire) for row in range(1, 37) for wire in WIRES} - shown
    # Ollama has no events of SSE, no refusals, and no account of its own at most servers.
    assert missing == {(18, "ollama"), (24, "ollama")}
    only_streamed = {fault.row for fault in CATALOGUE} - {
        trial.fault.row for trial in trials() if not trial.streamed
    }
    assert only_streamed == {16, 18, 20, 26, 27, 35}
    assert {
        fault.row
        for fault in CATALOGUE
        if fault.at != "server" or fault.act not in ("read", "twice")
    } == (CLIENTS)
    names = [str(trial) for trial in trials()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("trial", trials(), ids=str)
def test_a_fault_gives_its_answer_or_its_named_error(
    trial: Trial, certificate: tuple[str, str]
) -> None:
    """The error's class and code; a message with host, port, model and remedy, without the key
    that the server tells, and without its page."""
    seen = tried(trial, certificate=certificate, routed=False)
    assert problems(trial, seen, routed=False) == []
