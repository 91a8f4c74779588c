"""The modules around a file: where its callers and importers may stand."""

from __future__ import annotations

import os

from aiex_ipy.errors import WorkspaceError
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.lint import is_test
from aiex_ipy.grounding.parsed import ParsedModule
from aiex_ipy.grounding.python import parse
from aiex_ipy.operations.inputs import subject_of
from aiex_ipy.operations.view import View

FILES_AT_MOST = 1_000
"""A tree with more is not searched: reading it would take longer than the answer is worth."""
TESTED_FILES_AT_MOST = 5_000
"""The same where only tests are read."""
TESTS_AT_MOST = 40
"""Test modules parsed; of pandas' 1,144 half speak of a `frame`, which took 18 s."""


def neighbours(
    subject: Subject, view: View, word: str, *, tests: bool = False
) -> list[ParsedModule]:
    """Return the Python modules around a file, in order of path, without itself; with `tests` its
    test modules alone, at most `TESTS_AT_MOST` that hold `word`, first those named after it.

    Those that hold `word` are parsed; of the others only the names are known. Around means the
    package and, in the project, what stands beside it (its tests). What may not be read without
    being named is left out.
    """
    root = _root(subject.file, view.workspace.project_dir)
    if root is None:
        return []
    limit = TESTED_FILES_AT_MOST if tests else FILES_AT_MOST
    try:
        files = view.workspace.walk(root, only=("python",), limit=limit).files
    except WorkspaceError:
        return []
    if tests:
        named = word.lower()
        files = tuple(
            sorted(
                (file for file in files if is_test(file.path)),
                key=lambda file: (named not in os.path.basename(file.path).lower(), file.path),
            )
        )
    found: list[ParsedModule] = []
    for file in files:
        if tests and len(found) == TESTS_AT_MOST:
            break
        if file.file == subject.file or not view.workspace.is_open(file):
            continue
        try:
            near = subject_of(view.read(file))
        except WorkspaceError:
            continue
        if tests and word not in near.text:
            continue
        module = parse(near) if word in near.text else ParsedModule(near, "")
        if module.error is None:
            found.append(module)
    return found


def _root(file: str | None, project: str) -> str | None:
    """Return the directory to search: the package's, or the one that holds it in the project."""
    if file is None:
        return None
    folder = top = os.path.dirname(file)
    while os.path.isfile(os.path.join(top, "__init__.py")):
        folder, top = top, os.path.dirname(top)
    inside = os.path.commonpath([os.path.realpath(project), os.path.realpath(top)])
    own = inside == os.path.realpath(project) and "site-packages" not in top.split(os.sep)
    if not own:
        return folder if folder != top else None
    above = os.path.dirname(top)
    return above if os.path.basename(top) == "src" and len(above) >= len(project) else top
