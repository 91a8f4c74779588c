"""Notebook health: what a saved notebook, and the kernel that ran it, tell against running it
again. Clean notebooks give nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.facts import Issue, Subject
from aiex_ipy.grounding.gather import gather
from aiex_ipy.grounding.health.check import file_issues, live_issues
from aiex_ipy.grounding.health.record import saved_cells
from aiex_ipy.grounding.health.restart import working_order
from aiex_ipy.grounding.notebook import Cells, read_notebook
from aiex_ipy.grounding.rules.notebooks import LARGE_OUTPUT, NOTEBOOK
from aiex_ipy.grounding.score import score_module

KEY = "sk-" + "a1B2" * 8


def subject(*codes: str, counts: list[int | None] | None = None, outputs: Any = None) -> Subject:
    """A notebook of code cells; `outputs` are those of the last."""
    cells = [
        {
            "cell_type": "code",
            "metadata": {},
            "source": code,
            "execution_count": counts[at] if counts else at + 1,
            "outputs": (outputs or []) if at == len(codes) - 1 else [],
        }
        for at, code in enumerate(codes)
    ]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    return Subject(path="n.ipynb", text=text, language="notebook")


def read(*codes: str, **given: Any) -> Cells:
    return read_notebook(subject(*codes, **given))


def found(*codes: str, **given: Any) -> list[tuple[str, int | None, int]]:
    issues = file_issues(read(*codes, **given), "n.ipynb")
    return [(issue.rule, issue.cell, issue.line) for issue in issues]


def stream(text: str) -> list[dict[str, Any]]:
    return [{"output_type": "stream", "name": "stdout", "text": [text]}]


def test_a_clean_notebook_gives_nothing() -> None:
    """Imports first, seeds set, cells in order, functions that use what the call finds."""
    assert (
        found(
            "%matplotlib inline\nimport warnings\nimport numpy as np\n"
            "warnings.simplefilter('ignore')\nimport pandas as pd\nDATA = 'data/rows.csv'",
            "def load():\n    return pd.read_csv(DATA).sample(n=3, random_state=LATE)",
            "LATE = 0\nrng = np.random.default_rng(LATE)",
            "rows = load()\nrows.head()",
            "try:\n    cached\nexcept NameError:\n    cached = rows",
            "url = 'https://example.org/home/ann/x'\nfor row in cached:\n    print(row, _, In[1])",
            "!ls {DATA}\nfiles = !ls\nprint(files)",
            outputs=stream("total 5, home /home/ann"),
        )
        == []
    )


def test_a_restart_breaks_what_uses_a_name_defined_below() -> None:
    """Told where the name is used, with the cell that defines it; a function's names count where
    it is called."""
    assert found("print(total)", "total = 1") == [("AX302", 1, 1)]
    assert found("def f():\n    return rate", "x = 1\nf()", "rate = 2") == [("AX302", 2, 2)]
    (issue,) = file_issues(read("a = 1\nprint(total)", "total = 1"), "n.ipynb")
    assert (issue.line, issue.evidence) == (2, "print(total)")
    assert issue.message == "`total` is defined only further down, in cell 2"


def test_names_that_only_the_kernel_knew() -> None:
    """A cell that ran without error with a name that no cell defines: its cell is gone. One that
    never ran, or failed, shows nothing of the kind; nor where an extension may bring names."""
    assert found("print(gone)") == [("AX303", 1, 1)]
    assert found("print(gone)", counts=[None]) == []
    error = [{"output_type": "error", "ename": "NameError", "evalue": "x", "traceback": []}]
    assert [rule for rule, _, _ in found("print(gone)", outputs=error)] == ["AX309"]
    assert found("%load_ext shop", "print(gone)") == []
    assert found("%load_ext autoreload", "print(gone)") == [("AX303", 2, 1)]


@pytest.mark.parametrize(
    ("codes", "counts", "expected"),
    [
        (["a = 1", "b = 2"], [7, 3], [("AX301", 2, 1)]),
        (["a = 1", "b = 2", "c = 3"], [3, 9, 12], []),
        (["a = 1", "", "b = 2"], [1, None, 2], []),
        (["a = 1", "b = 2"], [1, None], [("AX311", 2, 1)]),
        (["a = 1", "b = 2"], [None, None], []),
    ],
)
def test_the_numbers_of_the_cells(
    codes: list[str], counts: list[int | None], expected: list[tuple[str, int, int]]
) -> None:
    """Gaps are normal, going back is not; a notebook without outputs has no numbers at all."""
    assert found(*codes, counts=counts) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import random\nrandom.random()", 1),
        ("import random\nrandom.seed(1)\nrandom.random()", 0),
        ("import numpy as np\nnp.random.rand(3)", 1),
        ("from numpy.random import default_rng\ndefault_rng()", 1),
        ("from numpy.random import default_rng\ndefault_rng(3)", 0),
        ("import torch\ntorch.manual_seed(0)\ntorch.rand(3)", 0),
        ("import torch\ntorch.rand(3)", 1),
        ("from sklearn.cluster import KMeans\nKMeans(3)", 1),
        ("from sklearn.cluster import KMeans\nKMeans(3, random_state=1)", 0),
        ("from sklearn.model_selection import train_test_split as t\nt([1], shuffle=False)", 0),
        ("import pandas as pd\npd.DataFrame().sample(frac=1)", 1),
        ("import pandas as pd\npd.DataFrame().sample(n=1, random_state=0)", 0),
        ("def rand():\n    return 4\nrand()", 0),
    ],
)
def test_chance_without_a_seed(code: str, expected: int) -> None:
    """The libraries' own generators, by what was imported; a seed anywhere is a seed."""
    assert [rule for rule, _, _ in found(code)] == ["AX305"] * expected


def test_places_kinds_and_late_imports() -> None:
    """A home directory in a text, a function that becomes a value, an import among the work."""
    assert found("p = '/home/ann/rows.csv'", "q = r'C:\\data\\rows.csv'") == [
        ("AX306", 1, 1),
        ("AX306", 2, 1),
    ]
    assert found("def f():\n    return 1", "f = f()") == [("AX304", 2, 1)]
    assert found("def f():\n    return 1", "f = cache(f)\ncache = 1") == [("AX302", 2, 1)]
    assert found("import os\nprint(os.name)", "import re") == [("AX310", 2, 1)]


def test_secrets_and_blobs_in_outputs_are_told_and_not_shown() -> None:
    """By the kind of output; the secret itself stands in no issue."""
    issues = file_issues(read("1", outputs=stream(f"key {KEY}")), "n.ipynb")
    assert [issue.rule for issue in issues] == ["AX307"]
    assert KEY not in repr(issues)
    blob = [{"output_type": "display_data", "data": {"image/png": "A" * (LARGE_OUTPUT + 1)}}]
    (issue,) = file_issues(read("1", outputs=blob), "n.ipynb")
    assert (issue.rule, issue.message) == ("AX308", "An output of 1.0 MB, mostly image/png")


def test_the_kernel_adds_what_only_it_knows() -> None:
    """Names in its memory that no cell defines, cells whose code is no longer what ran."""
    cells = read("x = 2", "print(gone)", counts=[1, None])
    issues = live_issues(cells, "n.ipynb", [RanCell(number=1, code="x = 1")], {"gone", "x"})
    assert [(issue.rule, issue.cell) for issue in issues] == [("AX311", 1), ("AX303", 2)]
    assert live_issues(cells, "n.ipynb", [RanCell(number=1, code="x = 2\n")], {"x"}) == []


def test_an_order_that_works() -> None:
    """Definers go up to just before their users; where cells need each other there is none."""

    def order(*codes: str) -> Any:
        cells = read(*codes)
        return working_order(saved_cells(cells), cells.known)

    assert order("a = 1", "b = a").cells == (1, 2)
    assert order("print(c)", "b = a", "c = b", "a = 1").cells == (4, 2, 3, 1)
    assert order("print(c)", "b = a", "c = b", "a = 1").moved == (2, 3, 4)
    stuck = order("a = 1", "b = c", "c = b")
    assert (stuck.works, stuck.cycle, stuck.cells) == (False, (2, 3), (1, 2, 3))


def test_analyze_lists_them_and_the_score_stays() -> None:
    """What was run and saved is no property of the code: the same code gets the same score."""
    clean = subject('"""Sum."""\ntotal = 1', "print(total)")
    ill = subject(
        '"""Sum."""\ntotal = 1', "print(total)", counts=[2, 1], outputs=stream(f"key {KEY}")
    )
    facts = [gather([each])[0] for each in (clean, ill)]
    assert [issue.rule for issue in facts[1].issues if issue.rule in NOTEBOOK] == ["AX301", "AX307"]
    assert [issue.rule for issue in facts[0].issues if issue.rule in NOTEBOOK] == []
    assert score_module(facts[0]).value == score_module(facts[1]).value


@pytest.mark.parametrize(
    "data",
    [
        {"cells": []},
        {"cells": [{"cell_type": "code", "source": "x"}, 7]},
        {"cells": [{"cell_type": "code", "source": "1 +", "outputs": 3, "execution_count": "x"}]},
        {"worksheets": [{"cells": [{"cell_type": "code", "input": "1/0", "prompt_number": 2}]}]},
        {"cells": [{"cell_type": "code", "source": "cat(x)"}],
         "metadata": {"kernelspec": {"language": "R"}}},
        {"cells": [{"cell_type": "code", "source": "1", "outputs": [
            {"output_type": "display_data", "data": {"a/b": {"c": [None]}, "image/png": 5}}, 4]}]},
    ],
)  # fmt: skip
def test_notebooks_of_any_shape_are_read(data: dict[str, Any]) -> None:
    """No cells, nbformat 3, no numbers, other kernels, outputs of any form."""
    given = Subject(path="n.ipynb", text=json.dumps(data), language="notebook")
    (facts,) = gather([given])
    assert all(isinstance(issue, Issue) for issue in facts.issues)
