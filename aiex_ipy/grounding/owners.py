"""Whose code a file holds, and what people call the file."""

from __future__ import annotations

import os
import sys
import sysconfig

LIBRARIES = tuple(
    {
        os.path.realpath(path) + os.sep
        for key in ("stdlib", "platstdlib", "purelib", "platlib")
        if (path := sysconfig.get_paths().get(key))
    }
)
"""Directories whose code is not the user's: the standard library and installed packages."""
PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
OURS = os.path.dirname(os.path.dirname(os.path.realpath(__file__))) + os.sep


def is_users(file: str) -> bool:
    """True for a file that is neither a library's, nor Python's, nor our own."""
    real = os.path.realpath(file)
    if any(each in real for each in PACKAGES):
        return False
    return not real.startswith((*LIBRARIES, OURS))


def shown_path(file: str, project_dir: str) -> str:
    """Return a path as people read it: relative to the project or to `sys.path`; of a file
    elsewhere its last two parts."""
    if not os.path.isabs(file):
        return file
    roots = (os.path.abspath(each or ".").rstrip(os.sep) + os.sep for each in sys.path)
    within = [each for each in roots if file.startswith(each)]
    project = os.path.abspath(project_dir or ".").rstrip(os.sep) + os.sep
    if file.startswith(project) and is_users(file):
        within = [project]
    if within:
        return file[len(max(within, key=len)) :].replace(os.sep, "/")
    return "/".join(file.replace(os.sep, "/").split("/")[-2:])


def shown_directory(path: str) -> str:
    """Return a directory as people read it: below the home directory from `~` on, elsewhere its
    last part; what a report says must not name the machine."""
    full = os.path.abspath(path)
    home = os.path.expanduser("~").rstrip(os.sep) + os.sep
    if len(home) > 1 and full.startswith(home):
        return f"~/{full[len(home) :]}".replace(os.sep, "/")
    return os.path.basename(full) or full
