"""ask: a free question, with context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from aiex_ipy.errors import EmptyAnswerError
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.messages import Answer
from aiex_ipy.operations.base import Ask, Grounding, Problem, WordsRequest, unread
from aiex_ipy.operations.claims import unknown_names
from aiex_ipy.operations.inputs import CODE, checked_query, context_subjects, missing_paths
from aiex_ipy.operations.resuming import whole
from aiex_ipy.operations.view import View
from aiex_ipy.prompts.facts import issue_lines, outline
from aiex_ipy.prompts.fit import Prompt, Section
from aiex_ipy.prompts.templates import template


class AskRequest(WordsRequest, frozen=True, kw_only=True):
    """`context` items are paths if they exist, else texts; or ready subjects."""

    operation: ClassVar[str] = "ask"

    context: tuple[str | Subject, ...] = ()


class AskOperation:
    """The words of a model, with the names checked that it uses for the given code."""

    name = "ask"
    by_name_only = False

    def reads(self, request: AskRequest) -> bool:
        return bool(request.context)

    def ground(self, request: AskRequest, view: View) -> Grounding:
        from aiex_ipy.grounding.gather import gather

        checked_query(request.query)
        subjects = context_subjects(request.context, view)
        code = [s for s in subjects if s.language in CODE]
        return Grounding(
            subjects=subjects,
            modules=tuple(gather(code, ruff=view.ruff)),
            extra={"notices": missing_paths(request.context, view)},
        )

    def without_model(self, request: AskRequest, grounding: Grounding) -> None:
        return None

    def prompt(self, request: AskRequest, grounding: Grounding) -> Ask:
        return Ask(
            prompt=Prompt(
                system=template("ask"),
                question=request.query.strip(),
                sections=code_sections(grounding),
                so_far=request.so_far.text if request.so_far else "",
            )
        )

    def parse(self, answer: Answer, request: AskRequest, grounding: Grounding) -> Answer:
        return finished(answer, self.name, grounding, asked=request)

    def check(self, result: Answer, grounding: Grounding) -> Sequence[Problem]:
        return ()

    def next_round(self, ask: Ask, answer: Answer, problems: Sequence[Problem]) -> Ask | None:
        return None


def finished(
    answer: Answer,
    operation: str,
    grounding: Grounding,
    longer: str = "raise max_tokens of the provider",
    asked: WordsRequest | None = None,
) -> Answer:
    """Return `answer` with its notices; `longer` is what lifts its limit of tokens, `asked` the
    request, which may have gone on with a cut answer.

    Raises EmptyAnswerError when it says nothing.
    """
    import msgspec

    if asked is not None and asked.so_far is not None:
        answer = whole(answer, asked.so_far, asked.query)
    if not answer.text.strip() and answer.finish not in ("refusal", "tool_calls"):
        raise EmptyAnswerError(
            f"Model {answer.model!r} of provider {answer.provider!r} answered with no text.",
            hint="Ask again, or choose another model with --model.",
            provider=answer.provider,
            model=answer.model,
        )
    notices: list[str] = list(grounding.extra.get("notices", ()))
    if answer.finish == "length":
        limit = answer.usage.output_tokens or "its limit of"
        notices.append(
            f"The answer is not whole: it was cut at {limit} tokens. "
            f"Ask for less at once, or {longer}."
        )
    if answer.finish == "tool_calls" and not answer.text.strip():
        notices.append("The model called a tool instead of answering, and was given none.")
    if answer.finish == "refusal":
        notices.append(_declined(answer))
    if answer.skipped:
        notices.append(unread(answer.skipped))
    missing: list[str] = []
    code = [s for s in grounding.subjects if s.language in CODE]
    if code:
        missing = unknown_names(answer.text, grounding.subjects)
    return msgspec.structs.replace(
        answer,
        operation=operation,
        grounded=bool(code),
        unconfirmed=tuple(missing),
        notices=tuple(notices),
    )


def _declined(answer: Answer) -> str:
    """Say that the model declined, or, where it had begun, that it was stopped."""
    if answer.text.strip():
        told = "The answer is not whole: the vendor's filter stopped it."
        return f"{told} {answer.refusal}".rstrip()
    return f"The model declined to answer. {answer.refusal}".rstrip()


def code_sections(grounding: Grounding, *, issues: bool = False) -> tuple[Section, ...]:
    """Return prompt sections for each subject: outline, findings if asked for, then its text."""
    sections: list[Section] = []
    facts = {module.path: module for module in grounding.modules}
    for position, subject in enumerate(grounding.subjects):
        module = facts.get(subject.path)
        if module is not None and (units := outline(module)):
            sections.append(
                Section(title=f"Outline of {subject.path}", text=units, rank=10 + position)
            )
        if module is not None and issues and module.issues:
            sections.append(
                Section(
                    title=f"Analyzer findings in {subject.path}",
                    text=issue_lines(module.issues),
                    rank=20 + position,
                )
            )
        sections.append(Section(title=subject.path, text=subject.text, rank=position))
    return tuple(sections)
