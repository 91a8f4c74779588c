"""analyze: facts, score and issues of code, with a model's judgement beside them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from msgspec import Struct, field

from aiex_ipy.grounding.facts import Issue, LedgerLine, Subject
from aiex_ipy.operations.base import Request

AnalyzeType = Literal["all", "quality", "performance", "security", "architecture"]


class Recommendation(Struct, frozen=True, kw_only=True):
    """What to do; `rule` is the issue rule it rests on, `""` for a model's own."""

    title: str
    detail: str
    rule: str = ""
    source: str = "aiex"
    confirmed: bool = True


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


class Analysis(Struct, frozen=True, kw_only=True):
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
    def suggestions(self) -> tuple[Recommendation, ...]:
        """The guide's name for `recommendations`."""
        return self.recommendations
