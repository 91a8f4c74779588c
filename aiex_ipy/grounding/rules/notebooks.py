"""The rules for notebooks, AX3xx. None of them moves the score: most speak of what was run and
saved, not of the code."""

from __future__ import annotations

from aiex_ipy.grounding.rules.catalogue import Rule

LARGE_OUTPUT = 1_000_000
"""Characters of one output, as they stand in the file."""

_ALL = (
    Rule(
        code="AX301",
        name="cells-run-out-of-order",
        category="maintainability",
        severity="low",
        why="The numbers of the cells say that they did not run from top to bottom: what the "
        "outputs show may not come again.",
        remedy="Restart the kernel, run all cells, and save.",
        example="In [7]: total = 1\nIn [3]: print(total)",
    ),
    Rule(
        code="AX302",
        name="name-defined-below",
        category="correctness",
        severity="high",
        why="The cell uses a name that only a cell further down defines. After a restart, running "
        "all cells from the top fails there. `aiex ai health NOTEBOOK` says an order that works.",
        remedy="Move the definition above its use.",
        example="print(total)\n# the next cell\ntotal = 1",
    ),
    Rule(
        code="AX303",
        name="name-only-in-memory",
        category="correctness",
        severity="high",
        why="The cell has run, and uses a name that no cell of the notebook defines: the cell that "
        "did was changed or deleted, and the name lived on in the kernel's memory. A restart ends "
        "that.",
        remedy="Write the definition into a cell again.",
        example="In [4]: print(total)   # no cell defines total",
    ),
    Rule(
        code="AX304",
        name="name-changes-kind",
        category="maintainability",
        severity="low",
        why="A function, class or module is replaced by something else of the same name in another "
        "cell: running an earlier cell again fails or does something else.",
        remedy="Give one of the two a name of its own.",
        example="def total(rows): ...\n# another cell\ntotal = total(rows)",
    ),
    Rule(
        code="AX305",
        name="unseeded-randomness",
        category="maintainability",
        severity="low",
        why="Random numbers without a seed are others with every run, and so is what follows from "
        "them.",
        remedy="Seed the generator, or give `random_state`.",
        example="import numpy as np\nrng = np.random.default_rng()",
        source="the documentation of numpy, pandas, scikit-learn, torch and random",
    ),
    Rule(
        code="AX306",
        name="absolute-path",
        category="maintainability",
        severity="low",
        why="A path into somebody's home directory, or on a drive, exists on one machine.",
        remedy="Name it relative to the notebook, or take the directory from a setting.",
        example="rows = open('/home/ann/data/rows.csv')",
    ),
    Rule(
        code="AX307",
        name="secret-in-output",
        category="security",
        severity="high",
        why="An output holds what has the form of a key, token or password. Whoever gets the file "
        "gets it, and so does every version of it in git.",
        remedy="Clear the output, save, and make the secret invalid if the file was shared.",
        example="print(client.headers)   # its output shows the key",
        source="the forms are those of `redaction/shapes.py`",
    ),
    Rule(
        code="AX308",
        name="large-output",
        category="performance",
        severity="low",
        why="One output is larger than all the code of most notebooks: each save, diff and load "
        "carries it.",
        remedy="Clear the output, or save the picture or table to a file of its own.",
        example="figure.show()   # 5 MB of points in its output",
        limits={"characters": LARGE_OUTPUT},
        source="the limit is ours",
    ),
    Rule(
        code="AX309",
        name="error-left",
        category="maintainability",
        severity="low",
        why="The saved output of the cell is an error: what stands below ran without it, or not.",
        remedy="Mend the cell and run it again.",
        example="1 / 0   # its output is a traceback",
    ),
    Rule(
        code="AX310",
        name="import-in-the-middle",
        category="maintainability",
        severity="info",
        why="Who runs the notebook learns of a missing package only when the cell is reached.",
        remedy="Move the imports to the first code cell.",
        example="rows = load()\nimport json",
        source="PEP 8, Imports",
    ),
    Rule(
        code="AX311",
        name="cell-not-run",
        category="maintainability",
        severity="info",
        why="Other cells have run and this one has not, or was changed since: what the notebook "
        "shows was made without it.",
        remedy="Restart the kernel, run all cells, and save.",
        example="a = 1  # In [1]\nb = 2  # In [ ]",
    ),
    Rule(
        code="AX312",
        name="name-deleted-above",
        category="correctness",
        severity="high",
        why="The cell uses a name that a cell above it deletes. After a restart, running all cells "
        "from the top fails there.",
        remedy="Delete the name after its last use, or define it again.",
        example="del rows\n# the next cell\nprint(rows)",
    ),
)

NOTEBOOK: dict[str, Rule] = {rule.code: rule for rule in _ALL}
"""By code, in the order of the reference page."""
