"""What the session around a request is known by, where a front end has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from aiex_ipy.grounding.cells import RanCell


class Surroundings(Protocol):
    """What a front end knows of the session that a failure happened in."""

    @property
    def cells(self) -> Sequence[RanCell]:
        """The cells that ran, oldest first."""

    @property
    def names(self) -> Mapping[str, Any] | None:
        """The user's namespace."""

    @property
    def failure(self) -> BaseException | None:
        """The exception of the last cell that failed."""

    def label_of(self, file: str) -> str | None:
        """The name of the cell compiled under a file name."""
