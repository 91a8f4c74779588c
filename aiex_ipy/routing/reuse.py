"""Answers had already: identical requests under way share one, and a cache on disk keeps them.

What is asked twice is the exact request: provider, kind, base URL, model, messages, tools, schema,
sampling, `max_tokens`; never the key of the account, nor whether the answer is streamed. A request
with a temperature above 0 asks for a draw of its own, and a `scripted` provider says its answers in
order: neither is shared or kept.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Settings
from aiex_ipy.messages import Chunk, Finish, ModelRequest, Opened, TextDelta, Usage

if TYPE_CHECKING:
    import asyncio

NOTHING_SPENT = Usage(input_tokens=0, output_tokens=0, cost_usd=0.0)
"""What an answer costs that was had already, so that totals stay right."""
SHARED_NOTE = "shared with an identical request under way"
_SHARED = ("stop", "tool_calls", "length")
_pack = msgspec.msgpack.Encoder().encode


def request_key(
    instance: ProviderSettings, request: ModelRequest, *, batch: bool = False
) -> bytes | None:
    """Return what tells the request from every other one; None when it is not shared.

    `batch` requests are apart: an interactive one must not wait for one of theirs.
    """
    if instance.kind == "scripted" or (request.temperature or 0.0) > 0.0:
        return None
    return _exact(instance, request, request.model or instance.model, batch)


def cache_key(
    instance: ProviderSettings, request: ModelRequest, settings: Settings
) -> bytes | None:
    """Return the key of the request in the cache, 32 bytes; None when its answer is not kept.

    Nor is it where the server chooses the model: another one may be chosen tomorrow.
    """
    model = request.model or instance.model or own_model(instance.kind, settings.llm)
    if not model or request_key(instance, request) is None:
        return None
    from hashlib import sha256

    return sha256(_exact(instance, request, model, False)).digest()


def _exact(
    instance: ProviderSettings, request: ModelRequest, model: str | None, batch: bool
) -> bytes:
    return _pack(
        (
            instance.name,
            instance.kind,
            instance.base_url,
            model,
            request.messages,
            request.max_tokens,
            request.temperature,
            request.stop,
            request.tools,
            request.response_schema,
            request.schema_name,
            batch,
        )
    )


def own_model(kind: str, llm: LLMSettings) -> str | None:
    """The model a kind always has when none is named, None where the server chooses."""
    if kind == "embedded":
        return llm.embedded.model
    if kind not in ("openai", "anthropic"):
        return None
    from aiex_ipy.providers.model_facts import facts

    return facts(kind).default


def again(chunks: Sequence[Chunk], note: str) -> list[Chunk]:
    """Return a whole answer as it is given out again: its text in one delta, nothing spent."""
    said: list[Chunk] = []
    text: list[str] = []
    for chunk in chunks:
        if type(chunk) is TextDelta:
            text.append(chunk.text)
            continue
        if text:
            said.append(TextDelta("".join(text)))
            text = []
        if type(chunk) is Opened:
            chunk = Opened(provider=chunk.provider, model=chunk.model, note=note)
        elif type(chunk) is Finish:
            chunk = Finish(reason=chunk.reason, model=chunk.model, usage=NOTHING_SPENT)
        said.append(chunk)
    return said


def ended(chunks: Sequence[Chunk], reasons: tuple[str, ...]) -> bool:
    """True for a stream from `Opened` to a `Finish` with one of the reasons, of which nothing was
    lost."""
    last = chunks[-1] if chunks else None
    if type(last) is not Finish or last.skipped:
        return False
    return last.reason in reasons and type(chunks[0]) is Opened


class Lead:
    """The first of identical requests: `chunks` keeps all it yields, beginning with `Opened`.

    Left without `share`, its followers ask by themselves.
    """

    __slots__ = ("_followers", "_key", "_leads", "begun", "chunks")

    def __init__(self, key: bytes, leads: dict[bytes, Lead]) -> None:
        self.chunks: list[Chunk] = []
        self.begun = time.monotonic()
        self._key = key
        self._leads = leads
        self._followers: asyncio.Future[list[Chunk] | None] | None = None

    def share(self) -> None:
        """Give the whole answer to the followers, or nothing when `chunks` is none."""
        opened = self.chunks[0] if self.chunks else None
        own = opened.note if isinstance(opened, Opened) else ""
        note = f"{own}; {SHARED_NOTE}" if own else SHARED_NOTE
        self._end(again(self.chunks, note) if self._shareable() else None)

    def leave(self) -> None:
        """Have the followers ask by themselves; without effect once it has ended."""
        self._end(None)

    def _shareable(self) -> bool:
        return self._followers is not None and ended(self.chunks, _SHARED)

    def _end(self, answer: list[Chunk] | None) -> None:
        if self._leads.get(self._key) is self:
            del self._leads[self._key]
        if self._followers is not None and not self._followers.done():
            self._followers.set_result(answer)

    def __enter__(self) -> Lead:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()


class InFlight:
    """The identical requests under way, on one event loop; holds nothing of those that ended."""

    def __init__(self) -> None:
        self._leads: dict[bytes, Lead] = {}

    def __len__(self) -> int:
        return len(self._leads)

    def lead(self, key: bytes) -> Lead | None:
        """Return the lead of a request that is the first of its kind, None while another leads."""
        if key in self._leads:
            return None
        lead = self._leads[key] = Lead(key, self._leads)
        return lead

    async def follow(self, key: bytes, within_s: float) -> list[Chunk] | None:
        """Wait for the leader's whole answer; None when there will be none, or not within so many
        seconds of the leader's beginning.

        Cancelling it leaves the leader and its other followers alone.
        """
        lead = self._leads.get(key)
        if lead is None:
            return None
        import asyncio

        if lead._followers is None:
            lead._followers = asyncio.get_running_loop().create_future()
        left_s = max(0.0, lead.begun + within_s - time.monotonic())
        await asyncio.wait({lead._followers}, timeout=left_s)
        return lead._followers.result() if lead._followers.done() else None
