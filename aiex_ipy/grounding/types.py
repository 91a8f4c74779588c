"""What a name stands for, by jedi's type inference; slower than names alone, so on demand.

jedi reads the modules that are imported; it runs none of the user's code. Its own failures give
no answer instead of an error. Positions are lines and columns, both 1-based, in characters.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from aiex_ipy.grounding.facts import Subject


class Definition(Struct, frozen=True, kw_only=True):
    """Where a name is defined. `name` is fully qualified (`pathlib.Path.open`); `file` is the
    absolute path or None for what is built in; `line` 0 when unknown."""

    name: str
    kind: str
    file: str | None
    line: int


class Signature(Struct, frozen=True, kw_only=True):
    """How a callable is called: its head on one line and its parameters as written."""

    name: str
    text: str
    parameters: tuple[str, ...]


class Reference(Struct, frozen=True, kw_only=True):
    """One place where a name is used or defined."""

    file: str | None
    line: int
    column: int
    text: str
    definition: bool


class Types:
    """Answers about one text. Not for use by several threads at once.

    jedi is imported at the first question (about 0.25 s CPU); the first look into a large class
    may take seconds.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._opened: Any = None

    def definitions(self, line: int, column: int) -> tuple[Definition, ...]:
        """Return where the name at a position is defined, imports followed."""
        found = self._asked("goto", line, column, follow_imports=True, follow_builtin_imports=True)
        return tuple(_definition(name) for name in found)

    def inferred(self, line: int, column: int) -> tuple[Definition, ...]:
        """Return what the expression that ends at a position can be (its type or function)."""
        return tuple(_definition(name) for name in self._asked("infer", line, column))

    def signatures(self, line: int, column: int) -> tuple[Signature, ...]:
        """Return the heads of the call whose parentheses hold the position."""
        return tuple(
            Signature(
                name=found.name,
                text=" ".join(found.to_string().split()),
                parameters=tuple(parameter.to_string() for parameter in found.params),
            )
            for found in self._asked("get_signatures", line, column)
        )

    def references(self, line: int, column: int) -> tuple[Reference, ...]:
        """Return the uses of the name at a position within this text, in source order."""
        found = [
            Reference(
                file=None if name.module_path is None else str(name.module_path),
                line=name.line or 0,
                column=(name.column or 0) + 1,
                text=name.get_line_code().strip(),
                definition=name.is_definition(),
            )
            for name in self._asked("get_references", line, column, scope="file")
        ]
        return tuple(sorted(found, key=lambda reference: (reference.line, reference.column)))

    def _asked(self, method: str, line: int, column: int, **options: Any) -> list[Any]:
        try:
            found = getattr(self._script(), method)(line, column - 1, **options)
            return list(found)
        except Exception:  # jedi's inference fails in many ways on odd code
            return []

    def _script(self) -> Any:
        if self._opened is None:
            import jedi
            from jedi.api.environment import InterpreterEnvironment

            # This process's own environment: no helper process stays behind.
            self._opened = jedi.Script(
                self._subject.text,
                path=self._subject.file,
                environment=InterpreterEnvironment(),
            )
        return self._opened


def _definition(name: Any) -> Definition:
    return Definition(
        name=name.full_name or name.name,
        kind=name.type,
        file=None if name.module_path is None else str(name.module_path),
        line=name.line or 0,
    )
