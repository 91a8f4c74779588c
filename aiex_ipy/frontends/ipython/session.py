"""What one IPython shell's session with aiex knows: its engine, last result, errors so far."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiex_ipy.engine.makers import MAKERS

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

    from aiex_ipy.config.settings import Settings
    from aiex_ipy.engine.conversation import Conversation
    from aiex_ipy.engine.engine import Engine
    from aiex_ipy.grounding.cells import RanCell

MAX_ERRORS = 20
"""Error texts kept, newest; an exception itself is not kept, since it holds its frames' values."""
MOST_THREADS = 32
"""Threads whose last shown results are remembered."""
LAST_RESULT = "_aiex"
_AWAITS = re.compile(r"\b(?:await|async)\b")
MAX_CELLS = 2_000
"""Cells remembered, newest."""


class Session:
    """One shell's session; any thread may use it. `shell` is None outside IPython.

    With `owns_engine` it makes an engine of its own with the first request, which is the
    process's default while the session lives; else it uses the default one.
    """

    def __init__(self, shell: InteractiveShell | None, *, owns_engine: bool = False) -> None:
        self.shell: Any = shell
        self.overrides: dict[str, object] = {}
        """Settings made with `%config Aiex`, by dotted key."""
        self.errors: dict[int, str] = {}
        """Traceback of each cell that failed, by cell number, oldest first."""
        self._ran: list[tuple[int | None, str, bool]] = []
        self._timed: tuple[int | None, tuple[str, str, str]] | None = None
        """Number and parts of the last failed cell that was timed."""
        self.failure: BaseException | None = None
        """The exception of the last cell that failed. Its frames live as long, as those of
        `sys.last_value` do; the next failure replaces it."""
        self.configured: Callable[[Settings], object] | None = None
        """Called with the new settings after `configure`."""
        self.conversations: dict[str, Conversation] = {}
        self._shown: dict[int, tuple[object, list[object]]] = {}
        self._last: object = None
        self._owns_engine = owns_engine
        if owns_engine:
            MAKERS.append(self._make)
        self._engine: Engine | None = None
        self._before: Engine | None = None
        self._pid = 0
        self._lock = threading.Lock()

    @property
    def engine(self) -> Engine:
        """The session's engine, made on first use, and again in a forked child."""
        from aiex_ipy.engine.engine import Engine, default_engine, state_so_far, use_engine

        if not self._owns_engine:
            return default_engine()
        with self._lock:
            if self._engine is None or self._pid != os.getpid():
                self._engine = Engine(
                    self.settings(), kernel=True, surroundings=self, state=state_so_far()
                )
                self._pid = os.getpid()
                self._before = use_engine(self._engine)
            return self._engine

    def _make(self) -> Engine:
        return self.engine

    def settings(self, overrides: dict[str, object] | None = None) -> Settings:
        """Return the settings of all layers, the session's own on top. Raises ConfigError."""
        from aiex_ipy.config import load

        return load(overrides=self.overrides if overrides is None else overrides)

    def configure(self, overrides: dict[str, object]) -> None:
        """Use these settings of the session's own from the next request on.

        Raises ConfigError, and then changes nothing.
        """
        settings = self.settings(overrides)
        self.overrides = overrides
        self.engine.configure(settings)
        if self.configured is not None:
            self.configured(settings)

    def keep(self, result: object, into: str = "") -> None:
        """Make `result` the last result, `_aiex`, and the value of the variable `into` too."""
        if self.shell is not None:
            self._last = self.shell.user_ns[LAST_RESULT] = result
            if into:
                self.shell.user_ns[into] = result

    def mark_shown(self, result: object) -> None:
        """Note that `result` has been shown by the cell that runs in this thread."""
        cell, thread = self._cell(), threading.get_ident()
        marked, results = self._shown.get(thread, (None, []))
        kept = {each: shown for each, shown in self._shown.items() if each != thread}
        if len(kept) >= MOST_THREADS:
            kept.clear()
        self._shown = {**kept, thread: (cell, [*(results if marked == cell else []), result])}

    def shown_in_this_cell(self, result: object) -> bool:
        """True when the cell that runs in this thread has shown `result` already."""
        cell, results = self._shown.get(threading.get_ident(), (None, []))
        return any(shown is result for shown in results) and cell == self._cell()

    def _cell(self) -> object:
        """What is the same during one run of a cell only: the request's id in a kernel, else the
        result that IPython is filling."""
        if hasattr(self.shell, "get_parent"):
            request = self.shell.get_parent().get("header", {}).get("msg_id")
            if request:
                return request
        return getattr(getattr(self.shell, "displayhook", None), "exec_result", None)

    def note_cell(self, result: ExecutionResult | None) -> None:
        """Keep the error text of a cell that failed, under the result's own number: the shell's
        counter has another value during hooks in each IPython version."""
        output = sys.modules.get("aiex_ipy.grounding.evaluation.output")
        if output is not None:
            output.take_away()
        if result is None or result.info is None:
            return
        error = result.error_before_exec or result.error_in_exec
        self._note_run(result, error)
        if isinstance(error, KeyboardInterrupt) and _AWAITS.search(result.info.raw_cell or ""):
            self._end_abandoned()
        if result.success or result.execution_count is None:
            return
        if not isinstance(error, Exception) or hasattr(error, "_render_traceback_"):
            return
        from aiex_ipy.frontends.ipython.tracebacks import error_text

        self.errors.pop(result.execution_count, None)
        self.errors[result.execution_count] = error_text(error, self.shell)
        while len(self.errors) > MAX_ERRORS:
            del self.errors[next(iter(self.errors))]

    def _end_abandoned(self) -> None:
        """In a terminal an interrupt is raised out of the event loop and leaves the cell's tasks
        waiting, and their requests with them. Source: IPython 9, `_asyncio_runner`."""
        if self._engine is not None and self._pid == os.getpid():
            self._engine.end_abandoned()

    def _note_run(self, result: ExecutionResult, error: BaseException | None) -> None:
        """Remember the cell and, when it failed, its exception."""
        code = result.info.raw_cell
        if not isinstance(code, str) or not code.strip():
            return
        number = result.execution_count if result.info.store_history else None
        self._ran.append((number, code, error is None))
        del self._ran[:-MAX_CELLS]
        if error is not None and not _is_ours(error):
            self.failure = error
            self._note_timed(number, code, error)

    def _note_timed(self, number: int | None, code: str, error: BaseException) -> None:
        from aiex_ipy.frontends.ipython.timed import give_source, is_timed, timed_part

        part = timed_part(code) if "%time" in code and is_timed(error) else None
        self._timed = None if part is None else (number, part)
        if part is not None:
            give_source(part[1], self.shell)

    def note_evaluated(self, code: str, error: BaseException | None) -> None:
        """Remember code that `ai_eval` ran, as a cell without a number."""
        self._ran.append((None, code, error is None))
        del self._ran[:-MAX_CELLS]
        if error is not None:
            self.failure = error

    @property
    def cells(self) -> tuple[RanCell, ...]:
        """The cells that ran, oldest first."""
        from aiex_ipy.grounding.cells import RanCell

        ran = [RanCell(number=n, code=code, ok=ok) for n, code, ok in self._ran]
        if self._timed is not None:
            number, (_, code, _) = self._timed
            ran = [
                RanCell(number=number, code=code, ok=False) if each.number == number else each
                for each in ran
            ]
        return tuple(ran)

    def whole(self, number: int | None, code: str) -> str:
        """Return the text of a cell of which `cells` gave a part as its code."""
        if self._timed is None or self._timed[0] != number:
            return code
        before, _, after = self._timed[1]
        return before + code + after

    @property
    def names(self) -> Mapping[str, Any] | None:
        """The user's namespace; None outside IPython."""
        return None if self.shell is None else self.shell.user_ns

    def label_of(self, file: str) -> str | None:
        """Return the name of the cell (`In[3]`) that was compiled under a file name, or None."""
        if self._timed is not None and file.startswith("<timed "):
            return f"In[{self._timed[0]}]"
        name_of = getattr(getattr(self.shell, "compile", None), "format_code_name", None)
        known = name_of and name_of(file)
        return str(known[1]) if known else None

    def close(self) -> None:
        """End the engine with its threads, sockets and children. Safe to call twice."""
        if self._make in MAKERS:
            MAKERS.remove(self._make)
        self._shown.clear()
        if self.shell is not None and self._last is not None:
            if self.shell.user_ns.get(LAST_RESULT) is self._last:
                del self.shell.user_ns[LAST_RESULT]
            self._last = None
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None and self._pid == os.getpid():
            from aiex_ipy.engine.engine import default_engine, use_engine

            if default_engine() is engine:
                use_engine(self._before)
            engine.close()


def _is_ours(error: BaseException) -> bool:
    """True when a call of ours was wrong: what had failed before is still to be explained."""
    if type(error).__module__ == "aiex_ipy.errors":
        return True
    return type(error) is TypeError and str(error).startswith(("ai() ", "ai_"))


_sessions: dict[InteractiveShell | None, Session] = {}


def register_session(session: Session) -> None:
    """Make `session` the one of its shell."""
    _sessions[session.shell] = session


def forget_session(session: Session) -> None:
    """Undo `register_session`."""
    if _sessions.get(session.shell) is session:
        del _sessions[session.shell]


def current_session() -> Session:
    """Return the session of the shell that runs this code, made up where none is loaded."""
    shell = current_shell()
    if shell not in _sessions:
        return Session(shell)
    return _sessions[shell]


def current_shell() -> Any:
    """Return IPython's running shell, or None; IPython is not imported for that."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()
