"""Load into and unload from an IPython shell."""

from __future__ import annotations

from typing import Any


def load(shell: Any) -> None:
    """Add helpers and magics to `shell`."""


def unload(shell: Any) -> None:
    """Take away all that `load` added."""
