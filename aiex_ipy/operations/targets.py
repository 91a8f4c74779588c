"""One target a user names (a file, a dotted name, a ready subject) as a subject and a symbol."""

from __future__ import annotations

import ast
import re
import sys

from aiex_ipy.errors import UnknownNameError, UsageError
from aiex_ipy.grounding.documentation.finding import Definition
from aiex_ipy.grounding.facts import Issue, Subject
from aiex_ipy.grounding.notebook import Cells, read_cell, read_notebook
from aiex_ipy.grounding.parsed import ParsedModule
from aiex_ipy.grounding.python import dedent, parse
from aiex_ipy.operations.inputs import subject_of
from aiex_ipy.operations.locate import finder_of, locate, search_roots
from aiex_ipy.operations.view import View

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+\Z")


def target_of(
    named: str, view: View, *, verb: str, otherwise: str = "", is_path: bool = False
) -> tuple[Subject | None, str]:
    """Return the subject that `named` stands for and the symbol in it, `""` for all of it.

    No subject where it is neither a path nor a dotted name. `verb` and `otherwise` are for the
    hints: who asks, and what else could be named. Raises WorkspaceError, UsageError for a
    directory, and UnknownNameError for a dotted name that leads to no source.
    """
    named = named.strip()
    if is_path or view.workspace.locate(named) is not None or _looks_like_path(named):
        found = view.workspace.resolve(named)
        if found.is_directory:
            raise UsageError(
                f"{found.path!r} is a directory; {verb} takes one file or name.",
                code="directory",
                hint="Name a file in it, or analyze the directory.",
            )
        return subject_of(view.read(found)), ""
    if _DOTTED.match(named) or named.isidentifier():
        place = locate(named, search_roots(view.settings.project_dir))
        compiled = "" if place is not None and not place[1] else _compiled(named, view)
        if place is not None:
            followed = _followed(named, place, view)
            if followed != place or not compiled:
                return subject_of(view.read(followed[0])), followed[1]
        if compiled and (_DOTTED.match(named) or not otherwise):
            raise UnknownNameError(
                f"{compiled!r} is compiled: it has no Python source.",
                hint=f"Name a file or a module written in Python{otherwise}.",
            )
        if _DOTTED.match(named):
            first = named.partition(".")[0]
            raise UnknownNameError(
                f"No source of {named!r} was found: there is no Python module {first!r} in the "
                "project or on sys.path.",
                hint=f"Name a file or an installed module{otherwise}.",
            )
    return None, ""


def _compiled(named: str, view: View) -> str:
    """Return the module in a dotted name of which there is only compiled code, else `""`."""
    parts = named.split(".")
    finder = finder_of(view)
    for size in range(len(parts), 0, -1):
        module = ".".join(parts[:size])
        place = finder.place(module)
        if place is not None:
            return "" if place.kind == "source" else module
    return parts[0] if parts[0] in sys.builtin_module_names else ""


def _followed(named: str, place: tuple[str, str], view: View) -> tuple[str, str]:
    """Return where a name is defined that a module only passes on (`os.path.join`), else
    `place`."""
    if not place[1]:
        return place
    try:
        found = finder_of(view).find(named)
    except UnknownNameError:
        return place
    defined = found.node is None or isinstance(found.node, Definition)
    if found.source is None or not defined or found.source.file.endswith(".pyi"):
        return place
    return found.source.file, found.qualname


def parsed_target(subject: Subject) -> tuple[ParsedModule, Cells | None]:
    """Return the tree of a file, a notebook's cells as one module, a cell, or a live object's
    source; and the cells. Raises UsageError for a notebook that cannot be read."""
    if subject.language == "notebook":
        cells = read_notebook(subject)
        return parse(subject, cells.text), cells
    if subject.file is None:
        cells = read_cell(dedent(subject.text))
        return parse(subject, cells.text), cells
    return parse(subject), None


def only_definition(parsed: ParsedModule) -> str:
    """Return the function or class that is all there is of a cell or a piece of source, else ""."""
    body = parsed.tree.body if parsed.subject.file is None and parsed.tree is not None else []
    if len(body) == 1 and isinstance(
        body[0], ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    ):
        return body[0].name
    return ""


def problem_of(error: Issue) -> str:
    """Return why a text does not parse, with its line where that is the file's."""
    place = "" if error.cell is not None else f", line {error.line}"
    return f"{error.message}{place}"


def nothing_known(subject: Subject, problem: str | None = None) -> str:
    """Say why the parse tree tells nothing of a subject."""
    if problem:
        return f"{subject.path} cannot be parsed: {problem}."
    if not subject.text.strip():
        return f"{subject.path} is empty."
    size = len(subject.text.splitlines())
    lines = "1 line" if size == 1 else f"{size} lines"
    return f"{subject.path} is no Python code: {lines} of {subject.language}."


def _looks_like_path(target: str) -> bool:
    return "/" in target.split(" ")[0] or target.endswith((".py", ".ipynb", ".pyi"))
