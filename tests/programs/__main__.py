"""`python -m tests.programs [DIR]`: the table of what each capture holds, and counts."""

from __future__ import annotations

import sys
from pathlib import Path

from .checking import ITEMS, check, missing_values
from .program import OURS, load
from .running import run

MARKS = {True: "yes", False: "NO", None: "-"}


def main(folder: Path, *words: str) -> None:
    """Run the programs of a directory, those alone whose id holds one of the words."""
    counts = {item: [0, 0] for item in ITEMS}
    possible = [0, 0]
    sizes: list[int] = []
    print(f"{'program':34} {' '.join(f'{item:>7}' for item in ITEMS)}  tokens  diagnosed by")
    for program in load(folder):
        if words and not any(word in program.id for word in words):
            continue
        captured = run(program)
        found = check(program, captured)
        for item, holds in found.items():
            counts[item][0] += holds is True
            counts[item][1] += holds is not None
        if program.expect.offline_possible:
            possible[0] += found["cause"] is True
            possible[1] += 1
        sizes.append(captured.tokens)
        rules = ", ".join(dict.fromkeys(each.rule for each in captured.diagnoses))
        cells = " ".join(f"{MARKS[found[item]]:>7}" for item in ITEMS)
        print(f"{program.id[:34]:34} {cells}  {captured.tokens:6}  {rules}", flush=True)
        if words:
            print("\n".join(missing_values(program, captured)) if captured.failure else "")
            print(captured.prompt or captured.output, captured.diagnosis, sep="\n====\n")
    held = " ".join(f"{each[0]}/{each[1]}".rjust(7) for each in counts.values())
    print(f"{'held':34} {held}")
    print(f"cause named where it can be known offline: {possible[0]}/{possible[1]}")
    if sizes:
        print(f"tokens: median {sorted(sizes)[len(sizes) // 2]}, most {max(sizes)}")


main(Path(sys.argv[1]) if len(sys.argv) > 1 else OURS, *sys.argv[2:])
