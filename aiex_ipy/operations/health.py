"""health: whether a notebook would do again what it shows, and an order in which it works."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import ClassVar

import msgspec
from msgspec import Struct

from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.facts import Issue, Subject
from aiex_ipy.grounding.health.check import file_issues, live_issues
from aiex_ipy.grounding.health.fresh_run import FreshRun, run_fresh
from aiex_ipy.grounding.health.record import SavedCell, saved_cells
from aiex_ipy.grounding.health.reorder import reordered
from aiex_ipy.grounding.health.restart import Order, missing_names, working_order
from aiex_ipy.grounding.notebook import Cells, read_notebook
from aiex_ipy.messages import Answer
from aiex_ipy.operations.base import Ask, Grounding, Problem, Request
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


class NotebookHealth(Struct, frozen=True, kw_only=True):
    """What is known of a notebook. `breaks_at` is the first cell that a restart and run of all
    would break, None when none is found; `order` an order of the code cells that works. `run` is
    what a fresh kernel did, None when it was not asked; `live` says that the kernel which ran the
    notebook was looked at. `wrote` is the notebook that was written."""

    operation: str = "health"
    schema_version: int = 1
    path: str
    summary: str
    cells: int
    breaks_at: int | None
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
    order = working_order(saved, cells.known)
    missing = missing_names(saved, cells.known)
    issues = file_issues(cells, path)
    live = _is_ours(saved, request.cells)
    if live:
        added = live_issues(cells, path, request.cells, request.names)
        told = {(each.rule, each.cell, each.line) for each in issues}
        issues += [each for each in added if (each.rule, each.cell, each.line) not in told]
        issues.sort(key=lambda each: (each.cell or 0, each.line, each.rule))
    run = None
    if request.run:
        where = os.path.dirname(file) if file else os.getcwd()
        run = run_fresh(saved, kernel=_kernel_of(text), cwd=where)
    notices: tuple[str, ...] = ()
    wrote = ""
    if request.reorder and not order.works:
        notices = (f"{request.reorder!r} was not written: there is no order that works.",)
    elif request.reorder:
        save_text(request.reorder, reordered(text, order.cells), replace=request.force)
        wrote = request.reorder
    breaks_at = missing[0].cell if missing else None
    return NotebookHealth(
        path=path,
        summary=_summary(saved, breaks_at, order, issues),
        cells=len(saved),
        breaks_at=breaks_at,
        order=order,
        issues=tuple(issues),
        run=run,
        live=live,
        wrote=wrote,
        notices=notices,
    )


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
    saved: Sequence[SavedCell], breaks_at: int | None, order: Order, issues: Sequence[Issue]
) -> str:
    """One sentence: would it run again, and how much is there to mend."""
    if not saved:
        return "The notebook has no code cells."
    says = "Nothing is known that would stop a restart and run of all cells"
    if breaks_at is not None:
        says = f"A restart and run of all cells would stop at cell {breaks_at}"
        if not order.works:
            says += ", in any order"
        elif order.moved:
            says += "; there is an order that works"
    count = len(issues)
    return f"{says}: {len(saved)} code cells, {count} issue{'' if count == 1 else 's'}."
