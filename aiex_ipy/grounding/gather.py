"""Subjects in, facts out: the one entry to all analyzers.

ruff starts first and works in its own process while the trees are parsed here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from msgspec import structs

from aiex_ipy.grounding import lint, lint_rules, metrics, python
from aiex_ipy.grounding.facts import Issue, ModuleFacts, Subject, Unit
from aiex_ipy.grounding.lint import Finding
from aiex_ipy.grounding.python import ParsedModule


def gather(
    subjects: Sequence[Subject],
    *,
    names: Collection[str] = (),
) -> list[ModuleFacts]:
    """Return the facts of each subject, in the given order.

    The same subjects give the same facts, whatever the machine's ruff configuration, working
    directory or order of discovery. `names` are those known in a live session; names undefined
    in a fragment (a cell, a live function) are an issue only when it is given.
    """
    sources = [_Source(subject) for subject in subjects]
    files = [s.subject.file for s in sources if s.on_disk and s.subject.file]
    texts = {s.label: s.text for s in sources if s.is_python and not s.on_disk}
    batch = lint.Batch(files, texts)
    modules: list[_Module | None] = [_read(s) if s.is_python else None for s in sources]
    findings = batch.findings()
    again = {s.label: s.text for s in sources if s.on_disk and lint.unreadable(findings[s.label])}
    if again:
        findings |= lint.Batch([], again).findings()
    facts = []
    for source, module in zip(sources, modules, strict=True):
        if module is None:
            facts.append(_plain(source.subject))
        else:
            facts.append(_facts(source, module, findings[source.label], names))
    return facts


class _Source:
    """A subject made ready: the text the analyzers see and the way ruff gets it."""

    __slots__ = ("fragment", "is_python", "label", "on_disk", "subject", "text")

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.is_python = subject.language == "python" and bool(subject.text.strip())
        self.fragment = subject.first_line > 1 or (
            subject.file is None and not subject.path.startswith("<stdin")
        )
        self.text = subject.text.removeprefix("\ufeff")
        if self.fragment:
            self.text = python.dedent(self.text)
        self.on_disk = self.is_python and subject.file is not None and not self.fragment
        self.label = subject.file if self.on_disk and subject.file else subject.path


class _Module:
    """What remains of a parsed module once its tree is dropped."""

    __slots__ = ("issues", "measured", "parsed", "units")

    def __init__(self, parsed: ParsedModule) -> None:
        self.parsed = parsed
        complexity = metrics.cognitive(parsed) if parsed.error is None else {}
        self.measured = complexity is not None
        self.units = python.units(parsed, complexity or {})
        self.issues: list[Issue] = []


def _read(source: _Source) -> _Module:
    parsed = python.parse(source.subject, source.text)
    module = _Module(parsed)
    if parsed.error is None:
        if not module.measured:
            module.issues.append(metrics.unmeasured(parsed))
        module.issues += metrics.complexity_issues(parsed, module.units)
    parsed.release()
    return module


def _facts(
    source: _Source, module: _Module, findings: list[Finding] | None, names: Collection[str]
) -> ModuleFacts:
    parsed = module.parsed
    error = parsed.error
    if error is None and any((f.code or "") in lint_rules.REFUSED for f in findings or ()):
        error = python.compiles(parsed)
    if error is not None:
        return ModuleFacts(
            path=parsed.path,
            language=source.subject.language,
            issues=(_moved(error, source),),
            metrics={"lines": float(len(parsed.lines))},
            parsed=False,
        )
    issues = module.issues
    if findings is None:
        issues.append(lint.unmeasured(parsed))
    for finding in findings or ():
        issue = _issue(source, parsed, finding, names)
        if issue is not None:
            issues.append(issue)
    moved = sorted((_moved(issue, source) for issue in issues), key=_order)
    return ModuleFacts(
        path=parsed.path,
        language=source.subject.language,
        units=tuple(_moved_unit(unit, source) for unit in module.units),
        issues=tuple(moved),
        imports=tuple(dict.fromkeys(item.module for item in parsed.imports)),
        metrics=metrics.counts(parsed, module.units),
    )


_NAME = re.compile(r"`([^`]+)`")


def _issue(
    source: _Source, parsed: ParsedModule, finding: Finding, names: Collection[str]
) -> Issue | None:
    """Turn a ruff finding into an issue, or None when it is none here."""
    code = finding.code or ""
    known = lint_rules.classify(code)
    if known is None or lint.allowed(parsed.path, code):
        return None
    if source.fragment:
        if code in lint_rules.FRAGMENT_ALLOW or code in lint_rules.CELL_ALLOW:
            return None
        if code == "F821":
            named = _NAME.search(finding.message)
            if not names or (named is not None and named[1] in names):
                return None
    start, end = finding.location, finding.end_location
    last = end.row - 1 if end.column == 1 and end.row > start.row else end.row
    return Issue(
        severity=lint.severity(finding),
        category=known[0],
        rule=code,
        path=parsed.path,
        line=start.row,
        end_line=last,
        column=start.column,
        message=lint.message(finding),
        evidence=_evidence(parsed, start.row, last),
        symbol=parsed.symbol_at(start.row),
        fix=(finding.fix.message or "") if finding.fix is not None else "",
        source="ruff",
    )


def _evidence(parsed: ParsedModule, first: int, last: int) -> str:
    """Return the cited lines stripped, three at most, each cut to 200 characters."""
    lines = (parsed.line_text(n)[:200] for n in range(first, min(last, first + 2) + 1))
    return "\n".join(line for line in lines if line)


def _moved(issue: Issue, source: _Source) -> Issue:
    shift = source.subject.first_line - 1
    if not shift:
        return issue
    return structs.replace(issue, line=issue.line + shift, end_line=issue.end_line + shift)


def _moved_unit(unit: Unit, source: _Source) -> Unit:
    shift = source.subject.first_line - 1
    if not shift:
        return unit
    return structs.replace(
        unit,
        line=unit.line + shift,
        end_line=unit.end_line + shift,
        lines={name: line + shift for name, line in unit.lines.items()},
    )


def _order(issue: Issue) -> tuple[int, int, int, str, str]:
    return issue.cell or 0, issue.line, issue.column, issue.rule, issue.message


def _plain(subject: Subject) -> ModuleFacts:
    """Facts of a text that has no analyzer: its size."""
    lines = subject.text.count("\n") + (not subject.text.endswith("\n") and bool(subject.text))
    return ModuleFacts(
        path=subject.path, language=subject.language, metrics={"lines": float(lines)}
    )
