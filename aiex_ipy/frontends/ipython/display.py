"""Results as IPython shows them: Markdown and text in a kernel, text in a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from aiex_ipy.render.results import has_picture, render

if TYPE_CHECKING:
    from aiex_ipy.frontends.ipython.session import Session

FRAMES_UP = 16
"""How far above a formatter IPython's display hook stands at most (measured: 8 in 9.18)."""


def in_kernel(session: Session) -> bool:
    """True when the shell's output goes to front ends by messages, not to a terminal."""
    return hasattr(session.shell, "kernel")


def symbols() -> bool:
    """True when standard output can carry more than ASCII."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"


def bundle_of(result: Any, session: Session) -> dict[str, str]:
    """Return the MIME bundle of a result."""
    if not in_kernel(session):
        return {"text/plain": render(result, "text", symbols=symbols()).rstrip("\n")}
    return rich_bundle(result)


def rich_bundle(result: Any) -> dict[str, str]:
    """Return what a notebook shows: Markdown and text, HTML too where there is a picture. Front
    ends take the richest they know."""
    pictured = {"text/html": render(result, "html")} if has_picture(result) else {}
    return {
        **pictured,
        "text/markdown": render(result, "markdown"),
        "text/plain": render(result, "text").rstrip("\n"),
    }


def skip_if_shown(result: Any, session: Session) -> None:
    """Show nothing of the last value of the cell that has shown it already.

    Raises NotImplementedError for all else, by which IPython goes on to the bundle.
    """
    if not (session.shown_in_this_cell(result) and _for_displayhook()):
        raise NotImplementedError
    if not in_kernel(session):
        print(f"<{type(result).__name__}, shown above>")  # the prompt `Out[n]:` stands already


def _for_displayhook() -> bool:
    """True when the cell's value is being shown, False for `display(x)`."""
    hook = getattr(type(sys.displayhook).__call__, "__code__", None)
    frame = sys._getframe(1)
    for _ in range(FRAMES_UP):
        if frame.f_code is hook:
            return True
        if frame.f_back is None:
            break
        frame = frame.f_back
    return False
