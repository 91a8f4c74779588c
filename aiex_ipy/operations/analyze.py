"""analyze: facts, score and issues of code, with a model's judgement beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import Struct, field

from aiex_ipy.errors import AiexError, UsageError, WorkspaceError
from aiex_ipy.grounding.facts import (
    SEVERITIES,
    Category,
    Issue,
    LedgerLine,
    ModuleFacts,
    Score,
    Severity,
    Subject,
)
from aiex_ipy.grounding.gather import gather
from aiex_ipy.grounding.score import score_module, score_tree
from aiex_ipy.grounding.versions import versions
from aiex_ipy.messages import Answer
from aiex_ipy.operations.ask import code_sections
from aiex_ipy.operations.base import Ask, Grounding, Problem, Request, Result
from aiex_ipy.operations.claims import confirmed
from aiex_ipy.operations.inputs import CODE, subject_of
from aiex_ipy.operations.recommend import Recommendation, recommend
from aiex_ipy.operations.structured import closed, decoded
from aiex_ipy.operations.view import View
from aiex_ipy.prompts.fit import Prompt
from aiex_ipy.prompts.templates import template
from aiex_ipy.workspace import Located

AnalyzeType = Literal["all", "quality", "performance", "security", "architecture"]


class FileScore(Struct, frozen=True, kw_only=True):
    path: str
    quality_score: float | None
    statements: int
    issues: int
    error: str = ""


class AnalyzeRequest(Request["Analysis"], frozen=True, kw_only=True):
    """Paths (files, directories, notebooks) or ready subjects (cell, stdin, live object)."""

    operation: ClassVar[str] = "analyze"

    paths: tuple[str, ...] = ()
    subjects: tuple[Subject, ...] = ()
    type: AnalyzeType = "all"


class Analysis(Result, frozen=True, kw_only=True):
    """What is known of the code. `quality_score` is 0-10 from facts alone, always of the whole
    whatever `type`; None where there is nothing to score. `components` are the points lost per
    component. `files`, `worst` and `share_below_6` are for more than one file."""

    operation: str = "analyze"
    schema_version: int = 1
    type: AnalyzeType = "all"
    path: str = ""
    kind: str = "file"
    summary: str = ""
    quality_score: float | None = None
    components: dict[str, float] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    ledger: tuple[LedgerLine, ...] = ()
    score_version: str = ""
    analyzers: dict[str, str] = field(default_factory=dict)
    grounded: bool = True
    provider: str | None = None
    model: str | None = None
    judgement: str = ""
    notices: tuple[str, ...] = ()
    files: tuple[FileScore, ...] = ()
    worst: tuple[FileScore, ...] = ()
    share_below_6: float | None = None

    @property
    def suggestions(self) -> list[Recommendation]:
        """The guide's name for `recommendations`."""
        return list(self.recommendations)


CATEGORIES: dict[AnalyzeType, tuple[Category, ...]] = {
    "all": (
        "syntax",
        "correctness",
        "security",
        "performance",
        "complexity",
        "maintainability",
        "documentation",
        "architecture",
    ),
    "quality": ("syntax", "correctness", "complexity", "maintainability", "documentation"),
    "performance": ("syntax", "performance"),
    "security": ("syntax", "security"),
    "architecture": ("syntax", "architecture"),
}
"""Which issue categories each type shows; a syntax error is shown by all."""

WORST_FILES = 5


class ClaimedIssue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The form in which a model must state an issue."""

    line: int
    symbol: str
    evidence: str
    message: str
    severity: Severity = "low"
    category: Category = "maintainability"


class ClaimedRecommendation(Struct, frozen=True, kw_only=True):
    title: str
    detail: str


class Judgement(Struct, frozen=True, kw_only=True):
    """The form of a model's answer to analyze."""

    summary: str
    issues: list[ClaimedIssue]
    recommendations: list[ClaimedRecommendation]


class AnalyzeOperation:
    """Facts and score of code; a model's judgement stands beside them and moves no number."""

    name = "analyze"
    by_name_only = True

    def reads(self, request: AnalyzeRequest) -> bool:
        return True

    def ground(self, request: AnalyzeRequest, view: View) -> Grounding:
        subjects = list(request.subjects)
        failed: dict[str, AiexError] = {}
        kinds = ["file" if s.whole or s.file is not None else "cell" for s in subjects]
        for path in dict.fromkeys(request.paths):
            try:
                found = view.workspace.resolve(path)
            except AiexError as error:
                if len(request.paths) == 1 and not subjects:
                    raise
                failed[path] = error
                kinds.append("file")
                continue
            kinds.append("directory" if found.is_directory else "file")
            files: Sequence[Located] = (found,)
            if found.is_directory:
                tree = view.workspace.walk(found, only=CODE)
                files = tree.files
                for name in tree.unreadable:
                    failed[name] = WorkspaceError(f"{name!r} could not be listed.")
            for file in files:
                try:
                    subjects.append(subject_of(view.read(file)))
                except AiexError as error:
                    if not found.is_directory and len(request.paths) == 1:
                        raise
                    failed[file.path] = error
        if not subjects and not failed:
            raise _nothing_in(request.paths)
        modules = gather(subjects, ruff=view.ruff, analyzers=view.settings.analyze.analyzers)
        return Grounding(
            subjects=tuple(subjects),
            modules=tuple(modules),
            extra={"failed": failed, "kind": _kind(kinds, subjects), "named": request.paths},
        )

    def without_model(self, request: AnalyzeRequest, grounding: Grounding) -> Analysis:
        modules = grounding.modules
        failed: dict[str, AiexError] = grounding.extra["failed"]
        scores = [score_module(module) for module in modules]
        single = len(modules) == 1 and grounding.extra["kind"] != "directory" and not failed
        total = scores[0] if single else score_tree(scores)
        wanted = CATEGORIES[request.type]
        issues = tuple(i for m in modules for i in m.issues if i.category in wanted)
        files = _files(modules, scores, failed)
        rated = [f for f in files if f.quality_score is not None]
        low = [f for f in rated if (f.quality_score or 0.0) < 6]
        path = modules[0].path if single else ", ".join(grounding.extra["named"])
        notices = tuple(f"{p}: {e.message} {e.hint}".rstrip() for p, e in sorted(failed.items()))
        unscored = [m.path for m in modules if m.language not in CODE]
        if unscored and single:
            notices += (f"{path} is no Python code: there is nothing to score.",)
        return Analysis(
            type=request.type,
            path=path,
            kind=grounding.extra["kind"],
            summary=_summary(modules, total, issues, request.type),
            quality_score=total.value,
            components=dict(sorted(total.components.items())),
            issues=issues,
            recommendations=recommend(issues, total, request.type),
            metrics=_metrics(modules),
            ledger=total.ledger,
            score_version=total.version,
            analyzers=versions(),
            files=() if single else files,
            worst=()
            if single
            else tuple(sorted(rated, key=lambda f: (f.quality_score or 0.0, f.path))[:WORST_FILES]),
            share_below_6=None if single or not rated else round(len(low) / len(rated), 4),
            notices=notices,
        )

    def prompt(self, request: AnalyzeRequest, grounding: Grounding) -> Ask | None:
        if not any(s.text.strip() for s in grounding.subjects):
            return None
        named = ", ".join(s.path for s in grounding.subjects[:3])
        return Ask(
            prompt=Prompt(
                system=template(f"analyze.{request.type}"),
                question=template("analyze.question", path=named),
                sections=code_sections(grounding, issues=True),
            ),
            schema=_judgement_schema(),
            schema_name="judgement",
        )

    def parse(self, answer: Answer, request: AnalyzeRequest, grounding: Grounding) -> Analysis:
        facts = self.without_model(request, grounding)
        judgement = decoded(answer, Judgement)
        claims = tuple(
            _checked(claim, grounding.subjects, CATEGORIES[request.type])
            for claim in judgement.issues
        )
        known = {(i.path, i.line, i.message) for i in facts.issues}
        return msgspec.structs.replace(
            facts,
            provider=answer.provider,
            model=answer.model,
            judgement=judgement.summary.strip(),
            issues=facts.issues
            + tuple(c for c in claims if (c.path, c.line, c.message) not in known),
            recommendations=facts.recommendations
            + tuple(
                Recommendation(title=r.title, detail=r.detail, source="model", confirmed=False)
                for r in judgement.recommendations
            ),
        )

    def check(self, result: Analysis, grounding: Grounding) -> Sequence[Problem]:
        return ()

    def next_round(self, ask: Ask, answer: Answer, problems: Sequence[Problem]) -> Ask | None:
        return None


def _kind(kinds: Sequence[str], subjects: Sequence[Subject]) -> str:
    kind = kinds[0] if len(kinds) == 1 else "files"
    if kind == "file" and subjects and subjects[0].language == "notebook":
        return "notebook"
    return kind


def _nothing_in(paths: Sequence[str]) -> UsageError:
    named = ", ".join(repr(path) for path in paths)
    return UsageError(
        f"There is nothing to analyze in {named or 'an empty request'}.",
        code="nothing_to_analyze",
        hint="Name a source file, a notebook, or a directory that holds some.",
    )


def _judgement_schema() -> dict[str, Any]:
    """The JSON schema of `Judgement`."""
    text = {"type": "string"}
    issue = {
        "line": {"type": "integer"},
        "symbol": text,
        "evidence": text,
        "message": text,
        "severity": {"type": "string", "enum": list(SEVERITIES)},
        "category": {"type": "string", "enum": list(CATEGORIES["all"][1:])},
    }
    return closed(
        {
            "summary": text,
            "issues": {"type": "array", "items": closed(issue)},
            "recommendations": {
                "type": "array",
                "items": closed({"title": text, "detail": text}),
            },
        }
    )


def _checked(
    claim: ClaimedIssue, subjects: Sequence[Subject], wanted: tuple[Category, ...]
) -> Issue:
    """The claim as an issue of the first subject that confirms it, else of the first subject."""
    issue = Issue(
        severity=claim.severity,
        category=claim.category if claim.category in wanted else wanted[-1],
        rule="model",
        path=subjects[0].path,
        line=max(1, claim.line),
        end_line=max(1, claim.line),
        message=claim.message,
        source="model",
        evidence=claim.evidence,
        symbol=claim.symbol,
        confirmed=False,
    )
    for subject in subjects:
        if confirmed(issue, subject):
            return msgspec.structs.replace(issue, path=subject.path, confirmed=True)
    return issue


def _files(
    modules: Sequence[ModuleFacts], scores: Sequence[Score], failed: dict[str, AiexError]
) -> tuple[FileScore, ...]:
    files = [
        FileScore(
            path=module.path,
            quality_score=score.value,
            statements=score.statements,
            issues=len(module.issues),
        )
        for module, score in zip(modules, scores, strict=True)
    ]
    files += [
        FileScore(path=path, quality_score=None, statements=0, issues=0, error=error.message)
        for path, error in failed.items()
    ]
    return tuple(sorted(files, key=lambda f: f.path))


def _metrics(modules: Sequence[ModuleFacts]) -> dict[str, Any]:
    """One module's metrics; of several: sums, but means and maxima by their own name."""
    if len(modules) == 1:
        return dict(sorted(modules[0].metrics.items()))
    total: dict[str, float] = {"files": len(modules)}
    for module in modules:
        for name, value in module.metrics.items():
            if name.endswith("_max"):
                total[name] = max(total.get(name, 0), value)
            elif not name.endswith(("_mean", "_share")):
                total[name] = total.get(name, 0) + value
    return dict(sorted(total.items()))


def _summary(
    modules: Sequence[ModuleFacts], score: Score, issues: Sequence[Issue], kind: AnalyzeType
) -> str:
    """One sentence of facts: what it is, how it stands, what weighs most."""
    code = [m for m in modules if m.language in CODE]
    if len(modules) == 1 and code and not code[0].parsed:
        return "The code cannot be parsed as Python, so nothing else could be measured."
    if score.value is None:
        return "There is no code to score."
    functions = sum(u.kind == "function" for m in code for u in m.units)
    classes = sum(u.kind == "class" for m in code for u in m.units)
    what = f"{len(code)} files with " if len(modules) != 1 else ""
    size = (
        f"{what}{_count(functions, 'function')}, {_count(classes, 'class', 'classes')} and "
        f"{_count(score.statements, 'statement')}"
    )
    weight = ""
    if score.components:
        name, lost = max(score.components.items(), key=lambda item: (item[1], item[0]))
        if lost > 0:
            weight = f"; most points are lost to {name} ({lost:.2f})"
    severe = sum(i.severity in ("critical", "high") for i in issues)
    about = "" if kind == "all" else f" of {kind}"
    return (
        f"{size[0].upper()}{size[1:]}: {_count(len(issues), 'issue')}{about}, "
        f"{severe} of them severe{weight}."
    )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
