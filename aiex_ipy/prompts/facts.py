"""Facts to words: the lines that tell a model what the analyzers know."""

from __future__ import annotations

from collections.abc import Iterable

from aiex_ipy.grounding.facts import Issue, ModuleFacts


def outline(module: ModuleFacts) -> str:
    """Return one line per unit: kind, name, lines, statements, highest cognitive complexity."""
    lines = []
    for unit in module.units:
        if unit.kind == "module":
            continue
        most = max(unit.cognitive.values(), default=0)
        methods = [n for n in unit.cognitive if n != unit.name]
        inside = f", {len(methods)} methods" if methods else ""
        lines.append(
            f"{unit.kind} {unit.name} (line {unit.line}-{unit.end_line}, "
            f"{unit.statements} statements, cognitive complexity {most}{inside})"
        )
    return "\n".join(lines)


def issue_lines(issues: Iterable[Issue], limit: int = 40) -> str:
    """Return one line per issue, the first `limit`."""
    lines: list[str] = []
    for number, issue in enumerate(issues):
        if number == limit:
            lines.append("…")
            break
        cell = f"cell {issue.cell} " if issue.cell is not None else ""
        lines.append(
            f"{cell}line {issue.line} {issue.severity} {issue.rule}: {issue.message}"
            + (f" [{issue.symbol}]" if issue.symbol else "")
        )
    return "\n".join(lines)
