"""What aiex costs in IPython: SPEC 14, the rows `%load_ext aiex` and `%%aiex` through `run_cell`.

    python benchmarks/ipython.py [--rounds 15] [--calls 40]

Loading: `ipython -c ""` and `ipython -c "%load_ext aiex"` in turn; what counts is the CPU time and
the peak memory of each process. A call: a server in a process of its own answers one word at once;
in one shell with history and display on, a raw call on a reused client of the openai SDK, the
same from a cell that shows a word (IPython's own share), a cell that does nothing, and `%%aiex`
take turns; what counts is wall time. The same in a real kernel, where the answer goes out as
display messages. And how long the first words of a slow answer take from the engine to the screen.
Medians stand beside minima; the rows at the end are ratios of both.
"""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rows import Row, keep, parser, ratio

WARM_UP = 5


@contextlib.contextmanager
def server() -> Iterator[str]:
    child = subprocess.Popen(
        [sys.executable, "-m", "aiex_ipy.testing.loopback", "--tokens", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None and child.stdin is not None
    try:
        yield json.loads(child.stdout.readline())["url"]
    finally:
        child.stdin.close()
        child.wait()


def load_once(code: str, home: str) -> tuple[float, float]:
    """CPU seconds and peak MB of one IPython process."""
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "IPython", "--no-banner", "-c", code],
        {**os.environ, "IPYTHONDIR": home},
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, used = os.wait4(pid, 0)
    assert status == 0
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure_loading(rounds: int) -> Iterator[Row]:
    """Print what was measured; yield its rows."""
    cases = {"ipython": "", "%load_ext aiex": "%load_ext aiex"}
    cpu: dict[str, list[float]] = {name: [] for name in cases}
    memory: dict[str, list[float]] = {name: [] for name in cases}
    with tempfile.TemporaryDirectory() as home:
        for number in range(rounds + 1):
            for name in sorted(cases, reverse=bool(number % 2)):
                seconds, megabytes = load_once(cases[name], home)
                if number:
                    cpu[name].append(seconds)
                    memory[name].append(megabytes)
    for name in cases:
        print(
            f"{name:20} CPU median {statistics.median(cpu[name]) * 1e3:6.1f} ms, "
            f"min {min(cpu[name]) * 1e3:6.1f} ms; "
            f"memory median {statistics.median(memory[name]):5.1f} MB"
        )
    bare, loaded = cases
    yield ratio("%load_ext aiex, CPU", "bare IPython", cpu[loaded], cpu[bare], 1.15)
    grown = statistics.median(memory[loaded]) - statistics.median(memory[bare])
    least = min(memory[loaded]) - min(memory[bare])
    yield Row("%load_ext aiex, memory", "bare IPython", grown, least, 6.0, "MB")


def measure_calls(shell: Any, rounds: int, calls: int, base_url: str) -> dict[str, list[float]]:
    """Medians in ms of each kind of call, one a round."""
    import openai

    client = openai.OpenAI(api_key="sk-bench", base_url=base_url, max_retries=0)
    asked: dict[str, Any] = {
        "model": "loopback-model",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 4000,
    }

    def raw() -> None:
        assert client.chat.completions.create(**asked).choices[0].message.content

    def raw_streamed() -> None:
        with client.chat.completions.create(**asked, stream=True) as events:
            for event in events:
                if event.choices:
                    event.choices[0].delta.content

    def cell(text: str) -> Callable[[], None]:
        def run() -> None:
            assert shell.run_cell(text, store_history=True).success

        return run

    def raw_in_a_cell(line: str, cell: str) -> None:
        raw()
        if hasattr(shell, "kernel"):
            shell.display_pub.publish({"text/markdown": "hello", "text/plain": "hello"})
        else:
            print("hello")

    shell.register_magic_function(lambda line, cell: None, "cell", "nothing")
    shell.register_magic_function(raw_in_a_cell, "cell", "raw")
    kinds: dict[str, Callable[[], None]] = {
        "raw SDK call": raw,
        "raw SDK, streamed": raw_streamed,
        "%%nothing": cell("%%nothing\nhello"),
        "%%raw": cell("%%raw\nhello"),
        "%%aiex": cell("%%aiex\nhello"),
        "ai()": cell("ai('hello');"),
    }
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(rounds + 1):
        for name, call in kinds.items():
            taken = []
            for _ in range(calls if number else WARM_UP):
                start = time.perf_counter()
                call()
                taken.append((time.perf_counter() - start) * 1e3)
            if number:
                found[name].append(statistics.median(taken))
    return found


def told(where: str, found: dict[str, list[float]]) -> list[Row]:
    """Print what was measured; return its rows.

    In a kernel the figure over a bare call says little of aiex: IPython's history thread and the
    messages make a raw call that is shown from a cell (`%%raw`) more than twice as slow.
    """
    base = found["raw SDK call"]
    for name, medians in found.items():
        ratios = [one / other for one, other in zip(medians, base, strict=True)]
        print(
            f"{where:6} {name:18} median {statistics.median(medians):6.2f} ms, "
            f"min {min(medians):6.2f} ms; {statistics.median(ratios):5.2f}x a raw call"
        )
    if where == "kernel":
        shown = found["%%raw"]
        return [
            ratio("%%aiex in a kernel", "a raw SDK call shown there", found["%%aiex"], shown, 1.1)
        ]
    return [ratio("%%aiex in a shell", "a raw SDK call", found["%%aiex"], base, 1.5)]


def variables(base_url: str, home: str) -> dict[str, str]:
    return {
        "AIEX_DEFAULT_PROVIDER": "openai",
        "OPENAI_API_KEY": "sk-bench",
        "OPENAI_BASE_URL": base_url,
        "IPYTHONDIR": home,
        "XDG_CONFIG_HOME": home,
    }


def first_words(times: int) -> Iterator[Row]:
    """From the first words on the engine's loop to the screen, of answers that take a while."""
    from IPython.core.interactiveshell import InteractiveShell

    from aiex_ipy.testing.loopback import LoopbackServer
    from aiex_ipy.testing.replies import Reply

    slow = Reply(pieces=("word ",) * 10, pause_s=0.01)
    shell = InteractiveShell.instance()
    with LoopbackServer(slow) as server, open(os.devnull, "w") as nowhere:
        os.environ["OPENAI_BASE_URL"] = server.openai_url
        shell.run_line_magic("load_ext", "aiex")
        with contextlib.redirect_stdout(nowhere):
            waits = first_waits(shell, times)
        shell.run_line_magic("unload_ext", "aiex")
    p95 = waits[int(len(waits) * 0.95)]
    yield Row("first words, engine to screen, p95", "nothing", p95, waits[0], 5.0, "ms")


def first_waits(shell: Any, times: int) -> list[float]:
    """Milliseconds, in order of size."""
    from aiex_ipy.engine.jobs import Job
    from aiex_ipy.frontends.ipython.terminal import TerminalScreen
    from aiex_ipy.operations.base import Text

    jobs: list[Any] = []
    came: list[float] = []
    shown: list[float] = []
    put, show = Job.put, TerminalScreen.show

    def timed_put(job: Any, update: Any) -> None:
        if isinstance(update, Text) and job not in jobs:
            jobs.append(job)
            came.append(time.perf_counter())
        put(job, update)

    def timed_show(screen: Any) -> int:
        size = show(screen)
        if len(shown) < len(came):
            shown.append(time.perf_counter())
        return size

    Job.put, TerminalScreen.show = timed_put, timed_show  # type: ignore[method-assign]
    try:
        for _ in range(times):
            shell.run_cell("%%aiex\nhello")
    finally:
        Job.put, TerminalScreen.show = put, show  # type: ignore[method-assign]
    return sorted((b - a) * 1e3 for a, b in zip(came[1:], shown[1:], strict=True))


def in_a_shell(rounds: int, calls: int, base_url: str) -> list[Row]:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "aiex")
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        found = measure_calls(shell, rounds, calls, base_url)
    shell.run_line_magic("unload_ext", "aiex")
    return told("shell", found)


def in_a_kernel(rounds: int, calls: int, base_url: str, env: dict[str, str]) -> list[Row]:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(env={**os.environ, **env})
    here = str(Path(__file__).parent)
    code = (
        f"import sys; sys.path.insert(0, {here!r})\n%load_ext aiex\n"
        "from ipython import measure_calls\nimport json\n"
        f"found = measure_calls(get_ipython(), {rounds}, {calls}, {base_url!r})\n"
        "open(OUT, 'w').write(json.dumps(found))"
    )
    try:
        with tempfile.NamedTemporaryFile(suffix=".json") as out:
            client.execute_interactive(
                f"OUT = {out.name!r}\n{code}", output_hook=lambda message: None, timeout=600
            )
            return told("kernel", json.loads(Path(out.name).read_text()))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def memory() -> str | None:
    """A directory in memory, so that IPython's history does not wait for a disk that others use."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--calls", type=int, default=40)
    words.add_argument("--only", choices=("loading", "shell", "kernel", "words"))
    given = words.parse_args()
    root = Path(__file__).parent.parent
    compileall.compile_dir(root / "aiex_ipy", quiet=2)
    compileall.compile_file(root / "aiex.py", quiet=2)
    rows: list[Row] = []
    if given.only in (None, "loading"):
        rows += measure_loading(given.rounds)
    with server() as url, tempfile.TemporaryDirectory(dir=memory()) as home:
        env = variables(f"{url}/v1", home)
        os.environ.update(env)
        if given.only in (None, "shell"):
            rows += in_a_shell(given.rounds, given.calls, f"{url}/v1")
        if given.only in (None, "kernel"):
            rows += in_a_kernel(given.rounds, given.calls, f"{url}/v1", env)
        if given.only in (None, "words"):
            rows += first_words(4 * given.rounds)
        end_history()
    keep(rows, given.rows)


def end_history() -> None:
    """Let IPython write its history while its directory is still there."""
    from IPython.core.interactiveshell import InteractiveShell

    if InteractiveShell.initialized():
        InteractiveShell.instance().history_manager.end_session()


if __name__ == "__main__":
    main()
