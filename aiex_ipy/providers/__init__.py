"""Words in, chunks out: one seam, one file a vendor.

Providers register by entry point in the group `aiex.providers`: the name is the kind, the
value a callable `(ProviderSettings, Settings) -> Provider` that imports no SDK until the
first call of the provider it makes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from aiex_ipy.messages import Chunk, ModelInfo, ModelRequest


class Provider(Protocol):
    """One configured source of answers; used on the engine's loop only.

    `stream` yields `Opened`, then deltas, then exactly one `Finish`; it raises a
    `ProviderError` before the first delta or an `AnswerError` after it, never a vendor's
    exception. Closing the generator ends the request at the server. `models` raises
    `ProviderError` when the server cannot be asked.

    `available` tells, within so many seconds and without raising, whether it could be asked now:
    a local server answers and has a model, a model's file is there. It is asked only of
    providers nobody named.

    A provider whose server works on so many requests at once and lets more wait may tell the number
    as `slots`; then they wait in turn before they are sent.

    `kind` is the registered kind; `name` the instance's own name. `prompt_budget_tokens` is
    the most a prompt may cost on this provider, or None for no budget of its own.
    """

    name: str
    kind: str

    @property
    def prompt_budget_tokens(self) -> int | None: ...

    async def available(self, within_s: float, /) -> bool: ...

    async def models(self) -> Sequence[ModelInfo]: ...

    def stream(self, request: ModelRequest, /) -> AsyncGenerator[Chunk, None]: ...

    async def aclose(self) -> None: ...
