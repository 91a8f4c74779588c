"""`aiex status`: what is configured and ready, without asking any remote server."""

from __future__ import annotations

import click


@click.command()
@click.option("--output", type=click.Choice(["text", "json"]), default="text")
def status(output: str) -> None:
    """Tell what is configured and ready: project, provider, local model, analyzers.

    Only the local ports of Ollama and LM Studio are asked; `aiex llm health` asks every provider.
    """
    from aiex_ipy.engine.status import status_of
    from aiex_ipy.frontends.cli.run import engine_for
    from aiex_ipy.render.results import to_json
    from aiex_ipy.render.standing import text

    with engine_for(notice=False) as engine:
        found = status_of(engine)
    if output == "json":
        print(to_json(found), end="")
        return
    print(text(found), end="")
