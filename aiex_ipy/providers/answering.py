"""What every stream of a provider keeps to, whatever its wire: the last guard before the caller."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress

from aiex_ipy.errors import (
    AiexError,
    AnswerError,
    EmptyAnswerError,
    InvalidAnswerError,
    UnavailableError,
)
from aiex_ipy.messages import Chunk, Finish, ModelRequest, TextDelta, ToolCallDelta, Usage
from aiex_ipy.providers.deadlines import Deadlines, Passed
from aiex_ipy.providers.faults import Peer, from_exception
from aiex_ipy.providers.schema import satisfying_json


async def whole(
    chunks: AsyncGenerator[Chunk, None],
    request: ModelRequest,
    peer: Peer,
    *,
    deadlines: Deadlines | None = None,
) -> AsyncGenerator[Chunk, None]:
    """Pass on `chunks` so that the promises of `Provider.stream` hold.

    Foreign exceptions are mapped; a stream that ends without `Finish` is an error; so is an
    empty answer; so is one that passes one of its `deadlines`. White space before the first visible
    character is held back, so that an answer of nothing else can be asked for again. After that
    character an error is an InterruptedAnswerError. With a `response_schema` the text is held back,
    checked, and given out as one delta of JSON that satisfies it. Closing this generator closes
    `chunks`.

    What ends it, also a cancellation, counts in `heard_chars` the characters that had come.
    """
    from asyncio import CancelledError
    from contextlib import aclosing

    heard = _Heard(held=request.response_schema is not None)
    limits = deadlines or Deadlines()
    failed: Exception
    async with aclosing(chunks):
        try:
            limits.begin()
            async for chunk in chunks:
                limits.given()
                if type(chunk) is TextDelta and heard.shown:
                    heard.texts.append(chunk.text)
                    yield chunk
                elif type(chunk) is Finish:
                    limits.stop()
                    heard.usage = chunk.usage
                    for last in _ending(chunk, request, heard.text, heard.called, peer):
                        yield last
                    return
                else:
                    for each in heard.take(chunk):
                        yield each
                limits.reading()
            failed = _ended_early(peer)
        except CancelledError as error:
            passed = limits.passed()
            if passed is None:
                error.__dict__["heard_chars"] = heard.chars
                raise
            failed = _too_late(passed, peer)
        except Exception as error:
            failed = error
        finally:
            limits.stop()
        mapped = heard.told(failed, peer)
        if mapped is failed:
            raise mapped
        raise mapped from failed


class _Heard:
    """What came of an answer, and whether any of it was shown; with `held` no text is."""

    __slots__ = ("_arguments", "_held", "called", "shown", "texts", "usage")

    def __init__(self, *, held: bool) -> None:
        self._held = held
        self._arguments = 0
        self.texts: list[str] = []
        self.called = self.shown = False
        self.usage: Usage | None = None

    def take(self, chunk: Chunk) -> tuple[Chunk, ...]:
        """Return what is shown with the next chunk, as long as no text was."""
        if type(chunk) is TextDelta:
            self.texts.append(chunk.text)
            if self._held or chunk.text.isspace():
                return ()
            self.shown = True
            return (TextDelta(self.text),)
        if type(chunk) is not ToolCallDelta:
            return (chunk,)
        self.called = True
        self._arguments += len(chunk.arguments)
        if self._held or self.shown or not self.texts:
            return (chunk,)
        self.shown = True
        return TextDelta(self.text), chunk

    def told(self, failed: Exception, peer: Peer) -> AiexError:
        """Return the error for what ended it. What is held back was seen by nobody, so that the
        question may simply be asked again."""
        error = from_exception(
            failed, peer, partial=self.text if self.called or self.shown else None
        )
        error.heard_chars = self.chars
        if isinstance(error, AnswerError):
            error.usage = self.usage
        return error

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def chars(self) -> int:
        return sum(map(len, self.texts)) + self._arguments


def _too_late(passed: Passed, peer: Peer) -> UnavailableError:
    what, key = {
        "timeout": ("gave no first word within", "llm.timeout_ms"),
        "idle": ("said nothing more for", "llm.idle_timeout_ms"),
        "total_timeout": ("was not done within", "llm.total_timeout_ms"),
    }[passed.code]
    return UnavailableError(
        f"{peer.asked} {what} {passed.seconds:g} s.",
        code=passed.code,
        hint=f"Raise {key}, or name another provider.",
        **peer.details(),
    )


def _ending(
    finish: Finish, request: ModelRequest, text: str, called: bool, peer: Peer
) -> list[Chunk]:
    """Return the last chunks of a whole answer, or raise for one that is empty or malformed."""
    if finish.reason == "refusal":
        return [finish]
    if called:
        return [*_beside_calls(finish, request, text, peer), finish]
    if text.strip():
        if request.response_schema is None:
            return [finish]
        if finish.skipped:
            raise _with_holes(finish.skipped, peer)
        cut = finish.reason == "length"
        found = satisfying_json(text, request.response_schema, cut=cut, about=peer.details())
        return [TextDelta(found), finish]
    if finish.reason == "length":
        raise EmptyAnswerError(
            f"Model {peer.model!r} of {peer.whom} spent its whole token limit before"
            " any visible word.",
            hint="Raise max_tokens.",
            **peer.details(),
        )
    raise EmptyAnswerError(
        f"Model {peer.model!r} of {peer.whom} answered nothing.",
        hint="Ask again, or name another model.",
        **peer.details(),
    )


def _beside_calls(
    finish: Finish, request: ModelRequest, text: str, peer: Peer
) -> Iterator[TextDelta]:
    """Yield what was held back of an answer with tool calls, if it is of the asked-for form."""
    if request.response_schema is not None and text.strip() and not finish.skipped:
        cut = finish.reason == "length"
        with suppress(InvalidAnswerError):
            yield TextDelta(
                satisfying_json(text, request.response_schema, cut=cut, about=peer.details())
            )


def _with_holes(skipped: int, peer: Peer) -> UnavailableError:
    """Return the error for JSON that may lack a part: a value that fits the schema may be wrong."""
    what = "an event" if skipped == 1 else f"{skipped} events"
    return UnavailableError(
        f"{peer.asked} sent {what} that could not be read, so its JSON may lack a part.",
        code="stream_incomplete",
        hint="Try again.",
        **peer.details(),
    )


def _ended_early(peer: Peer) -> UnavailableError:
    return UnavailableError(
        f"{peer.asked} ended the answer without its last event.",
        code="stream_incomplete",
        hint="Try again.",
        **peer.details(),
    )
