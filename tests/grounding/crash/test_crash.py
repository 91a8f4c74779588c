"""A child process leaves what it died of, and runs as it would have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiex_ipy.grounding.crash.record import Crash, environment, read


def run(
    folder: Path, *command: str, **files: str
) -> tuple[subprocess.CompletedProcess[str], Crash | None]:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, "utf-8")
    crash = str(folder / "crash.jsonl")
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment(crash),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done, read(crash)


@pytest.mark.slow
def test_a_script_that_dies(tmp_path: Path) -> None:
    """The failure comes with live values and a diagnosis; the traceback and the exit code are
    those of Python."""
    done, crash = run(
        tmp_path, "main.py", main="def f(rows, at):\n    return rows[at]\n\nf([1, 2], 2)\n"
    )
    assert crash is not None and crash.source is not None and crash.failure.frame is not None
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert crash.failure.title == "IndexError: list index out of range"
    assert [each.function for each in crash.failure.errors[0].frames] == ["<module>", "f"]
    assert {each.name: each.value for each in crash.failure.frame.variables} == {
        "rows": "[1, 2]",
        "at": "2",
    }
    assert crash.source.path == "main.py"


@pytest.mark.slow
def test_a_script_that_ends_well_or_exits(tmp_path: Path) -> None:
    """Nothing is written, and nothing is said."""
    done, crash = run(tmp_path, "main.py", main="import sys\nprint('hi')\nsys.exit(3)\n")
    assert (done.returncode, done.stdout, done.stderr, crash) == (3, "hi\n", "", None)


@pytest.mark.slow
def test_a_program_that_shadows_the_standard_library(tmp_path: Path) -> None:
    """It finds its own module, as without us, and its crash is captured all the same."""
    done, crash = run(
        tmp_path,
        "main.py",
        main="import sys\nloaded = set(sys.modules)\nimport json\nprint(json.__file__)\n"
        "print(sorted(loaded & {'msgspec', 'ast', 'json', 'inspect', 'executing'}))\n"
        "import linecache\njson.loads('1')\n",
        json="x = 1\n",
        ast="y = 1\n",
    )
    assert crash is not None
    assert done.stdout.splitlines() == [str(tmp_path / "json.py"), "[]"]
    assert crash.failure.title.startswith("AttributeError: module 'json' has no attribute 'loads'")


@pytest.mark.slow
def test_threads_and_finalizers_come_after_the_main_thread(tmp_path: Path) -> None:
    """Of several deaths that of the main thread is the one to explain; else a thread's."""
    thread = "import threading\nt = threading.Thread(target=lambda: [][1])\nt.start(); t.join()\n"
    thread += "assert threading is t.join.__globals__['_sys'].modules['threading']\n"
    done, crash = run(tmp_path, "main.py", main=thread + "{}['k']\n")
    assert crash is not None and (crash.where, crash.failure.title) == ("main", "KeyError: 'k'")
    assert "Exception in thread" in done.stderr
    (tmp_path / "crash.jsonl").unlink()
    done, crash = run(tmp_path, "main.py", main=thread)
    assert (done.returncode, crash is not None and crash.where) == (0, "thread")
    (tmp_path / "crash.jsonl").unlink()
    final = "class A:\n    def __del__(self):\n        1 / 0\nA()\n"
    done, crash = run(tmp_path, "main.py", main=final)
    assert (done.returncode, crash is not None and crash.where) == (0, "unraisable")


@pytest.mark.slow
def test_processes_of_the_child_are_left_alone(tmp_path: Path) -> None:
    """A crash of a grandchild is its own; the environment is as the user had it."""
    grandchild = "import os, subprocess, sys\nsubprocess.run([sys.executable, '-c', '1/0'])\n"
    told = "print(os.environ.get('PYTHONPATH', ''), os.environ.get('AIEX_CRASH_FILE', ''))\n"
    done, crash = run(tmp_path, "main.py", main=grandchild + told)
    assert crash is None
    assert done.stdout.split() == os.environ.get("PYTHONPATH", "").split()


@pytest.mark.slow
def test_the_users_sitecustomize_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours goes first and hands on to the one that would have run."""
    (tmp_path / "sitecustomize.py").write_text("print('mine')\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done, crash = run(tmp_path, "main.py", main="1 / 0\n")
    assert done.stdout == "mine\n"
    assert crash is not None and crash.failure.title == "ZeroDivisionError: division by zero"


@pytest.mark.slow
def test_a_failing_test_of_pytest(tmp_path: Path) -> None:
    """The first failing test is captured with the values of its assertion; a test that passes
    leaves nothing, and pytest's own report is as ever."""
    test = (
        "def half(n):\n    return n // 2\n\ndef test_good():\n    assert half(4) == 2\n\n"
        "def test_bad():\n    rows = [3, 5]\n    assert half(rows[1]) == 2.5, 'halves'\n"
    )
    done, crash = run(
        tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py", test_it=test
    )
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert crash is not None and crash.failure.frame is not None
    assert (crash.where, crash.failure.title) == ("test", "AssertionError: halves")
    assert "assert 2 == 2.5" in crash.failure.errors[0].message
    assert crash.failure.frame.text == "assert half(rows[1]) == 2.5, 'halves'"
    told = {each.name: each.value for each in crash.failure.frame.variables}
    assert (told["rows"], told["rows[1]"]) == ("[3, 5]", "5")
    assert not any(name.startswith("@") for name in told)


def test_a_cut_line_is_not_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a killed child wrote halfway is passed over, and that is said."""
    file = tmp_path / "crash.jsonl"
    file.write_bytes(b'{"where":"ma')
    assert read(str(file)) is None
    assert "was not written to its end" in capsys.readouterr().err
    assert read(str(tmp_path / "none")) is None
