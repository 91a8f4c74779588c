"""What a capture holds of what it must: each item for itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .program import Program
from .running import BUDGET, Captured

ITEMS = ("error", "line", "frames", "values", "cells", "size", "secret", "cause")
"""The columns of the table."""


def check(program: Program, captured: Captured) -> dict[str, bool | None]:
    """Return whether each item holds; None where the program says nothing of it."""
    if captured.failure is None:
        return dict.fromkeys(ITEMS, False)
    expect, prompt = program.expect, captured.prompt
    return {
        "error": _error(program, captured),
        "line": _marked(expect.failing_line, captured) if expect.failing_line else None,
        "frames": _in_order(program, captured) if expect.frames else None,
        "values": not list(missing_values(program, captured)) if expect.must_show else None,
        "cells": _cells(program, captured),
        "size": captured.tokens <= BUDGET,
        "secret": expect.secret not in prompt if expect.secret else None,
        "cause": names_cause(program, captured) if expect.diagnosis_names else None,
    }


def _error(program: Program, captured: Captured) -> bool | None:
    expect = program.expect
    if not expect.exception:
        return None
    names = [expect.exception.rpartition(".")[2], *map(_type_of, expect.sub_exceptions)]
    told = all(each.rpartition(".")[2] in captured.prompt for each in names)
    return told and _plain(expect.message_contains or "") in _plain(captured.prompt)


def _marked(line: str, captured: Captured) -> bool:
    """True when the failing line, or one of its lines, stands behind an arrow."""
    marked = [
        each.partition("->")[2] for each in captured.prompt.splitlines() if each.startswith("->")
    ]
    marked += [each[2:] for each in captured.prompt.splitlines() if each.startswith(" |")]
    wanted = [_plain(each) for each in line.splitlines() if each.strip()]
    return any(each in _plain(mark) for each in wanted for mark in marked)


def _in_order(program: Program, captured: Captured) -> bool:
    """True when the frames told of some error are the expected ones, in order and no others but
    repeated ones, and none is a library's."""
    assert captured.failure is not None
    chains = [error.frames for error in captured.failure.errors]
    for error in captured.failure.errors:
        chains += [(*error.frames, *member.frames) for member in error.members]
    chains += [frames for _, frames in captured.failure.stacks]
    wanted = [_short(each) for each in program.expect.frames]
    for frames in chains:
        own = [_short(frame.function) for frame in frames if frame.user]
        if _contains(own, wanted) and all(frame.user for frame in frames):
            return True
    return False


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _contains(names: list[str], wanted: list[str]) -> bool:
    rest = iter(names)
    return all(each in rest for each in wanted)


def missing_values(program: Program, captured: Captured) -> Iterator[str]:
    """Yield the values that are not told with their type and what they hold."""
    lines = captured.prompt.splitlines()
    for each in program.expect.must_show:
        told = [line for line in lines if line.strip().startswith(f"{each.name}:")]
        if not any(
            each.type.rpartition(".")[2] in line and _plain(each.contains) in _plain(line)
            for line in told
        ):
            yield f"{each.name}: {each.type} {each.contains!r} in {told[:2]}"


def _cells(program: Program, captured: Captured) -> bool | None:
    expect = program.expect
    if not expect.cells and not expect.cells_not:
        return None
    assert captured.failure is not None
    told = {each.number for each in captured.failure.cells}
    own = {
        int(found[1])
        for error in captured.failure.errors
        for frame in error.frames
        if (found := re.fullmatch(r"In\[(\d+)\]", frame.place))
    }
    return set(expect.cells) <= told | own and not set(expect.cells_not) & told


def names_cause(program: Program, captured: Captured) -> bool:
    """True when the diagnoses say one alternative of each group."""
    said = _plain(captured.diagnosis).lower()
    return all(
        any(_plain(each).lower() in said for each in group)
        for group in program.expect.diagnosis_names
    )


def _plain(text: str) -> str:
    return " ".join(text.split())


def _type_of(member: Any) -> str:
    """The type of a member of a group, given by its name or with its expectations."""
    return str(member["exception"] if isinstance(member, dict) else member)
