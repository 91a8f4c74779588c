"""Bytes of a file to text: which encoding, which line ends, or why it is no text."""

from __future__ import annotations

import codecs
import re

from aiex_ipy.errors import WorkspaceError

# Source: PEP 263, "Defining the Encoding", and the Python reference, 2.1.4.
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK = re.compile(rb"^[ \t\f]*(?:#.*)?$")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def decode(data: bytes, *, path: str, language: str) -> tuple[str, str, str]:
    """Return text with `\\n` line ends, the encoding's name, and the line end of the file.

    The line end is the one most lines have, `\\n` when there is none. The encoding is UTF-8, or
    what a byte order mark or, in Python, the coding line says. Raises WorkspaceError with code
    `binary` or `encoding`, the latter with the offset of the byte in question.
    """
    encoding = _encoding(data, path=path, language=language)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise WorkspaceError(
            f"{path!r} is no {encoding} text: byte {data[error.start]:#04x} at offset "
            f"{error.start}, line {line}.",
            code="encoding",
            hint="Save the file as UTF-8, or name its encoding in a coding line if it is Python.",
            path=path,
            offset=error.start,
            line=line,
        ) from None
    except (LookupError, ValueError):
        raise WorkspaceError(
            f"{path!r} names the encoding {encoding!r}, which is not known.",
            code="encoding",
            hint="Correct the coding line, or save the file as UTF-8 and remove the line.",
            path=path,
        ) from None
    newline = "\n"
    if "\r" in text:
        crlf = text.count("\r\n")
        ends = {"\n": text.count("\n") - crlf, "\r\n": crlf, "\r": text.count("\r") - crlf}
        newline = max(ends, key=lambda end: ends[end])
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, encoding, newline


def _encoding(data: bytes, *, path: str, language: str) -> str:
    if data.startswith(_UTF32):
        return "utf-32"
    if data.startswith(_UTF16):
        return "utf-16"
    if b"\0" in data:
        raise WorkspaceError(
            f"{path!r} is a binary file: it has a NUL byte at offset {data.index(0)}.",
            code="binary",
            hint="Name a text file.",
            path=path,
            offset=data.index(0),
        )
    marked = data.startswith(codecs.BOM_UTF8)
    named = _cookie(data) if language == "python" else None
    if marked and named and named.lower().replace("_", "-") not in ("utf-8", "utf8", "utf-8-sig"):
        raise WorkspaceError(
            f"{path!r} begins with a UTF-8 mark and names the encoding {named!r}.",
            code="encoding",
            hint="Remove one of the two.",
            path=path,
        )
    return "utf-8-sig" if marked else named or "utf-8"


def _cookie(data: bytes) -> str | None:
    # Only a line feed ends a line here, as for `tokenize.detect_encoding`.
    for line in data.removeprefix(codecs.BOM_UTF8).split(b"\n", 2)[:2]:
        found = _COOKIE.match(line)
        if found:
            return found[1].decode("ascii", "replace")
        if not _BLANK.match(line):
            return None
    return None
