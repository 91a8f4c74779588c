"""The list of decisions: their titles, in order."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name("decisions")
HEAD = """\
# Decisions

Generated from the pages. Each says what was decided, why, and what was measured.
"""


def pages() -> dict[Path, str]:
    """The list."""
    lines = []
    for file in sorted(FOLDER.glob("[0-9]*.md")):
        title = file.read_text("utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"{int(file.name[:4])}. [{title}]({file.name})")
    return {FOLDER / "README.md": HEAD + "\n" + "\n".join(lines) + "\n"}
