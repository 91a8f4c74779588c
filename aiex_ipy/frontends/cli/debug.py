"""`aiex ai debug`: run a program and explain its crash, or explain a traceback or a process."""

from __future__ import annotations

import sys
from typing import Any

import click

from aiex_ipy.errors import UsageError
from aiex_ipy.frontends.cli.options import OUTPUT, options_of
from aiex_ipy.frontends.cli.output import target_of

COMMAND = "aiex.command"
SHOWN_LINES = 12
"""Last lines of a program that printed no traceback."""


class WithCommand(click.Command):
    """A command after whose bare `--` stands a program with its own arguments."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[COMMAND] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command(cls=WithCommand)
@click.argument("target", nargs=-1, metavar="[-- PROGRAM [ARGUMENT]... | PID | FILE | -]")
@options_of("debug")
@OUTPUT
@click.pass_context
def debug(
    ctx: click.Context,
    target: tuple[str, ...],
    context: tuple[str, ...],
    provider: str | None,
    model: str | None,
    allow_secret_file: bool,
    output: str,
) -> int:
    """Run a program (python script.py, pytest, …) and explain why it failed.

    Or explain the stack of a running process by its PID, or a traceback in a FILE or on stdin (-).
    The program's own output is not touched; with another --output than text it goes to stderr. The
    exit code is 0 when the failure could be explained.
    """
    from aiex_ipy.engine.debugging import debug_request
    from aiex_ipy.frontends.cli.run import engine_for, show

    target_of(output)
    command: list[str] | None = ctx.meta.get(COMMAND)
    if command is not None and target:
        raise click.UsageError(f"Both {' '.join(target)!r} and a program after -- were given.")
    more: dict[str, Any] = {
        "context": context,
        "provider": provider,
        "model": model,
        "allow_secret_file": allow_secret_file,
    }
    with engine_for() as engine:
        if command is not None:
            request = _ran(engine, command, output, more)
            if request is None:
                return 0
        else:
            seen = _named(engine, target, allow_secret_file)
            request = debug_request(engine, seen, **more)
        show(engine, request, output)
    return 0


def _ran(engine: Any, command: list[str], output: str, more: dict[str, Any]) -> Any:
    """Run the program; return the request that explains its failure, None when it has none."""
    from aiex_ipy.engine.debugging import debug_request
    from aiex_ipy.frontends.cli.faults import say
    from aiex_ipy.frontends.cli.started import run
    from aiex_ipy.grounding.failure.printed import looks_printed
    from aiex_ipy.grounding.failure.record import Failure
    from aiex_ipy.operations.debug import DebugRequest

    if not command:
        raise click.UsageError("There is no program after --.")
    format, file = target_of(output)
    ended = run(command, apart=format != "text" and file is None)
    crash = ended.crash
    printed = looks_printed(ended.stderr)
    if ended.code == 0 and crash is None and not printed:
        say("aiex: the program ended without an error.")
        return None
    say(f"aiex: the program ended with {ended.how}.")
    if ended.tests > 1:
        say(f"aiex: the first of {ended.tests} failed tests that were captured is explained.")
    if crash is not None:
        return DebugRequest(
            failure=crash.failure,
            diagnoses=crash.diagnoses,
            source=crash.source,
            shown=crash.shown,
            **more,
        )
    if printed:
        say("aiex: it could not be watched, so only the traceback it printed is read.")
        return debug_request(engine, ended.stderr, **more)
    last = [line for line in ended.stderr.splitlines() if line.strip()][-SHOWN_LINES:]
    if not last:
        raise UsageError(
            f"The program ended with {ended.how} and said nothing on stderr.",
            code="nothing_captured",
            hint="Run it so that it shows a Python traceback.",
        )
    failure = Failure(
        kind="text",
        title=f"The program ended with {ended.how} and no traceback.",
        context=("Its last words on stderr:", *last),
    )
    return DebugRequest(failure=failure, **more)


def _named(engine: Any, target: tuple[str, ...], allow_secret_file: bool) -> Any:
    """What the words stand for: a process id, or the text of a traceback."""
    from aiex_ipy.frontends.cli.analyzing import from_stdin

    if len(target) > 1:
        raise click.UsageError(
            f"There are several targets: {' '.join(target)!r}. To run a program put -- before it."
        )
    if not target and (sys.stdin is None or sys.stdin.isatty()):
        raise click.UsageError(
            "There is nothing to debug. Name a program after --, a process id, a file with a "
            "traceback, or - for stdin."
        )
    word = target[0] if target else "-"
    if word.isdecimal():
        return int(word)
    if word == "-":
        text = from_stdin("<stdin>").text
    else:
        if word.endswith(".py"):
            raise click.UsageError(
                f"{word!r} is a program, not a traceback. Run it: aiex ai debug -- python {word}."
            )
        workspace = engine.view.workspace
        text = workspace.read(word, allow_secret_file=allow_secret_file).text
    if not text.strip():
        raise UsageError(
            f"{word!r} is empty: there is no traceback.",
            code="nothing_failed",
            hint="Give the text that Python printed.",
        )
    return text
