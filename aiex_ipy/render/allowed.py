"""A model's Markdown as a tree of allowed constructs, from which every form is written anew.

What the tree can hold is listed in `Block` and `Inline`; nothing else leaves this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from aiex_ipy.render.characters import plain
from aiex_ipy.render.inlines import Inline, References, words
from aiex_ipy.render.maths import formula
from aiex_ipy.render.parser import parser

if TYPE_CHECKING:
    from markdown_it.token import Token

_CONTAINERS = frozenset(("blockquote", "table", "thead", "tbody"))
# Front ends run these instead of showing them (diagrams and maps may load images).
_ACTIVE = frozenset(
    ("mermaid", "math", "geojson", "topojson", "stl", "plantuml", "graphviz", "vega", "vega-lite")
)
_LANGUAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+#._-]{0,31}(?![^\s,{:])")
_TASK = re.compile(r"\[([ xX])\](?=\s)")


class Block(NamedTuple):
    """A paragraph, heading, bullet_list, ordered_list, list_item, blockquote, code, hr, maths,
    table, thead, tbody, tr, th or td.

    `text` of code and maths, `language` of code, `level` of a heading, `start` of an ordered list,
    `tight` of a list and of the paragraphs in it, `align` ("", left, center, right) of a cell;
    `words` of paragraphs, headings, cells; `inside` of the others.
    """

    kind: str
    text: str = ""
    language: str = ""
    level: int = 0
    start: int = 1
    tight: bool = True
    align: str = ""
    words: tuple[Inline, ...] = ()
    inside: tuple[Block, ...] = ()


def read(markdown: str) -> tuple[Block, ...]:
    """Return the allowed constructs of any str, in its order.

    Inline text parsed before is remembered, so that a growing answer parses only its last
    paragraph again.
    """
    environment: dict[str, Any] = {}
    tokens = parser().block_tokens(plain(markdown), environment)
    references = tuple(
        (label, reference["href"]) for label, reference in environment.get("references", {}).items()
    )
    return tuple(_blocks(iter(tokens), references))


def _blocks(tokens: Iterator[Token], references: References) -> Iterator[Block]:
    """Yield the blocks up to the end of the enclosing one."""
    for token in tokens:
        if token.nesting < 0:
            return
        if token.nesting == 0:
            if (block := _leaf(token)) is not None:
                yield block
            continue
        kind = token.type.removesuffix("_open")
        if kind in ("paragraph", "heading", "th", "td"):
            inlines = words(next(tokens).content, references)
            next(tokens)
            if kind == "paragraph" and len(inlines) == 1 and inlines[0].display:
                yield Block("maths", text=inlines[0].text)
            elif inlines or kind in ("th", "td"):
                yield _worded(kind, token, inlines)
            continue
        yield from _container(kind, token, tuple(_blocks(tokens, references)))


def _worded(kind: str, token: Token, inlines: tuple[Inline, ...]) -> Block:
    align = str(token.attrGet("style") or "").removeprefix("text-align:")
    level = int(token.tag[1]) if kind == "heading" else 0
    return Block(kind, words=inlines, level=level, align=align, tight=token.hidden)


def _container(kind: str, token: Token, inside: tuple[Block, ...]) -> Iterator[Block]:
    if kind == "list_item":
        yield Block(kind, inside=_task(inside))
    elif kind in ("bullet_list", "ordered_list"):
        start = token.attrGet("start")
        tight = all(b.tight for item in inside for b in item.inside if b.kind == "paragraph")
        yield Block(kind, start=1 if start is None else int(start), tight=tight, inside=inside)
    elif kind == "tr":
        # A row may be short; the parser fills it up to the width of the head.
        filled = max((n for n, cell in enumerate(inside, 1) if cell.words), default=1)
        yield Block(kind, inside=inside if inside[0].kind == "th" else inside[:filled])
    elif inside and kind in _CONTAINERS:
        yield Block(kind, inside=inside)


def _leaf(token: Token) -> Block | None:
    if token.type == "hr":
        return Block("hr")
    if token.type == "maths":
        tex = formula(token.content)
        if tex is not None:
            return Block("maths", text=tex)
        return Block("code", text=token.content.strip("\n"), language="latex")
    if token.type in ("fence", "code_block"):
        word = _LANGUAGE.match(token.info.strip())
        language = word[0] if word and word[0].lower() not in _ACTIVE else ""
        return Block("code", text=token.content.removesuffix("\n"), language=language)
    return None


def _task(inside: tuple[Block, ...]) -> tuple[Block, ...]:
    """Write the box of a task as a character: a check box of HTML is a form control."""
    if inside and inside[0].kind == "paragraph" and inside[0].words[0].kind == "text":
        first, *rest = inside[0].words
        if match := _TASK.match(first.text):
            box = "\u2610" if match[1] == " " else "\u2611"
            text = first._replace(text=box + first.text[match.end() :])
            return (inside[0]._replace(words=(text, *rest)), *inside[1:])
    return inside
