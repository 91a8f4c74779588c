"""A survey of a project as text, Markdown and HTML with a picture: what the focus asks leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from aiex_ipy.grounding.facts import Issue
from aiex_ipy.grounding.survey import SurveyedModule
from aiex_ipy.operations.base import NO_JUDGEMENT
from aiex_ipy.operations.project import Focus, ProjectSurvey
from aiex_ipy.render.module_graph import Picture, draw
from aiex_ipy.render.safe import escape, plain, safe_markdown, sentence, to_html

RULE = "=" * 50
LEADING, FOLLOWING = 10, 3
"""Lines of a part that the focus asks for, and of one it does not."""
LEADS: dict[Focus, tuple[str, ...]] = {
    "all": ("size", "ways", "modules", "imports", "hot", "coverage", "worst", "untested"),
    "quality": ("worst", "findings", "hot", "modules"),
    "performance": ("findings", "hardest", "hot"),
    "security": ("findings", "outside", "ways"),
    "architecture": ("imports", "cycles", "modules", "outside", "findings"),
    "tests": ("coverage", "untested", "hot", "modules"),
}
"""Which parts lead, by focus; the others follow, shorter."""
COLUMNS = ("module", "statements", "complexity", "changes", "imported by", "coverage", "score")


def text(result: ProjectSurvey, *, symbols: bool = True) -> str:
    """Return the parts, what the focus asks first, and the footer; ends in a newline."""
    mark = "🗺 " if symbols else ""
    lines = [f"{mark}{plain(title(result))}", RULE]
    for name, found in _parts(result):
        lines += ["", plain(name)]
        if name == TABLE:
            lines += [f"   {line}".rstrip() for line in _aligned(found)]
        else:
            lines += [f"   {plain(row[0])}" for row in found]
    if result.text:
        lines += ["", plain(result.text).rstrip()]
    return "\n".join(lines) + "\n\n" + tail(result, symbols=symbols)


def tail(result: ProjectSurvey, *, symbols: bool = True) -> str:
    """Return the footer, for when facts and words were shown before."""
    mark = "— " if symbols else "-- "
    return "\n".join(mark + plain(line) for line in footer(result)) + "\n"


def markdown(result: ProjectSurvey) -> str:
    """Return the same as Markdown."""
    lines = [f"## 🗺 {escape(title(result))}"]
    for name, found in _parts(result):
        lines += ["", f"**{escape(name)}**", ""]
        if name == TABLE:
            head, *rows = found
            lines += ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
            lines += [
                "| " + " | ".join(sentence(cell, cell=True) for cell in row) + " |" for row in rows
            ]
        else:
            lines += [f"- {sentence(row[0])}" for row in found]
    if result.text:
        lines += ["", "---", "", safe_markdown(result.text).rstrip()]
    lines += ["", *(f"*{escape(line)}*  " for line in footer(result))]
    return "\n".join(lines) + "\n"


def html(result: ProjectSurvey) -> str:
    """Return the same as HTML with the import graph as an image, which runs nothing and asks for
    nothing."""
    words = to_html(markdown(result))
    drawn = picture(result)
    if drawn is None:
        return words
    from base64 import b64encode
    from html import escape as quoted

    data = b64encode(drawn.svg.encode()).decode()
    image = (
        f'<p><img alt="{quoted(drawn.alt)}" style="max-width:100%" '
        f'src="data:image/svg+xml;base64,{data}"></p>\n'
    )
    head, end, rest = words.partition("</h2>\n")
    return f"{head}{end}{image}{rest}"


def picture(result: ProjectSurvey) -> Picture | None:
    """Return the import graph of the modules that are no tests; None where nothing is imported."""
    tests = {module.name for module in result.modules if module.test}
    return draw(
        (
            (link.importer, link.imported, link.eager)
            for link in result.links
            if link.importer not in tests and link.imported not in tests
        ),
        hot={module.name for module in result.hot_spots},
        circular={name for cycle in result.cycles for name in cycle},
    )


def title(result: ProjectSurvey) -> str:
    """Return which project, under which focus."""
    focus = "" if result.focus == "all" else f" ({result.focus})"
    return f"project {result.name}{focus}"


TABLE = "Modules"
Rows = list[tuple[str, ...]]


def _parts(result: ProjectSurvey) -> Iterator[tuple[str, Rows]]:
    """Yield heading and rows of each part that has some, what leads first."""
    leads = LEADS[result.focus]
    for name in (*leads, *(each for each in PARTS if each not in leads)):
        most = LEADING if name in leads else FOLLOWING
        heading, rows = PARTS[name](result, most)
        if rows:
            yield heading, rows


def _size(result: ProjectSurvey, most: int) -> tuple[str, Rows]:
    size = result.size
    rows = [
        f"{_count(size.files, 'file')}, {size.test_files} of them tests, "
        f"{_count(size.notebooks, 'notebook')}",
        f"{_count(size.lines, 'line')}, {_count(size.statements, 'statement')}, "
        f"{_count(size.functions, 'function')}, {_count(size.classes, 'class', 'classes')}",
    ]
    if result.quality_score is not None:
        rows.append(f"quality score {result.quality_score:.1f} of 10")
    return "Size", [(row,) for row in rows]


def _ways(result: ProjectSurvey, most: int) -> tuple[str, Rows]:
    rows = []
    for point in result.entry_points:
        group = f" of {point.group}" if point.group else ""
        target = f": {point.target}" if point.target else ""
        rows.append(f"{point.name} ({point.kind}{group}){target}")
    return "Ways in", _cut(rows, most)


def _modules(result: ProjectSurvey, most: int) -> tuple[str, Rows]:
    own = [module for module in result.modules if not module.test]
    ranked = sorted(own, key=_ORDERS.get(result.focus, _by_heat))[:most]
    rows: Rows = [COLUMNS] if ranked else []
    for module in ranked:
        rows.append(
            (
                module.name,
                str(module.statements),
                str(module.complexity),
                "?" if module.changes is None else str(module.changes),
                str(module.imported_by),
                "?" if module.coverage is None else f"{module.coverage:.0%}",
                "?" if module.quality_score is None else f"{module.quality_score:.1f}",
            )
        )
    return TABLE, rows


def _by_heat(module: SurveyedModule) -> tuple[float, ...]:
    return -module.heat, -module.complexity, -module.statements


_ORDERS: dict[Focus, Callable[[SurveyedModule], tuple[float, ...]]] = {
    "quality": lambda m: (10 if m.quality_score is None else m.quality_score, -m.statements),
    "architecture": lambda m: (-(m.imported_by + m.imports), -m.statements),
    "tests": lambda m: (
        m.tested_by > 0 if m.coverage is None else m.coverage,
        -m.complexity,
        -m.statements,
    ),
    "performance": lambda m: (-m.complexity, -m.statements),
}


def _imports(result: ProjectSurvey, most: int) -> tuple[str, Rows]:
    own = sorted(result.modules, key=lambda m: (-m.imported_by, m.path))
    used = [f"{m.name} is imported by {m.imported_by}, imports {m.imports}" for m in own[:most]]
    if not result.links:
        return "Imports", []
    head = f"{_count(len(result.links), 'import')} between {_count(len(own), 'module')}"
    return "Imports", [(head,), *((row,) for row in used)]


def _cycles(result: ProjectSurvey, most: int) -> tuple[str, Rows]:
    rows = []
    for cycle in result.cycles:
        more = f" and {len(cycle) - 8} more" if len(cycle) > 8 else ""
        rows.append(f"{len(cycle)} modules need each other: {', '.join(cycle[:8])}{more}")
    return "Import cycles", _cut(rows, most)


def _hot(result: ProjectSurvey, most: int) -> tuple[str, Rows]:
    rows = [
        f"{m.path}: complexity {m.complexity} × {_count(m.changes or 0, 'change')}, "
        f"hardest {m.hardest} (line {m.line})"
        for m in result.hot_spots
    ]
    cut = _cut(rows, most)
    return "Hot spots", [*cut, (result.history,)] if result.history else cut


def _hardest(result: ProjectSurvey, most: int) -> tuple[str, Rows]:
    own = [m for m in result.modules if m.hardest and not m.test]
    own.sort(key=lambda m: (-m.complexity, m.path))
    rows = [
        f"{m.path}: complexity {m.complexity}, hardest {m.hardest} (line {m.line})" for m in own
    ]
    return "Most complex", [(row,) for row in rows[:most]]


def _coverage(result: ProjectSurvey, most: int) -> tuple[str, Rows]:
    found = result.coverage
    if found is None:
        return "Coverage", [("no coverage data was found",)] if result.focus == "tests" else []
    rows: Rows = []
    if found.share is not None:
        rows.append((f"{found.share:.1%} of {_count(found.files, 'module')} ({found.source})",))
    low = sorted(
        (m for m in result.modules if m.coverage is not None and not m.test),
        key=lambda m: (m.coverage or 0.0, -m.statements, m.path),
    )
    rows += [(f"{m.path}: {m.coverage:.0%}",) for m in low[:most]]
    rows += [(f"{path}: changed since it was measured",) for path in found.stale[:most]]
    return "Coverage", rows


def _worst(result: ProjectSurvey, most: int) -> tuple[str, Rows]:
    rows = [f"-{u.lost:.2f} {u.path}:{u.line} {u.unit}: {u.reason}" for u in result.worst]
    return "Worst units", _cut(rows, most)


def _untested(result: ProjectSurvey, most: int) -> tuple[str, Rows]:
    return "Imported by no test", _cut(list(result.untested), most)


def _findings(result: ProjectSurvey, most: int) -> tuple[str, Rows]:
    rows = [(_issue(issue),) for issue in result.findings[:most]]
    more = result.found - len(rows)
    return "Findings", [*rows, (f"and {more} more",)] if more > 0 else list(rows)


def _issue(issue: Issue) -> str:
    cell = "" if issue.cell is None else f"cell {issue.cell} "
    place = f"{issue.path}:{cell}{issue.line}"
    return f"{place} {issue.severity}: {issue.message} ({issue.rule})"


def _outside(result: ProjectSurvey, most: int) -> tuple[str, Rows]:
    rows = [f"{name}: {_count(count, 'module')}" for name, count in result.external.items()]
    return "From outside", _cut(rows, most)


def _unparsed(result: ProjectSurvey, most: int) -> tuple[str, Rows]:
    return "Cannot be parsed", _cut(list(result.unparsed), LEADING)


PARTS: dict[str, Callable[[ProjectSurvey, int], tuple[str, Rows]]] = {
    "size": _size,
    "ways": _ways,
    "modules": _modules,
    "imports": _imports,
    "cycles": _cycles,
    "hot": _hot,
    "hardest": _hardest,
    "coverage": _coverage,
    "worst": _worst,
    "untested": _untested,
    "findings": _findings,
    "outside": _outside,
    "unparsed": _unparsed,
}


def _cut(rows: list[str], most: int) -> Rows:
    more = len(rows) - most
    shown: Rows = [(row,) for row in rows[:most]]
    return [*shown, (f"and {more} more",)] if more > 0 else shown


def _aligned(rows: Rows) -> Iterator[str]:
    """Yield a table's rows, the first column to the left, the numbers to the right."""
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in cells) for n in range(len(COLUMNS))]
    for row in cells:
        yield "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )


def _count(number: int, one: str, several: str = "") -> str:
    return f"1 {one}" if number == 1 else f"{number} {several or one + 's'}"


def footer(result: ProjectSurvey) -> list[str]:
    """Return the lines below: who spoke, names the project does not hold, notices."""
    if result.model:
        lines = [f"{result.model} ({result.provider})"]
    else:
        failed = any(notice.startswith(NO_JUDGEMENT) for notice in result.notices)
        lines = [f"facts alone; no model {'answered' if failed else 'was asked'}"]
    if result.unconfirmed:
        names = ", ".join(result.unconfirmed[:8])
        lines.append(f"UNCONFIRMED, not found in the project: {names}")
    return [*lines, *result.notices]
