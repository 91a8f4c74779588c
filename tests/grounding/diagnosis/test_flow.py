"""How programs run: recursion, dead threads, closed files, commands, shadowed modules."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from aiex_ipy.grounding.crash.record import environment, read

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def crashed(folder: Path, files: dict[str, str]):
    """What is said of a script (`main.py`) that dies in a process of its own."""
    for name, text in files.items():
        (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
    crash = folder / "crash.json"
    subprocess.run(
        [sys.executable, "main.py"],
        cwd=folder,
        env=environment(str(crash)),
        capture_output=True,
        check=False,
        timeout=120,
    )
    found = read(str(crash)).crash()
    assert found is not None, "the script was to fail"
    return found.diagnoses


RECURSION = {
    "no base case": (
        ["def up(n):\n    return up(n + 1)", "up(0)"],
        "it has no base case (no test that ends the recursion)",
    ),
    "one argument has none": (
        [
            "def ways(n, k):\n    if k == 0:\n        return 1\n"
            "    return ways(n - 1, k - 1) + ways(n - 1, k)",
            "ways(4, 2)",
        ],
        "it has no base case for 'n', which keeps falling without bound",
    ),
    "passed over": (
        ["def down(n):\n    if n == 0:\n        return 0\n    return down(n - 2)", "down(5)"],
        "its base case `n == 0` (line 2) is never reached: 'n' keeps falling without bound",
    ),
    "same argument": (
        [
            "def walk(xs):\n    if not xs:\n        return 0\n    return 1 + walk(xs)",
            "walk([1])",
        ],
        "it is called with the same arguments every time ('xs' stays a list of 1 item, [1])",
    ),
    "cycle in a mapping": (
        [
            "PARENT = {'a': 'b', 'b': 'c', 'c': 'a'}",
            "def root(x):\n    if PARENT[x] is None:\n        return x\n    return root(PARENT[x])",
            "root('a')",
        ],
        "PARENT contains a cycle:",
    ),
    "cycle of objects": (
        [
            "class Node:\n    def __init__(self, name):\n        self.name = name\n"
            "        self.next = None",
            "a, b = Node('a'), Node('b')\na.next, b.next = b, a",
            "def size(node):\n    if node is None:\n        return 0\n"
            "    return 1 + size(node.next)",
            "size(a)",
        ],
        "'node' goes in a cycle: Node(name=",
    ),
}


@pytest.mark.parametrize(("cells", "words"), RECURSION.values(), ids=RECURSION.keys())
def test_why_a_recursion_does_not_end(debugged, cells, words):
    """The missing base case, the argument that passes it, or the circle in the data is named."""
    first = debugged(*cells)[0]
    assert first.rule == "endless-recursion"
    assert words in first.cause


def test_a_deep_recursion_is_no_cycle(debugged):
    """Arguments that shrink towards a base case not yet reached are called no circle."""
    said = debugged(
        "def f(n):\n    if n == 0:\n        return 0\n    return f(n - 1)", "f(10 ** 6)"
    )[0].cause
    assert "cycle" not in said


@pytest.mark.slow
def test_a_thread_that_died_is_the_cause(tmp_path):
    """A missing key that a dead thread was to write is explained by what the thread died of."""
    first = crashed(
        tmp_path,
        {
            "main.py": """
            import threading
            done = {}
            def work(name, text):
                done[name] = int(text)
            ts = [threading.Thread(target=work, args=a, name=f"w-{a[0]}")
                  for a in (("x", "1"), ("y", "2.5"))]
            for t in ts: t.start()
            for t in ts: t.join()
            print(done["y"])
            """
        },
    )[0]
    assert first.rule == "dead-worker"
    assert "thread 'w-y' died" in first.cause and "'2.5'" in first.cause
    assert "done never got 'y'" in first.cause


@pytest.mark.slow
def test_a_thread_that_died_of_something_else_is_not_blamed(tmp_path):
    """A misspelled key of a dict no dead thread touched stays a misspelled key."""
    found = crashed(
        tmp_path,
        {
            "main.py": """
            import threading
            prices = {"coffee": 1}
            t = threading.Thread(target=lambda: int("x")); t.start(); t.join()
            print(prices["cofee"])
            """
        },
    )
    assert found[0].rule == "near-miss-key"
    assert all("dead-worker" not in each.rule for each in found)


@pytest.mark.slow
def test_a_file_that_shadows_a_module_a_library_imports(tmp_path):
    """The user's `secrets.py` that a library imports in place of Python's is named."""
    first = crashed(
        tmp_path,
        {
            "secrets.py": "KEY = 'abc'\n",
            "main.py": "from numpy.random import default_rng\ndefault_rng()\n",
        },
    )[0]
    assert first.rule == "shadowed-module"
    assert "secrets.py shadows the standard library module 'secrets'" in first.cause


def test_a_lazy_reader_out_of_its_block(debugged, tmp_path, monkeypatch):
    """The function that returned the reader, its `with` line and the reader are named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("n\n1\n")
    first = debugged(
        "import csv\ndef rows(path):\n    with open(path) as f:\n        r = csv.reader(f)\n"
        "        return r",
        "def total(rs):\n    return sum(int(r[0]) for r in rs)",
        "total(rows('a.csv'))",
    )[0]
    assert first.rule == "closed-file"
    assert "rows() returns 'r', a lazy reader, out of its with block" in first.cause
    assert "`with open(path)` (In[1], line 3)" in first.cause


def test_a_generator_expression_out_of_its_block(debugged, tmp_path, monkeypatch):
    """A generator expression returned from a `with` block is told as such."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("1\n")
    first = debugged(
        "def lines(path):\n    with open(path) as f:\n        return (x for x in f)",
        "list(lines('a.txt'))",
    )[0]
    assert "lines() returns a generator expression out of its with block" in first.cause


def test_a_file_closed_by_hand(debugged, tmp_path, monkeypatch):
    """Without a `with` block the call of close() is named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("1\n")
    said = debugged("f = open('a.txt')\nf.close()\nf.read()")[0].cause
    assert said == "The file is closed already: f.close() is called in line 2."


def test_a_context_manager_without_its_yield(debugged):
    """The `return` that ran before the `yield`, and its condition, are named."""
    first = debugged(
        "from contextlib import contextmanager\n@contextmanager\ndef lock(free):\n"
        "    if not free:\n        return\n    yield 1",
        "with lock(False):\n    pass",
    )[0]
    assert "lock() returned early, before its `yield` (line 6)" in first.cause
    assert "return under `if not free`" in first.cause


def test_a_context_manager_that_yields_twice(debugged):
    """Two yields are named with their lines."""
    first = debugged(
        "from contextlib import contextmanager\n@contextmanager\ndef two():\n    yield 1\n"
        "    yield 2",
        "with two():\n    pass",
    )[0]
    assert "two() yields more than once (In[1], line 4, 5)" in first.cause


def test_a_command_that_failed(debugged):
    """The command's words, exit code and the last line of its stderr are told."""
    first = debugged(
        "import subprocess, sys",
        "subprocess.run([sys.executable, '-c', \"raise SystemExit('no such table')\"], "
        "check=True, capture_output=True)",
    )[0]
    assert first.rule == "failed-command"
    assert "exit code 1: no such table" in first.cause
    assert first.cause.startswith("The command `python -c")


def test_a_command_whose_words_were_not_kept(debugged):
    """Without captured output the remedy is to capture it."""
    first = debugged(
        "import subprocess, sys",
        "subprocess.run([sys.executable, '-c', 'raise SystemExit(3)'], check=True)",
    )[0]
    assert "exit code 3." in first.cause
    assert "capture_output=True" in first.remedy


OPTIONS = {
    "dest": ("'--max-w', dest='limit'", "max_w", "'--max-w' is kept as 'limit'"),
    "longest form": ("'-w', '--width'", "w", "'--width' is kept as 'width'"),
    "never declared": ("'--width'", "colour", "No option or argument named 'colour'"),
}


@pytest.mark.parametrize(("flags", "asked", "words"), OPTIONS.values(), ids=OPTIONS.keys())
def test_an_option_kept_under_another_name(debugged, flags, asked, words):
    """The name argparse keeps an option under is told, with why."""
    first = debugged(
        f"import argparse\np = argparse.ArgumentParser()\np.add_argument({flags})",
        f"args = p.parse_args([])\nargs.{asked}",
    )[0]
    assert words in first.cause
