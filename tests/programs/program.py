"""The record of a failing program, as its JSON file has it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

OURS = Path(__file__).with_name("ours")
OTHERS = Path(__file__).with_name("others")


class Shown(Struct, frozen=True, kw_only=True):
    """A value that must be shown: its name, type, and a text in its line."""

    name: str
    type: str = ""
    contains: str = ""


class Expected(Struct, frozen=True, kw_only=True):
    """What is true of the failure. `cells` and `cells_not` are 1-based; `diagnosis_names` are
    groups of alternatives, one of each of which a diagnosis of the true cause must say."""

    exception: str | None = None
    message_contains: str | None = None
    sub_exceptions: tuple[Any, ...] = ()
    failing_line: str | None = None
    frames: tuple[str, ...] = ()
    must_show: tuple[Shown, ...] = ()
    cells: tuple[int, ...] = ()
    cells_not: tuple[int, ...] = ()
    secret: str | None = None
    cause: str = ""
    diagnosis_names: tuple[tuple[str, ...], ...] = ()
    offline_possible: bool = False


class Program(Struct, frozen=True, kw_only=True):
    """One failing program: a script with its files and command, or the cells of a notebook. With
    `target`, an expression, nothing is raised: its value is wrong."""

    id: str
    title: str
    kind: Literal["script", "notebook"]
    category: str
    files: dict[str, str] = {}
    files_base64: dict[str, str] = {}
    cells: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    target: str | None = None
    expect: Expected

    def write(self, folder: Path) -> None:
        """Put the program's files into a directory."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text.encode())
        for name, data in self.files_base64.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(base64.b64decode(data))


def load(folder: Path) -> list[Program]:
    """Return the programs of a directory, by file name."""
    return [
        msgspec.json.decode(file.read_bytes(), type=Program)
        for file in sorted(folder.glob("*.json"))
    ]
