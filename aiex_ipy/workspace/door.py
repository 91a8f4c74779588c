"""Finds, checks and reads the files a user names. Nothing else in aiex opens a user's file."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Collection
from typing import BinaryIO

from msgspec import Struct

from aiex_ipy.config.settings import Settings
from aiex_ipy.errors import ConfigError, WorkspaceError, near_miss
from aiex_ipy.workspace import languages, patterns, tree
from aiex_ipy.workspace.decoding import decode

_SYSTEM_ROOTS = ("/proc", "/sys", "/dev")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
MB = 1_000_000
NEAR_MISS_RATIO = 0.6
"""How alike two names are without their suffixes. Source: difflib's documented default."""


class Located(Struct, frozen=True, kw_only=True):
    """A path that exists. `path` is what people read (see `SourceFile`), `file` is absolute."""

    path: str
    file: str
    is_directory: bool


class SourceFile(Struct, frozen=True, kw_only=True):
    """One text file as it was read.

    `path` is for people: posix, relative to the project, the working directory or the
    interpreter's library, else as it was named, and never absolute. `text` has `\\n` line ends;
    `newline` is what the file has. `sha256` is of the bytes, `size` their number. `language` is
    told by the name, `text` when unknown.
    """

    path: str
    file: str | None
    text: str
    sha256: str
    size: int
    encoding: str = "utf-8"
    newline: str = "\n"
    language: str = "text"


class Tree(Struct, frozen=True, kw_only=True):
    """The files below a directory, sorted by path. `unreadable` are the directories that could
    not be listed; `skipped` counts files that may not be read: denied, or links to outside."""

    root: Located
    files: tuple[Located, ...]
    unreadable: tuple[str, ...] = ()
    skipped: int = 0


class Workspace:
    """What may be read, by the `[sandbox]` settings, and how paths are told.

    Relative paths start from the working directory, and where nothing is there from the project.
    """

    def __init__(self, settings: Settings) -> None:
        sandbox = settings.sandbox
        self.project_dir = os.path.abspath(settings.project_dir or os.getcwd())
        self._most_bytes = sandbox.max_file_size_mb * MB
        self._suffixes = frozenset(sandbox.allowed_extensions)
        self._allowed_paths = sandbox.allowed_paths
        self._denied_paths = tuple(
            {form for path in sandbox.denied_paths for form in (path, os.path.realpath(path))}
        )
        try:
            self._denied = patterns.any_of(sandbox.denied_patterns)
        except ValueError as error:
            raise ConfigError(
                f"'sandbox.denied_patterns' holds {str(error)!r}, which is no pattern.",
                code="bad_value",
                hint="Correct the range in its brackets.",
                key="sandbox.denied_patterns",
                value=str(error),
            ) from None
        self._library: tuple[str, ...] | None = None

    def locate(self, text: str) -> Located | None:
        """Return the file or directory that `text` names, or None when it names none."""
        if not text or len(text) > 4096 or "\0" in text or "\n" in text:
            return None
        try:
            return self.resolve(text)
        except WorkspaceError:
            return None

    def resolve(self, path: str | os.PathLike[str]) -> Located:
        """Return where a path leads. Raises WorkspaceError: `missing`, `loop`, `permission`."""
        named = os.fspath(path)
        if not named or "\0" in named:
            raise WorkspaceError(
                f"{named!r} is no path.", code="missing", hint="Name a file.", path=named
            )
        expanded = os.path.expanduser(named)
        tried = [os.path.normpath(os.path.join(self._here(), expanded))]
        if not os.path.isabs(expanded):
            tried.append(os.path.normpath(os.path.join(self.project_dir, expanded)))
        problem: OSError | None = None
        for file in tried:
            try:
                mode = os.stat(file).st_mode
            except OSError as error:
                problem = problem or error
                continue
            return Located(
                path=self._shown(named, file), file=file, is_directory=stat.S_ISDIR(mode)
            )
        assert problem is not None
        if problem.errno in (errno.ENOENT, errno.ENOTDIR):
            raise _missing(named, tried[0])
        raise _unreadable(named, problem)

    def read(
        self, path: str | os.PathLike[str] | Located, *, allow_secret_file: bool = False
    ) -> SourceFile:
        """Return the text of a file.

        Raises WorkspaceError with code `missing`, `directory`, `not_regular`, `permission`,
        `denied`, `suffix`, `too_large`, `binary`, `encoding`, `changed` or `loop`.
        """
        found = path if isinstance(path, Located) else self.resolve(path)
        if found.is_directory:
            raise WorkspaceError(
                f"{found.path!r} is a directory.",
                code="directory",
                hint="Name a file in it.",
                path=found.path,
            )
        self._refuse_denied(found, allow_secret_file=allow_secret_file)
        data = self._bytes(found)
        language = languages.by_name(found.file)
        if not (allow_secret_file and self._is_denied(found.file)):
            self._refuse_suffix(found, language or languages.by_first_line(data))
        language = language or languages.by_first_line(data) or "text"
        return _source(data, path=found.path, file=found.file, language=language)

    def read_stream(
        self, stream: BinaryIO, *, name: str = "<stdin>", language: str = "python"
    ) -> SourceFile:
        """Return the text of an open stream, such as `sys.stdin.buffer`, read to its end.

        Raises WorkspaceError with code `too_large`, `binary`, `encoding` or `permission`.
        """
        try:
            data = stream.read(self._most_bytes + 1)
        except OSError as error:
            raise _unreadable(name, error) from None
        if len(data) > self._most_bytes:
            raise self._too_large(name, None)
        return _source(data, path=name, file=None, language=language)

    def walk(
        self,
        path: str | os.PathLike[str] | Located,
        *,
        only: Collection[str] = (),
        limit: int = 20_000,
    ) -> Tree:
        """Return the files below a directory that may be read, of the languages in `only`.

        Left out are what `.gitignore` files name, links to directories, and the directories of
        version control, environments, caches and builds. Raises WorkspaceError: `too_many` for
        more than `limit` files, `permission`, `not_directory`.
        """
        root = path if isinstance(path, Located) else self.resolve(path)
        if not root.is_directory:
            raise WorkspaceError(
                f"{root.path!r} is no directory.",
                code="not_directory",
                hint="Name a directory.",
                path=root.path,
            )
        listing = tree.Listing(root.file, self.project_dir)
        files: list[Located] = []
        skipped = 0
        for file, is_link in listing:
            if not self._wanted(file, only):
                continue
            below = _for_people(file[len(root.file) :].lstrip(os.sep))
            shown = below if root.path == "." else f"{root.path}/{below}"
            entry = Located(path=shown, file=file, is_directory=False)
            if self._is_denied(file) or (is_link and not self.is_open(entry)):
                skipped += 1
                continue
            if len(files) == limit:
                raise WorkspaceError(
                    f"{root.path!r} holds more than {limit} files.",
                    code="too_many",
                    hint="Name a smaller directory.",
                    path=root.path,
                )
            files.append(entry)
        unreadable = tuple(self._shown(name, name) for name in listing.unreadable)
        if root.file in listing.unreadable:
            raise _unreadable(root.path, PermissionError(errno.EACCES, "Permission denied"))
        return Tree(root=root, files=tuple(files), unreadable=unreadable, skipped=skipped)

    def _wanted(self, file: str, only: Collection[str]) -> bool:
        if self._suffixes and languages.suffix_of(file) not in self._suffixes:
            return False
        language = languages.by_name(file)
        if only:
            return language in only
        return language is not None or bool(self._suffixes)

    def is_open(self, found: Located) -> bool:
        """True when a file may be read though the user did not name it: a link in a tree, a
        frame of a traceback. It is in one of the open directories, and not denied."""
        target = os.path.realpath(found.file)
        if self._is_denied(found.file) or self._is_denied(target):
            return False
        return any(_within(target, root) for root in self._open_roots())

    def _open_roots(self) -> tuple[str, ...]:
        own = (self.project_dir, self._here(), *map(os.path.expanduser, ("~/code", "~/projects")))
        roots = (*own, *self._allowed_paths, *self._library_roots())
        return tuple(os.path.realpath(root) for root in roots)

    def _library_roots(self) -> tuple[str, ...]:
        if self._library is None:
            import sys
            import sysconfig

            # Only what exists: a prefix may name directories of other layouts.
            known = {os.path.dirname(os.__file__)}
            known |= {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
            known |= {
                path
                for path in sys.path
                if os.path.basename(path) in ("site-packages", "dist-packages")
            }
            self._library = tuple(sorted(known, key=lambda path: (-len(path), path)))
        return self._library

    def _is_denied(self, file: str) -> bool:
        return self._denial(file, allow_secret_file=False) is not None

    def _denial(self, file: str, *, allow_secret_file: bool) -> str | None:
        if file.startswith(_SYSTEM_ROOTS) and _within_any(file, _SYSTEM_ROOTS):
            return "is not a file of yours but of the system"
        if _within_any(file, self._denied_paths):
            return "is below one of sandbox.denied_paths"
        posix = file.replace(os.sep, "/")
        if allow_secret_file:
            return None
        if self._denied.fullmatch(posix):
            return "is denied by sandbox.denied_patterns"
        return "is a place for keys and secrets" if patterns.is_secret_place(posix) else None

    def _refuse_denied(self, found: Located, *, allow_secret_file: bool) -> None:
        for file in (found.file, os.path.realpath(found.file)):
            why = self._denial(file, allow_secret_file=allow_secret_file)
            if why is None:
                continue
            hint = ""
            if "system" in why:
                hint = "Name a file of yours, or pass the text on stdin with `-`."
            elif "sandbox." in why:
                hint = "Change the setting if it should be read."
            elif "secrets" in why:
                hint = "Use --allow-secret-file if it may be read and sent."
            raise WorkspaceError(
                f"{found.path!r} {why}.", code="denied", hint=hint, path=found.path
            )

    def _refuse_suffix(self, found: Located, language: str | None) -> None:
        suffix = languages.suffix_of(found.file)
        if self._suffixes:
            if suffix in self._suffixes:
                return
        elif language is not None:
            return
        what = f"has the suffix {suffix!r}, which is not read" if suffix else "has no suffix"
        raise WorkspaceError(
            f"{found.path!r} {what}.",
            code="suffix",
            hint=f"Add {suffix or 'a suffix'!r} to sandbox.allowed_extensions."
            if suffix
            else "Give the file a suffix, or pass its text on stdin with `-`.",
            path=found.path,
        )

    def _bytes(self, found: Located) -> bytes:
        try:
            # Not blocking: a FIFO put in the file's place would hang the open.
            handle = os.open(found.file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:
            raise _missing(found.path, found.file) from None
        except OSError as error:
            raise _unreadable(found.path, error) from None
        with contextlib.closing(os.fdopen(handle, "rb")) as file:
            before = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):
                raise WorkspaceError(
                    f"{found.path!r} is no regular file.",
                    code="not_regular",
                    hint="Name a text file.",
                    path=found.path,
                )
            if before.st_size > self._most_bytes:
                raise self._too_large(found.path, before.st_size)
            try:
                data = file.read(self._most_bytes + 1)
            except OSError as error:
                raise _unreadable(found.path, error) from None
            after = os.fstat(handle)
        if len(data) > self._most_bytes:
            raise self._too_large(found.path, None)
        if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
            raise WorkspaceError(
                f"{found.path!r} was changed while it was read.",
                code="changed",
                hint="Try again when it is saved.",
                path=found.path,
            )
        return data

    def _too_large(self, path: str, size: int | None) -> WorkspaceError:
        megabytes = self._most_bytes // MB
        has = f"has {size / MB:.1f} MB" if size else f"has more than {megabytes} MB"
        return WorkspaceError(
            f"{path!r} {has}; at most {megabytes} MB are read.",
            code="too_large",
            hint="Raise sandbox.max_file_size_mb if it should be read.",
            path=path,
        )

    def _here(self) -> str:
        """Return the working directory, or the project where that has been deleted."""
        try:
            return os.getcwd()
        except FileNotFoundError:
            return self.project_dir

    def _shown(self, named: str, file: str) -> str:
        for root in (self.project_dir, self._here()):
            if _within(file, root):
                return _for_people(os.path.relpath(file, root))
        if not os.path.isabs(named):
            return _for_people(os.path.normpath(named))
        for root in self._library_roots():
            if _within(file, root) and file != root:
                return _for_people(os.path.relpath(file, root))
        return _for_people(os.path.basename(file) or ".")


def _source(data: bytes, *, path: str, file: str | None, language: str) -> SourceFile:
    text, encoding, newline = decode(data, path=path, language=language)
    return SourceFile(
        path=path,
        file=file,
        text=text,
        sha256=_digest(data),
        size=len(data),
        encoding=encoding,
        newline=newline,
        language=language,
    )


def _for_people(path: str) -> str:
    """Return a path as text that can be printed and encoded: posix, and without the characters
    that move a cursor, turn the direction of writing, or stand for bytes that are no UTF-8."""
    posix = path.replace(os.sep, "/")
    return posix if posix.isprintable() else _UNPRINTABLE.sub("\ufffd", posix)


def _digest(data: bytes) -> str:
    """SHA-256 by the interpreter's own module: `hashlib` loads OpenSSL, 5 ms for one file."""
    from importlib import import_module

    for name in ("_sha2", "_sha256", "hashlib"):  # Python 3.12 and later, 3.11, any
        try:
            sha256 = import_module(name).sha256
            break
        except ImportError:
            continue
    return str(sha256(data).hexdigest())


def _within(file: str, root: str) -> bool:
    return file == root or file.startswith(root if root.endswith(os.sep) else root + os.sep)


def _within_any(file: str, roots: Collection[str]) -> bool:
    return any(_within(file, root) for root in roots)


def _alike(stem: str, other: str) -> bool:
    from difflib import SequenceMatcher

    return SequenceMatcher(a=stem.lower(), b=other.lower()).ratio() >= NEAR_MISS_RATIO


def _missing(named: str, file: str) -> WorkspaceError:
    """Return the error for a path of which a part does not exist, naming what is like it."""
    above = os.path.dirname(file)
    wrong = os.path.basename(file)
    while not os.path.isdir(above) and os.path.dirname(above) != above:
        above, wrong = os.path.dirname(above), os.path.basename(above)
    try:
        names = sorted(os.listdir(above))
    except OSError:
        names = []
    # A common suffix alone makes no two names alike.
    stem = os.path.splitext(wrong)[0]
    names = [name for name in names[:5000] if _alike(stem, os.path.splitext(name)[0])]
    hint = near_miss(wrong, names) if names else ""
    hint = hint.split(" Known:")[0] if hint.startswith("Did you mean") else ""
    return WorkspaceError(
        f"{named!r} does not exist.",
        code="missing",
        hint=hint or "Name a file or directory that exists.",
        path=named,
    )


def _unreadable(named: str, error: OSError) -> WorkspaceError:
    if error.errno == errno.ELOOP:
        return WorkspaceError(
            f"{named!r} is a link that leads to itself.",
            code="loop",
            hint="Mend the link.",
            path=named,
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return _missing(named, os.path.abspath(named))
    return WorkspaceError(
        f"{named!r} cannot be read: {error.strerror or error}.",
        code="permission" if isinstance(error, PermissionError) else "unreadable",
        hint="Make it readable, or name another file.",
        path=named,
    )
