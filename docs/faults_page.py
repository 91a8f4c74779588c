"""The reference page of faults: what happens, and what becomes of the request."""

from __future__ import annotations

from pathlib import Path

from aiex_ipy.routing.retrying import MARKED_S, WORTH_WAITING_S
from aiex_ipy.testing.faults import CATALOGUE, Fault, Outcome
from aiex_ipy.testing.saying import WIRES

PAGE = Path(__file__).with_name("reference") / "faults.md"
HEAD = """\
# What becomes of a request when a server fails

Generated from `aiex_ipy/testing/faults.py`. Each line is tried on each wire it names (OpenAI's,
Anthropic's, Ollama's; other kinds speak one of them), streamed and in one piece, against a real
server on loopback: by the tests without the waits, by `python -m benchmarks faults` with them.

A *result* is the error's class and its `code`, or an answer. `interrupted` is an answer that was
begun: its words are kept in `partial`, what cut it stands in `reason`, and nobody else is asked,
because half of one answer and half of another are none. JSON that is cut twice is the caller's to
ask for otherwise. *Alone* is how often the provider is asked
where there is no other, with the waits between in seconds (chance takes up to a quarter of 0.5, 1
and 2 away). *With another* is how often it is asked before the next provider is. *Counts* says
whether each attempt is a fault to the circuit breaker. The server is on this machine; the waits,
their number and all deadlines are [settings](configuration.md).

| # | what happens | wires | result | alone | with another | counts |
|---|---|---|---|---|---|---|
"""


def result(outcome: Outcome) -> str:
    """The result in words."""
    if outcome.error is None:
        if outcome.code:
            return f"{outcome.code}; the connection is closed"
        ends = {"length": "an answer that says it is not whole", "refusal": "a refusal"}
        return ends.get(outcome.finish, "an answer")
    reason = f" ({outcome.reason})" if outcome.reason else ""
    return f"`{outcome.error.__name__}` `{outcome.code}`{reason}"


def alone(outcome: Outcome) -> str:
    """Attempts and waits where nobody else is there."""
    waits = ", ".join(f"{wait:g}" for wait in outcome.waits)
    return f"{outcome.attempts}, after {waits} s" if waits else f"{outcome.attempts}"


def beside(outcome: Outcome) -> str:
    """Attempts before the next provider, and what is remembered."""
    if outcome.error is None:
        return "not asked"
    if not outcome.passes_on:
        return "not asked"
    after = f"{outcome.beside or outcome.attempts}, then the next"
    if outcome.marked:
        return f"{after}; passed over for {MARKED_S:g} s"
    if outcome.cools_s > WORTH_WAITING_S:
        return f"{after}; left alone for {outcome.cools_s:g} s"
    return after


def lines(fault: Fault) -> list[str]:
    """One line where both ways end alike, else one for each."""
    ways = (
        {"": fault.streamed}
        if fault.streamed == fault.whole
        else {
            ", streamed": fault.streamed,
            ", in one piece": fault.whole,
        }
    )
    found = []
    for way, outcome in ways.items():
        if outcome is None:
            continue
        wires = "all" if fault.wires == WIRES else ", ".join(fault.wires)
        cells = (
            *(f"{fault.row}", f"{fault.what}{way}", wires, result(outcome)),
            *(alone(outcome), beside(outcome), "yes" if outcome.counts else "no"),
        )
        found.append(f"| {' | '.join(cells)} |")
    return found


def pages() -> dict[Path, str]:
    """The page with its text."""
    table = [line for fault in CATALOGUE for line in lines(fault)]
    return {PAGE: HEAD + "\n".join(table) + "\n"}
