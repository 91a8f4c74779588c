"""`aiex ai ask|analyze|explain`."""

from __future__ import annotations

import sys
from typing import Any

import click

from aiex_ipy.frontends.cli.analyzing import from_stdin
from aiex_ipy.frontends.cli.options import OUTPUT, STDIN_NAME, ScoreType, options_of
from aiex_ipy.frontends.cli.output import target_of


@click.command()
@click.argument("query", nargs=-1)
@options_of("ask")
@OUTPUT
def ask(
    query: tuple[str, ...],
    context: tuple[str, ...],
    provider: str | None,
    model: str | None,
    output: str,
    allow_secret_file: bool,
) -> None:
    """Ask a free question. The words of QUERY are joined; - reads it from stdin."""
    from aiex_ipy.frontends.cli.run import engine_for, show
    from aiex_ipy.operations.ask import AskRequest

    words = from_stdin("<stdin>").text if query == ("-",) else " ".join(query)
    target_of(output)
    with engine_for() as engine:
        request = AskRequest(
            query=words,
            context=context,
            provider=provider,
            model=model,
            allow_secret_file=allow_secret_file,
        )
        show(engine, request, output)


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@options_of("analyze")
@click.option(
    "--fail-under",
    type=ScoreType(),
    metavar="SCORE",
    help="Exit 1 when a quality score (0-10) is below this, or there is none.",
)
@OUTPUT
@STDIN_NAME
def analyze(
    paths: tuple[str, ...],
    file: tuple[str, ...],
    type: Any,
    fail_under: float | None,
    provider: str | None,
    model: str | None,
    output: str,
    stdin_filename: str | None,
    allow_secret_file: bool,
) -> int:
    """Score code and list its issues: files, directories, notebooks, or - for stdin."""
    from aiex_ipy.frontends.cli import analyzing

    return analyzing.analyze(
        paths=_needed((*file, *paths), "analyze"),
        type=type,
        fail_under=fail_under,
        provider=provider,
        model=model,
        output=output,
        stdin_filename=stdin_filename,
        allow_secret_file=allow_secret_file,
    )


@click.command()
@click.argument("target", nargs=-1, metavar="[PATH|NAME|TOPIC]")
@options_of("explain")
@click.option("--symbol", metavar="NAME", help="Explain this function or class of the file.")
@OUTPUT
@STDIN_NAME
def explain(
    target: tuple[str, ...],
    file: str | None,
    symbol: str | None,
    level: Any,
    focus: Any,
    provider: str | None,
    model: str | None,
    output: str,
    stdin_filename: str | None,
    allow_secret_file: bool,
) -> None:
    """Explain a file, a dotted name (package.module.function), or a topic.

    The level is intermediate unless named; detailed is advanced.
    """
    from aiex_ipy.frontends.cli.run import engine_for, show
    from aiex_ipy.operations.explain import ExplainRequest

    if file is not None and target:
        raise click.UsageError(f"Both --file {file!r} and {' '.join(target)!r} were given.")
    named = _needed((file,) if file is not None else target, "explain")
    target_of(output)
    request = ExplainRequest(
        target="" if named == ("-",) else " ".join(named),
        subject=from_stdin(stdin_filename) if named == ("-",) else None,
        is_path=file is not None,
        symbol=symbol or "",
        level=level or "intermediate",
        focus=focus or "comprehensive",
        provider=provider,
        model=model,
        allow_secret_file=allow_secret_file,
    )
    with engine_for() as engine:
        show(engine, request, output)


def _needed(named: tuple[str, ...], verb: str) -> tuple[str, ...]:
    """The inputs; with none, stdin when it is not a terminal, else a usage error."""
    if named:
        return named
    if sys.stdin is not None and not sys.stdin.isatty():
        return ("-",)
    raise click.UsageError(f"There is nothing to {verb}. Name a file, or - for stdin.")
