"""An answer that was cut: what is told of it, and how its second part joins the first."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from aiex_ipy.errors import InterruptedAnswerError
from aiex_ipy.messages import Answer, Chunk, Finish, TextDelta, Usage
from aiex_ipy.operations.base import Speaking, WordsRequest
from aiex_ipy.prompts.fit import last_words
from aiex_ipy.tokens import estimate

FENCE = "```"
_FENCE_LINE = re.compile(rf"^[ \t]*{FENCE}", re.MULTILINE)
_WORD = re.compile(r"\S+")
MOST_OF_A_QUESTION = 60
"""Characters of a question by which people know it again."""


async def with_first_part(
    chunks: AsyncGenerator[Chunk, None], so_far: str
) -> AsyncGenerator[Chunk, None]:
    """Pass on the chunks of a second part, joined to the first, which comes with its first words.

    A model asked to go on repeats the last words, or fewer of them, or none, and may open a code
    block anew: what is there already is left out, for which the first words are held back.
    """
    enough = max(len(last_words(so_far)) + 1, len(FENCE))
    held: str | None = ""
    async with aclosing(chunks):
        try:
            async for chunk in chunks:
                if held is not None and isinstance(chunk, TextDelta):
                    held += chunk.text
                    said = held.strip()
                    if said.startswith(FENCE):
                        said = said.partition("\n")[2].strip()
                    if len(said) < enough:
                        continue
                    chunk, held = TextDelta(joined(so_far, held)), None
                elif held and isinstance(chunk, Finish):
                    yield TextDelta(joined(so_far, held))
                yield chunk
        except InterruptedAnswerError:
            if held:
                yield TextDelta(joined(so_far, held))
            raise


def joined(so_far: str, rest: str) -> str:
    """Return the two parts of an answer as one text, which begins with `so_far` as it is.

    Repeated words go; without any, a space is put between two words that would become one.
    """
    bare = rest.lstrip()
    if bare.startswith(FENCE) and len(_FENCE_LINE.findall(so_far)) % 2:
        rest = bare.partition("\n")[2]
        bare = rest.lstrip()
    tail = last_words(so_far)
    for word in _WORD.finditer(tail):
        repeated = tail[word.start() :]
        if len(repeated) > 1 and bare.startswith(repeated):
            return so_far + _after(so_far, bare[len(repeated) :])
    apart = so_far[-1:].isalnum() and rest[:1].isalnum()
    return f"{so_far} {rest}" if apart else so_far + rest


def _after(so_far: str, rest: str) -> str:
    """What follows the repeated words, without the white space that ended `so_far` too."""
    ended = so_far[len(so_far.rstrip()) :]
    space = rest[: len(rest) - len(rest.lstrip())]
    return rest[len(ended) if space.startswith(ended) else len(space) :]


def cut_off(error: InterruptedAnswerError, request: WordsRequest) -> None:
    """Give an error the answer so far, and the first part when this was the second."""
    first = request.so_far
    if first is not None:
        error.partial = joined(first.text, error.partial)
    if not error.partial.strip():
        return
    error.answer = Answer(
        text=error.partial,
        provider=error.provider,
        model=error.model,
        finish="interrupted",
        reason=error.reason,
        usage=error.usage if isinstance(error.usage, Usage) else Usage(),
        operation=request.operation,
        notices=(f"The answer is not whole. {error.message}",),
    )
    error.hint = "Continue it with aiex.continue_answer(), or ask again."


def ended_by_reader(request: WordsRequest, text: str, who: Speaking) -> Answer | None:
    """Return the answer so far of a request that whoever asked has ended; None where nothing was
    said. Its tokens are estimated."""
    if not text.strip():
        return None
    said = text[len(request.so_far.text) :] if request.so_far is not None else text
    return Answer(
        text=text,
        provider=who.provider,
        model=who.model,
        finish="interrupted",
        reason="cancelled",
        usage=Usage(output_tokens=estimate(said), estimated=True),
        note=who.note,
        operation=request.operation,
        notices=(f"The answer is not whole. You ended it after {len(text)} characters.",),
    )


def whole(answer: Answer, first: Answer, query: str) -> Answer:
    """Return an answer to `query` made of two parts, named as such."""
    by = f"{first.model} ({first.provider})"
    told = f"continued after {len(first.text)} characters by {by}, the answer to {short(query)}"
    note = f"{answer.note}; {told}" if answer.note else told
    return msgspec.structs.replace(answer, note=note, skipped=first.skipped + answer.skipped)


def short(query: str) -> str:
    """Return the beginning of a question, in quotes."""
    line = " ".join(query.split())
    return repr(line if len(line) <= MOST_OF_A_QUESTION else f"{line[: MOST_OF_A_QUESTION - 1]}…")
