"""Which model is asked, and what a request is built for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from msgspec import Struct

from aiex_ipy.messages import Chunk, ModelRequest


class Choice(Struct, frozen=True, kw_only=True):
    """What the caller asked for; None means not said. `by_name_only` leaves out the embedded
    model unless it was named (by `provider`, or by `default_provider` in the settings). `task` is
    the operation's name, for `llm.tasks`. `batch` lets interactive requests go first."""

    provider: str | None = None
    model: str | None = None
    by_name_only: bool = False
    task: str = ""
    batch: bool = False


class Target(Struct, frozen=True, kw_only=True):
    """One provider and model about to be asked. `note` says how they were chosen, `""` when
    the caller named both. `prompt_budget_tokens` None means the provider has none of its own."""

    provider: str
    kind: str
    model: str | None
    max_tokens: int
    prompt_budget_tokens: int | None = None
    note: str = ""


class Models(Protocol):
    """Many providers as one; lives on the engine's loop."""

    def certainly_none(self, choice: Choice) -> bool:
        """True when, without asking any server, it is known that no model will be used.

        Raises UnknownNameError for a provider that is not known.
        """
        ...

    async def targets(self, choice: Choice) -> list[Target]:
        """The providers to try, in order; empty when there is none (or `none` was named)."""
        ...

    def stream(
        self, build: Callable[[Target], ModelRequest], choice: Choice
    ) -> AsyncGenerator[Chunk, None]:
        """Ask the targets in order until one gives its first token; then only that one.

        `build` makes the request for a target, because the prompt budget differs. Raises the
        last target's error with the earlier ones told in its message; UnavailableError with
        code `no_provider` when there is no target.
        """
        ...

    async def aclose(self) -> None: ...
