"""The kept-open server says the same as a batch, survives its own death and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.gather import gather
from aiex_ipy.grounding.ruff_server import RuffServer

STDLIB = Path(os.__file__).parent
FILES = ["argparse.py", "tarfile.py", "turtle.py", "typing.py", "this.py", "asyncio/staggered.py"]


@pytest.fixture
def server() -> Iterator[RuffServer]:
    with RuffServer() as made:
        yield made


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("name", FILES)
def test_the_server_says_what_a_batch_says(server: RuffServer, name: str) -> None:
    """Facts do not depend on the way ruff is asked, for real files."""
    file = STDLIB / name
    subject = Subject(path=name, text=file.read_text(encoding="utf-8"), file=str(file))
    assert gather([subject], ruff=server) == gather([subject])
    assert server.pid is not None


@pytest.mark.parametrize(
    "text",
    [
        "import os  # noqa\nx = '😀é'; y = z  # NOQA: F821\n",
        "# ruff: noqa\n# flake8: noqa\nimport os\neval(x)\n",
        "import os  # ruff: ignore[F401]\n",
        "def f(:\n",
        "",
        "def f(a=[]):\n    return a\n\n\nassert (1, 'x')\n",
        "x = '''\n# noqa\n'''\nimport re\n",
        "return 1\n",
    ],
)
def test_odd_texts_are_the_same_by_server_and_batch(server: RuffServer, text: str) -> None:
    """Suppressions, wide characters and syntax errors make no difference."""
    subject = Subject(path="<stdin>", text=text)
    assert gather([subject], ruff=server) == gather([subject])


def test_a_server_that_was_killed_is_started_anew(server: RuffServer) -> None:
    """kill -9 of the server costs nothing but the start."""
    assert server.lint("a.py", "import os\n")
    first = server.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    found = server.lint("a.py", "import os\n")
    assert found is not None
    assert [f.code for f in found] == ["F401"]
    assert server.pid != first


def test_a_text_that_kills_the_server_is_still_answered(server: RuffServer) -> None:
    """Absurd nesting overflows ruff's stack; the facts say syntax error and life goes on."""
    subject = Subject(path="<stdin>", text="x = " + "-" * 100_000 + "1")
    (found,) = gather([subject], ruff=server)
    assert [issue.category for issue in found.issues] == ["syntax"]
    assert server.lint("a.py", "import os\n")


def test_close_leaves_no_process_and_no_thread() -> None:
    """After `close` the process is gone, and `lint` says that it has no answer."""
    threads = set(threading.enumerate())
    with RuffServer() as server:
        server.lint("a.py", "x = 1\n")
        pid = server.pid
    assert pid is not None
    assert gone(pid)
    assert server.lint("a.py", "x = 1\n") is None
    for thread in set(threading.enumerate()) - threads:
        thread.join(timeout=5)
        assert not thread.is_alive()
    subject = Subject(path="<stdin>", text="import os\n")
    assert [i.rule for i in gather([subject], ruff=server)[0].issues] == ["F401"]


def test_threads_share_one_server(server: RuffServer) -> None:
    """Answers do not cross between threads."""
    wrong: list[str] = []

    def ask(module: str) -> None:
        for _ in range(20):
            found = server.lint("a.py", f"import {module}\n") or []
            if [f.message for f in found] != [f"`{module}` imported but unused"]:
                wrong.append(module)

    threads = [threading.Thread(target=ask, args=(m,)) for m in ("os", "re", "ast", "json")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.slow
def test_the_server_ends_with_its_process() -> None:
    """A kernel that is killed leaves no server behind."""
    code = (
        "from aiex_ipy.grounding.ruff_server import RuffServer; import time\n"
        "s = RuffServer(); s.lint('a.py', ''); print(s.pid, flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    pid = int(child.stdout.readline())
    child.kill()
    child.wait()
    child.stdout.close()
    for _ in range(100):
        if gone(pid):
            return
        time.sleep(0.05)
    pytest.fail("the server outlived its process by 5 s")
