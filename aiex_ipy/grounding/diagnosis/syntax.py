"""Code that does not parse: what is written wrong, and where."""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Iterator

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.diagnosis.edit import parsed
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.failure.moment import Moment
from aiex_ipy.grounding.fix import Source
from aiex_ipy.grounding.notebook import read_cell
from aiex_ipy.grounding.owners import is_users, shown_path

TYPOGRAPHIC = {
    "“": '"',
    "”": '"',
    "„": '"',
    "‘": "'",
    "’": "'",
    "–": "-",
    "—": "-",
    "−": "-",
    "\u00a0": " ",
    "\u200b": "",
    "\ufeff": "",
    "×": "*",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "，": ",",
    "（": "(",
    "）": ")",
    "：": ":",
}
"""Characters that text programs and web pages put in the place of Python's."""
OPENERS = re.compile(
    r"\s*(if|elif|else|for|while|def|class|try|except|finally|with|async|match|case)\b"
)


def unparsable(moment: Moment) -> Iterator[Diagnosis]:
    """A syntax error: its usual meaning, its place, the line mended where that is clear."""
    error = moment.error
    if not isinstance(error, SyntaxError) or type(error).__module__ != "builtins":
        return
    if type(error.msg) is not str or type(error.lineno) is not int:
        return
    source = _source(moment, error)
    lines = source.text.split("\n") if source is not None else []
    line = lines[error.lineno - 1] if 0 < error.lineno <= len(lines) else (error.text or "")
    place = source.path if source is not None else str(error.filename)
    cause, remedy, mended = _meaning(error, line, lines)
    fix = None
    if source is not None and mended is not None and error.lineno <= len(lines):
        at = error.lineno - 1
        fix = parsed(source, "\n".join([*lines[:at], *mended, *lines[at + 1 :]]), "syntax")
    yield Diagnosis(
        rule="syntax",
        certainty="certain",
        cause=f"{cause} ({place}, line {error.lineno}).",
        evidence=(f"{place}, line {error.lineno}: {line.strip()[:80]}",),
        remedy=remedy,
        fix=fix,
    )


def _source(moment: Moment, error: SyntaxError) -> Source | None:
    """The text that did not parse: a file of the user's, else the cell that failed last."""
    file = error.filename if type(error.filename) is str else ""
    if os.path.isabs(file) and is_users(file) and linecache_text(file):
        cells = [each for each in moment.cells[-1:] if not each.ok and _has(each, error)]
        if not cells or "ipykernel" not in file:
            return Source(
                path=shown_path(file, moment.project_dir), text=linecache_text(file), file=file
            )
    for each in reversed(moment.cells[-3:]):
        if not each.ok and _has(each, error):
            return Source(path=each.label, text=each.code, cell=each.number)
    return None


def linecache_text(file: str) -> str:
    """Return the text of a file of code as Python reads it."""
    return "".join(linecache.getlines(file))


def _has(cell: RanCell, error: SyntaxError) -> bool:
    lines = cell.code.split("\n")
    at = (error.lineno or 0) - 1
    wanted = (error.text or "").strip()
    if not 0 <= at < len(lines):
        return False
    ran = read_cell(cell.code).text.split("\n")
    return (
        not wanted or lines[at].strip() == wanted or (at < len(ran) and ran[at].strip() == wanted)
    )


Meaning = tuple[str, str, list[str] | None]


def _meaning(error: SyntaxError, line: str, lines: list[str]) -> Meaning:  # noqa: C901
    said = error.msg or ""
    at = max(0, (error.offset or 1) - 1)
    byte = re.search(
        r"'utf-8' codec can't decode byte (0x\w\w)|Non-UTF-8 code starting with '\\?(\S+)'", said
    )
    if byte is not None:
        return (
            f"The file is not in UTF-8, which Python reads source files in: byte "
            f"{byte[1] or byte[2]} is none of it",
            "Save the file in UTF-8, or name its encoding in its first line: "
            "# -*- coding: latin-1 -*-.",
            None,
        )
    odd = next((each for each in line if each in TYPOGRAPHIC and not _in_text(line, each)), None)
    if odd is not None and ("invalid" in said or "unterminated" in said or "non-printable" in said):
        mended = "".join(TYPOGRAPHIC.get(each, each) for each in line)
        name = f"U+{ord(odd):04X}"
        return (
            f"The character {odd!r} ({name}) is none of Python's: it came from a text or web page",
            f"Write {TYPOGRAPHIC[odd]!r}.",
            [mended],
        )
    if "expected ':'" in said:
        return "A colon is missing", "End the line with `:`.", [_with_colon(line, at)]
    if "Maybe you meant '==' or ':='" in said or (
        "cannot assign to" in said and "==" in said and re.match(r"\s*(if|elif|while)\b", line)
    ):
        return (
            "`=` assigns; a comparison is written `==`",
            "Write `==`.",
            [re.sub(r"(?<![=!<>:+\-*/%&|^])=(?!=)", "==", line, count=1)],
        )
    if "Missing parentheses in call to" in said:
        word = re.search(r"call to '(\w+)'", said)
        name = word[1] if word else "print"
        found = re.match(rf"(\s*){name}\s+(.*?)\s*$", line)
        return (
            f"{name} is a function and needs parentheses; only Python 2 had it without them",
            (f"Write {name}(…)."),
            [f"{found[1]}{name}({found[2]})"] if found else None,
        )
    if "was never closed" in said:
        sign = said[1:2]
        closing = {"(": ")", "[": "]", "{": "}"}.get(sign, "")
        mended = f"{line[:-1]}{closing}:" if line.rstrip().endswith(":") else f"{line}{closing}"
        return (
            f"The bracket {sign!r} is opened and never closed",
            f"Close it with {closing!r}.",
            [mended],
        )
    if "unmatched" in said or "does not match opening" in said:
        return (
            f"A closing bracket has no opening one of its kind: {said}",
            ("Take it out, or open it before."),
            None,
        )
    if "unterminated" in said and "string" in said:
        quote = line[at : at + 1]
        return (
            "A text is begun and not ended: its closing quote is missing",
            ("End it with the quote it began with. A quote inside needs a backslash."),
            ([line.rstrip() + quote] if quote in "'\"" and quote else None),
        )
    if isinstance(error, TabError) or "inconsistent use of tabs" in said:
        return (
            "Tabs and spaces are mixed in the indentation",
            "Use four spaces throughout.",
            [line.replace("\t", "    ")],
        )
    if "expected an indented block" in said:
        return (
            f"What follows {said.partition('after ')[2] or 'the colon'} is not indented",
            ("Indent it by four spaces, or write `pass`."),
            [f"    {line}"],
        )
    if "unindent does not match" in said or "unexpected indent" in said:
        before = next(
            (each for each in reversed(lines[: (error.lineno or 1) - 1]) if each.strip()), ""
        )
        indent = before[: len(before) - len(before.lstrip())]
        return (
            "The indentation of the line fits none above it",
            ("Indent it as the lines it belongs to."),
            [indent + line.lstrip()] if before else None,
        )
    if "outside" in said and ("await" in said or "async" in said):
        return (
            "`await` stands in a function that is not `async def`",
            ("Write `async def`, and await the call of the function."),
            None,
        )
    if "outside function" in said:
        return (
            f"{said[0].upper()}{said[1:]}",
            "Put it into a function: check the indentation.",
            None,
        )
    if "positional argument follows keyword argument" in said:
        return "An argument without a name follows one with a name", "Put it first.", None
    if "f-string" in said:
        return (
            f"The f-string is written wrong: {said.partition(': ')[2] or said}",
            ("Use other quotes inside than outside, and close each {."),
            None,
        )
    if "Perhaps you forgot a comma" in said:
        return "A comma is missing between two values", "Put a comma between them.", None
    if "leading zeros" in said:
        return "A number begins with 0", "Leave the zeros out, or write 0o for octal.", None
    if line.lstrip().startswith(("<<<<<<<", "=======", ">>>>>>>")):
        return "A merge of git left its marks", "Choose one side and take the marks out.", None
    if re.match(r"\s*(pip|conda|npm|git|cd|ls)\s", line):
        return "This is a command of the shell, not Python", f"Write `!{line.strip()}`.", None
    if re.match(r"\s*else\s+if\b", line):
        return "`else if` is written `elif`", "Write `elif`.", [re.sub(r"else\s+if", "elif", line)]
    if re.search(r"(\+\+|--)\s*$", line):
        return (
            "Python has no ++ and --",
            "Write += 1.",
            [re.sub(r"\s*\+\+\s*$", " += 1", re.sub(r"\s*--\s*$", " -= 1", line))],
        )
    if re.search(r"&&|\|\|", line):
        return (
            "`&&` and `||` are written `and` and `or`",
            "Write `and` or `or`.",
            [re.sub(r"\s*\|\|\s*", " or ", re.sub(r"\s*&&\s*", " and ", line))],
        )
    if OPENERS.match(line) and not line.rstrip().endswith(":") and "invalid syntax" in said:
        return "A colon is missing", "End the line with `:`.", [_with_colon(line, len(line))]
    return f"The code cannot be read: {said}", "Look at the marked place and just before it.", None


def _with_colon(line: str, at: int) -> str:
    code = line.rstrip()
    if "#" in code:
        head, mark, tail = code.partition("#")
        return f"{head.rstrip()}:  {mark}{tail}"
    return f"{code[:at]}:{code[at:]}" if at < len(code) and code[at:].strip() else f"{code}:"


def _in_text(line: str, sign: str) -> bool:
    """True if the character stands inside a text of plain quotes."""
    before = line.partition(sign)[0]
    return before.count('"') % 2 == 1 or before.count("'") % 2 == 1
