"""Whose turn it is within one request: each provider until it is given up, then the next."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

from aiex_ipy.errors import AiexError
from aiex_ipy.messages import ModelRequest
from aiex_ipy.routing.attempts import Asked
from aiex_ipy.routing.choice import Target


class Turns:
    """Whose turn it is: the providers of one request in order, each until it is given up.

    Who cannot be asked now is passed over while another one can. `failed` are the errors of those
    given up so far. Used as a context: its end counts what was asked.
    """

    def __init__(self, plan: Sequence[Asked], build: Callable[[Target], ModelRequest]) -> None:
        fit, self.failed = in_standing(plan)
        self._left = [*fit]
        self._build = build
        self._now: Asked | None = None

    def first(self) -> Asked | None:
        """Return who is asked first, before anything is waited for; None when nobody can be."""
        while self._left and (self._now is None or self._now.request is None):
            self._give_up()
            self._now = self._left.pop(0)
            self._now.begin(self._build, alone=not self._left)
        return self._now if self._now is not None and self._now.request is not None else None

    async def next(self) -> Asked | None:
        """Return who is asked next, after the wait that is due; None when all were given up."""
        while (asked := self.first()) is not None:
            if await asked.ready():
                return asked
        self._give_up()
        self._now = None
        return None

    def failure(self) -> AiexError:
        """Return the last error, which tells how often was asked, and of the earlier ones."""
        last = copy.copy(self.failed[-1])
        last.__cause__ = self.failed[-1].__cause__
        earlier = [f"Before it: {_told(error)}" for error in self.failed[:-1]]
        last.message = " ".join([_told(last), *earlier])
        last.args = (last.message,)
        return last

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, *_: object) -> None:
        if self._now is not None:
            self._now.close()

    def _give_up(self) -> None:
        if self._now is not None:
            self._now.close()
            if self._now.error is not None:
                self.failed.append(self._now.error)


def in_standing(plan: Sequence[Asked]) -> tuple[list[Asked], list[AiexError]]:
    """Return who may be asked now, and why each of the others is passed over; all of them when
    nobody else is left."""
    if len(plan) < 2:
        return [*plan], []
    refused = [(asked, asked.passed_over()) for asked in plan]
    fit = [asked for asked, why in refused if why is None]
    return (fit, [why for _, why in refused if why is not None]) if fit else ([*plan], [])


def _told(error: AiexError) -> str:
    return f"{error.message} Asked {error.attempts} times." if error.attempts > 1 else error.message
