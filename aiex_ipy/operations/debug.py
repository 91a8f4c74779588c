"""debug: what went wrong and why, from a captured failure; a model's words and fix beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.failure.capture import NAMELESS
from aiex_ipy.grounding.failure.masking import Mask
from aiex_ipy.grounding.failure.record import Failure
from aiex_ipy.grounding.fix import Fix, Source
from aiex_ipy.messages import Answer
from aiex_ipy.operations.ask import finished
from aiex_ipy.operations.base import Ask, Grounding, Problem, Request, Result
from aiex_ipy.operations.fixing import broken, proposed_fix
from aiex_ipy.operations.inputs import context_subjects, missing_paths
from aiex_ipy.operations.view import View
from aiex_ipy.prompts.failure import sections
from aiex_ipy.prompts.fit import Prompt, Section
from aiex_ipy.prompts.templates import template

REFUSED = "The model's code was refused"
"""How the notice begins that a fix does not parse or lint."""


class DebugRequest(Request["DebugReport"], frozen=True, kw_only=True):
    """`failure` and `diagnoses` were made where the frames were alive; `source` is the text a fix
    is for, None where there is none, and `shown` that text without the secrets which the capture
    met (`""`: none were looked for). `context` items are paths if they exist, else texts. `names`
    are those of the user's namespace, which a fix may use."""

    operation: ClassVar[str] = "debug"

    failure: Failure
    diagnoses: tuple[Diagnosis, ...] = ()
    source: Source | None = None
    shown: str = ""
    context: tuple[str | Subject, ...] = ()
    names: tuple[str, ...] = ()


class DebugReport(Result, frozen=True, kw_only=True):
    """What went wrong. `diagnoses` come from facts alone; `text` is the model's words, `""`
    without one, and `fix` its change, checked to parse and lint; None when it gave none or it was
    refused, which a notice says. `unconfirmed` lists names the words use that occur nowhere in
    what was captured."""

    operation: str = "debug"
    schema_version: int = 1
    failure: Failure
    diagnoses: tuple[Diagnosis, ...] = ()
    text: str = ""
    fix: Fix | None = None
    grounded: bool = True
    provider: str | None = None
    model: str | None = None
    finish: str = ""
    unconfirmed: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """What went wrong, and the first cause where one is known."""
        cause = f" {self.diagnoses[0].cause}" if self.diagnoses else ""
        return f"{self.failure.title.rstrip('.')}.{cause}"

    @property
    def best_fix(self) -> Fix | None:
        """The model's checked fix, else that of the most certain diagnosis that has one."""
        if self.fix is not None:
            return self.fix
        return next((each.fix for each in self.diagnoses if each.fix is not None), None)


class DebugOperation:
    """Facts first, a model's cause, evidence and fix after.

    A model of 135 million parameters finds no causes: the embedded one is asked by name only.
    """

    name = "debug"
    by_name_only = True

    def reads(self, request: DebugRequest) -> bool:
        return True

    def ground(self, request: DebugRequest, view: View) -> Grounding:
        context = context_subjects(request.context, view)
        shown = request.source
        if shown is not None:
            text = request.shown or Mask((), (shown.text,)).text(shown.text)
            masked = view.redactor.text(text)
            shown = msgspec.structs.replace(shown, text=masked)
        parts = sections(request.failure, request.diagnoses, shown)
        captured = "\n".join(f"{each.title}\n{each.text}" for each in parts)
        seen = [Subject(path="what was captured", text=captured)]
        return Grounding(
            subjects=(*seen, *context),
            extra={
                "context": context,
                "notices": missing_paths(request.context, view),
                "ruff": view.ruff,
                "sections": parts,
                "shown": shown,
                "diagnoses": tuple(_sound(each, request, view) for each in request.diagnoses),
            },
        )

    def without_model(self, request: DebugRequest, grounding: Grounding) -> DebugReport:
        return DebugReport(
            failure=request.failure,
            diagnoses=grounding.extra["diagnoses"],
            notices=(*_unnamed(request.failure), *grounding.extra["notices"]),
        )

    def prompt(self, request: DebugRequest, grounding: Grounding) -> Ask:
        context: tuple[Subject, ...] = grounding.extra["context"]
        more = [
            Section(title=each.path, text=each.text, rank=60 + number)
            for number, each in enumerate(context)
        ]
        return Ask(
            prompt=Prompt(
                system=template("debug"),
                question=template("debug.question", title=request.failure.title),
                sections=(
                    *grounding.extra["sections"],
                    *more,
                ),
            )
        )

    def parse(self, answer: Answer, request: DebugRequest, grounding: Grounding) -> DebugReport:
        checked = finished(answer, self.name, grounding)
        shown: Source | None = grounding.extra["shown"]
        fix, notice = proposed_fix(answer.text, request.source, shown.text if shown else "")
        if answer.skipped:
            fix, notice = None, ""  # code with a hole is no fix; the notice of it is `finished`'s
        wrong = broken(fix, grounding.extra["ruff"], request.names) if fix is not None else []
        if wrong:
            fix, notice = None, f"{REFUSED}: {'; '.join(wrong)}"
        return DebugReport(
            failure=request.failure,
            diagnoses=grounding.extra["diagnoses"],
            text=answer.text.strip(),
            fix=fix,
            provider=answer.provider,
            model=answer.model,
            finish=answer.finish,
            unconfirmed=checked.unconfirmed,
            notices=(*_unnamed(request.failure), *checked.notices, *([notice] if notice else [])),
        )

    def check(self, result: DebugReport, grounding: Grounding) -> Sequence[Problem]:
        return tuple(
            Problem(code="broken_fix", message=notice.removeprefix(f"{REFUSED}: "))
            for notice in result.notices
            if notice.startswith(REFUSED)
        )

    def next_round(self, ask: Ask, answer: Answer, problems: Sequence[Problem]) -> Ask | None:
        said = " ".join(each.message for each in problems)
        question = template("debug.repair", question=ask.prompt.question, problems=said)
        return msgspec.structs.replace(
            ask, prompt=msgspec.structs.replace(ask.prompt, question=question)
        )


def _sound(found: Diagnosis, request: DebugRequest, view: View) -> Diagnosis:
    """The diagnosis without its fix where that does not parse or lint."""
    if found.fix is None or not broken(found.fix, view.ruff, request.names):
        return found
    return msgspec.structs.replace(found, fix=None)


def _unnamed(failure: Failure) -> tuple[str, ...]:
    """Say what is missing where a function of Python was given a value alone."""
    if failure.kind != "value" or not any(each.name == NAMELESS for each in failure.values):
        return ()
    return (
        "Only the value was given: with its source text, as in "
        'aiex.debug(ok, expression="len(x) == 3"), its parts are told too.',
    )
