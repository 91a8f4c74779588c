"""The troubles of a notebook as issues: those of its file, and those only its kernel knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.facts import Issue
from aiex_ipy.grounding.health.code import code_troubles
from aiex_ipy.grounding.health.outputs import output_troubles
from aiex_ipy.grounding.health.record import SavedCell, Trouble, saved_cells
from aiex_ipy.grounding.health.restart import Missing, missing_names
from aiex_ipy.grounding.notebook import Cells
from aiex_ipy.grounding.rules.notebooks import NOTEBOOK

_EXTENSION = re.compile(r"^\s*%(?:load|reload)_ext\s+([\w.]+)", re.MULTILINE)
_NAME = re.compile(r"`(\w+)`")
_NAMELESS = frozenset(
    {"autoreload", "line_profiler", "memory_profiler", "tensorboard", "dotenv", "watermark", "sql"}
)
"""Extensions that bring magics only."""
SOURCE = "notebook"
"""The issues' `source`; it is none of those that move the score."""


def file_issues(cells: Cells, path: str, *, every_name: bool = False) -> list[Issue]:
    """Return the issues of a saved notebook, counted by cell and line. It need not parse.

    A name that no cell defines is told of cells that ran, of all with `every_name`.
    """
    saved = saved_cells(cells)
    return as_issues(
        [
            *_restart(saved, cells, every_name=every_name),
            *_runs(saved),
            *code_troubles(saved),
            *(trouble for cell in saved for trouble in output_troubles(cell)),
        ],
        saved,
        path,
    )


def live_issues(
    cells: Cells, path: str, ran: Sequence[RanCell], names: Collection[str]
) -> list[Issue]:
    """Return what the kernel that ran a notebook's cells adds: names that live on in its memory
    though no cell defines them, cells changed since they ran."""
    saved = saved_cells(cells)
    latest: Mapping[int | None, RanCell] = {each.number: each for each in ran}
    troubles = []
    for cell in saved:
        run = latest.get(cell.count)
        if cell.count is not None and run is not None and run.code.strip() != cell.code.strip():
            what = f"The cell was changed since it ran as In[{cell.count}]"
            troubles.append(Trouble(rule="AX311", cell=cell.number, line=1, message=what))
    for missing in missing_names(saved, cells.known):
        if _is_nowhere(missing) and missing.name in names:
            what = f"`{missing.name}` is in the kernel's memory, and no cell defines it"
            troubles.append(
                Trouble(rule="AX303", cell=missing.cell, line=missing.line, message=what)
            )
    return as_issues(troubles, saved, path)


def as_issues(troubles: Sequence[Trouble], saved: Sequence[SavedCell], path: str) -> list[Issue]:
    """Return troubles as issues, in the order of the cells."""
    code = {cell.number: cell.code.split("\n") for cell in saved}
    issues = []
    for trouble in sorted(troubles, key=lambda each: (each.cell, each.line, each.rule)):
        rule = NOTEBOOK[trouble.rule]
        lines = code.get(trouble.cell, [""])
        line = min(trouble.line, len(lines))
        issues.append(
            Issue(
                severity=rule.severity,
                category=rule.category,
                rule=rule.code,
                path=path,
                line=line,
                end_line=line,
                message=trouble.message,
                source=SOURCE,
                cell=trouble.cell,
                evidence=lines[line - 1].strip()[:200],
                fix=rule.remedy,
            )
        )
    return issues


def _restart(saved: Sequence[SavedCell], cells: Cells, *, every_name: bool) -> Iterator[Trouble]:
    """Names that are missing when all cells run from the top."""
    by_number = {cell.number: cell for cell in saved}
    told: set[tuple[str, int]] = set()
    for missing in missing_names(saved, cells.known):
        if (missing.name, missing.cell) in told:
            continue
        told.add((missing.name, missing.cell))
        rule, what = "AX302", missing.told
        if missing.deleted_in is not None:
            rule = "AX312"
        elif _is_nowhere(missing):
            ran_well = by_number[missing.cell].ran_well
            if _extended(saved) or not (ran_well or every_name):
                continue
            rule = "AX303"
            if ran_well:
                what = f"The cell ran with `{missing.name}`, which no cell defines"
        yield Trouble(rule=rule, cell=missing.cell, line=missing.line, message=what)


def without_undefined_twice(issues: Sequence[Issue]) -> Sequence[Issue]:
    """Return issues without those that say of a name that no cell defines it where ruff's F821
    says so too."""
    told = {(each.cell, name) for each in issues if each.rule == "F821" for name in _quoted(each)}
    return [
        each
        for each in issues
        if each.rule != "AX303" or not any((each.cell, name) in told for name in _quoted(each))
    ]


def _quoted(issue: Issue) -> list[str]:
    return _NAME.findall(issue.message)


def _is_nowhere(missing: Missing) -> bool:
    """True for a name that no cell defines."""
    return missing.defined_in is None and missing.deleted_in is None and not missing.local


def _extended(saved: Sequence[SavedCell]) -> bool:
    """True when an extension is loaded that may bring names."""
    return any(name not in _NAMELESS for cell in saved for name in _EXTENSION.findall(cell.code))


def _runs(saved: Sequence[SavedCell]) -> Iterator[Trouble]:
    """What the numbers of the cells tell."""
    full = [cell for cell in saved if cell.code.strip()]
    counts = [cell.count for cell in full if cell.count is not None]
    last = 0
    for cell in full:
        if cell.count is None:
            if counts:
                what = "The cell has not run, others have"
                yield Trouble(rule="AX311", cell=cell.number, line=1, message=what)
            continue
        if cell.count <= last:
            what = f"The cell ran as In[{cell.count}], after In[{last}] above it was run"
            if cell.count < last:
                what = f"The cell ran as In[{cell.count}], before In[{last}] above it"
            yield Trouble(rule="AX301", cell=cell.number, line=1, message=what)
            return
        last = cell.count
