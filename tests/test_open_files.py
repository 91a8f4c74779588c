"""No module but the workspace opens a user's file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Modules that open files of aiex itself, or write where the user said, and which.
OWN_FILES = {
    "aiex_ipy/config/files.py": "settings files",
    "aiex_ipy/config/reference.py": "the generated reference page",
    "aiex_ipy/config/writing.py": "settings files",
    "aiex_ipy/frontends/cli/ipython.py": "IPython's start-up file, at the user's command",
    "aiex_ipy/frontends/cli/output.py": "results, where the user said by --output",
    "aiex_ipy/frontends/cli/pages.py": "help pages of the package",
    "aiex_ipy/grounding/documentation/example_child.py": "the child's own standard output",
    "aiex_ipy/grounding/documentation/looking.py": "the source of cells, which Python has read",
    "aiex_ipy/grounding/evaluation/memory.py": "what Linux tells of this process's memory",
    "aiex_ipy/grounding/diagnosis/imports.py": "a module of Python's and the file that shadows it",
    "aiex_ipy/grounding/diagnosis/origin.py": "the source of code that ran, as Python has read it",
    "aiex_ipy/grounding/diagnosis/syntax.py": "the source of code that did not parse",
    "aiex_ipy/grounding/crash/record.py": "what a child process left of its crash",
    "aiex_ipy/grounding/crash/writing.py": "what a child process leaves of its crash",
    "aiex_ipy/grounding/failure/printed.py": "code that a printed traceback shows, as it shows it",
    "aiex_ipy/grounding/failure/process.py": "the source of code that another process runs",
    "aiex_ipy/grounding/failure/sources.py": "the source of code that ran, as Python has read it",
    "aiex_ipy/grounding/live/source.py": "the source of objects in memory, which Python has read",
    "aiex_ipy/grounding/slicing.py": "the source of modules of the user's, as Python has read it",
    "aiex_ipy/grounding/lint.py": "copies of texts in a directory of its own, for ruff",
    "aiex_ipy/providers/local_connection.py": "the model server's socket, lock and log",
    "aiex_ipy/providers/local_server.py": "the model server's state",
    "aiex_ipy/providers/model_store.py": "local models",
    "aiex_ipy/providers/wheel_download.py": "the download of a local model",
    "aiex_ipy/testing/soak.py": "what Linux tells of this process's memory",
    "aiex_ipy/routing/response_cache.py": "answers kept for the same request again",
}
DOOR = "aiex_ipy/workspace/"

_FUNCTIONS = {"open", "fdopen", "mkstemp", "NamedTemporaryFile", "TemporaryFile", "FileIO"}
_METHODS = {"read_text", "read_bytes", "write_text", "write_bytes", "getlines", "getline"}
_METHODS |= {"getsource", "getsourcelines", "updatecache", "copyfile", "copy2", "copytree"}


def openings(source: str) -> list[int]:
    """Return the lines of calls that open a file other than one that lies beside the module."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in _FUNCTIONS | _METHODS and not _own_data(node):
            found.append(node.lineno)
    return found


def _own_data(call: ast.Call) -> bool:
    """True for data files of the package, and for the null device."""
    text = ast.unparse(call)
    return "__file__" in text or "files('aiex_ipy" in text or "os.devnull" in text


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("open('x')", 1),
        ("with open(p) as f, os.open(q, 0) as g: pass", 2),
        ("Path(p).read_text()", 1),
        ("linecache.getlines(p)", 1),
        ("inspect.getsource(f)", 1),
        ("Path(__file__).with_name('a.toml').read_bytes()", 0),
        ("files('aiex_ipy.prompts').joinpath('x').read_text('utf-8')", 0),
        ("os.open(os.devnull, 1)", 0),
        ("reopen(p)", 0),
        ("'open(p)'", 0),
    ],
)
def test_the_check_sees_openings(source: str, count: int) -> None:
    """The check itself finds what it is for, and passes over the package's own data."""
    assert len(openings(source)) == count


def test_only_the_workspace_opens_files() -> None:
    """A user's file is reached by the one door that checks it; every other opening is listed."""
    opening = {}
    for file in sorted((ROOT / "aiex_ipy").rglob("*.py")):
        lines = openings(file.read_text(encoding="utf-8"))
        if lines:
            opening[file.relative_to(ROOT).as_posix()] = lines
    strangers = {
        module: lines
        for module, lines in opening.items()
        if module not in OWN_FILES and not module.startswith(DOOR)
    }
    assert strangers == {}
    assert set(OWN_FILES) <= set(opening), "a listed module opens no file any more"
