"""Run the notebooks of this directory and save their outputs: `python notebooks/build.py`.

Nothing of the user's settings is used. Updates of a display are saved as the display's last form,
cell metadata with times is left out, so that a second run changes no byte.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def own_environment(home: str) -> dict[str, str]:
    """An environment with no settings and no keys, and an empty home."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIEX_", "OPENAI_", "ANTHROPIC_", "XDG_", "PYTEST_"))
    }
    return kept | {"HOME": home, "IPYTHONDIR": os.path.join(home, ".ipython")}


def build(file: Path) -> None:
    """Run one notebook in a fresh kernel of this interpreter and save it."""
    notebook = nbformat.read(file, as_version=4)
    with tempfile.TemporaryDirectory() as home:
        client = NotebookClient(
            notebook,
            timeout=120,
            kernel_name="python3",
            resources={"metadata": {"path": str(HERE)}},
            record_timing=False,
        )
        client.execute(env=own_environment(home))
    for cell in notebook.cells:
        cell.metadata = {}
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, file)


def main() -> int:
    """Run all of them."""
    for file in sorted(HERE.glob("*.ipynb")):
        build(file)
        print(file.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
