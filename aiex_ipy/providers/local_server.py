"""The child process that serves a local model: `python -m aiex_ipy.providers.local_server JSON`.

One server belongs to all processes of a user that want the same `ServerSpec`. The process that
starts it binds a local socket, hands it down, and every client (the starter too) connects to
it: the server greets each with one JSON line, `Ready` or `Failed`, and holds the connection.
When the last one has been closed for `linger_ms`, by the client or by its death, it leaves.

It is a process of its own because `xllamacpp.Server(...)` holds the GIL for the whole load
and waits for running answers when it is deleted: in a kernel both would freeze the notebook.
For the same reason it ends by `os._exit` and never deletes its server. Clients and their side
are in `local_connection`.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

PROTOCOL = 1

# Numbers of tokens for measuring the speed: 0.1 s on two quiet cores and within 5 % of what
# 128 tokens give. Source: measured with SmolLM2-135M Q4_1, one and two threads.
_SAMPLE_IN = 32
_SAMPLE_OUT = 4

# Tokens of a prompt that are read at one go, half a second on one core. Only between two goes does
# the server see that a client has left, and another client's answer get its next token. It costs
# 3 % of the processor time per token over the default of 2048, and 32 would cost 15 %.
_BATCH = 64


# Below this size a second thread costs an answer more in waiting for the first, about 12 ms a
# token, than it saves: SmolLM2-135M (98 MB) wrote 80 tokens/s with one thread and 55 with two.
# Where the two meet is reckoned from that, not measured.
_SMALL_BYTES = 300_000_000


class ServerSpec(Struct, frozen=True, kw_only=True):
    """What makes two servers the same one. `context_tokens` is per answer; `slots` is how many
    answers run at once. After `sleep_s` without a question the model's memory is given back, and
    the next question loads it again."""

    model_path: str
    model_name: str
    threads: int
    context_tokens: int
    slots: int
    linger_ms: int
    sleep_s: int


class Inheritance(Struct, frozen=True, kw_only=True):
    """What the starter hands down: the listening socket, and files of the runtime and state
    directories. Nothing in it is secret, for it stands on the command line."""

    spec: ServerSpec
    listener_fd: int
    socket_path: str
    socket_inode: int
    lock_path: str
    speed_path: str


class Speed(Struct, frozen=True, kw_only=True):
    """Tokens per second, read from the prompt and written as the answer."""

    prompt_tokens_per_s: float
    output_tokens_per_s: float


class Ready(Struct, frozen=True, kw_only=True, tag="ready"):
    """The greeting of a server that answers. `address` has no path: `http://127.0.0.1:PORT`."""

    pid: int
    address: str
    api_key: str
    model: str
    speed: Speed

    def __repr__(self) -> str:
        return f"Ready(pid={self.pid}, address={self.address!r}, model={self.model!r})"


class Failed(Struct, frozen=True, kw_only=True, tag="failed"):
    """The greeting of a server that could not load; it ends after it."""

    error: str


LOGGED_WITHIN_S = 2.0


def main(argument: str) -> NoReturn:
    """Leave the starter's process tree, load the model, serve, exit without clean-up."""
    if os.fork():
        os._exit(0)  # the starter waits for this one, so that no zombie is left to it
    inherited = msgspec.json.decode(argument, type=Inheritance)
    listener = socket.socket(fileno=inherited.listener_fd)
    linger_s = inherited.spec.linger_ms / 1000

    def retire() -> bool:
        return _retire(inherited, listener)

    try:
        # The model's server must stay referenced: deleting it waits for what it is doing.
        server, ready = _load(inherited)
    except Exception as error:
        _wait_for_log()
        failed = Failed(error=f"{type(error).__name__}: {error}")
        _turn_away(listener, msgspec.json.encode(failed) + b"\n", retire)
        os._exit(1)
    _hold_clients(listener, msgspec.json.encode(ready) + b"\n", linger_s, retire)
    os._exit(0 if server else 1)


def _wait_for_log() -> None:
    """Let llama.cpp, which logs in a thread of its own, write down why it failed."""
    end = monotonic() + LOGGED_WITHIN_S
    while os.fstat(2).st_size == 0 and monotonic() < end:
        sleep(0.02)
    sleep(0.05)  # the line is written in pieces


def _load(inherited: Inheritance) -> tuple[Any, Ready]:
    import secrets

    import xllamacpp

    spec = inherited.spec
    key = secrets.token_urlsafe(32)
    params = xllamacpp.CommonParams()
    params.model.path = spec.model_path
    params.model_alias = {spec.model_name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = 1  # errors only: with 0 a file that cannot be loaded gives no reason
    params.n_parallel = spec.slots
    params.n_ctx = spec.context_tokens * spec.slots  # the server splits it over the slots
    threads = min(spec.threads, _processors())
    small = os.path.getsize(spec.model_path) < _SMALL_BYTES
    params.cpuparams_batch.n_threads = threads  # reads prompts
    params.cpuparams.n_threads = 1 if small else threads  # writes answers
    params.n_batch = _BATCH
    params.n_ubatch = _BATCH
    params.cache_ram_mib = 0  # its default keeps old prompts in up to 8 GiB of memory
    params.check_tensors = True  # damaged weights give nonsense, not an error, without it
    params.fit_params = False
    params.sleep_idle_seconds = spec.sleep_s
    server = xllamacpp.Server(params)
    speed = _measure(server)
    _keep_speed(inherited.speed_path, speed)
    return server, Ready(
        pid=os.getpid(),
        address=server.listening_address,
        api_key=key,
        model=spec.model_name,
        speed=speed,
    )


def _processors() -> int:
    """The processors this process may use: threads beyond them only wait for each other.

    Source: Linux kernel documentation, "Control Group v2", `cpu.max`, which containers set.
    """
    import contextlib
    import math

    count = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError), open("/sys/fs/cgroup/cpu.max") as file:
        quota, period = file.read().split()
        count = min(count, math.ceil(int(quota) / int(period)))
    return max(1, count)


def _measure(server: Any) -> Speed:
    """Read and write a few tokens; the slowest that is believed is one token per second."""
    answer = server.handle_completions(
        {"prompt": list(range(100, 100 + _SAMPLE_IN)), "n_predict": _SAMPLE_OUT}
    )
    timings = answer["timings"]
    return Speed(
        prompt_tokens_per_s=max(1.0, float(timings["prompt_per_second"])),
        output_tokens_per_s=max(1.0, float(timings["predicted_per_second"])),
    )


def _keep_speed(path: str, speed: Speed) -> None:
    """Leave the figures to the next process that plans a prompt before the server runs."""
    import contextlib

    with contextlib.suppress(OSError):
        part = f"{path}.{os.getpid()}"
        with open(part, "wb") as file:
            file.write(msgspec.json.encode(speed))
        os.replace(part, path)


def _hold_clients(
    listener: socket.socket, line: bytes, linger_s: float, retire: Callable[[], bool]
) -> None:
    """Greet and hold clients until none has been there for `linger_s` and `retire` agrees."""
    import selectors

    selector = selectors.DefaultSelector()
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    clients: set[socket.socket] = set()
    leave_at = monotonic() + linger_s
    while True:
        wait = None if clients else max(0.0, leave_at - monotonic())
        for key, _ in selector.select(wait):
            if key.fileobj is listener:
                came = _greet(listener, line)
                if came is not None:
                    selector.register(came, selectors.EVENT_READ)
                    clients.add(came)
                continue
            client = key.fileobj
            assert isinstance(client, socket.socket)
            if _gone(client):
                selector.unregister(client)
                clients.discard(client)
                client.close()
        if clients:
            leave_at = monotonic() + linger_s
        elif monotonic() >= leave_at:
            if retire():
                return
            leave_at = monotonic() + 0.1


def _turn_away(listener: socket.socket, line: bytes, retire: Callable[[], bool]) -> None:
    """Tell every client that waits why there is no server, until none waits."""
    import select

    listener.setblocking(False)
    while not retire():
        select.select([listener], [], [], 0.05)
        client = _greet(listener, line)
        if client is not None:
            client.close()


def _greet(listener: socket.socket, line: bytes) -> socket.socket | None:
    try:
        client, _ = listener.accept()
    except OSError:  # it went away while it waited
        return None
    try:
        client.setblocking(False)
        client.sendall(line)
    except OSError:
        client.close()
        return None
    return client


def _gone(client: socket.socket) -> bool:
    try:
        return not client.recv(4096)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _retire(inherited: Inheritance, listener: socket.socket) -> bool:
    """Take the socket's name away under the lock that starters hold, unless somebody waits.

    A client that connects without the lock just after this finds its connection closed with
    no greeting, and starts again.
    """
    import contextlib
    import fcntl
    import select

    with contextlib.suppress(OSError):  # a runtime directory that was removed holds no lock
        lock = os.open(inherited.lock_path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        if select.select([listener], [], [], 0)[0]:
            os.close(lock)
            return False
        if os.stat(inherited.socket_path).st_ino == inherited.socket_inode:
            os.unlink(inherited.socket_path)
    return True


if __name__ == "__main__":
    main(sys.argv[1])
