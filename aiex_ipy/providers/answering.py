"""What every stream of a provider keeps to, whatever its wire: the last guard before the caller."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from aiex_ipy.errors import EmptyAnswerError, UnavailableError
from aiex_ipy.messages import Chunk, Finish, ModelRequest, TextDelta
from aiex_ipy.providers.faults import Peer, from_exception, interrupted
from aiex_ipy.providers.schema import satisfying_json


async def whole(
    chunks: AsyncGenerator[Chunk, None],
    request: ModelRequest,
    peer: Peer,
    *,
    first_byte_s: float | None = None,
) -> AsyncGenerator[Chunk, None]:
    """Pass on `chunks` so that the promises of `Provider.stream` hold.

    Foreign exceptions are mapped; a stream that ends without `Finish` is an error; so is an
    empty answer; `first_byte_s` bounds the wait for the first chunk, in seconds. With a
    `response_schema` the text is held back, checked, and given out as one delta of JSON that
    satisfies it. Closing this generator closes `chunks`.
    """
    from contextlib import aclosing

    said: list[str] = []
    called = False
    held = request.response_schema is not None
    async with aclosing(chunks):
        try:
            yield await _first(chunks, first_byte_s, peer)
            async for chunk in chunks:
                if type(chunk) is TextDelta:
                    said.append(chunk.text)
                    if held:
                        continue
                elif type(chunk) is Finish:
                    for last in _ending(chunk, request, "".join(said), called, peer):
                        yield last
                    return
                else:
                    called = True
                yield chunk
        except Exception as error:
            partial = "".join(said) if said or called else None
            mapped = from_exception(error, peer, partial=partial)
            if mapped is error:
                raise
            raise mapped from error
    if said or called:
        raise interrupted(peer, "".join(said))
    raise _nothing_came(peer)


async def _first(chunks: AsyncGenerator[Chunk, None], within_s: float | None, peer: Peer) -> Chunk:
    import asyncio

    try:
        async with asyncio.timeout(within_s) as deadline:
            return await anext(chunks)
    except StopAsyncIteration:
        raise _nothing_came(peer) from None
    except TimeoutError:
        if not deadline.expired():
            raise
        raise UnavailableError(
            f"{peer.place} gave no first word within {within_s:g} s.",
            code="timeout",
            hint="Raise AIEX_LLM_TIMEOUT (ms), or name another provider.",
            **peer.details(),
        ) from None


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
            f"Model {peer.model!r} of {peer.label} spent its whole token limit before"
            " any visible word.",
            hint="Raise max_tokens.",
            **peer.details(),
        )
    raise EmptyAnswerError(
        f"Model {peer.model!r} of {peer.label} answered nothing.",
        hint="Ask again, or name another model.",
        **peer.details(),
    )


def _nothing_came(peer: Peer) -> UnavailableError:
    return UnavailableError(
        f"{peer.place} ended the answer before it began.",
        code="cut",
        hint="Try again.",
        **peer.details(),
    )
