"""What is suggested for four real functions, beside lists made by hand.

Two lists were written before the code was begun, two before it was first run on their functions.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import operator
import tomllib
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.grounding.cases import Case, cases_of
from aiex_ipy.grounding.explain import find
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.names import Names
from aiex_ipy.grounding.python import parse

HERE = Path(__file__).parent


def listed(file: str) -> dict[str, dict[str, Any]]:
    return tomllib.loads((HERE / file).read_text("utf-8"))


LISTS = listed("listed_before.toml") | listed("listed_later.toml")
FOUND = {
    "quantiles": (21, 22, 17, 17),
    "wrap_chunks": (29, 31, 27, 30),
    "parse_request_range": (8, 12, 8, 8),
    "delete": (10, 13, 11, 12),
}
"""By list: how many of its items are suggested, of how many; how many of the suggestions are in
the list, of how many. For the last two, when first run: 5 of 12 with 5 of 5, 10 of 13 with 11 of
14; what takes texts apart was added after that."""


def suggested(entry: dict[str, Any]) -> list[Case]:
    """The cases of the function a list is about; skips where its source is another."""
    module = pytest.importorskip(entry["module"])
    target = operator.attrgetter(entry["name"])(importlib.import_module(entry["module"]))
    digest = hashlib.sha256(inspect.getsource(target).encode()).hexdigest()
    if digest != entry["sha256"]:
        pytest.skip(f"{entry['name']} is another here than the one the list was made for")
    text = Path(str(module.__file__)).read_text("utf-8")
    names = Names(parse(Subject(path=entry["module"], text=text)))
    return cases_of(names, find(names, entry["name"]))


@pytest.mark.parametrize("name", LISTS)
def test_most_of_what_a_person_lists_is_suggested(name: str) -> None:
    """Counted item by item: the same line, a fitting kind, and the values and names to use."""
    cases = suggested(LISTS[name])
    hit: set[Case] = set()
    found = 0
    for item in LISTS[name]["item"]:
        fitting = [c for c in cases if c.line == item["line"] and c.kind in item["kind"]]
        words = " ".join(f"{c.on} {c.test} {c.why}" for c in fitting)
        if fitting and all(word in words for word in item["says"]):
            found += 1
            hit.update(fitting)
    assert (found, len(LISTS[name]["item"]), len(hit), len(cases)) == FOUND[name]
