"""The weights of the quality score as `score.toml` holds them, typed."""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path

import msgspec
from msgspec import Struct

from aiex_ipy.grounding.facts import Category, Issue, Severity


class Points(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The debt of one finding: by its rule where one is named, else by severity."""

    by_severity: dict[Severity, int]
    by_rule: dict[str, int]
    reason: str

    def of(self, issue: Issue) -> int:
        """The points of one finding."""
        return self.by_rule.get(issue.rule) or self.by_severity[issue.severity]


class Component(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a unit can lose to findings of some categories: at most `cap` score points, half of
    them at a debt of `half`."""

    categories: tuple[Category, ...]
    cap: float
    half: float
    reason: str


class Cognitive(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The debt of a function's cognitive complexity: one point a unit above `allowed`."""

    component: str
    allowed: int
    reason: str


class Length(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The debt of a function's length: one point each `statements_per_point` above `allowed`."""

    component: str
    allowed: int
    statements_per_point: int
    reason: str


class Undocumented(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The debt of a public unit without a docstring."""

    component: str
    points: int
    reason: str


class RuleList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules treated alike, and why."""

    rules: frozenset[str]
    reason: str


class Gate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding that holds the score at `limit` or below. What is left empty matches all."""

    name: str
    limit: float
    reason: str
    categories: frozenset[Category] = frozenset()
    severities: frozenset[Severity] = frozenset()
    rules: frozenset[str] = frozenset()

    def matches(self, issue: Issue) -> bool:
        """Whether `issue` closes this gate."""
        return (
            (not self.rules or issue.rule in self.rules)
            and (not self.categories or issue.category in self.categories)
            and (not self.severities or issue.severity in self.severities)
        )


class Combine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the units of a file combine; see `score.combine`."""

    half: float
    reason: str


class Tree(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the files of a directory combine; see `score.score_tree`."""

    worst_share: float
    half: float
    reason: str


class Weights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """The content of `score.toml`."""

    version: str
    points: Points
    components: dict[str, Component]
    cognitive: Cognitive
    length: Length
    undocumented: Undocumented
    free: dict[str, RuleList]
    gates: tuple[Gate, ...]
    combine: Combine
    tree: Tree

    @cached_property
    def component_of(self) -> dict[Category, str]:
        """The component that bears findings of a category."""
        return {c: name for name, part in self.components.items() for c in part.categories}

    @cached_property
    def free_rules(self) -> frozenset[str]:
        """Rules whose findings cost nothing."""
        return frozenset[str]().union(*(part.rules for part in self.free.values()))


@cache
def weights() -> Weights:
    """The weights, read from `score.toml` on first use."""
    return msgspec.toml.decode(Path(__file__).with_name("score.toml").read_bytes(), type=Weights)
