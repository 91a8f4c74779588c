"""`aiex ai project|test-suggest`."""

from __future__ import annotations

from typing import Any

import click

from aiex_ipy.errors import UsageError
from aiex_ipy.frontends.cli.analyzing import from_stdin
from aiex_ipy.frontends.cli.options import OUTPUT, STDIN_NAME, options_of
from aiex_ipy.frontends.cli.output import target_of


@click.command()
@click.argument("path", default="", metavar="[DIRECTORY|PACKAGE]")
@options_of("project")
@OUTPUT
def project(path: str, focus: str | None, output: str, **choice: Any) -> None:
    """Survey a project: size, ways in, imports, hot spots, coverage, worst units.

    Without a directory or the name of an installed package it is the project's own directory.
    """
    from aiex_ipy.frontends.cli.run import engine_for, show
    from aiex_ipy.operations.project import ProjectRequest, focus_of

    target_of(output)
    request = ProjectRequest(path=path, focus=focus_of(focus), **choice)
    with engine_for() as engine:
        show(engine, request, output)


@click.command(name="test-suggest")
@click.argument("target", default="", metavar="[PATH|NAME]")
@options_of("test_suggest")
@OUTPUT
@STDIN_NAME
def test_suggest(
    target: str,
    file: str | None,
    symbol: str | None,
    output: str,
    stdin_filename: str | None,
    **choice: Any,
) -> None:
    """Suggest what to test of a file, a dotted name (package.module.function), or - for stdin."""
    from aiex_ipy.frontends.cli.run import engine_for, show
    from aiex_ipy.operations.suggest_tests import TestSuggestRequest

    if file is not None and target:
        raise UsageError(
            f"There are two things to test: {file!r} and {target!r}.",
            code="two_targets",
            hint="Name one of them.",
        )
    target_of(output)
    request = TestSuggestRequest(
        target="" if target == "-" else file or target,
        subject=from_stdin(stdin_filename) if target == "-" else None,
        is_path=file is not None,
        symbol=symbol or "",
        **choice,
    )
    with engine_for() as engine:
        show(engine, request, output)
