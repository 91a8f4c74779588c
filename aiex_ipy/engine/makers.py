"""Who makes the process's engine. Nothing is imported here, so that a session can say at its start
that it will, and make one when one is needed."""

from __future__ import annotations

TYPE_CHECKING = False  # as `typing` has it, which is not imported for this
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAKERS: list[Callable[[], Any]] = []
"""The sessions' makers, the one in charge last."""
