"""`aiex ai complete`."""

from __future__ import annotations

from typing import Any

import click

from aiex_ipy.frontends.cli.analyzing import from_stdin
from aiex_ipy.frontends.cli.options import OUTPUT, options_of
from aiex_ipy.frontends.cli.output import target_of

JEDI_WAIT_S = 10.0
"""A command is asked once: it waits for jedi's import, which a front end does not."""


@click.command()
@click.argument("fragment", default="", metavar="[FRAGMENT]")
@options_of("complete")
@OUTPUT
def complete(
    fragment: str,
    file: str | None,
    line: str | None,
    column: str | None,
    output: str,
    allow_secret_file: bool,
    **choice: Any,
) -> None:
    """Complete code: FRAGMENT, - for stdin, or a place in a file, its end unless named.

    There are no live objects here: names come from the code by jedi, then from a model. A FRAGMENT
    beside a file is taken as typed at that place.
    """
    from aiex_ipy.engine.completing import code_at, completer_of
    from aiex_ipy.frontends.cli.run import engine_for, show

    target_of(output)
    code = from_stdin("<stdin>").text.removesuffix("\n") if fragment == "-" else fragment
    if not code and file is None:
        raise click.UsageError("There is nothing to complete. Give code, --file, or - for stdin.")
    with engine_for() as engine:
        before, after = code_at(
            engine, file, line, column, code, allow_secret_file=allow_secret_file
        )
        wait_s = JEDI_WAIT_S if engine.settings.completion.jedi_deadline_ms else 0.0
        request = completer_of(engine).request(before, after, {}, jedi_wait_s=wait_s, **choice)
        show(engine, request, output)
