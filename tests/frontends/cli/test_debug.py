"""`aiex ai debug`: programs that are run, processes, and tracebacks that were printed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
AIEX = str(Path(sys.executable).with_name("aiex"))
SCRIPT = """\
import sys
def pick(items):
    return items[len(items)]
print("started", sys.argv[1:])
pick([1, 2])
"""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def aiex(tmp_path: Path) -> Run:
    """The program in a directory with a script that fails, asking no model."""
    (tmp_path / "crash.py").write_text(SCRIPT)
    env = {**os.environ, "AIEX_DEFAULT_PROVIDER": "none", "XDG_CONFIG_HOME": str(tmp_path)}

    def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [AIEX, "ai", "debug", *words],
            input=stdin,
            text=True,
            capture_output=True,
            cwd=tmp_path,
            env=env,
            timeout=60,
        )

    return run


def test_a_script_is_run_and_its_crash_explained(aiex: Run) -> None:
    """The program gets its own arguments and speaks for itself; then the values of its frames
    are told, which only a process that still had them can know."""
    done = aiex("--", sys.executable, "crash.py", "--output", "x")
    assert done.returncode == 0
    assert done.stdout.startswith("started ['--output', 'x']\n")
    assert "IndexError" in done.stdout and "crash.py, line 3, in pick" in done.stdout
    assert "Traceback (most recent call last)" in done.stderr, "the program's own"
    assert "exit code 1" in done.stderr


def test_json_is_the_report_and_holds_the_values(aiex: Run) -> None:
    """`--output json` before the `--` is ours."""
    done = aiex("--output", "json", "--", sys.executable, "crash.py")
    report: dict[str, Any] = json.loads(done.stdout)
    frame = report["failure"]["errors"][-1]["frames"][-1]
    assert {"items": "[1, 2]"}.items() <= {
        v["name"]: v["value"] for v in frame["variables"]
    }.items()


def test_a_failing_test_is_explained(aiex: Run, tmp_path: Path) -> None:
    """pytest catches the exception itself; it is explained all the same."""
    (tmp_path / "test_it.py").write_text("def test_it():\n    total = 3\n    assert total == 4\n")
    done = aiex("--", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
    assert "1 failed" in done.stdout
    assert "test_it.py, line 3, in test_it" in done.stdout


def test_a_program_that_works_is_no_failure(aiex: Run) -> None:
    """Nothing is explained where nothing failed."""
    done = aiex("--", sys.executable, "-c", "print(1)")
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert "without an error" in done.stderr


def test_a_printed_traceback_is_read(aiex: Run, tmp_path: Path) -> None:
    """What Python printed somewhere else is explained from stdin or a file."""
    crash = [sys.executable, "crash.py"]
    printed = subprocess.run(crash, capture_output=True, text=True, cwd=tmp_path).stderr
    assert "line 3, in pick" in aiex("-", stdin=printed).stdout
    (tmp_path / "crash.txt").write_text(printed)
    assert "line 3, in pick" in aiex("crash.txt").stdout


def test_a_process_is_looked_into(aiex: Run, tmp_path: Path) -> None:
    """The stack of a running Python process is told by its id, and the process goes on."""
    code = "import time\ndef wait_here():\n    print('up', flush=True); time.sleep(60)\nwait_here()"
    program = [sys.executable, "-c", code]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None and started.stdout.readline() == b"up\n"
        done = aiex(str(started.pid))
        assert "wait_here" in done.stdout, done.stderr
        assert started.poll() is None
        started.kill()


def test_an_interrupt_ends_the_program_and_is_explained(aiex: Run, tmp_path: Path) -> None:
    """Ctrl-C reaches the program; where it was then is told."""
    (tmp_path / "slow.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    started = subprocess.Popen(
        [AIEX, "ai", "debug", "--", sys.executable, "slow.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "AIEX_DEFAULT_PROVIDER": "none"},
        start_new_session=True,
    )
    assert started.stdout is not None and started.stdout.readline() == "up\n"
    time.sleep(0.2)
    os.killpg(started.pid, signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert "KeyboardInterrupt" in out and "slow.py, line 3" in out, err
    assert started.returncode == 130


def test_what_ends_aiex_ends_the_program(tmp_path: Path) -> None:
    """SIGTERM is passed on, and no program stays behind."""
    code = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n"
    started = subprocess.Popen(
        [AIEX, "ai", "debug", "--", sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "AIEX_DEFAULT_PROVIDER": "none"},
    )
    assert started.stdout is not None
    program = int(started.stdout.readline())
    started.terminate()
    started.communicate(timeout=60)
    assert started.returncode == 143
    with pytest.raises(ProcessLookupError):
        os.kill(program, 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--"], "no program after --"),
        (["1", "--", "true"], "Both"),
        (["a", "b"], "put -- before it"),
        (["crash.py"], "aiex ai debug -- python crash.py"),
        (["--", "no-such-program"], "cannot be started"),
        (["-"], "no traceback"),
        (["999999999"], "no process 999999999. Check the process id."),
        (["0"], "no process 0. Check the process id."),
        (["nothing.txt"], "does not exist"),
    ],
)
def test_what_cannot_be_debugged_is_said(aiex: Run, words: list[str], said: str) -> None:
    """A wrong target is an error with its remedy, exit code 2."""
    done = aiex(*words)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_crash_of_the_interpreter_is_read(aiex: Run) -> None:
    """Where a signal ended Python itself, the frames that faulthandler printed are told."""
    code = "import os\ndef fall():\n    os.kill(os.getpid(), 11)\nfall()"
    done = aiex("--", sys.executable, "-c", code)
    assert "Fatal Python error: Segmentation fault" in done.stdout
    assert "in fall" in done.stdout
    assert "SIGSEGV" in done.stderr


def test_last_words_without_a_traceback_are_shown(aiex: Run) -> None:
    """`sys.exit("…")` leaves no exception to look into: what was said is."""
    done = aiex("--", sys.executable, "-c", "import sys; sys.exit('no such table')")
    assert done.returncode == 0
    assert "exit code 1 and no traceback" in done.stdout and "no such table" in done.stdout


def test_json_is_not_mixed_with_the_programs_words(aiex: Run) -> None:
    """With `--output json` stdout is the report alone."""
    done = aiex("--output", "json", "--", sys.executable, "crash.py")
    assert json.loads(done.stdout)["operation"] == "debug"
    assert "started" in done.stderr


def test_several_failed_tests_are_counted(aiex: Run, tmp_path: Path) -> None:
    """One is explained, and that there are more is said."""
    (tmp_path / "test_two.py").write_text("def test_a():\n    1 / 0\ndef test_b():\n    {}['x']\n")
    done = aiex("--", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_two.py")
    assert "ZeroDivisionError" in done.stdout
    assert "first of 2 failed tests" in done.stderr


def test_a_python_that_cannot_be_watched_is_said(aiex: Run) -> None:
    """`-I`, `-E` and `-S` keep us out: only what was printed is read, and that is what is said."""
    for flags in (["-I"], ["-E", "-s"], ["-S"]):
        done = aiex("--", sys.executable, *flags, "crash.py")
        assert "crash.py, line 3, in pick" in done.stdout
        assert "it was not watched (no Python, or one with -I, -E or -S)" in done.stderr


def test_a_command_that_died_is_told_with_its_traceback(aiex: Run, tmp_path: Path) -> None:
    """The program's own failure is that a command of it failed: what the command printed, to the
    terminal or to the program, is told as the cause."""
    for captured in ("False", "True"):
        (tmp_path / "main.py").write_text(
            "import subprocess, sys\nsubprocess.run([sys.executable, 'crash.py'], check=True, "
            f"capture_output={captured})\n"
        )
        done = aiex("--output", "json", "--", sys.executable, "main.py")
        cause, error = json.loads(done.stdout)["failure"]["errors"]
        assert (cause["type"], cause["relation"]) == ("IndexError", "cause")
        note = "raised in another process at crash.py, line 3, in pick: return items[len(items)]"
        assert cause["notes"] == [note]
        assert error["type"] == "CalledProcessError"


def test_what_pytest_prints_on_stderr_is_read(aiex: Run) -> None:
    """A broken conftest in an environment without aiex: its file, line and error."""
    printed = (
        "ImportError while loading conftest '/home/x/conftest.py'.\n"
        "conftest.py:1: in <module>\n    import nope\n"
        "E   ModuleNotFoundError: No module named 'nope'\n"
    )
    said = aiex("-", stdin=printed).stdout
    assert "ModuleNotFoundError: No module named 'nope'" in said
    assert "conftest.py, line 1, in <module>" in said


def test_no_report_names_the_machine(aiex: Run, tmp_path: Path) -> None:
    """Neither the directories of a user nor addresses and thread ids stand in the JSON."""
    programs = {
        "lost": "open('data/x.csv')\n",
        "missing": "import no_such_thing\n",
        "fallen": "import os, threading, time\n"
        "threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
        "os.kill(os.getpid(), 11)\n",
        "pool": "import multiprocessing\ndef work(n):\n    return [][n]\n"
        "multiprocessing.Pool(1).map(work, [1])\n",
    }
    for name, text in programs.items():
        (tmp_path / f"{name}.py").write_text(text)
        done = aiex("--output", "json", "--", sys.executable, f"{name}.py")
        assert json.loads(done.stdout)["failure"]["title"]
        for each in (str(tmp_path), sys.prefix, sys.base_prefix, "0x"):
            assert each not in done.stdout, name


def test_a_process_that_dies_while_the_program_ends_well(aiex: Run, tmp_path: Path) -> None:
    """It is explained, and which process it was is said; of a spawned one the printed traceback."""
    text = (
        "import multiprocessing as m\ndef work(n):\n    return [1][n]\n"
        "if __name__ == '__main__':\n"
        "    p = m.get_context({!r}).Process(target=work, args=(3,)); p.start(); p.join()\n"
    )
    for method, said in (("fork", "the process 'ForkProcess-1'"), ("spawn", "on its stderr")):
        (tmp_path / "main.py").write_text(text.format(method))
        done = aiex("--", sys.executable, "main.py")
        assert "main.py, line 3, in work" in done.stdout
        assert said in done.stderr and "exit code 0" in done.stderr
