"""Read a printed traceback: chains, groups, syntax errors, IPython's own form, and faulthandler's.

Source of the forms: CPython's `traceback.TracebackException.format` and `Python/traceback.c`,
IPython 9's `ultratb`.
"""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Sequence
from itertools import pairwise

from msgspec.structs import replace

from aiex_ipy.grounding.failure.frames import window
from aiex_ipy.grounding.failure.record import ErrorRecord, FrameRecord, Line, Relation
from aiex_ipy.grounding.failure.sources import Sources, library_of
from aiex_ipy.grounding.owners import is_users, shown_path

MOST_CHARACTERS = 400_000
"""Of a longer text the beginning and the end are read."""
MOST_FRAMES = 12
HEADER = "Traceback (most recent call last)"
CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_HEADER = re.compile(r"^\s*(?:Exception Group )?Traceback \(most recent call last\):?\s*$")
_IPYTHON_HEADER = re.compile(r"^\S+\s+Traceback \(most recent call last\)\s*$")
_FRAME = re.compile(r'^\s*File "(?P<file>[^"\n]+)", line (?P<line>\d+)(?:, in (?P<function>.+))?$')
_FATAL = re.compile(r"^Fatal Python error: (?P<message>.*)$")
_FATAL_STACK = re.compile(r"^(?:Current thread|Thread|Stack) .*\(most recent call first\):$")
_FATAL_FRAME = re.compile(r'^  File "(?P<file>[^"\n]+)", line (?P<line>\d+) in (?P<function>.+)$')
_CELL = re.compile(
    r"^(?:File )?(?P<file>Cell In\s?\[\d+\]|In\[\d+\]|<[^>]+>|(?:[A-Za-z]:)?[^\s:]+\.pyx?)"
    r"(?::(?P<line>\d+))?(?:, line (?P<cell>\d+))?(?:,? in (?P<function>[^\s(]+).*)?$"
)
_ARROW = re.compile(r"^-+>\s?(?P<line>\d+)\s?(?P<text>.*)$")
_NUMBERED = re.compile(r"^\s+(?P<line>\d+)\s(?P<text>.*)$")
_ERROR = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?::\s?(?P<message>.*))?$")
_REPEATED = re.compile(r"^\s*\[Previous line repeated (?P<times>\d+) more times?\]")
_SHORT = re.compile(r"^(?P<file>\S+\.py):(?P<line>\d+): in (?P<function>.+)$")
"""A frame as pytest prints it of a test that could not be imported."""
_SHORT_ERROR = re.compile(r"^E {3}(?=\S)")
_MEMBER = re.compile(r"^\s*\+-?\+?-{4,} (?P<number>\d+|\.\.\.) -{4,}$")
_ENDINGS = ("Error", "Exception", "Warning", "Group", "Exit", "Interrupt", "Iteration")
_PREFIX = re.compile(r"^\s*[|+]-?\s?")


def looks_printed(text: str) -> bool:
    """True for a text that holds a traceback as Python or IPython prints it."""
    if HEADER in text:
        return True
    lines = text.strip().splitlines()
    if any(_FATAL.match(each) for each in lines):
        return True
    if any(_SHORT.match(each) for each in lines):
        return any(_SHORT_ERROR.match(each) for each in lines)
    return any(_FRAME.match(each) for each in lines) and any(
        _ERROR.match(each) and each.partition(":")[0].endswith(("Error", "Exception", "Warning"))
        for each in lines
    )


def read(text: str, sources: Sources) -> tuple[ErrorRecord, ...]:
    """Return the errors of a printed traceback, the one to explain last; () when none is found."""
    if len(text) > MOST_CHARACTERS:
        half = MOST_CHARACTERS // 2
        text = text[:half] + "\n" + text[-half:]
    lines = _COLOURS.sub("", text).replace("\r\n", "\n").expandtabs(4).split("\n")
    fatal = next((n for n, each in enumerate(lines) if _FATAL.match(each)), None)
    if fatal is not None:
        return (_fatal(lines[fatal:], sources),)
    return tuple(_chain(lines, sources, 0))


def reports(text: str) -> list[str]:
    """Return the tracebacks that were printed one after the other, each with its chain."""
    found: list[list[str]] = []
    said = ""
    for line in _COLOURS.sub("", text).splitlines():
        if _HEADER.match(line) and not line[0].isspace() and said not in (CAUSE, CONTEXT):
            found.append([])
        if found:
            found[-1].append(line)
        said = line.strip() or said
    return ["\n".join(each) for each in found]


def of_process(text: str, sources: Sources) -> tuple[ErrorRecord, ...]:
    """Return the errors that another process printed, as the cause of one in this process; a note
    tells their place."""
    errors = read(text, sources)
    if not errors:
        return ()
    last = errors[-1]
    own = [each for each in last.frames if each.user] or list(last.frames)
    note = "raised in another process"
    if own:
        code = f": {own[-1].text}" if own[-1].text else ""
        note += f" at {own[-1].place}, line {own[-1].line}, in {own[-1].function}{code}"
    return (*errors[:-1], replace(last, relation="cause", notes=(*last.notes, note)))


def _fatal(lines: Sequence[str], sources: Sources) -> ErrorRecord:
    """What faulthandler prints when the interpreter itself is ended: the frames of the thread that
    was running, innermost first there."""
    first = _FATAL.match(lines[0])
    frames: list[FrameRecord] = []
    inside = False
    for line in lines[1:]:
        if place := _FATAL_FRAME.match(line):
            frames.append(_frame(place, (), sources))
            inside = True
        elif inside or (frames and _FATAL_STACK.match(line)):
            break  # the other threads follow
    return ErrorRecord(
        type="Fatal Python error",
        message=first["message"] if first is not None else "",
        frames=tuple(_fold(frames[::-1])),
    )


def _chain(lines: Sequence[str], sources: Sources, depth: int) -> list[ErrorRecord]:
    found: list[ErrorRecord] = []
    block: list[str] = []
    for line in [*lines, ""]:
        said = _PREFIX.sub("", line).strip() if depth == 0 else line.strip()
        relation: Relation = {CAUSE: "cause", CONTEXT: "context"}.get(said, "")  # type: ignore[assignment]
        if relation and not _inside_group(block):
            error = _error(block, sources, depth)
            if error is not None:
                found.append(replace(error, relation=relation))
            block = []
        else:
            block.append(line)
    error = _error(block, sources, depth)
    return found if error is None else [*found, error]


def _inside_group(block: Sequence[str]) -> bool:
    """True while the members of a group are open: a chain among them is theirs."""
    opened = any(_MEMBER.match(each) for each in block)
    closed = any(re.match(r"^\s*\+-{20,}$", each) for each in block)
    return opened and not closed


def _error(block: Sequence[str], sources: Sources, depth: int) -> ErrorRecord | None:
    start = next((n for n, each in enumerate(block) if _MEMBER.match(each)), len(block))
    own = [_PREFIX.sub("", each) if re.match(r"^\s*[|+]", each) else each for each in block[:start]]
    read = _read(own, sources)
    if not read.type:
        return None
    members: list[ErrorRecord] = []
    if depth < 4:
        for part in _members(block[start:]):
            members += [
                replace(e, relation="member") for e in _chain(part, sources, depth + 1)[-1:]
            ]
    return ErrorRecord(
        type=read.type.rpartition(".")[2],
        message=read.message.strip(),
        frames=tuple(_fold(read.frames)),
        members=tuple(members),
    )


def _members(lines: Sequence[str]) -> list[list[str]]:
    """The texts of a group's members, their frame of bars taken away."""
    if not lines:
        return []
    edge = len(lines[0]) - len(lines[0].lstrip()) + 2  # the first opens two before its bar
    following = re.compile(rf"^\s{{{edge}}}\+-{{4,}} (?:\d+|\.\.\.) -{{4,}}$")
    closing = re.compile(rf"^\s{{{edge}}}\+-{{20,}}$")
    found: list[list[str]] = []
    for line in lines:
        if not found or following.match(line):
            found.append([])
        elif closing.match(line):
            break
        elif found:
            found[-1].append(
                re.sub(rf"^\s{{0,{edge}}}\|\s?", "", line[: edge + 2]) + line[edge + 2 :]
            )
    return found


class _Reading:
    """One traceback as far as it has been read."""

    def __init__(self) -> None:
        self.frames: list[FrameRecord] = []
        self.type = ""
        self.message = ""

    def line(self, line: str) -> None:
        """Take a line that is no frame and none of a frame's."""
        error = None if line.startswith((" ", "-", "~")) else _ERROR.match(line)
        named = error is not None and _is_error(error["type"])
        if error is not None and (named or (self.frames and not self.type)):
            self.type, self.message = error["type"], error["message"] or ""
        elif self.type and line.strip():
            self.message = f"{self.message}\n{line}".rstrip()


def _read(lines: Sequence[str], sources: Sources) -> _Reading:
    """The frames of one traceback, and type and message of its error."""
    found = _Reading()
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if _HEADER.match(line) or _IPYTHON_HEADER.match(line):
            found = _Reading()
        elif times := _REPEATED.match(line):
            if found.frames:
                last = found.frames[-1]
                found.frames[-1] = replace(
                    last, repeated=int(times["times"]), repeating=(last.function,)
                )
        elif found.frames and _SHORT_ERROR.match(line):
            found.line(line[4:])
        elif (
            (place := _FRAME.match(line))
            or (place := _SHORT.match(line))
            or (place := _CELL.match(line))
        ):
            end = number
            while end < len(lines) and _belongs(lines[end]):
                end += 1
            found.frames.append(_frame(place, lines[number:end], sources))
            number = end
        else:
            found.line(line)
    return found


def _is_error(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last.endswith(
        ("Error", "Exception", "Warning", "Group", "Exit", "Interrupt", "Iteration")
    )


def _belongs(line: str) -> bool:
    """True for a line of source, caret or arrow below a frame's place."""
    if _FRAME.match(line) or _HEADER.match(line) or _REPEATED.match(line):
        return False
    return line.startswith("    ") or bool(_ARROW.match(line) or _NUMBERED.match(line))


def _frame(place: re.Match[str], below: Sequence[str], sources: Sources) -> FrameRecord:
    named = place.groupdict()
    number = named.get("line") or named.get("cell")
    shown: list[Line] = []
    plain: list[str] = []
    for each in below:
        if (arrow := _ARROW.match(each)) is not None:
            number = number or arrow["line"]
            shown.append(Line(number=int(arrow["line"]), text=arrow["text"]))
        elif (numbered := _NUMBERED.match(each)) is not None and place.re is _CELL:
            shown.append(Line(number=int(numbered["line"]), text=numbered["text"]))
        elif each.strip():
            plain.append(each)
    line = int(number or 0)
    if plain and not shown:
        shown = [Line(number=line, text=plain[0].strip())]
    file = place["file"]
    user = sources.is_users(file) if not file.startswith(("Cell ", "In[")) else True
    lines = _on_disk(file, line, shown)
    return FrameRecord(
        function=(named.get("function") or "<module>").strip(),
        place=_place(file, user, sources),
        line=line,
        user=user,
        lines=window(lines, line, inner=True) if lines else tuple(shown),
        expression=_marked(plain),
    )


def _place(file: str, user: bool, sources: Sources) -> str:
    cell = re.search(r"In\s?\[(\d+)\]", file)
    if cell:
        return f"In[{cell[1]}]"
    return shown_path(os.path.expanduser(file), sources.project_dir)


def _on_disk(file: str, line: int, shown: Sequence[Line]) -> list[str]:
    """The file's lines, when the printed line is still the one that stands there."""
    file = os.path.expanduser(file)
    if not file.endswith(".py") or not os.path.isabs(file) or not is_users(file):
        return []
    told = next((each.text.strip() for each in shown if each.number == line), "")
    lines = linecache.getlines(file)
    if not told or not 0 < line <= len(lines) or lines[line - 1].strip() != told:
        return []
    return lines


def _marked(plain: Sequence[str]) -> str:
    """The part of the printed line that the carets below it mark."""
    for text, marks in pairwise(plain):
        if marks.strip() and set(marks.strip()) <= set("^~"):
            start = len(marks) - len(marks.lstrip())
            return text[start : len(marks.rstrip())].strip()
    return ""


def _fold(frames: list[FrameRecord]) -> list[FrameRecord]:
    """The user's frames, the libraries' between them counted; the last ones where all are a
    library's."""
    if not any(each.user for each in frames):
        return frames[-3:]
    found: list[FrameRecord] = []
    left: list[FrameRecord] = []
    for frame in frames:
        if not frame.user:
            left.append(frame)
            continue
        names = dict.fromkeys(library_of(each.place) for each in left)
        found.append(replace(frame, folded=len(left), libraries=tuple(names)))
        left = []
    if len(found) > MOST_FRAMES:
        middle = found[4 : -MOST_FRAMES + 4]
        first = found[-MOST_FRAMES + 4]
        names = dict.fromkeys(each.function for each in middle)
        repeated = len(middle) + sum(each.repeated for each in middle)
        last = replace(first, repeated=repeated, repeating=tuple(names)[:6])
        found = [*found[:4], last, *found[-MOST_FRAMES + 5 :]]
    return found
