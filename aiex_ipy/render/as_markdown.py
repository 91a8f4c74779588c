"""Allowed constructs written as Markdown that parsers agree on.

Text carries no character that could be markup (`literal_text`); the marks here are the ones
CommonMark, marked, mistune and the splitters that cut out TeX first read alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from aiex_ipy.render.allowed import Block
from aiex_ipy.render.inlines import Inline
from aiex_ipy.render.literal import literal_text

# JupyterLab cuts these out of code blocks in lists and quotes (it knows unindented fences only),
# up to the next blank line; nbconvert cuts `$$ … $$` and environments out of code spans.
# Source: JupyterLab 4.6 rendermime/latex.ts, nbconvert 7.17 filters/markdown_mistune.py.
_TEX_MARK = re.compile(r"\$|\\(?:begin|end)\{|\\\\[()\[\]]")
_SPLIT_SPAN = re.compile(r"(?<=\$)(?=\$)|(?<=`)(?=`)|(?<=\\)(?=(?:begin|end)\{|\\[()\[\]])")
# Brackets that pair up as in `list[int]` with nothing after them end no link's text.
_HARMLESS_IN_LINK = re.compile(r"[^\[\]<`]*(?:\[[^\[\]<`]*\](?![(\[:])[^\[\]<`]*)*")
_MARKUP = frozenset("<&[`")
_BACKQUOTES = re.compile("`+")
_CLOSING_HASHES = re.compile("#+$")
_QUOTED = re.compile(r"(?<!`)(``?)(?!`)(.*?[^`])\1(?!`)")
_MARK_PAIRS = {"em": ("*", "_"), "strong": ("**", "__"), "s": ("~~", "~~")}
_WORD_JOINER = "&#8288;"


def write(blocks: Iterable[Block]) -> str:
    """Return the blocks as Markdown ending in a newline; "" for none."""
    lines = _blocks(blocks, tight=False, quoted=False)
    return "\n".join(lines) + "\n" if lines else ""


def write_sentence(text: str, *, cell: bool) -> str:
    """Return one line of text, with code in backquotes, as Markdown for a line or a `cell`."""
    words: list[Inline] = []
    for at, part in enumerate(_QUOTED.split(text)):
        if at % 3 == 0 and part:
            words.append(Inline("text", part))
        elif at % 3 == 2:
            words.append(Inline("code", part))
    return _inlines(words, _Place(one_line=True, cell=cell), line_start=True)


def _blocks(blocks: Iterable[Block], *, tight: bool, quoted: bool) -> list[str]:
    lines: list[str] = []
    before = ""
    twin = False
    for block in blocks:
        # Two lists of a kind in a row need different markers, else they are one.
        twin = not twin if block.kind == before and block.kind.endswith("_list") else False
        written = _block(block, twin=twin, quoted=quoted)
        if lines and (not tight or block.kind == "paragraph"):
            lines.append("")
        lines += written
        before = block.kind
    return lines


def _block(block: Block, *, twin: bool, quoted: bool) -> list[str]:
    kind = block.kind
    if kind == "paragraph":
        return _inlines(block.words, _Place(), line_start=True).split("\n")
    if kind == "heading":
        words = _inlines(block.words, _Place(one_line=True))
        return [f"{'#' * block.level} {_CLOSING_HASHES.sub(_hashes, words)}".rstrip()]
    if kind == "code":
        return _code(block, quoted=quoted)
    if kind == "maths":
        return [f"$${block.text}$$"]
    if kind == "hr":
        return ["___"]
    if kind == "blockquote":
        inside = _blocks(block.inside, tight=False, quoted=True)
        return [f"> {line}" if line else ">" for line in inside]
    if kind == "table":
        return _table(block)
    return _list(block, twin=twin, quoted=quoted)


def _hashes(match: re.Match[str]) -> str:
    return "\\" + match[0]


def _code(block: Block, *, quoted: bool) -> list[str]:
    lines = block.text.split("\n")
    if quoted and _TEX_MARK.search(block.text):
        # No blank line ends a cut within a quote, so each line is a code span of its own.
        spans = [_code_span(line, _Place()) for line in lines if line.strip()]
        return [f"{span}  " for span in spans[:-1]] + spans[-1:]
    longest = max((len(run) for run in _BACKQUOTES.findall(block.text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence + block.language, *lines, fence]


def _table(block: Block) -> list[str]:
    rows = [row for part in block.inside for row in part.inside]
    lines = ["| " + " | ".join(_cell(cell) for cell in row.inside) + " |" for row in rows]
    marks = {"left": ":---", "center": ":---:", "right": "---:"}
    lines.insert(1, "|" + "|".join(marks.get(cell.align, "---") for cell in rows[0].inside) + "|")
    return lines


def _cell(cell: Block) -> str:
    return _inlines(cell.words, _Place(one_line=True, cell=True))


def _list(block: Block, *, twin: bool, quoted: bool) -> list[str]:
    tight = block.tight and not _needs_room(block)
    # `- - -` would be a rule and `-` below a line of text a heading; `+` is neither.
    bare = any(not item.inside or item.inside[0].kind.endswith("_list") for item in block.inside)
    bullet = "*" if twin else ("+" if bare else "-")
    lines: list[str] = []
    for number, item in enumerate(block.inside, block.start):
        marker = bullet
        if block.kind == "ordered_list":
            marker = f"{min(number, 999_999_999)}{')' if twin else '.'}"
        inside = _blocks(item.inside, tight=tight, quoted=quoted) or [""]
        indent = " " * (len(marker) + 1)
        if lines and not tight:
            lines.append("")
        lines.append(f"{marker} {inside[0]}".rstrip() if not inside[0] else f"{marker} {inside[0]}")
        lines += [indent + line if line else "" for line in inside[1:]]
    return lines


def _needs_room(block: Block) -> bool:
    """Tell whether something in a list wants blank lines around it, whatever the list says."""
    if block.kind in ("maths", "table"):
        return True
    if block.kind == "code":
        return _TEX_MARK.search(block.text) is not None
    return any(_needs_room(inside) for inside in block.inside)


# Inline ------------------------------------------------------------------------------------------


class _Place(NamedTuple):
    """Where inlines stand: on one line, in a table's cell, in a link, within which marks."""

    one_line: bool = False
    cell: bool = False
    link: bool = False
    within: tuple[str, ...] = ()


def _inlines(words: Sequence[Inline], place: _Place, *, line_start: bool = False) -> str:
    parts: list[str] = []
    for at, inline in enumerate(words):
        at_start = parts[-1].endswith("\n") if parts else line_start
        if inline.kind == "text":
            following = words[at + 1].kind if at + 1 < len(words) else "end"
            part = _text(inline.text, place, following, first=not parts, line_start=at_start)
        elif inline.kind == "code":
            part = _code_span(inline.text, place)
        elif inline.kind in ("newline", "break"):
            last = at + 1 == len(words)
            part = "" if last or not parts else _line_end(inline.kind, place)
            if not last and (words[at - 1].display or words[at + 1].display):
                part = " "  # on a line of its own it would be a block
        else:
            part = _enclosed(inline, place)
        if parts:
            part = _off_tilde(parts[-1], part)
        if part:
            parts.append(part)
    return "".join(parts)


def _text(text: str, place: _Place, following: str, *, first: bool, line_start: bool) -> str:
    if line_start or (first and not place.within):
        text = text.lstrip(" \t")
    if following in ("newline", "break") or (following == "end" and not place.within):
        text = text.rstrip(" \t")
    return literal_text(text, line_start=line_start)


def _line_end(kind: str, place: _Place) -> str:
    if place.one_line:
        return " "
    return "\n" if kind == "newline" else "  \n"


def _enclosed(inline: Inline, place: _Place) -> str:
    if inline.kind == "maths":
        mark = "$$" if inline.display else "$"
        tex = inline.text
        if place.cell:
            tex = tex.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        return f"{mark}{tex}{mark}"
    if inline.kind == "link":
        linked = place._replace(one_line=True, link=True)
        inside = _inlines(inline.inside, linked).strip(" ")
        url = inline.url.replace("&", "&amp;")
        return f"[{inside or literal_text(inline.url, line_start=False)}]({url})"
    mark = _MARK_PAIRS[inline.kind][place.within.count(inline.kind) % 2]
    deeper = place._replace(within=(*place.within, inline.kind))
    inside = _inlines(inline.inside, deeper).strip(" \t")
    return f"{mark}{_off_tilde(mark, inside)}{mark}" if inside else ""


def _off_tilde(before: str, after: str) -> str:
    """Keep a code span off a tilde: marked takes "~`" for text when the tilde strikes nothing."""
    return _WORD_JOINER + after if before.endswith("~") and after.startswith("`") else after


def _code_span(text: str, place: _Place) -> str:
    """Return `text` as a code span, in pieces where parsers differ on its end.

    The word joiner between two pieces is dropped when they are read again, which makes them one.
    """
    text = text.replace("\n", " ")
    apart = ""
    if place.link and not _HARMLESS_IN_LINK.fullmatch(text):
        apart += r"\[\]"
    if place.cell and "|" in text:
        # GFM wants `\|` in the code of a cell; parsers differ when more stands there.
        if r"\|" in text or not _MARKUP.isdisjoint(text):
            apart += "|"
        else:
            text = text.replace("|", r"\|")
    pieces = re.split(f"([{apart}])", text) if apart else [text]
    for at, piece in enumerate(pieces):
        if at % 2:
            pieces[at] = literal_text(piece, line_start=False)
        elif piece:
            pieces[at] = _WORD_JOINER.join(_span(part) for part in _SPLIT_SPAN.split(piece))
    return "".join(pieces)


def _span(text: str) -> str:
    mark = "``" if "`" in text else "`"
    blank = " " if text.startswith("`") or text.endswith("`") else ""
    if text.startswith(" ") and text.endswith(" ") and text.strip():
        blank = " "
    return f"{mark}{blank}{text}{blank}{mark}"
