"""One request that may be answered without being asked: from the cache, or with its twin."""

from __future__ import annotations

from types import TracebackType

from msgspec import structs

from aiex_ipy.config.settings import ProviderSettings, Settings
from aiex_ipy.messages import Chunk, Finish, ModelRequest, Opened
from aiex_ipy.routing.attempts import Asked
from aiex_ipy.routing.choice import Choice
from aiex_ipy.routing.ledger import Call
from aiex_ipy.routing.reuse import Lead, cache_key, request_key
from aiex_ipy.routing.state import RoutingState

MOST_LEADS = 3
"""How many requests one is a follower of before it asks by itself."""


class Sharing:
    """A context: while it lasts, identical requests wait for this one's answer.

    `keeps` is True while somebody may want the chunks later: the twins, or the cache.
    """

    def __init__(self, settings: Settings, state: RoutingState, choice: Choice) -> None:
        self._settings, self._state, self._choice = settings, state, choice
        self._lead: Lead | None = None
        self._key: bytes | None = None
        self._notice = ""
        self._asked: Asked | None = None
        self._request: ModelRequest | None = None
        self._chunks: list[Chunk] = []
        self.keeps = False

    async def had_already(self, asked: Asked | None) -> list[Chunk] | None:
        """Return a whole answer that need not be asked for; None makes this request the leader of
        its twins."""
        if asked is None or asked.request is None:
            return None
        llm, request = self._settings.llm, asked.request
        self._asked, self._request = asked, request
        found = None
        if llm.cache.enabled:
            found = await self._cached(asked.instance, request)
        if found is None and llm.deduplicate:
            key = request_key(asked.instance, request, batch=self._choice.batch)
            if key is not None:
                found = await self._with_twin(key, llm.total_timeout_ms / 1000)
        if found is not None:
            self._key = None
            self._count(found)
            return found
        if self._lead is not None:
            self._chunks = self._lead.chunks
        self.keeps = self._lead is not None or self._key is not None
        return None

    async def keep(self, chunk: Chunk) -> Chunk:
        """Keep a chunk, and return it, with a notice of the cache where it opens the answer. With
        the last one the answer is given to the twins and to the cache."""
        if type(chunk) is Opened:
            asked = self._asked
            if asked is None or chunk.provider != asked.instance.name:
                self._key = None  # asked again, the first one may be back
                if self._lead is not None:
                    self._lead.leave()  # a twin may have named the provider
            elif asked.request is not self._request:
                self._key = None  # it was asked something shorter
            if self._notice:
                note = "; ".join(part for part in (chunk.note, self._notice) if part)
                chunk = structs.replace(chunk, note=note)
        self._chunks.append(chunk)
        if type(chunk) is Finish:
            if self._lead is not None:
                self._lead.share()
            if self._key is not None:
                await self._state.cache(self._settings.llm.cache).put(self._key, self._chunks)
        return chunk

    async def _cached(
        self, instance: ProviderSettings, request: ModelRequest
    ) -> list[Chunk] | None:
        self._key = cache_key(instance, request, self._settings)
        if self._key is None:
            return None
        cache = self._state.cache(self._settings.llm.cache)
        found = await cache.get(self._key)
        self._notice = cache.take_notice()
        return found

    async def _with_twin(self, key: bytes, within_s: float) -> list[Chunk] | None:
        twins = self._state.in_flight()
        for _ in range(MOST_LEADS):
            self._lead = twins.lead(key)
            if self._lead is not None:
                return None
            found = await twins.follow(key, within_s)
            if found is not None:
                return found
        return None

    def __enter__(self) -> Sharing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lead is not None:
            self._lead.leave()

    def _count(self, found: list[Chunk]) -> None:
        opened, finish = found[0], found[-1]
        if isinstance(opened, Opened) and isinstance(finish, Finish):
            self._state.ledger.add(
                Call(
                    provider=opened.provider,
                    model=finish.model or opened.model,
                    task=self._choice.task,
                    usage=finish.usage,
                    attempts=0,
                    cached=True,
                )
            )
