"""The words after `%aiex` and `%%aiex`: a verb, its options, and what stands beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aiex_ipy.engine.verbs import FORMATS, VERBS, Option, Verb
from aiex_ipy.errors import UnknownNameError, UsageError, near_miss

INTO = Option("into", "NAME", "The variable that gets the result.")
OUTPUT = Option("output", "FORMAT", "The form in which the result is shown.", choices=FORMATS)
NEW = Option("new", "", "Forget the turns before.", flag=True)
REPLACE = Option("replace", "", "Put the mended cell in place of this one.", flag=True)
ONLY_HERE = {"chat": (NEW,), "debug": (REPLACE,)}
"""Options by verb that make sense in a session only."""

# A quote opens a word only where the word begins, so that an apostrophe is none.
_WORD = re.compile(
    r"""--[\w-]+=(?:"[^"]*"|'[^']*')(?=\s|$)"""
    r"""|"(?:[^"\\]|\\.)*"(?=\s|$)|'(?:[^'\\]|\\.)*'(?=\s|$)|\S+"""
)
_OPTION = re.compile(r"--(?P<name>\w[\w-]*)(?:=(?P<value>.*))?", re.DOTALL)


def options_of(verb: Verb) -> tuple[Option, ...]:
    """Return the options a verb has in a magic: its own and those only magics have."""
    return (*verb.options, INTO, OUTPUT, *ONLY_HERE.get(verb.name, ()))


class Words:
    """A line read for one verb.

    `values` are the options by key, `several` those that may be given more than once, `arguments`
    the other words unquoted, `question` the same words as they were written.
    """

    def __init__(self, verb: Verb) -> None:
        self.verb = verb
        self.values: dict[str, str] = {}
        self.several: dict[str, list[str]] = {}
        self.arguments: list[str] = []
        self.question = ""

    def _keep(self, option: Option, value: str) -> None:
        if option.many:
            self.several.setdefault(option.key, []).append(value)
        elif option.key in self.values:
            raise UsageError(
                f"'--{option.name}' is given twice: {self.values[option.key]!r} and {value!r}.",
                code="given_twice",
                hint="Keep one of the two.",
            )
        else:
            self.values[option.key] = value

    def _keep_flag(self, option: Option, text: str | None) -> None:
        if text is not None:
            raise UsageError(
                f"'--{option.name}' takes no value, and was given {text!r}.",
                code="surplus_value",
                hint=f"Write --{option.name} alone.",
            )
        self.values[option.key] = "yes"


def split(line: str) -> list[str]:
    """Return the words of a line; quotes hold words together and are still there."""
    return [word[0] for word in _WORD.finditer(line)]


def read(line: str, *, default: str | None = None, others: Iterable[str] = ()) -> Words:
    """Read a line; without a verb it is `default`'s. `others` are words that may stand for a verb
    but are no verb's, for the near miss.

    Raises UnknownNameError for an unknown verb, option or choice, UsageError for an option
    without its value.
    """
    words = list(_WORD.finditer(line))
    if words and words[0][0] == "ai":
        del words[0]
    name = default or ""
    if words and not words[0][0].startswith("--"):
        name = words.pop(0)[0].replace("test-suggest", "test_suggest")
    if name not in VERBS:
        raise UnknownNameError(
            f"%aiex has no verb {name!r}.", hint=near_miss(name, [*VERBS, *others])
        )
    verb = VERBS[name]
    found = Words(verb._replace(options=options_of(verb)))
    _sort(found, words, line)
    return found


def read_options(verb: Verb, words: list[str]) -> Words:
    """Read the options of what is no verb of every front end, and takes no other words.

    Raises UnknownNameError for an unknown option, UsageError for any other word.
    """
    line = " ".join(words)
    found = Words(verb)
    _sort(found, list(_WORD.finditer(line)), line)
    if found.arguments:
        raise UsageError(
            f"{verb.name} got {found.question!r}, and takes no words.",
            code="bad_arguments",
            hint=f"Write %aiex {verb.name}.",
        )
    return found


def _sort(found: Words, words: list[re.Match[str]], line: str) -> None:
    """Tell options from arguments. What stands after a bare `--` is no option."""
    question: list[str] = []
    rest = iter(words)
    end = words[0].start() if words else 0
    for word in rest:
        match = _OPTION.fullmatch(word[0])
        if word[0] == "--":
            found.arguments += [_unquoted(later[0]) for later in rest]
            question.append(line[word.end() :])
        elif match is None:
            found.arguments.append(_unquoted(word[0]))
            question.append(line[end : word.end()])
        else:
            option = found.verb.option(match["name"])
            text = match["value"]
            if option.flag:
                found._keep_flag(option, text)
                end = word.end()
                continue
            if text is None:
                value = next(rest, None)
                if value is None:
                    raise UsageError(
                        f"'--{option.name}' has no value.",
                        code="missing_value",
                        hint=f"Write --{option.name} {option.metavar}.",
                    )
                text, word = value[0], value
            found._keep(option, option.value(_unquoted(text)))
        end = word.end()
    whole = "".join(question).strip()
    found.question = found.arguments[0] if len(found.arguments) == 1 else whole


def _unquoted(word: str) -> str:
    if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    return word
