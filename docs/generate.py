"""Write every generated page: `make docs`. Each is compared with its source by a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click

from aiex_ipy.frontends.cli.app import SETTINGS, LazyGroup, program
from aiex_ipy.frontends.cli.help import page_of

ROOT = Path(__file__).parents[1]
HELP = ROOT / "aiex_ipy" / "frontends" / "cli" / "help"


def topics(command: click.Command, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command's words, the program's own first."""
    yield prefix
    if isinstance(command, LazyGroup):
        for name in command.table:
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from topics(found, (*prefix, name))


def help_pages() -> dict[Path, str]:
    """The stored help pages of the command line."""
    root = click.Context(program(), info_name="aiex", terminal_width=80, **SETTINGS)
    return {
        HELP / ("-".join(("aiex", *topic)) + ".txt"): page_of(root.command, topic, root)
        for topic in topics(root.command)
    }


def cli_reference() -> dict[Path, str]:
    """The reference page of the command line: the same texts."""
    parts = ["# The command line", "", "Generated from `aiex help`.", ""]
    for file, text in help_pages().items():
        words = file.stem.replace("-", " ")
        parts += [f"## {words}", "", "```text", text.rstrip(), "```", ""]
    return {ROOT / "docs" / "reference" / "cli.md": "\n".join(parts)}


GENERATORS: tuple[Callable[[], dict[Path, str]], ...] = (help_pages, cli_reference)


def pages() -> dict[Path, str]:
    """Every generated file with its text."""
    found: dict[Path, str] = {}
    for generator in GENERATORS:
        found |= generator()
    return found


if __name__ == "__main__":
    for file, text in pages().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        print(file.relative_to(ROOT))
