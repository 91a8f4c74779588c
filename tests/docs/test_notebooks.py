"""The tutorial notebook does what its saved outputs show."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "notebooks" / "tutorial.ipynb"


def nbval(notebook: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Runs nbval on a notebook in an environment with no settings and no keys."""
    strange = ("AIEX_", "OPENAI_", "ANTHROPIC_", "XDG_", "PYTEST_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    options = ["--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "-p", "no:xdist"]
    sanitize = ROOT / "notebooks" / "sanitize.cfg"
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--nbval-sanitize-with={sanitize}", notebook],
        cwd=ROOT,
        env=env | {"HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=110,
    )


@pytest.mark.slow
def test_the_tutorial_gives_its_saved_outputs(tmp_path: Path) -> None:
    """Every cell of the tutorial, run in a fresh kernel with nothing configured, shows what is
    saved in it, the last form of what was streamed included."""
    run = nbval(TUTORIAL, tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    cells = [cell for cell in nbformat.read(TUTORIAL, 4).cells if cell.cell_type == "code"]
    assert f"{len(cells)} passed" in run.stdout


@pytest.mark.slow
def test_the_last_form_of_a_display_is_what_counts(tmp_path: Path) -> None:
    """A display that was updated passes with its last form saved, and fails with its first."""
    code = (
        "from IPython.display import display\nplace = display(1, display_id=True)\nplace.update(2)"
    )
    cells = []
    for saved in ("2", "1"):
        output = v4.new_output("display_data", {"text/plain": saved})
        cells.append(v4.new_code_cell(code, execution_count=1, outputs=[output]))
    notebook = tmp_path / "updated.ipynb"
    nbformat.write(v4.new_notebook(cells=cells), notebook)
    shutil.copy(ROOT / "notebooks" / "conftest.py", tmp_path)
    run = nbval(notebook, tmp_path)
    assert "1 failed, 1 passed" in run.stdout, run.stdout + run.stderr
    assert "updated.ipynb::Cell 1" in run.stdout
    assert "updated.ipynb::Cell 0" not in run.stdout


def test_the_tutorial_was_saved_by_its_script() -> None:
    """Every code cell was run in order, and no cell holds an error, a widget or a path."""
    text = TUTORIAL.read_text("utf-8")
    cells = [cell for cell in nbformat.reads(text, 4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
    assert "/home/" not in text
    assert str(ROOT) not in text
