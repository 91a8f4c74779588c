"""A child process leaves what it died of, and runs as it would have."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from aiex_ipy.grounding.crash.record import Crash, Left, environment, read


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
    return done, read(crash).crash(done.returncode)


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
    """A crash of a grandchild is its own; the environment that it is given is as the user had
    it, also once pytest is loaded."""
    grandchild = (
        "import json, os, subprocess, sys\nimport pytest, unittest\n"
        "subprocess.run([sys.executable, '-c', '1/0'])\n"
        "print(json.dumps(dict(os.environ)))\n"
    )
    done, crash = run(tmp_path, "main.py", main=grandchild)
    assert crash is None
    found = json.loads(done.stdout)
    assert {k: v for k, v in found.items() if k != "LC_CTYPE"} == {
        k: v for k, v in os.environ.items() if k != "LC_CTYPE"
    }


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """The Python of an environment with pytest and without aiex."""
    place = tmp_path / "bare"
    venv.create(place, symlinks=True)
    packages = next((place / "lib").glob("python*")) / "site-packages"
    for name in ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py"):
        found = importlib.util.find_spec(name)
        assert found is not None and found.origin is not None
        file = Path(found.origin)
        own = file.parent if file.name == "__init__.py" else file
        (packages / own.name).symlink_to(own)
    return str(place / "bin" / "python")


@pytest.mark.slow
def test_a_pytest_of_another_environment_is_not_disturbed(tmp_path: Path, bare: str) -> None:
    """A program starts pytest in an environment that has no aiex, as tox and nox do: its tests
    run as ever. Watched itself, it says that it cannot capture."""
    (tmp_path / "test_it.py").write_text("def test_a(): pass\ndef test_b(): assert 1 == 2\n")
    words = [bare, "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", "test_it.py"]
    started = f"import subprocess\nprint(subprocess.run({words!r}).returncode)\n"
    done, crash = run(tmp_path, "main.py", main=started)
    assert "1 failed, 1 passed" in done.stdout and done.stdout.endswith("\n1\n")
    assert (done.stderr, crash) == ("", None)
    left = str(tmp_path / "bare.jsonl")
    other = subprocess.run(
        words, cwd=tmp_path, env=environment(left), capture_output=True, text=True, timeout=100
    )
    assert "1 failed, 1 passed" in other.stdout and other.stderr == ""
    found = read(left)
    assert (found.watched, found.able, found.crashes) == (True, False, ())


@pytest.mark.slow
def test_tests_of_unittest(tmp_path: Path) -> None:
    """unittest catches exceptions itself: the first failing tests are captured live, each is
    counted, and what is expected to fail is no failure."""
    test = (
        "import unittest\nclass A(unittest.TestCase):\n"
        "    def test_a(self):\n        total = 3\n        self.assertEqual(total, 4)\n"
        "    def test_b(self):\n        for n in range(8):\n"
        "            with self.subTest(n=n):\n                [][n]\n"
        "    @unittest.expectedFailure\n    def test_c(self): 1 / 0\n"
    )
    done, _ = run(tmp_path, "-m", "unittest", "test_it", test_it=test)
    assert "failures=1, errors=8, expected failures=1" in done.stderr
    left = read(str(tmp_path / "crash.jsonl"))
    assert (left.failed, len(left.crashes)) == (9, 5)
    kinds = {each.failure.title: each for each in left.crashes}
    told = kinds["AssertionError: 3 != 4"].failure.frame
    assert told is not None and ("total", "3") in {(v.name, v.value) for v in told.variables}


@pytest.mark.slow
def test_a_test_module_that_cannot_be_imported(tmp_path: Path) -> None:
    """unittest, pytest and a conftest: the import that failed is told, not who ran it."""
    broken = "import no_such_thing\n"
    _, crash = run(tmp_path, "-m", "unittest", "test_it", test_it=broken)
    assert crash is not None and crash.failure.frame is not None
    assert crash.failure.title == "ModuleNotFoundError: No module named 'no_such_thing'"
    assert (crash.failure.frame.place, crash.failure.frame.line) == ("test_it.py", 1)
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
    for more in ({}, {"conftest": broken}):
        (tmp_path / "crash.jsonl").unlink()
        _, crash = run(tmp_path, *words, **more)
        assert crash is not None and crash.failure.frame is not None
        assert crash.failure.title == "ModuleNotFoundError: No module named 'no_such_thing'"
        assert crash.failure.frame.place == ("conftest.py" if more else "test_it.py")


@pytest.mark.slow
def test_a_doctest(tmp_path: Path) -> None:
    """Its own line and the two results, or the exception of its code; nothing of pytest."""
    doc = '"""\n>>> 1 + 1\n3\n"""\n'
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--doctest-modules", "doc.py")
    _, crash = run(tmp_path, *words, doc=doc)
    assert crash is not None and crash.failure.frame is not None
    assert crash.failure.title == "DocTestFailure: expected '3', got '2'"
    assert (crash.failure.frame.place, crash.failure.frame.line) == ("doc.py", 2)
    (tmp_path / "crash.jsonl").unlink()
    _, crash = run(tmp_path, *words, doc=doc.replace("1 + 1", "{}['k']"))
    assert crash is not None and crash.failure.title == "KeyError: 'k'"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_failing_tests_are_counted_beyond_those_captured(
    tmp_path: Path, workers: list[str]
) -> None:
    """Seven fail, in pytest or in a worker of pytest-xdist: all are counted."""
    if workers:
        pytest.importorskip("xdist")
    test = (
        "import pytest\n@pytest.mark.parametrize('n', range(7))\ndef test_it(n):\n"
        "    assert [1][n:] == 4\n"
    )
    _, crash = run(
        tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", *workers, "test_it.py",
        test_it=test,
    )  # fmt: skip
    left = read(str(tmp_path / "crash.jsonl"))
    assert (left.failed, len(left.crashes)) == (7, 5)
    assert crash is not None and crash.failure.frame is not None
    assert (crash.failure.frame.place, crash.failure.frame.line) == ("test_it.py", 4)
    assert "assert [1][n:] == 4" in crash.failure.frame.text


@pytest.mark.slow
def test_a_forked_process_that_dies(tmp_path: Path) -> None:
    """`multiprocessing` shows what its process died of as ever; it is captured with its values
    though the program itself ends well."""
    main = (
        "import multiprocessing as m\ndef work(n):\n    return [1][n]\n"
        "p = m.get_context('fork').Process(target=work, args=(3,)); p.start(); p.join()\n"
    )
    done, crash = run(tmp_path, "main.py", main=main)
    assert crash is not None and crash.failure.frame is not None
    assert (done.returncode, crash.where, crash.process) == (0, "process", "ForkProcess-1")
    assert [(each.name, each.value) for each in crash.failure.frame.variables] == [("n", "3")]
    plain = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == plain.stderr


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["multiprocessing.Pool", "concurrent.futures.ProcessPoolExecutor"])
def test_what_a_worker_of_a_pool_died_of(tmp_path: Path, pool: str) -> None:
    """The place in the worker is told as the cause, from the text that it sent."""
    main = (
        "import multiprocessing, concurrent.futures\n"
        "def work(key):\n    return {}[key]\n"
        f"if __name__ == '__main__':\n    with {pool}(1) as p:\n        list(p.map(work, [1]))\n"
    )
    _, crash = run(tmp_path, "main.py", main=main)
    assert crash is not None and len(crash.failure.errors) == 2
    cause, error = crash.failure.errors
    assert (cause.type, cause.relation, error.type) == ("KeyError", "cause", "KeyError")
    assert (cause.frames[-1].place, cause.frames[-1].line) == ("main.py", 3)
    assert cause.notes[-1].endswith("at main.py, line 3, in work: return {}[key]")


@pytest.mark.slow
def test_a_hook_of_the_programs_own(tmp_path: Path) -> None:
    """What a hook that was set later takes is captured at the end, with its values; one that the
    program went on after is not."""
    hook = "import sys\nsys.excepthook = lambda kind, error, trace: print('oops')\n"
    done, crash = run(tmp_path, "main.py", main=hook + "x = 4\n[][x]\n")
    assert (done.stdout, done.stderr) == ("oops\n", "")
    assert crash is not None and crash.where == "hook" and crash.failure.frame is not None
    assert [(each.name, each.value) for each in crash.failure.frame.variables] == [("x", "4")]
    (tmp_path / "crash.jsonl").unlink()
    went_on = "import sys\ntry: 1 / 0\nexcept ZeroDivisionError as e: sys.last_value = e\n"
    _, crash = run(tmp_path, "main.py", main=went_on)
    assert crash is None


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
    assert read(str(file)) == Left()
    assert "was not written to its end" in capsys.readouterr().err
    assert read(str(tmp_path / "none")) == Left()
