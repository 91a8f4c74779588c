"""Writes a file the user named."""

from __future__ import annotations

import os

from aiex_ipy.errors import WorkspaceError
from aiex_ipy.workspace.patterns import is_secret_place


def check_writable(path: str, *, replace: bool = False) -> None:
    """Raise WorkspaceError where `save_text` would, before work is done for nothing."""
    file = os.path.abspath(os.path.expanduser(path))
    if is_secret_place(file.replace(os.sep, "/")):
        raise _refused(path, "it is a place for keys and secrets", "Name another file.")
    if os.path.isdir(file):
        raise _refused(path, "it is a directory", "Name a file in it.")
    if os.path.lexists(file) and not replace:
        raise _refused(path, "it exists", "Name another file, or add --force.")
    parent = os.path.dirname(file)
    if not os.access(parent, os.W_OK):
        there = "cannot be written to" if os.path.isdir(parent) else "does not exist"
        raise _refused(path, f"its directory {there}", "Name a file in a directory of yours.")


def save_text(path: str, text: str, *, replace: bool = False) -> None:
    """Write a text file whole or not at all; one that exists only if `replace`.

    Raises WorkspaceError with code `not_writable`.
    """
    check_writable(path, replace=replace)
    file = os.path.abspath(os.path.expanduser(path))
    part = f"{file}.{os.getpid()}.part"
    try:
        with open(part, "x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        if replace:
            os.replace(part, file)
        else:
            os.link(part, file)  # fails where a file has come meanwhile
            os.unlink(part)
    except OSError as error:
        if os.path.exists(part):
            os.unlink(part)
        raise _refused(path, error.strerror or str(error), "Name another file.") from None


def _refused(path: str, why: str, hint: str) -> WorkspaceError:
    return WorkspaceError(
        f"{path!r} cannot be written: {why}.", code="not_writable", hint=hint, path=path
    )
