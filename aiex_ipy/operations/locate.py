"""Find the source of a dotted name without importing it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from aiex_ipy.errors import WorkspaceError

if TYPE_CHECKING:
    from aiex_ipy.grounding.documentation.finding import Finder
    from aiex_ipy.operations.view import View


def locate(dotted: str, roots: Iterable[str]) -> tuple[str, str] | None:
    """Return (source file, qualified name inside it or "") of `package.module.Class.method`.

    The longest prefix that is a module or package wins. Nothing is imported, so the name
    inside the file is not checked here. None when no root holds the first part, or when
    its source is not Python (built-in or compiled).
    """
    parts = dotted.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    for root in roots:
        found = _below(Path(root), parts)
        if found is not None:
            return found
    return None


def search_roots(project: str | None) -> list[str]:
    """Return where to look, in order: the project (and its `src`), then `sys.path`."""
    roots = []
    if project:
        roots += [project, str(Path(project) / "src")]
    return roots + [entry or "." for entry in sys.path if not entry.endswith(".zip")]


def _below(root: Path, parts: list[str]) -> tuple[str, str] | None:
    here, source, used = root, None, 0
    for number, part in enumerate(parts, 1):
        package, module = here / part / "__init__.py", here / f"{part}.py"
        if package.is_file():
            here, source, used = here / part, package, number
        elif module.is_file():
            source, used = module, number
            break
        elif (here / part).is_dir() and number < len(parts):
            here = here / part
        else:
            break
    if source is None:
        return None
    return str(source), ".".join(parts[used:])


def finder_of(view: View) -> Finder:
    """Return what follows dotted names through re-exports, in the project and on `sys.path`.

    The stubs of the standard library are those that come with jedi, which is not imported.
    """
    import os
    from importlib.util import find_spec

    from aiex_ipy.grounding.documentation.finding import Finder

    def read(file: str) -> str | None:
        try:
            return view.workspace.read(file).text
        except WorkspaceError:
            return None

    spec = find_spec("jedi")
    origin = os.path.dirname(spec.origin) if spec is not None and spec.origin else ""
    base = os.path.join(origin, "third_party", "typeshed", "stdlib")
    stubs = [path for path in (base, os.path.join(base, "3")) if os.path.isdir(path)]
    return Finder(read, search_roots(view.settings.project_dir), stubs)
