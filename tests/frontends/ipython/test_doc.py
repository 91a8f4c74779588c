"""`ai_doc` and `%aiex doc` in a shell, a kernel and a terminal."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.errors import UnknownNameError, UsageError
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

from .conftest import Kernel
from .test_terminal import Terminal, terminal

__all__ = ["terminal"]  # a fixture
pytestmark = pytest.mark.slow


def test_a_function_of_a_cell(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Its cell and line, source and docstring; where other cells use it; its examples are not run,
    which is said."""
    shell.run_cell(
        "import functools\n\ndef double(x: int = 2) -> int:\n    '''Twice.\n\n"
        "    >>> double(2)\n    4\n    '''\n    return 2 * x\n",
        store_history=True,
    )
    shell.run_cell("y = double(4)", store_history=True)
    found = shell.ev("ai_doc(double, provider='none')")
    assert (found.kind, found.path, found.line) == ("function", "In[1]", 3)
    assert found.signatures == ("def double(x: int=2) -> int",)
    assert found.summary == "Twice." and "return 2 * x" in found.source
    assert [(use.path, use.line) for use in found.uses] == [("In[2]", 1)]
    assert found.examples[0].ran == "not run" and "session" in found.examples[0].reason
    out = capsys.readouterr().out
    assert "Where it is used" in out and "In[2], line 1: y = double(4)" in out


def test_names_stand_for_what_the_user_has_first(shell: Any) -> None:
    """`json` that is a variable is the variable; a method of it is found by its class; else what
    is installed."""
    shell.run_cell("class Box:\n    def fill(self, what): 'Fill it.'\njson = Box()")
    assert shell.ev("ai_doc('json.fill', provider='none')").summary == "Fill it."
    instance = shell.ev("ai_doc('json', provider='none')")
    assert instance.kind == "instance" and instance.value.type.endswith("Box")
    shell.run_cell("del json")
    assert shell.ev("ai_doc('json', provider='none', run=False)").kind == "package"
    assert shell.ev("ai_doc('json.dumps', provider='none')").distribution == "Python"


@pytest.mark.parametrize(
    ("name", "error", "hint"),
    [
        ("frame.grupby", UnknownNameError, "groupby"),
        ("fram", UnknownNameError, "frame"),
        ("json.dmps", UnknownNameError, "dumps"),
        ("two words", UsageError, "dotted name"),
        ("", UsageError, "dotted name"),
        ("os.path.jion", UnknownNameError, "join"),
    ],
)
def test_a_wrong_name_is_answered_with_the_near_miss(
    shell: Any, name: str, error: type[Exception], hint: str
) -> None:
    """Also of a variable of the user's, and of what a live object has."""
    shell.run_cell("import pandas\nframe = pandas.DataFrame({'a': [1]})")
    with pytest.raises(error, match=hint):
        shell.user_ns["ai_doc"](name, provider="none")


def test_examples_that_ran_are_marked(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A library's docstring: its examples run in a child, each with what came of it."""
    found = shell.ev("ai_doc('statistics.mean', provider='none')")
    assert {each.ran for each in found.examples} == {"ok"}
    assert "# ran: ok" in capsys.readouterr().out
    found = shell.ev("ai_doc('statistics.mean', run=False, provider='none')")
    assert {each.ran for each in found.examples} == {"not run"}


def test_uses_in_the_project(shell: Any, tmp_path: Path) -> None:
    """Lines of the project's files, tests marked."""
    (tmp_path / "shop.py").write_text("def total(x):\n    return x\n", encoding="utf-8")
    (tmp_path / "main.py").write_text("from shop import total\nprint(total(1))\n", encoding="utf-8")
    found = shell.ev("ai_doc('shop.total', provider='none')")
    assert (found.name, found.path) == ("shop.total", "shop.py")
    assert [(use.path, use.line) for use in found.uses] == [("main.py", 2)]


def test_the_model_is_told_the_source(shell: Any, server: LoopbackServer) -> None:
    """Signature, source and docstring are in the prompt; names it makes up are marked."""
    server.replies = [Reply(pieces=("Use `textwrap.dedent`, not `undented`.",))]
    found = shell.ev("ai_doc('textwrap.dedent')")
    asked = server.asked[-1].json["messages"][-1]["content"]
    assert "def dedent(text)" in asked and "Remove any common leading whitespace" in asked
    assert found.unconfirmed == ("undented",)
    assert found.text.startswith("Use")


def test_the_magic(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`%aiex doc NAME`, with `--static` and as JSON."""
    import json

    shell.run_cell("%aiex doc --static --provider none --output json textwrap.dedent")
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == "textwrap.dedent" and "/" not in found["path"]


def test_every_form(shell: Any) -> None:
    """Text, Markdown, HTML and JSON of one result hold its name."""
    from aiex_ipy.render.results import FORMATS, render

    found = shell.ev("ai_doc('statistics.mean', provider='none')")
    for form in FORMATS:
        assert "mean" in render(found, form)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child")
def test_interrupted_at_random_moments_then_used_again(kernel: Kernel) -> None:
    """While source is read, examples run, or nothing is left to do: the next one works."""
    chance = random.Random(5)
    code = "d = ai_doc({!r}, provider='none')"
    kernel.run(code.format("json"))
    for name in ("statistics.mean", "pandas.DataFrame.groupby", "json.dumps", "numpy.linspace"):
        request = kernel.start(code.format(name))
        ended = threading.Event()

        def interrupt(ended: threading.Event = ended) -> None:
            time.sleep(chance.uniform(0.05, 0.8))
            if not ended.is_set():
                os.kill(kernel.manager.provisioner.pid, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        ran = kernel.finish(request, timeout_s=60)
        ended.set()
        thread.join()
        assert ran.ok or "KeyboardInterrupt" in ran.error, ran.error
    ran = kernel.run(code.format("textwrap.dedent"))
    assert ran.ok, ran.error
    assert "textwrap.dedent" in ran.shown[0]["text/markdown"]


def test_control_c_in_a_terminal(terminal: Terminal) -> None:
    """The prompt is there again, and the next one works."""
    terminal.run("ai_doc('json', provider='none')")
    terminal.type("ai_doc('pandas.DataFrame.groupby', provider='none')")
    time.sleep(0.3)
    terminal.child.sendintr()
    assert "Traceback" not in terminal.prompt()
    assert "textwrap.dedent" in terminal.run("ai_doc('textwrap.dedent', provider='none')")


def test_explain_knows_aliases_objects_and_near_misses(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """`%aiex explain` follows what a module only passes on, explains an object by its class when
    that is of the session, and says which of the user's names is spelled like an unknown one."""
    shell.run_cell("class Box:\n    def fill(self):\n        return 1\nbox_of_tea = Box()")
    shell.run_cell("%aiex explain --provider none os.path.join")
    assert "function join in" in capsys.readouterr().out
    shell.run_cell("%aiex explain --provider none box_of_tea")
    assert "class Box" in capsys.readouterr().out
    shell.run_cell("%aiex explain --provider none box_of_te")
    assert "'box_of_tea' is spelled like it" in capsys.readouterr().out
