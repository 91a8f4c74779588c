"""What aiex's own rules cost over the standard library, against `ast.parse` of the same files.

    python benchmarks/rules.py [--rounds 5] [--every 6]

CPU time of this process. Parse and rules take turns within each round, file by file, with the
garbage collector off and its work outside the measured part; minima over the rounds are summed.
Then the import of the rules in a process of its own, and the architecture rules over the tree.
"""

from __future__ import annotations

import argparse
import ast
import gc
import os
import subprocess
import sys
import tempfile
import time
import tokenize
import warnings
from pathlib import Path

from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.python import ParsedModule, parse
from aiex_ipy.grounding.rules import check, check_project

STDLIB = Path(os.__file__).parent
SCRATCH = tempfile.TemporaryDirectory(prefix="aiex-bench-")
# Compiled modules, as after an installation, whatever this shell says about writing them.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT |= {"PYTHONPYCACHEPREFIX": SCRATCH.name}
IMPORT = """
import time, aiex_ipy.grounding.lint, aiex_ipy.grounding.project
start = time.process_time()
import aiex_ipy.grounding.rules
print(time.process_time() - start)
"""


def modules(every: int) -> list[ParsedModule]:
    """Every n-th module of the standard library that parses, packages of others aside."""
    files = sorted(f for f in STDLIB.rglob("*.py") if "site-packages" not in f.parts)
    found = []
    for file in files[::every]:
        try:
            with tokenize.open(file) as opened:
                text = opened.read()
        except (SyntaxError, UnicodeDecodeError):
            continue
        path = file.relative_to(STDLIB).as_posix()
        found.append(parse(Subject(path=path, text=text)))
    return [module for module in found if module.error is None]


def turns(module: ParsedModule, rounds: int) -> tuple[float, float]:
    """The least CPU seconds of parsing a module and of looking through it."""
    parsing = looking = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        ast.parse(module.text)
        middle = time.process_time()
        check(module)
        parsing = min(parsing, middle - start)
        looking = min(looking, time.process_time() - middle)
    return parsing, looking


def import_s() -> float:
    """CPU seconds of importing the rules beside what the analyzers import anyway."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], env=ENVIRONMENT, stdout=subprocess.PIPE, check=True
    )
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--every", type=int, default=6, help="take every n-th module")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    tree = modules(options.every)
    gc.disable()
    parsing = looking = 0.0
    for module in tree:
        one, other = turns(module, options.rounds)
        parsing, looking = parsing + one, looking + other
        gc.collect(1)
    start = time.process_time()
    check_project(tree)
    together = time.process_time() - start
    print(f"{len(tree)} modules, {sum(m.statements for m in tree)} statements")
    print(
        f"ast.parse {parsing:.3f} s, rules of one module {looking:.3f} s: {looking / parsing:.2f}×"
    )
    print(f"rules across modules {together:.3f} s: {together / parsing:.2f}×")
    print(f"import {min(import_s() for _ in range(options.rounds)) * 1000:.1f} ms")


if __name__ == "__main__":
    main()
