"""`aiex help [TOPIC]`: what `pages` does not answer."""

from __future__ import annotations

import click


@click.command()
@click.argument("topic", nargs=-1)
@click.pass_context
def help_topic(ctx: click.Context, topic: tuple[str, ...]) -> None:
    """Show the help of a command: aiex help ai analyze."""
    root = ctx.find_root()
    print(page_of(root.command, topic, root), end="")


def page_of(command: click.Command, topic: tuple[str, ...], root: click.Context) -> str:
    """Return the help text of `topic` below `command`. Raises click.UsageError."""
    here = root
    for word in topic:
        if not isinstance(command, click.Group):
            raise click.UsageError(f"{here.command_path!r} has no command {word!r}.")
        name, found, _ = command.resolve_command(here, [word])
        assert found is not None
        here = click.Context(
            found, parent=here, info_name=name, terminal_width=80, **found.context_settings
        )
        command = found
    return command.get_help(here) + "\n"
