"""`aiex completion bash|zsh|fish`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For example: aiex completion bash >> ~/.bashrc
    """
    cls = get_completion_class(shell)
    assert cls is not None
    print(cls(ctx.find_root().command, {}, "aiex", "_AIEX_COMPLETE").source())
