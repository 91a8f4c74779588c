"""A project in numbers: size, hot spots, worst units, coverage, from facts gathered before."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from aiex_ipy.grounding.facts import SEVERITIES, Issue, ModuleFacts, Score, Subject
from aiex_ipy.grounding.lint import is_test
from aiex_ipy.grounding.project import ProjectFacts
from aiex_ipy.grounding.python import parse
from aiex_ipy.grounding.tree import is_docstring, nodes_in

LEAST_STATEMENTS = 10
"""A smaller module is not told to be untested."""


class Size(Struct, frozen=True, kw_only=True):
    """How much there is. `files` are Python files and notebooks, those that do not parse too."""

    files: int = 0
    notebooks: int = 0
    test_files: int = 0
    lines: int = 0
    statements: int = 0
    functions: int = 0
    classes: int = 0


class SurveyedModule(Struct, frozen=True, kw_only=True):
    """One module in numbers. `complexity` is the cognitive complexity of all its functions,
    `hardest` the one with most of it. `changes` (commits of a year) and `coverage` (0-1) are None
    where nothing is known; `imports`, `imported_by`, `tested_by` count modules of the project."""

    name: str
    path: str
    test: bool
    lines: int
    statements: int
    complexity: int
    hardest: str = ""
    line: int = 1
    changes: int | None = None
    imports: int = 0
    imported_by: int = 0
    tested_by: int = 0
    coverage: float | None = None
    quality_score: float | None = None

    @property
    def heat(self) -> int:
        """Complexity times changes: what is hard and often touched."""
        return self.complexity * (self.changes or 0)


class WorstUnit(Struct, frozen=True, kw_only=True):
    """A function, class or module body that costs its file most: `lost` in score points (0-10),
    `reason` the dearest of its losses."""

    path: str
    unit: str
    line: int
    lost: float
    reason: str


class CoverageShare(Struct, frozen=True, kw_only=True):
    """What the tests ran: `share` of the statements of `files` measured modules, 0-1. `stale` are
    modules changed since, which count for nothing."""

    source: str
    share: float | None
    files: int
    stale: tuple[str, ...] = ()


def size_of(facts: Sequence[ModuleFacts]) -> Size:
    """Return the size of all files that were read."""

    def total(name: str) -> int:
        return round(sum(module.metrics.get(name, 0) for module in facts))

    return Size(
        files=len(facts),
        notebooks=sum(module.language == "notebook" for module in facts),
        test_files=sum(is_test(module.path) for module in facts),
        lines=total("lines"),
        statements=total("statements"),
        functions=total("functions"),
        classes=total("classes"),
    )


def survey(
    facts: Sequence[ModuleFacts],
    scores: Sequence[Score],
    project: ProjectFacts,
    *,
    changes: Mapping[str, int] | None,
    coverage: Mapping[str, float],
) -> tuple[SurveyedModule, ...]:
    """Return each module in numbers, by path. `changes` and `coverage` are by path; None means
    that there is no history, while a path it lacks is one git does not track."""
    names = {module.path: module.name for module in project.modules}
    found = []
    for module, score in zip(facts, scores, strict=True):
        if not module.parsed or (module.language == "python" and module.path not in names):
            continue  # an empty file is no module to speak of
        hard = [
            (value, name.partition("#")[0], unit.lines.get(name, unit.line))
            for unit in module.units
            for name, value in unit.cognitive.items()
        ]
        most, hardest, line = max(hard, key=lambda each: each[0], default=(0, "", 1))
        numbers = module.metrics
        found.append(
            SurveyedModule(
                name=names.get(module.path, module.path),
                path=module.path,
                test=is_test(module.path),
                lines=round(numbers.get("lines", 0)),
                statements=round(numbers.get("statements", 0)),
                complexity=sum(value for value, _, _ in hard),
                hardest=hardest if most else "",
                line=line if most else 1,
                changes=None if changes is None else changes.get(module.path),
                imports=round(numbers.get("imports_own", 0)),
                imported_by=round(numbers.get("imported_by", 0)),
                tested_by=round(numbers.get("tested_by", 0)),
                coverage=coverage.get(module.path),
                quality_score=score.value,
            )
        )
    return tuple(sorted(found, key=lambda each: each.path))


def hot_spots(modules: Iterable[SurveyedModule], most: int) -> tuple[SurveyedModule, ...]:
    """Return the modules that are hard and often changed, hottest first, tests aside.

    Source: A. Tornhill, "Your Code as a Crime Scene", 2015: complexity times change frequency.
    """
    hot = [each for each in modules if each.heat and not each.test]
    return tuple(sorted(hot, key=lambda each: (-each.heat, each.path))[:most])


def worst_units(scores: Sequence[Score], most: int) -> tuple[WorstUnit, ...]:
    """Return the units that lose most of their file's points, tests aside."""
    lost: dict[tuple[str, str], list[tuple[float, int, str]]] = {}
    for score in scores:
        for line in score.ledger:
            if line.unit and line.path and not is_test(line.path):
                loss = line.lost, line.line, line.reason
                lost.setdefault((line.path, line.unit), []).append(loss)
    found = [
        WorstUnit(
            path=path,
            unit=unit,
            line=max(losses)[1],
            lost=round(sum(each[0] for each in losses), 2),
            reason=max(losses)[2],
        )
        for (path, unit), losses in lost.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.lost, each.path, each.unit))[:most])


def untested(modules: Sequence[SurveyedModule]) -> tuple[str, ...]:
    """Return the names of the modules no test imports, largest first; none where there are no
    tests at all, since then all are."""
    if not any(module.test for module in modules):
        return ()
    found = [
        each
        for each in modules
        if not each.test and not each.tested_by and each.statements >= LEAST_STATEMENTS
    ]
    return tuple(each.name for each in sorted(found, key=lambda m: (-m.statements, m.path)))


def weightiest(issues: Iterable[Issue], most: int) -> tuple[Issue, ...]:
    """Return the gravest issues, tests aside, by severity, then by place."""
    own = [issue for issue in issues if not is_test(issue.path)]
    return tuple(
        sorted(own, key=lambda i: (SEVERITIES.index(i.severity), i.path, i.cell or 0, i.line))[
            :most
        ]
    )


def external(project: ProjectFacts) -> dict[str, int]:
    """Return the packages from outside with the number of modules that import them, the standard
    library and tests aside, most used first."""
    import sys

    counts: dict[str, int] = {}
    own = {module.name.partition(".")[0] for module in project.modules}
    for module in project.modules:
        for name in () if module.test else module.external:
            if name not in sys.stdlib_module_names and name not in own and name:
                counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def statement_lines(subject: Subject) -> frozenset[int]:
    """Return the lines on which the statements of a Python file begin, without docstrings and what
    is never run by itself."""
    tree = parse(subject).tree
    return frozenset(
        node.lineno
        for node in (nodes_in(tree) if tree is not None else ())
        if isinstance(node, ast.stmt)
        and not isinstance(node, ast.Global | ast.Nonlocal)
        and not is_docstring(node)
    )
