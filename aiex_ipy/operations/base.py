"""What an operation is: a typed request, a typed result, and the pure steps between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from msgspec import Struct, field

from aiex_ipy.grounding.facts import ModuleFacts, Subject
from aiex_ipy.messages import Answer
from aiex_ipy.operations.view import View
from aiex_ipy.prompts.fit import Prompt

Res = TypeVar("Res")
Res_co = TypeVar("Res_co", covariant=True)
Req = TypeVar("Req", contravariant=True)
NO_JUDGEMENT = "No model's judgement"
"""How the notice begins that a model was asked in vain."""


class Request(Struct, Generic[Res_co], frozen=True, kw_only=True):
    """Base of all requests. `provider` and `model` None leave the choice to the settings;
    `allow_secret_file` also reads named files that look like secrets. `batch`: nobody waits at a
    screen, questions of people go before it."""

    operation: ClassVar[str]

    provider: str | None = None
    model: str | None = None
    allow_secret_file: bool = False
    batch: bool = False


class WordsRequest(Request[Answer], frozen=True, kw_only=True):
    """Base of requests whose result is a model's words: an answer that was cut can be continued.

    `so_far` is that answer: the model is asked the same again and goes on from its last words.
    """

    query: str
    so_far: Answer | None = None


class Result(Struct, frozen=True, kw_only=True):
    """Base of results. As a string one line; `aiex.render(result)` is the whole text."""

    @property
    def headline(self) -> str:
        """The result in a few words."""
        named = (getattr(self, name, "") for name in ("target", "path", "name"))
        about = next((each for each in named if each), "")
        said = getattr(self, "summary", "")
        return ": ".join(each for each in (about, said) if each)

    def __str__(self) -> str:
        headline = self.headline
        about = f" {headline if len(headline) <= 300 else headline[:300] + '…'}" if headline else ""
        return f"<{type(self).__name__}:{about} (aiex.render gives the whole text)>"


class Ask(Struct, frozen=True, kw_only=True):
    """One question to a model: the prompt and the form the answer must have. `quiet`: its words
    are not shown as they come."""

    prompt: Prompt
    schema: dict[str, Any] | None = None
    schema_name: str = "answer"
    temperature: float | None = None
    max_tokens: int | None = None
    quiet: bool = False


class Grounding(Struct, frozen=True, kw_only=True):
    """The facts gathered for one request, before any model is asked."""

    subjects: tuple[Subject, ...] = ()
    modules: tuple[ModuleFacts, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


class Problem(Struct, frozen=True, kw_only=True):
    """What is wrong with a result, said so that the model could mend it."""

    code: str
    message: str


class Note(Struct, frozen=True, tag="note"):
    """Progress: a line for people, never part of the result."""

    text: str


class Speaking(Struct, frozen=True, kw_only=True, tag="speaking"):
    """A model has been reached and will speak: its name goes before its words."""

    provider: str
    model: str
    note: str = ""


class Text(Struct, frozen=True, tag="text"):
    """The next piece of the model's words."""

    text: str


class Facts(Struct, Generic[Res], frozen=True, tag="facts"):
    """The result from facts alone, shown before any model is waited for."""

    result: Res


Update = Note | Speaking | Text | Facts[Any]
UPDATES = (Note, Speaking, Text, Facts)


def unread(skipped: int) -> str:
    """Return the notice of an answer of whose stream so many events could not be read."""
    what = "1 event" if skipped == 1 else f"{skipped} events"
    return f"{what} of the stream could not be read, so a part of the text may be missing."


class Operation(Protocol[Req, Res]):
    """Pure steps; `operations/run.py` owns the loop ground → prompt → stream → parse → check.

    `by_name_only` True: the embedded model is used only when it was named.
    """

    name: str
    by_name_only: bool

    def reads(self, request: Req) -> bool:
        """True when grounding opens files or runs analyzers, which is not for the event loop."""
        ...

    def ground(self, request: Req, view: View) -> Grounding:
        """Gather the facts; reads files, runs analyzers. Called off the event loop."""
        ...

    def without_model(self, request: Req, grounding: Grounding) -> Res | None:
        """The result from facts alone; None when only a model can answer."""
        ...

    def prompt(self, request: Req, grounding: Grounding) -> Ask | None:
        """What to ask a model; None when there is nothing to ask."""
        ...

    def parse(self, answer: Answer, request: Req, grounding: Grounding) -> Res:
        """The result with the model's part. Raises InvalidAnswerError for a useless answer."""
        ...

    def check(self, result: Res, grounding: Grounding) -> Sequence[Problem]:
        """What is wrong with the result."""
        ...

    def next_round(self, ask: Ask, answer: Answer, problems: Sequence[Problem]) -> Ask | None:
        """What to ask once more, or None to keep the result."""
        ...
