"""Generated pages are what their sources say; `make docs` writes them anew.

The page of the score, which is measured, is compared in `tests/grounding/test_score_page.py`.
"""

from __future__ import annotations

import generate
import pytest

PAGES = generate.pages()


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(generate.ROOT)))
def test_the_page_is_what_its_source_says(file):
    """Nobody edited the page, and nobody changed its source without `make docs`."""
    assert file.exists(), "run `make docs`"
    assert file.read_text("utf-8") == PAGES[file], "run `make docs`"


def test_no_generated_page_is_left_behind():
    """A command, schema or page that is gone has no file any more."""
    for folder, suffix in {(file.parent, file.suffix) for file in PAGES}:
        if folder.name in ("help", "reference", "schemas"):
            kept = {file.name for file in folder.glob(f"*{suffix}")}
            assert kept == {file.name for file in PAGES if file.parent == folder}
