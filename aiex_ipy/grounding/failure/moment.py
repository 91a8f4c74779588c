"""The live side of a failure: its exception, frames and namespaces, for as long as it is looked
at. Never kept, never handed to another thread: the frames hold the user's data."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from types import CodeType, FrameType
from typing import Any

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.failure.evaluate import Found, Scope, evaluate
from aiex_ipy.grounding.failure.masking import Mask
from aiex_ipy.grounding.fix import Source


class LiveFrame:
    """One frame with what is known of its code.

    `node` is the failing expression or statement in `tree`, the parse tree of the whole source
    (`source_text`); both None when the source is gone or differs. `locals` and `globals` are the
    frame's own mappings and must not be changed. `source` is the text a fix would be for, None
    where the code is no cell and no file of the user's.
    """

    __slots__ = (
        "code",
        "file",
        "frame",
        "function",
        "globals",
        "line",
        "locals",
        "missing",
        "node",
        "place",
        "source",
        "source_text",
        "tree",
        "user",
    )

    def __init__(self, frame: FrameType | None, code: CodeType, line: int) -> None:
        self.frame = frame
        self.code = code
        self.line = line
        self.file = code.co_filename
        self.place = code.co_filename
        self.function = getattr(code, "co_qualname", code.co_name)
        self.user = True
        self.missing = ""
        self.node: ast.AST | None = None
        self.tree: ast.Module | None = None
        self.source_text = ""
        self.source: Source | None = None
        self.locals: Mapping[str, Any] = frame.f_locals if frame is not None else {}
        self.globals: Mapping[str, Any] = frame.f_globals if frame is not None else {}


class Moment:
    """A failure as it can be looked into: the error to explain, those it came from, and frames
    (outermost first) of the former.

    `asked` and `expression` are set for a wrong value without an exception: the value itself and
    the source text it came from, "" when unknown. `cells` are those
    that ran, oldest first. `names` is the user's namespace.
    """

    def __init__(
        self,
        *,
        error: BaseException | None = None,
        earlier: Sequence[BaseException] = (),
        frames: Sequence[LiveFrame] = (),
        cells: Sequence[RanCell] = (),
        names: Mapping[str, Any] | None = None,
        asked: Any = None,
        expression: str = "",
        project_dir: str = "",
    ) -> None:
        self.error = error
        self.earlier = tuple(earlier)
        self.frames = tuple(frames)
        self.cells = tuple(cells)
        self.names: Mapping[str, Any] = names if names is not None else {}
        self.asked = asked
        self.expression = expression
        self.project_dir = project_dir
        self.mask: Mask | None = None
        """Masks the secrets that the capture met."""

    def value(self, node: ast.AST | str, frame: LiveFrame | None = None) -> Found:
        """Return whether the value of an expression is known, and the value, as it is now.

        `frame` left out: `self.frame`, and without frames the user's namespace. Runs none of the
        user's code: see `evaluate`.
        """
        if isinstance(node, str):
            try:
                node = ast.parse(node, mode="eval").body
            except (SyntaxError, ValueError):
                return False, None
        frame = frame or self.frame
        scope = Scope(frame.locals, frame.globals) if frame is not None else Scope(self.names)
        return evaluate(node, scope)

    def shown(self, source: Source | None) -> str:
        """Return the text of a source without the secrets that the capture met."""
        return "" if source is None or self.mask is None else self.mask.text(source.text)

    @property
    def frame(self) -> LiveFrame | None:
        """The innermost frame of the user's own code, else the innermost there is."""
        own = [each for each in self.frames if each.user]
        found = own or list(self.frames)
        return found[-1] if found else None
