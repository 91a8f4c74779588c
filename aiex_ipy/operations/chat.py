"""chat: one turn of a conversation of type general, coding or debug."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Literal

from aiex_ipy.errors import WorkspaceError
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.gather import gather
from aiex_ipy.messages import Answer, Message
from aiex_ipy.operations.ask import code_sections, finished
from aiex_ipy.operations.base import Ask, Grounding, Problem, WordsRequest
from aiex_ipy.operations.inputs import (
    CODE,
    checked_query,
    context_subjects,
    missing_paths,
    subject_of,
)
from aiex_ipy.operations.view import View
from aiex_ipy.prompts.fit import Prompt, Section
from aiex_ipy.prompts.templates import template

ChatType = Literal["general", "coding", "debug"]
_FRAME = re.compile(r'File "([^"\n]+)", line (\d+)|^(\S+\.py):(\d+): ', re.MULTILINE)
LINES_AROUND = 6
MAX_FRAMES = 8


class ChatRequest(WordsRequest, frozen=True, kw_only=True):
    """One turn. `history` is the turns before, oldest first, user and assistant in turn."""

    operation: ClassVar[str] = "chat"

    type: ChatType = "general"
    context: tuple[str | Subject, ...] = ()
    history: tuple[Message, ...] = ()


class ChatOperation:
    """The three types differ in instructions and in facts: general gets the context as it is,
    coding its outline and findings, debug the code around each frame of a traceback named in
    the question or context."""

    name = "chat"
    by_name_only = False

    def reads(self, request: ChatRequest) -> bool:
        return bool(request.context) or request.type == "debug"

    def ground(self, request: ChatRequest, view: View) -> Grounding:
        checked_query(request.query)
        subjects = context_subjects(request.context, view)
        extra: dict[str, object] = {"notices": missing_paths(request.context, view)}
        if request.type == "general":
            return Grounding(subjects=subjects, extra=extra)
        code = [s for s in subjects if s.language in CODE]
        modules = tuple(gather(code, ruff=view.ruff))
        if request.type == "debug":
            texts = [request.query, *(s.text for s in subjects if s.language == "text")]
            extra["frames"] = _frames("\n".join(texts), view)
        return Grounding(subjects=subjects, modules=modules, extra=extra)

    def without_model(self, request: ChatRequest, grounding: Grounding) -> None:
        return None

    def prompt(self, request: ChatRequest, grounding: Grounding) -> Ask:
        sections = code_sections(grounding, issues=request.type in ("coding", "debug"))
        frames: list[tuple[str, str]] = grounding.extra.get("frames", [])
        sections += tuple(
            Section(title=f"Code at {where}", text=text, rank=-len(frames) + number)
            for number, (where, text) in enumerate(frames)
        )
        return Ask(
            prompt=Prompt(
                system=template(f"chat.{request.type}"),
                question=request.query.strip(),
                sections=sections,
                history=request.history,
                so_far=request.so_far.text if request.so_far else "",
            )
        )

    def parse(self, answer: Answer, request: ChatRequest, grounding: Grounding) -> Answer:
        return finished(answer, self.name, grounding, asked=request)

    def check(self, result: Answer, grounding: Grounding) -> Sequence[Problem]:
        return ()

    def next_round(self, ask: Ask, answer: Answer, problems: Sequence[Problem]) -> Ask | None:
        return None


def _frames(text: str, view: View) -> list[tuple[str, str]]:
    """The code around each frame of a traceback in `text`, innermost first, with line numbers.

    Files that may not be read or are gone are passed over: a name in a text is not the user's.
    """
    found: list[tuple[str, str]] = []
    for match in list(_FRAME.finditer(text))[::-1]:
        path, line = match[1] or match[3], int(match[2] or match[4])
        located = view.workspace.locate(path)
        if located is None or not view.workspace.is_open(located):
            continue
        try:
            subject = subject_of(view.workspace.read(located))
        except WorkspaceError:
            continue
        lines = subject.text.splitlines()
        first, last = max(1, line - LINES_AROUND), min(len(lines), line + LINES_AROUND)
        numbered = "\n".join(
            f"{'>' if n == line else ' '} {n:5} {lines[n - 1]}" for n in range(first, last + 1)
        )
        found.append((f"{subject.path}:{line}", numbered))
        if len(found) == MAX_FRAMES:
            break
    return found
