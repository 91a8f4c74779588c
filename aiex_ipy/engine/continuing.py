"""Answers that were cut, with the questions they belong to, so that they can be continued."""

from __future__ import annotations

import threading
from collections import deque

from msgspec import structs

from aiex_ipy.errors import AiexError, InterruptedAnswerError, UsageError
from aiex_ipy.messages import Answer
from aiex_ipy.operations.base import WordsRequest

MOST_KEPT = 20
"""Cut answers of which the question is kept, newest; it may hold the text of files."""


class CutAnswers:
    """The cut answers of one engine; any thread may use it."""

    def __init__(self) -> None:
        self._kept: deque[tuple[Answer, WordsRequest]] = deque(maxlen=MOST_KEPT)
        self._lock = threading.Lock()

    def keep(self, cut: object, request: object) -> None:
        """Keep the question of an answer that was cut, by its connection or by its limit; pass
        over anything else."""
        answer = cut.answer if isinstance(cut, InterruptedAnswerError) else cut
        if not isinstance(request, WordsRequest) or not isinstance(answer, Answer):
            return
        with self._lock:
            if request.so_far is not None and answer.text:
                self._forget(request.so_far)
            if answer.finish in ("interrupted", "length") and answer.text:
                self._kept.append((answer, structs.replace(request, so_far=answer)))

    def _forget(self, answer: Answer) -> None:
        for entry in [each for each in self._kept if each[0] is answer]:
            self._kept.remove(entry)

    def request_for(
        self,
        cut: Answer | InterruptedAnswerError | None = None,
        *,
        provider: str | None = None,
        model: str | None = None,
    ) -> WordsRequest:
        """Return the request that continues `cut`, None for the last one that was cut.

        `provider` and `model` choose another one than was asked. Raises UsageError.
        """
        answer = cut.answer if isinstance(cut, AiexError) and hasattr(cut, "answer") else cut
        with self._lock:
            found = [each for each in self._kept if answer is None or each[0] == answer]
        if not found or (cut is not None and answer is None):
            raise _cannot(cut)
        request = found[-1][1]
        if provider is None and model is None:
            return request
        return structs.replace(request, provider=provider, model=model)


def _cannot(cut: object) -> UsageError:
    code, hint = "not_continuable", "Ask again."
    if cut is None:
        return UsageError(
            "No answer of this session was cut, or it has been continued already.",
            code=code,
            hint=hint,
        )
    if isinstance(cut, Answer) and cut.complete:
        return UsageError("This answer is whole.", code=code, hint=hint)
    if isinstance(cut, Answer) and cut.finish in ("stop", "tool_calls"):
        return UsageError(
            "This answer came to its end: what could not be read of it is lost.",
            code=code,
            hint=hint,
        )
    if isinstance(cut, Answer | InterruptedAnswerError):
        return UsageError(
            "This answer cannot be continued: its question is not known here.",
            code=code,
            hint=hint,
        )
    return UsageError(f"{type(cut).__name__!r} is no answer that was cut.", code=code, hint=hint)
