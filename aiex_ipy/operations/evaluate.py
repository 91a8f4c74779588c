"""eval: what code did when it was run; a model's words beside the measured facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from aiex_ipy.grounding.evaluation.record import NameChange, Run
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.live.describe import line
from aiex_ipy.grounding.outline import FactGroup
from aiex_ipy.messages import Answer
from aiex_ipy.operations.ask import finished
from aiex_ipy.operations.base import Ask, Grounding, Problem, Request, Result
from aiex_ipy.operations.debug import DebugOperation, DebugReport, DebugRequest
from aiex_ipy.operations.explain import ExplainOperation, ExplainRequest
from aiex_ipy.operations.view import View
from aiex_ipy.prompts.fit import Prompt, Section
from aiex_ipy.prompts.templates import template

MOST_TOKENS = 600
LONGEST_EXPLAINED = 200_000
"""Characters of code above which its parse tree is not outlined: that takes seconds."""

WHAT_IT_IS = "What it is"
"""The group of facts that tells nothing of code someone has just written."""


class EvalRequest(Request["Evaluation"], frozen=True, kw_only=True):
    """`run` is what came of the code, which ran before; `failure` asks why it failed. `explain`
    False leaves out the facts of the parse tree and asks no model."""

    operation: ClassVar[str] = "eval"

    run: Run
    failure: DebugRequest | None = None
    explain: bool = True


class Evaluation(Result, frozen=True, kw_only=True, dict=True):
    """What code did when it was run. `run` was measured, `facts` come from its parse tree, `text`
    is the model's words, `""` without one; `report` explains the failure of code that failed.
    `unconfirmed` lists names the words use that neither code nor facts hold."""

    operation: str = "eval"
    schema_version: int = 1
    run: Run
    report: DebugReport | None = None
    facts: tuple[FactGroup, ...] = ()
    text: str = ""
    grounded: bool = True
    provider: str | None = None
    model: str | None = None
    finish: str = ""
    unconfirmed: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """What failed, else the value."""
        if self.report is not None:
            return self.report.headline
        return "it ran" if self.run.value is None else self.run.value.value

    @property
    def ok(self) -> bool:
        """True when the code ran to its end."""
        return self.run.ok

    @property
    def value(self) -> Any:
        """The live value of the last expression, None without one; it is in no JSON."""
        return self.__dict__.get("value_")

    @property
    def error(self) -> BaseException | None:
        """The exception the code ended with; it is in no JSON."""
        found: BaseException | None = self.__dict__.get("error_")
        return found

    def with_live(self, value: Any, error: BaseException | None) -> Evaluation:
        """Give this result its live value and exception, and return it."""
        self.__dict__.update(value_=value, error_=error)
        return self


class EvalOperation:
    """Facts first, a model's words after; of failed code the debug operation's."""

    name = "eval"
    by_name_only = False

    def reads(self, request: EvalRequest) -> bool:
        return True

    def ground(self, request: EvalRequest, view: View) -> Grounding:
        if request.failure is not None:
            return DebugOperation().ground(request.failure, view)
        code = Subject(path="the code", text=request.run.code)
        told = Subject(path="what was measured", text=_measured(request.run))
        groups: tuple[FactGroup, ...] = ()
        notices: tuple[str, ...] = ()
        if request.explain and len(code.text) > LONGEST_EXPLAINED:
            notices = (
                f"The code has {len(code.text)} characters; its parse tree is not explained.",
            )
        elif request.explain and code.text.strip():
            explained = ExplainOperation().ground(ExplainRequest(subject=code, level="basic"), view)
            found: tuple[FactGroup, ...] = explained.extra.get("groups", ())
            groups = tuple(each for each in found if each.title != WHAT_IT_IS)
        return Grounding(subjects=(code, told), extra={"groups": groups, "notices": notices})

    def without_model(self, request: EvalRequest, grounding: Grounding) -> Evaluation:
        report = None
        if request.failure is not None:
            report = DebugOperation().without_model(request.failure, grounding)
        return Evaluation(
            run=request.run,
            report=report,
            facts=grounding.extra.get("groups", ()),
            notices=(*request.run.notices, *grounding.extra.get("notices", ())),
        )

    def prompt(self, request: EvalRequest, grounding: Grounding) -> Ask | None:
        if not request.explain or not request.run.code.strip():
            return None
        if request.failure is not None:
            return DebugOperation().prompt(request.failure, grounding)
        run = request.run
        groups: tuple[FactGroup, ...] = grounding.extra["groups"]
        facts = "\n".join(f"{g.title}: {'; '.join(g.facts)}" for g in groups)
        return Ask(
            prompt=Prompt(
                system=template("eval"),
                question=template(
                    "eval.question", outcome="this value" if run.value else "no value"
                ),
                sections=(
                    Section(title="The code", text=run.code, rank=0),
                    Section(title="What was measured when it ran", text=_measured(run), rank=1),
                    Section(title="What it printed", text=run.printed.text, rank=2),
                    Section(title="Facts from its parse tree", text=facts, rank=3),
                ),
            ),
            max_tokens=MOST_TOKENS,
        )

    def parse(self, answer: Answer, request: EvalRequest, grounding: Grounding) -> Evaluation:
        facts = self.without_model(request, grounding)
        if request.failure is not None:
            report = DebugOperation().parse(answer, request.failure, grounding)
            return msgspec.structs.replace(
                facts,
                report=report,
                provider=report.provider,
                model=report.model,
                finish=report.finish,
            )
        checked = finished(answer, self.name, Grounding(subjects=grounding.subjects))
        return msgspec.structs.replace(
            facts,
            text=answer.text.strip(),
            provider=answer.provider,
            model=answer.model,
            finish=answer.finish,
            unconfirmed=checked.unconfirmed,
            notices=facts.notices + checked.notices,
        )

    def check(self, result: Evaluation, grounding: Grounding) -> Sequence[Problem]:
        if result.report is None:
            return ()
        return DebugOperation().check(result.report, grounding)

    def next_round(self, ask: Ask, answer: Answer, problems: Sequence[Problem]) -> Ask | None:
        return DebugOperation().next_round(ask, answer, problems)


def measured_lines(run: Run) -> list[tuple[str, str]]:
    """Return what was measured of a run as (label, text) pairs for people."""
    found = []
    if run.value is not None:
        found.append(("value", line(run.value).removeprefix("value: ")))
    found.append(("time", f"{_seconds(run.wall_s)} on the clock, {_seconds(run.cpu_s)} of CPU"))
    if run.memory_peak_bytes is not None:
        found.append(("memory", f"{_bytes(run.memory_peak_bytes)} ({run.memory_measure})"))
    for label, stream in (("printed", run.printed), ("on stderr", run.errors)):
        if stream.characters:
            found.append((label, f"{stream.characters:,} characters"))
    found += [(each.how, changed(each)) for each in run.names]
    if run.names_left_out:
        found.append(("names", f"{run.names_left_out} more changed"))
    return found


def changed(change: NameChange) -> str:
    """Return one change of a name on one line."""
    if change.before and change.after:
        return f"{change.name}: {change.before} → {change.after}"
    said = change.after or change.before
    return f"{change.name}: {said}" if said else change.name


def _measured(run: Run) -> str:
    return "\n".join(f"{label}: {text}" for label, text in measured_lines(run))


def _seconds(value: float) -> str:
    if value < 1e-3:
        return f"{value * 1e6:.0f} µs"
    return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"


def _bytes(value: int) -> str:
    return f"{value / 2**20:.1f} MiB" if value >= 2**19 else f"{value / 2**10:.0f} KiB"
