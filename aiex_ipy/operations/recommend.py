"""What to do next, from the issues and the score's ledger alone."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from aiex_ipy.grounding.facts import SEVERITIES, Category, Issue, LedgerLine, Score

MOST = 8
MOST_PLACES = 3
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
_ADVICE = {
    "B006": "Default to None and make the object inside the function",
    "B008": "Call it inside the function, not in the signature",
    "B023": "Bind the loop's variable as a default argument of the function",
    "B904": "Raise with `from error`, or `from None`, inside the handler",
    "BLE001": "Name the exceptions that are expected",
    "E722": "Name the exceptions that are expected; a bare except also takes Ctrl-C",
    "F401": "Remove the import, or list the name in `__all__`",
    "F811": "Rename or remove one of the two definitions",
    "F821": "Define or import the name, or correct its spelling",
    "F841": "Remove the variable, or use it",
    "PLW0603": "Keep the state in an object that is passed, not in a global",
    "PLW2901": "Give the new value a name of its own",
    "S101": "Raise an exception: `assert` is left out under `python -O`",
    "S102": "Replace `exec` by a call, a table of functions, or `importlib`",
    "S105": "Read the secret from the environment or a secret store",
    "S106": "Read the secret from the environment or a secret store",
    "S110": "Log the exception, or say in a comment why it may be ignored",
    "S113": "Give the request a timeout",
    "S301": "Read data with `json`; unpickling runs what the data says",
    "S307": "Use `ast.literal_eval`, or a parser for what is really expected",
    "S311": "Use `secrets` where the value must not be guessed",
    "S324": "Use SHA-256, or say `usedforsecurity=False`",
    "S501": "Leave certificate checks on; name your own CA file instead",
    "S506": "Use `yaml.safe_load`",
    "S602": "Pass the command as a list and leave `shell=True` out",
    "S605": "Use `subprocess.run` with the command as a list",
    "S608": "Pass the values as parameters of the query",
}
"""What to do about a rule, where its own message only says what is wrong."""


class Recommendation(Struct, frozen=True, kw_only=True):
    """What to do; `rule` is the issue rule it rests on, `""` for a model's own."""

    title: str
    detail: str
    rule: str = ""
    source: str = "aiex"
    confirmed: bool = True


def recommend(issues: Sequence[Issue], score: Score, kind: str) -> tuple[Recommendation, ...]:
    """Return at most `MOST` recommendations, first those that give back most points.

    Issues of one rule make one recommendation that names the places; where rules cost the same
    (or nothing), the worst severity goes first, then the number of places. For types `all` and
    `quality` the two functions that lose most to complexity are each one of their own.
    """
    lost: dict[str, float] = {}
    for line in score.ledger:
        lost[line.rule] = lost.get(line.rule, 0.0) + line.lost
    found: list[tuple[tuple[float, int, int], Recommendation]] = []
    groups: dict[tuple[str, str, str], list[Issue]] = {}
    for issue in issues:
        if issue.category != "complexity":
            # What keeps a file from being read is each file's own.
            own = (issue.path, issue.message) if issue.category == "syntax" else ("", "")
            groups.setdefault((issue.rule, *own), []).append(issue)
    several = len({issue.path for issue in issues}) > 1
    for (rule, *_), group in groups.items():
        worst = min(SEVERITIES.index(issue.severity) for issue in group)
        found.append(((-lost.get(rule, 0.0), worst, -len(group)), _of_rule(rule, group, several)))
    if kind in ("all", "quality"):
        heavy = [line for line in score.ledger if line.component == "complexity" and line.unit]
        found += [
            ((-line.lost, len(SEVERITIES), -1), _of_complexity(line))
            for line in sorted(heavy, key=lambda at: (-at.lost, at.path, at.line))[:2]
        ]
    found.sort(key=lambda item: (item[0], item[1].title))
    return tuple(advice for _, advice in found[:MOST])


def _of_rule(rule: str, group: Sequence[Issue], several: bool) -> Recommendation:
    first = group[0]
    advice = _ADVICE.get(rule) or first.fix or first.message
    places = ", ".join(_place(issue, several) for issue in group[:MOST_PLACES])
    more = len(group) - MOST_PLACES
    return Recommendation(
        title=f"{_VERB[first.category]} ({rule})",
        detail=f"{advice.rstrip('.')}: {places}{f' and {more} more' if more > 0 else ''}.",
        rule=rule,
    )


def _of_complexity(line: LedgerLine) -> Recommendation:
    return Recommendation(
        title=f"Simplify {line.unit}",
        detail=f"Move branches into functions of their own; {line.reason} (line {line.line}) "
        f"costs {line.lost:.2f} points.",
        rule=line.rule,
    )


def _place(issue: Issue, with_path: bool) -> str:
    path = f"{issue.path} " if with_path else ""
    cell = f"cell {issue.cell}, " if issue.cell is not None else ""
    return f"{path}{cell}line {issue.line}"
