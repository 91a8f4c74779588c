"""What holds of the rules on any code: files of the standard library and packages."""

from __future__ import annotations

import ast
import sysconfig
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sources import module

from aiex_ipy.grounding.facts import Issue, Subject
from aiex_ipy.grounding.python import ParsedModule, parse
from aiex_ipy.grounding.rules import RULES, check

MODULES = (
    "argparse",
    "asyncio.base_events",
    "doctest",
    "email._header_value_parser",
    "gettext",
    "inspect",
    "mailbox",
    "subprocess",
    "tarfile",
    "IPython.core.history",
    "mypy.messages",
    "parso.python.errors",
    "pexpect.spawnbase",
    "tornado.web",
)


def said(issues: list[Issue]) -> list[tuple[str, str, str]]:
    return sorted((issue.rule, issue.symbol, issue.message) for issue in issues)


def again(parsed: ParsedModule, text: str) -> list[tuple[str, str, str]]:
    return said(check(parse(Subject(path=parsed.path, text=text))))


@pytest.mark.parametrize("name", MODULES)
def test_formatting_changes_no_finding(name: str) -> None:
    """The same tree in other lines, quotes and parentheses has the same findings."""
    parsed = module(name)
    found = said(check(parsed))
    assert found
    assert parsed.tree is not None
    assert again(parsed, ast.unparse(parsed.tree)) == found


functions = st.sampled_from(MODULES).flatmap(
    lambda name: st.sampled_from(
        [n for n in ast.walk(module(name).tree or ast.Module()) if isinstance(n, ast.FunctionDef)]
    )
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(MODULES), functions)
def test_more_code_in_a_module_removes_no_finding(name: str, more: ast.FunctionDef) -> None:
    """A function put at the end leaves all findings where they were, and brings its own."""
    parsed = module(name)
    added = f"def an_added_function():\n{textwrap.indent(ast.unparse(more), '    ')}\n"
    before, after = said(check(parsed)), again(parsed, f"{parsed.text}\n{added}")
    kept = [finding for finding in after if not finding[1].startswith("an_added_function")]
    assert kept == before


def test_every_issue_can_be_checked_in_its_file() -> None:
    """Rule, severity and remedy are those of the catalogue; the evidence is the cited text."""
    for name in MODULES:
        parsed = module(name)
        for issue in check(parsed):
            rule = RULES[issue.rule]
            assert (issue.severity, issue.category, issue.fix) == (
                rule.severity,
                rule.category,
                rule.remedy,
            )
            assert 1 <= issue.line <= issue.end_line <= len(parsed.lines)
            first = issue.evidence.split("\n")[0]
            assert parsed.lines[issue.line - 1].strip()[:200] == first
            assert 1 <= issue.column <= len(parsed.lines[issue.line - 1])


def test_the_column_counts_characters() -> None:
    """Umlauts before the place are one column each."""
    text = "def f(xs):\n    ä = ['x']; return [x for x in xs if x in list(ä + xs)]\n"
    (issue,) = check(parse(Subject(path="own.py", text=text)))
    line = text.split("\n")[1]
    assert line[issue.column - 1 :].startswith("list(ä + xs)")


@pytest.mark.slow
def test_no_file_of_the_standard_library_breaks_a_rule() -> None:
    """Every module that parses is looked through, twice with the same answer."""
    seen = 0
    for file in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if "site-packages" in file.parts or "test" in file.parts:
            continue
        text = file.read_text("utf-8", errors="replace")
        parsed = parse(Subject(path=file.name, text=text))
        assert check(parsed) == check(parsed)
        seen += parsed.error is None
    assert seen > 500
