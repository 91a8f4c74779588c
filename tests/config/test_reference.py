"""The reference page is what the keys say."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from aiex_ipy.config.keys import KEYS, PLANNED
from aiex_ipy.config.reference import PAGE, page

if TYPE_CHECKING:
    from conftest import Place

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    """`python -m aiex_ipy.config.reference` writes it anew."""
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page()


def test_every_key_stands_on_the_page_once() -> None:
    """One row for each key, built or not."""
    rows = re.findall(r"^\| `([\w.]+)` \|", page(), re.MULTILINE)
    for key in (*(doc.key for doc in KEYS), *(planned.key for planned in PLANNED)):
        assert rows.count(key) == 1, key


def test_the_pages_example_loads(place: Place) -> None:
    """What a reader copies from the page works."""
    (example,) = re.findall(r"```toml\n(.*?)```", page(), re.DOTALL)
    place.user.write_text(example)
    settings = place.load({"GROQ_API_KEY": "gsk-12345678"}).settings
    assert settings.llm.timeout_ms == tomllib.loads(example)["llm"]["timeout"]
    assert place.load(profile="test").settings.llm.default_provider == "none"
