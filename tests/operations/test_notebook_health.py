"""health, end to end: what is foretold and what a fresh kernel does, the notebook in order."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.config.settings import Settings
from aiex_ipy.engine.engine import Engine
from aiex_ipy.errors import UsageError, WorkspaceError
from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.operations.health import HealthRequest, NotebookHealth
from aiex_ipy.render.results import render


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.chdir(tmp_path)
    made = Engine(Settings())
    yield made
    made.close()


def write(name: str, *codes: str, text: str = "", tags: Any = None, **metadata: Any) -> str:
    """A notebook with a Markdown cell before each code cell."""
    cells: list[dict[str, Any]] = []
    for at, code in enumerate(codes, 1):
        note = {"cell_type": "markdown", "id": f"m{at}", "metadata": {}, "source": f"# {at}"}
        cells.append(note)
        own = {"tags": tags} if tags and at == len(codes) else {}
        cells.append(
            {"cell_type": "code", "metadata": own, "source": code, "execution_count": at}
            | {"id": f"c{at}", "outputs": []}
        )
    data = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    Path(name).write_text(text or json.dumps(data))
    return name


def test_an_order_that_works_is_said_and_written(engine: Engine) -> None:
    """Text cells go with the code below them; outputs of another order are gone; the new notebook
    is a valid one in which nothing is missing."""
    import nbformat

    path = write("n.ipynb", "print(total)", "total = rate", "rate = 1")
    found = engine.run_sync(HealthRequest(path=path, reorder="fixed.ipynb"))
    assert (found.breaks_at, found.order.cells, found.wrote) == (2, (6, 4, 2), "fixed.ipynb")
    made = nbformat.read("fixed.ipynb", as_version=4)
    assert [cell.source for cell in made.cells][::2] == ["# 3", "# 2", "# 1"]
    again = engine.run_sync(HealthRequest(path="fixed.ipynb"))
    assert (again.breaks_at, again.order.moved) == (None, ())


def test_nothing_is_overwritten_unasked(engine: Engine) -> None:
    """Neither another file nor the notebook itself; nothing is left behind."""
    path = write("n.ipynb", "print(a)", "a = 1")
    with pytest.raises(WorkspaceError, match="it exists"):
        engine.run_sync(HealthRequest(path=path, reorder=path))
    for bad in ("gone/x.ipynb", ".", ".ssh/x.ipynb"):
        with pytest.raises(WorkspaceError, match="cannot be written"):
            engine.run_sync(HealthRequest(path=path, reorder=bad))
    engine.run_sync(HealthRequest(path=path, reorder=path, force=True))
    assert engine.run_sync(HealthRequest(path=path)).breaks_at is None
    assert [file.name for file in Path().iterdir()] == ["n.ipynb"]


def test_where_cells_need_each_other_no_order_is_written(engine: Engine) -> None:
    """The cells are named."""
    path = write("n.ipynb", "a = b", "b = a")
    found = engine.run_sync(HealthRequest(path=path, reorder="fixed.ipynb"))
    assert found.order.cycle == (2, 4) and not Path("fixed.ipynb").exists()
    assert "cells 2 and 4 need each other" in render(found)
    assert "no order that works" in found.notices[0]
    broken = write("s.ipynb", "a = 1", "def f(:")
    found = engine.run_sync(HealthRequest(path=broken, reorder="fixed.ipynb"))
    assert (found.breaks_at, found.wrote) == (4, "") and not Path("fixed.ipynb").exists()
    assert [issue.rule for issue in found.issues] == ["syntax-error"]
    lost = write("g.ipynb", "print(ghost)", "print(total)", "total = 1")
    found = engine.run_sync(HealthRequest(path=lost, reorder="fixed.ipynb"))
    assert (found.order.works, found.wrote) == (False, "")
    assert "No order works: cell 2 stops: no cell defines `ghost`." in render(found)


def test_an_order_that_works_already_is_not_said_to_be_another(engine: Engine) -> None:
    """The copy is written without outputs, and no cell is said to have moved."""
    found = engine.run_sync(HealthRequest(path=write("n.ipynb", "a = 1"), reorder="m.ipynb"))
    assert "the order works as it is: m.ipynb" in render(found)
    assert "1 code cell, 0 issues." in found.summary


def test_only_a_notebook_is_written(engine: Engine) -> None:
    """A name that is none of a notebook is refused before anything is written."""
    with pytest.raises(UsageError, match=r"'x.txt' is no name of a notebook"):
        engine.run_sync(HealthRequest(path=write("n.ipynb", "a = 1"), reorder="x.txt"))
    assert not Path("x.txt").exists()


def test_what_is_deleted_and_what_may_not_come(engine: Engine) -> None:
    """A deleted name is told with the cell that deletes it; a branch may stop, not would. The
    advice is not to run the command that gives it."""
    path = write("n.ipynb", "k = 1", "del k", "print(k)", "if k:\n    print(late)", "late = 1")
    found = engine.run_sync(HealthRequest(path=path))
    assert (found.breaks_at, found.may_break_at) == (6, None)
    assert [(i.rule, i.message) for i in found.issues if i.cell == 6] == [
        ("AX312", "`k` is deleted above, in cell 4")
    ]
    assert "ai health" not in render(found)
    path = write("m.ipynb", "if input():\n    print(late)", "late = 1")
    found = engine.run_sync(HealthRequest(path=path))
    assert (found.breaks_at, found.may_break_at) == (None, 2)
    assert "may stop at cell 2; there is an order that works" in found.summary


@pytest.mark.slow
def test_a_fresh_kernel_fails_where_it_was_foretold(engine: Engine) -> None:
    """The first failing cell with its error, in the notebook's own directory; the file is as it
    was, and a cell tagged as raising on purpose is no failure."""
    Path("sub").mkdir()
    Path("sub/data.txt").write_text("1")
    path = write("sub/n.ipynb", "t = open('data.txt').read()", "print('x' * 10**7)", "print(later)", "later = 1")  # fmt: skip  # noqa: E501
    before = Path(path).read_bytes()
    found = engine.run_sync(HealthRequest(path=path, run=True))
    assert found.run is not None and found.breaks_at == found.run.failed_cell == 6
    assert (found.run.ran, found.run.error) == (2, "NameError: name 'later' is not defined")
    assert Path(path).read_bytes() == before
    assert "That is the cell that was foretold." in render(found)
    path = write("m.ipynb", "a = 1", "%matplotlib inline\n1 / 0", tags=["raises-exception"])
    run = engine.run_sync(HealthRequest(path=path, run=True)).run
    assert run is not None and run.ok and run.ran == 2


@pytest.mark.slow
def test_the_kernel_ends_with_an_interrupt(engine: Engine) -> None:
    """Nothing of it is left running."""
    import _thread

    import psutil

    path = write("n.ipynb", "open('began', 'w').close()\nimport time\ntime.sleep(600)")

    def interrupt() -> None:
        while not Path("began").exists():
            threading.Event().wait(0.1)
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        engine.run_sync(HealthRequest(path=path, run=True))
    assert not [each for each in psutil.Process().children() if "ipykernel" in str(each.cmdline())]


def test_the_kernel_that_ran_it_is_looked_at_too(engine: Engine) -> None:
    """When one of the cells ran in it as it stands; another notebook's kernel tells nothing."""
    path = write("n.ipynb", "a = 1", "b = 2", "print(gone)")
    cells = (RanCell(number=1, code="a = 1"), RanCell(number=2, code="b = 3"))
    found = engine.run_sync(HealthRequest(path=path, cells=cells, names=("gone",)))
    assert found.live and [(i.rule, i.cell) for i in found.issues] == [("AX311", 4), ("AX303", 6)]
    other = engine.run_sync(HealthRequest(path=path, cells=cells[1:], names=("gone",)))
    assert not other.live and [i.rule for i in other.issues] == ["AX303"]


def test_what_is_no_python_notebook_is_refused(engine: Engine) -> None:
    """With what it is."""
    Path("x.py").write_text("a = 1\n")
    with pytest.raises(UsageError, match="is no notebook"):
        engine.run_sync(HealthRequest(path="x.py"))
    with pytest.raises(UsageError, match="'r'"):
        engine.run_sync(HealthRequest(path=write("r.ipynb", "x", kernelspec={"language": "R"})))
    with pytest.raises(UsageError, match="cannot be read"):
        engine.run_sync(HealthRequest(path=write("b.ipynb", text='{"cells": [')))
    empty = engine.run_sync(HealthRequest(path=write("e.ipynb")))
    assert empty.summary == "The notebook has no code cells."


def test_every_form_says_the_same() -> None:
    """Text, Markdown and HTML, with what a notebook contains as data."""
    from aiex_ipy.grounding.health.fresh_run import FreshRun
    from aiex_ipy.grounding.health.restart import Order

    made = NotebookHealth(
        path="<b>n.ipynb",
        summary="A summary.",
        cells=2,
        breaks_at=None,
        order=Order(cells=(2, 1), works=True, moved=(2,)),
        run=FreshRun(kernel="python3", ran=2),
        wrote="x.ipynb",
    )
    for form in ("text", "markdown", "html"):
        shown = render(made, form)  # type: ignore[arg-type]
        assert "A summary." in shown and "2, 1" in shown and "all 2 cells ran" in shown
    assert "<b>" not in render(made, "html")


@pytest.mark.slow
def test_the_command_ends_with_1_when_the_run_fails(tmp_path: Path, engine: Engine) -> None:
    """So that CI can gate on it."""
    command = [str(Path(sys.executable).parent / "aiex"), "ai", "health"]
    write("n.ipynb", "1 / 0")
    done = subprocess.run([*command, "n.ipynb", "--run"], capture_output=True, text=True)
    assert done.returncode == 1 and "cell 2 failed: ZeroDivisionError" in done.stdout
    write("k.ipynb", "a = 1", kernelspec={"name": "no-such-kernel", "language": "python"})
    done = subprocess.run([*command, "k.ipynb", "--run"], capture_output=True, text=True)
    said = "asks for the kernel 'no-such-kernel', which is not installed here: 'python3' ran it"
    assert done.returncode == 0 and said in done.stdout
    write("g.ipynb", "print(gone)")
    done = subprocess.run([*command, "g.ipynb", "--reorder", "x.ipynb"], capture_output=True)
    assert done.returncode == 1 and not Path("x.ipynb").exists()
    done = subprocess.run([*command, "n.ipynb"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
