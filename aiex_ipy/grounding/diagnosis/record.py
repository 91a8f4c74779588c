"""What the facts say about a failure: a cause, its evidence and, where it follows, a fix."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from aiex_ipy.grounding.fix import Fix

Certainty = Literal["certain", "likely", "possible"]


class Diagnosis(Struct, frozen=True, kw_only=True):
    """One explanation that the facts bear out, without a model.

    `rule` names the check that made it (`near-miss-name`), `cause` is one sentence, `evidence`
    the facts it rests on, each with its place.
    """

    rule: str
    cause: str
    certainty: Certainty = "likely"
    evidence: tuple[str, ...] = ()
    remedy: str = ""
    fix: Fix | None = None
