"""Examples run in a bounded child."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from aiex_ipy.grounding.documentation import examples
from aiex_ipy.grounding.documentation.examples import examples_in, run_examples

pytestmark = pytest.mark.slow


def ran(docstring: str, module: str = "") -> list[tuple[str, str]]:
    return [
        (each.ran, each.got or each.reason) for each in run_examples(docstring, module, sys.path)
    ]


def test_each_example_is_marked() -> None:
    """Those that give what is shown, something else, or an error; and those to be skipped."""
    text = ">>> mean([1, 2])\n1.5\n>>> 1 + 1\n3\n>>> 1 / 0\n>>> 2 # doctest: +SKIP\n3\n>>> 4\n4\n"
    assert ran(text, "statistics") == [
        ("ok", ""),
        ("differs", "2"),
        ("failed", "ZeroDivisionError: division by zero"),
        ("not run", "the docstring says to skip it"),
        ("ok", ""),
    ]


def test_names_that_docstrings_take_for_granted() -> None:
    """`np` without an import, as numpy's own docstrings use it."""
    assert ran(">>> np.arange(2)\narray([0, 1])\n", "numpy") == [("ok", "")]


def test_what_an_example_has_no_need_for_is_refused(tmp_path: Path) -> None:
    """Writing elsewhere, removing, programs, the network; its own directory is free."""
    file = tmp_path / "mine"
    file.write_text("kept", encoding="utf-8")
    text = (
        f">>> open({str(file)!r}, 'w')\n"
        f">>> import os; os.remove({str(file)!r})\n"
        ">>> import subprocess; subprocess.run(['true'])\n"
        ">>> os.system('true')\n"
        ">>> import socket; socket.create_connection(('127.0.0.1', 9))\n"
        ">>> open('own', 'w').write('x')\n1\n"
        f">>> open({str(file)!r}).read()\n'kept'\n"
    )
    found = ran(text)
    assert [each for each, _ in found] == ["failed"] * 5 + ["ok"] * 2
    assert all("examples may not" in why for _, why in found[:5])
    assert file.read_text(encoding="utf-8") == "kept"


def test_the_environment_is_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the user's environment are not seen."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    text = (
        ">>> import os\n>>> os.environ.get('OPENAI_API_KEY'), os.getcwd() == os.environ['HOME']\n"
    )
    assert ran(f"{text}(None, True)\n")[1] == ("ok", "")


def test_the_time_limit_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless example is ended; those before it keep what came of them."""
    monkeypatch.setattr(examples, "TIME_S", 2.0)
    found = ran(">>> 1\n1\n>>> while True: pass\n>>> 2\n2\n")
    assert found[0] == ("ok", "")
    assert [each for each, _ in found[1:]] == ["not run"] * 2
    assert "time limit" in found[1][1]


def test_a_process_that_ends_itself() -> None:
    """What comes after is not run, and that is said."""
    found = ran(">>> import os; os._exit(0)\n>>> 1\n1\n")
    assert found == [("not run", "the examples before it ended the run")] * 2


def test_a_module_that_cannot_be_imported() -> None:
    """The reason is the import's error."""
    assert "No module named" in ran(">>> 1\n1\n", "no_such_module")[0][1]


def test_no_examples_start_no_process() -> None:
    """And a docstring that `doctest` refuses has none."""
    assert run_examples("Words.", "json", sys.path) == ()
    assert examples_in(">>>1", "") == ()
    assert os.path.exists(examples.CHILD)
