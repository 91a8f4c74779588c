"""What the prompt gets at load: Tab's additions, and ghost text if the settings want it.

Nothing is imported before the first key: loading the extension stays cheap.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiex_ipy.config.settings import Settings
    from aiex_ipy.frontends.ipython.ghost import GhostSwitch
    from aiex_ipy.frontends.ipython.session import Session


def add_to_tab(shell: Any) -> Callable[[], object]:
    """Add our matcher to IPython's completer; return how to take it away."""

    def live(context: Any) -> Any:
        from aiex_ipy.frontends.ipython.tab import matched

        return matched(context, shell.user_ns)

    # What `IPython.core.completer.context_matcher` sets.
    live.matcher_api_version = 2  # type: ignore[attr-defined]
    live.matcher_identifier = "aiex.live"  # type: ignore[attr-defined]
    matchers = shell.Completer.custom_matchers
    matchers.append(live)
    return lambda: live in matchers and matchers.remove(live)


class Ghost:
    """Turns ghost text on and off as the settings say: they are read, in a thread of its own,
    when the first key is typed, and whenever they change in the session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._switch: GhostSwitch | None = None
        self._prompt: Any = getattr(session.shell, "pt_app", None)
        if self._prompt is not None:
            self._prompt.default_buffer.on_text_insert.add_handler(self._first_key)
            session.configured = self.follow

    def _first_key(self, buffer: Any) -> None:
        import asyncio

        self._forget_first_key()
        loop = asyncio.get_running_loop()

        def read() -> None:
            from aiex_ipy.errors import AiexError

            try:
                settings = self._session.settings()
            except AiexError:  # said with the first request
                return
            if settings.completion.ghost_text and not loop.is_closed():
                loop.call_soon_threadsafe(self.follow, settings)

        threading.Thread(target=read, name="aiex-settings", daemon=True).start()

    def _forget_first_key(self) -> None:
        handlers = self._prompt.default_buffer.on_text_insert
        handlers.remove_handler(self._first_key)

    def follow(self, settings: Settings) -> None:
        """Do as the settings say."""
        on = settings.completion.ghost_text
        if self._switch is None and on and self._session.configured is not None:
            from aiex_ipy.frontends.ipython.ghost import GhostSwitch

            self._switch = GhostSwitch(self._session)
        if self._switch is not None:
            self._switch.set(on)

    def remove(self) -> None:
        """Leave the prompt as it was."""
        if self._prompt is None:
            return
        self._session.configured = None
        self._forget_first_key()
        if self._switch is not None:
            self._switch.set(False)
