"""complete: what may stand at a cursor, from live objects, from jedi, and from a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import Struct

from aiex_ipy.grounding.completing.checking import checked
from aiex_ipy.grounding.completing.place import word_start
from aiex_ipy.messages import Answer
from aiex_ipy.operations.base import Ask, Grounding, Problem, Request, Result, unread
from aiex_ipy.operations.continuing import continuation
from aiex_ipy.operations.view import View
from aiex_ipy.prompts.fit import Prompt, Section
from aiex_ipy.prompts.templates import template

SHOWN_BEFORE = 3_000
"""Characters before the cursor that a model is told."""
SHOWN_AFTER = 800
LINE_CHARACTERS = 200
UNCHECKED = "The code around the cursor does not parse, so the suggestion's names are not checked."

Source = Literal["live", "jedi", "model"]


class CompletionItem(Struct, frozen=True, kw_only=True):
    """One thing that may stand at the cursor. `text` is the whole of it, `insert` what is still
    to be typed. `kind` is a word: `variable`, `function`, `method`, `class`, `module`, `attribute`,
    `property`, `column`, `key`, `argument`, `keyword`, `code`. `detail` is a type or signature."""

    text: str
    insert: str
    kind: str
    source: Source
    detail: str = ""


class Completion(Result, frozen=True, kw_only=True):
    """What may stand at a cursor, the best first.

    `line` is the line before the cursor, its last 200 characters; `word` what is typed of the
    name at the cursor. `count` is how many names there are, of which `items` has at most 100 of
    each source. `suggestion` is the model's text to insert, `""` without one; `unconfirmed` lists
    the names for which it was cut or dropped, since the live objects have none of them.
    """

    operation: str = "complete"
    schema_version: int = 1
    line: str = ""
    word: str = ""
    items: tuple[CompletionItem, ...] = ()
    count: int = 0
    suggestion: str = ""
    provider: str | None = None
    model: str | None = None
    finish: str = ""
    unconfirmed: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """How many names fit, and the model's text."""
        said = f"; {self.suggestion!r}" if self.suggestion else ""
        return f"{self.count} names for {self.word!r}{said}"


class CompleteRequest(Request[Completion], frozen=True, kw_only=True):
    """`fragment` is the code before the cursor, `suffix` the code after it. `items`, `count` and
    `notices` were gathered where the objects live, as were `facts` (lines on the names used) and
    `cells` (code that ran before, oldest first). `names` are the live `Names` a suggestion
    is checked against; without them it is not. `streamed` also yields the model's words as they
    come."""

    operation: ClassVar[str] = "complete"

    fragment: str
    suffix: str = ""
    word: str = ""
    items: tuple[CompletionItem, ...] = ()
    count: int = 0
    facts: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    names: Any = None
    streamed: bool = False


class CompleteOperation:
    """Names at once, a model's suggestion after, its names checked."""

    name = "complete"
    by_name_only = True

    def reads(self, request: CompleteRequest) -> bool:
        return False

    def ground(self, request: CompleteRequest, view: View) -> Grounding:
        return Grounding(extra={"max_tokens": view.settings.completion.max_tokens})

    def without_model(self, request: CompleteRequest, grounding: Grounding) -> Completion:
        return without_model(request)

    def prompt(self, request: CompleteRequest, grounding: Grounding) -> Ask | None:
        if not request.fragment.strip() and not request.suffix.strip():
            return None
        sections = []
        if request.cells:
            text = "\n\n".join(request.cells)
            sections.append(Section(title="Cells that ran before", text=text, rank=3))
        if request.facts:
            text = "\n".join(request.facts)
            sections.append(Section(title="Live objects", text=text, rank=1))
        if request.items:
            text = ", ".join(each.text for each in request.items[:40])
            sections.append(Section(title="Names that fit at the cursor", text=text, rank=2))
        before = request.fragment[-SHOWN_BEFORE:]
        after = request.suffix[:SHOWN_AFTER]
        question = (
            template("complete.inside", before=before, after=after)
            if after.strip()
            else template("complete.end", before=before)
        )
        return Ask(
            prompt=Prompt(system=template("complete"), question=question, sections=tuple(sections)),
            temperature=0.0,
            max_tokens=grounding.extra["max_tokens"],
            quiet=not request.streamed,
        )

    def parse(self, answer: Answer, request: CompleteRequest, grounding: Grounding) -> Completion:
        facts = without_model(request)
        text, unconfirmed, notices = suggestion(answer.text, request)
        if answer.skipped:  # code with a hole is not inserted
            text, notices = "", (*notices, unread(answer.skipped))
        elif answer.finish == "refusal":
            notices = (*notices, f"The model declined to answer. {answer.refusal}".rstrip())
        elif not text and not unconfirmed:
            notices = (*notices, "The model's answer has nothing to insert here.")
        items = facts.items
        if text:
            whole = request.word + text
            items = (CompletionItem(text=whole, insert=text, kind="code", source="model"), *items)
        return msgspec.structs.replace(
            facts,
            items=items,
            suggestion=text,
            provider=answer.provider,
            model=answer.model,
            finish=answer.finish,
            unconfirmed=unconfirmed,
            notices=(*facts.notices, *notices),
        )

    def check(self, result: Completion, grounding: Grounding) -> Sequence[Problem]:
        return ()

    def next_round(self, ask: Ask, answer: Answer, problems: Sequence[Problem]) -> Ask | None:
        return None


def suggestion(
    answer: str, request: CompleteRequest
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return what of a model's answer is to be inserted, the names it was cut for, and notices."""
    text = continuation(answer, request.fragment, request.suffix)
    if request.names is None or not text:
        return text, (), ()
    verdict = checked(request.fragment, text, request.suffix, request.names)
    return verdict.text, verdict.unconfirmed, () if verdict.checked else (UNCHECKED,)


def without_model(request: CompleteRequest) -> Completion:
    """Return the completion from what was found without a model."""
    return Completion(
        line=request.fragment.rpartition("\n")[2][-LINE_CHARACTERS:],
        word=request.word[:LINE_CHARACTERS],
        items=request.items,
        count=request.count,
        notices=request.notices,
    )


def arriving(words: str, request: CompleteRequest) -> str:
    """Return what of an answer that is still coming can be shown: whole words, checked."""
    whole = words.rstrip("`")
    end = word_start(whole, len(whole))
    text, _, _ = suggestion(whole[:end], request)
    return text
