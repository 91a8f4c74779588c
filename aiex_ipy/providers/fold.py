"""The fold of a stream of chunks into one answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from aiex_ipy.errors import InterruptedAnswerError
from aiex_ipy.messages import (
    Answer,
    Chunk,
    Finish,
    Opened,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)


class AnswerFold:
    """Takes chunks one by one; `answer()` is the whole, once `Finish` has come."""

    def __init__(self) -> None:
        self.provider = ""
        self.model = ""
        self.note = ""
        self._pieces: list[str] = []
        self._calls: dict[int, list[str]] = {}
        self._finish: Finish | None = None

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        if isinstance(chunk, TextDelta):
            self._pieces.append(chunk.text)
        elif isinstance(chunk, ToolCallDelta):
            call = self._calls.setdefault(chunk.index, ["", "", ""])
            call[0] = call[0] or chunk.id
            call[1] = call[1] or chunk.name
            call[2] += chunk.arguments
        elif isinstance(chunk, Opened):
            self.provider, self.model, self.note = chunk.provider, chunk.model, chunk.note
        else:
            self._finish = chunk

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._pieces)

    def answer(self) -> Answer:
        """Return the whole answer; InterruptedAnswerError when the stream had no end."""
        finish = self._finish
        if finish is None:
            raise InterruptedAnswerError(
                f"The answer of {self.provider!r} was cut before its end.",
                hint="Ask again.",
                provider=self.provider,
                model=self.model,
                partial=self.text,
            )
        return Answer(
            text=self.text,
            provider=self.provider,
            model=finish.model or self.model,
            finish=finish.reason,
            usage=finish.usage,
            tool_calls=tuple(
                ToolCall(id=call[0] or f"call_{index}", name=call[1], arguments=call[2])
                for index, call in sorted(self._calls.items())
            ),
            refusal=finish.refusal,
            skipped=finish.skipped,
            note=self.note,
        )


async def collect(stream: AsyncGenerator[Chunk, None]) -> Answer:
    """Run `stream` to its end and return the whole answer; the stream is closed in any case."""
    from contextlib import aclosing

    fold = AnswerFold()
    async with aclosing(stream):
        async for chunk in stream:
            fold.add(chunk)
    return fold.answer()
