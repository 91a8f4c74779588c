"""Where results go: stdout in a format, or a file whose suffix gives the format."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from aiex_ipy.errors import UnknownNameError, WorkspaceError, near_miss
from aiex_ipy.render.results import FORMATS, Format, render

_SUFFIXES: dict[str, Format] = {
    ".txt": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".json": "json",
}


def written(text: str, stream: TextIO) -> str:
    """Return `text` with what the stream's encoding cannot show replaced."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding, "replace")


def symbols_in(stream: TextIO) -> bool:
    """True where the stream can show symbols: its encoding is UTF-8."""
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "") == "utf8"


def target_of(output: str) -> tuple[Format, Path | None]:
    """Return the format and, for a file name, the file.

    Raises UnknownNameError, and WorkspaceError where no file can be made, so that nothing is
    asked, and paid for, in vain.
    """
    if output in FORMATS:
        return output, None
    if os.path.isdir(output):
        raise _not_writable(output, "it is a directory")
    suffix = os.path.splitext(output)[1].lower()
    if not suffix and os.sep not in output:
        raise UnknownNameError(
            f"{output!r} is neither a format nor a file name with a suffix.",
            hint=near_miss(output, FORMATS),
        )
    if suffix not in _SUFFIXES:
        raise UnknownNameError(
            f"The suffix {suffix!r} of {output!r} stands for no format.",
            hint=f"Use one of: {', '.join(_SUFFIXES)}.",
        )
    file = Path(output)
    if not os.access(file.parent, os.W_OK):
        there = "cannot be written to" if file.parent.is_dir() else "does not exist"
        raise _not_writable(output, f"its directory {there}")
    return _SUFFIXES[suffix], file


def _not_writable(name: str, why: str) -> WorkspaceError:
    return WorkspaceError(
        f"The result cannot be written to {name!r}: {why}.",
        code="not_writable",
        hint="Name a file in a directory you may write to.",
    )


def emit(result: Any, output: str) -> None:
    """Write the result where `output` says, and to stdout when that fails, so that none is lost."""
    format, file = target_of(output)
    if file is None:
        text = render(result, format, symbols=symbols_in(sys.stdout))
        sys.stdout.write(written(text, sys.stdout))
        return
    text = render(result, format)
    if format == "html":
        text = f'<!doctype html>\n<meta charset="utf-8">\n<title>aiex</title>\n{text}'
    temporary = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(file)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        sys.stdout.write(written(text, sys.stdout))
        raise _not_writable(str(file), f"{error.strerror}; it went to stdout") from error
    print(f"wrote {file}", file=sys.stderr)
