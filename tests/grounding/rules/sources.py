"""Installed modules as the rules see them, found by name, never imported."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from aiex_ipy.grounding.facts import Issue, Subject
from aiex_ipy.grounding.parsed import ParsedModule
from aiex_ipy.grounding.project import relate
from aiex_ipy.grounding.python import parse
from aiex_ipy.grounding.rules import check, check_project


@cache
def folder(package: str) -> Path:
    """The folder of an installed top-level package."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None, package
    return Path(spec.origin).parent


@cache
def module(name: str) -> ParsedModule:
    """A module of the standard library or an installed package."""
    top, _, rest = name.partition(".")
    spec = importlib.util.find_spec(top)
    assert spec is not None and spec.origin is not None, name
    file = Path(spec.origin)
    if rest:
        inner = file.parent.joinpath(*rest.split("."))
        file = inner.with_suffix(".py") if inner.with_suffix(".py").is_file() else inner / file.name
    parsed = parse(Subject(path=name.replace(".", "/") + ".py", text=file.read_text("utf-8")))
    assert parsed.error is None, name
    return parsed


def issues_in(name: str, symbol: str, rule: str) -> list[Issue]:
    """The issues of one rule in one function or class of an installed module.

    The symbol must exist: a negative that vanished would prove nothing.
    """
    parsed = module(name)
    assert symbol in {scope.name for scope in parsed.scopes}, f"{name} has no {symbol}"
    return [issue for issue in check(parsed) if issue.rule == rule and issue.symbol == symbol]


def rules_of(text: str, path: str = "own.py") -> list[str]:
    """The rules that fire on a text, in source order."""
    parsed = parse(Subject(path=path, text=text))
    assert parsed.error is None
    return [issue.rule for issue in check(parsed)]


@cache
def project(package: str) -> dict[str, list[Issue]]:
    """The architecture of an installed package, tests and all."""
    top = folder(package)
    modules = []
    for file in sorted(top.rglob("*.py")):
        path = file.relative_to(top.parent).as_posix()
        parsed = parse(Subject(path=path, text=file.read_text("utf-8"), file=str(file)))
        parsed.release()
        modules.append(parsed)
    return check_project(modules, relate(modules))


def messages(package: str, path: str, rule: str) -> list[str]:
    """What one rule says of one file of an installed package."""
    assert (folder(package).parent / path).is_file(), path
    return [issue.message for issue in project(package).get(path, ()) if issue.rule == rule]


def together(texts: dict[str, str]) -> list[tuple[str, str, int]]:
    """The architecture rules that fire on files of one's own: rule, path, line."""
    modules = [parse(Subject(path=path, text=text)) for path, text in texts.items()]
    found = check_project(modules, relate(modules))
    return sorted((i.rule, i.path, i.line) for issues in found.values() for i in issues)
