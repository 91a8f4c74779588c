"""The reference page of the rules: ours in full, ruff's and the others by what they count as."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from aiex_ipy.grounding.facts import SEVERITIES
from aiex_ipy.grounding.lint_rules import RULES as RUFF
from aiex_ipy.grounding.rules import RULES
from aiex_ipy.grounding.rules.catalogue import Rule
from aiex_ipy.grounding.rules.notebooks import NOTEBOOK

PAGE = Path(__file__).with_name("reference") / "rules.md"
HEAD = """\
# Rules

Generated from `catalogue.py` and `notebooks.py` in `aiex_ipy/grounding/rules/`, and from
`aiex_ipy/grounding/lint_rules.py`.

An issue names its rule. `AX1xx` and `AX2xx` are aiex's own: patterns that cost time, and relations
between modules. `AX3xx` are about notebooks: what was run and saved, and whether it would come
again; they do not move the score. `cognitive-complexity` is complexipy's number above 15,
`syntax-error` is Python's own refusal, everything else is ruff's; `ruff rule S602` explains one.
Which of ruff's rules count, and as what, is [below](#ruffs-rules). What an issue costs stands in
[the score](../explanation/score.md).

`# noqa` and the settings of ruff change nothing: neither a comment nor a file in the project can
raise a score that a gate trusts.
"""


def number(value: float) -> str:
    """`1000`, `0.333`."""
    return f"{value:.3g}" if value < 1 else f"{value:g}"


def entry(rule: Rule) -> str:
    """One rule in full."""
    parts = [
        f"### {rule.code} {rule.name}",
        f"*{rule.category}, {rule.severity}, since {rule.since}.*",
        rule.why,
    ]
    parts.append(f"```py\n{rule.example}\n```")
    parts.append(f"**Remedy.** {rule.remedy}")
    if rule.limits:
        limits = ", ".join(f"{name} {number(value)}" for name, value in rule.limits.items())
        parts.append(f"**Limits.** {limits}.")
    if rule.source:
        parts.append(f"**Source.** {rule.source}.")
    return "\n\n".join(parts)


def ruff_table() -> str:
    """Which rules of ruff count as what; a prefix stands for all rules below it."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for code, (category, severity) in RUFF.items():
        groups[category, severity].append(code)
    order = sorted(groups, key=lambda key: (key[0], SEVERITIES.index(key[1])))  # type: ignore[arg-type]
    rows = [f"| {c} | {s} | {', '.join(sorted(groups[c, s]))} |" for c, s in order]
    return "\n".join(["| category | severity | rules |", "|---|---|---|", *rows])


def pages() -> dict[Path, str]:
    """The page."""
    parts = [HEAD.rstrip(), "## Rules of aiex"]
    parts += [entry(rule) for rule in (*RULES.values(), *NOTEBOOK.values())]
    parts += [
        "## Ruff's rules",
        "A shorter code stands for all rules that begin with it and are not named themselves.",
        ruff_table(),
    ]
    return {PAGE: "\n\n".join(parts) + "\n"}
