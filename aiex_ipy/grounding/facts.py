"""What analyzers say: records shared by every analyzer, the score and the operations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from msgspec import Struct, field

Severity = Literal["critical", "high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
Category = Literal[
    "syntax",
    "correctness",
    "security",
    "performance",
    "complexity",
    "maintainability",
    "documentation",
    "architecture",
]


class Subject(Struct, frozen=True, kw_only=True):
    """One text to look at.

    `path` is what people read: posix, relative to the project or as the user named it, or
    `<stdin>`, `In[3]`, `module.function`. `file` is the absolute path on disk or None.
    `language` is `python`, `notebook`, or another's name in lower case (`text` when unknown).
    `first_line` is the line number of the text's first line in its file (for live objects).
    `whole` says that a text on no disk is a whole file all the same (stdin), so that names it
    does not define and imports it does not use are its own.
    """

    path: str
    text: str
    language: str = "python"
    file: str | None = None
    sha256: str = ""
    first_line: int = 1
    whole: bool = False


class Issue(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One finding. Lines and columns are 1-based; `end_line` is inclusive; `cell` is the
    notebook cell (1-based) the line is counted in, None outside notebooks.

    `rule` is the analyzer's own code (`S602`, `AX101`); `source` the analyzer (`ruff`,
    `complexipy`, `aiex`, `python`, or `model`). `evidence` is the source text it rests on.
    `symbol` is the qualified name of the enclosing function or class, `""` at module level.
    `confirmed` is False only for a model's claim that the facts do not bear out.
    """

    severity: Severity
    category: Category
    rule: str
    path: str
    line: int
    end_line: int
    message: str
    source: str
    column: int = 1
    cell: int | None = None
    evidence: str = ""
    symbol: str = ""
    confirmed: bool = True
    fix: str = ""


class Unit(Struct, frozen=True, kw_only=True):
    """One top-level unit of a module: a function, a class (methods inside), or `<module>`, the
    statements outside both.

    `statements` counts AST statements (never physical lines). `cognitive` maps each function
    or method inside the unit (qualified name) to its cognitive complexity as complexipy counts
    it; `lengths` to its number of statements; `lines` to its first line.
    """

    name: str
    kind: Literal["function", "class", "module"]
    line: int
    end_line: int
    statements: int
    cell: int | None = None
    cognitive: dict[str, int] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    public: bool = True
    documented: bool = True


class ModuleFacts(Struct, frozen=True, kw_only=True):
    """All facts of one subject. `units` is empty when it cannot be parsed or has no code."""

    path: str
    language: str
    units: tuple[Unit, ...] = ()
    issues: tuple[Issue, ...] = ()
    imports: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    parsed: bool = True


class LedgerLine(Struct, frozen=True, kw_only=True):
    """One loss of points. `lost` is in score points (0-10) after weighting, > 0."""

    component: str
    lost: float
    unit: str
    path: str
    line: int
    rule: str
    reason: str
    cell: int | None = None


class Score(Struct, frozen=True, kw_only=True):
    """A score of one or several modules. `value` is 0-10, None where there is nothing to score;
    `components` the points lost per component; `gates` the reasons why it is held down."""

    value: float | None
    components: dict[str, float] = field(default_factory=dict)
    ledger: tuple[LedgerLine, ...] = ()
    gates: tuple[str, ...] = ()
    statements: int = 0
    version: str = ""


SCORED_SOURCES = frozenset({"aiex", "complexipy", "python", "ruff"})
"""Whose issues move the score: analyzers that are the same wherever aiex runs."""


class Analyzer(Protocol):
    """A source of issues over a batch of subjects; entry-point group `aiex.analyzers`.

    `issues` returns the same issues for the same subjects, in any order; lines and columns are
    those of `Issue`, `path` is the subject's. Called in any thread.
    """

    name: str

    def issues(self, subjects: Sequence[Subject], /) -> Iterable[Issue]: ...
