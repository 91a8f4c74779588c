"""What stands for a provider whose own settings are wrong: it can be named, and says what is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from aiex_ipy.errors import ConfigError
from aiex_ipy.messages import Chunk, ModelInfo, ModelRequest


class FaultyProvider:
    """Raises the fault of its settings whenever it is asked; no server is."""

    prompt_budget_tokens: int | None = None

    def __init__(self, name: str, kind: str, fault: ConfigError) -> None:
        self.name, self.kind = name, kind
        self._fault = fault

    def stream(self, request: ModelRequest, /) -> AsyncGenerator[Chunk, None]:
        return self._refuse()

    async def _refuse(self) -> AsyncGenerator[Chunk, None]:
        said: tuple[Chunk, ...] = ()  # nothing, but a stream is a generator
        for chunk in said:
            yield chunk
        raise self._again()

    async def models(self) -> Sequence[ModelInfo]:
        raise self._again()

    async def available(self, within_s: float, /) -> bool:
        return False

    async def aclose(self) -> None:
        return

    def _again(self) -> ConfigError:
        """The error, new each time: what handles one may add to it."""
        return ConfigError(**self._fault.__dict__)
