"""A model's answer as the text that continues code at a cursor."""

from __future__ import annotations

import re

from aiex_ipy.grounding.completing.place import open_marks, window

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(?P<code>.*?)(?:^[ \t]*\1|\Z)", re.DOTALL | re.M)
_BLOCK = re.compile(
    r"\s*(?:async\s+)?(?:def|class|if|elif|else|for|while|with|try|except|finally|match|case)\b|\s*@"
)
_GOES_ON = re.compile(r"(?:else|elif|except|finally|case)\b")
MOST_LINES_COMPARED = 40


def continuation(answer: str, fragment: str, suffix: str = "") -> str:
    """Return what of `answer` is to be inserted between `fragment` and `suffix`.

    Fences go and their content stays; words repeated from before or after the cursor go. Where
    the line goes on behind the cursor it is one line; after the head of a block the block; else
    the rest of the statement.
    """
    before = window(fragment)
    text = _unfenced(_THOUGHT.sub("", answer))
    text = _without_repeated(text, before)
    line = before.rpartition("\n")[2]
    if suffix.partition("\n")[0].strip():
        text = _without_suffix(text.lstrip("\n").partition("\n")[0], suffix)
    elif _BLOCK.match(line):
        text = _block(text, len(line) - len(line.lstrip()), line)
    elif not line.strip():
        text = _lines_from(text, line)
    else:
        text = _statement(text, before)
    return text.rstrip()


def _unfenced(text: str) -> str:
    fenced = _FENCE.search(text)
    if fenced is not None:
        return fenced["code"].removesuffix("\n")
    bare = text.strip()
    if len(bare) > 2 and bare[0] == bare[-1] == "`" and "`" not in bare[1:-1]:
        return bare[1:-1]
    return text


def _without_repeated(text: str, before: str) -> str:
    """`text` without what it repeats from before the cursor, the longest repetition first."""
    lines = before.split("\n")[-MOST_LINES_COMPARED:]
    bare = text.lstrip()
    for count in range(len(lines), 0, -1):
        tail = "\n".join(lines[-count:])
        if not tail.strip():
            continue
        if text.startswith(tail):
            return text[len(tail) :]
        if bare.startswith(tail.lstrip()):
            return bare[len(tail.lstrip()) :]
        # A model writes no blanks at a line's end.
        if tail != tail.rstrip() and bare.startswith(tail.strip()):
            return bare[len(tail.strip()) :].lstrip(" ")
    line = lines[-1]
    word = re.search(r"[\w.]*\Z", line)
    for typed in (word[0], word[0].rpartition(".")[2]) if word else ():
        if typed and bare.startswith(typed):
            return bare[len(typed) :]
    if line and not line.strip():
        return text[len(line) :] if text.startswith(line) else text.lstrip(" \t")
    return bare if line.endswith((" ", ".", "(", "[")) or (word and word[0]) else text


def _without_suffix(text: str, suffix: str) -> str:
    """`text` without the end that stands behind the cursor already."""
    rest = suffix.partition("\n")[0].rstrip()
    for size in range(min(len(rest), len(text)), 0, -1):
        if text.endswith(rest[:size]) and (size == len(rest) or not rest[:size].isalnum()):
            return text[:-size]
    return text


def _block(text: str, indent: int, head: str) -> str:
    """The rest of a block's head and the lines below that stand deeper than it."""
    first, *rest = text.split("\n")
    kept = [first]
    for line in rest:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            goes_on = _GOES_ON.match(line.lstrip()) and not re.match(r"\s*(?:def|class)", head)
            if not (goes_on or line.lstrip()[:1] in ")]}"):
                break
        kept.append(line)
    return "\n".join(kept)


def _lines_from(text: str, indentation: str) -> str:
    """Statements at the indentation of the cursor, up to a blank line or the block's end."""
    first, *rest = text.strip("\n").split("\n")
    kept = [first.removeprefix(indentation)]
    deep = len(indentation)
    for line in rest:
        if not line.strip() and not (deep or _BLOCK.match(kept[0])):
            break
        if line.strip() and len(line) - len(line.lstrip()) < deep:
            break
        kept.append(line)
    return "\n".join(kept)


def _statement(text: str, before: str) -> str:
    """The rest of the statement at the cursor: its line, and more while brackets are open."""
    start = before.rfind("\n\n") + 1
    kept = ""
    for line in text.split("\n"):
        kept = f"{kept}\n{line}" if kept else line
        if kept.strip() and not open_marks(before[start:] + kept):
            break
    return kept
