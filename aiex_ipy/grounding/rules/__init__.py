"""aiex's own rules: performance within a module (AX1xx), architecture across modules (AX2xx)."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from aiex_ipy.grounding.facts import Issue
from aiex_ipy.grounding.lint import is_test
from aiex_ipy.grounding.parsed import ParsedModule
from aiex_ipy.grounding.rules import (  # noqa: F401  # importing a family registers its rules
    classes,
    growing,
    outside,
    recursing,
    repeating,
    searching,
    shrinking,
    waiting,
)
from aiex_ipy.grounding.rules.catalogue import RULES, Rule
from aiex_ipy.grounding.rules.walk import Walk

if TYPE_CHECKING:
    from aiex_ipy.grounding.project import ProjectFacts

__all__ = ["RULES", "check", "check_project"]

_NOT_IN_TESTS = frozenset({"AX205", "AX210"})
"""A test class is long by nature, and tests replace parts of other modules on purpose."""


def check(parsed: ParsedModule) -> list[Issue]:
    """Return what one module alone tells, in source order; nothing where it does not parse.

    Lines are those of `parsed.text`. One walk over the tree serves all rules.
    """
    if parsed.tree is None:
        return []
    left_out = _NOT_IN_TESTS if is_test(parsed.path) else frozenset()
    issues = [
        _issue(parsed, RULES[finding.rule], finding.message, *_span(parsed, finding.node))
        for finding in Walk(parsed.tree, parsed.path).run()
        if finding.rule not in left_out
    ]
    return sorted(issues, key=lambda issue: (issue.line, issue.column, issue.rule))


def check_project(modules: Iterable[ParsedModule], facts: ProjectFacts) -> dict[str, list[Issue]]:
    """Return what the modules tell together, by path: rules over their imports of each other,
    which `facts` holds.

    Modules need their imports only; their trees may have been released.
    """
    # Not at the top: one file alone has no neighbours, and these cost it 3 ms.
    from aiex_ipy.grounding.rules.architecture import ARCHITECTURE
    from aiex_ipy.grounding.rules.graph import Graph

    graph = Graph(modules, facts)
    found: dict[str, list[Issue]] = {}
    for rule in ARCHITECTURE:
        for trouble in rule(graph):
            parsed, line = trouble.module.parsed, trouble.line
            issue = _issue(parsed, RULES[trouble.rule], trouble.message, line, line, 1)
            found.setdefault(parsed.path, []).append(issue)
    return found


def _issue(
    parsed: ParsedModule, rule: Rule, message: str, line: int, last: int, column: int
) -> Issue:
    return Issue(
        severity=rule.severity,
        category=rule.category,
        rule=rule.code,
        path=parsed.path,
        line=line,
        end_line=last,
        column=column,
        message=message[:1].upper() + message[1:],
        evidence="\n".join(_evidence(parsed, line, last)),
        symbol=parsed.symbol_at(line),
        fix=rule.remedy,
        source="aiex",
    )


def _span(parsed: ParsedModule, node: ast.stmt | ast.expr) -> tuple[int, int, int]:
    """First line, last line and column of a node; of a compound statement those of its header."""
    line = node.lineno
    last = node.end_lineno or line
    if isinstance(node, (ast.For, ast.AsyncFor)):
        last = node.iter.end_lineno or line
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        last = node.items[-1].context_expr.end_lineno or line
    elif isinstance(node, ast.ClassDef):
        last = line
    before = parsed.lines[line - 1].encode()[: node.col_offset]
    return line, last, len(before.decode(errors="replace")) + 1


def _evidence(parsed: ParsedModule, first: int, last: int) -> Iterator[str]:
    """The cited lines stripped, three at most, each cut to 200 characters."""
    for number in range(first, min(last, first + 2) + 1):
        line = parsed.line_text(number)[:200]
        if line:
            yield line
