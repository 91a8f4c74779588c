"""The catalogue: every rule is described by code that fires it."""

from __future__ import annotations

import pytest

from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.python import parse
from aiex_ipy.grounding.rules import RULES, check
from aiex_ipy.grounding.rules.catalogue import Rule

PERFORMANCE = [rule for code, rule in RULES.items() if code < "AX200"]


@pytest.mark.parametrize("rule", PERFORMANCE, ids=lambda rule: str(rule.code))
def test_the_example_of_a_rule_fires_it_and_no_other(rule: Rule) -> None:
    """The example printed in the reference is one that aiex really reports, once."""
    issues = check(parse(Subject(path="example.py", text=rule.example)))
    assert [(i.rule, i.severity, i.fix) for i in issues] == [
        (rule.code, rule.severity, rule.remedy)
    ]
