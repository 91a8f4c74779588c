"""test_suggest: what to test of code and why, from its parse tree, a model's additions checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    MethodDescriptorType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import Struct

from aiex_ipy.errors import UnknownNameError, UsageError
from aiex_ipy.grounding.cases import Case, Kind, cases_of, scopes_in
from aiex_ipy.grounding.cases.existing import ExistingTest, Use, tested_by, uses
from aiex_ipy.grounding.explain import find
from aiex_ipy.grounding.facts import Issue, Subject
from aiex_ipy.grounding.metrics import cognitive
from aiex_ipy.grounding.names import Names
from aiex_ipy.grounding.notebook import Cells
from aiex_ipy.grounding.parsed import Scope
from aiex_ipy.messages import Answer
from aiex_ipy.operations.base import Ask, Grounding, Problem, Request, Result
from aiex_ipy.operations.claims import confirmed
from aiex_ipy.operations.inputs import CODE
from aiex_ipy.operations.neighbours import neighbours
from aiex_ipy.operations.structured import closed, decoded
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
from aiex_ipy.workspace.measured import Lines, measured_near

MOST = 60
"""Suggestions of one result; how many more there are is said."""
MOST_EACH = 6
"""Suggestions for one function where several are looked at."""
MOST_FROM_MODEL = 12
LabelOf = Callable[[str], str | None] | None
_DEFINED = (
    FunctionType,
    ModuleType,
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    MethodDescriptorType,
    MethodWrapperType,
    WrapperDescriptorType,
)


class TestSuggestRequest(Request["TestSuggestions"], frozen=True, kw_only=True):
    """`target` is a path (surely one when `is_path`) or a dotted name; or a ready `subject` stands
    for it. `symbol` names a function, method or class inside the file or subject."""

    operation: ClassVar[str] = "test_suggest"
    __test__: ClassVar[bool] = False

    target: str = ""
    subject: Subject | None = None
    is_path: bool = False
    symbol: str = ""


class SuggestedTest(Struct, frozen=True, kw_only=True):
    """One thing to test: in `line` of `symbol` stands `on`, the branch or boundary; `test` says
    what to do, `why` what depends on it; `rank` is 1 (first) to 3. `cell` is the notebook cell the
    line is counted in. `run` tells whether measured tests ran the line, None where nothing was
    measured; `tested_by` a test whose text shows that it does this. `confirmed` is False for a
    model's suggestion whose evidence is not in the lines it names."""

    line: int
    kind: Kind | Literal["model"]
    on: str
    test: str
    why: str = ""
    symbol: str = ""
    rank: int = 1
    cell: int | None = None
    run: bool | None = None
    tested_by: str = ""
    source: Literal["aiex", "model"] = "aiex"
    confirmed: bool = True


class TestSuggestions(Result, frozen=True, kw_only=True):
    """What to test of the target, what weighs most and no test shows first; `left_out` are more.
    `existing` are the tests that use it; `measured` names the coverage data that was read."""

    __test__: ClassVar[bool] = False

    operation: str = "test_suggest"
    schema_version: int = 1
    target: str = ""
    path: str = ""
    symbol: str = ""
    kind: Literal["module", "class", "function", "text"] = "module"
    suggestions: tuple[SuggestedTest, ...] = ()
    left_out: int = 0
    existing: tuple[ExistingTest, ...] = ()
    measured: str = ""
    grounded: bool = True
    provider: str | None = None
    model: str | None = None
    notices: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The target, and how much there is to test."""
        return f"{self.symbol or self.target}: {len(self.suggestions)} things to test"


class ClaimedTest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The form in which a model must suggest a test."""

    line: int
    symbol: str
    evidence: str
    test: str
    why: str = ""


class ClaimedTests(Struct, frozen=True, kw_only=True):
    tests: list[ClaimedTest]


class TestSuggestOperation:
    """Cases from the parse tree; a model may add some, which must name lines that are there."""

    __test__: ClassVar[bool] = False

    name = "test_suggest"
    by_name_only = True

    def reads(self, request: TestSuggestRequest) -> bool:
        return True

    def ground(self, request: TestSuggestRequest, view: View) -> Grounding:
        subject, symbol = _target(request, view)
        if subject.language not in CODE or not subject.text.strip():
            return Grounding(subjects=(subject,), extra={"nothing": nothing_known(subject)})
        parsed, cells = parsed_target(subject)
        if parsed.error is not None:
            at = parsed.error
            cell = "" if at.cell is None else f" of cell {at.cell}"
            raise UsageError(
                f"{subject.path} cannot be parsed: {problem_of(at)}.",
                code="unparsable",
                hint=f"Mend line {at.line}{cell}, then ask again.",
            )
        names = Names(parsed)
        symbol = symbol or only_definition(parsed)
        found = find(names, symbol) if symbol else None
        name = found.name if found is not None else ""
        word = name.rpartition(".")[2] or _module_word(subject.path)
        known = uses(neighbours(subject, view, word, tests=True))
        lines, notices, source = _measured(subject, view)
        suggestions, left_out = _suggestions(names, name, known, lines)
        if not suggestions:
            notices += (
                f"Nothing decides in {name or subject.path}: a call with usual values is all.",
            )
        placed = [_placed(each, subject, cells) for each in suggestions]
        scopes = [found] if found is not None else scopes_in(names, "")
        return Grounding(
            subjects=(subject,),
            extra={
                "kind": found.kind if found is not None else "module",
                "symbol": name,
                "shown": Subject(
                    path=subject.path, text=parsed.text, first_line=subject.first_line
                ),
                "span": _span(found, parsed.lines, subject.first_line - 1),
                "cells": cells,
                "suggestions": tuple(placed),
                "left_out": left_out,
                "existing": _existing(scopes, known),
                "measured": source,
                "notices": notices,
            },
        )

    def without_model(self, request: TestSuggestRequest, grounding: Grounding) -> TestSuggestions:
        subject, extra = grounding.subjects[0], grounding.extra
        named = subject.path if os.path.isabs(request.target) else request.target
        base = TestSuggestions(target=named or subject.path, path=subject.path)
        if "nothing" in extra:
            return msgspec.structs.replace(base, kind="text", notices=(extra["nothing"],))
        return msgspec.structs.replace(
            base,
            symbol=extra["symbol"],
            kind=extra["kind"],
            suggestions=extra["suggestions"],
            left_out=extra["left_out"],
            existing=extra["existing"],
            measured=extra["measured"],
            notices=extra["notices"],
        )

    def prompt(self, request: TestSuggestRequest, grounding: Grounding) -> Ask | None:
        extra = grounding.extra
        if "nothing" in extra:
            return None
        path = grounding.subjects[0].path
        name = f"{extra['symbol']} in {path}" if extra["symbol"] else path
        known = "\n".join(f"line {s.line}: {s.test}" for s in extra["suggestions"])
        return Ask(
            prompt=Prompt(
                system=template("test_suggest"),
                question=template("test_suggest.question", target=name, most=str(MOST_FROM_MODEL)),
                sections=(
                    Section(
                        title=f"Code of {name}, with line numbers", text=_code(grounding), rank=0
                    ),
                    Section(title="Known already", text=known, rank=1),
                ),
            ),
            schema=_schema(),
            schema_name="tests",
        )

    def parse(
        self, answer: Answer, request: TestSuggestRequest, grounding: Grounding
    ) -> TestSuggestions:
        facts = self.without_model(request, grounding)
        claimed = decoded(answer, ClaimedTests).tests
        added, dropped = _added(claimed, grounding, facts)
        notices = facts.notices
        if dropped:
            what = "1 suggestion was" if dropped == 1 else f"{dropped} suggestions were"
            notices += (
                f"{what} left out: {answer.model!r} named no line of the target, or nothing new.",
            )
        return msgspec.structs.replace(
            facts,
            suggestions=facts.suggestions + added,
            provider=answer.provider,
            model=answer.model,
            notices=notices,
        )

    def check(self, result: TestSuggestions, grounding: Grounding) -> Sequence[Problem]:
        return ()

    def next_round(self, ask: Ask, answer: Answer, problems: Sequence[Problem]) -> Ask | None:
        return None


def request_for(
    target: Any, *, symbol: str = "", label_of: LabelOf = None, **choice: Any
) -> TestSuggestRequest:
    """Return the request for a path, a dotted name, a subject, or a live object.

    A function, method, class or module is looked up in the file it came from, an instance as its
    class; what has no file (made in a cell) gives its own source. `label_of` names the cell a file
    name stands for. Nothing of the user's is called. Raises UsageError for what has no source.
    """
    kind = type(target)  # `isinstance` would ask the object for its `__class__`
    if issubclass(kind, str):
        return TestSuggestRequest(target=str.__str__(target), symbol=symbol, **choice)
    if kind is Subject:
        return TestSuggestRequest(subject=target, symbol=symbol, **choice)
    if issubclass(kind, os.PathLike):
        path = os.fsdecode(target)
        return TestSuggestRequest(target=path, is_path=True, symbol=symbol, **choice)
    from aiex_ipy.grounding.live import object_subject, source_name
    from aiex_ipy.grounding.live.source import name_of
    from aiex_ipy.grounding.live.static import entry, instance_dict, qualname, text_of

    value = _definition(target)
    if type(value) is ModuleType:
        file = text_of(entry(instance_dict(value), "__file__")) or ""
    else:
        file = source_name(value)
        symbol = symbol or name_of(value).replace(".<locals>", "")
    if file.endswith(".py") and os.path.isfile(file):
        return TestSuggestRequest(target=file, is_path=True, symbol=symbol, **choice)
    subject = object_subject(value)
    if subject.language != "python":
        raise UsageError(
            f"{name_of(value) or qualname(type(value))!r} has no Python source: it is built in, "
            "compiled, or its source is gone.",
            code="no_source",
            hint="Name a function, class or module written in Python.",
        )
    cell = label_of(source_name(value)) if label_of is not None else None
    subject = msgspec.structs.replace(subject, path=cell or subject.path)
    return TestSuggestRequest(subject=subject, **choice)


def _definition(value: Any) -> Any:
    """The function, class or module that a value stands for: its own type for an instance."""
    from aiex_ipy.grounding.live.source import definition
    from aiex_ipy.grounding.live.static import is_class

    found = definition(value)
    return found if is_class(found) or type(found) in _DEFINED else type(found)


def _target(request: TestSuggestRequest, view: View) -> tuple[Subject, str]:
    if request.subject is not None:
        return request.subject, request.symbol
    if not request.target.strip():
        raise UsageError(
            "There is nothing to suggest tests for.",
            code="empty_query",
            hint="Name a file, a module, a function or a class.",
        )
    subject, symbol = target_of(request.target, view, verb="test_suggest", is_path=request.is_path)
    if subject is None:
        raise UnknownNameError(
            f"{request.target!r} is no file, module or dotted name here.",
            hint="Name a file, or a function by its module like package.module.function.",
        )
    return subject, symbol or request.symbol


def _module_word(path: str) -> str:
    """The word by which tests import a module."""
    folder, _, file = path.rpartition("/")
    stem = file.partition(".")[0]
    return folder.rpartition("/")[2] if stem == "__init__" else stem


def _measured(subject: Subject, view: View) -> tuple[Lines | None, tuple[str, ...], str]:
    """The measured lines of the subject's file, what to say of them, and where they come from."""
    if subject.file is None:
        return None, (), ""
    found = measured_near(view.workspace, os.path.dirname(subject.file))
    if found is None:
        return None, (), ""
    if found.problem:
        return None, (f"Coverage data in {found.source!r} was not used: {found.problem}.",), ""
    lines = found.files.get(subject.file) or found.files.get(os.path.realpath(subject.file))
    if lines is None:
        return None, (f"{found.source!r} has measured nothing of {subject.path}.",), ""
    if lines.stale:
        return None, (f"{found.source!r} is older than {subject.path} and was not used.",), ""
    return lines, (), found.source


def _suggestions(
    names: Names, symbol: str, known: dict[str, list[Use]], lines: Lines | None
) -> tuple[list[SuggestedTest], int]:
    """What to test, and how much more there is. Of several functions the hardest come first, each
    with its weightiest cases."""
    scopes = scopes_in(names, symbol)
    complexity = cognitive(names.parsed) or {}
    alone = bool(symbol) and names.scopes[symbol].kind == "function"
    scopes.sort(key=lambda scope: (not scope.public, -complexity.get(scope.start, 0), scope.line))
    found: list[SuggestedTest] = []
    total = 0
    for scope in scopes:
        mine = known.get(scope.name.rpartition(".")[2], [])
        own = [_suggestion(case, scope, mine, lines) for case in cases_of(names, scope)]
        own.sort(key=_order)
        total += len(own)
        found += own if alone else own[:MOST_EACH]
    if not alone:
        found = found[:MOST]
    found = sorted(found, key=_order)[:MOST]
    return found, total - len(found)


def _order(each: SuggestedTest) -> tuple[bool, bool, int, int]:
    """What no test shows or runs first, then by rank and line."""
    return bool(each.tested_by), each.run is True, each.rank, each.line


def _suggestion(
    case: Case, scope: Scope, known: Sequence[Use], lines: Lines | None
) -> SuggestedTest:
    test = tested_by(case, scope, known)
    run = None
    if lines is not None:
        run = case.line in lines.run
        if not run and lines.missing is not None and case.line not in lines.missing:
            run = None  # no line of its own for coverage.py: part of a longer statement
    return SuggestedTest(
        line=case.line,
        kind=case.kind,
        on=case.on,
        test=case.test,
        why=case.why,
        symbol=case.symbol,
        rank=case.rank,
        run=run,
        tested_by="" if test is None else f"{test.path}::{test.name.replace('.', '::')}",
    )


def _placed(each: SuggestedTest, subject: Subject, cells: Cells | None) -> SuggestedTest:
    """Count the line as the reader does: in the cell, or in the file the text was taken from."""
    if cells is not None and cells.starts:
        number, line = cells.place(each.line)
        return msgspec.structs.replace(each, cell=number, line=line)
    return msgspec.structs.replace(each, line=each.line + subject.first_line - 1)


def _existing(scopes: Sequence[Scope], known: dict[str, list[Use]]) -> tuple[ExistingTest, ...]:
    found: dict[ExistingTest, None] = {}
    for scope in scopes:
        for use in known.get(scope.name.rpartition(".")[2], []):
            found[use.test] = None
    return tuple(sorted(found, key=lambda test: (test.path, test.line)))


def _span(scope: Scope | None, lines: Sequence[str], shift: int) -> tuple[int, int]:
    """First and last line of the target as a model is shown them."""
    if scope is None:
        return 1 + shift, len(lines) + shift
    return scope.start + shift, scope.end_line + shift


def _code(grounding: Grounding) -> str:
    """The code with the numbers a model must name."""
    shown: Subject = grounding.extra["shown"]
    first, last = grounding.extra["span"]
    lines = shown.text.splitlines()
    shift = shown.first_line
    return "\n".join(
        f"{n}: {lines[n - shift]}" for n in range(first, last + 1) if n - shift < len(lines)
    )


def _schema() -> dict[str, Any]:
    """The JSON schema of `ClaimedTests` with every property required and no others."""
    text = {"type": "string"}
    fields = {"line": {"type": "integer"}, "symbol": text, "evidence": text}
    one = closed({**fields, "test": text, "why": text})
    return closed({"tests": {"type": "array", "items": one}})


def _added(
    claimed: Sequence[ClaimedTest], grounding: Grounding, facts: TestSuggestions
) -> tuple[tuple[SuggestedTest, ...], int]:
    """The model's suggestions that name a line of the target and say something new, and how many
    do not. Evidence that is not in the line leaves one unconfirmed."""
    subject: Subject = grounding.extra["shown"]
    cells: Cells | None = grounding.extra["cells"]
    first, last = grounding.extra["span"]
    said = {(each.line, _folded(each.test)) for each in facts.suggestions}
    found: list[SuggestedTest] = []
    for claim in claimed:
        key = claim.line, _folded(claim.test)
        if not first <= claim.line <= last or not claim.test.strip() or key in said:
            continue
        if len(found) == MOST_FROM_MODEL:
            break
        said.add(key)
        issue = Issue(
            severity="info",
            category="correctness",
            rule="model",
            path=subject.path,
            line=claim.line,
            end_line=claim.line,
            message=claim.test,
            source="model",
            evidence=claim.evidence,
            symbol=claim.symbol,
        )
        cell, line = None, claim.line
        if cells is not None and cells.starts:
            cell, line = cells.place(line)
        found.append(
            SuggestedTest(
                line=line,
                cell=cell,
                kind="model",
                on=claim.evidence.strip(),
                test=claim.test.strip(),
                why=claim.why.strip(),
                symbol=claim.symbol,
                rank=3,
                source="model",
                confirmed=confirmed(issue, subject),
            )
        )
    return tuple(found), len(claimed) - len(found)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
