"""The help pages the command line prints, and its reference page: from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from aiex_ipy.frontends.cli.app import SETTINGS, LazyGroup, program
from aiex_ipy.frontends.cli.help import page_of

ROOT = Path(__file__).parents[1]
HELP = ROOT / "aiex_ipy" / "frontends" / "cli" / "help"
HEAD = """\
# The command line

Generated from `aiex help`. Results go to stdout, progress to stderr, so results can be piped.
`--some-option` and `--some_option` are the same.
"""


def topics(command: click.Command, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command's words, the program's own first."""
    yield prefix
    if isinstance(command, LazyGroup):
        for name in command.table:
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from topics(found, (*prefix, name))


def help_pages() -> dict[Path, str]:
    """The stored help pages."""
    root = click.Context(program(), info_name="aiex", terminal_width=80, **SETTINGS)
    return {
        HELP / ("-".join(("aiex", *topic)) + ".txt"): page_of(root.command, topic, root)
        for topic in topics(root.command)
    }


def pages() -> dict[Path, str]:
    """The stored help pages, and the reference page of the same texts."""
    stored = help_pages()
    parts = [HEAD]
    for words, text in zip(topics(program()), stored.values(), strict=True):
        parts += [f"## {' '.join(('aiex', *words))}", "", "```text", text.rstrip(), "```", ""]
    return {**stored, ROOT / "docs" / "reference" / "cli.md": "\n".join(parts)}
