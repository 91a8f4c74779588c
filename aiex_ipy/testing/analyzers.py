"""What every analyzer of the entry-point group `aiex.analyzers` must do.

def test_conforms():
    assert complaints(MyAnalyzer()) == []
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aiex_ipy.grounding.facts import Analyzer, Issue, Subject

SUBJECTS = (
    Subject(path="empty.py", text=""),
    Subject(path="broken.py", text="def f(:\n    pass  # hmm\n"),
    Subject(path="plain.py", text="import os\n\n\ndef f(x=[]):\n    return eval(x)  # hmm\n"),
    Subject(path="wide.py", text="x = 'ä€😀'\r\ny = x\r\n"),
    Subject(path="notes.txt", text="hmm\n", language="text"),
    Subject(path="n.ipynb", text='{"cells": []}', language="notebook"),
)
"""Texts an analyzer must bear: empty, broken, plain, wide characters, other languages."""


def complaints(analyzer: Analyzer, subjects: Sequence[Subject] = SUBJECTS) -> list[str]:
    """Return what is wrong with an analyzer, `[]` when nothing is.

    It must have a name, bear every subject, report the same twice, only on what it was asked,
    and cite lines that exist and evidence that stands there.
    """
    found: list[str] = []
    if not isinstance(getattr(analyzer, "name", None), str) or not analyzer.name:
        found.append("it has no name")
    try:
        first, second = list(analyzer.issues(subjects)), list(analyzer.issues(subjects))
        on_nothing = list(analyzer.issues([]))
    except Exception as error:
        return [*found, f"it fails: {error!r}"]
    if first != second:
        found.append("what it reports is not the same twice")
    if on_nothing:
        found.append("it reports on nothing")
    by_path = {subject.path: subject for subject in subjects}
    for issue in first:
        found += _of_issue(issue, by_path.get(issue.path))
    return list(dict.fromkeys(found))


def _of_issue(issue: Issue, subject: Subject | None) -> Iterator[str]:
    if subject is None:
        yield f"it reports on {issue.path!r}, which was not asked"
        return
    lines = subject.text.splitlines()
    if not 1 <= issue.line <= issue.end_line <= max(len(lines), 1):
        yield f"{issue.rule!r} cites lines {issue.line}-{issue.end_line} of {len(lines)}"
    cited = " ".join(" ".join(lines[issue.line - 1 : max(issue.end_line, issue.line)]).split())
    if " ".join(issue.evidence.split()) not in cited:
        yield f"{issue.rule!r} gives evidence {issue.evidence!r}, which does not stand there"
