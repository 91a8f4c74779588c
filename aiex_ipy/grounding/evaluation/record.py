"""The record of one run. JSON-able; holds no live object."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from aiex_ipy.grounding.live.description import Description

Change = Literal["added", "rebound", "removed", "changed in place"]


class NameChange(Struct, frozen=True, kw_only=True):
    """One name of the namespace that stands for something else than before the run. `before` and
    `after` say what it was and is, `""` where it was nothing or that is not told."""

    name: str
    how: Change
    before: str = ""
    after: str = ""


class Printed(Struct, frozen=True, kw_only=True):
    """What was written to one stream: its size in characters, and its beginning and end."""

    characters: int = 0
    text: str = ""


class Run(Struct, frozen=True, kw_only=True):
    """One run of code. `value` describes the value of its last expression, None where it ends
    with a statement or failed. Times are seconds: `wall_s` on the clock, `cpu_s` of all threads of
    the process. `memory_peak_bytes` is how far memory rose above what was in use at the start,
    None where the system does not tell; `memory_measure` says what was measured."""

    code: str
    ok: bool = True
    interrupted: bool = False
    value: Description | None = None
    printed: Printed = Printed()
    errors: Printed = Printed()
    wall_s: float = 0.0
    cpu_s: float = 0.0
    memory_peak_bytes: int | None = None
    memory_measure: str = ""
    names: tuple[NameChange, ...] = ()
    names_left_out: int = 0
    notices: tuple[str, ...] = ()
