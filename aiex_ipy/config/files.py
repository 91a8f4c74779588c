"""The settings files: where they are looked for, and how one is read."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from aiex_ipy.errors import ConfigError

PROJECT_FILE = "aiex.toml"
PYPROJECT = "pyproject.toml"
_MARKERS = (PYPROJECT, ".git", "setup.py", "setup.cfg", "mix.exs")
_MOST_BYTES = 1_000_000
_NAMES_TABLE = re.compile(rb"""\btool["']?\s*\.\s*["']?aiex\b""")
# Also `[tool]` with a key `aiex`, and `tool = { aiex = … }`.
_MAY_HOLD_TABLE = re.compile(
    rb"""\btool["']?\s*\.\s*["']?aiex\b|^\s*\[?\s*["']?tool["']?\s*[]=]""", re.MULTILINE
)


class ConfigPaths(Struct, frozen=True, kw_only=True):
    """Absolute paths of the files that are looked for; `team` and `user` need not exist.

    `project` is the project's settings file, None when it has none; `project_dir` the
    directory it would be in.
    """

    team: str
    user: str
    project: str | None
    project_dir: str


def config_dir(environ: Mapping[str, str]) -> str:
    """Return the directory of the user's settings.

    Source: XDG Base Directory Specification 0.8, which ignores a relative path; platformdirs
    on other systems.
    """
    platform: str = sys.platform  # a name of its own, else mypy calls the rest unreachable
    if platform not in ("win32", "darwin"):
        base = environ.get("XDG_CONFIG_HOME", "")
        if not os.path.isabs(base):
            base = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".config")
        return os.path.join(base, "aiex")
    import platformdirs

    return platformdirs.user_config_dir("aiex", appauthor=False)


def paths(
    *, project_dir: str | None = None, environ: Mapping[str, str] | None = None
) -> ConfigPaths:
    """Return where settings are read from. Raises ConfigError for a project that is none."""
    environ = os.environ if environ is None else environ
    named = project_dir or environ.get("AIEX_PROJECT_DIR", "").strip() or None
    directory = config_dir(environ)
    if named is None:
        root, file = _search(working_directory())
    else:
        root = os.path.abspath(os.path.expanduser(named))
        if not os.path.isdir(root):
            what = "is no directory" if os.path.exists(root) else "does not exist"
            raise ConfigError(
                f"The project directory {named!r} {what}.",
                code="bad_value",
                hint="Set AIEX_PROJECT_DIR or --project-dir to an existing directory.",
                key="project_dir",
                value=named,
            )
        file = _project_file(root)
    return ConfigPaths(
        team=os.path.join(directory, "team.toml"),
        user=os.path.join(directory, "config.toml"),
        project=file,
        project_dir=root,
    )


def working_directory() -> str:
    """Return the working directory. Raises ConfigError when it has been deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise ConfigError(
            "The working directory no longer exists.",
            code="no_directory",
            hint="Change to an existing directory.",
        ) from None


def _search(start: str) -> tuple[str, str | None]:
    marked = ""
    here = start
    while True:
        file = _project_file(here)
        if file is not None:
            return here, file
        if not marked and any(os.path.exists(os.path.join(here, name)) for name in _MARKERS):
            marked = here
        above = os.path.dirname(here)
        if above == here:
            return marked or start, None
        here = above


def _project_file(directory: str) -> str | None:
    own = os.path.join(directory, PROJECT_FILE)
    shared = os.path.join(directory, PYPROJECT)
    in_shared = os.path.lexists(shared) and _has_table(shared)
    if not os.path.lexists(own):
        return shared if in_shared else None
    if in_shared:
        raise ConfigError(
            f"Both {own!r} and [tool.aiex] in {shared!r} hold settings.",
            code="conflict",
            hint="Keep one of the two.",
            file=own,
        )
    return own


def _has_table(path: str) -> bool:
    # To parse costs 16 ms of import, and most projects have no such table.
    try:
        data = _bytes(path)
        if not _MAY_HOLD_TABLE.search(data):
            return False
        table = parse(path).get("tool")
    except ConfigError as error:
        # Somebody else's broken file is not ours to tell of, one that names our table is.
        return error.code == "bad_toml" and bool(_NAMES_TABLE.search(data))
    return isinstance(table, dict) and "aiex" in table


def read(path: str) -> dict[str, Any]:
    """Return the settings table of a file, empty when there is no such file.

    Raises ConfigError: unreadable, no regular file, not UTF-8, not TOML with line and column.
    """
    if not os.path.lexists(path):
        return {}
    document = parse(path)
    if os.path.basename(path) != PYPROJECT:
        return document
    table = document.get("tool", {}).get("aiex", {})
    if not isinstance(table, dict):
        raise ConfigError(
            f"'tool.aiex' in {path!r} is {table!r}, but must be a table.",
            code="bad_value",
            hint="Write [tool.aiex] on a line of its own.",
            file=path,
        )
    return table


def parse(path: str) -> dict[str, Any]:
    """Return the whole TOML document of a file. Raises ConfigError."""
    import tomllib

    text = decode(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (text.count("\n") + 1, 1)
        what = re.sub(r" \(at .*\)$", "", str(error))
        raise ConfigError(
            f"{path!r}, line {line}, column {column}: {what}.",
            code="bad_toml",
            hint="Correct the TOML there.",
            file=path,
            line=line,
            column=column,
        ) from None


def decode(path: str) -> str:
    """Return the text of a settings file. Raises ConfigError."""
    data = _bytes(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path!r}, line {line}: byte {data[error.start]:#04x} is no UTF-8.",
            code="bad_encoding",
            hint="Save the file as UTF-8.",
            file=path,
            line=line,
        ) from None


def _bytes(path: str) -> bytes:
    hint = "Make it a readable file, or move it away."
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            what = "a directory" if os.path.isdir(path) else "no regular file"
            raise ConfigError(
                f"The settings file {path!r} is {what}.", code="unreadable", hint=hint, file=path
            )
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"The settings file {path!r} cannot be read: {error.strerror or error}.",
            code="unreadable",
            hint=hint,
            file=path,
        ) from None
    if len(data) > _MOST_BYTES:
        raise ConfigError(
            f"The settings file {path!r} is larger than 1 MB.",
            code="unreadable",
            hint="Keep settings only in it.",
            file=path,
        )
    return data
