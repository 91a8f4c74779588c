"""The commands there are: their names, short help and where they live. Nothing is imported."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A command (`where` is `module:attribute`) or a group of commands."""

    help: str
    where: str = ""
    commands: dict[str, Entry] | None = None


Table = dict[str, Entry]
_CLI = "aiex_ipy.frontends.cli"

COMMANDS: Table = {
    "ai": Entry(
        "Ask a model, analyze, complete, explain and debug code, hold a conversation.",
        commands={
            "ask": Entry("Ask a free question.", f"{_CLI}.ai:ask"),
            "analyze": Entry("Score code and list its issues.", f"{_CLI}.ai:analyze"),
            "complete": Entry("Complete code.", f"{_CLI}.completing:complete"),
            "debug": Entry("Explain why a program failed.", f"{_CLI}.debug:debug"),
            "explain": Entry("Explain a file, a name, or a topic.", f"{_CLI}.ai:explain"),
            "chat": Entry("Hold a conversation.", f"{_CLI}.chat:chat"),
            "health": Entry("Say whether a notebook would run again.", f"{_CLI}.health:health"),
            "project": Entry("Survey a project.", f"{_CLI}.surveying:project"),
            "test-suggest": Entry("Suggest what to test.", f"{_CLI}.surveying:test_suggest"),
        },
    ),
    "models": Entry(
        "Local models: list, fetch, remove.",
        commands={
            "list": Entry("List the local models.", f"{_CLI}.models:list_models"),
            "pull": Entry("Fetch a local model.", f"{_CLI}.models:pull"),
            "remove": Entry("Remove a local model.", f"{_CLI}.models:remove"),
        },
    ),
    "llm": Entry(
        "Providers and their models.",
        commands={
            "health": Entry("Ask each provider whether it answers.", f"{_CLI}.llm:health"),
            "models": Entry("List the models of each provider.", f"{_CLI}.llm:models"),
            "providers": Entry("List the configured providers.", f"{_CLI}.llm:providers"),
            "usage": Entry("Show tokens and cost of this process.", f"{_CLI}.llm:usage"),
            "cache": Entry("Show or empty the response cache.", f"{_CLI}.llm:cache"),
        },
    ),
    "config": Entry(
        "Settings: show them, find their files, set one.",
        commands={
            "show": Entry("Show the settings in force.", f"{_CLI}.config:show"),
            "path": Entry("Show the files settings come from.", f"{_CLI}.config:path"),
            "set": Entry("Set one value in a settings file.", f"{_CLI}.config:set_value"),
        },
    ),
    "ipython": Entry(
        "Load aiex with every IPython and kernel, or no longer.",
        commands={
            "install": Entry("Add aiex to a profile's start-up.", f"{_CLI}.ipython:install"),
            "uninstall": Entry("Take it out again.", f"{_CLI}.ipython:uninstall"),
        },
    ),
    "status": Entry("What is configured and ready.", f"{_CLI}.status:status"),
    "doctor": Entry(
        "Check the installation, with a remedy for each fault.", f"{_CLI}.doctor:doctor"
    ),
    "demo": Entry("Do the main job on real code in a real kernel.", f"{_CLI}.demo:demo"),
    "completion": Entry("Print the completion script of a shell.", f"{_CLI}.completion:completion"),
    "version": Entry("Print the version.", f"{_CLI}.version:version"),
    "help": Entry("Show the help of a command.", f"{_CLI}.help:help_topic"),
}
