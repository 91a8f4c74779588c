"""A doubted value and the expressions it was made by, step by step."""

from __future__ import annotations

import ast
from weakref import WeakKeyDictionary

from aiex_ipy.grounding.diagnosis.edit import Code
from aiex_ipy.grounding.diagnosis.origin import (
    earlier_cells,
    in_cells,
    origin,
)
from aiex_ipy.grounding.diagnosis.sight import (
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

MOST_STEPS = 40


class Part:
    """An expression a doubted value was made by: where it stands, in which text, in which frame."""

    __slots__ = ("code", "frame", "node", "place")

    def __init__(
        self, node: ast.AST, frame: LiveFrame | None, place: str, code: Code | None
    ) -> None:
        self.node = node
        self.frame = frame
        self.place = place
        self.code = code


def doubted(moment: Moment) -> ast.expr | None:
    """Return the expression whose value is doubted: of `ai_debug(value)` or of an `assert`."""
    if moment.error is None and moment.expression:
        try:
            return ast.parse(moment.expression, mode="eval").body
        except (SyntaxError, ValueError):
            return None
    frame = moment.frame
    if type(moment.error) is AssertionError and frame is not None and frame.tree is not None:
        for node in ast.walk(frame.tree):
            if isinstance(node, ast.Assert) and node.lineno <= frame.line <= (node.end_lineno or 0):
                return node.test
    return None


_known_parts: WeakKeyDictionary[Moment, list[Part]] = WeakKeyDictionary()


def parts_of(moment: Moment) -> list[Part]:
    """Return the doubted expression and those its names were made by, nearest first."""
    if moment not in _known_parts:
        _known_parts[moment] = _parts_of(moment)
    return _known_parts[moment]


def _parts_of(moment: Moment) -> list[Part]:
    node = doubted(moment)
    if node is None:
        return []
    frame = moment.frame if moment.error is not None else None
    place = where(frame) if frame is not None else "the expression"
    waiting = [Part(node, frame, place, frame)]
    found: list[Part] = []
    seen: set[tuple[str, str]] = set()
    while waiting and len(found) < MOST_STEPS:
        part = waiting.pop(0)
        found.append(part)
        for each in ast.walk(part.node):
            if not isinstance(each, ast.Name) or (each.id, part.place) in seen:
                continue
            seen.add((each.id, part.place))
            made = (
                origin(moment, part.frame, each.id)
                if part.frame is not None
                else (in_cells(moment, each.id))
            )
            if made is not None and made.node is not None:
                waiting.append(Part(made.node, made.frame, made.where, made.code))
    return found


def texts_of_code(moment: Moment, having: str) -> list[tuple[Code, ast.Module, str]]:
    """Return the code that ran and has a text: that of the frames, then earlier cells, newest
    first."""
    found: list[tuple[Code, ast.Module, str]] = []
    for frame in reversed(moment.frames):
        if frame.user and frame.tree is not None and all(frame.tree is not t for _, t, _ in found):
            found.append((frame, frame.tree, frame.place))
    found += [(each, each.tree, each.place) for each in earlier_cells(moment, having=having)]
    return found
