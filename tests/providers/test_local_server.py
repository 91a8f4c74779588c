"""The shared model server as processes see it: started once, held, left, killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from aiex_ipy.errors import StoreError, UnavailableError
from aiex_ipy.providers import local_connection
from aiex_ipy.providers.local_connection import Connection, connect
from aiex_ipy.providers.local_server import ServerSpec, Speed

pytestmark = pytest.mark.slow

Spec = Callable[..., ServerSpec]


@pytest.fixture
def spec(at_home: Path, smollm2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """Makes specs of a small server that leaves soon, with sockets of this test alone."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def make(**changes: object) -> ServerSpec:
        fields: dict[str, object] = {
            "model_path": str(smollm2),
            "model_name": "SmolLM2-135M-Instruct",
            "threads": 1,
            "context_tokens": 256,
            "slots": 1,
            "linger_ms": 1000,
            "sleep_s": 600,
        }
        return msgspec.convert(fields | changes, ServerSpec)

    return make


def running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int, within_s: float = 10.0) -> bool:
    give_up = time.monotonic() + within_s
    while running(pid):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True


def connected(spec: ServerSpec) -> Connection:
    return asyncio.run(connect(spec))


# A client of its own process: prints the server's pid, then holds on or does as told.
CLIENT = """
import asyncio, os, sys, time, msgspec
from aiex_ipy.providers.local_connection import connect
from aiex_ipy.providers.local_server import ServerSpec
spec = msgspec.json.decode(sys.argv[1], type=ServerSpec)
connection = asyncio.run(connect(spec))
print(connection.ready.pid, flush=True)
"""


def client(spec: ServerSpec, then: str = "time.sleep(120)") -> subprocess.Popen[str]:
    argument = msgspec.json.encode(spec).decode()
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT + textwrap.dedent(then), argument],
        stdout=subprocess.PIPE,
        text=True,
    )


def first_line(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_two_processes_at_once_share_one_server_that_outlives_neither(spec: Spec) -> None:
    """Two kernels started together load the model once; after kill -9 of both it is gone."""
    clients = [client(spec()) for _ in range(2)]
    pids = [first_line(process) for process in clients]
    assert pids[0] == pids[1]
    end(clients[0])
    time.sleep(1.5)  # longer than it lingers: the other one still holds it
    assert running(pids[0])
    end(clients[1])
    assert gone(pids[0])
    assert not list(local_connection.runtime_dir().glob("*.sock"))


def test_a_client_that_exits_lets_the_server_go(spec: Spec) -> None:
    """No farewell is needed: the end of the process is enough."""
    process = client(spec(), then="os._exit(0)")
    pid = first_line(process)
    end(process)
    assert gone(pid)


def test_a_server_in_use_answers_the_next_client_at_once(spec: Spec) -> None:
    """The second connection finds the first one's server; the speed was measured."""
    first = connected(spec())
    second = connected(spec())
    assert second.ready == first.ready
    assert first.ready.speed.prompt_tokens_per_s > 1
    assert local_connection.last_speed(spec()) == first.ready.speed
    first.close()
    second.close()
    assert gone(first.ready.pid)


def test_another_model_thread_count_or_context_is_another_server(spec: Spec) -> None:
    """Settings that change what the server is give a server of their own, at the same time."""
    first = connected(spec())
    second = connected(spec(context_tokens=512))
    assert first.ready.pid != second.ready.pid
    assert first.ready.api_key != second.ready.api_key
    assert first.alive()
    first.close()
    second.close()


def test_a_killed_server_is_noticed_and_started_again(spec: Spec) -> None:
    """After kill -9 the connection says so, and the next one starts a new server."""
    first = connected(spec())
    assert first.alive()
    os.kill(first.ready.pid, signal.SIGKILL)
    assert asyncio.run(first.gone())
    assert not first.alive()
    second = connected(spec())
    assert second.ready.pid != first.ready.pid
    assert second.alive()
    first.close()
    second.close()


@pytest.mark.parametrize("left", ["socket", "file"])
def test_what_a_dead_server_left_is_no_hindrance(spec: Spec, left: str) -> None:
    """A socket nobody listens at, or any file of its name, is replaced."""
    path = local_connection.runtime_dir() / f"{local_connection._digest(spec())}.sock"
    if left == "socket":
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
    else:
        path.write_text("")
    connection = connected(spec())
    assert connection.alive()
    connection.close()


def test_no_client_falls_between_a_leaving_and_a_starting_server(spec: Spec) -> None:
    """Whoever comes at the moment the server leaves gets one all the same."""
    hasty = spec(linger_ms=0)
    pids = set()
    for pause in (0.0, 0.0, 0.01, 0.05, 0.0):
        connection = connected(hasty)
        pids.add(connection.ready.pid)
        connection.close()
        time.sleep(pause)
    assert all(gone(pid) for pid in pids)


def test_a_forked_child_does_not_hold_the_server(spec: Spec) -> None:
    """A worker forked from the kernel keeps no connection of its parent's."""
    process = client(
        spec(),
        then="""
        if os.fork():
            os._exit(0)
        assert not connection.alive()
        print(os.getpid(), flush=True)
        time.sleep(120)
        """,
    )
    pid = first_line(process)
    worker = first_line(process)
    try:
        assert gone(pid)
        assert running(worker)
    finally:
        os.kill(worker, signal.SIGKILL)
        end(process)


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(spec: Spec) -> None:
    """The server has left the session of the process that started it."""
    connection = connected(spec())
    assert os.getsid(connection.ready.pid) != os.getsid(0)
    assert os.getpgid(connection.ready.pid) != os.getpgid(0)
    connection.close()


def test_the_key_is_where_only_its_user_sees_it(
    spec: Spec, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on no command line, in no environment and no file; vendors' keys do not travel."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-vendor")
    connection = connected(spec())
    key = connection.ready.api_key.encode()
    proc = Path(f"/proc/{connection.ready.pid}")
    assert key not in (proc / "cmdline").read_bytes()
    assert key not in (proc / "environ").read_bytes()
    assert b"sk-of-the-vendor" not in (proc / "environ").read_bytes()
    assert not [
        file
        for folder in (local_connection.runtime_dir(), at_home / "state")
        for file in folder.iterdir()
        if file.is_file() and key in file.read_bytes()
    ]
    assert key.decode() not in repr(connection.ready)
    assert stat.S_IMODE(local_connection.runtime_dir().stat().st_mode) == 0o700
    connection.close()


def test_cancelling_while_the_model_loads_leaves_no_server(spec: Spec) -> None:
    """Ctrl-C during the load returns at once, and the half-made server goes."""

    async def cancelled() -> None:
        task = asyncio.create_task(connect(spec()))
        while not list(local_connection.runtime_dir().glob("*.sock")):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    give_up = time.monotonic() + 15
    while list(local_connection.runtime_dir().glob("*.sock")):
        assert time.monotonic() < give_up
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("cut", "not within the file bounds"),
        ("header", "exceeds maximum"),
        ("version", "version"),
        ("weights", "invalid data"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_one_line_with_the_reason(
    spec: Spec, smollm2: Path, tmp_path: Path, damage: str, reason: str
) -> None:
    """The server has one error for all damages; the reason is taken from its log."""
    path = tmp_path / "damaged.gguf"
    content = bytearray(smollm2.read_bytes())
    if damage == "cut":
        del content[50_000_000:]
    elif damage == "header":
        content[30:1500] = b"\xff" * 1470
    elif damage == "version":
        content[4:8] = b"aaaa"
    else:
        content[60_000_000:61_000_000] = b"\xff" * 1_000_000
    path.write_bytes(content)
    with pytest.raises(UnavailableError, match=reason) as caught:
        connected(spec(model_path=str(path)))
    assert caught.value.code == "model_not_loadable"
    assert str(path) in caught.value.message
    assert ".log" in caught.value.hint


@pytest.mark.parametrize(
    ("module", "code", "reason"),
    [
        (
            "raise ModuleNotFoundError(\"No module named 'xllamacpp'\")",
            "local_extra_missing",
            "xllamacpp",
        ),
        (
            "import os\nos.write(2, b'illegal instruction\\n')\nos.abort()",
            "model_not_loadable",
            "illegal instruction",
        ),
    ],
    ids=["missing", "crash"],
)
def test_a_server_that_cannot_run_at_all_is_one_line(
    spec: Spec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    code: str,
    reason: str,
) -> None:
    """A missing package and a crash of the native code are told apart; nobody hangs."""
    (tmp_path / "xllamacpp.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=reason) as caught:
        connected(spec(context_tokens=300))
    assert caught.value.code == code


def test_a_check_that_fails_starts_nothing(spec: Spec) -> None:
    """What the check before a start raises reaches the caller, and no socket is left."""

    def check() -> None:
        raise StoreError("damaged")

    with pytest.raises(StoreError, match="damaged"):
        asyncio.run(connect(spec(context_tokens=301), check=check))
    assert not list(local_connection.runtime_dir().glob("*.sock"))


def test_a_read_only_data_directory_is_no_hindrance(
    spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model shared by a whole machine is served; log and speed lie with the sockets then."""
    monkeypatch.setenv("AIEX_DATA_DIR", "/proc/nowhere")
    made = spec(context_tokens=303)
    connection = connected(made)
    assert local_connection.log_path(made).parent == local_connection.runtime_dir()
    assert local_connection.last_speed(made) == connection.ready.speed
    connection.close()


def test_more_threads_than_processors_are_not_used(spec: Spec) -> None:
    """Threads that wait for each other make a small container ten times slower."""
    process = subprocess.Popen(
        [sys.executable, "-c", THREADS, msgspec.json.encode(spec(threads=64)).decode()],
        stdout=subprocess.PIPE,
        text=True,
    )
    pid, threads_at_two, threads_at_64 = (
        first_line(process),
        first_line(process),
        first_line(process),
    )
    end(process)
    assert gone(pid)
    assert threads_at_64 == threads_at_two


def test_threads_wait_for_each_other_asleep(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine threads that spin leave a tenth of the speed; a user's own word counts."""
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    for own, policy in ((None, b"passive"), ("active", b"active")):
        if own:
            monkeypatch.setenv("OMP_WAIT_POLICY", own)
        connection = connected(spec(threads=2, context_tokens=304 + len(policy)))
        variables = Path(f"/proc/{connection.ready.pid}/environ").read_bytes().split(b"\0")
        assert b"OMP_WAIT_POLICY=" + policy in variables
        connection.close()


# Counts the threads of two servers on one processor.
THREADS = """
import asyncio, os, sys, msgspec
from aiex_ipy.providers.local_connection import connect
from aiex_ipy.providers.local_server import ServerSpec
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
many = msgspec.json.decode(sys.argv[1], type=ServerSpec)
one = msgspec.structs.replace(many, threads=1)
held = [asyncio.run(connect(spec)) for spec in (one, many)]
print(held[1].ready.pid)
for connection in held:
    print(len(os.listdir(f"/proc/{connection.ready.pid}/task")))
"""


def test_sockets_lie_in_a_private_directory_with_a_short_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long path, a link and a directory open to others are not used as they are."""
    short = tmp_path / "d"
    monkeypatch.setenv("AIEX_DATA_DIR", str(short))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("x" * 120)))
    assert local_connection.runtime_dir() == short / "run"

    (short / "run").chmod(0o777)
    assert stat.S_IMODE(local_connection.runtime_dir().stat().st_mode) == 0o700

    (short / "run").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (short / "run").symlink_to(tmp_path / "elsewhere")
    found = local_connection.runtime_dir()
    assert found not in (short / "run", tmp_path / "elsewhere")
    assert stat.S_IMODE(found.stat().st_mode) == 0o700


def test_a_speed_file_in_no_known_form_counts_as_none(spec: Spec) -> None:
    """A half-written or foreign file does not break the planning of a prompt."""
    odd = spec(context_tokens=302)
    assert local_connection.last_speed(odd) is None
    path = local_connection._speed_path(odd)
    path.write_text("{")
    assert local_connection.last_speed(odd) is None
    path.write_bytes(msgspec.json.encode(Speed(prompt_tokens_per_s=12.0, output_tokens_per_s=3.0)))
    measured = local_connection.last_speed(odd)
    assert measured is not None
    assert measured.prompt_tokens_per_s == 12.0
