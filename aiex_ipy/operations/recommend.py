"""What to do next, from the issues and the score's ledger alone."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from aiex_ipy.grounding.facts import SEVERITIES, Category, Issue, Score

MOST = 8
_VERB: dict[Category, str] = {
    "syntax": "Make it parse",
    "correctness": "Correct",
    "security": "Secure",
    "performance": "Speed up",
    "complexity": "Simplify",
    "maintainability": "Tidy",
    "documentation": "Document",
    "architecture": "Restructure",
}


class Recommendation(Struct, frozen=True, kw_only=True):
    """What to do; `rule` is the issue rule it rests on, `""` for a model's own."""

    title: str
    detail: str
    rule: str = ""
    source: str = "aiex"
    confirmed: bool = True


def recommend(issues: Sequence[Issue], score: Score, kind: str) -> tuple[Recommendation, ...]:
    """Return at most `MOST` recommendations, the weightiest first.

    Issues of one rule make one recommendation that names the places; they are ordered by the worst
    severity, then by how many there are, then by rule. For types `all` and `quality` the
    functions that lose most points to complexity come first.
    """
    found: list[Recommendation] = []
    if kind in ("all", "quality"):
        heavy = [line for line in score.ledger if line.component == "complexity"]
        found += [
            Recommendation(
                title=f"Simplify {line.unit or line.path}",
                detail=f"{line.reason} (line {line.line}) costs {line.lost:.2f} points: "
                "move its branches into functions of their own.",
                rule=line.rule,
            )
            for line in sorted(heavy, key=lambda at: (-at.lost, at.path, at.line))[:2]
        ]
    groups: dict[tuple[Category, str], list[Issue]] = {}
    for issue in issues:
        if issue.category != "complexity":
            groups.setdefault((issue.category, issue.rule), []).append(issue)
    ordered = sorted(
        groups.items(),
        key=lambda item: (
            min(SEVERITIES.index(i.severity) for i in item[1]),
            -len(item[1]),
            item[0],
        ),
    )
    for (category, rule), group in ordered[: MOST - len(found)]:
        places = ", ".join(_place(issue) for issue in group[:3])
        more = f" and {len(group) - 3} more" if len(group) > 3 else ""
        advice = group[0].fix or group[0].message
        found.append(
            Recommendation(
                title=f"{_VERB[category]} ({rule})",
                detail=f"{advice.rstrip('.')}: {places}{more}.",
                rule=rule,
            )
        )
    return tuple(found)


def _place(issue: Issue) -> str:
    cell = f"cell {issue.cell}, " if issue.cell is not None else ""
    return f"{cell}line {issue.line}"
