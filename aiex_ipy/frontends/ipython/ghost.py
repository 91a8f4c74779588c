"""Grey text at the cursor of terminal IPython: a model's continuation while typing pauses.

History suggestions stay first. The request ends, at the server too, when the cursor moves, the text
changes, or the cell is run.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from IPython.terminal.shortcuts.auto_suggest import NavigableAutoSuggestFromHistory
from prompt_toolkit.auto_suggest import Suggestion

from aiex_ipy.engine.completing import completer_of
from aiex_ipy.errors import AiexError
from aiex_ipy.frontends.ipython.completing import last_cells

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.buffer import Buffer

    from aiex_ipy.frontends.ipython.session import Session

PAUSE_S = 0.4
"""How long typing pauses before a model is asked: longer than between the keys of one word.
Source: 250 ms between keys at 40 words a minute (Card, Moran, Newell 1983)."""


class GhostText(NavigableAutoSuggestFromHistory):  # type: ignore[misc]
    """IPython's suggestions from history, and a model's where history has none.

    IPython's command `IPython:auto_suggest.llm_autosuggestion` asks the model at once.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._asking: asyncio.Task[None] | None = None

    def connect(self, pt_app: PromptSession[Any]) -> None:
        """Listen to a prompt's buffer."""
        super().connect(pt_app)
        pt_app.default_buffer.on_text_insert.add_handler(self._typed)

    def disconnect(self) -> None:
        """Stop listening, and end what is under way."""
        for pt_app in self._connected_apps:
            pt_app.default_buffer.on_text_insert.remove_handler(self._typed)
        super().disconnect()

    def cancel(self, *_: object) -> None:
        """End the request under way, at the server too; any thread may call it."""
        self._cancel_running_llm_task()

    def _cancel_running_llm_task(self) -> None:
        task, self._asking = self._asking, None
        if task is not None and not task.done():
            task.cancel()
            # The prompt's loop may stand still while a cell runs: the task would not hear it.
            completer_of(self._session.engine).supersede(self)

    def _typed(self, buffer: Buffer) -> None:
        """Ask when nothing more is typed for a while."""
        self._cancel_running_llm_task()
        self._asking = asyncio.get_running_loop().create_task(self._after_pause(buffer))

    async def _after_pause(self, buffer: Buffer) -> None:
        await asyncio.sleep(PAUSE_S)
        if buffer.suggestion is None and buffer.document.text_before_cursor.strip():
            await self._suggest(buffer)

    async def _trigger_llm(self, buffer: Buffer) -> None:
        self._cancel_running_llm_task()
        self._asking = asyncio.get_running_loop().create_task(self._suggest(buffer))
        await asyncio.wait([self._asking])

    async def _suggest(self, buffer: Buffer) -> None:
        """Show the model's text as it grows."""
        session = self._session
        document = buffer.document
        try:
            # The first use loads the settings and a provider: not while keys wait.
            engine = await asyncio.to_thread(_ready, session)
            updates = completer_of(engine).updates(
                document.text_before_cursor,
                document.text_after_cursor,
                session.shell.user_ns,
                session=self,
                cells=last_cells(session),
            )
            async with aclosing(updates) as items:
                async for update in items:
                    if buffer.document != document:
                        return
                    if update.suggestion:
                        buffer.suggestion = Suggestion(update.suggestion)
                        buffer.on_suggestion_set.fire()
        except AiexError as error:
            session.shell.log.debug("no suggestion: %s", error)


def _ready(session: Session) -> Any:
    engine = session.engine
    _ = engine.models
    return engine


class GhostSwitch:
    """Puts `GhostText` in the place of a shell's suggestions, and back."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._before: Any = None
        self._ours: GhostText | None = None

    def set(self, on: bool) -> None:
        """Turn it on or off; only in a terminal with a prompt."""
        shell = self._session.shell
        if on == (self._ours is not None) or getattr(shell, "pt_app", None) is None:
            return
        if on:
            self._before, self._ours = shell.auto_suggest, GhostText(self._session)
            _replace(shell, self._before, self._ours)
            shell.events.register("pre_execute", self._ours.cancel)
            return
        ours, self._ours = self._ours, None
        assert ours is not None
        shell.events.unregister("pre_execute", ours.cancel)
        if shell.auto_suggest is ours:
            _replace(shell, ours, self._before)
        else:  # the user has chosen other suggestions meanwhile
            ours.disconnect()


def _replace(shell: Any, old: Any, new: Any) -> None:
    if isinstance(old, NavigableAutoSuggestFromHistory):
        old.disconnect()
    shell.auto_suggest = shell.pt_app.auto_suggest = new
    if isinstance(new, NavigableAutoSuggestFromHistory):
        new.connect(shell.pt_app)
