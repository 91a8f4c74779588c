"""`aiex ai chat`: a conversation at the terminal, or one turn per line from a pipe."""

from __future__ import annotations

import io
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from aiex_ipy.frontends.cli.options import options_of

if TYPE_CHECKING:
    from aiex_ipy.engine.conversation import Conversation
    from aiex_ipy.operations.chat import ChatType

HELP = (
    "/continue goes on with an answer that was cut, /clear forgets the conversation, /usage shows"
    " tokens and cost, /help shows this, /quit (or Ctrl-D) ends it."
)


@click.command()
@options_of("chat")
def chat(
    type: Any,
    context: tuple[str, ...],
    provider: str | None,
    model: str | None,
    allow_secret_file: bool,
) -> int:
    """Hold a conversation; each line is a turn.

    /continue goes on with an answer that was cut, /clear forgets the conversation, /usage shows its
    tokens and cost, /quit or Ctrl-D ends it.
    """
    from aiex_ipy.engine.conversation import Conversation
    from aiex_ipy.errors import AiexError
    from aiex_ipy.frontends.cli.faults import check_stdout, say
    from aiex_ipy.frontends.cli.run import engine_for

    check_stdout()
    kind: ChatType = type or "general"
    watched = sys.stdin.isatty()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # the turn is refused, not the conversation
    if watched:
        print(f"{kind} conversation. {HELP}", file=sys.stderr)
    code = 0
    with engine_for() as engine:
        conversation = Conversation(
            kind,
            context=context,
            provider=provider,
            model=model,
            allow_secret_file=allow_secret_file,
            engine=engine,
        )
        while (line := _line(watched)) is not None:
            word = line.strip()
            if not word:
                continue
            if word.startswith("/") and word != "/continue":
                if word in ("/quit", "/exit"):
                    break
                print(_obeyed(word, conversation), file=sys.stderr)
                continue
            try:
                _turn(conversation, None if word == "/continue" else word)
                code = 0
            except KeyboardInterrupt:
                print(file=sys.stdout, flush=True)
                on = " Go on with /continue, or ask again." if conversation.was_cut else ""
                say(f"aiex: interrupted; this turn is not remembered.{on}")
                code = 130
            except AiexError as error:
                say(f"aiex: {error}")
                code = error.exit_code
    return code


def _obeyed(word: str, conversation: Conversation) -> str:
    """Do what a word with a slash asks for and return what is said to it."""
    if word == "/clear":
        conversation.clear()
        return "forgotten"
    if word == "/usage":
        from aiex_ipy.render.usage import of_calls

        return of_calls(conversation.usage)
    return HELP if word == "/help" else f"There is no command {word!r}.\n{HELP}"


def _line(watched: bool) -> str | None:
    try:
        if watched:
            print("you> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return "" if watched else None
    return line or None


def _turn(conversation: Conversation, line: str | None) -> None:
    """Ask a turn; without a line go on with the answer that was cut."""
    from aiex_ipy.errors import InterruptedAnswerError
    from aiex_ipy.frontends.cli.faults import say
    from aiex_ipy.frontends.cli.run import stream_text

    try:
        with closing(conversation.resume() if line is None else conversation.stream(line)) as items:
            answer = stream_text(items)
    except InterruptedAnswerError as error:
        error.hint = "Go on with /continue, or ask again: this turn is not remembered."
        raise
    if answer.finish == "length":
        say("aiex: /continue goes on with this answer.")
