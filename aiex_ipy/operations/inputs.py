"""Turn what a user names (paths, texts, objects) into subjects."""

from __future__ import annotations

import re

from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.operations.view import View
from aiex_ipy.workspace import SourceFile

CODE = ("python", "notebook")
"""Languages whose facts are gathered."""
MAX_QUERY_CHARACTERS = 200_000
"""Above this a question is surely a file: it belongs in `context`."""


def subject_of(source: SourceFile) -> Subject:
    """Return the subject of a file that was read."""
    return Subject(
        path=source.path,
        text=source.text,
        language=source.language,
        file=source.file,
        sha256=source.sha256,
    )


def checked_query(query: str) -> str:
    """Return the query stripped. Raises UsageError when empty or longer than a question is."""
    if not query.strip():
        raise UsageError(
            "The question is empty.", code="empty_query", hint="Write what you want to know."
        )
    if len(query) > MAX_QUERY_CHARACTERS:
        raise UsageError(
            f"The question has {len(query)} characters; the limit is {MAX_QUERY_CHARACTERS}.",
            code="query_too_long",
            hint="Put the text into a file and name it with context.",
        )
    return query.strip()


_LIKE_A_PATH = re.compile(r"[\w.~/\\-]+(?:/[\w.-]+|\.(?:py|ipynb|md|txt|toml|json|ya?ml|exs?))\Z")


def missing_paths(context: tuple[str | Subject, ...], view: View) -> tuple[str, ...]:
    """Return a notice for each context item that looks like a path and names nothing."""
    return tuple(
        f"{item!r} is no file here, so it was taken as text."
        for item in context
        if isinstance(item, str)
        and _LIKE_A_PATH.match(item)
        and view.workspace.locate(item) is None
    )


def context_subjects(context: tuple[str | Subject, ...], view: View) -> tuple[Subject, ...]:
    """Return one subject per context item: ready subjects as they are, an existing path's file
    (or every source file of a directory), any other text as itself."""
    subjects: list[Subject] = []
    for number, item in enumerate(context, 1):
        if isinstance(item, Subject):
            subjects.append(item)
            continue
        found = view.workspace.locate(item)
        if found is None:
            subjects.append(Subject(path=f"<context {number}>", text=item, language="text"))
        elif found.is_directory:
            files = view.workspace.walk(found, only=CODE).files
            subjects.extend(subject_of(view.read(file)) for file in files)
        else:
            subjects.append(subject_of(view.read(found)))
    return tuple(subjects)
