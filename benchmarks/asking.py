"""How clients are measured, ours and others': each question another, each answer looked at.

A client has `call(question)` and `stream(question)`, which return the text. The server says the
question first and then its words, so that a delta that is lost, out of order or another stream's
is seen. Nothing of aiex is imported here: processes of other environments use it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

TOKENS = 500
MODEL = "loopback-model"
MAX_TOKENS = 4000
WORDS = "".join(f" word{number}" for number in range(1, TOKENS))


def messages(question: str) -> list[Any]:
    return [{"role": "user", "content": question}]


class Client(Protocol):
    async def call(self, question: str) -> str: ...
    async def stream(self, question: str) -> str: ...


class Asker:
    """Asks one client and counts. `short` answers with the question alone, `long` with words."""

    def __init__(self, name: str, short: Client, long: Client) -> None:
        self.name, self.short, self.long = name, short, long
        self.asked = 0

    def question(self) -> str:
        """A question nobody asked before: equal ones under way may share an answer."""
        self.asked += 1
        return f"{self.name}: explain function {self.asked}."

    async def warm(self) -> None:
        """Open connections and fill caches before anything counts."""
        await self.calls(5)
        await self.streams(1)

    async def calls(self, times: int) -> float:
        """Return CPU microseconds per call."""
        questions = [self.question() for _ in range(times)]
        before = time.process_time()
        answers = [await self.short.call(question) for question in questions]
        took = time.process_time() - before
        assert answers == questions, f"{self.name}: a wrong answer"
        return took / times * 1e6

    async def streams(self, times: int) -> float:
        """Return CPU microseconds per streamed token, one stream after the other."""
        questions = [self.question() for _ in range(times)]
        before = time.process_time()
        answers = [await self.long.stream(question) for question in questions]
        took = time.process_time() - before
        self._check(questions, answers)
        return took / times / TOKENS * 1e6

    async def at_once(self, times: int) -> tuple[float, float]:
        """Return wall and CPU seconds of so many streams at once."""
        questions = [self.question() for _ in range(times)]
        wall, cpu = time.perf_counter(), time.process_time()
        answers = await asyncio.gather(*(self.long.stream(question) for question in questions))
        took = time.perf_counter() - wall, time.process_time() - cpu
        self._check(questions, answers)
        return took

    def _check(self, questions: list[str], answers: list[str]) -> None:
        for question, answer in zip(questions, answers, strict=True):
            assert answer == question + WORDS, f"{self.name}: a delta was lost or out of order"
