"""What an operation is: a typed request, a typed result, and the pure steps between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from msgspec import Struct, field

from aiex_ipy.grounding.facts import ModuleFacts, Subject
from aiex_ipy.messages import Answer, Message, Usage

Res = TypeVar("Res")
Res_co = TypeVar("Res_co", covariant=True)


class Request(Struct, Generic[Res_co], frozen=True, kw_only=True):
    """Base of all requests. `provider` and `model` None leave the choice to the settings."""

    operation: ClassVar[str]

    provider: str | None = None
    model: str | None = None


class Section(Struct, frozen=True, kw_only=True):
    """A part of a prompt. Sections are cut to the budget from the highest `rank` down; `data`
    marks text that came from files or values and is fenced as such."""

    title: str
    text: str
    rank: int = 0
    data: bool = True


class Prompt(Struct, frozen=True, kw_only=True):
    """What the model is asked, before it is cut to a target's budget."""

    system: str
    question: str
    sections: tuple[Section, ...] = ()
    history: tuple[Message, ...] = ()
    schema: dict[str, Any] | None = None
    schema_name: str = "answer"
    temperature: float | None = None


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


class Operation(Protocol[Res]):
    """Pure steps; `operations/run.py` owns the loop ground → prompt → stream → parse → check.

    `wants_model` False (per request) means the facts are the whole answer.
    """

    name: str

    def ground(self, request: Any, view: Any) -> Grounding: ...
    def without_model(self, request: Any, grounding: Grounding) -> Res: ...
    def prompt(self, request: Any, grounding: Grounding) -> Prompt: ...
    def parse(self, answer: Answer, request: Any, grounding: Grounding) -> Res: ...
    def check(self, result: Res, grounding: Grounding) -> Sequence[Problem]: ...
    def next_round(
        self, result: Res, problems: Sequence[Problem], request: Any, grounding: Grounding
    ) -> Prompt | None: ...


__all__ = [
    "Answer",
    "Facts",
    "Grounding",
    "Note",
    "Operation",
    "Problem",
    "Prompt",
    "Request",
    "Res",
    "Section",
    "Speaking",
    "Text",
    "Update",
    "Usage",
]
