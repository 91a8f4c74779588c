"""Lists a tree of files as a person would: without caches, environments and ignored files."""

from __future__ import annotations

import os
from collections.abc import Iterator

from aiex_ipy.workspace.patterns import Ignored

# Version control, environments, caches: never anybody's source.
_VERSION_CONTROL = (".git", ".hg", ".svn", ".bzr", ".jj")
_ENVIRONMENTS = (
    ".venv",
    ".virtualenv",
    ".tox",
    ".nox",
    ".direnv",
    "site-packages",
    "dist-packages",
)
_PACKAGES = ("node_modules", "bower_components", ".eggs", ".terraform", ".elixir_ls")
_CACHES = ("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".cache")
_EDITORS = (".ipynb_checkpoints", ".idea", ".vscode")
_NEVER = frozenset((*_VERSION_CONTROL, *_ENVIRONMENTS, *_PACKAGES, *_CACHES, *_EDITORS))
# Products of a build, unless there is a package of that name.
_BUILT = frozenset(("build", "_build", "dist", "target", "htmlcov"))


class Listing:
    """The files below `root`, sorted by path, each with whether it is a link.

    Rules of `.gitignore` files count from the top of the repository or from `project_dir`,
    whichever is nearer to `root`. Links to directories are not followed, so that there is no
    loop. `unreadable` is filled while iterating.
    """

    def __init__(self, root: str, project_dir: str) -> None:
        self.root = root
        self.unreadable: list[str] = []
        self._rules: list[tuple[str, Ignored]] = []
        for directory in _above(root, project_dir):
            if os.path.isfile(os.path.join(directory, ".gitignore")):
                self._learn(directory)

    def __iter__(self) -> Iterator[tuple[str, bool]]:
        # Not by recursion: a tree may be deeper than Python's stack.
        open_directories = [self._entered(self.root)]
        while open_directories:
            entries, learned = open_directories[-1]
            entry = next(entries, None)
            if entry is None:
                open_directories.pop()
                if learned:
                    self._rules.pop()
            elif _is_directory(entry):
                if not self._is_skipped(entry):
                    open_directories.append(self._entered(entry.path))
            elif _is_file(entry) and not self._is_ignored(entry.path, is_directory=False):
                yield entry.path, entry.is_symlink()

    def _entered(self, directory: str) -> tuple[Iterator[os.DirEntry[str]], bool]:
        """Return the sorted entries, and whether the directory has rules of its own."""
        try:
            with os.scandir(directory) as scan:
                entries = sorted(scan, key=_order)
        except OSError:
            self.unreadable.append(directory)
            return iter(()), False
        learned = any(entry.name == ".gitignore" and _is_file(entry) for entry in entries)
        if learned:
            self._learn(directory)
        return iter(entries), learned

    def _learn(self, directory: str) -> None:
        path = os.path.join(directory, ".gitignore")
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read(1_000_000)
        except OSError:
            text = ""
        self._rules.append((directory, Ignored(text)))

    def _is_skipped(self, entry: os.DirEntry[str]) -> bool:
        name = entry.name
        if name in _NEVER or name.endswith(".egg-info"):
            return True
        if name in _BUILT and not os.path.exists(os.path.join(entry.path, "__init__.py")):
            return True
        if os.path.exists(os.path.join(entry.path, "pyvenv.cfg")):
            return True
        return self._is_ignored(entry.path, is_directory=True)

    def _is_ignored(self, path: str, *, is_directory: bool) -> bool:
        for directory, rules in reversed(self._rules):
            below = os.path.relpath(path, directory).replace(os.sep, "/")
            verdict = rules.verdict(below, is_directory=is_directory)
            if verdict is not None:
                return verdict
        return False


def _order(entry: os.DirEntry[str]) -> str:
    # As the whole paths would sort: a directory's files come where its name with the slash does.
    return entry.name + "/" if _is_directory(entry) else entry.name


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _above(root: str, project_dir: str) -> list[str]:
    """Return the directories above `root` whose `.gitignore` counts, the outermost first."""
    above: list[str] = []
    here = root
    while not os.path.exists(os.path.join(here, ".git")) and here != project_dir:
        parent = os.path.dirname(here)
        if parent == here:
            return []  # neither a repository nor in the project: the rules above are not meant
        here = parent
        above.append(here)
    return above[::-1]
