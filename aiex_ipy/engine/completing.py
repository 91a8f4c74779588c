"""Completion as front ends use it: live names at once, jedi in its deadline, then a model.

Live names are read in the caller's thread, jedi works on a thread of its own, the model is asked on
the engine's loop. A newer call of the same session ends the older one, at the server too.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal
from weakref import WeakKeyDictionary, ref

import msgspec
from msgspec import Struct

from aiex_ipy.engine.engine import Engine
from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.completing.evaluating import Names
from aiex_ipy.grounding.completing.inferring import Inference
from aiex_ipy.grounding.completing.offers import Offer, Offers, offers_at
from aiex_ipy.grounding.completing.place import Place, place_of
from aiex_ipy.grounding.completing.telling import facts
from aiex_ipy.operations.base import Text
from aiex_ipy.operations.complete import (
    CompleteRequest,
    Completion,
    CompletionItem,
    Source,
    arriving,
    without_model,
)

MOST_CELLS = 3
CELL_CHARACTERS = 1_500
LATE = "jedi did not answer in time; what it finds is kept for the next key or call."


class CompletionUpdate(Struct, frozen=True, kw_only=True):
    """What is known so far. `stage` is what it was waited for; `result` the completion as it is;
    `suggestion` the model's text to insert as far as it has come and was checked; `final` True for
    the last."""

    stage: Literal["live", "jedi", "model"]
    result: Completion
    suggestion: str = ""
    final: bool = False


class _Turn:
    """One call of a session, until a newer one takes its place."""

    def __init__(self) -> None:
        self.over = False
        self.cancel: Callable[[], object] | None = None

    def end(self) -> None:
        self.over = True
        if self.cancel is not None:
            self.cancel()


class Completer:
    """Completes code for an engine; any thread may use it. `close` ends jedi's thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine_ref = ref(engine)
        self._inference = Inference()
        self._turns: dict[Hashable, _Turn] = {}
        self._lock = threading.Lock()

    @property
    def _engine(self) -> Engine:
        engine = self._engine_ref()
        assert engine is not None, "a completer does not outlive its engine"
        return engine

    def live(
        self, fragment: str, suffix: str = "", namespace: Mapping[str, Any] | None = None
    ) -> Offers:
        """Return what live names offer, at once; None means the names of `__main__`."""
        return offers_at(place_of(fragment), names_of(namespace), suffix)

    def request(
        self,
        fragment: str,
        suffix: str = "",
        namespace: Mapping[str, Any] | None = None,
        *,
        cells: Sequence[str] = (),
        jedi_wait_s: float | None = None,
        provider: str | None = None,
        model: str | None = None,
    ) -> CompleteRequest:
        """Return a request with all that is found without a model. Waits for jedi as long as the
        settings say, or `jedi_wait_s`, after which nobody asks again."""
        fragment, suffix = str(fragment), str(suffix)
        place, names = place_of(fragment), names_of(namespace)
        request = _request(fragment, suffix, place, names, cells, provider, model)
        late = LATE
        if jedi_wait_s is not None:
            late = f"jedi did not answer within {jedi_wait_s:g} s: the names it knows are missing."
        else:
            jedi_wait_s = self._engine.settings.completion.jedi_deadline_ms / 1000
        if jedi_wait_s:
            found = self._inference.wait(place, names, jedi_wait_s)
            request = _with_inferred(request, found, late)
        return self._told(request, place, names)

    async def updates(
        self,
        fragment: str,
        suffix: str = "",
        namespace: Mapping[str, Any] | None = None,
        *,
        session: Hashable = "",
        cells: Sequence[str] = (),
        ask_model: bool = True,
        provider: str | None = None,
        model: str | None = None,
    ) -> AsyncGenerator[CompletionUpdate, None]:
        """Yield what is known, tier after tier: live names, what jedi adds, the model's text as it
        grows, last the whole with `final`. Any event loop may run it.

        Closing it, or a newer call with the same `session`, ends it and the request at the
        server; then nothing more is yielded. Raises the request's error where the caller named
        the provider.
        """
        turn = self._begin(session)
        try:
            place, names = place_of(fragment), names_of(namespace)
            request = _request(fragment, suffix, place, names, cells, provider, model)
            yield CompletionUpdate(stage="live", result=without_model(request))
            deadline_ms = self._engine.settings.completion.jedi_deadline_ms
            if deadline_ms and not turn.over:
                found = await self._inferred(place, names, deadline_ms / 1000)
                before, request = request, _with_inferred(request, found)
                if request is not before and not turn.over:
                    yield CompletionUpdate(stage="jedi", result=without_model(request))
            if turn.over:
                return
            request = self._told(request, place, names)
            if not ask_model or self._engine.is_offline(request):
                yield CompletionUpdate(stage="live", result=without_model(request), final=True)
                return
            async with aclosing(self._of_model(request, turn)) as updates:
                async for update in updates:
                    yield update
        finally:
            self._end(session, turn)

    async def _of_model(
        self, request: CompleteRequest, turn: _Turn
    ) -> AsyncGenerator[CompletionUpdate, None]:
        import asyncio

        known = without_model(request)
        job = self._engine.submit(msgspec.structs.replace(request, streamed=True))
        turn.cancel = job.cancel
        if turn.over:
            job.cancel()
        words = shown = ""
        try:
            async with aclosing(self._engine.follow(job)) as items:
                async for item in items:
                    if turn.over:
                        return
                    if isinstance(item, Text):
                        words += item.text
                        text = arriving(words, request)
                        if len(text) > len(shown) and text.startswith(shown):
                            shown = text
                            yield CompletionUpdate(stage="model", result=known, suggestion=text)
                    elif isinstance(item, Completion):
                        yield CompletionUpdate(
                            stage="model", result=item, suggestion=item.suggestion, final=True
                        )
        except asyncio.CancelledError:
            if not turn.over:
                raise

    async def _inferred(
        self, place: Place, names: Names, deadline_s: float
    ) -> tuple[Offer, ...] | None:
        import asyncio

        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[Offer, ...] | None] = loop.create_future()

        def put(offers: tuple[Offer, ...] | None) -> None:
            if not answer.done():
                answer.set_result(offers)

        def done(offers: tuple[Offer, ...] | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(put, offers)

        self._inference.ask(place, names, done)
        await asyncio.wait([answer], timeout=deadline_s)
        return answer.result() if answer.done() else None

    def _told(self, request: CompleteRequest, place: Place, names: Names) -> CompleteRequest:
        """The request with what only a model needs."""
        if not request.fragment.strip() or self._engine.is_offline(request):
            return request
        return msgspec.structs.replace(request, facts=facts(place, names), names=names)

    def supersede(self, session: Hashable) -> None:
        """End the call of a session that is under way, at the server too."""
        with self._lock:
            turn = self._turns.pop(session, None)
        if turn is not None:
            turn.end()

    def _begin(self, session: Hashable) -> _Turn:
        turn = _Turn()
        with self._lock:
            before = self._turns.get(session)
            self._turns[session] = turn
        if before is not None:
            before.end()
        return turn

    def _end(self, session: Hashable, turn: _Turn) -> None:
        turn.end()
        with self._lock:
            if self._turns.get(session) is turn:
                del self._turns[session]

    def close(self) -> None:
        """End the calls under way and jedi's thread. Safe to call twice."""
        with self._lock:
            turns = list(self._turns.values())
        for turn in turns:
            turn.end()
        self._inference.close()


_completers: WeakKeyDictionary[Engine, Completer] = WeakKeyDictionary()
_lock = threading.Lock()


def completer_of(engine: Engine) -> Completer:
    """Return the engine's completer, made on first use; it ends with the engine."""
    with _lock:
        found = _completers.get(engine)
        if found is None:
            found = _completers[engine] = Completer(engine)
            engine.at_close(found.close)
        return found


def names_of(namespace: Mapping[str, Any] | None) -> Names:
    """Return the live names of a namespace, None meaning those of `__main__`."""
    return Names(sys.modules["__main__"].__dict__ if namespace is None else namespace)


def _request(
    fragment: str,
    suffix: str,
    place: Place,
    names: Names,
    cells: Sequence[str],
    provider: str | None,
    model: str | None,
) -> CompleteRequest:
    offers = offers_at(place, names, suffix)
    return CompleteRequest(
        fragment=fragment,
        suffix=suffix,
        word=place.word,
        items=tuple(_item(each, "live") for each in offers.items),
        count=offers.total,
        cells=tuple(cell[:CELL_CHARACTERS] for cell in cells[-MOST_CELLS:]),
        notices=offers.notices,
        provider=provider,
        model=model,
    )


def _with_inferred(
    request: CompleteRequest, found: tuple[Offer, ...] | None, late: str = LATE
) -> CompleteRequest:
    """The request with what jedi found beside the live names; the same object if nothing. `late`
    is said where it has not answered."""
    if found is None:
        return msgspec.structs.replace(request, notices=(*request.notices, late))
    known = {each.text.rstrip("=") for each in request.items}
    if request.count > len(request.items):  # the rest of the live names are jedi's too
        return request
    new = tuple(_item(each, "jedi") for each in found if each.text.rstrip("=") not in known)
    if not new:
        return request
    return msgspec.structs.replace(
        request, items=(*request.items, *new), count=request.count + len(new)
    )


def _item(offer: Offer, source: Source) -> CompletionItem:
    return CompletionItem(
        text=offer.text, insert=offer.insert, kind=offer.kind, detail=offer.detail, source=source
    )


def code_at(
    engine: Engine,
    file: str | None,
    line: str | int | None,
    column: str | int | None,
    fragment: str = "",
    *,
    allow_secret_file: bool = False,
) -> tuple[str, str]:
    """Return the code before and after a place in a file, its end unless named; `fragment` is
    taken as typed there. Without a file the fragment alone.

    Lines and columns begin with 1; column 1 stands before a line's first character. Raises
    UsageError for a place that is not in the file, and WorkspaceError.
    """
    if file is None:
        if line or column:
            raise UsageError(
                f"There is a place ({line or 'no line'}, {column or 'no column'}) but no file.",
                code="no_file",
                hint="Name it with --file.",
            )
        return fragment, ""
    view = msgspec.structs.replace(engine.view, allow_secret_file=allow_secret_file)
    text = view.read(file).text
    lines = text.split("\n")
    if line is None:
        before = text if column is None else _outside(file, "no line", column)
        return (before if before.endswith("\n") or not fragment else f"{before}\n") + fragment, ""
    row = _number(line)
    if not 1 <= row <= len(lines):
        _outside(file, line, column)
    at = len(lines[row - 1]) + 1 if column is None else _number(column)
    if not 1 <= at <= len(lines[row - 1]) + 1:
        _outside(file, line, column)
    before = "\n".join([*lines[: row - 1], lines[row - 1][: at - 1]])
    return before + fragment, text[len(before) :]


def _number(text: str | int) -> int:
    return int(text) if str(text).isdecimal() else 0


def _outside(file: str, line: str | int, column: str | int | None) -> str:
    raise UsageError(
        f"{file!r} has no place at line {line}, column {column or 'end'}.",
        code="bad_position",
        hint="Give --line and --column as numbers that begin with 1.",
    )
