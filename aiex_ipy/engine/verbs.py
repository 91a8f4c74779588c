"""The verbs of every front end with their options: one table for the magics and the command line.

The words are the guide's. Both spellings `--some-option` and `--some_option` are the same.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from aiex_ipy.errors import UnknownNameError, near_miss


class Option(NamedTuple):
    """One `--option VALUE`. `choices` empty means any text; `same_as` are other words for a
    choice; `many` options may be given more than once; a `flag` has no value."""

    name: str
    metavar: str
    help: str
    choices: tuple[str, ...] = ()
    same_as: tuple[tuple[str, str], ...] = ()
    synonyms: tuple[str, ...] = ()
    many: bool = False
    flag: bool = False

    @property
    def key(self) -> str:
        """The option's name as a Python identifier."""
        return self.name.replace("-", "_")

    def value(self, text: str) -> str:
        """Return the value `text` stands for. Raises UnknownNameError for no choice."""
        word = dict(self.same_as).get(text, text)
        if self.choices and word not in self.choices:
            raise UnknownNameError(
                f"--{self.name} has no choice {text!r}.", hint=near_miss(text, self.choices)
            )
        return word


class Verb(NamedTuple):
    """One verb. `argument` is what stands beside the options: a question, paths, or one target
    (a path, a name, a topic)."""

    name: str
    summary: str
    argument: Literal["question", "paths", "target"]
    options: tuple[Option, ...]

    def option(self, word: str) -> Option:
        """Return the option spelled `word` (without `--`). Raises UnknownNameError."""
        name = word.replace("_", "-")
        for option in self.options:
            if name == option.name or name in option.synonyms:
                return option
        raise UnknownNameError(
            f"{self.name!r} has no option '--{word}'.",
            hint=near_miss(f"--{word}", [f"--{option.name}" for option in self.options]),
        )


CONTEXT = Option(
    "context", "PATH|TEXT", "What to look at: a path if it exists, else text.", many=True
)
COMMON = (
    Option("provider", "NAME", "Who is asked; `none` means the analyzers alone."),
    Option("model", "NAME", "The model; left out, the provider's own default."),
    Option("allow-secret-file", "", "Read also files that look like secrets.", flag=True),
)
FORMATS = ("text", "markdown", "html", "json")

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("ask", "Ask a free question.", "question", (CONTEXT, *COMMON)),
        Verb(
            "chat",
            "Talk: each turn knows the turns before.",
            "question",
            (
                Option(
                    "type",
                    "TYPE",
                    "What the conversation is for.",
                    choices=("general", "coding", "debug"),
                    synonyms=("conversation-type",),
                ),
                CONTEXT,
                *COMMON,
            ),
        ),
        Verb(
            "analyze",
            "Score code and list its issues.",
            "paths",
            (
                Option("file", "PATH", "A file, directory or notebook.", many=True),
                Option(
                    "type",
                    "TYPE",
                    "Which issues are listed; the score is always of the whole.",
                    choices=("all", "quality", "performance", "security", "architecture"),
                ),
                *COMMON,
            ),
        ),
        Verb(
            "complete",
            "Complete code at its end or at a place in a file.",
            "question",
            (
                Option("file", "PATH", "The file whose code is completed."),
                Option("line", "NUMBER", "The line of the cursor, from 1; left out, the end."),
                Option("column", "NUMBER", "The column of the cursor, from 1: 1 is before all."),
                *COMMON,
            ),
        ),
        Verb(
            "debug",
            "Explain what went wrong: cause, evidence and a fix.",
            "target",
            (CONTEXT, *COMMON),
        ),
        Verb(
            "doc",
            "Look up an object or a name: signature, docstring, examples, uses, source.",
            "target",
            (Option("static", "", "Do not run the examples of its docstring.", flag=True), *COMMON),
        ),
        Verb(
            "eval",
            "Run code and say what it did: value, time, memory, names changed.",
            "question",
            (Option("facts", "", "Show what was measured, and ask no model.", flag=True), *COMMON),
        ),
        Verb(
            "explain",
            "Explain code: a file, a name, or a topic.",
            "target",
            (
                Option("file", "PATH", "The file to explain."),
                Option(
                    "level",
                    "LEVEL",
                    "How deep.",
                    choices=("basic", "intermediate", "advanced"),
                    same_as=(("detailed", "advanced"),),
                ),
                Option(
                    "focus",
                    "FOCUS",
                    "What to dwell on.",
                    choices=("comprehensive", "patterns", "architecture"),
                ),
                *COMMON,
            ),
        ),
        Verb(
            "health",
            "Say whether a notebook would run again from the top.",
            "target",
            (
                Option("run", "", "Also run it in a fresh kernel.", flag=True),
                Option("reorder", "PATH", "Write a new notebook, in an order that works."),
                Option("force", "", "Replace the notebook that --reorder names.", flag=True),
                COMMON[-1],
            ),
        ),
        Verb(
            "project",
            "Survey a project: size, imports, hot spots, coverage, worst units.",
            "target",
            (
                Option(
                    "focus",
                    "FOCUS",
                    "What leads.",
                    choices=("all", "quality", "performance", "security", "architecture", "tests"),
                ),
                *COMMON,
            ),
        ),
        Verb(
            "test_suggest",
            "Suggest what to test of a function, class, module or file, and why.",
            "target",
            (
                Option("file", "PATH", "The file to suggest tests for."),
                Option("symbol", "NAME", "This function or class of the file."),
                *COMMON,
            ),
        ),
    )
}


def verb(name: str) -> Verb:
    """Return the verb called `name`. Raises UnknownNameError."""
    if name not in VERBS:
        raise UnknownNameError(f"There is no verb {name!r}.", hint=near_miss(name, list(VERBS)))
    return VERBS[name]
