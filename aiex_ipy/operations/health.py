"""health: whether a notebook would do again what it shows, and an order in which it works."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.facts import Issue, Subject
from aiex_ipy.grounding.health.check import file_issues, live_issues
from aiex_ipy.grounding.health.fresh_run import FreshRun, run_fresh
from aiex_ipy.grounding.health.record import SavedCell, saved_cells
from aiex_ipy.grounding.health.reorder import reordered
from aiex_ipy.grounding.health.restart import (
    Missing,
    Order,
    missing_names,
    unreadable_cells,
    working_order,
)
from aiex_ipy.grounding.notebook import Cells, read_notebook
from aiex_ipy.messages import Answer
from aiex_ipy.operations.base import Ask, Grounding, Problem, Request, Result
from aiex_ipy.operations.inputs import subject_of
from aiex_ipy.operations.view import View
from aiex_ipy.workspace.writing import check_writable, save_text


class HealthRequest(Request["NotebookHealth"], frozen=True, kw_only=True):
    """A notebook's path. `run` also runs it in a fresh kernel; `reorder` names a new notebook that
    gets the cells in an order that works, replaced only with `force`. `cells` and `names` are
    those of the kernel that ran it, where there is one. No model is asked."""

    operation: ClassVar[str] = "health"

    path: str
    run: bool = False
    reorder: str = ""
    force: bool = False
    cells: tuple[RanCell, ...] = ()
    names: tuple[str, ...] = ()
    provider: str | None = "none"


class NotebookHealth(Result, frozen=True, kw_only=True):
    """What is known of a notebook. `breaks_at` is the first cell that a restart and run of all
    would surely break, None when none is found; `may_break_at` one before it that a branch, loop or
    callback may break; `order` an order of the code cells that works. `run` is
    what a fresh kernel did, None when it was not asked; `live` says that the kernel which ran the
    notebook was looked at. `wrote` is the notebook that was written."""

    operation: str = "health"
    schema_version: int = 1
    path: str
    summary: str
    cells: int
    breaks_at: int | None
    may_break_at: int | None = None
    order: Order
    issues: tuple[Issue, ...] = ()
    run: FreshRun | None = None
    live: bool = False
    wrote: str = ""
    notices: tuple[str, ...] = ()


class HealthOperation:
    """Facts alone."""

    name = "health"
    by_name_only = True

    def reads(self, request: HealthRequest) -> bool:
        return True

    def ground(self, request: HealthRequest, view: View) -> Grounding:
        subject = subject_of(view.read(request.path))
        if subject.language != "notebook":
            raise UsageError(
                f"{request.path!r} is no notebook.",
                code="no_notebook",
                hint="Name a file that ends in .ipynb.",
            )
        if request.reorder:
            check_writable(request.reorder, replace=request.force)
            if not request.reorder.endswith(".ipynb"):
                raise UsageError(
                    f"{request.reorder!r} is no name of a notebook.",
                    code="no_notebook",
                    hint="Name a new file that ends in .ipynb.",
                )
        cells = read_notebook(subject)
        if cells.language != "python":
            raise UsageError(
                f"The notebook {request.path!r} is written in {cells.language!r}.",
                code="not_python",
                hint="Name a notebook with a Python kernel.",
            )
        found = _looked_at(cells, subject, request)
        return Grounding(subjects=(subject,), extra={"health": found})

    def without_model(self, request: HealthRequest, grounding: Grounding) -> NotebookHealth:
        found: NotebookHealth = grounding.extra["health"]
        return found

    def prompt(self, request: HealthRequest, grounding: Grounding) -> Ask | None:
        return None

    def parse(self, answer: Answer, request: HealthRequest, grounding: Grounding) -> NotebookHealth:
        return self.without_model(request, grounding)

    def check(self, result: NotebookHealth, grounding: Grounding) -> Sequence[Problem]:
        return ()

    def next_round(self, ask: Ask, answer: Answer, problems: Sequence[Problem]) -> Ask | None:
        return None


def _looked_at(cells: Cells, subject: Subject, request: HealthRequest) -> NotebookHealth:
    """Look at a notebook, run it and write it in order, as the request says."""
    text, path, file = subject.text, subject.path, subject.file
    saved = saved_cells(cells)
    unreadable = unreadable_cells(saved, path)
    may_fail = {each.number for each in saved if each.may_fail}
    refused = [each for each in unreadable if each.cell not in may_fail]
    order = working_order(saved, cells.known, refused)
    missing = missing_names(saved, cells.known)
    issues = [*file_issues(cells, path, every_name=not unreadable), *unreadable]
    issues.sort(key=_place)
    live = _is_ours(saved, request.cells)
    if live:
        added = live_issues(cells, path, request.cells, request.names)
        told = {(each.rule, each.cell, each.line) for each in issues}
        issues += [each for each in added if (each.rule, each.cell, each.line) not in told]
        issues.sort(key=_place)
    run = None
    notices: tuple[str, ...] = ()
    if request.run:
        where = os.path.dirname(file) if file else os.getcwd()
        asked = _kernel_of(text)
        run = run_fresh(saved, kernel=asked, cwd=where)
        if run.kernel != asked:
            notices = (
                f"The notebook asks for the kernel {asked!r}, which is not installed here: "
                f"{run.kernel!r} ran it. `jupyter kernelspec list` shows which there are.",
            )
    wrote = ""
    if request.reorder and not order.works:
        said = f"{request.reorder!r} was not written: there is no order that works."
        notices = (*notices, said)
    elif request.reorder:
        save_text(request.reorder, reordered(text, order.cells), replace=request.force)
        wrote = request.reorder
    sure = [each.cell for each in missing if each.sure]
    broken = [each.cell for each in refused if each.cell is not None]
    stops = sorted({*sure, *broken})
    breaks_at = stops[0] if stops else None
    may_break_at = _first_unsure(missing, breaks_at)
    return NotebookHealth(
        path=path,
        summary=_summary(saved, breaks_at, may_break_at, order, issues),
        cells=len(saved),
        breaks_at=breaks_at,
        may_break_at=may_break_at,
        order=order,
        issues=tuple(issues),
        run=run,
        live=live,
        wrote=wrote,
        notices=notices,
    )


def _place(issue: Issue) -> tuple[int, int, str]:
    return issue.cell or 0, issue.line, issue.rule


def _first_unsure(missing: Sequence[Missing], breaks_at: int | None) -> int | None:
    """Return the first cell that may break, before the one that surely does."""
    found = [each.cell for each in missing if not each.sure]
    return min((cell for cell in found if breaks_at is None or cell < breaks_at), default=None)


def _is_ours(saved: Sequence[SavedCell], ran: Sequence[RanCell]) -> bool:
    """True when one of the notebook's cells ran in this kernel as it stands, under its number."""
    known = {(each.number, each.code.strip()) for each in ran if each.number is not None}
    return any((cell.count, cell.code.strip()) in known for cell in saved)


def _kernel_of(text: str) -> str:
    """Return the name of the kernel a notebook asks for."""
    data = msgspec.json.decode(text.removeprefix("\ufeff"))
    metadata = data.get("metadata")
    spec = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    name = spec.get("name") if isinstance(spec, dict) else None
    return name if isinstance(name, str) else "python3"


def _summary(
    saved: Sequence[SavedCell],
    breaks_at: int | None,
    may_break_at: int | None,
    order: Order,
    issues: Sequence[Issue],
) -> str:
    """One sentence: would it run again, and how much is there to mend."""
    if not saved:
        return "The notebook has no code cells."
    says = "Nothing is known that would stop a restart and run of all cells"
    if breaks_at is not None or may_break_at is not None:
        says = f"A restart and run of all cells would stop at cell {breaks_at}"
        if may_break_at is not None:
            may = f"A restart and run of all cells may stop at cell {may_break_at}"
            says = may if breaks_at is None else f"{may} and would at cell {breaks_at}"
        if not order.works:
            says += ", in any order"
        elif order.moved:
            says += "; there is an order that works"
    count = len(issues)
    cells = f"{len(saved)} code cell{'' if len(saved) == 1 else 's'}"
    return f"{says}: {cells}, {count} issue{'' if count == 1 else 's'}."
