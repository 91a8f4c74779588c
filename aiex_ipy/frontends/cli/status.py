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

    with engine_for() as engine:
        found = status_of(engine)
    if output == "json":
        print(to_json(found), end="")
        return
    print(f"aiex {found.version}")
    print(f"project      {found.project_dir}")
    print(f"provider     {found.provider or 'none'}" + (f" ({found.why})" if found.why else ""))
    print(f"model        {found.model or 'the provider chooses'}")
    print(f"providers    {', '.join(found.providers) or 'none'}")
    print(f"local model  {found.local_model}")
    print("analyzers    " + ", ".join(f"{name} {at}" for name, at in found.analyzers.items()))
    for notice in found.notices:
        print(f"note         {notice}")
