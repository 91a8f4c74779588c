"""`%aiex` words that are no operation: help, version, status, config and the command line's."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from textwrap import indent
from typing import TYPE_CHECKING, Any

from aiex_ipy.engine.verbs import COMMON, VERBS, Option, Verb
from aiex_ipy.errors import UnknownNameError, UsageError, near_miss
from aiex_ipy.frontends.ipython import words

if TYPE_CHECKING:
    from aiex_ipy.frontends.ipython.session import Session
    from aiex_ipy.messages import Answer

INTRODUCTION = """\
%aiex VERB [OPTION …] …      on names and files
%%aiex [VERB] [OPTION …]     on the cell below; without a verb the cell is a question
"""
VALUES = """\
In a question {name}, {name.attribute} and {name[0]} stand for values, {In[3]} for a cell and
{Err[3]} for its error; \\{name} stays. Code in fences, f-strings and backticks is left alone.
"""
INTERRUPTED = 130
"""The command line's exit code for Ctrl-C. Source: POSIX shells, 128 + SIGINT."""
_PROVIDER, _MODEL, _ = COMMON
OPTIONS = {"continue": Verb("continue", "", "question", (_PROVIDER, _MODEL))}
"""The options of the words that have any."""
ARGUMENT = {"question": "[QUESTION]", "paths": "[PATH …]", "target": "[PATH|NAME|TOPIC]"}


def show_help(session: Session, arguments: list[str]) -> None:
    """`help [VERB]`: the verbs, or one with its options."""
    name = arguments[0] if arguments else ""
    if name in COMMANDS:
        print(_usage_of_command(name))
        return
    if name:
        if name not in VERBS:
            raise UnknownNameError(
                f"%aiex has no verb {name!r}.", hint=near_miss(name, [*VERBS, *COMMANDS])
            )
        print(usage(VERBS[name]))
        return
    lines = [f"    {each.name:14}{each.summary}" for each in VERBS.values()]
    lines += [f"    {name:14}{_summary(name)}" for name in COMMANDS]
    print(INTRODUCTION, *lines, "", VALUES, sep="\n", end="")


def show_helpers(session: Session, helpers: Mapping[str, Any]) -> None:
    """Show each helper's head and first sentence, then the magic's help."""
    for name, helper in helpers.items():
        if callable(helper):
            head = f"{name}{_parameters(helper)}"
            print(f"{head}\n    {(inspect.getdoc(helper) or '').splitlines()[0]}")
        else:
            print(f"{name}\n    {helper!r}")
    print()
    show_help(session, [])


def show_helper(helpers: Mapping[str, Any], name: str) -> None:
    """Show one helper's head and docstring, then the magic's verb of that name with its options.

    `name` may leave out `ai_`. Raises UnknownNameError for what is neither helper nor verb.
    """
    name = name.removeprefix("%aiex ").strip().removesuffix("()").replace("-", "_")
    verb = "ask" if name == "ai" else name.removeprefix("ai_")
    helper = helpers.get("ai" if name == "ask" else name) or helpers.get(f"ai_{name}")
    if helper is None and verb not in VERBS and verb not in COMMANDS:
        known = [*(each for each in helpers if callable(helpers[each])), *VERBS, *COMMANDS]
        raise UnknownNameError(f"aiex has no helper {name!r}.", hint=near_miss(name, known))
    if callable(helper):
        said = indent(inspect.getdoc(helper) or "", "    ")
        print(f"{helper.__name__}{_parameters(helper)}\n{said}\n")
    if verb in VERBS:
        print(usage(VERBS[verb]))
    elif verb in COMMANDS:
        print(_usage_of_command(verb))


def _parameters(helper: Any) -> str:
    """The parameters without their types: those a user types first come first."""
    parameters = inspect.signature(helper).parameters.values()
    shown = [
        each.name if each.default is each.empty else f"{each.name}={each.default!r}"
        for each in parameters
        if each.name not in ("provider", "model")
    ]
    return f"({', '.join(shown)})"


def _summary(name: str) -> str:
    return (COMMANDS[name].__doc__ or "").partition(": ")[2]


def usage(of: Verb) -> str:
    """Return the help of one verb."""
    head = f"%aiex {of.name} [OPTION …] {ARGUMENT[of.argument]}"
    return "\n".join([head, f"    {of.summary}", *_option_lines(words.options_of(of))])


def _usage_of_command(name: str) -> str:
    verb = OPTIONS.get(name)
    head = f"%aiex {name}{' [OPTION …]' if verb else ''}"
    return "\n".join([head, f"    {_summary(name)}", *_option_lines(verb.options if verb else ())])


def _option_lines(options: tuple[Option, ...]) -> list[str]:
    lines = []
    for option in options:
        said = f" One of: {', '.join(option.choices)}." if option.choices else ""
        lines.append(
            f"  --{option.name} {option.metavar}".rstrip() + f"\n        {option.help}{said}"
        )
    return lines


def show_version(session: Session, arguments: list[str]) -> None:
    """`version`: which aiex this is."""
    from aiex_ipy import __version__

    print(f"aiex {__version__}")


def show_status(session: Session, arguments: list[str]) -> None:
    """`status`: what is configured and ready."""
    from aiex_ipy.frontends.ipython.overview import status

    status(session)


def config(session: Session, arguments: list[str]) -> None:
    """`config`: show [SECTION], path, set KEY VALUE [--project]."""
    known = ("show", "path", "set")
    word, *rest = arguments or ["show"]
    if word == "show" and len(rest) < 2:
        _show_settings(session, rest[0] if rest else "")
    elif word == "path" and not rest:
        from aiex_ipy.config import paths

        found = paths()
        for name, path in (("team", found.team), ("user", found.user), ("project", found.project)):
            print(f"{name:8}{path or 'none'}")
    elif word == "set":
        project = "--project" in rest
        values = [each for each in rest if each != "--project"]
        if len(values) != 2:
            raise UsageError(
                f"config set got {len(values)} words.",
                code="bad_arguments",
                hint="Write %aiex config set KEY VALUE [--project].",
            )
        from aiex_ipy.config import set_value

        print(set_value(values[0], values[1], project=project))
        session.configure(session.overrides)
    elif word in known:
        raise UsageError(
            f"config {word} got too many words: {' '.join(rest)!r}.",
            code="bad_arguments",
            hint="Write %aiex config show [SECTION], or %aiex config path.",
        )
    else:
        raise UnknownNameError(f"config has no command {word!r}.", hint=near_miss(word, known))


def _show_settings(session: Session, section: str) -> None:
    from aiex_ipy.config import load_with_origins

    loaded = load_with_origins(overrides=session.overrides)
    shown = {
        key: value
        for key, value in loaded.values.items()
        if not section or key == section or key.startswith(f"{section}.")
    }
    if not shown:
        sections = sorted({key.partition(".")[0] for key in loaded.values})
        raise UnknownNameError(
            f"There is no setting or section {section!r}.", hint=near_miss(section, sections)
        )
    for key, value in shown.items():
        print(f"{key} = {value!r}  ({loaded.origins[key]})")


def continue_answer(session: Session, arguments: list[str]) -> Answer:
    """`continue`: go on with the last answer that was cut, or that you interrupted."""
    from aiex_ipy.frontends.ipython.streaming import show_and_run
    from aiex_ipy.operations.resuming import short

    chosen = words.read_options(OPTIONS["continue"], arguments).values
    earlier = session.engine.cut_answers.earlier_question
    request = session.engine.request_to_continue(
        provider=chosen.get("provider"), model=chosen.get("model")
    )
    if earlier:
        print(f"Going on with the answer to {short(earlier)}, not with what was asked after it.")
    answer = show_and_run(session, request)
    talk = session.conversations.get(getattr(request, "type", ""))
    if talk is not None:
        talk.remember_continued(request, answer)
    return answer


def command_line(name: str, summary: str) -> Callable[[Session, list[str]], None]:
    """Return a word that does what the command line does under the same name."""

    def run(session: Session, arguments: list[str]) -> None:
        from aiex_ipy.plugins import load

        code = load("aiex.frontends", "cli")([name, *arguments])
        if code == INTERRUPTED:
            from aiex_ipy.frontends.ipython.streaming import quiet

            raise quiet(KeyboardInterrupt(), f"aiex {name} was ended.")
        if code:
            raise UsageError(
                f"aiex {name} ended with exit code {code}.", hint="See what it said above."
            )

    run.__doc__ = f"`{name}`: {summary}"
    return run


COMMANDS: dict[str, Callable[[Session, list[str]], Answer | None]] = {
    "help": show_help,
    "version": show_version,
    "status": show_status,
    "config": config,
    "continue": continue_answer,
    "doctor": command_line("doctor", "check the installation, with a remedy for each fault."),
    "llm": command_line("llm", "health, models, providers, usage, cache."),
    "models": command_line("models", "list, pull, remove local models."),
    "ipython": command_line("ipython", "install, uninstall: load aiex with every IPython."),
}
