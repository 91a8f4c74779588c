"""explain: what code is and does, from its parse tree, with a model's words beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from aiex_ipy.errors import EmptyAnswerError, UsageError
from aiex_ipy.grounding.explain import explain_module, explain_symbol, find
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.names import Names
from aiex_ipy.grounding.outline import FactGroup, Focus, outline
from aiex_ipy.grounding.parsed import ParsedModule
from aiex_ipy.messages import Answer
from aiex_ipy.operations.ask import finished
from aiex_ipy.operations.base import Ask, Grounding, Problem, Request, Result
from aiex_ipy.operations.inputs import CODE, checked_query
from aiex_ipy.operations.neighbours import neighbours
from aiex_ipy.operations.targets import (
    nothing_known,
    only_definition,
    parsed_target,
    problem_of,
    target_of,
)
from aiex_ipy.operations.view import View
from aiex_ipy.prompts.fit import Prompt, Section
from aiex_ipy.prompts.templates import template

Level = Literal["basic", "intermediate", "advanced", "detailed"]
MOST_TOKENS = {"basic": 200, "intermediate": 1200, "advanced": 4000}
"""How long the words may be, by level."""
Kind = Literal["module", "class", "function", "text", "topic"]
INFERRED_CALLS = 12
"""How many calls on local values type inference is asked about at the advanced level; each may
take a second."""


class ExplainRequest(Request["Explanation"], frozen=True, kw_only=True):
    """`target` is a path (surely one when `is_path`), a dotted name, or a topic; or a ready
    `subject` stands for it. `symbol` names a function or class inside the file or subject."""

    operation: ClassVar[str] = "explain"

    target: str = ""
    subject: Subject | None = None
    is_path: bool = False
    symbol: str = ""
    level: Level = "intermediate"
    focus: Focus = "comprehensive"


class Explanation(Result, frozen=True, kw_only=True):
    """What is known of the target. `facts` come from the parse tree alone and differ by level
    and focus; `text` is the model's words, `""` without one; `unconfirmed` lists names the words
    use that the code does not hold. `level` is never `detailed`, which is `advanced`."""

    operation: str = "explain"
    schema_version: int = 1
    target: str = ""
    path: str = ""
    symbol: str = ""
    kind: Kind = "module"
    level: Level = "intermediate"
    focus: Focus = "comprehensive"
    facts: tuple[FactGroup, ...] = ()
    text: str = ""
    grounded: bool = True
    provider: str | None = None
    model: str | None = None
    finish: str = ""
    unconfirmed: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


class ExplainOperation:
    """Facts first, a model's words after; a topic needs a model."""

    name = "explain"
    by_name_only = False

    def reads(self, request: ExplainRequest) -> bool:
        return True

    def ground(self, request: ExplainRequest, view: View) -> Grounding:
        subject, symbol = _target(request, view)
        if subject is None:
            if not request.target.strip():
                raise UsageError(
                    "There is nothing to explain.",
                    code="empty_query",
                    hint="Name a file, a module, a function, a class, or a topic.",
                )
            checked_query(request.target)
            return Grounding(extra={"kind": "topic"})
        if subject.language not in CODE or not subject.text.strip():
            return Grounding(subjects=(subject,), extra={"kind": "text"})
        parsed, _ = parsed_target(subject)
        if parsed.error is not None:
            return Grounding(
                subjects=(subject,), extra={"kind": "text", "problem": problem_of(parsed.error)}
            )
        level = _level(request)
        symbol = symbol or only_definition(parsed)
        if symbol:
            scope = find(Names(parsed), symbol)
            lines = parsed.lines[scope.start - 1 : scope.end_line]
            explained = explain_symbol(
                parsed,
                scope.name,
                others=_around(request, view, subject, scope.name.rpartition(".")[2]),
                infer_at_most=INFERRED_CALLS if level == "advanced" else 0,
            )
            groups = outline(explained, level=level, focus=request.focus)
            extra = {"kind": scope.kind, "symbol": scope.name, "code": "\n".join(lines)}
        else:
            others = _around(request, view, subject, _last_name(subject.path))
            explained_module = explain_module(parsed, others=others)
            groups = outline(explained_module, level=level, focus=request.focus)
            extra = {"kind": "module", "code": parsed.text}
        return Grounding(subjects=(subject,), extra={**extra, "groups": groups})

    def without_model(self, request: ExplainRequest, grounding: Grounding) -> Explanation | None:
        if not grounding.subjects:
            return None
        subject = grounding.subjects[0]
        notices: tuple[str, ...] = ()
        if grounding.extra["kind"] == "text":
            notices = (nothing_known(subject, grounding.extra.get("problem")),)
        return Explanation(
            target=request.target or subject.path,
            path=subject.path,
            symbol=grounding.extra.get("symbol", ""),
            kind=grounding.extra["kind"],
            level=_level(request),
            focus=request.focus,
            facts=grounding.extra.get("groups", ()),
            notices=notices,
        )

    def prompt(self, request: ExplainRequest, grounding: Grounding) -> Ask | None:
        system = template(f"explain.{_level(request)}")
        if not grounding.subjects:
            question = template("explain.topic", topic=request.target.strip())
            return Ask(
                prompt=Prompt(system=system, question=question),
                max_tokens=MOST_TOKENS[_level(request)],
            )
        subject = grounding.subjects[0]
        if not subject.text.strip():
            return None
        symbol = grounding.extra.get("symbol", "")
        code: str = grounding.extra.get("code", subject.text)
        name = f"{symbol} in {subject.path}" if symbol else subject.path
        groups: tuple[FactGroup, ...] = grounding.extra.get("groups", ())
        facts = "\n".join(f"{g.title}: {'; '.join(g.facts)}" for g in groups)
        return Ask(
            prompt=Prompt(
                system=system,
                question=template(f"explain.focus.{request.focus}", target=name),
                sections=(
                    Section(title=f"Code of {name}", text=code, rank=0),
                    Section(title="Facts from its parse tree", text=facts, rank=1),
                ),
            ),
            max_tokens=MOST_TOKENS[_level(request)],
        )

    def parse(self, answer: Answer, request: ExplainRequest, grounding: Grounding) -> Explanation:
        if not answer.text.strip() and answer.finish != "refusal":
            raise EmptyAnswerError(
                f"{answer.model!r} answered with no text.",
                hint="Ask again, or choose another model with --model.",
                provider=answer.provider,
                model=answer.model,
            )
        level = _level(request)
        limit = MOST_TOKENS[level]
        if level != "advanced" and (answer.usage.output_tokens or limit) >= limit:
            checked = finished(answer, self.name, grounding, "ask at a higher level")
        else:
            checked = finished(answer, self.name, grounding)
        facts = self.without_model(request, grounding) or Explanation(
            target=request.target,
            kind="topic",
            level=_level(request),
            focus=request.focus,
            grounded=False,
        )
        return msgspec.structs.replace(
            facts,
            text=answer.text.strip(),
            provider=answer.provider,
            model=answer.model,
            finish=answer.finish,
            unconfirmed=checked.unconfirmed,
            notices=facts.notices + checked.notices,
        )

    def check(self, result: Explanation, grounding: Grounding) -> Sequence[Problem]:
        return ()

    def next_round(self, ask: Ask, answer: Answer, problems: Sequence[Problem]) -> Ask | None:
        return None


def _around(request: ExplainRequest, view: View, subject: Subject, word: str) -> list[ParsedModule]:
    """The modules that may call or import the target; none where nothing of them is told."""
    if _level(request) == "basic" and request.focus != "architecture":
        return []
    return neighbours(subject, view, word)


def _last_name(path: str) -> str:
    """The word by which others import a module: its name, or its package's."""
    folder, _, file = path.rpartition("/")
    stem = file.partition(".")[0]
    return folder.rpartition("/")[2] if stem == "__init__" else stem


def _level(request: ExplainRequest) -> Literal["basic", "intermediate", "advanced"]:
    return "advanced" if request.level == "detailed" else request.level


def _target(request: ExplainRequest, view: View) -> tuple[Subject | None, str]:
    """The subject and the symbol in it; no subject for a topic."""
    if request.subject is not None:
        return request.subject, request.symbol
    subject, symbol = target_of(
        request.target,
        view,
        verb="explain",
        otherwise=", or write the topic as a sentence",
        is_path=request.is_path,
    )
    return subject, symbol or request.symbol
