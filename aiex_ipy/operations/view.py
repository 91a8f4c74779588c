"""What an operation may look at: files, settings and what must not leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aiex_ipy.config.settings import Settings
from aiex_ipy.redaction import Redactor
from aiex_ipy.workspace import Located, SourceFile, Workspace

if TYPE_CHECKING:
    from aiex_ipy.grounding.ruff_server import RuffServer


class View(Struct, frozen=True, kw_only=True):
    """The window given to operations. `ruff` is the kept-open linter of a kernel, or None."""

    settings: Settings
    workspace: Workspace
    redactor: Redactor
    ruff: RuffServer | None = None
    allow_secret_file: bool = False

    def read(self, path: str | Located) -> SourceFile:
        """Return a file the user named. Raises WorkspaceError."""
        return self.workspace.read(path, allow_secret_file=self.allow_secret_file)
