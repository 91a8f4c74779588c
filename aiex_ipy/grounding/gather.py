"""Subjects in, facts out: the one entry to all analyzers.

ruff starts first and works in its own process while the trees are parsed here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from aiex_ipy.errors import UsageError
from aiex_ipy.grounding import lint, lint_rules, metrics, python, rules
from aiex_ipy.grounding.facts import Issue, ModuleFacts, Subject, Unit
from aiex_ipy.grounding.lint import Finding
from aiex_ipy.grounding.parsed import ParsedModule

if TYPE_CHECKING:
    from aiex_ipy.grounding.notebook import Cells
    from aiex_ipy.grounding.project import ProjectFacts
    from aiex_ipy.grounding.ruff_server import RuffServer

SERVER_AT_MOST = 8
"""Up to this many subjects go to the kept-open server one by one; more are one batch."""


def gather(
    subjects: Sequence[Subject],
    *,
    ruff: RuffServer | None = None,
    names: Collection[str] = (),
    analyzers: Collection[str] = (),
) -> list[ModuleFacts]:
    """Return the facts of each subject, in the given order.

    The same subjects give the same facts, whatever the machine's ruff configuration, working
    directory or order of discovery. `names` are those known in a live session; names undefined
    in a fragment (a cell, a live function) are an issue only when it is given. `ruff` is a server
    kept open, used for a few subjects; a tree goes through one batch. `analyzers` names plugins
    whose issues are added.

    Raises:
        UsageError: the only subject is a notebook that cannot be read. Among several it gets a
            syntax issue instead.
        AiexError: ruff is missing or does not run.
        PluginError: an analyzer of another package cannot be loaded or failed.
    """
    return gather_related(subjects, ruff=ruff, names=names, analyzers=analyzers)[0]


def gather_related(
    subjects: Sequence[Subject],
    *,
    ruff: RuffServer | None = None,
    names: Collection[str] = (),
    analyzers: Collection[str] = (),
) -> tuple[list[ModuleFacts], ProjectFacts | None]:
    """Return the facts as `gather` does, and the graph of the modules that are files; None where
    there are fewer than two of them."""
    sources = [_Source(subject, alone=len(subjects) == 1) for subject in subjects]
    linted = [source for source in sources if source.is_python]
    findings: _Findings = {}
    if ruff is not None and len(linted) <= SERVER_AT_MOST:
        for source in linted:
            name = source.label if source.on_disk else lint.file_name(source.label)
            findings[source.label] = ruff.lint(name, source.text)
    batch = _batch([source for source in linted if findings.get(source.label) is None])
    modules = [_read(source) if source.is_python else None for source in sources]
    project = _look_together(sources, modules)
    findings |= batch.findings()
    again = {s.label: s.text for s in linted if s.on_disk and lint.unreadable(findings[s.label])}
    if again:
        findings |= lint.Batch([], again).findings()
    added: dict[str, list[Issue]] = {}
    if analyzers:
        from aiex_ipy.grounding.plugged import plugin_issues

        added = plugin_issues(analyzers, subjects)
    facts = []
    for source, module in zip(sources, modules, strict=True):
        if module is None:
            facts.append(_plain(source.subject, source.error))
        else:
            facts.append(_facts(source, module, findings[source.label], names))
    for source, found in zip(sources, facts, strict=True):
        if source.cells is not None and source.cells.starts:
            from aiex_ipy.grounding.health.check import file_issues

            added.setdefault(found.path, []).extend(file_issues(source.cells, found.path))
    return [_with(found, added.get(found.path)) for found in facts], project


def _with(found: ModuleFacts, added: list[Issue] | None) -> ModuleFacts:
    issues = found.issues
    if added:
        from aiex_ipy.grounding.health.check import without_undefined_twice

        issues = tuple(sorted(without_undefined_twice((*issues, *added)), key=_order))
    if any(_HOLDS_SECRET.search(each.evidence) for each in issues):
        issues = tuple(_without_secrets(each) for each in issues)
    return found if issues is found.issues else structs.replace(found, issues=issues)


def _without_secrets(issue: Issue) -> Issue:
    """Evidence is shown and kept in notebooks and files; a secret's literal in it is not."""
    from aiex_ipy.redaction.shapes import mask_code

    return structs.replace(issue, evidence=mask_code(issue.evidence))


_HOLDS_SECRET = re.compile(
    r"key|secret|token|passw|pwd|cred|auth|jwt|dsn|-----BEGIN|[sr]k-|gh[pousr]_|AKIA|eyJ|://[^/\s]*:"
    r"|xox|glpat|hf_|npm_|pypi-|AIza",
    re.IGNORECASE,
)
"""What evidence has that may hold a secret: a quick look, so that nothing else is searched."""
_Findings = dict[str, list[Finding] | None]


def _batch(sources: list[_Source]) -> lint.Batch:
    # ruff's JSON cannot hold a name that is no UTF-8: it gets the text under another name.
    files = [s.label for s in sources if s.on_disk and lint.nameable(s.label)]
    texts = {s.label: s.text for s in sources if not (s.on_disk and lint.nameable(s.label))}
    return lint.Batch(files, texts)


class _Source:
    """A subject made ready: the text the analyzers see and the way ruff gets it.

    `fragment` is a text whose surroundings are unknown (a cell, a live function); `cells` is set
    for notebooks and cells; `error` for a notebook that cannot be read.
    """

    __slots__ = (
        "cells",
        "error",
        "fragment",
        "is_python",
        "label",
        "on_disk",
        "subject",
        "text",
    )

    def __init__(self, subject: Subject, *, alone: bool) -> None:
        self.subject = subject
        self.text = subject.text
        self.cells: Cells | None = None
        self.error: Issue | None = None
        language = subject.language
        if language == "notebook" and self.text.strip():
            from aiex_ipy.grounding.notebook import read_notebook

            try:
                self.cells = read_notebook(subject)
            except UsageError as error:
                if alone:
                    raise
                self.error = _unreadable(subject, error)
            else:
                language, self.text = self.cells.language, self.cells.text
        elif language == "python" and subject.path.startswith("In["):
            from aiex_ipy.grounding.notebook import read_cell

            self.cells = read_cell(self.text)
            self.text = self.cells.text
        self.is_python = language == "python" and bool(self.text.strip())
        whole = subject.file is not None or subject.whole or subject.path.startswith("<stdin")
        self.fragment = subject.first_line > 1 or not (whole or subject.language == "notebook")
        if self.fragment:
            self.text = python.dedent(self.text)
        self.on_disk = (
            self.is_python and subject.file is not None and self.cells is None and not self.fragment
        )
        self.label = subject.file if self.on_disk and subject.file else subject.path


class _Module:
    """What remains of a parsed module once its tree is dropped."""

    __slots__ = ("issues", "measured", "parsed", "place", "units")

    def __init__(self, parsed: ParsedModule) -> None:
        self.parsed = parsed
        complexity = metrics.cognitive(parsed) if parsed.error is None else {}
        self.measured = complexity is not None
        self.units = python.units(parsed, complexity or {})
        self.issues: list[Issue] = []
        self.place: dict[str, float] = {}


def _read(source: _Source) -> _Module:
    with python.Uncollected():
        parsed = python.parse(source.subject, source.text)
        if source.cells is not None and source.cells.starts:
            parsed.error = _cell_error(source.subject, source.cells)
        module = _Module(parsed)
        if parsed.error is None:
            if not module.measured:
                module.issues.append(metrics.unmeasured(parsed))
            module.issues += metrics.complexity_issues(parsed, module.units)
            module.issues += rules.check(parsed)
        parsed.release()
    return module


def _look_together(
    sources: Sequence[_Source], modules: Sequence[_Module | None]
) -> ProjectFacts | None:
    """Add what several files tell only together: issues, and each one's place in numbers. Return
    the graph they are from."""
    whole = {
        module.parsed.path: module
        for source, module in zip(sources, modules, strict=True)
        if module is not None and source.on_disk
    }
    if len(whole) < 2:
        return None
    from aiex_ipy.grounding.project import relate

    parsed = [module.parsed for module in whole.values()]
    facts = relate(parsed)
    for path, issues in rules.check_project(parsed, facts).items():
        whole[path].issues += issues
    for path, numbers in facts.metrics().items():
        whole[path].place = numbers
    return facts


def _cell_error(subject: Subject, cells: Cells) -> Issue | None:
    """Return the syntax issue of the first cell that does not parse by itself.

    The joined text cannot tell: an open bracket would swallow the cells behind it.
    """
    for start, part in zip(cells.starts, cells.parts, strict=True):
        error = python.parse(subject, part).error
        if error is not None:
            shift = start - 1
            return structs.replace(error, line=error.line + shift, end_line=error.end_line + shift)
    return None


def _facts(
    source: _Source, module: _Module, findings: list[Finding] | None, names: Collection[str]
) -> ModuleFacts:
    parsed = module.parsed
    error = parsed.error
    if error is None and source.cells is None and _refused(findings):
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
        metrics=metrics.counts(parsed, module.units) | module.place,
    )


def _refused(findings: list[Finding] | None) -> bool:
    return any((f.code or "") in lint_rules.REFUSED for f in findings or ())


_ABOUT_A_NAME = frozenset({"B007", "F401", "F821", "F841"})


def _issue(
    source: _Source, parsed: ParsedModule, finding: Finding, names: Collection[str]
) -> Issue | None:
    """Turn a ruff finding into an issue, or None when it is none here."""
    code = finding.code or ""
    known = lint_rules.classify(code)
    if known is None or lint.allowed(parsed.path, code):
        return None
    if _beyond(source, code, finding.message, names):
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


def _beyond(source: _Source, code: str, message: str, names: Collection[str]) -> bool:
    """True for findings that what stands outside the text, or in its magics, would refute."""
    if code in _ABOUT_A_NAME:
        name = message.partition("`")[2].partition("`")[0]
        cells = source.cells
        if name in names or (cells is not None and cells.known(name)):
            return True
        if cells is not None and code != "F821" and name in cells.words:
            return True
        if code == "F821" and source.fragment and not names:
            return True
    if source.cells is not None and code in lint_rules.CELL_ALLOW:
        return True
    return source.fragment and code in lint_rules.FRAGMENT_ALLOW


def _evidence(parsed: ParsedModule, first: int, last: int) -> str:
    """Return the cited lines stripped, three at most, each cut to 200 characters."""
    lines = (parsed.line_text(n)[:200] for n in range(first, min(last, first + 2) + 1))
    return "\n".join(line for line in lines if line)


def _moved(issue: Issue, source: _Source) -> Issue:
    """Count lines as the reader does: in the cell, or in the file the text was taken from."""
    if source.cells is not None and source.cells.starts:
        number, line = source.cells.place(issue.line)
        last, end_line = source.cells.place(issue.end_line)
        if last != number:
            end_line = source.cells.last_line(number)
        return structs.replace(issue, cell=number, line=line, end_line=end_line)
    shift = source.subject.first_line - 1
    if not shift:
        return issue
    return structs.replace(issue, line=issue.line + shift, end_line=issue.end_line + shift)


def _moved_unit(unit: Unit, source: _Source) -> Unit:
    if source.cells is not None and source.cells.starts:
        number, line = source.cells.place(unit.line)
        last, end_line = source.cells.place(unit.end_line)
        return structs.replace(
            unit,
            cell=number,
            line=line,
            end_line=end_line if last == number else source.cells.last_line(number),
            lines={name: source.cells.place(at)[1] for name, at in unit.lines.items()},
        )
    shift = source.subject.first_line - 1
    if not shift:
        return unit
    return structs.replace(
        unit,
        line=unit.line + shift,
        end_line=unit.end_line + shift,
        lines={name: line + shift for name, line in unit.lines.items()},
    )


def _order(issue: Issue) -> tuple[int, int, int, str, str, str]:
    return issue.cell or 0, issue.line, issue.column, issue.rule, issue.message, issue.source


def _plain(subject: Subject, error: Issue | None) -> ModuleFacts:
    """Facts of a text that has no analyzer: its size."""
    lines = subject.text.count("\n") + (not subject.text.endswith("\n") and bool(subject.text))
    return ModuleFacts(
        path=subject.path,
        language=subject.language,
        issues=() if error is None else (error,),
        metrics={"lines": float(lines)},
        parsed=error is None,
    )


def _unreadable(subject: Subject, error: UsageError) -> Issue:
    return Issue(
        severity="critical",
        category="syntax",
        rule="notebook",
        path=subject.path,
        line=1,
        end_line=1,
        message=error.message,
        source="aiex",
    )
