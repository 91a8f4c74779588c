"""Run the examples of a docstring: the child of `examples.py`, a program of its own.

Reads one JSON object from stdin and writes a line of JSON for each example. It imports nothing of
aiex. Before the package is imported, an audit hook refuses what an example has no need for:
writing outside the working directory, which is a temporary one, starting programs, reaching a
network, loading code by `ctypes`. This keeps examples from doing harm by accident; it is no wall
against code that means harm, which importing the package would run as well.
"""

from __future__ import annotations

import doctest
import importlib
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

WRITES = {
    "os.remove": 1,
    "os.rename": 2,
    "os.rmdir": 1,
    "os.mkdir": 1,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.chown": 1,
    "os.link": 2,
    "os.symlink": 2,
    "os.utime": 1,
    "shutil.rmtree": 1,
    "shutil.move": 2,
    "sqlite3.connect": 1,
}
REFUSED = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.kill",
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.getaddrinfo",
    "ftplib.connect",
    "smtplib.connect",
    "webbrowser.open",
    "pty.spawn",
)
NAMES = {"np": "numpy", "pd": "pandas", "plt": "matplotlib.pyplot", "xr": "xarray", "sp": "scipy"}
"""Names that docstrings of these libraries take for granted."""
armed = False


def inside(path: Any, home: str) -> bool:
    """True for a path in the working directory, and for the null device."""
    if isinstance(path, int):
        return True
    real = os.path.realpath(os.fsdecode(path))
    return real == os.devnull or real == home or real.startswith(home + os.sep)


def guard(home: str) -> None:
    """Refuse from now on, while `armed`, what examples have no need for."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if not armed:
            return
        if event in REFUSED:
            raise PermissionError(f"examples may not do {event}")
        if event == "open" and args[0] is not None:
            flags = args[2] or 0
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            if writes and not inside(args[0], home):
                raise PermissionError(f"examples may not write to {args[0]!r}")
        elif event in WRITES:
            for path in args[: WRITES[event]]:
                if path not in (":memory:", b":memory:") and not inside(path, home):
                    raise PermissionError(f"examples may not change {path!r}")

    sys.addaudithook(hook)


class Runner(doctest.DocTestRunner):
    """Tells of each example as it is done."""

    def __init__(self, say: Callable[[dict[str, Any]], None]) -> None:
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        super().__init__(verbose=False, optionflags=flags)
        self.say = say

    def tell(self, example: doctest.Example, ran: str, got: str) -> None:
        """Say what came of one example."""
        self.say({"line": example.lineno, "ran": ran, "got": got[:2000]})

    def report_start(self, out: Any, test: Any, example: doctest.Example) -> None:
        pass

    def report_success(self, out: Any, test: Any, example: doctest.Example, got: str) -> None:
        self.tell(example, "ok", got)

    def report_failure(self, out: Any, test: Any, example: doctest.Example, got: str) -> None:
        self.tell(example, "differs", got)

    def report_unexpected_exception(
        self, out: Any, test: Any, example: doctest.Example, exc_info: Any
    ) -> None:
        self.tell(example, "failed", f"{exc_info[0].__name__}: {exc_info[1]}")


def limits(seconds: int, megabytes: int) -> None:
    """Bound the process, where the system knows how."""
    try:
        import resource
    except ImportError:
        return
    for kind, value in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, megabytes << 20),
        (resource.RLIMIT_FSIZE, 16 << 20),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            continue


def main() -> None:
    """Read the order, run the examples, tell of each."""
    global armed
    order = json.load(sys.stdin)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    home = os.path.realpath(os.getcwd())
    sys.path[:] = order["path"]
    limits(order["seconds"], order["megabytes"])
    guard(home)

    def say(line: dict[str, Any]) -> None:
        out.write(json.dumps(line) + "\n")
        out.flush()

    armed = True
    names: dict[str, Any] = {}
    try:
        module = importlib.import_module(order["module"]) if order["module"] else None
        if module is not None:
            names.update(vars(module))
        for short, full in NAMES.items():
            if f"{short}." in order["text"] and short not in names:
                names[short] = importlib.import_module(full)
        top = sys.modules.get(order["module"].partition(".")[0])
        if top is not None:
            names.setdefault(top.__name__, top)
    except BaseException as error:
        say({"broken": f"{type(error).__name__}: {error}"[:500]})
        return
    test = doctest.DocTestParser().get_doctest(order["text"], names, "example", None, 0)
    runner = Runner(say)
    runner.run(test, out=lambda text: None, clear_globs=False)


if __name__ == "__main__":
    main()
