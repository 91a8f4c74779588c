"""The client's side of the shared model server: find it, or start it under a lock, and hold on.

While a `Connection` is open the server stays; the operating system closes it with its process,
however that ends. Names of sockets, locks and logs come from a digest of the `ServerSpec`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from aiex_ipy.errors import ProviderError, StoreError, UnavailableError
from aiex_ipy.providers.local_server import (
    PROTOCOL,
    Failed,
    Inheritance,
    Ready,
    ServerSpec,
    Speed,
)

LOAD_TIMEOUT_S = 300.0  # a model of many GB from a cold disk; the caller may give up before

# Bytes of a socket's path. Source: sys/un.h, 104 on macOS and the BSDs, 108 on Linux, with the
# closing NUL.
_PATH_LIMIT = 103
_LOCK_TIMEOUT_S = 60.0
_TRIES = 5
_DYING_S = 1.0  # between the closing of two sockets of a process that was killed

# What the server's process needs of the environment; the keys of vendors stay out of it.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
_ENVIRONMENT_PREFIXES = ("PYTHON", "LC_", "XDG_", "DYLD_", "GGML_", "OMP_")

_open: weakref.WeakSet[Connection]


class Connection:
    """A held connection to a server that is ready. Close it to let the server go."""

    def __init__(self, held: socket.socket, ready: Ready) -> None:
        self.ready = ready
        self._held = held
        _open.add(self)

    def alive(self) -> bool:
        """False once the server is gone, whatever ended it."""
        try:
            return bool(self._held.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except OSError:
            return False

    async def gone(self) -> bool:
        """Whether the server is gone, given the moment its other sockets may close before ours.

        It looks again and again, because another request may close this connection meanwhile:
        what the loop watches must not be closed, its number would be another socket's next.
        """
        give_up = time.monotonic() + _DYING_S
        while self.alive():
            if time.monotonic() > give_up:
                return False
            await asyncio.sleep(0.01)
        return True

    def close(self) -> None:
        self._held.close()


_open = weakref.WeakSet()


def _close_inherited() -> None:
    """A forked child must not hold its parent's server, nor speak through its connection."""
    for connection in list(_open):
        connection.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)


async def connect(spec: ServerSpec, *, check: Callable[[], None] = lambda: None) -> Connection:
    """Return a connection to the server of `spec`, which is started when there is none.

    `check` runs once before a start, in a thread; what it raises passes through. Raises
    UnavailableError when the server cannot start or load (the reason is taken from its log),
    StoreError when there is no private directory for its socket.
    """
    loop = asyncio.get_running_loop()
    for _ in range(_TRIES):
        opening = loop.run_in_executor(None, _open_socket, spec, check)
        try:
            held, started = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_result)
            raise
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                line = await _greeting(held)
        except TimeoutError:
            held.close()
            raise UnavailableError(
                f"The local model server did not load {spec.model_path!r} in {LOAD_TIMEOUT_S:g} s.",
                code="timeout",
                hint=f"Try again, or see its log {str(log_path(spec))!r}.",
            ) from None
        except BaseException:
            held.close()
            raise
        if line:
            greeting = msgspec.json.decode(line, type=Ready | Failed)
            if isinstance(greeting, Ready):
                return Connection(held, greeting)
            held.close()
            raise _not_loadable(spec, greeting.error)
        held.close()
        if started:
            raise _not_loadable(spec, "the server ended while it loaded the model")
        # It was about to leave, or died: the next try starts another one.
    raise UnavailableError(
        "The local model server ends as soon as it starts.",
        code="local_server",
        hint=f"See its log {str(log_path(spec))!r}.",
    )


def last_speed(spec: ServerSpec) -> Speed | None:
    """What the last server of `spec` measured on this machine; None when none ever ran."""
    try:
        return msgspec.json.decode(_speed_path(spec).read_bytes(), type=Speed)
    except (OSError, msgspec.DecodeError):
        return None


def log_path(spec: ServerSpec) -> Path:
    """The log of the server of `spec`; begun anew by each start."""
    return _state_dir() / f"local_server-{_digest(spec)}.log"


def runtime_dir() -> Path:
    """A directory of the user's alone for sockets, short enough for their paths.

    `$XDG_RUNTIME_DIR/aiex`, else `run` in the data directory, else one below the temporary
    directory. Source: XDG Base Directory Specification 0.8, `$XDG_RUNTIME_DIR`.
    """
    import tempfile

    from aiex_ipy.providers.model_store import data_dir

    named = os.environ.get("XDG_RUNTIME_DIR")
    places = [Path(named) / "aiex"] if named else []
    places += [data_dir() / "run", Path(tempfile.gettempdir()) / f"aiex-{os.geteuid()}"]
    for place in places:
        if len(os.fsencode(place / ("x" * 16 + ".sock"))) <= _PATH_LIMIT and _private(place):
            return place
    raise StoreError(
        f"None of {[str(p) for p in places]!r} can be a private directory for a local socket.",
        code="no_runtime_dir",
        hint="Set XDG_RUNTIME_DIR to a directory of your own with a short path.",
    )


def _private(place: Path) -> bool:
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = place.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return False  # of another user, or a link one laid there
        if stat.S_IMODE(found.st_mode) & 0o077:
            place.chmod(0o700)
    except OSError:
        return False
    return os.access(place, os.W_OK | os.X_OK)


def _state_dir() -> Path:
    named = os.environ.get("AIEX_DATA_DIR")
    if named:
        place = Path(named).expanduser().absolute() / "state"
    else:
        import platformdirs

        place = Path(platformdirs.user_state_dir("aiex", appauthor=False))
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return runtime_dir()
    return place if os.access(place, os.W_OK | os.X_OK) else runtime_dir()


def _speed_path(spec: ServerSpec) -> Path:
    return _state_dir() / f"local_server-{_digest(spec)}.json"


def _digest(spec: ServerSpec) -> str:
    """The host counts because a home on the network holds the sockets of several hosts."""
    import hashlib

    try:
        found = os.stat(spec.model_path)
        content = (found.st_size, found.st_mtime_ns)
    except OSError:
        content = (0, 0)
    seed = msgspec.json.encode((PROTOCOL, socket.gethostname(), content, spec))
    return hashlib.sha256(seed).hexdigest()[:16]


def _open_socket(spec: ServerSpec, check: Callable[[], None]) -> tuple[socket.socket, bool]:
    """Return a connected socket, and whether its server was started for it."""
    folder, digest = runtime_dir(), _digest(spec)
    path = folder / f"{digest}.sock"
    held = _connected(path)
    if held:
        return held, False
    with _lock(folder / f"{digest}.lock") as lock_path:
        held = _connected(path)
        if held:
            return held, False
        check()
        return _start(spec, path, lock_path), True


def _connected(path: Path) -> socket.socket | None:
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    held.settimeout(5.0)
    try:
        held.connect(str(path))
    except OSError:  # no such name, or nobody behind it any more
        held.close()
        return None
    return held


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[Path]:
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        give_up = time.monotonic() + _LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise UnavailableError(
                        f"Another process has held the lock {str(path)!r} for "
                        f"{_LOCK_TIMEOUT_S:g} s.",
                        code="local_server",
                        hint=f"See who holds it with `fuser {path}`, and end that process.",
                    ) from None
                time.sleep(0.02)
        yield path
    finally:
        os.close(descriptor)


def _start(spec: ServerSpec, path: Path, lock_path: Path) -> socket.socket:
    """Bind, hand the listening socket to a new server, and connect to it. The lock is held."""
    import subprocess

    if not sys.executable:
        raise _not_started("this Python does not know its own executable")
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    log = log_path(spec)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(128)
        inherited = Inheritance(
            spec=spec,
            listener_fd=listener.fileno(),
            socket_path=str(path),
            socket_inode=path.stat().st_ino,
            lock_path=str(lock_path),
            speed_path=str(_speed_path(spec)),
        )
        command = [sys.executable, "-P", "-m", "aiex_ipy.providers.local_server"]
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            starter = subprocess.Popen(
                [*command, msgspec.json.encode(inherited).decode()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=_environment(),
                pass_fds=[listener.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal is not for the server
            )
        except OSError as error:
            raise _not_started(str(error)) from error
        finally:
            os.close(output)
        if starter.wait():
            raise _not_started(_last_words(log) or f"exit status {starter.returncode}")
        held = _connected(path)
    if held is None:
        raise _not_started(_last_words(log) or "its socket went away")
    return held


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _ENVIRONMENT or name.startswith(_ENVIRONMENT_PREFIXES)
    }
    # Else two threads spin while they wait for each other, which on a busy machine leaves a tenth
    # of the speed: 24 tokens/s read and 4 written, against 89 and 40 (OpenMP 5.2, OMP_WAIT_POLICY).
    kept.setdefault("OMP_WAIT_POLICY", "passive")
    # Else a failing ggml attaches a debugger to itself, which writes the stack into the log.
    return kept | {"GGML_NO_BACKTRACE": "1"}


async def _greeting(held: socket.socket) -> bytes:
    """The server's line, `b""` when it closed without one."""
    loop = asyncio.get_running_loop()
    held.setblocking(False)
    line = b""
    while not line.endswith(b"\n"):
        try:
            piece = await loop.sock_recv(held, 4096)
        except ConnectionError:
            return b""
        if not piece:
            return b""
        line += piece
    return line


def _close_result(opening: asyncio.Future[tuple[socket.socket, bool]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].close()


def _not_started(why: str) -> ProviderError:
    return UnavailableError(
        f"The local model server could not be started: {why}.",
        code="local_server",
        hint="Name another provider, or set AIEX_DEFAULT_PROVIDER=none.",
    )


def _not_loadable(spec: ServerSpec, error: str) -> ProviderError:
    log = log_path(spec)
    why = _last_words(log) or error
    if "No module named 'xllamacpp'" in error:
        return UnavailableError(
            "The local model server has no 'xllamacpp' to run a model with.",
            code="local_extra_missing",
            hint="Install it with `pip install 'aiex[local]'`.",
        )
    return UnavailableError(
        f"The local model {spec.model_path!r} cannot be loaded: {why}.",
        code="model_not_loadable",
        hint=f"Use a whole GGUF file that llama.cpp knows; the server's log is {str(log)!r}.",
    )


def _last_words(log: Path) -> str:
    """The reason in a log of llama.cpp, else its last line.

    Source: llama.cpp, `llama_model_load`, whose message begins `error loading model: `; a file
    with a bad header has its reason in the first line instead.
    """
    try:
        lines = log.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        _, found, reason = line.partition("error loading model: ")
        if found:
            if "failed to load model from" in reason:
                reason = lines[0].partition(" E ")[2] or reason
            return reason.strip().rstrip(".")[:300]
    return lines[-1].strip().rstrip(".")[:300] if lines else ""
