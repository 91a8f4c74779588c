"""Links between the pages lead somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.joinpath("docs").rglob("*.md"),
        *ROOT.joinpath("notebooks").glob("*.ipynb"),
    ]
)


def text_of(file: Path) -> str:
    """The Markdown of a page, fences left out; of a notebook, that of its Markdown cells."""
    text = file.read_text("utf-8")
    if file.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(file: Path) -> set[str]:
    """The anchors of a page's headings. Source: what GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", text_of(file), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()).strip() for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(file: Path) -> None:
    """No page points at a page or heading that is not there."""
    for link in LINK.findall(text_of(file)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), f"{file.name} links to {link}"
        assert target.is_relative_to(ROOT), f"{file.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{file.name} links to {link}"


def test_every_page_is_linked_from_another() -> None:
    """A reader who starts at the README can come to every page."""
    found: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        file = waiting.pop()
        found.add(file)
        for link in LINK.findall(text_of(file)):
            target = (file.parent / link.partition("#")[0]).resolve()
            if target in PAGES and target not in found:
                waiting.append(target)
    assert [str(file.relative_to(ROOT)) for file in PAGES if file not in found] == []
