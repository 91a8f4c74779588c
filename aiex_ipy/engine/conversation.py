"""A conversation in memory: turns that remember the turns before."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from aiex_ipy.engine.engine import Engine, default_engine
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.messages import Answer, Message
from aiex_ipy.operations.base import Update
from aiex_ipy.operations.chat import ChatRequest, ChatType

MAX_TURNS = 50
"""Turns kept; each prompt takes the newest that fit its budget."""


class Conversation:
    """Asks in turn and remembers; a turn that failed or was interrupted is not remembered."""

    def __init__(
        self,
        type: ChatType = "general",
        *,
        context: tuple[str | Subject, ...] = (),
        provider: str | None = None,
        model: str | None = None,
        allow_secret_file: bool = False,
        engine: Engine | None = None,
    ) -> None:
        self.type: ChatType = type
        self.context = context
        self.provider = provider
        self.model = model
        self.allow_secret_file = allow_secret_file
        self._engine = engine
        self._lock = threading.Lock()
        self._turns: list[tuple[Message, Message]] = []

    @property
    def history(self) -> tuple[Message, ...]:
        """The turns so far, oldest first."""
        with self._lock:
            return tuple(message for turn in self._turns for message in turn)

    def clear(self) -> None:
        """Forget all turns."""
        with self._lock:
            self._turns.clear()

    def request(self, query: str) -> ChatRequest:
        """Return the request of the next turn, for a front end that runs it itself."""
        return ChatRequest(
            query=query,
            type=self.type,
            context=self.context,
            history=self.history,
            provider=self.provider,
            model=self.model,
            allow_secret_file=self.allow_secret_file,
        )

    def remember(self, query: str, answer: Answer) -> None:
        """Add a turn; an answer without text is not remembered."""
        if not answer.text:
            return
        with self._lock:
            self._turns.append(
                (
                    Message(role="user", content=query),
                    Message(role="assistant", content=answer.text),
                )
            )
            del self._turns[:-MAX_TURNS]

    def stream(self, query: str) -> Iterator[Update | Answer]:
        """Ask one turn; yields updates, last the answer, which is remembered."""
        for item in (self._engine or default_engine()).updates(self.request(query)):
            if isinstance(item, Answer):
                self.remember(query, item)
            yield item

    def ask(self, query: str) -> Answer:
        """Ask one turn and return the answer."""
        answer = (self._engine or default_engine()).run_sync(self.request(query))
        self.remember(query, answer)
        return answer
