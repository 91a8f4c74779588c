"""Other projects' clients in the same run as `calls.py`: `python -m benchmarks peers`.

    python benchmarks/peers.py [--rounds 15] [--calls 100] [--streams 200] [--cache DIRECTORY]

litellm, any-llm and pydantic-ai pin other versions of the SDKs than aiex needs, so each gets an
environment of its own, made by pip when it is not there yet, in a directory that is kept
(`~/.cache/aiex-benchmarks`). Each client runs in a process of its own against the same servers, in
turn with the others, and reports its own CPU time. One whose environment cannot be made is named
with the reason. Needs a package index; `make test` and `make bench` do not come here.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from calls import measure, report
from rows import keep, parser

HERE = Path(__file__).parent
INSTALL_TIMEOUT_S = 600
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it is fetched at every import
    "ANY_LLM_DISABLE_TELEMETRY": "1",
    "PYTHONDONTWRITEBYTECODE": "",
}


class Package(NamedTuple):
    requirement: str
    clients: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.requirement.partition("[")[0]


PACKAGES = (
    Package("litellm", ("litellm", "litellm Router")),
    Package("any-llm-sdk[openai,anthropic]", ("any-llm, openai", "any-llm, anthropic")),
    Package(
        "pydantic-ai-slim[openai,anthropic]",
        ("pydantic-ai, openai", "pydantic-ai, anthropic", "pydantic-ai Agent"),
    ),
)


class CannotMake(Exception):
    """An environment, or the client in it; the text is the reason."""


def environment(package: Package, cache: Path) -> Path:
    """Return the Python of the package's environment, made when it is not there."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache / f"{package.name}-{version}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = folder / "made"
    if done.exists():
        return python
    print(f"making an environment for {package.name} in {folder}", flush=True)
    for command in (
        [sys.executable, "-m", "venv", "--clear", folder],
        [python, "-m", "pip", "install", "--quiet", package.requirement],
    ):
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotMake(str(error)) from None
        if ran.returncode:
            lines = [line for line in ran.stderr.splitlines() if line.startswith("ERROR")]
            raise CannotMake((lines or ran.stderr.splitlines() or ["pip failed"])[0])
    done.touch()
    return python


class Worker:
    """A client in a process of its own, by the interface of `Asker`."""

    def __init__(self, name: str, package: Package, python: Path, urls: tuple[str, str]) -> None:
        self.name, self.asked = name, 0
        self.process = subprocess.Popen(
            [python, HERE / "peer.py", name, package.name, *urls],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **QUIET},
        )
        self.version = self._line()["version"]

    def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise CannotMake(f"its process ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _do(self, what: str, **more: int) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self.process.stdin.flush()
        answer = self._line()
        self.asked = answer["asked"]
        return answer["result"]

    # The answer is waited for without letting the loop run: nobody else is to work meanwhile.

    async def warm(self) -> None:
        self._do("warm")

    async def calls(self, times: int) -> float:
        return float(self._do("calls", times=times))

    async def streams(self, times: int) -> float:
        return float(self._do("streams", times=times))

    async def at_once(self, times: int) -> tuple[float, float]:
        wall, cpu = self._do("at_once", times=times)
        return wall, cpu

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def workers(pythons: dict[Package, Path]) -> Iterator[tuple[dict[str, Worker], Any]]:
    """Give the workers, and what starts them once the servers' addresses are known."""
    started: dict[str, Worker] = {}

    def start(short: str, long: str) -> dict[str, Worker]:
        for package, python in pythons.items():
            for name in package.clients:
                try:
                    started[name] = Worker(name, package, python, (short, long))
                except CannotMake as error:
                    print(f"{name} is not measured: {error}")
        for name, worker in started.items():
            print(f"{name}: version {worker.version}")
        return started

    try:
        yield started, start
    finally:
        for worker in started.values():
            worker.close()


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--calls", type=int, default=100)
    words.add_argument("--streams", type=int, default=200)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    words.add_argument("--cache", type=Path, default=Path(home, "aiex-benchmarks"))
    asked = words.parse_args()
    pythons: dict[Package, Path] = {}
    for package in PACKAGES:
        try:
            pythons[package] = environment(package, asked.cache)
        except CannotMake as error:
            print(f"{package.name} is not measured: {error}")
    with workers(pythons) as (started, start):
        found, cpu, wall = measure(asked.rounds, asked.calls, asked.streams, start)
        keep(report(found, cpu, wall, asked.streams, tuple(started)), asked.rows)


if __name__ == "__main__":
    main()
