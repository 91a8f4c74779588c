"""What Tab offers after `%aiex` and `%%aiex`: verbs, options, choices."""

from __future__ import annotations

from aiex_ipy.engine.verbs import VERBS, Option, Verb
from aiex_ipy.errors import UnknownNameError
from aiex_ipy.frontends.ipython import words
from aiex_ipy.frontends.ipython.commands import COMMANDS


def offers(before: str) -> list[str]:
    """Return what may stand after `before`, the line up to the word being typed.

    Empty where anything may: there IPython offers names and paths.
    """
    spoken = words.split(before)[1:]
    if spoken and spoken[0] == "ai":
        del spoken[0]
    if not spoken:
        return [*VERBS, *COMMANDS] if before.split()[0] == "%aiex" else [*VERBS]
    verb = VERBS.get(spoken[0], VERBS["ask"])
    waiting = _option(verb, spoken[-1])
    if waiting is not None:
        return list(waiting.choices)
    if spoken[0] == "help":
        return list(VERBS)
    if spoken[0] in COMMANDS:
        return []
    return [f"--{option.name}" for option in words.options_of(verb)]


def _option(verb: Verb, word: str) -> Option | None:
    """The option that waits for its value after `word`."""
    if not word.startswith("--") or "=" in word or word == "--":
        return None
    try:
        option = verb._replace(options=words.options_of(verb)).option(word[2:])
    except UnknownNameError:
        return None
    return None if option.flag else option
