r"""Values of the user's variables in the text of a question: `{name}`, `{df.columns}`, `{In[3]}`.

A question is prose and pasted code, and code is full of braces. So only a group of this form is
taken: a name, then attributes and indices with a literal number or string, and nothing else
between the braces. It stays as it is

- inside an f-string, inside a string followed by `.format`, and between backticks;
- inside a fenced code block, unless it stands alone on its line;
- next to what makes it another language's brace: doubled (`{{x}}`, Jinja), after `$ # %`
  (templates), after a letter, a digit or one of `_ ^ ] > \` (LaTeX, indices, JSX), after a
  group that stayed;
- when its first name is no variable of the user's: then a notice says so.

`\{name}` gives `{name}`. Every other backslash stays. Text that came from a value is not
scanned again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

MAX_VALUE_CHARACTERS = 20_000
"""A value whose text is longer is cut, with a notice: a question is no place for a data set."""
SHOWN_NOTICES = 3

_PATH = r"""[^\W\d]\w*(?:\.[^\W\d]\w*|\[-?\d{1,9}\]|\["[^"\\\n]*"\]|\['[^'\\\n]*'\])*"""
_STEP = re.compile(
    r"\.(?P<attribute>\w+)|\[(?P<number>-?\d+)\]|\[(?P<quote>[\"'])(?P<key>.*?)(?P=quote)\]"
)
_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)\n?")
_ALONE = re.compile(rf"\s*(?P<escape>\\?)(?P<group>\{{(?P<path>{_PATH})\}})\s*")
_TOKEN = re.compile(
    rf"""
      (?<!\w)(?:(?:[fF][rR]?|[rR][fF])(?P<f_quote>\"{{3}}|'{{3}}|\"|')|[tT][rR]?(?P<t_quote>\"))
    | (?P<quote>\"{{3}}|'{{3}}|\"|')
    | (?P<ticks>`+)
    | (?<![\w^\]>\\$\#%{{])(?P<escape>\\?)(?P<group>\{{(?P<path>{_PATH})\}})(?!\}})
    """,
    re.VERBOSE,
)
_FORMAT = re.compile(r"\s*\.\s*format(?:_map)?\b")
_TICKS = re.compile("`+")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


class Interpolated(NamedTuple):
    """The text to send, and what the user should know of it, one line each."""

    text: str
    notices: tuple[str, ...]


def interpolate(text: str, names: Mapping[str, Any]) -> Interpolated:
    """Return `text` with each group replaced by `str` of the value it leads to in `names`.

    A group that cannot be followed (no such key, a property that raises) stays as it is, with a
    notice. Nothing of the user's is called but attribute and item access and `str`.
    """
    if "{" not in text:
        return Interpolated(text, ())
    scan = _Scan(names)
    for part, fenced in _blocks(text):
        (scan.code if fenced else scan.prose)(part)
    return Interpolated("".join(scan.out), scan.all_notices())


def _blocks(text: str) -> Iterator[tuple[str, bool]]:
    """Split into pieces outside and inside fenced code; a fence's own lines go with the outside.

    Source: CommonMark 0.31.2, section 4.5, fenced code blocks.
    """
    lines = text.splitlines(keepends=True)
    start, fence = 0, ""
    for number, line in enumerate(lines):
        match = _FENCE.fullmatch(line)
        if not fence:
            if match and not (match["fence"][0] == "`" and "`" in match["info"]):
                fence = match["fence"]
                yield "".join(lines[start : number + 1]), False
                start = number + 1
        elif match and match["fence"].startswith(fence) and not match["info"].strip():
            fence = ""
            yield "".join(lines[start:number]), True
            start = number
    yield "".join(lines[start:]), bool(fence)


class _Scan:
    """One pass over a text; `out` grows by pieces that are never looked at again."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = names
        self.out: list[str] = []
        self.notices: list[str] = []
        self.unknown: list[str] = []

    def code(self, text: str) -> None:
        """Scan the body of a fence: groups alone on their line."""
        for line in text.splitlines(keepends=True):
            match = _ALONE.fullmatch(line)
            if match:
                self.out.append(line[: match.start("escape")])
                self.group(match)
                self.out.append(line[match.end("group") :])
            else:
                self.out.append(line)

    def prose(self, text: str) -> None:
        """Scan text outside fences."""
        at = replaced = 0
        unclosed: dict[str, int] = {}
        while match := _TOKEN.search(text, at):
            self.out.append(text[at : match.start()])
            at = match.end()
            if match["group"]:
                start = match.start()
                if start and text[start - 1] == "}" and replaced != start:
                    self.out.append(match[0])
                elif self.group(match):
                    replaced = at
                continue
            opening = match[0]
            if unclosed.get(opening, 0) <= at:
                end, looked = _literal_end(text, match)
                if end:
                    at = end
                else:
                    unclosed[opening] = looked
            self.out.append(text[match.start() : at])
        self.out.append(text[at:])

    def group(self, match: re.Match[str]) -> bool:
        """Add what stands for one group: its value (then return True), or the group itself."""
        group, path = match["group"], match["path"]
        name = re.match(r"\w+", path)
        assert name is not None
        if name[0] not in self.names:
            self.out.append(match["escape"] + group)
            if not match["escape"]:
                self.unknown.append(group)
            return False
        if match["escape"]:
            self.out.append(group)
            return False
        self.out.append(self.value(group, path, name.end()))
        return True

    def value(self, group: str, path: str, after_name: int) -> str:
        try:
            value = self.names[path[:after_name]]
            for step in _STEP.finditer(path, after_name):
                if step["attribute"]:
                    value = getattr(value, step["attribute"])
                else:
                    value = value[int(step["number"]) if step["number"] else step["key"]]
            text = str(value)
        except Exception as error:
            self.notices.append(f"{group} stays as it is: {type(error).__name__}: {error}"[:300])
            return group
        if len(text) > MAX_VALUE_CHARACTERS:
            self.notices.append(
                f"{group} is cut to {MAX_VALUE_CHARACTERS} of its {len(text)} characters."
            )
            text = f"{text[:MAX_VALUE_CHARACTERS]} [… cut …]"
        return text

    def all_notices(self) -> tuple[str, ...]:
        notices = list(dict.fromkeys(self.notices))
        if names := list(dict.fromkeys(self.unknown)):
            more = len(names) - SHOWN_NOTICES
            shown = ", ".join(names[:SHOWN_NOTICES]) + (f" and {more} more" if more > 0 else "")
            notices.append(f"No such variable, sent as it stands: {shown}.")
        return tuple(notices)


def _literal_end(text: str, match: re.Match[str]) -> tuple[int, int]:
    """Where the literal ends that `match` opened, 0 if it does not or is none of those that are
    left alone; and up to where that is known."""
    at = match.end()
    if ticks := match["ticks"]:
        return _span_end(text, at, ticks)
    if quote := match["f_quote"] or match["t_quote"]:
        return _string_end(text, at, quote, nested=True)
    quote = match["quote"]
    end, looked = _string_end(text, at, quote, nested=False)
    if end and not _FORMAT.match(text, end):
        return 0, at
    return end, looked


def _span_end(text: str, at: int, ticks: str) -> tuple[int, int]:
    """Where the code span ends that opened before `at` with `ticks`.

    Source: CommonMark 0.31.2, section 6.1, code spans: closed by a run of the same length, within
    the paragraph.
    """
    blank = _BLANK_LINE.search(text, at)
    limit = blank.start() if blank else len(text)
    for run in _TICKS.finditer(text, at, limit):
        if run[0] == ticks:
            return run.end(), run.end()
    return 0, limit


def _string_end(text: str, at: int, quote: str, *, nested: bool) -> tuple[int, int]:
    """Where a string literal ends: on its line, if it is not tripled.

    `nested` True: quotes within braces do not end it. Source: PEP 701.
    """
    depth = 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif depth <= 0 and text.startswith(quote, at):
            return at + len(quote), at + len(quote)
        elif text[at] == "\n" and len(quote) == 1:
            break
        else:
            depth += {"{": 1, "}": -1}.get(text[at], 0) if nested else 0
            at += 1
    return 0, at
