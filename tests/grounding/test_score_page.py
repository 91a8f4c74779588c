"""`docs/explanation/score.md` says what the code does: what it shows is computed again."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("score_page", ROOT / "docs" / "score_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(page: ModuleType, name: str) -> str:
    text = page.PAGE.read_text("utf-8")
    start, end = page.section(text, name)
    return str(text[start:end])


def same_versions(page: ModuleType, name: str) -> None:
    """Skip where the page was measured with other versions of Python or the analyzers."""
    measured = shown(page, name).splitlines()[0]
    if measured != page.versions():
        pytest.skip(f"the page was written with: {measured} Here: {page.versions()}")


@pytest.mark.parametrize("name", ["components", "debts", "gates", "combination", "example"])
def test_the_page_shows_the_weights_as_they_are(page: ModuleType, name: str) -> None:
    """Weights, gates and the example are those of score.toml; else run docs/score_page.py."""
    assert shown(page, name) == page.SECTIONS[name]()


def test_the_page_shows_the_ledgers_of_five_standard_modules(page: ModuleType) -> None:
    """Line by line what `analyze` says of these modules, on the Python the page names."""
    same_versions(page, "ledgers")
    assert len(page.MODULES) == 5
    assert shown(page, "ledgers") == page.SECTIONS["ledgers"]()


@pytest.mark.slow
def test_the_page_shows_the_measured_distribution(page: ModuleType) -> None:
    """Quantiles and correlations over the whole library are those measured, to a tenth: one rule
    more moves a quantile by hundredths, and only a change that is seen needs a new page."""
    same_versions(page, "distribution")
    written, measured = shown(page, "distribution"), page.SECTIONS["distribution"]()
    number = r"-?\d+\.\d\d\b"
    assert re.sub(number, "", written) == re.sub(number, "", measured)
    for told, found in zip(
        *(re.findall(number, text) for text in (written, measured)), strict=True
    ):
        assert float(told) == pytest.approx(float(found), abs=0.1)
