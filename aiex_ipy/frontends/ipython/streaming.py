"""Run a request in the calling thread's cell and show it as it comes."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec import structs

from aiex_ipy.errors import AiexError, InterruptedAnswerError
from aiex_ipy.frontends.ipython.display import in_kernel
from aiex_ipy.messages import Answer
from aiex_ipy.operations.base import Facts, Note, Request, Speaking, Text, Update

if TYPE_CHECKING:
    from aiex_ipy.engine.jobs import Job
    from aiex_ipy.frontends.ipython.session import Session

Res = TypeVar("Res")
Interrupt = TypeVar("Interrupt", bound=BaseException)

ENDED = "the request was ended."
FIRST_WAIT_S = 0.002
"""How long the first words wait for the end of the answer, so that an answer that comes in one
piece is one display message. Within the 5 ms that may be added to a first token."""
REDRAW_SHARE = 0.2
"""The share of time that redrawing may take: a long answer is redrawn less often."""
LONGEST_GAP_S = 0.5
"""The longest pause for that reason."""
CHARACTERS_PER_S = 250_000
"""Redraws send no more: jupyter_server drops outputs above 1 MB a second and notebook.
Source: `iopub_data_rate_limit` of jupyter_server 2.21."""


_ENDS: dict[type[BaseException], str] = {
    KeyboardInterrupt: "interrupted",
    CancelledError: "stopped",
}


class Screen(Protocol):
    """Where a request is shown. `changed` says that there is something new to show."""

    changed: bool
    facts_alone: Any
    """The result so far that was shown, None where there was none."""

    def note(self, line: str) -> None:
        """Progress, for people."""

    def speaking(self, who: Speaking) -> None:
        """A model will speak."""

    def words(self, text: str) -> None:
        """The model's next words."""

    def facts(self, result: Any) -> None:
        """The result so far."""

    def show(self) -> int:
        """Show what is new; return the size in characters of what was sent for that."""

    def finish(self, result: Any) -> None:
        """Show the result."""

    def stop(self, why: str) -> None:
        """Show what there is, and that it ends here."""


class Progress(Protocol):
    """A control beside the screen: `due_at` is when it wants to be looked after, on the
    monotonic clock, or None."""

    due_at: float | None

    def look_after(self, status: str) -> None:
        """Appear, or show the status."""

    def close(self, status: str) -> None:
        """Become its static form."""


def show_and_run(
    session: Session, request: Request[Res], output: str | None = None, *, into: str = ""
) -> Res:
    """Run `request`, showing updates as they come and last the result, in `output` format.

    The result is the session's last one then, and the value of the variable `into`. Raises the
    request's error after showing what came before it: of that, a cut answer, or the facts alone,
    are kept in the same way.

    An interrupt, or the control's button, ends the request at the server and raises
    KeyboardInterrupt; in a cell with a top-level `await` the `asyncio.CancelledError` which such a
    cell is interrupted with, since an interrupt raised in a task would end the kernel's loop.
    """
    awaited = False
    try:
        with interruptible() as awaited:
            return _show_and_run(session, request, output, into)
    except KeyboardInterrupt as interrupt:
        why = ENDED
        if session.engine.cut_answers.answer_of(request) is not None:
            why = f"{ENDED} {_way_on(request)}"
        if not awaited:
            raise quiet(interrupt, why) from None
        import asyncio

        raise quiet(asyncio.CancelledError(), why) from None


@contextmanager
def interruptible() -> Iterator[bool]:
    """Let SIGINT end the wait inside; yields True in a cell with a top-level `await`.

    There ipykernel's handler only tells the event loop, which hears it when the wait is over.
    Source: ipykernel 7.4, `IPythonKernel._cancel_on_sigint`.
    """
    handler = signal.getsignal(signal.SIGINT)
    told = getattr(handler, "__qualname__", "").startswith("IPythonKernel._cancel_on_sigint")
    if not told or threading.current_thread() is not threading.main_thread():
        yield False
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield True
    finally:
        signal.signal(signal.SIGINT, handler)


def _way_on(request: Request[Any]) -> str:
    """How one goes on with a cut answer; a turn of a conversation is not remembered till then."""
    forgotten = ": this turn is not remembered" if request.operation == "chat" else ""
    return f"Go on with %aiex continue, or ask again{forgotten}."


def _show_and_run(session: Session, request: Request[Res], output: str | None, into: str) -> Res:
    engine = session.engine
    job = engine.submit(request)
    screen: Screen | None = None
    progress: Progress | None = None
    status = "failed"
    try:
        screen = _screen(session, output)
        progress = _progress(session, job)
        _pump(job, screen, progress, 1 / engine.settings.display.updates_per_second)
        result = job.result()
        status = "done"
    except (KeyboardInterrupt, CancelledError, AiexError) as error:
        job.cancel_and_wait()
        status = _ENDS.get(type(error), "failed")
        left = engine.cut_answers.answer_of(request)
        if isinstance(error, InterruptedAnswerError) and left is not None:
            error.hint = _way_on(request)
            if screen is not None:
                screen.finish(left)
        elif screen is not None:
            for update in job.poll(0)[0]:
                _take(update, screen, "", 0)
            screen.stop("cut short" if isinstance(error, AiexError) else status)
            left = left or screen.facts_alone
        if left is not None:
            session.keep(left, into)
        if isinstance(error, CancelledError):
            error = KeyboardInterrupt()
        raise error.with_traceback(None) from None
    finally:
        if progress is not None:
            progress.close(status)
    session.mark_shown(result)
    screen.finish(_with_way_on(result))
    session.keep(result, into)
    return result


def _with_way_on(result: Any) -> Any:
    """An answer cut at its limit, with the words on how to have the rest; all else as it is."""
    if not isinstance(result, Answer) or result.finish != "length":
        return result
    return structs.replace(result, notices=(*result.notices, "%aiex continue goes on with it."))


def quiet(interrupt: Interrupt, why: str = ENDED) -> Interrupt:
    """Make IPython show an interrupt as one line instead of our frames, and return it.

    Source: `InteractiveShell.showtraceback` asks an exception for `_render_traceback_`.
    """
    line = f"{type(interrupt).__name__}: {why}"
    interrupt._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]
    return interrupt


def _pump(job: Job[Any], screen: Screen, progress: Progress | None, period_s: float) -> None:
    """Hand updates to the screen until the request ends: the first words at once, then at most
    one redraw a period. What came last before the end is left to `finish` or `stop`.

    While there is something to redraw, words do not wake this thread: each wake would take the
    interpreter from the engine's thread.
    """
    redraw_at = 0.0
    status = "waiting for a model"
    words = 0
    took = 0.0
    ended = False
    while not ended:
        wakes = [redraw_at] if screen.changed else []
        if progress is not None and progress.due_at is not None:
            wakes.append(progress.due_at)
        timeout = max(0.0, min(wakes) - time.monotonic()) if wakes else None
        updates, ended = job.poll(timeout, for_end=screen.changed)
        if not words and not ended and any(isinstance(u, Speaking | Text) for u in updates):
            more, ended = job.poll(FIRST_WAIT_S, for_end=True)
            updates += more
            redraw_at = 0.0
        for update in updates:
            status, words = _take(update, screen, status, words)
        now = time.monotonic()
        if not ended and screen.changed and now >= redraw_at:
            size = screen.show()
            before, took = took, time.monotonic() - now
            slow = min(before, took)  # one slow redraw may be an import or a busy machine
            busy = min(slow / REDRAW_SHARE, LONGEST_GAP_S)
            redraw_at = now + max(period_s, busy, size / CHARACTERS_PER_S)
        if not ended and progress is not None and (progress.due_at or now + 1) <= now:
            progress.look_after(f"{status}, {words} pieces" if words else status)


def _take(update: Update, screen: Screen, status: str, words: int) -> tuple[str, int]:
    """Hand one update to the screen; return the line of status and the pieces so far."""
    if isinstance(update, Text):
        screen.words(update.text)
        return status, words + 1
    if isinstance(update, Speaking):
        screen.speaking(update)
        return f"{update.model} ({update.provider})", words
    if isinstance(update, Note):
        screen.note(update.text)
        return update.text, words
    if isinstance(update, Facts):
        screen.facts(update.result)
    return status, words


def _screen(session: Session, output: str | None) -> Screen:
    if in_kernel(session):
        from aiex_ipy.frontends.ipython.notebook import NotebookScreen

        return NotebookScreen(session, output)
    from aiex_ipy.frontends.ipython.terminal import TerminalScreen

    return TerminalScreen(output)


def _progress(session: Session, job: Job[Any]) -> Progress | None:
    if not in_kernel(session) or not session.engine.settings.display.widgets:
        return None
    from aiex_ipy.frontends.ipython.control import Control

    return Control(session.shell, job.cancel)
