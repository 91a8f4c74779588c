"""Where a cursor stands in unfinished code: after a dot, in a subscript's string, in a call …

One pass over the text's end finds strings, comments and brackets; code before it may be broken.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

WINDOW_CHARACTERS = 16_000
"""How much text before the cursor is looked at: about 400 lines, scanned in a millisecond."""
MOST_ENCLOSURES = 6
LONGEST_RECEIVER = 2_000

Kind = Literal["name", "attribute", "string", "subscript", "import", "from", "nothing"]

_MARK = re.compile(r"""[^'"#()\[\]{},]+|\"{3}|'{3}|.""")
_ENDS = {mark: re.compile(rf"(?:[^\\]|\\.)*?{mark}", re.DOTALL) for mark in ('"""', "'''")} | {
    mark: re.compile(rf"(?:[^\\\n{mark}]|\\.)*", re.DOTALL) for mark in ('"', "'")
}
_STRING_PREFIX = re.compile(r"(?<!\w)[rRbBuUfFtT]{1,2}\Z")
_KEYWORD_ARGUMENT = re.compile(r"\s*([^\W\d]\w*)\s*=(?!=)")
_IMPORT = re.compile(r"\s*import\s+(?:[\w.]+(?:\s+as\s+\w+)?\s*,\s*)*(?P<module>[\w.]*)\Z")
_FROM = re.compile(r"\s*from\s+(?P<module>\.*[\w.]*)\Z")
_FROM_IMPORT = re.compile(
    r"\s*from\s+(?P<module>\.*[\w.]*)\s+import\s+\(?(?:[\w\s,]*,\s*)?(?P<name>\w*)\Z"
)
_NEW_NAME = re.compile(r"\b(?:def|class|as|lambda|global|nonlocal|for)\s+\Z")


class Enclosure(NamedTuple):
    """A bracket that is open at the cursor. `head` is the source of what is called or indexed,
    `""` for a grouping or a display; `argument` is the source of the argument being typed,
    `keyword` its name if it has one; `given` are the arguments before it."""

    bracket: str
    head: str
    argument: str
    keyword: str
    given: tuple[str, ...]


class Place(NamedTuple):
    """What is being completed: `word` is what is typed of it, `start` its offset in the fragment.

    `receiver` is the source of the expression before the dot, or the module of an import; `quote`
    the quotation mark inside a string; `enclosures` the open brackets, innermost first; `code`
    the text that was looked at.
    """

    kind: Kind
    word: str = ""
    start: int = 0
    receiver: str = ""
    quote: str = ""
    enclosures: tuple[Enclosure, ...] = ()
    code: str = ""


class _Scan:
    """Brackets and strings of a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.opens: list[tuple[str, int, list[int]]] = []
        self.pairs: dict[int, int] = {}
        self.strings: dict[int, int] = {}
        self.unclosed: tuple[str, str, int, int] | None = None
        """Prefix and quote of the string at the cursor, where it starts, where its text does."""
        self.in_comment = False
        self._line_end = -1
        position, end = 0, len(text)
        while position < end:
            found = _MARK.match(text, position)
            assert found is not None
            mark, position = found[0], found.end()
            if mark[0] in "\"'":
                position = self._string(mark, found.start(), position)
            elif mark == "#":
                newline = text.find("\n", position)
                self.in_comment = newline < 0
                position = end if newline < 0 else newline
            elif mark in "([{":
                self.opens.append((mark, found.start(), []))
            elif mark in ")]}":
                if self.opens:
                    self.pairs[found.start()] = self.opens.pop()[1]
            elif mark == ",":
                if self.opens:
                    self.opens[-1][2].append(found.start())
            elif not self.opens:
                last = max(text.rfind(each, found.start(), position) for each in "\n;")
                self._line_end = max(self._line_end, last)

    @property
    def statement(self) -> int:
        """Where the statement at the end begins: after the last semicolon or line end outside
        brackets that no backslash takes back."""
        found = self._line_end
        while found > 0 and self.text[found - 1] == "\\":
            found = self.text.rfind("\n", 0, found)
        return found + 1

    def _string(self, quote: str, start: int, position: int) -> int:
        """Pass over a string; return where the text goes on."""
        text = self.text
        known = _STRING_PREFIX.search(text, max(0, start - 3), start)
        prefix, begin = (known[0].lower(), known.start()) if known else ("", start)
        found = _ENDS[quote].match(text, position)
        if len(quote) == 3:
            if found is None:
                self.unclosed = (prefix, quote, begin, position)
                return len(text)
            stop = found.end()
        else:
            assert found is not None
            if text[found.end() : found.end() + 1] != quote:
                if found.end() == len(text) or text[found.end()] == "\\":
                    self.unclosed = (prefix, quote, begin, position)
                    return len(text)
                return found.end()  # a line end in a string: broken code
            stop = found.end() + 1
        self.strings[stop] = begin
        return stop

    def primary(self, end: int) -> str:
        """Return the source of the expression that ends before `end`: names, calls, subscripts,
        strings joined by dots; `""` when there is none."""
        text = self.text
        position = end = len(text[:end].rstrip())
        while position > 0:
            last = text[position - 1]
            if position in self.strings:
                position = self.strings[position]
                break
            if last in ")]}" and position - 1 in self.pairs:
                position = self.pairs[position - 1]
                before = text[position - 1 : position]
                if last != "}" and (before.isalnum() or before in tuple("_)]") or before in "\"'"):
                    if before and before in "\"'" and position not in self.strings:
                        break
                    if before:
                        continue
                break
            start = word_start(text, position)
            if start == position or end - start > LONGEST_RECEIVER:
                break
            position = start
            dot = len(text[:position].rstrip())
            if not dot or text[dot - 1] != ".":
                break
            position = len(text[: dot - 1].rstrip())
        found = text[position:end].strip()
        return found if len(found) <= LONGEST_RECEIVER else ""

    def enclosures(self, end: int) -> tuple[Enclosure, ...]:
        """Return the open brackets before `end`, innermost first."""
        found = []
        for bracket, start, commas in self.opens[: -MOST_ENCLOSURES - 1 : -1]:
            edges = [start, *commas]
            pieces = [self.text[edge + 1 : stop] for edge, stop in zip(edges, commas, strict=False)]
            argument = self.text[edges[-1] + 1 : end]
            named = _KEYWORD_ARGUMENT.match(argument)
            before = self.text[start - 1 : start]
            heads = bool(before) and (before.isalnum() or before in "_)]\"'")
            head = self.primary(start) if heads and bracket != "{" else ""
            found.append(
                Enclosure(bracket, head, argument, named[1] if named else "", tuple(pieces))
            )
        return tuple(found)


def word_start(text: str, end: int) -> int:
    """Return where the word that ends at `end` begins; `end` when there is none."""
    while end and (text[end - 1].isalnum() or text[end - 1] == "_"):
        end -= 1
    return end


def place_of(fragment: str) -> Place:
    """Return where the end of `fragment` stands. Never raises; O(window)."""
    code = window(fragment)
    found = _place(code)
    return found._replace(start=found.start + len(fragment) - len(code))


def window(fragment: str) -> str:
    """Return the end of `fragment` that is looked at, whole lines where it has any."""
    offset = max(0, len(fragment) - WINDOW_CHARACTERS)
    if offset:
        newline = fragment.find("\n", offset)
        offset = newline + 1 if newline >= 0 else offset
    return fragment[offset:]


def open_marks(code: str) -> list[str]:
    """Return the brackets open at the end of `code`, and the quote if it ends in a string."""
    scan = _Scan(code)
    marks = [bracket for bracket, _, _ in scan.opens]
    return marks if scan.unclosed is None else [*marks, scan.unclosed[1]]


def _place(text: str) -> Place:
    scan = _Scan(text)
    if scan.in_comment:
        return Place("nothing", code=text)
    if scan.unclosed is not None:
        return _in_string(scan)
    statement = text[scan.statement :]
    if statement.lstrip()[:1] in ("%", "!"):
        return Place("nothing", code=text)
    found = _import(statement, text)
    if found is not None:
        return found
    start = word_start(text, len(text))
    typed = text[start:]
    before = text[:start].rstrip() if scan.opens else text[:start].rstrip(" \t")
    if before.endswith(".") and not before.endswith(".."):
        return _after_dot(scan, before, typed, start)
    if typed[:1].isdigit():
        return Place("nothing", code=text)
    if _NEW_NAME.search(text, max(scan.statement, start - 20), start):
        return Place("nothing", typed, start, code=text)
    enclosures = scan.enclosures(start)
    inside = enclosures[0] if enclosures else None
    if inside and inside.bracket == "[" and inside.head and not inside.argument.strip() + typed:
        return Place("subscript", "", start, inside.head, "", enclosures, text)
    return Place("name", typed, start, "", "", enclosures, text)


def _after_dot(scan: _Scan, before: str, typed: str, start: int) -> Place:
    number = word_start(before, len(before) - 1)
    if before[number].isdigit() and before[number - 1 : number] not in tuple("_)]."):
        return Place("nothing", code=scan.text)
    receiver = scan.primary(len(before) - 1)
    kind: Kind = "attribute" if receiver else "nothing"
    return Place(kind, typed, start, receiver, "", scan.enclosures(start), scan.text)


def _in_string(scan: _Scan) -> Place:
    assert scan.unclosed is not None
    prefix, quote, begin, start = scan.unclosed
    content = scan.text[start:]
    if "f" in prefix or "t" in prefix:
        inside = _replacement_field(content)
        if inside is not None:
            found = _place(content[inside:])
            return found._replace(start=found.start + start + inside, code=scan.text)
    if "b" in prefix or "\\" in content or "\n" in content:
        return Place("nothing", code=scan.text)
    return Place("string", content, start, "", quote, scan.enclosures(begin), scan.text)


def _replacement_field(content: str) -> int | None:
    """Where the expression of the open `{` of an f-string begins; None outside one, and after the
    colon of a format."""
    opened: int | None = None
    depth = position = 0
    while position < len(content):
        mark = content[position]
        if opened is None:
            if content.startswith("{{", position):
                position += 1
            elif mark == "{":
                opened, depth = position + 1, 0
        elif mark in "([{":
            depth += 1
        elif mark in ")]" or (mark == "}" and depth):
            depth -= 1
        elif mark == "}":
            opened = None
        elif mark == ":" and not depth:
            return None
        position += 1
    return opened


def _import(statement: str, text: str) -> Place | None:
    """The place in an import statement, or None."""
    head = statement.lstrip()[:7]
    if not head.startswith(("import ", "from ")):
        return None
    if found := _FROM_IMPORT.match(statement):
        return Place(
            "from", found["name"], len(text) - len(found["name"]), found["module"], code=text
        )
    if found := _IMPORT.match(statement) or _FROM.match(statement):
        module, _, word = found["module"].rpartition(".")
        return Place("import", word, len(text) - len(word), module, code=text)
    return Place("nothing", code=text)
