"""How a child process writes what it has to tell: lines of JSON behind each other."""

from __future__ import annotations

import os

COUNTED: list[str | int] = []
"""Where failed tests were counted: what runs them leaves its own errors in `sys.last_value`."""


def write(path: str | int, line: bytes) -> None:
    """Append one line to a path or file descriptor."""
    if isinstance(path, int):
        os.write(path, line + b"\n")
        return
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line + b"\n")
    finally:
        os.close(handle)


def count(path: str | int) -> None:
    """Write that one more test failed."""
    COUNTED.append(path)
    write_quietly(path, b'{"type":"failed"}')


def write_quietly(path: str | int, line: bytes) -> None:
    """Append one line where that is possible."""
    try:
        write(path, line)
    except OSError:  # the parent is gone with its file
        return
