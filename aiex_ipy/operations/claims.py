"""Check what a model claims against the code it was shown."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable, Sequence

from aiex_ipy.grounding.facts import Issue, Subject

_NAME = re.compile(r"[A-Za-z_]\w*")
_CODE_SPAN = re.compile(r"(?<!`)`([^`\n]{1,120})`(?!`)")
_DOTTED = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\(\))?$")
SHORTEST_EVIDENCE = 4
"""Letters and digits below which a quotation could stand anywhere."""
LINES_AROUND = 1
"""A model counts lines badly by one; the cited range is widened by this much."""


def confirmed(claim: Issue, subject: Subject) -> bool:
    """Return whether the claim's symbol stands in its cited lines and its evidence occurs there.

    Evidence is compared with runs of blanks folded; it must be in the cited lines (widened by
    `LINES_AROUND`), and the symbol must be a whole name inside the same lines or the name of
    a function or class that encloses them.
    """
    lines = subject.text.splitlines()
    first = claim.line - subject.first_line
    last = claim.end_line - subject.first_line
    if not (0 <= first <= last < len(lines)):
        return False
    cited = "\n".join(lines[max(0, first - LINES_AROUND) : last + 1 + LINES_AROUND])
    evidence = _folded(claim.evidence)
    if len(re.sub(r"\W", "", evidence)) < SHORTEST_EVIDENCE or evidence not in _folded(cited):
        return False
    names = _NAME.findall(claim.symbol)
    if not names:
        return False
    return names[-1] in _NAME.findall(cited) or names[-1] in _enclosing(lines, first)


def _folded(text: str) -> str:
    return " ".join(text.split())


def _enclosing(lines: Sequence[str], index: int) -> list[str]:
    """Names of the `def`s and `class`es whose indentation encloses line `index`."""
    names: list[str] = []
    indent = len(lines[index]) - len(lines[index].lstrip())
    for line in reversed(lines[:index]):
        here = len(line) - len(line.lstrip())
        if line.strip() and here < indent:
            found = re.match(r"\s*(?:async\s+def|def|class)\s+([A-Za-z_]\w*)", line)
            if found:
                names.append(found[1])
            indent = here
    return names


def unknown_names(text: str, subjects: Iterable[Subject], known: Iterable[str] = ()) -> list[str]:
    """Return names the text sets as code that occur nowhere in the subjects, sorted.

    Only inline code that is a dotted name (or a call without arguments) is looked at; keywords,
    builtins and `known` names pass. A dotted name passes when each of its parts does.
    """
    there: set[str] = set(known)
    for subject in subjects:
        there.update(_NAME.findall(subject.text))
        there.update(_NAME.findall(subject.path))
    missing: set[str] = set()
    for span in _CODE_SPAN.findall(text):
        word = span.strip()
        if not _DOTTED.match(word):
            continue
        parts = word.removesuffix("()").split(".")
        if not all(p in there or keyword.iskeyword(p) or hasattr(builtins, p) for p in parts):
            missing.add(word)
    return sorted(missing)
