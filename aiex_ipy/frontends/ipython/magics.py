"""`%aiex` and `%%aiex`: the same words as the command line, on cells, names and files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from aiex_ipy.errors import UsageError
from aiex_ipy.frontends.ipython import words
from aiex_ipy.frontends.ipython.commands import COMMANDS, show_help, show_helper
from aiex_ipy.frontends.ipython.interpolation import interpolate
from aiex_ipy.frontends.ipython.streaming import show_and_run
from aiex_ipy.frontends.ipython.words import Words
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.operations.base import Request

if TYPE_CHECKING:
    from aiex_ipy.engine.conversation import Conversation
    from aiex_ipy.frontends.ipython.session import Session

DEBUG_QUESTION = "Why did this fail, and how is it mended?"


def run(session: Session, line: str, cell: str | None, helpers: Mapping[str, Any]) -> Any:
    """Do what a magic's line and cell say; return the result where the cell uses it.

    `helpers` are the functions by name whose docstrings `VERB --help` shows.

    Raises UsageError and UnknownNameError for words that cannot be understood, and the
    request's error.
    """
    spoken = words.split(line)
    asked = [each for each in spoken if each not in ("--help", "-h")]
    if cell is None and len(asked) < len(spoken) and len(asked[asked[:1] == ["ai"] :]) < 2:
        if asked and asked[-1] != "ai":
            show_helper(helpers, asked[-1])
        else:
            show_help(session, [])
        return None
    if cell is None and (not spoken or spoken[0] in COMMANDS):
        done = COMMANDS[spoken[0] if spoken else "help"](session, spoken[1:])
        return None if _is_statement(session) else done
    if spoken and spoken[0] in COMMANDS:
        raise UsageError(
            f"{spoken[0]!r} takes no cell.",
            code="no_cell",
            hint=f"Write %aiex {spoken[0]} on a line of its own.",
        )
    found = words.read(line, default=None if cell is None else "ask", others=COMMANDS)
    into = _variable(found.values.get("into"))
    call = Call(session, found, (cell or "").rstrip())
    request = _builder(found.verb.name)(call)
    for notice in call.notices:
        print(notice)
    result = show_and_run(session, request, found.values.get("output"), into=into)
    if call.conversation is not None:
        call.conversation.remember(call.question, result)
    if call.after is not None:
        call.after(session, result)
    return None if into or _is_statement(session) else result


def _variable(name: str | None) -> str:
    if name and not name.isidentifier():
        raise UsageError(
            f"--into {name!r} is no name of a variable.",
            code="bad_name",
            hint="Use letters, digits and underscores, like --into answer.",
        )
    return name or ""


def _is_statement(session: Session) -> bool:
    """True when the magic stands for itself in the running cell, so that its value would only be
    shown once more; False for `x = %aiex …` and for `run_line_magic(…)`."""
    running = session.shell.displayhook.exec_result
    raw = running.info.raw_cell if running else ""
    return re.search(r"^\s*%{1,2}aiex\b", raw, re.MULTILINE) is not None


class Call:
    """One use of a magic: its words and its cell, with the user's values put in once."""

    def __init__(self, session: Session, found: Words, body: str) -> None:
        self.session = session
        self.found = found
        self.body = body
        self.notices: list[str] = []
        self.conversation: Conversation | None = None
        self.question = ""
        self.after: Callable[[Session, Any], None] | None = None
        """What is done with the result once it was shown."""

    def get(self, key: str, default: str = "") -> Any:
        """Return the value of an option."""
        return self.found.values.get(key, default)

    @property
    def choice(self) -> dict[str, Any]:
        """Provider, model and the leave to read secret files, as a request takes them."""
        values = self.found.values
        return {
            "provider": values.get("provider"),
            "model": values.get("model"),
            "allow_secret_file": "allow_secret_file" in values,
        }

    def read_question(self) -> str:
        """Return, and keep as `question`, the words of the line, then the cell, with values."""
        parts = (self.found.question, self.body)
        self.question = self.with_values("\n\n".join(part for part in parts if part.strip()))
        return self.question

    def context(self) -> tuple[str | Subject, ...]:
        """Return the `--context` items with values."""
        return tuple(self.with_values(item) for item in self.found.several.get("context", ()))

    def with_values(self, text: str) -> str:
        """Return `text` with the user's values."""
        found = interpolate(text, Names(self.session))
        self.notices += found.notices
        return found.text

    def cell(self) -> Subject | None:
        """Return the cell as code, as it stands; None when it is empty. Its number is that of its
        input, which is stored before it runs in every IPython version."""
        if not self.body.strip():
            return None
        number = len(self.session.shell.user_ns.get("_ih", ["", ""])) - 1
        return Subject(path=f"In[{number}]", text=self.body)


class Names(Mapping[str, Any]):
    """The names a question may use: the user's variables, `In`, `Out`, and `Err`, the texts of
    tracebacks by cell number. What IPython itself put there for its own use is none of them."""

    def __init__(self, session: Session) -> None:
        self._user = session.shell.user_ns
        self._hidden = session.shell.user_ns_hidden
        self._errors = session.errors

    def __contains__(self, name: object) -> bool:
        if name not in self._user:
            return name == "Err"
        if name in ("In", "Out") or str(name).startswith("_"):
            return True
        return name not in self._hidden or self._user[name] is not self._hidden[name]

    def __getitem__(self, name: str) -> Any:
        return self._user[name] if name in self._user else _Errors(self._errors)

    def __iter__(self) -> Iterator[str]:
        return iter([*self._user, "Err"])

    def __len__(self) -> int:
        return len(self._user) + 1


class _Errors(dict[int, str]):
    """Error texts by cell number; `Err[-1]` is the last."""

    def __missing__(self, number: int) -> str:
        if number < 0 and -number <= len(self):
            return self[list(self)[number]]
        raise KeyError(f"cell {number} has not failed")


def _ask(call: Call) -> Request[Any]:
    from aiex_ipy.operations.ask import AskRequest

    return AskRequest(query=call.read_question(), context=call.context(), **call.choice)


def _chat(call: Call) -> Request[Any]:
    from aiex_ipy.engine.conversation import Conversation
    from aiex_ipy.operations.chat import ChatRequest

    kind = call.get("type", "general")
    talks = call.session.conversations
    if call.get("new") or kind not in talks:
        talks[kind] = Conversation(kind)
    call.conversation = talks[kind]
    call.read_question()
    context = call.context()
    if kind == "debug":
        call.question = call.question or DEBUG_QUESTION
        context += _last_failure(call.session)
    return ChatRequest(
        query=call.question,
        type=kind,
        context=context,
        history=call.conversation.history,
        **call.choice,
    )


def _last_failure(session: Session) -> tuple[Subject, ...]:
    """The last failed cell's traceback and its source."""
    if not session.errors:
        return ()
    number = list(session.errors)[-1]
    failure = Subject(path=f"Err[{number}]", text=session.errors[number], language="text")
    cells = session.shell.user_ns.get("_ih", [])
    if number >= len(cells):
        return (failure,)
    return failure, Subject(path=f"In[{number}]", text=cells[number])


def _analyze(call: Call) -> Request[Any]:
    from aiex_ipy.operations.analyze import AnalyzeRequest

    cell = call.cell()
    paths = (*call.found.several.get("file", ()), *call.found.arguments)
    return AnalyzeRequest(
        paths=tuple(call.with_values(path) for path in paths),
        subjects=(cell,) if cell else (),
        type=call.get("type", "all"),
        **call.choice,
    )


def _explain(call: Call) -> Request[Any]:
    from aiex_ipy.operations.explain import ExplainRequest

    subject = call.cell()
    file = call.get("file")
    target = call.with_values(file or call.found.question)
    if subject and target:
        raise UsageError(
            f"There are two things to explain: {target!r} and the cell.",
            code="two_targets",
            hint="Leave the cell empty, or the name out.",
        )
    symbol = ""
    if target and not file:
        live = _live(target, call.session)
        target, subject, symbol = live or (target, subject, "")
        if live is None:
            call.notices += _spelled_like(target, call.session)
    return ExplainRequest(
        target=target,
        is_path=bool(file),
        subject=subject,
        symbol=symbol,
        level=call.get("level", "intermediate"),
        focus=call.get("focus", "comprehensive"),
        **call.choice,
    )


def _spelled_like(word: str, session: Session) -> list[str]:
    """A notice where a word that is none of the user's names is spelled like one."""
    if not word.isidentifier():
        return []
    from difflib import get_close_matches

    own = [name for name in Names(session) if not name.startswith("_")]
    close = get_close_matches(word, own, 1, 0.75)
    return [f"You have no {word!r}; {close[0]!r} is spelled like it."] if close else []


def _live(target: str, session: Session) -> tuple[str, Subject | None, str] | None:
    """What a name of the user's stands for: an importable name, or the object's own source and
    its name therein."""
    found = value_of(target, session)
    if found is None:
        return None
    (value,) = found
    from aiex_ipy.grounding.live import dotted_name, object_subject
    from aiex_ipy.grounding.live.source import name_of
    from aiex_ipy.grounding.live.static import module_of

    if module_of(type(value)) == "__main__":
        value = type(value)  # an object of a class of the session: the class is what is code
    dotted = dotted_name(value)
    if dotted:
        return dotted, None, ""
    subject = object_subject(value, target)
    if subject.language != "python":
        return "", subject, ""
    path = _cell_of(value, session) or subject.path
    return "", msgspec.structs.replace(subject, path=path), name_of(value).rpartition(".")[2]


def value_of(target: str, session: Session) -> tuple[Any] | None:
    """The value a name of the user's, with attributes or without, stands for; None for no name."""
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", target):
        return None
    first, *rest = target.split(".")
    names = Names(session)
    if first not in names or first == "Err":
        return None
    from aiex_ipy.grounding.live.static import MISSING, member

    value = names[first]
    for each in rest:
        value = member(value, each)
        if value is MISSING:
            return None
    return (value,)


def _cell_of(value: Any, session: Session) -> str:
    """The name of the cell (`In[3]`) in which a function or class was made, or `""`."""
    from aiex_ipy.grounding.live import source_name

    name_of = getattr(session.shell.compile, "format_code_name", None)
    known = name_of and name_of(source_name(value))
    return str(known[1]) if known else ""


def _builder(verb: str) -> Callable[[Call], Request[Any]]:
    """What makes the request of a verb, loaded on its first use."""
    known = _REQUESTS[verb]
    if isinstance(known, str):
        module, _, name = known.partition(":")
        found: Callable[[Call], Request[Any]] = getattr(import_module(module), name)
        return found
    return known


_HERE = "aiex_ipy.frontends.ipython"
_REQUESTS: dict[str, Callable[[Call], Request[Any]] | str] = {
    "ask": _ask,
    "chat": _chat,
    "analyze": _analyze,
    "complete": f"{_HERE}.completing:from_magic",
    "debug": f"{_HERE}.debugging:from_magic",
    "doc": f"{_HERE}.documenting:from_magic",
    "eval": f"{_HERE}.evaluating:from_magic",
    "explain": _explain,
    "health": f"{_HERE}.checking:from_magic",
    "project": f"{_HERE}.surveying:project_from_magic",
    "test_suggest": f"{_HERE}.surveying:tests_from_magic",
}
