"""The documentation is run: every command and cell of every page gives what the page shows.

How a page is read stands in `pages`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import NOT_RUN, ROOT, Page, check, fences

FILES = sorted([ROOT / "README.md", *ROOT.joinpath("docs").rglob("*.md")])
RUN = ("console", "ipython", "python", "toml", "py", "bash", "sh")
PAGES = [file for file in FILES if any(f[1] in RUN for f in fences(file.read_text("utf-8")))]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_page_shows_what_happens(
    file: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Each command, script and cell of the page gives the output the page shows."""
    page = Page(tmp_path, model=lambda: Path(request.getfixturevalue("smollm2")))
    try:
        page.follow(file.read_text("utf-8"), file.name)
    finally:
        page.close()


def test_every_fence_says_what_it_is() -> None:
    """No fence escapes the run by a language nobody knows or by having none."""
    known = {*RUN, "output", "text", "json", "yaml"}
    for file in FILES:
        for number, language, _, direction, _ in fences(file.read_text("utf-8")):
            assert direction or language in known, f"{file.name}:{number}: {language!r}"


def test_what_is_not_run_stands_on_some_page() -> None:
    """The list of commands that are not run names none that no page shows."""
    shown = "".join(file.read_text("utf-8") for file in FILES)
    assert [start for start in NOT_RUN if not re.search(rf"^{start}", shown, re.MULTILINE)] == []


@pytest.mark.parametrize(
    ("shown", "got", "fits"),
    [
        ("a\n…\nb", "a\nb", True),
        ("a\n…\nb", "a\nx\ny\nb", True),
        ("a\n…\nb", "a\nx\nb\nc", False),
        ("took … ms", "took 12 ms", True),
        ("took … ms", "took 12\nms", False),
        ("a", "a\nb", False),
        ("…", "", True),
        ("a.b", "axb", False),
    ],
)
def test_an_ellipsis_stands_for_as_little_as_it_says(shown: str, got: str, fits: bool) -> None:
    """Alone on a line it is any lines, inside a line any text; everything else is literal."""
    try:
        check(shown, got, "here")
    except AssertionError:
        assert not fits
    else:
        assert fits
