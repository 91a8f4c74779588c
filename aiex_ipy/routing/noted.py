"""The calls of one request, noted for whoever asked, besides the ledger of all."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

OF_REQUEST: ContextVar[list[Any] | None] = ContextVar("aiex_calls_of_request", default=None)
"""Where the `Call`s of a request are noted; set in its own task."""
