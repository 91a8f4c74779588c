"""Answers that were cut, with the questions they belong to, so that they can be continued."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

from msgspec import structs

from aiex_ipy.errors import AiexError, InterruptedAnswerError, UsageError
from aiex_ipy.messages import Answer
from aiex_ipy.operations.base import Speaking, WordsRequest
from aiex_ipy.operations.resuming import ended_by_reader

MOST_KEPT = 20
"""Cut answers of which the question is kept, newest; it may hold the text of files."""


class Cut(NamedTuple):
    """An answer that was cut, what had been asked, and what goes on with it."""

    answer: Answer
    asked: WordsRequest
    again: WordsRequest


class CutAnswers:
    """The cut answers of one engine; any thread may use it."""

    def __init__(self) -> None:
        self._kept: deque[Cut] = deque(maxlen=MOST_KEPT)
        self._asked_since = False
        self._lock = threading.Lock()

    def asked(self, request: object) -> None:
        """Note a request: unless it goes on with one, the answers cut before are not the last."""
        if not isinstance(request, WordsRequest) or request.so_far is None:
            self._asked_since = True

    def keep(self, cut: object, request: object) -> None:
        """Keep the question of an answer that was cut, by its connection or by its limit; pass
        over anything else."""
        answer = cut.answer if isinstance(cut, InterruptedAnswerError) else cut
        if not isinstance(request, WordsRequest) or not isinstance(answer, Answer):
            return
        with self._lock:
            if request.so_far is not None and answer.text:
                self._forget(request.so_far)
            kept = answer.finish in ("interrupted", "length") and answer.text
            if kept:
                again = structs.replace(request, so_far=answer)
                self._kept.append(Cut(answer, request, again))
            self._asked_since = not kept

    def keep_cancelled(self, said: str, who: Speaking, request: object) -> None:
        """Keep what was said until whoever asked ended the request."""
        if isinstance(request, WordsRequest):
            self.keep(ended_by_reader(request, said, who), request)

    def _forget(self, answer: Answer) -> None:
        for entry in [each for each in self._kept if each.answer is answer]:
            self._kept.remove(entry)

    def answer_of(self, request: object) -> Answer | None:
        """Return the cut answer that a request was left with, None where it has none."""
        with self._lock:
            return next((each.answer for each in self._kept if each.asked is request), None)

    @property
    def earlier_question(self) -> str:
        """The question of the last cut answer where something else was asked after it, else
        `""`."""
        with self._lock:
            return self._kept[-1].asked.query if self._kept and self._asked_since else ""

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
            found = [each for each in self._kept if answer is None or each.answer == answer]
        if not found or (cut is not None and answer is None):
            raise _cannot(cut)
        request = found[-1].again
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
