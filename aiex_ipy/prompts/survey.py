"""A survey in words for a model: each part a section, the most telling first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MODULES = 60
LINKS = 120


def sections(survey: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield title and text of each part of a survey given as plain values; empty ones are left
    out."""
    size = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in survey["size"].items())
    parts = {
        "Size": size,
        "Ways in": "\n".join(
            f"{p['name']} ({p['kind']}): {p['target']}" for p in survey["entry_points"]
        ),
        "Hot spots: complexity times changes": "\n".join(
            f"{m['name']}: complexity {m['complexity']}, {m['changes']} changes"
            for m in survey["hot_spots"]
        ),
        "Import cycles": "\n".join(" -> ".join(cycle) for cycle in survey["cycles"]),
        "Worst units": "\n".join(
            f"{u['path']}:{u['line']} {u['unit']} loses {u['lost']}: {u['reason']}"
            for u in survey["worst"]
        ),
        "Findings": "\n".join(
            f"{i['path']}:{i['line']} {i['severity']} {i['rule']}: {i['message']}"
            for i in survey["findings"]
        ),
        "Modules": "\n".join(_module(each) for each in _largest(survey["modules"])),
        "Imports": "\n".join(
            f"{link['importer']} -> {link['imported']}" for link in survey["links"][:LINKS]
        ),
        "Packages from outside": ", ".join(survey["external"]),
        "Without a test": ", ".join(survey["untested"][:MODULES]),
    }
    for title, text in parts.items():
        if text:
            yield title, text


def _largest(modules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    own = [each for each in modules if not each["test"]]
    return sorted(own, key=lambda each: -each["statements"])[:MODULES]


def _module(each: dict[str, Any]) -> str:
    covered = "" if each["coverage"] is None else f", coverage {each['coverage']:.0%}"
    return (
        f"{each['name']}: {each['statements']} statements, complexity {each['complexity']}, "
        f"imported by {each['imported_by']}{covered}"
    )
