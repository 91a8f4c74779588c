"""`aiex version`."""

from __future__ import annotations

import click

from aiex_ipy import __version__


@click.command()
def version() -> None:
    """Print the version."""
    print(f"aiex {__version__}")
