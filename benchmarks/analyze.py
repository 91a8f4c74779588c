"""What `aiex ai analyze` costs offline: SPEC 14, one file and a tree of 1,000+ files.

    python benchmarks/analyze.py [--rounds 15] [--tree-rounds 5] [--file F] [--tree DIR]

Everything is a process of its own, its CPU time with that of its children (`os.wait4`); rivals
take turns within each round. Ratios are of medians and of minima. One file: `aiex ai analyze
--file F` over `python -c pass`, and what the steps up to the facts cost. Tree: `aiex ai analyze`
over the bare analyzers in one process: ruff's JSON in one batch with the same rules, complexipy,
`ast.parse` with `ast.walk`, `symtable`; every file is read once by each side.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

STDLIB = Path(os.__file__).parent
SCRATCH = tempfile.TemporaryDirectory(prefix="aiex-bench-")
# Compiled modules, as after an installation, whatever this shell says about writing them.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT |= {"AIEX_DEFAULT_PROVIDER": "none", "PYTHONPYCACHEPREFIX": f"{SCRATCH.name}/pyc"}

IMPORTS = "import aiex_ipy.operations.analyze"
FACTS = """
import sys
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.gather import gather
path = sys.argv[1]
with open(path, encoding="utf-8") as file:
    gather([Subject(path=path, text=file.read(), file=path)])
"""
BARE = """
import ast, json, subprocess, symtable, sys, tokenize, warnings
import complexipy
from aiex_ipy.grounding.lint import find_ruff
from aiex_ipy.grounding.lint_rules import SELECT
warnings.simplefilter("ignore")
files = open(sys.argv[1]).read().split("\\n")
command = [find_ruff(), "check", "--isolated", "--no-cache", "--ignore-noqa", "--exit-zero"]
command += ["--quiet", "--output-format", "json", "--target-version", "py311", "--select", SELECT]
json.loads(subprocess.run([*command, "@" + sys.argv[1]], stdout=subprocess.PIPE).stdout)
for path in files:
    try:
        with tokenize.open(path) as file:
            text = file.read()
        for node in ast.walk(ast.parse(text)):
            pass
        symtable.symtable(text, path, "exec")
        complexipy.code_complexity(text)
    except (SyntaxError, ValueError, RecursionError):
        pass
"""


def cpu_s(command: list[str]) -> float:
    """Run a command and return its CPU seconds with its children's."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 4):  # 4: some files of the tree are in no known encoding
        raise SystemExit(f"{command!r} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def race(rivals: dict[str, list[str]], rounds: int) -> None:
    """Let the rivals take turns and print each one's figures over the first's."""
    for command in rivals.values():
        cpu_s(command)
    taken: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, command in rivals.items():
            taken[name].append(cpu_s(command))
    base = next(iter(taken.values()))
    for name, times in taken.items():
        middle, least = statistics.median(times), min(times)
        print(
            f"  {name:<34} median {middle * 1000:9.1f} ms  min {least * 1000:9.1f} ms"
            f"  {middle / statistics.median(base):6.2f}x  {least / min(base):6.2f}x"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--tree-rounds", type=int, default=5)
    parser.add_argument("--file", type=Path, default=STDLIB / "argparse.py")
    parser.add_argument("--tree", type=Path, default=STDLIB)
    parser.add_argument("--only", choices=["file", "tree"])
    chosen = parser.parse_args()
    aiex = [str(Path(sys.executable).with_name("aiex")), "ai", "analyze"]
    if chosen.only != "tree":
        file = str(chosen.file)
        lines = len(chosen.file.read_text(encoding="utf-8").splitlines())
        print(f"one file, {lines} lines, {chosen.rounds} rounds:")
        race(
            {
                "python -c pass": [sys.executable, "-c", "pass"],
                "imports of analyze": [sys.executable, "-c", IMPORTS],
                "facts alone": [sys.executable, "-c", FACTS, file],
                "aiex ai analyze": [*aiex, "--file", file, "--output", "json"],
            },
            chosen.rounds,
        )
    if chosen.only != "file":
        tree = chosen.tree
        files = [f for f in sorted(tree.rglob("*.py")) if "site-packages" not in f.parts]
        listed = Path(SCRATCH.name, "files")
        listed.write_text("\n".join(map(str, files)), encoding="utf-8")
        print(f"tree of {len(files)} files, {chosen.tree_rounds} rounds:")
        race(
            {
                "bare analyzers": [sys.executable, "-c", BARE, str(listed)],
                "aiex ai analyze": [*aiex, "--file", str(tree), "--output", "json"],
            },
            chosen.tree_rounds,
        )


if __name__ == "__main__":
    main()
