"""The ways into a project: what its `pyproject.toml` names, `__main__` modules, scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

from aiex_ipy.grounding.project import ProjectFacts


class EntryPoint(Struct, frozen=True, kw_only=True):
    """One way in. `kind` is `command` (a script that is installed), `plugin` (an entry point of
    another group, `group`), `package` (`python -m name`) or `script` (a file one can run)."""

    name: str
    kind: Literal["command", "plugin", "package", "script"]
    target: str = ""
    group: str = ""


def declared(text: str) -> tuple[tuple[EntryPoint, ...], str]:
    """Return the entry points a `pyproject.toml` names, and why none could be read, or `""`.

    Source: PyPA, "pyproject.toml specification"; `tool.poetry.scripts` of Poetry 1.
    """
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return (), f"pyproject.toml is no TOML: {error}"
    return tuple(_declared(data)), ""


def _declared(data: dict[str, Any]) -> Iterator[EntryPoint]:
    project = _table(data, "project")
    poetry = _table(_table(data, "tool"), "poetry")
    for scripts in (
        _table(project, "scripts"),
        _table(project, "gui-scripts"),
        _table(poetry, "scripts"),
    ):
        for name, target in scripts.items():
            if isinstance(target, str):
                yield EntryPoint(name=name, kind="command", target=target)
    for group, points in _table(project, "entry-points").items():
        for name, target in (points if isinstance(points, dict) else {}).items():
            if isinstance(target, str):
                yield EntryPoint(name=name, kind="plugin", target=target, group=group)


def _table(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def runnable(facts: ProjectFacts) -> tuple[EntryPoint, ...]:
    """Return the modules one can run, packages first."""
    found = []
    for name in facts.entry_points:
        package, _, last = name.rpartition(".")
        module = facts.module(name)
        path = module.path if module is not None else ""
        if last == "__main__" and package:
            found.append(EntryPoint(name=f"python -m {package}", kind="package", target=path))
        else:
            found.append(EntryPoint(name=name, kind="script", target=path))
    return tuple(sorted(found, key=lambda point: (point.kind, point.name)))
