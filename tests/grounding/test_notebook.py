"""Notebooks and cells: told by cell and line, magics are no errors, names cross cells."""

from __future__ import annotations

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.facts import ModuleFacts, Subject
from aiex_ipy.grounding.gather import gather
from aiex_ipy.grounding.notebook import read_cell


def notebook(*cells: str | tuple[str, str], **metadata: object) -> Subject:
    made = []
    for cell in cells:
        kind, source = ("code", cell) if isinstance(cell, str) else cell
        made.append({"cell_type": kind, "metadata": {}, "source": source.splitlines(True)})
    text = json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
    return Subject(path="n.ipynb", text=text, language="notebook")


def facts(*cells: str | tuple[str, str], **metadata: object) -> ModuleFacts:
    return gather([notebook(*cells, **metadata)])[0]


def test_an_issue_is_told_by_cell_and_line() -> None:
    """Cells are counted as the reader sees them, Markdown included; lines within the cell."""
    found = facts("x = 1\ny = 2\n", ("markdown", "# Title\n\ntext"), "z = 3\nprint(x == None)\n")
    (issue,) = found.issues
    assert (issue.rule, issue.cell, issue.line, issue.end_line) == ("E711", 3, 2, 2)
    assert issue.evidence == "print(x == None)"


def test_names_cross_cells() -> None:
    """A name made in one cell is known in the next; one made nowhere is undefined."""
    found = facts("import os\nvalue = 1", "print(value, os.name)", "print(nowhere)")
    assert [(i.rule, i.cell) for i in found.issues] == [("F821", 3)]


def test_magics_shell_lines_and_help_are_no_errors() -> None:
    """What IPython accepts is accepted, and names used or made there count."""
    found = facts(
        "%load_ext autoreload\n%matplotlib inline\nimport numpy as np, os\n",
        "!pip install {np.__name__} \\\n   --quiet\nfiles = !ls\nfor f in files:\n    !cat {f}\n",
        "%timeit os.getcwd()\nprint?\n?print\nout = %time 1 + 1\nprint(out, _, In[1])\n",
        "%%capture caught\nprint('a')\n",
        "print(caught)\n",
        "%%bash\nfor i in *; do echo $i; done\n",
        "async def some():\n    pass\n",
        "await some()\n%pip list\n",
        "np.zeros(3)\n",
    )
    assert [issue.message for issue in found.issues] == []
    assert found.parsed


def test_a_broken_cell_is_the_one_issue() -> None:
    """A cell that does not parse is named; an open bracket does not swallow the cells behind."""
    found = facts("x = 1", "y = 1\nprint((x\n", "z = 3)")
    (issue,) = found.issues
    assert (issue.category, issue.cell, issue.line, found.parsed) == ("syntax", 2, 2, False)


def test_units_of_a_notebook_are_those_of_one_module() -> None:
    """Statements of all cells are one unit; functions say their cell and their line there."""
    found = facts("x = 1", "\ndef f(a):\n    if a:\n        return x\n", "print(f(2))")
    module, f = found.units
    assert (module.kind, module.statements, module.cell) == ("module", 2, 1)
    assert (f.cell, f.line, f.end_line, f.lines, f.cognitive) == (2, 2, 4, {"f": 2}, {"f": 1})


def test_a_name_that_run_may_bring_is_not_called_undefined() -> None:
    """After `%run setup.py` nobody knows which names exist."""
    assert facts("%run setup.py\nprint(anything)").issues == ()


def test_interactive_habits_are_no_issues() -> None:
    """Showing a value, importing again and awaiting at the top are how notebooks are used."""
    assert (
        facts("import os\nos", "import os\nos.name == 'x'", "async def f(): ...\nawait f()").issues
        == ()
    )


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"cells": 3}',
        "null",
        '{"cells": [{"cell_type": "code", "source": 5}]}',
        "[" * 100_000,
    ],
)
def test_a_notebook_that_is_none_says_so_and_what_to_do(text: str) -> None:
    """Bad JSON is one clear error; in a tree it is the one issue of that file."""
    subject = Subject(path="bad.ipynb", text=text, language="notebook")
    with pytest.raises(UsageError, match=r"'bad\.ipynb' cannot be read.* Open it in Jupyter"):
        gather([subject])
    bad, good = gather([subject, notebook("import os")])
    assert [(i.category, i.severity) for i in bad.issues] == [("syntax", "critical")]
    assert not bad.parsed
    assert [i.rule for i in good.issues] == ["F401"]


def test_notebooks_of_other_kernels_are_left_alone() -> None:
    """R code is not judged as Python."""
    found = facts("x <- c(1, 2)", kernelspec={"language": "R", "name": "ir"})
    assert (found.issues, found.units, found.parsed) == ((), (), True)


def test_old_notebooks_are_read() -> None:
    """nbformat 3 keeps code in `worksheets` and `input`."""
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": ["import os\n"]}]}]}
    subject = Subject(path="o.ipynb", text=json.dumps(old), language="notebook")
    assert [i.rule for i in gather([subject])[0].issues] == ["F401"]


def test_a_live_cell_is_judged_with_the_sessions_names() -> None:
    """`In[3]` may use magics and what earlier cells made."""
    subject = Subject(path="In[3]", text="%time f(df)\nimport os\nprint(df, nowhere)\n!ls\n")
    assert gather([subject])[0].issues == ()
    (found,) = gather([subject], names={"df", "f"})
    assert [(i.message, i.line, i.cell) for i in found.issues] == [
        ("Undefined name `nowhere`", 3, None)
    ]


CELLS = [
    "x = 1\n%time y = 2\nz = 3",
    "a = b % c\nd = (e\n  % f)\ng = '''\n%no magic\n!neither\n'''\n",
    "if x:\n    !ls -l\n    %cd ..\nelse:\n    y = !echo a=b\n",
    "!ls \\\n  -l\nx = 2",
    "print?\nobj.attr??\n?len\n%time?\nx = {'a': 1}\n",
    "x = 5 # is it?\ny = x # %no\n",
    "lines = %sx ls\na, b = !ls\nself.x = %time 3",
    ">>> x = 1\n>>> if x:\n...     y = 2\n",
    "In [1]: x = 1\n   ...: y = 2\n",
    "\n\n    x = 1\n    y = 2\n",
    "def f(a,\n      b='%'):\n    return a != b\nx = f(1, b='''\n!''')\n",
    "x = [1,\n2,\n]\n%matplotlib inline\nprint(x)",
    "%%timeit x = 1\ny = x + 1\n",
    "%%bash\nls $x\nif [ 1 ]; then echo; fi",
    "x = '\\\n%'\ny = \"a\\\"b\" ; z = r'\\\\'\n%pwd\n",
    "x == 1\nx = y == 3\nlambda: 1\n",
    "!!ls\n%%time?\nx = 1",
    "f'{x!r}'\nf\"{y:%Y}\"\nprint(f'''{\nz\n}''')\n",
    "x: int = 3\nx += 1\nx %= 2\n",
    "@decorator\ndef f():\n    pass\n",
]


def skeleton(text: str) -> str:
    """The tree with everything IPython put in made equal to what `read_cell` puts in."""

    class Level(ast.NodeTransformer):
        def visit_Expr(self, node: ast.Expr) -> ast.AST:
            return ast.Expr(ast.Constant(0)) if "get_ipython()" in ast.unparse(node) else node

        def visit_Assign(self, node: ast.Assign) -> ast.AST:
            if "get_ipython()" in ast.unparse(node.value):
                node.value = ast.Constant(value=...)
            return node

    return ast.dump(Level().visit(ast.parse(text)))


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_cells_are_read_as_ipython_reads_them(cell: str) -> None:
    """The same statements remain as with IPython's own transformer, on the same lines."""
    from IPython.core.inputtransformer2 import TransformerManager

    theirs = TransformerManager().transform_cell(cell)
    ours = read_cell(cell).text
    if cell.startswith("%%"):
        assert ours.count("\n") == cell.count("\n")
        ast.parse(ours)
        return
    assert skeleton(ours) == skeleton(theirs)
    assert len(ours.splitlines()) in (len(cell.splitlines()), len(cell.splitlines()) + 1)


@given(st.text(alphabet="ax =%!?'\"\\\n#([])}\t;,/", max_size=60))
def test_any_cell_keeps_its_line_numbers(cell: str) -> None:
    """Whatever is typed, the text has as many lines as before and nothing is raised."""
    assert read_cell(cell).text.count("\n") == cell.count("\n")


@given(st.lists(st.sampled_from(CELLS), max_size=6))
def test_a_place_is_inverse_to_the_joining_of_cells(cells: list[str]) -> None:
    """Each joined line is told as the line of its cell."""
    from aiex_ipy.grounding.notebook import read_notebook

    made = read_notebook(notebook(*cells))
    lines = made.text.split("\n")
    for number, part in zip(made.numbers, made.parts, strict=True):
        for at, line in enumerate(part.split("\n"), 1):
            joined = made.starts[made.numbers.index(number)] + at - 1
            assert made.place(joined) == (number, at)
            assert lines[joined - 1] == line
