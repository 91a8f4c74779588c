"""Runs a page of the documentation: its commands, cells and settings, one after the other.

In Markdown, a `console` fence holds commands (`$ …`) with their output, both streams of it;
`$ export NAME=value` holds for the rest of the page. An `ipython` fence is a cell, a `python` fence
a piece of one script, and an `output` fence after one of them what it shows. A `toml` fence is a
settings file, named by its first line (`# aiex.toml`). A `py` fence is an example that must parse.
A line `…` stands for any lines, `…` inside a line for any text.

Comments direct the run without being seen: `<!-- answers: ["…"] -->` makes the `scripted` provider
say these, `<!-- server: localhost:11434 ["…", 503] -->` puts a server there that answers on every
wire, with texts, with the status of a fault, or with a text in brackets and a broken connection
after it, `<!-- model: smollm2 -->` puts the local model where `aiex models pull` would.

Each page runs in a fresh copy of `docs/example`, called `/home/you/shop`.

`python tests/docs/pages.py [FILE]…` writes what has changed into the pages, to be reviewed.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aiex_ipy.testing.loopback import Listed, LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$|^<!-- (\w+): (.*?) -->$", re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent
HOME = "/home/you"
STRANGE = ("AIEX_", "OPENAI_", "ANTHROPIC_", "XDG_", "JUPYTER_", "PYTEST_")

DONE = "--- done ---\n"
INTERPRETER = f"""
import json, sys
names = {{"__name__": "__main__"}}
for line in sys.stdin:
    exec(compile(json.loads(line), "<page>", "exec"), names)
    print({DONE.strip()!r})
"""

NOT_RUN = {
    "make demo": "it is run from a fresh clone by hand; its parts are tested one by one",
    "make test": "this is part of it",
    "pip install": "it installs from the network",
}


def fences(text: str) -> Iterator[tuple[int, str, str, str, str]]:
    """Line number, language and body of each fence, or name and value of each direction."""
    for match in FENCE.finditer(text):
        number = text.count("\n", 0, match.start()) + 1
        yield (number, *(part or "" for part in match.groups()))


def pattern(shown: str) -> re.Pattern[str]:
    """What the documentation shows, as a pattern in which `…` stands for anything."""
    lines = [re.escape(line).replace("…", ".*") for line in shown.rstrip("\n").split("\n")]
    body = "\n".join(lines)
    return re.compile(re.sub(r"(?m)^\.\*(\n|\Z)", r"(?:.*\\n)*?", body) + r"\s*\Z")


def check(shown: str, got: str, where: str) -> None:
    """Assert that `got` is what is shown."""
    got = "".join(f"{line.rstrip()}\n" for line in got.rstrip().split("\n"))
    shown = "\n".join(line.rstrip() for line in shown.rstrip().split("\n"))
    assert pattern(shown).match(got), f"{where}\n--- shown\n{shown}\n--- got\n{got}"


NOT_CONFIGURED = (
    "what is configured does not answer. Failed to connect to Ollama at '127.0.0.1:9': connection"
    " refused. Failed to connect to LM Studio at '127.0.0.1:9': connection refused. Mend 'ollama',"
    " 'lm_studio', set",
    "no key is set, no local server answers, and no local model is installed. Set",
)
"""What is said of the addresses that only the tests configure, and what a reader sees, who has
configured nothing."""


class Page:
    """One page being run: its directories, environment, servers and kernel."""

    def __init__(
        self,
        directory: Path,
        model: Callable[[], Path],
        compare: Callable[[str, str, str], None] = check,
    ) -> None:
        self.home = directory
        self.project = directory / "shop"
        shutil.copytree(ROOT / "docs" / "example", self.project)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(STRANGE)}
        self.env = inherited | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(directory),
            "AIEX_EMBEDDED_THREADS": "1",
            "PYTHONIOENCODING": "utf-8",
            "NO_PROXY": "localhost,127.0.0.1",
            "AIEX_OLLAMA_HOST": "127.0.0.1:9",  # whatever runs on the machine of the tests
            "AIEX_LM_STUDIO_HOST": "127.0.0.1:9",
        }
        self._first = dict(self.env)
        self._model = model
        self._compare = compare
        self._servers: dict[str, LoopbackServer] = {}
        self._interpreter: subprocess.Popen[str] | None = None
        self._kernel: Any = None
        self._manager: Any = None
        self._directions: dict[str, Callable[[str], None]] = {
            "answers": self._answers,
            "server": self._server,
            "model": self._local_model,
        }
        self.run: dict[str, Callable[[str], str]] = {"ipython": self._cell, "python": self._script}

    def follow(self, text: str, name: str) -> None:
        """Run the page and assert that it shows what happens."""
        shown_by = ""
        for number, language, body, direction, value in fences(text):
            where = f"{name}:{number}"
            if direction:
                self._directions[direction](value)
            elif language == "console":
                self._console(body, where)
            elif language in self.run:
                shown_by = self._told(self.run[language](self._meant(body)))
            elif language == "output":
                self._compare(body, shown_by, where)
            elif language == "toml":
                self._settings(body, where)
            elif language == "py":
                ast.parse(body, where)
            elif language in ("bash", "sh"):
                for line in body.strip().splitlines():
                    known = any(line.startswith(start) for start in NOT_RUN)
                    assert known, f"{where}: {line!r} is not run; use `console` or NOT_RUN"

    def close(self) -> None:
        """End servers and kernel."""
        if self._kernel is not None:
            self._kernel.stop_channels()
            self._manager.shutdown_kernel(now=True)
        if self._interpreter is not None:
            self._interpreter.communicate(timeout=10)
        for server in self._servers.values():
            server.stop()

    def _meant(self, text: str) -> str:
        """What the page says, with the addresses and directories of this run."""
        for address, server in self._servers.items():
            text = text.replace(address, f"127.0.0.1:{server.port}")
        return text.replace(HOME, str(self.home))

    def _told(self, text: str) -> str:
        """What was shown, with the addresses and directories of the page."""
        for address, server in self._servers.items():
            text = text.replace(f"127.0.0.1:{server.port}", address)
        return text.replace(str(self.home), HOME).replace(*NOT_CONFIGURED)

    def _answers(self, value: str) -> None:
        said = json.dumps(json.loads(value), ensure_ascii=False)
        self.project.joinpath("aiex.toml").write_text(
            f'[llm]\ndefault_provider = "scripted"\n[llm.providers.scripted]\nanswers = {said}\n'
        )

    def _server(self, value: str) -> None:
        address, _, said = value.partition(" ")
        listed = (Listed(name="qwen2.5-coder"),)  # the pages' model
        server = LoopbackServer(*map(_reply, json.loads(said)), models=listed)
        self._servers[address] = server.start()

    def _local_model(self, _: str) -> None:
        there = self._model()
        here = self.home / ".local" / "share" / "aiex" / "models" / there.name
        here.parent.mkdir(parents=True)
        shutil.copy(there, here)

    def _settings(self, body: str, where: str) -> None:
        first, _, rest = self._meant(body).partition("\n")
        assert first.startswith("# "), f"{where}: the first line does not name the file"
        if " of your " in first:  # a file of the reader's own, which aiex does not read
            tomllib.loads(rest)
            return
        file = self.project / first[2:].strip().replace("~", str(self.home))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(rest)
        self._console("$ aiex config show > /dev/null\n", where)

    def _console(self, text: str, where: str) -> None:
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            while command.endswith("\\"):
                more, _, shown = shown.partition("\n")
                command = f"{command[:-1]}{more.removeprefix('> ')}"
            if command.startswith("export "):
                self.env |= dict(
                    word.split("=", 1) for word in shlex.split(self._meant(command))[1:]
                )
                continue
            if command.startswith("unset "):
                for name in command.split()[1:]:
                    del self.env[name]
                    self.env |= {k: v for k, v in self._first.items() if k == name}
                continue
            run = subprocess.run(
                ["bash", "-c", self._meant(command)],
                cwd=self.project,
                env=self.env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                timeout=100,
            )
            self._compare(shown, self._told(run.stdout), f"{where}: $ {command}")

    def _script(self, code: str) -> str:
        """Run code in the page's interpreter, which keeps its names, and return what it writes."""
        if self._interpreter is None:
            self._interpreter = subprocess.Popen(
                [sys.executable, "-u", "-c", INTERPRETER],
                cwd=self.project,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        child = self._interpreter
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(json.dumps(code) + "\n")
        child.stdin.flush()
        lines = []
        for line in child.stdout:
            if line == DONE:
                return "".join(lines)
            lines.append(line)
        raise AssertionError("".join(lines))

    def _cell(self, code: str) -> str:
        """Run a cell and return its stream text and displays as text, updates folded in."""
        if self._kernel is None:
            from jupyter_client.manager import start_new_kernel

            self._manager, self._kernel = start_new_kernel(
                kernel_name="python3", env=self.env, cwd=str(self.project)
            )
        shown: list[str] = []
        places: dict[str, int] = {}

        def take(message: dict[str, Any]) -> None:
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                shown.append(content["text"])
            elif kind == "error":
                shown.append(re.sub(r"\x1b\[[\d;]*m", "", content["traceback"][-1]))
            elif kind in ("display_data", "execute_result", "update_display_data"):
                text = content["data"].get("text/plain", "")
                place = content.get("transient", {}).get("display_id")
                if kind == "update_display_data" and place in places:
                    shown[places[place]] = text
                else:
                    places[place] = len(shown)
                    shown.append(text)

        self._kernel.execute_interactive(code, output_hook=take, timeout=100, allow_stdin=False)
        return "\n".join(part.rstrip("\n") for part in shown if part.strip())


def _reply(said: str | int | list[str]) -> Reply | Raw:
    if isinstance(said, str):
        return Reply(text=said)
    if isinstance(said, int):
        return Raw(status=said, blocks=(b"{}",))
    return Reply(pieces=(*said, "more"), cut_after=len(said), cut="reset")


def rewritten(shown: str, got: str) -> str:
    """What the page should show: what it got, in lines with `…` where those still fit."""
    loose = [line for line in shown.split("\n") if "…" in line and line.strip() != "…"]
    lines = [line.rstrip() for line in got.rstrip().split("\n")]
    return "".join(
        next((each for each in loose if pattern(each).match(line)), line) + "\n" for line in lines
    )


def rewrite(file: Path, model: Callable[[], Path]) -> int:
    """Write what has changed into a page; return how many outputs that were."""
    changed: list[tuple[str, str]] = []

    def compare(shown: str, got: str, where: str) -> None:
        try:
            check(shown, got, where)
        except AssertionError:
            changed.append((shown, rewritten(shown, got)))
            print(f"{where}: now shows\n{got}")

    text = file.read_text("utf-8")
    with tempfile.TemporaryDirectory() as home:
        page = Page(Path(home), model, compare)
        try:
            page.follow(text, str(file))
        finally:
            page.close()
    for shown, got in changed:
        if shown.strip():
            text = text.replace(shown, got, 1)
    file.write_text(text, "utf-8")
    return len(changed)


def main(names: list[str]) -> int:
    """Write what has changed into the pages named, or into all that are not generated."""
    from aiex_ipy.providers import model_store

    guides = ROOT.joinpath("docs", "how-to").glob("*.md")
    files = [Path(name) for name in names] or [ROOT / "README.md", *sorted(guides)]
    for file in files:
        rewrite(file, lambda: Path(model_store.find("smollm2").path))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
