"""The documentation is run: every fence with a prompt or IPython code gives what it shows.

In Markdown, a `console` fence holds commands (`$ …`) with their output, an `ipython` fence is a
cell, and an `output` fence after it what the cell shows. A line `…` stands for any lines, `…`
inside a line for any text. `<!-- environment: NAME=value … -->` holds for the rest of the page,
`<!-- answers: ["…"] -->` makes the `scripted` provider say these. Each page runs in a fresh
copy of `docs/example`. Fences of other languages that look like commands must be listed in
`NOT_RUN` with the reason.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    p
    for p in (ROOT / "README.md", *ROOT.joinpath("docs").rglob("*.md"))
    if re.search(r"^```(console|ipython|toml|bash|sh|python)", p.read_text("utf-8"), re.MULTILINE)
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$|^<!-- (\w+): (.*?) -->$", re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent

NOT_RUN = {
    "make demo": "tests/test_setup.py says what it does; it is run by hand from a fresh clone",
    "make test": "this is part of it",
    "pip install": "installs from the network",
}


def pattern(shown):
    """What the documentation shows, as a pattern in which `…` stands for anything."""
    lines = [re.escape(line).replace("…", ".*") for line in shown.rstrip("\n").split("\n")]
    body = "\n".join(lines)
    return re.compile(re.sub(r"(?m)^\.\*$", r"[\\s\\S]*?", body) + r"\s*\Z")


def check(shown, got, where):
    got = "\n".join(line.rstrip() for line in got.rstrip().split("\n"))
    shown = "\n".join(line.rstrip() for line in shown.rstrip().split("\n"))
    assert pattern(shown).match(got), f"{where}\n--- shown\n{shown}\n--- got\n{got}"


class Page:
    """One page being run: its directory, environment and kernel."""

    def __init__(self, directory):
        self.directory = directory
        shutil.copytree(ROOT / "docs" / "example", directory, dirs_exist_ok=True)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIEX_", "OPENAI_"))}
        self.env = inherited | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "AIEX_DEFAULT_PROVIDER": "none",
            "XDG_CONFIG_HOME": str(directory / ".config"),
            "PYTHONIOENCODING": "utf-8",
        }
        self.kernel = None

    def environment(self, text):
        self.env |= dict(word.split("=", 1) for word in shlex.split(text))

    def answers(self, text):
        json.loads(text)
        (self.directory / "aiex.toml").write_text(f"[llm.providers.scripted]\nanswers = {text}\n")
        self.env["AIEX_DEFAULT_PROVIDER"] = "scripted"

    def console(self, text, where):
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            run = subprocess.run(
                command,
                shell=True,
                cwd=self.directory,
                env=self.env,
                capture_output=True,
                text=True,
                timeout=100,
                executable="/bin/bash",
            )
            check(shown, run.stdout + run.stderr, f"{where}: $ {command}")

    def ipython(self, code):
        """Run a cell and return its stream text and displays as text, updates folded in."""
        if self.kernel is None:
            from jupyter_client.manager import start_new_kernel

            self.manager, self.kernel = start_new_kernel(
                kernel_name="python3", env=self.env, cwd=str(self.directory)
            )
        shown, places = [], {}

        def take(message):
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                shown.append(content["text"])
            elif kind == "error":
                shown.append(f"{content['ename']}: {content['evalue']}")
            elif kind in ("display_data", "execute_result", "update_display_data"):
                text = content["data"].get("text/plain", "")
                place = content.get("transient", {}).get("display_id")
                if kind == "update_display_data" and place in places:
                    shown[places[place]] = text
                else:
                    places[place] = len(shown)
                    shown.append(text)

        self.kernel.execute_interactive(code, output_hook=take, timeout=100, allow_stdin=False)
        return "\n".join(part.rstrip("\n") for part in shown if part.strip())

    def close(self):
        if self.kernel is not None:
            self.kernel.stop_channels()
            self.manager.shutdown_kernel(now=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("file", PAGES, ids=lambda f: str(f.relative_to(ROOT)))
def test_the_page_shows_what_happens(file, tmp_path):
    """Each command and cell of the page gives the output the page shows."""
    page = Page(tmp_path)
    result = None
    try:
        text = file.read_text("utf-8")
        for match in FENCE.finditer(text):
            language, body, directive, value = match.groups()
            where = f"{file.name}:{text.count(chr(10), 0, match.start()) + 1}"
            if directive:
                {"environment": page.environment, "answers": page.answers}[directive](value)
            elif language == "console":
                page.console(body, where)
            elif language == "ipython":
                result = page.ipython(body)
            elif language == "output":
                check(body, result, where)
            elif language in ("bash", "sh", "python"):
                for line in body.strip().splitlines():
                    known = any(line.startswith(start) for start in NOT_RUN)
                    assert known, f"{where}: {line!r} is not run; use `console` or NOT_RUN"
            elif language == "toml":
                (tmp_path / "aiex.toml").write_text(body)
                page.console("$ aiex config path > /dev/null\n", where)
    finally:
        page.close()
