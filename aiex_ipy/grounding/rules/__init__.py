"""aiex's own rules: performance within a module (AX1xx), architecture across modules (AX2xx)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aiex_ipy.grounding.facts import Issue
from aiex_ipy.grounding.python import ParsedModule
from aiex_ipy.grounding.rules import (  # noqa: F401  # importing a family registers its rules
    growing,
    outside,
    recursing,
    repeating,
    searching,
    shrinking,
    waiting,
)
from aiex_ipy.grounding.rules.catalogue import RULES
from aiex_ipy.grounding.rules.walk import Finding, Walk

__all__ = ["RULES", "check"]


def check(parsed: ParsedModule) -> list[Issue]:
    """Return the performance issues of a module in source order; none where it does not parse.

    Lines are those of `parsed.text`. One walk over the tree serves all rules.
    """
    if parsed.tree is None:
        return []
    issues = [_issue(parsed, finding) for finding in Walk(parsed.tree).run()]
    return sorted(issues, key=lambda issue: (issue.line, issue.column, issue.rule))


def _issue(parsed: ParsedModule, finding: Finding) -> Issue:
    rule, node = RULES[finding.rule], finding.node
    last = max(_header_end(node), node.lineno)
    before = parsed.lines[node.lineno - 1].encode()[: node.col_offset]
    return Issue(
        severity=rule.severity,
        category=rule.category,
        rule=rule.code,
        path=parsed.path,
        line=node.lineno,
        end_line=last,
        column=len(before.decode(errors="replace")) + 1,
        message=finding.message[:1].upper() + finding.message[1:],
        evidence="\n".join(_evidence(parsed, node.lineno, last)),
        symbol=parsed.symbol_at(node.lineno),
        fix=rule.remedy,
        source="aiex",
    )


def _header_end(node: ast.stmt | ast.expr) -> int:
    """The last line of an expression, a simple statement, or the header of a compound one."""
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return node.iter.end_lineno or node.lineno
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return node.items[-1].context_expr.end_lineno or node.lineno
    return node.end_lineno or node.lineno


def _evidence(parsed: ParsedModule, first: int, last: int) -> Iterator[str]:
    """The cited lines stripped, three at most, each cut to 200 characters."""
    for number in range(first, min(last, first + 2) + 1):
        line = parsed.line_text(number)[:200]
        if line:
            yield line
