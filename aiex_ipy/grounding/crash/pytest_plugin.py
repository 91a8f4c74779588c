"""A pytest plugin that captures the exception of each failing test, in the process that runs it."""

from __future__ import annotations

import os
from typing import Any

MOST = 5
"""Failing tests that are captured; the first is explained."""
SEEN: list[str] = []
PLACE = os.environ.get("AIEX_CRASH_TESTS", "")


def pytest_exception_interact(node: Any, call: Any, report: Any) -> None:
    """Capture the failure of a test, or of collecting one."""
    if not PLACE or len(SEEN) >= MOST or call.excinfo is None:
        return
    SEEN.append(getattr(node, "nodeid", ""))
    from aiex_ipy.grounding.crash.hook import note

    note(PLACE, "test", call.excinfo.value)
