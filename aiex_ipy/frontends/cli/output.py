"""Where results go: stdout in a format, or a file whose suffix gives the format."""

from __future__ import annotations

import os
import sys
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
    """Return the format and, for a file name, the file. Raises UnknownNameError."""
    if output in FORMATS:
        return output, None
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
    return _SUFFIXES[suffix], Path(output)


def emit(result: Any, output: str) -> None:
    """Write the result where `output` says."""
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
        temporary.unlink(missing_ok=True)
        raise WorkspaceError(
            f"The result could not be written to {str(file)!r}: {error.strerror}.",
            code="not_writable",
            hint="Name a file in a directory you may write to.",
        ) from error
    print(f"wrote {file}", file=sys.stderr)
