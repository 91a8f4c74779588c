"""Write every generated page: `make docs`. Each is compared with its source by a test."""

from __future__ import annotations

import sys
from pathlib import Path

import cli_pages
import decisions_page
import faults_page
import models_page
import results_page
import rules_page
import score_page
import stubs

from aiex_ipy.config import reference

ROOT = Path(__file__).parents[1]


def configuration() -> dict[Path, str]:
    """The reference page of the settings."""
    return {ROOT / reference.PAGE: reference.page()}


GENERATORS = (
    cli_pages.pages,
    configuration,
    rules_page.pages,
    results_page.pages,
    models_page.pages,
    faults_page.pages,
    decisions_page.pages,
    stubs.pages,
)


def pages() -> dict[Path, str]:
    """Every generated file with its text, but for the score's, which holds for the versions of
    Python and the analyzers it names."""
    found: dict[Path, str] = {}
    for generator in GENERATORS:
        found |= generator()
    return found


def main() -> int:
    """Write them all."""
    for file, text in pages().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        print(file.relative_to(ROOT))
    score_page.main()
    print(score_page.PAGE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
