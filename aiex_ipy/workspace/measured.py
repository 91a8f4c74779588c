"""Which lines the tests ran, from the data that coverage.py left beside the code."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from aiex_ipy.errors import WorkspaceError
from aiex_ipy.workspace.door import MB, Located, Workspace

NAMES = (".coverage", "coverage.json", "coverage.xml")
DATA_FILE_MB = 100
"""A larger `.coverage` is not opened: it would take seconds. Files as text have the workspace's
own limit."""


class Lines(Struct, frozen=True, kw_only=True):
    """The lines of one file that were run. `missing` are those that were not, None where the data
    does not tell. `stale` is True when the file was changed after the data was written."""

    run: frozenset[int]
    missing: frozenset[int] | None = None
    stale: bool = False


class Measured(Struct, frozen=True, kw_only=True):
    """What was measured, by absolute path. `source` is the data file's name for people; `problem`
    says why nothing is known although there is one."""

    source: str = ""
    files: dict[str, Lines] = {}
    problem: str = ""


def measured_near(workspace: Workspace, directory: str) -> Measured | None:
    """Return what was measured of the files around an absolute directory, from the newest data
    file in the nearest directory that has one, up to the project's; None where there is none."""
    here = directory
    while True:
        found = [os.path.join(here, name) for name in NAMES]
        there = [file for file in found if os.path.isfile(file)]
        if there:
            return _read(workspace, max(there, key=_changed_at))
        above = os.path.dirname(here)
        if here == workspace.project_dir or above == here or os.path.exists(f"{here}/.git"):
            return None
        here = above


def _read(workspace: Workspace, file: str) -> Measured:
    name = os.path.basename(file)
    located = Located(path=name, file=file, is_directory=False)
    try:
        located = workspace.resolve(file)
        if not workspace.is_open(located):
            return Measured(source=located.path, problem="it may not be read")
        if name == ".coverage":
            lines = _of_database(file)
        else:
            text = workspace.read(located).text
            lines = _of_json(text, file) if name.endswith(".json") else _of_xml(text, file)
    except WorkspaceError as error:
        return Measured(source=located.path, problem=error.message)
    except _Unreadable as error:
        return Measured(source=located.path, problem=str(error))
    written = _changed_at(file)
    files = {
        path: Lines(run=run, missing=missing, stale=_changed_at(path) > written)
        for path, (run, missing) in lines.items()
        if os.path.isfile(path)
    }
    return Measured(source=located.path, files=files)


class _Unreadable(Exception):
    """The data is not of its form."""


_Found = dict[str, tuple[frozenset[int], frozenset[int] | None]]


def _of_database(file: str) -> _Found:
    """Read coverage.py's own data file, opened so that nothing is written beside it.

    Source: coverage.py 7, "dbschema": tables `file`, `line_bits`, `arc`; bit n of a blob is line n.
    """
    import sqlite3
    from contextlib import closing
    from urllib.parse import quote

    if os.path.getsize(file) > DATA_FILE_MB * MB:
        raise _Unreadable(f"it has more than {DATA_FILE_MB} MB")
    run: dict[str, set[int]] = {}
    try:
        uri = f"file:{quote(file)}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as data:
            paths = {
                number: str(path) for number, path in data.execute("select id, path from file")
            }
            for path in paths.values():
                run[path] = set()
            for number, bits in data.execute("select file_id, numbits from line_bits"):
                if isinstance(bits, bytes) and number in paths:
                    run[paths[number]].update(_lines_of(bits))
            for number, line in data.execute("select file_id, tono from arc where tono > 0"):
                if number in paths:
                    run[paths[number]].add(int(line))
    except (sqlite3.Error, ValueError) as error:
        raise _Unreadable(f"it is no data of coverage.py 5 or later ({error})") from None
    folder = os.path.dirname(file)
    return {os.path.join(folder, path): (frozenset(lines), None) for path, lines in run.items()}


def _lines_of(bits: bytes) -> Iterable[int]:
    return (at * 8 + bit for at, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1)


def _of_json(text: str, file: str) -> _Found:
    """Read the output of `coverage json`. Source: coverage.py 7, JSON reporter, format 2 and 3."""
    import msgspec

    try:
        data: Any = msgspec.json.decode(text)
        folder = os.path.dirname(file)
        return {
            os.path.normpath(os.path.join(folder, path)): (
                frozenset(map(int, each["executed_lines"])),
                frozenset(map(int, each["missing_lines"])),
            )
            for path, each in data["files"].items()
        }
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError, ValueError):
        raise _Unreadable("it is no output of `coverage json`") from None


def _of_xml(text: str, file: str) -> _Found:
    """Read the output of `coverage xml`. Source: coverage.py 7, XML reporter (Cobertura's form)."""
    from xml.etree import ElementTree

    if "<!ENTITY" in text:
        raise _Unreadable("it defines entities, which no report does")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - entities are refused above
        folder = os.path.dirname(file)
        tops = [os.path.join(folder, each.text or "") for each in root.iter("source")] or [folder]
        found: _Found = {}
        for part in root.iter("class"):
            hits = {int(line.attrib["number"]): line.attrib["hits"] for line in part.iter("line")}
            run = frozenset(line for line, count in hits.items() if count != "0")
            for top in tops:
                path = os.path.normpath(os.path.join(top, part.attrib["filename"]))
                if os.path.isfile(path):
                    found[path] = run, frozenset(hits) - run
                    break
        return found
    except (ElementTree.ParseError, KeyError, ValueError):
        raise _Unreadable("it is no output of `coverage xml`") from None


def _changed_at(file: str) -> float:
    try:
        return os.stat(file).st_mtime
    except OSError:
        return 0.0
