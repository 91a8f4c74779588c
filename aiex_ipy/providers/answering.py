"""What every stream of a provider keeps to, whatever its wire: the last guard before the caller."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import NoReturn

from aiex_ipy.errors import EmptyAnswerError, UnavailableError
from aiex_ipy.messages import Chunk, Finish, ModelRequest, TextDelta, ToolCallDelta
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
    empty answer; so is one that passes one of its `deadlines`. After the first delta such an
    error is an InterruptedAnswerError; blanks wait for the first word. With a `response_schema`
    the text is held back, checked, and given out as one delta of JSON that satisfies it. Closing
    this generator closes `chunks`.
    """
    from asyncio import CancelledError
    from contextlib import aclosing

    said: list[str] = []
    called = shown = False
    held = request.response_schema is not None
    limits = deadlines or Deadlines()
    failed: Exception
    async with aclosing(chunks):
        try:
            limits.begin()
            async for chunk in chunks:
                limits.given()
                if type(chunk) is TextDelta:
                    said.append(chunk.text)
                    if shown:
                        yield chunk
                    elif not held and not chunk.text.isspace():
                        shown = True
                        yield TextDelta("".join(said))
                elif type(chunk) is Finish:
                    limits.stop()
                    for last in _ending(chunk, request, "".join(said), called, peer):
                        yield last
                    return
                else:
                    called = called or type(chunk) is ToolCallDelta
                    yield chunk
                limits.reading()
            failed = _ended_early(peer)
        except CancelledError:
            passed = limits.passed()
            if passed is None:
                raise
            failed = _too_late(passed, peer)
        except Exception as error:
            failed = error
        finally:
            limits.stop()
        # What is held back was seen by nobody, so the question may simply be asked again.
        _fail(failed, peer, partial="".join(said) if called or shown else None)


def _fail(failed: Exception, peer: Peer, *, partial: str | None) -> NoReturn:
    mapped = from_exception(failed, peer, partial=partial)
    if mapped is failed:
        raise mapped
    raise mapped from failed


def _too_late(passed: Passed, peer: Peer) -> UnavailableError:
    what, variable = {
        "timeout": ("gave no first word within", "AIEX_LLM_TIMEOUT"),
        "idle": ("said nothing more for", "AIEX_LLM_IDLE_TIMEOUT"),
        "total_timeout": ("was not done within", "AIEX_LLM_TOTAL_TIMEOUT"),
    }[passed.code]
    return UnavailableError(
        f"{peer.asked} {what} {passed.seconds:g} s.",
        code=passed.code,
        hint=f"Raise {variable} (ms), or name another provider.",
        **peer.details(),
    )


def _ending(
    finish: Finish, request: ModelRequest, text: str, called: bool, peer: Peer
) -> list[Chunk]:
    """Return the last chunks of a whole answer, or raise for one that is empty or malformed."""
    if finish.reason == "refusal" or called:
        return [TextDelta(text), finish] if text and request.response_schema else [finish]
    if text.strip():
        if request.response_schema is None:
            return [finish]
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


def _ended_early(peer: Peer) -> UnavailableError:
    return UnavailableError(
        f"{peer.asked} ended the answer without its last event.",
        code="stream_incomplete",
        hint="Try again.",
        **peer.details(),
    )
