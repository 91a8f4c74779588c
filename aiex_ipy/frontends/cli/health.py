"""`aiex ai health`."""

from __future__ import annotations

import click

from aiex_ipy.frontends.cli.options import OUTPUT, options_of
from aiex_ipy.frontends.cli.output import target_of


@click.command()
@click.argument("notebook", metavar="NOTEBOOK")
@options_of("health")
@OUTPUT
def health(
    notebook: str, run: bool, reorder: str | None, force: bool, allow_secret_file: bool, output: str
) -> int:
    """Say whether a notebook would run again from the top, and an order in which it works.

    Exits with 1 when --run was given and a cell failed, or --reorder and no order works.
    """
    from aiex_ipy.frontends.cli.run import engine_for, show
    from aiex_ipy.operations.health import HealthRequest

    target_of(output)
    request = HealthRequest(
        path=notebook,
        run=run,
        reorder=reorder or "",
        force=force,
        allow_secret_file=allow_secret_file,
    )
    with engine_for() as engine:
        result = show(engine, request, output)
    failed = result.run is not None and not result.run.ok
    return 1 if failed or (reorder and not result.wrote) else 0
