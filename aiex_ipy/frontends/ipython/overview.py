"""`ai_status()`: what is configured and ready, and what this session knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiex_ipy.engine.status import Status, status_of
from aiex_ipy.render.safe import plain
from aiex_ipy.render.standing import text

if TYPE_CHECKING:
    from aiex_ipy.frontends.ipython.session import Session


def status(session: Session) -> Status:
    """Show the status with what the session knows, and return it."""
    found = status_of(session.engine)
    ran = session.cells
    failed = sum(not cell.ok for cell in ran)
    last = session.failure
    lines = [f"{'cells':12} {len(ran)} ran, {failed} failed"]
    if last is not None:
        lines.append(f"{'last error':12} {type(last).__name__}: ai_debug() explains it")
    print(text(found) + "".join(f"{plain(line)}\n" for line in lines), end="")
    session.mark_shown(found)
    return found
