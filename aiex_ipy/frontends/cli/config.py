"""`aiex config show|path|set`."""

from __future__ import annotations

from typing import Any

import click

from aiex_ipy import config as settings
from aiex_ipy.frontends.cli.options import JSON


@click.command()
@click.argument("prefix", default="")
@click.option("--origin", is_flag=True, help="Tell where each value came from.")
@JSON
def show(prefix: str, origin: bool, output: str) -> None:
    """Show the settings in force, or those whose key begins with PREFIX."""
    from aiex_ipy.errors import UnknownNameError, near_miss
    from aiex_ipy.frontends.cli.faults import say

    loaded = settings.load_with_origins()
    keys = [k for k in loaded.values if k == prefix or f"{k}.".startswith(f"{prefix}.")]
    if not prefix:
        keys = [k for k in loaded.values if _worth_showing(k, loaded.values[k])]
    if not keys:
        sections = sorted({k.rsplit(".", 1)[0] for k in loaded.values if "." in k})
        raise UnknownNameError(
            f"No setting begins with {prefix!r}.",
            hint=near_miss(prefix, [*sections, *loaded.values]),
        )
    for warning in loaded.warnings:
        say(f"aiex: {warning}")
    if output == "json":
        import msgspec

        rows = {
            key: {"value": loaded.values[key], "origin": str(loaded.origins[key])}
            if origin
            else loaded.values[key]
            for key in keys
        }
        print(msgspec.json.format(msgspec.json.encode(rows, enc_hook=repr), indent=2).decode())
        return
    for key in keys:
        where = f"    # {loaded.origins[key]}" if origin else ""
        print(f"{key} = {_shown(loaded.values[key])}{where}")


@click.command()
def path() -> None:
    """Show the files settings come from, in the order they are read."""
    import os

    found = settings.paths()
    for layer, file in (("team", found.team), ("user", found.user), ("project", found.project)):
        name = file or os.path.join(found.project_dir, "aiex.toml")
        state = "" if file and os.path.exists(file) else "    (not there)"
        print(f"{layer:8} {name}{state}")


@click.command()
@click.argument("key")
@click.argument("value")
@click.option("--project", is_flag=True, help="Write the project's file, not the user's.")
def set_value(key: str, value: str, project: bool) -> None:
    """Set one value in a settings file; comments in it are kept.

    For example: aiex config set llm.default_provider ollama
    """
    print(f"wrote {settings.set_value(key, value, project=project)}")


def _worth_showing(key: str, value: Any) -> bool:
    """False for what nobody set of a provider: six kinds of nine keys would hide the rest."""
    return not key.startswith("llm.providers.") or value not in (None, ())


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "(not set)"
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    if isinstance(value, str):
        import json

        return json.dumps(value, ensure_ascii=False)
    return str(value)
