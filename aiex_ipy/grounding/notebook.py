"""Notebooks and IPython cells as Python: one module of all cells, magics made harmless.

Every line keeps its number, so a finding is told by cell and line. IPython itself is not
needed (and not imported): what it would run as a magic, a shell command or a help request
becomes a bare `0`, a cell of another language becomes blank lines.

Source: the nbformat 4 and 3 JSON schemas; IPython 9, `IPython.core.inputtransformer2`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any

import msgspec

from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.python import dedent

# Cell magics whose body runs in the notebook's own namespace.
_PYTHON_BODIES = frozenset({"time", "timeit", "capture", "prun", "memit", "mprun", "lprun"})
# Cell magics whose body is no Python and makes no name.
_FOREIGN_BODIES = frozenset(
    {"bash", "sh", "cmd", "script", "perl", "ruby", "html", "HTML", "svg", "SVG", "latex"}
    | {"javascript", "js", "markdown", "writefile", "file"}
)
# Line magics that bring in names nobody can see in the notebook.
_NAME_BRINGERS = frozenset({"run", "pylab", "load", "loadpy", "store", "macro", "rerun", "recall"})

_LIVE_NAMES = re.compile(
    r"get_ipython|display|In|Out|exit|quit|_{1,3}|_i{1,3}|_ih|_oh|_dh|_\d+|_i\d+|__vsc_\w+"
)
_WORD = re.compile(r"[^\W\d]\w*")
_PROMPT = re.compile(r"\s*(?:>>>|In \[\d+\]:)(?: |$)")
_ANY_PROMPT = re.compile(r"\s*(?:>>>|\.\.\.+:?|In \[\d+\]:)(?: |$)")
# What ends or opens something while one logical line is read.
_TOKEN = re.compile(r"#[^\n]*|'''|\"\"\"|'|\"|[()\[\]{}]|\\\n|\n|=+")
_ESCAPES = frozenset("%!?,;/")


class Cells:
    """Python text made of cells. `words` are the names that stand in magics: used there, or
    made there; `made` those of them that may be made there; `opaque` is True when a magic brings
    in names that cannot be seen.

    `parts` holds the code of each cell, `starts` its first line in `text`, `numbers` its 1-based
    position among all cells of the notebook (Markdown cells count); all empty for a live cell.
    `found` are all cells as they stand in the file.
    """

    __slots__ = (
        *("found", "language", "made", "numbers", "opaque", "parts", "starts", "text", "words"),
    )

    def __init__(self) -> None:
        self.text = ""
        self.language = "python"
        self.parts: list[str] = []
        self.starts: list[int] = []
        self.numbers: list[int] = []
        self.words: set[str] = set()
        self.made: set[str] = set()
        self.opaque = False
        self.found: list[Any] = []

    def place(self, line: int) -> tuple[int, int]:
        """Return the cell number and the line in that cell for a line of `text`."""
        at = max(bisect_right(self.starts, line) - 1, 0)
        return self.numbers[at], line - self.starts[at] + 1

    def last_line(self, number: int) -> int:
        """Return the number of the last line of cell `number`."""
        return self.parts[self.numbers.index(number)].count("\n") + 1

    def known(self, name: str) -> bool:
        """True for names a running notebook has although no cell assigns them."""
        return self.opaque or name in self.made or _LIVE_NAMES.fullmatch(name) is not None


def read_notebook(subject: Subject) -> Cells:
    """Return the code cells of a notebook given as JSON text.

    Raises:
        UsageError: the text is not JSON, or JSON without cells.
    """
    try:
        data = msgspec.json.decode(subject.text.removeprefix("\ufeff").encode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError) as error:
        reason = str(error) if isinstance(error, msgspec.DecodeError) else "nested too deeply"
        raise _unreadable(subject, reason) from None
    found = _cells_of(data)
    if found is None:
        raise _unreadable(subject, "it has no list of cells")
    cells = Cells()
    cells.found = found
    cells.language = _language(data)
    if cells.language != "python":
        return cells
    line = 1
    for number, cell in enumerate(found, 1):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", cell.get("input", ""))
        if isinstance(source, list):
            source = "".join(part for part in source if isinstance(part, str))
        if not isinstance(source, str):
            raise _unreadable(subject, f"the source of cell {number} is not text")
        text = _plain_python(dedent(_newlines(source)), cells)
        cells.starts.append(line)
        cells.numbers.append(number)
        cells.parts.append(text)
        line += text.count("\n") + 1
    cells.text = "\n".join(cells.parts)
    return cells


def read_cell(text: str) -> Cells:
    """Return one live cell as Python."""
    cells = Cells()
    cells.text = _plain_python(dedent(_newlines(text)), cells)
    return cells


def _unreadable(subject: Subject, reason: str) -> UsageError:
    return UsageError(
        f"The notebook {subject.path!r} cannot be read: {reason}.",
        code="notebook",
        hint="Open it in Jupyter and save it again, or name another file.",
    )


def _cells_of(data: Any) -> list[Any] | None:
    if not isinstance(data, dict):
        return None
    cells = data.get("cells")
    if isinstance(cells, list):
        return cells
    sheets = data.get("worksheets")  # nbformat 3
    if isinstance(sheets, list):
        return [c for s in sheets if isinstance(s, dict) for c in s.get("cells") or ()]
    return None


def _language(data: dict[str, Any]) -> str:
    """Return the kernel's language in lower case; `python` when the notebook does not say."""
    metadata = data.get("metadata")
    if isinstance(metadata, dict):
        for part, key in (("language_info", "name"), ("kernelspec", "language")):
            section = metadata.get(part)
            if isinstance(section, dict) and isinstance(section.get(key), str) and section[key]:
                name = str(section[key]).lower()
                return "python" if name in ("ipython", "python3") else name
    return "python"


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _plain_python(text: str, cells: Cells) -> str:
    """Return `text` with as many lines, as Python would see it without IPython."""
    start = len(text) - len(text.lstrip())
    if text.startswith("%%", start):
        return _cell_magic(text, cells)
    if _PROMPT.match(text, start):
        text = "\n".join(_ANY_PROMPT.sub("", line, count=1) for line in text.split("\n"))
    out: list[str] = []
    at = 0
    while at < len(text):
        indent = at
        while text[indent : indent + 1] in (" ", "\t", "\f"):
            indent += 1
        if text[indent : indent + 1] in _ESCAPES and text[indent : indent + 1]:
            end = _end_of_command(text, indent)
            out.append(_harmless(text, at, indent, end, "0", cells))
        else:
            end, assigned, helped = _logical_line(text, indent)
            if assigned >= 0:
                end = _end_of_command(text, assigned)
                out.append(_harmless(text, at, assigned + 1, end, " ...", cells))
            elif helped:
                out.append(_harmless(text, at, indent, end, "0", cells))
            else:
                out.append(text[at:end])
        at = end
    return "".join(out)


def _cell_magic(text: str, cells: Cells) -> str:
    start = len(text) - len(text.lstrip())
    first, _, body = text[start:].partition("\n")
    name = _WORD.match(first, 2)
    blank = "\n" * text.count("\n", 0, start)
    if name is not None and name[0] in _PYTHON_BODIES:
        cells.words.update(_WORD.findall(first))
        cells.made.update(_WORD.findall(first))
        return f"{blank}0\n{_plain_python(body, cells)}"
    cells.words.update(_WORD.findall(text))
    foreign = name is not None and name[0] in _FOREIGN_BODIES
    cells.made.update(_WORD.findall(first if foreign else text))
    return "\n" * text.count("\n")


def _harmless(text: str, at: int, keep: int, end: int, instead: str, cells: Cells) -> str:
    """Return `text[at:keep]`, `instead`, and the line ends of what is taken out."""
    taken = text[keep:end]
    words = _WORD.findall(taken)
    cells.words.update(words)
    if not taken.lstrip().startswith("!"):
        cells.made.update(words)
    if taken.lstrip().startswith("%") and words and words[0] in _NAME_BRINGERS:
        cells.opaque = True
    return text[at:keep] + instead + "\n" * taken.count("\n")


def _end_of_command(text: str, at: int) -> int:
    """Return the offset behind the line end of a command; a backslash carries it on."""
    while True:
        end = text.find("\n", at)
        if end < 0:
            return len(text)
        if text[end - 1] != "\\":
            return end + 1
        at = end + 1


def _logical_line(text: str, at: int) -> tuple[int, int, bool]:
    """Read one logical line of Python from `at`.

    Returns the offset behind its line end, the offset of an `=` before a magic or shell command
    (or -1), and whether it ends in `?`.
    """
    depth = 0
    last = ""  # the last character that is neither blank nor comment
    while True:
        token = _TOKEN.search(text, at)
        between = text[at : len(text) if token is None else token.start()].rstrip()
        last = between[-1:] or last
        if token is None:
            return len(text), -1, last == "?"
        found = token[0]
        at = token.end()
        if found == "\n":
            if depth == 0:
                return at, -1, last == "?"
        elif found[0] == "=":
            if depth == 0 and found == "=" and _before_command(text, token.start()):
                return at, token.start(), False
            last = "="
        elif found[0] in "'\"":
            at = _end_of_string(text, at, found)
            last = found
        elif found[0] not in "#\\":
            depth = max(depth + (1 if found in "([{" else -1), 0)
            last = found


def _before_command(text: str, at: int) -> bool:
    """True when the `=` at offset `at` assigns what a magic or shell command gives."""
    follows = text[at + 1 : at + 40].lstrip(" \t")[:1]
    return follows in ("!", "%") and text[at - 1] not in "!<>:+-*/%&|^@"


def _end_of_string(text: str, at: int, quote: str) -> int:
    """Return the offset behind a string; one on a single line ends with it in any case."""
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text.startswith(quote, at):
            return at + len(quote)
        elif text[at] == "\n" and len(quote) == 1:
            return at
        else:
            at += 1
    return len(text)
