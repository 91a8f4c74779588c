"""Bytes to text."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aiex_ipy.errors import WorkspaceError
from aiex_ipy.workspace.decoding import decode


@pytest.mark.parametrize(
    ("data", "encoding", "text"),
    [
        (b"x", "utf-8", "x"),
        ("é".encode(), "utf-8", "é"),
        (codecs.BOM_UTF8 + "é".encode(), "utf-8-sig", "é"),
        ("é".encode("utf-16"), "utf-16", "é"),
        ("é".encode("utf-32"), "utf-32", "é"),
        (b"# coding: latin-1\n\xe9", "latin-1", "# coding: latin-1\né"),
        (b"#!x\n# vim: set fileencoding=cp1252 :\n\x80", "cp1252", None),
        (b"\n# -*- coding: koi8-r -*-\n", "koi8-r", None),
        (b"x\n# coding: latin-1\n", "utf-8", None),
        (b"\n\n# coding: latin-1\n", "utf-8", None),
        (codecs.BOM_UTF8 + b"# coding: utf-8\n", "utf-8-sig", None),
    ],
)
def test_the_encoding_is_what_python_takes(data: bytes, encoding: str, text: str | None) -> None:
    """A byte order mark or a coding line in the first two lines counts, else UTF-8."""
    found = decode(data, path="a.py", language="python")
    assert found[1] == encoding
    assert text is None or found[0] == text


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"# coding: utf-9\n", "'a.py' names the encoding 'utf-9', which is not known."),
        (b"# coding: rot13\n", "'a.py' names the encoding 'rot13', which is not known."),
        (b"# coding: hex\n", "'a.py' names the encoding 'hex', which is not known."),
        (
            codecs.BOM_UTF8 + b"# coding: latin-1\n",
            "'a.py' begins with a UTF-8 mark and names the encoding 'latin-1'.",
        ),
        (b"a\n\xc3(", "'a.py' is no utf-8 text: byte 0xc3 at offset 2, line 2."),
        (b"# coding: ascii\n\xff", "'a.py' is no ascii text: byte 0xff at offset 16, line 2."),
        (codecs.BOM_UTF16_LE + b"a", "'a.py' is no utf-16 text: byte 0x61 at offset 2, line 1."),
    ],
)
def test_what_cannot_be_decoded_is_told_with_its_place(data: bytes, told: str) -> None:
    """The byte, its offset and its line, or the encoding that is none."""
    with pytest.raises(WorkspaceError) as caught:
        decode(data, path="a.py", language="python")
    assert caught.value.message == told
    assert caught.value.code == "encoding"


def test_a_coding_line_counts_in_python_only() -> None:
    """In a Markdown file it is a line like others."""
    with pytest.raises(WorkspaceError):
        decode(b"# coding: latin-1\n\xe9", path="a.md", language="markdown")


@pytest.mark.parametrize(
    ("data", "newline"),
    [
        (b"", "\n"),
        (b"a", "\n"),
        (b"a\nb\r\n", "\n"),
        (b"a\r\nb\r\nc\n", "\r\n"),
        (b"a\rb\r", "\r"),
    ],
)
def test_the_line_end_of_most_lines_is_remembered(data: bytes, newline: str) -> None:
    """So that a changed file can be written as it was."""
    text, _, found = decode(data, path="a.txt", language="text")
    assert found == newline
    assert "\r" not in text


@given(st.text(st.sampled_from("ab\n\r\f\v\x1c\x85\u2028é "), max_size=30))
def test_lines_are_counted_as_python_counts_them(text: str) -> None:
    """Line numbers of the decoded text are those of the compiler on the file."""
    import io
    import tokenize

    data = text.encode()
    decoded, _, _ = decode(data, path="a.py", language="python")
    with io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") as file:
        assert decoded == file.read()
    assert tokenize.detect_encoding(io.BytesIO(data).readline)[0] == "utf-8"


_WORDS = (b"#", b" coding: ", b"latin-1", b"cp1252", b"utf-8", b"utf_8", b"hex", b"no-such")
_BYTES = (codecs.BOM_UTF8, b"\xff", b"\x81", "é".encode(), b"x = 1", b"\n", b"\r", b"\f", b" ")
_PIECES = st.sampled_from((*_WORDS, *_BYTES))


@given(st.lists(_PIECES, max_size=8).map(b"".join))
def test_bytes_are_decoded_as_python_decodes_a_file(data: bytes) -> None:
    """What `tokenize` reads as source is read with the same text, and nothing else is.

    Left aside are coding lines that are no UTF-8 themselves: Python runs such files, `tokenize`
    does not read them.
    """
    import io
    import tokenize

    try:
        b"\n".join(data.split(b"\n", 2)[:2]).decode()
    except UnicodeDecodeError:
        assume(False)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        expected = io.TextIOWrapper(io.BytesIO(data), encoding).read()
    except (SyntaxError, LookupError, ValueError):
        with pytest.raises(WorkspaceError):
            decode(data, path="a.py", language="python")
    else:
        assert decode(data, path="a.py", language="python")[0] == expected
