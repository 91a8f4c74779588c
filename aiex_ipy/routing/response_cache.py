"""Whole answers kept on disk by the exact request they answer: `llm.cache.enabled`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct

from aiex_ipy.errors import StoreError
from aiex_ipy.messages import Chunk
from aiex_ipy.routing.reuse import again, ended

if TYPE_CHECKING:
    import sqlite3

Res = TypeVar("Res")

FILE_NAME = "answers-1.sqlite3"
"""Its number is that of the layout: another one begins a file of its own."""
_KEPT = ("stop", "tool_calls")
_BUSY_S = 1.0
_TABLE = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS answers
    (key BLOB PRIMARY KEY, at INTEGER, used INTEGER, size INTEGER, body BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS least_used ON answers (used);
COMMIT;
"""
_KEEP = """
INSERT OR REPLACE INTO answers
    VALUES (?, ?, (SELECT ifnull(max(used), 0) + 1 FROM answers), ?, ?)
"""
_MARK_USED = """
UPDATE answers SET used = (SELECT ifnull(max(used), 0) + 1 FROM answers) WHERE key = ?
"""
# Source: SQLite documentation, "Result and Error Codes", the primary codes.
_WAITED_IN_VAIN = (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED
_DAMAGED = (11, 26)  # SQLITE_CORRUPT, SQLITE_NOTADB


def cache_path() -> Path:
    """Return the file of the response cache, in the user's data directory."""
    from aiex_ipy.providers.model_store import data_dir

    return data_dir() / "cache" / FILE_NAME


class CacheSize(Struct, frozen=True, kw_only=True):
    """What the cache holds: how many answers, in a file of how many bytes."""

    path: str
    answers: int = 0
    bytes: int = 0


class ResponseCache:
    """Answers by the request they answer, at most `max_mb` MB; the least recently used go first.

    Several processes may use one file. Questions are not in it, only a hash of each. A file that
    cannot be used is no error of an answer: `take_notice` tells of it once; a damaged one is begun
    anew. `get` and `put` work off the event loop, and sqlite3 is imported by the first of them.
    """

    def __init__(self, max_mb: int, path: Path | None = None) -> None:
        self.path = path or cache_path()
        self._max_bytes = max_mb * 1_000_000
        self._notice = ""
        self._told = False

    async def get(self, key: bytes) -> list[Chunk] | None:
        """Return the answer that was kept, None when there is none.

        It is `Opened`, whose note names the date of the answer, then the rest, with no tokens and
        no cost: nothing is spent now.
        """
        return await self._off_loop(functools.partial(self._get, key))

    async def put(self, key: bytes, chunks: Sequence[Chunk]) -> None:
        """Keep an answer that ended by itself; pass over any other, and one that is too large."""
        if ended(chunks, _KEPT):
            body = msgspec.msgpack.encode(again(chunks, ""))
            if len(body) * 2 < self._max_bytes:
                await self._off_loop(functools.partial(self._put, key, body))

    def take_notice(self) -> str:
        """Return what kept the cache from being used, each fault once; else `""`."""
        notice, self._notice = self._notice, ""
        return notice

    def clear(self) -> int:
        """Forget all answers; return how many there were. Raises StoreError."""
        import sqlite3

        if not self.path.exists():
            return 0
        try:
            try:
                with _transaction(self.path) as file:
                    return file.execute("DELETE FROM answers").rowcount
            except sqlite3.DatabaseError as error:
                if not _is_damaged(error):
                    raise
                self._begin_anew()
                return 0
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error

    def size(self) -> CacheSize:
        """Return what the cache holds. Raises StoreError."""
        import sqlite3

        if not self.path.exists():
            return CacheSize(path=str(self.path))
        try:
            with _transaction(self.path) as file:
                (answers,) = file.execute("SELECT count(*) FROM answers").fetchone()
            held = self.path.stat().st_size
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error
        return CacheSize(path=str(self.path), answers=answers, bytes=held)

    async def _off_loop(self, work: Callable[[], Res]) -> Res | None:
        import asyncio

        return await asyncio.to_thread(self._guarded, work)

    def _guarded(self, work: Callable[[], Res]) -> Res | None:
        import sqlite3

        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            self._take_fault(error)
        return None

    def _take_fault(self, error: sqlite3.Error | OSError) -> None:
        """Make a notice of a fault; waiting in vain for another process is none."""
        if _code(error) in _WAITED_IN_VAIN:
            return
        if _is_damaged(error):
            with suppress(OSError):
                self._begin_anew()
                self._notice = f"the response cache {str(self.path)!r} was damaged: begun anew"
                return
        if not self._told:
            self._told = True
            self._notice = self._unusable(error).message.rstrip(".")

    def _unusable(self, error: sqlite3.Error | OSError) -> StoreError:
        why = (isinstance(error, OSError) and error.strerror) or str(error)
        return StoreError(
            f"The response cache {str(self.path)!r} cannot be used: {why}.",
            code="cache_unusable",
            hint="Remove that file, or set llm.cache.enabled to false.",
        )

    def _begin_anew(self) -> None:
        for name in (self.path, self.path.with_name(f"{self.path.name}-journal")):
            name.unlink(missing_ok=True)

    def _get(self, key: bytes) -> list[Chunk] | None:
        if not self.path.exists():
            return None
        with _transaction(self.path) as file:
            row = file.execute("SELECT at, body FROM answers WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            try:
                chunks = msgspec.msgpack.decode(row[1], type=list[Chunk])
            except msgspec.DecodeError:
                file.execute("DELETE FROM answers WHERE key = ?", (key,))
                return None
            self._guarded(functools.partial(file.execute, _MARK_USED, (key,)))
        from datetime import datetime

        when = datetime.fromtimestamp(row[0]).isoformat(" ", "minutes")
        return again(chunks, f"from the response cache, answered on {when}")

    def _put(self, key: bytes, body: bytes) -> None:
        import time

        with _transaction(self.path) as file:
            file.execute(_KEEP, (key, int(time.time()), len(body), body))
            while (excess := _bytes_in(file) - self._max_bytes) > 0:
                _forget(file, excess)


@contextmanager
def _transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """One piece of work on the file, which is the user's alone to read.

    It has a connection of its own, so that none is inherited by a forked child or kept to a file
    that another process has begun anew.
    """
    import os
    import sqlite3

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(PermissionError):  # what is read-only can still be read
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    file = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        # A rollback journal works on network file systems, WAL does not; what a power failure
        # damages is only a cache.
        file.execute("PRAGMA synchronous = OFF")
        if not file.execute("PRAGMA schema_version").fetchone()[0]:
            file.execute("PRAGMA auto_vacuum = FULL")
            file.executescript(_TABLE)
        file.execute("BEGIN IMMEDIATE" if os.access(path, os.W_OK) else "BEGIN")
        yield file
        file.execute("COMMIT")
    finally:
        file.close()


def _bytes_in(file: sqlite3.Connection) -> int:
    """The size the file will have when the transaction is done."""
    pages, free, size = (
        int(file.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _forget(file: sqlite3.Connection, excess: int) -> None:
    """Delete the least recently used answers, of at least `excess` bytes together."""
    keys: list[tuple[bytes]] = []
    for key, size in file.execute("SELECT key, size FROM answers ORDER BY used"):
        keys.append((key,))
        excess -= size
        if excess <= 0:
            break
    file.executemany("DELETE FROM answers WHERE key = ?", keys)


def _code(error: Exception) -> int:
    """The primary error code of SQLite, 0 for any other error."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_damaged(error: Exception) -> bool:
    return _code(error) in _DAMAGED
