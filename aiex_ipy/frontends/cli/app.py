"""The click program: commands declared in a table, each imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from aiex_ipy.errors import near_miss
from aiex_ipy.frontends.cli.faults import guarded, say
from aiex_ipy.frontends.cli.pages import page
from aiex_ipy.frontends.cli.table import COMMANDS, Entry, Table

SETTINGS = {
    "help_option_names": ["-h", "--help"],
    "token_normalize_func": lambda token: token.replace("_", "-"),
    "max_content_width": 100,
}


class ReaderGone(Exception):
    """Nobody reads stdout any more (`aiex … | head`). No OSError, because click makes an exit
    code 1 of a broken pipe, which is the code of a failed gate here."""


class LazyGroup(click.Group):
    """A group whose commands are imported on use; `table` names them with their short help."""

    def __init__(self, *args: Any, table: Table, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderGone from None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            words = ctx.command_path.split()[1:]
            print(page(tuple(words)) or ctx.get_help() + "\n", end="")
            ctx.exit()
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        entry = self.table.get(name)
        if entry is None:
            return None
        if entry.commands:
            return LazyGroup(
                name=name,
                help=entry.help,
                short_help=entry.help,
                table=entry.commands,
                context_settings=SETTINGS,
            )
        module, _, attribute = entry.where.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        command.context_settings = {**SETTINGS, **command.context_settings}
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0].replace("_", "-")
        if name not in self.table and not name.startswith("-"):
            ctx.fail(f"There is no command {args[0]!r}. {near_miss(name, list(self.table))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, _short(entry)) for name, entry in self.table.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _short(entry: Entry) -> str:
    return entry.help.split(". ")[0].rstrip(".")


def program() -> click.Group:
    """Return the whole command line."""
    return LazyGroup(
        name="aiex",
        help="An AI coding assistant that lives inside the Jupyter kernel; this is its command "
        "line.\n\nResults go to stdout, progress to stderr. Exit codes: 0 done, 1 a gate "
        "failed, 2 bad input, 3 no provider could answer, 4 some inputs failed, 130 interrupted.",
        table=COMMANDS,
        context_settings=SETTINGS,
    )


def run(arguments: list[str]) -> int:
    """Run the program and return the exit code; errors become one line on stderr."""
    return guarded(lambda: _run(arguments))


def _run(arguments: list[str]) -> object:
    try:
        return program().main(arguments, prog_name="aiex", standalone_mode=False)
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None
    except ReaderGone:
        raise BrokenPipeError from None
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "aiex"
        say(f"{where}: {' '.join(error.format_message().split())}")
        say(f"Try: {where} --help")
        return 2
    except click.ClickException as error:
        say(f"aiex: {error.format_message()}")
        return 2
