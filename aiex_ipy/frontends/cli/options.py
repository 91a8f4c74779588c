"""Options of the commands: those of `engine.verbs`, and those only a command line has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from aiex_ipy.engine.verbs import Option, verb
from aiex_ipy.errors import near_miss

Command = TypeVar("Command", bound=Callable[..., Any])

OUTPUT = click.option(
    "--output",
    default="text",
    metavar="FORMAT|FILE",
    help="text, markdown, html, json, or a file whose suffix says so.",
)
STDIN_NAME = click.option(
    "--stdin-filename", metavar="PATH", help="What to call the code read from stdin (-)."
)


class Word(click.Choice[str]):
    """One of some words; for another one the near miss is named."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        return f"{value!r} is not one of the choices. {near_miss(str(value), list(self.choices))}"


class ScoreType(click.ParamType[float]):
    """A quality score: a number from 0 to 10. `nan` is none, since no score is below it."""

    name = "score"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            score = float(value)
        except ValueError:
            score = -1.0
        if not 0 <= score <= 10:
            self.fail(f"{value!r} is no score. Give a number from 0 to 10.", param, ctx)
        return score


JSON = click.option("--output", type=Word(["text", "json"]), default="text")


def options_of(name: str) -> Callable[[Command], Command]:
    """Add the options of a verb to a command; each arrives under `Option.key`, unset as None or
    as an empty tuple."""

    def add(command: Command) -> Command:
        for option in reversed(verb(name).options):
            command = _option(option)(command)
        return command

    return add


def _option(option: Option) -> Callable[[Command], Command]:
    words = [f"--{name}" for name in (option.name, *option.synonyms)]
    kind = None
    if option.choices:
        kind = Word([*option.choices, *(word for word, _ in option.same_as)])
    if option.flag:
        return click.option(*words, option.key, is_flag=True, help=option.help)
    return click.option(
        *words,
        option.key,
        type=kind,
        metavar=None if option.choices else option.metavar,
        multiple=option.many,
        help=option.help,
    )
