"""Writes what is measured in `docs/explanation/score.md`: `python docs/score_page.py`.

Between `<!-- NAME -->` and `<!-- /NAME -->` stands what this script wrote; the rest is by hand.
Weights come from `score.toml`; ledgers and distribution from the standard library of the running
Python, so they hold for the versions the page names.
"""

from __future__ import annotations

import platform
import re
import statistics
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from aiex_ipy.grounding.facts import SEVERITIES, ModuleFacts, Score, Subject
from aiex_ipy.grounding.gather import gather
from aiex_ipy.grounding.lint import is_test
from aiex_ipy.grounding.score import score_module
from aiex_ipy.grounding.score_weights import Weights, weights

PAGE = Path(__file__).with_name("explanation") / "score.md"
STDLIB = Path(sysconfig.get_path("stdlib"))
MODULES = ("queue.py", "heapq.py", "textwrap.py", "cProfile.py", "site.py")
FEWEST_STATEMENTS = 50
EXAMPLE = '''\
def read(path, seen=[]):
    """Return the text of a file."""
    seen.append(path)
    file = open(path)
    return file.read()
'''


def versions() -> str:
    """What the measured parts depend on."""
    return (
        f"Score version {weights().version}, Python {platform.python_version()}, "
        f"ruff {version('ruff')}, complexipy {version('complexipy')}."
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; what would break it is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in lines)
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def components() -> str:
    return table(
        ["component", "costs a unit at most", "half of that at a debt of", "why"],
        (
            [name, f"{part.cap:g}", f"{part.half:g}", part.reason.strip()]
            for name, part in weights().components.items()
        ),
    )


def debts() -> str:
    now = weights()
    severities = ", ".join(f"{s} {now.points.by_severity[s]}" for s in SEVERITIES)
    rows: list[list[object]] = [
        ["a finding, by severity", severities, now.points.reason],
        ["cognitive complexity", f"1 a unit above {now.cognitive.allowed}", now.cognitive.reason],
        [
            "length of a function",
            f"1 for each {now.length.statements_per_point} statements above {now.length.allowed}",
            now.length.reason,
        ],
        ["no docstring", now.undocumented.points, now.undocumented.reason],
    ]
    rows += [
        [", ".join(f"`{rule}`" for rule in sorted(part.rules)), 0, part.reason]
        for part in now.free.values()
    ]
    return table(["what", "points", "why"], ([a, b, str(c).strip()] for a, b, c in rows))


def gates() -> str:
    def closed_by(gate: object) -> str:
        named = (sorted(getattr(gate, name)) for name in ("rules", "severities", "categories"))
        return " of ".join(
            ", ".join(f"`{value}`" for value in values) for values in named if values
        )

    return table(
        ["gate", "score at most", "closed by", "why"],
        ([g.name, f"{g.limit:g}", closed_by(g), g.reason.strip()] for g in weights().gates),
    )


def combination() -> str:
    now: Weights = weights()
    return table(
        ["number", "value", "why"],
        [
            ["`combine.half`", f"{now.combine.half:g}", now.combine.reason.strip()],
            ["`tree.worst_share`", f"{now.tree.worst_share:g}", now.tree.reason.strip()],
            ["`tree.half`", f"{now.tree.half:g}", "As `combine.half`, among files."],
        ],
    )


def facts(paths: Sequence[str]) -> list[ModuleFacts]:
    subjects = []
    for path in paths:
        try:
            text = (STDLIB / path).read_text("utf-8")
        except UnicodeDecodeError:
            continue
        subjects.append(Subject(path=path, text=text, file=str(STDLIB / path)))
    return gather(subjects)


def ledger(score: Score) -> str:
    return table(
        ["lost", "component", "unit", "line", "rule", "reason"],
        (
            [f"{x.lost:.2f}", x.component, x.unit and f"`{x.unit}`", x.line, x.rule, x.reason]
            for x in score.ledger
        ),
    )


def ledgers() -> str:
    parts = [versions()]
    for path in MODULES:  # each alone: what five strangers say of one another is not their score
        (module,) = facts([path])
        score = score_module(module)
        held = f", held by a gate ({'; '.join(score.gates)})" if score.gates else ""
        parts.append(f"### {path}: {score.value:.2f}\n\n{score.statements} statements{held}.")
        parts.append(ledger(score))
    return "\n\n".join(parts)


def example() -> str:
    (module,) = gather([Subject(path="<stdin>", text=EXAMPLE)])
    score = score_module(module)
    return f"```python\n{EXAMPLE}```\n\nscores {score.value:.2f}:\n\n{ledger(score)}"


def ranks(numbers: Iterable[float]) -> list[float]:
    """The rank of each number, equal ones sharing the mean: for Spearman's ρ on Python 3.11."""
    values = list(numbers)
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values)):
        places.setdefault(value, []).append(place)
    return [statistics.fmean(places[value]) for value in values]


def distribution() -> str:
    """Quantiles over the standard library without its tests, and what size has to do with it."""
    found = sorted(
        path.relative_to(STDLIB).as_posix()
        for path in STDLIB.rglob("*.py")
        if "site-packages" not in path.parts
    )
    modules = facts([path for path in found if not is_test(path) and "/idle_test/" not in path])
    rated = []
    for module in modules:
        score = score_module(module)
        if score.value is not None and score.statements >= FEWEST_STATEMENTS:
            rated.append((module, score, score.value))
    values = sorted(value for _, _, value in rated)
    sizes = [score.statements for _, score, _ in rated]

    def rho(numbers: Iterable[float]) -> str:
        return f"{statistics.correlation(ranks(numbers), ranks(sizes)):.2f}"

    tangled = [
        -max((n for unit in module.units for n in unit.cognitive.values()), default=0)
        for module, _, _ in rated
    ]
    density = [-len(module.issues) / score.statements for module, score, _ in rated]
    quantiles = {p: values[int(p / 100 * len(values))] for p in (5, 25, 50, 75, 95)}
    return "\n\n".join(
        [
            versions(),
            table(
                ["files", *(f"p{p}" for p in quantiles), "held by a gate"],
                [
                    [
                        len(values),
                        *(f"{value:.2f}" for value in quantiles.values()),
                        sum(bool(score.gates) for _, score, _ in rated),
                    ]
                ],
            ),
            table(
                ["rank correlation (Spearman) with the number of statements", "ρ"],
                [
                    ["the score", rho(value for _, _, value in rated)],
                    ["the worst function's cognitive complexity, alone", rho(tangled)],
                    ["the number of findings, alone", rho(-len(m.issues) for m, _, _ in rated)],
                    ["findings per statement, which padding dilutes", rho(density)],
                ],
            ),
        ]
    )


SECTIONS: dict[str, Callable[[], str]] = {
    "components": components,
    "debts": debts,
    "gates": gates,
    "combination": combination,
    "example": example,
    "distribution": distribution,
    "ledgers": ledgers,
}


def section(text: str, name: str) -> tuple[int, int]:
    """From where to where the page holds what was written for a section."""
    found = re.search(rf"(?<=<!-- {name} -->\n\n).*?(?=\n\n<!-- /{name} -->)", text, re.DOTALL)
    if found is None:
        raise SystemExit(f"{PAGE.name} has no section {name!r}.")
    return found.span()


def main() -> int:
    """Write the page anew."""
    text = PAGE.read_text("utf-8")
    for name, write in SECTIONS.items():
        start, end = section(text, name)
        text = text[:start] + write() + text[end:]
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
