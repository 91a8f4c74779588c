"""The only loop: ground → facts first → prompt → stream → parse → check → next round.

Nothing here imports asyncio: the offline path stays without it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec

from aiex_ipy.config.values import model_name_fault, shown
from aiex_ipy.errors import (
    AiexError,
    InterruptedAnswerError,
    InvalidAnswerError,
    ProviderError,
    RefusedError,
    UsageError,
)
from aiex_ipy.messages import (
    Answer,
    Finish,
    ModelRequest,
    Opened,
    TextDelta,
)
from aiex_ipy.operations.base import (
    NO_JUDGEMENT,
    Ask,
    Facts,
    Grounding,
    Note,
    Operation,
    Request,
    Speaking,
    Text,
    Update,
    WordsRequest,
)
from aiex_ipy.operations.encodable import check_texts, is_utf8
from aiex_ipy.operations.resuming import cut_off, with_first_part
from aiex_ipy.operations.view import View
from aiex_ipy.prompts.fit import Prompt, fit
from aiex_ipy.redaction import Redactor
from aiex_ipy.redaction.shapes import mask_code
from aiex_ipy.routing.choice import Choice, Models, Target

Res = TypeVar("Res")
MAX_ROUNDS = 2
"""The first question and one repair."""

_SHOWN = 300  # characters of a model's own words that a message shows


def choice_for(operation: Operation[Any, Any], request: Request[Any]) -> Choice:
    """Return which model the request asks for; a name that is not set is None.

    Raises UsageError for a name that no provider or model has, and for a text that is no UTF-8.
    """
    check_texts(request)
    if request.provider is not None:
        _check_provider(request.provider)
    if request.model is not None:
        _check_model(request.model)
    return Choice(
        provider=request.provider,
        model=request.model,
        by_name_only=operation.by_name_only,
        task=operation.name,
        batch=request.batch,
    )


def _check_provider(provider: object) -> None:
    if not isinstance(provider, str) or not provider.strip():
        raise UsageError(
            f"The provider is {shown(provider)}, but must be a name.",
            code="bad_provider",
            hint="Name one of `aiex llm providers`, or leave the provider out.",
        )


def _check_model(model: object) -> None:
    wanted = model_name_fault(model) if isinstance(model, str) else "a text"
    if wanted:
        raise UsageError(
            f"The model is {shown(model)}, but must be {wanted}.",
            code="bad_model",
            hint="Copy the name from `aiex llm models`, or leave the model out.",
        )


def offline(operation: Operation[Any, Res], request: Request[Res], view: View) -> Res | None:
    """Return the result from facts alone, in the calling thread; None when only a model can
    answer."""
    return operation.without_model(request, operation.ground(request, view))


def _grounded(
    operation: Operation[Any, Res], request: Request[Res], view: View
) -> tuple[Grounding, Res | None]:
    grounding = operation.ground(request, view)
    return grounding, operation.without_model(request, grounding)


async def stream(
    operation: Operation[Any, Res],
    request: Request[Res],
    view: View,
    models: Models,
    in_thread: Callable[..., Awaitable[Any]],
) -> AsyncGenerator[Update | Res, None]:
    """Yield updates, last the result. A structured answer is not shown as it arrives.

    Facts come before any model is waited for. When the model fails and facts stand, the result
    is the facts with a notice, unless the caller named the provider: then the error is raised
    after the facts were yielded. Raises RefusedError for a structured answer that the model
    declined to give (one in words is the answer), and what the operation's steps raise.
    """
    choice = choice_for(operation, request)
    models.certainly_none(choice)
    if operation.reads(request):
        grounding, facts = await in_thread(_grounded, operation, request, view)
    else:
        grounding, facts = _grounded(operation, request, view)
    if facts is not None:
        targets = await models.targets(choice)
        if not targets:
            yield facts
            return
        yield Facts(facts)
    ask = operation.prompt(request, grounding)
    if ask is None:
        assert facts is not None
        yield facts
        return
    try:
        rounds = _rounds(operation, request, view, models, choice, grounding, ask)
        async with aclosing(rounds) as items:
            async for item in items:
                yield item
    except AiexError as error:
        if isinstance(error, InterruptedAnswerError):
            if isinstance(request, WordsRequest):
                cut_off(error, request)
            else:
                error.hint = "Ask again."
        if facts is None or request.provider is not None:
            raise
        yield _with_notice(facts, error)


async def _rounds(
    operation: Operation[Any, Any],
    request: Request[Any],
    view: View,
    models: Models,
    choice: Choice,
    grounding: Grounding,
    first: Ask,
) -> AsyncGenerator[Any, None]:
    """Ask, parse and check, once more where an answer can be mended; yield the result last."""
    ask: Ask | None = first
    for last in (*(False,) * (MAX_ROUNDS - 1), True):
        assert ask is not None
        answer: Answer | None = None
        try:
            async with aclosing(_answer(ask, view, models, choice)) as chunks:
                async for chunk in chunks:
                    if isinstance(chunk, Answer):
                        answer = chunk
                    else:
                        yield chunk
            assert answer is not None
            if ask.schema is not None and answer.finish == "refusal":
                raise _refused(answer)
            result = operation.parse(answer, request, grounding)
        except InvalidAnswerError as error:
            if last:
                raise
            ask = _repair(ask, error)
            yield Note(f"{error.message} Asking once more.")
            continue
        problems = operation.check(result, grounding)
        ask = operation.next_round(ask, answer, problems) if problems and not last else None
        if ask is None:
            yield result
            return


def _masked(prompt: Prompt, redactor: Redactor) -> Prompt:
    """The prompt with the secrets in it masked: known ones, and what looks like one."""

    def clean(text: str) -> str:
        masked = mask_code(redactor.text(text))
        if masked.isascii() or is_utf8(masked):
            return masked
        return masked.encode(errors="backslashreplace").decode()  # of a file's name

    sections = tuple(
        msgspec.structs.replace(section, title=clean(section.title), text=clean(section.text))
        for section in prompt.sections
    )
    return msgspec.structs.replace(
        prompt,
        question=clean(prompt.question),
        sections=sections,
        history=redactor.messages(prompt.history),
        so_far=clean(prompt.so_far),
    )


async def _answer(
    ask: Ask, view: View, models: Models, choice: Choice
) -> AsyncGenerator[Update | Answer, None]:
    # Before the cut to a budget, which could leave a half of a secret, and after it.
    prompt = _masked(ask.prompt, view.redactor)

    def build(target: Target) -> ModelRequest:
        messages = fit(prompt, target.prompt_budget_tokens)
        return ModelRequest(
            messages=view.redactor.messages(messages),
            model=target.model,
            max_tokens=min(ask.max_tokens or target.max_tokens, target.max_tokens),
            temperature=ask.temperature,
            response_schema=ask.schema,
            schema_name=ask.schema_name,
        )

    opened = Opened(provider="", model="")
    text: list[str] = []
    answered = models.stream(build, choice)
    if ask.prompt.so_far:
        answered = with_first_part(answered, ask.prompt.so_far)
    async with aclosing(answered) as chunks:
        async for chunk in chunks:
            if isinstance(chunk, TextDelta):
                text.append(chunk.text)
                if ask.schema is None and not ask.quiet:
                    yield Text(chunk.text)
            elif isinstance(chunk, Opened):
                opened = chunk
                yield Speaking(provider=chunk.provider, model=chunk.model, note=chunk.note)
            elif isinstance(chunk, Finish):
                yield Answer(
                    text="".join(text),
                    provider=opened.provider,
                    model=chunk.model or opened.model,
                    finish=chunk.reason,
                    usage=chunk.usage,
                    refusal=chunk.refusal,
                    skipped=chunk.skipped,
                    note=opened.note,
                    latency_ms=chunk.latency_ms,
                    first_token_ms=chunk.first_token_ms,
                )


def _refused(answer: Answer) -> RefusedError:
    said = " ".join("".join(c if c.isprintable() else " " for c in answer.refusal).split())
    words = f": {said[:_SHOWN]!r}" if said else ""
    return RefusedError(
        f"Model {answer.model!r} of {answer.provider!r} declined to answer{words}.",
        hint="Ask for something else, or name another model with --model.",
        provider=answer.provider,
        model=answer.model,
        usage=answer.usage,
    )


def _repair(ask: Ask, error: InvalidAnswerError) -> Ask:
    question = f"{ask.prompt.question}\n\nYour last answer was not usable: {error.message}"
    return msgspec.structs.replace(
        ask, prompt=msgspec.structs.replace(ask.prompt, question=question)
    )


def _with_notice(facts: Res, error: AiexError) -> Res:
    line = f"{NO_JUDGEMENT}: {error.message}"
    if isinstance(error, ProviderError) and error.hint:
        line = f"{line} {error.hint}"
    notices = (*getattr(facts, "notices", ()), line)
    replaced: Res = msgspec.structs.replace(facts, notices=notices)  # type: ignore[type-var]
    return replaced
