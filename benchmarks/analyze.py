"""What `aiex ai analyze` costs offline: SPEC 14, one file and a tree of 1,000+ files.

    python benchmarks/analyze.py [--rounds 15] [--tree-rounds 5] [--file F] [--tree DIR]

Everything is a process of its own, its CPU time with that of its children (`os.wait4`); rivals
take turns within each round. Ratios are of medians and of minima. One file: `aiex ai analyze
--file F` over `python -c pass`, and what the steps up to the facts cost. Tree: `aiex ai analyze`
over the bare analyzers in one process: ruff's JSON in one batch with the same rules, complexipy,
`ast.parse` with `ast.walk`, `symtable`; every file is read once by each side.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from processes import SCRATCH, race
from rows import Row, keep, parser, ratio

STDLIB = Path(os.__file__).parent

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


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--tree-rounds", type=int, default=5)
    words.add_argument("--file", type=Path, default=STDLIB / "argparse.py")
    words.add_argument("--tree", type=Path, default=STDLIB)
    words.add_argument("--only", choices=["file", "tree"])
    chosen = words.parse_args()
    rows: list[Row] = []
    aiex = [str(Path(sys.executable).with_name("aiex")), "ai", "analyze"]
    if chosen.only != "tree":
        file = str(chosen.file)
        lines = len(chosen.file.read_text(encoding="utf-8").splitlines())
        print(f"one file, {lines} lines, {chosen.rounds} rounds:")
        taken = race(
            {
                "python -c pass": [sys.executable, "-c", "pass"],
                "imports of analyze": [sys.executable, "-c", IMPORTS],
                "facts alone": [sys.executable, "-c", FACTS, file],
                "aiex ai analyze": [*aiex, "--file", file, "--output", "json"],
            },
            chosen.rounds,
        )
        ours, base = taken["aiex ai analyze"], taken["python -c pass"]
        rows.append(ratio(f"analyze, {lines} lines", "python -c pass", ours, base, 12.0))
    if chosen.only != "file":
        tree = chosen.tree
        files = [f for f in sorted(tree.rglob("*.py")) if "site-packages" not in f.parts]
        listed = Path(SCRATCH.name, "files")
        listed.write_text("\n".join(map(str, files)), encoding="utf-8")
        print(f"tree of {len(files)} files, {chosen.tree_rounds} rounds:")
        taken = race(
            {
                "bare analyzers": [sys.executable, "-c", BARE, str(listed)],
                "aiex ai analyze": [*aiex, "--file", str(tree), "--output", "json"],
            },
            chosen.tree_rounds,
        )
        ours, base = taken["aiex ai analyze"], taken["bare analyzers"]
        rows.append(ratio(f"analyze, {len(files)} files", "bare analyzers", ours, base, 1.5))
    keep(rows, chosen.rows)


if __name__ == "__main__":
    main()
