"""`aiex ai debug`: run a program and explain its crash, or explain a traceback or a process."""

from __future__ import annotations

import signal
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
    exit code is 0 when the failure could be explained, 130 after Ctrl-C.
    """
    from aiex_ipy.engine.debugging import debug_request
    from aiex_ipy.frontends.cli.run import engine_for, show

    target_of(output)
    command: list[str] | None = ctx.meta.get(COMMAND)
    if command is not None and not command:
        raise click.UsageError("There is no program after --.")
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
            from aiex_ipy.frontends.cli.started import run

            format, file = target_of(output)
            ended = run(command, apart=format != "text" and file is None)
            if ended.stopped not in (0, signal.SIGINT):
                return 128 + ended.stopped  # as shells have it of a program that a signal ended
            request = _of(engine, ended, more)
            if request is not None:
                show(engine, request, output)
            return 128 + ended.stopped if ended.stopped else 0
        seen = _named(engine, target, allow_secret_file)
        show(engine, debug_request(engine, seen, **more), output)
    return 0


def _of(engine: Any, ended: Any, more: dict[str, Any]) -> Any:
    """Return the request that explains a program's failure, None when it has none."""
    from aiex_ipy.engine.debugging import debug_request
    from aiex_ipy.frontends.cli.faults import say
    from aiex_ipy.grounding.failure.masking import Mask
    from aiex_ipy.grounding.failure.printed import looks_printed
    from aiex_ipy.grounding.failure.record import Failure
    from aiex_ipy.operations.debug import DebugRequest

    left = ended.left
    crash = left.crash(ended.code)
    printed = looks_printed(ended.stderr)
    if ended.code == 0 and crash is None and not printed:
        say("aiex: the program ended without an error.")
        return None
    say(f"aiex: the program ended with {ended.how}.")
    if crash is not None:
        _say_which(crash, left)
        return DebugRequest(
            failure=_with_childs(engine, crash.failure, ended.stderr),
            diagnoses=crash.diagnoses,
            source=crash.source,
            shown=crash.shown,
            **more,
        )
    why = _unseen(left)
    if printed:
        say(f"aiex: {why}, so only the traceback on its stderr is read.")
        return debug_request(engine, ended.stderr, **more)
    last = [line for line in ended.stderr.splitlines() if line.strip()][-SHOWN_LINES:]
    if not last:
        raise UsageError(
            f"The program ended with {ended.how} and said nothing on stderr; {why}.",
            code="nothing_captured",
            hint="Give what it wrote on stdout as a file: aiex ai debug FILE.",
        )
    if not (left.watched and left.able):
        say(f"aiex: {why}.")
    mask = Mask(())
    failure = Failure(
        kind="text",
        title=f"The program ended with {ended.how} and no traceback on stderr.",
        context=("Its last words there:", *(mask.text(each) for each in last)),
    )
    return DebugRequest(failure=failure, **more)


def _say_which(crash: Any, left: Any) -> None:
    """Say which of several crashes is explained, and where it was if not in the main thread."""
    from aiex_ipy.frontends.cli.faults import say

    if crash.where == "test" and left.failed > 1:
        say(f"aiex: the first of {left.failed} failed tests is explained.")
    if crash.where == "process":
        say(f"aiex: the process {crash.process!r} that it started died; that is explained.")
    later = [each for each in left.crashes if each is not crash and each.where in ("main", "hook")]
    if later:
        say(f"aiex: the program itself ended after that with {later[0].failure.title!r}.")


def _unseen(left: Any) -> str:
    """Why nothing was captured."""
    if not left.watched:
        return "it was not watched (no Python, or one with -I, -E or -S)"
    if not left.able:
        return "aiex is not installed for the Python that failed"
    return "no exception ended the Python that was watched"


def _with_childs(engine: Any, failure: Any, stderr: str) -> Any:
    """The failure of a command, with the traceback that the command printed before as its cause."""
    from msgspec.structs import replace

    from aiex_ipy.grounding.failure.masking import Mask
    from aiex_ipy.grounding.failure.printed import of_process, reports
    from aiex_ipy.grounding.failure.sources import Sources

    error = failure.error
    if error is None or error.type != "CalledProcessError" or len(failure.errors) > 1:
        return failure
    before = reports(stderr)[:-1]  # the last is that of the command's caller
    if not before:
        return failure
    told = of_process(before[-1], Sources(project_dir=str(engine.settings.project_dir or "")))
    return Mask(()).record(replace(failure, errors=(*told, error)))


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
        from aiex_ipy.grounding.failure.process import is_running

        if not is_running(int(word)):
            raise UsageError(
                f"There is no process {word}.", code="no_process", hint="Check the process id."
            )
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
