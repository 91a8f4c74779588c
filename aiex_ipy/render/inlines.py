"""The allowed inlines of a paragraph: checked links, images as words, formulas, text.

Text that a page's typesetter would still read as TeX becomes code, which typesetters skip.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, groupby
from typing import TYPE_CHECKING, NamedTuple

from aiex_ipy.render.address import web_address
from aiex_ipy.render.characters import plain
from aiex_ipy.render.maths import formula
from aiex_ipy.render.parser import DEEPEST, parser

if TYPE_CHECKING:
    from markdown_it.token import Token

References = tuple[tuple[str, str], ...]
"""The labels and addresses of a document's link reference definitions."""

LONGEST_PARAGRAPH = 50_000
"""Characters; a longer paragraph is shown without its marks, so that its time stays linear."""
LONGEST_REMEMBERED = 8192
SHOWN_URL = 120

_MARKS = {"em_open": "em", "strong_open": "strong", "s_open": "s"}
_BREAKS = {"softbreak": "newline", "hardbreak": "break"}
# MathJax reads these in the text of a page; two dollars enclose a formula for it.
_TEX = re.compile(r"\\(?:[()\[\]]|(?:begin|end|ref|eqref)(?![A-Za-z]))")
_WORD = re.compile(r"\S+")
_DOLLAR = re.compile(r"\$(?:[\w.,]*\w)?")
# Source: GitHub Flavored Markdown 0.29, 6.9 (extended autolinks), http and https.
_BARE_URL = re.compile(
    r"(?<![A-Za-z0-9])https?://(?:[^\s<>\"'`\[\](){}|\\^$*]|\([^\s<>\"'`\[\](){}|\\^$*]*\))+",
    re.IGNORECASE,
)


class Inline(NamedTuple):
    """A text, code, maths, break, newline, em, strong, s or link.

    `text` of text, code, maths; `url` of a link; `inside` of links, em, strong and s.

    `display` tells a formula on its own line from one within it.
    """

    kind: str
    text: str = ""
    url: str = ""
    inside: tuple[Inline, ...] = ()
    display: bool = False


def words(content: str, references: References) -> tuple[Inline, ...]:
    """Return the inlines of a paragraph's text; what was read before is remembered."""
    if "[" not in content:
        references = ()
    if len(content) > LONGEST_PARAGRAPH:
        lines = ((Inline("newline"), Inline("text", line)) for line in content.split("\n"))
        return _settled(chain.from_iterable(lines))[1:]
    if len(content) > LONGEST_REMEMBERED:
        return _parsed(content, references)
    return _remembered(content, references)


@lru_cache(maxsize=512)
def _remembered(content: str, references: References) -> tuple[Inline, ...]:
    return _parsed(content, references)


def _parsed(content: str, references: References) -> tuple[Inline, ...]:
    environment = {"references": {label: {"href": href, "title": ""} for label, href in references}}
    tokens = parser().inline_tokens(content, environment)
    return _settled(_inlines(_shallow(tokens)))


def _shallow(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield the tokens without what lies deeper than `DEEPEST` in emphasis."""
    opened: list[bool] = []
    for token in tokens:
        if token.nesting > 0:
            opened.append(len(opened) < DEEPEST)
        if token.nesting == 0 or opened[-1]:
            yield token
        if token.nesting < 0:
            opened.pop()


def _inlines(tokens: Iterator[Token], linked: bool = False) -> Iterator[Inline]:
    """Yield the inlines up to the end of the enclosing one; `linked` within a link."""
    for token in tokens:
        kind = token.type
        if token.nesting < 0:
            return
        if kind == "link_open":
            yield from _link(token, _settled(_inlines(tokens, True), True))
        elif token.nesting > 0:
            inside = _settled(_inlines(tokens, linked), linked)
            if inside and kind in _MARKS:
                yield Inline(_MARKS[kind], inside=inside)
            else:
                yield from inside
        elif kind in _BREAKS:
            yield Inline(_BREAKS[kind])
        elif kind == "code_inline":
            yield Inline("code", token.content)
        elif kind == "maths":
            yield _formula(token)
        elif kind == "image":
            yield from _image(token)
        else:
            yield Inline("text", plain(token.content).replace("\n", " "))


def _link(token: Token, inside: tuple[Inline, ...]) -> Iterator[Inline]:
    if url := web_address(str(token.attrGet("href") or "")):
        yield Inline("link", url=url, inside=inside or (Inline("text", url),))
    else:
        yield from inside


def _formula(token: Token) -> Inline:
    tex = formula(token.content)
    if tex is None:
        return Inline("code", token.markup + token.content.strip() + token.markup)
    # Splitters cut an environment out of a line unless `$$` encloses it.
    display = token.markup == "$$" or r"\begin" in tex or r"\\[" in tex
    return Inline("maths", tex, display=display)


def _image(token: Token) -> Iterator[Inline]:
    """Yield the words of an image that is never loaded: its alternative text and its address."""
    alternative = "".join(_alternative(token.children or ()))
    source = " ".join(plain(str(token.attrGet("src") or "")).split())
    if len(source) > SHOWN_URL:
        source = source[:SHOWN_URL] + "…"
    yield Inline("text", f"{alternative or 'image'} (" if source else alternative)
    if source:
        yield Inline("code", source)
        yield Inline("text", ")")


def _alternative(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.children:
            yield from _alternative(token.children)
        elif token.type in ("softbreak", "hardbreak"):
            yield " "
        else:
            yield plain(token.content).replace("\n", " ")


def _settled(inlines: Iterable[Inline], linked: bool = False) -> tuple[Inline, ...]:
    """Join what stands side by side; make links of bare addresses and code of stray TeX."""
    joined: list[Inline] = []
    filled = (i for i in inlines if i.text or i.kind not in ("text", "code"))
    for kind, same in groupby(filled, key=lambda i: i.kind):
        run = list(same)
        if kind in ("text", "code") and len(run) > 1:
            joined.append(Inline(kind, "".join(i.text for i in run)))
        elif kind in ("em", "strong", "s") and len(run) > 1:
            inside = chain.from_iterable(i.inside for i in run)
            joined.append(Inline(kind, inside=_settled(inside, linked)))
        elif kind == "maths":
            # Two formulas side by side would share a `$$`.
            joined += [part for i in run for part in (i, Inline("text", " "))][:-1]
        else:
            joined += run
    dollars = sum(i.text.count("$") for i in joined if i.kind == "text") > 1
    settled: list[Inline] = []
    for inline in joined:
        if inline.kind == "text" and (dollars or "\\" in inline.text or "://" in inline.text):
            settled += _parted(inline.text, dollars, linked)
        else:
            settled.append(inline)
    return tuple(settled) if len(settled) == len(joined) else _settled(settled, linked)


def _parted(text: str, dollars: bool, linked: bool) -> Iterator[Inline]:
    at = 0
    for start, end, inline in _found(text, dollars, linked):
        yield Inline("text", text[at:start])
        yield inline
        at = end
    yield Inline("text", text[at:])


def _found(text: str, dollars: bool, linked: bool) -> Iterator[tuple[int, int, Inline]]:
    for word in _WORD.finditer(text):
        if _TEX.search(word[0]):
            yield *word.span(), Inline("code", word[0])
            continue
        if "://" in word[0] and not linked:
            for bare in _BARE_URL.finditer(word[0]):
                shown = bare[0].rstrip(".,:;!?_~&")
                if url := web_address(shown):
                    start = word.start() + bare.start()
                    link = Inline("link", url=url, inside=(Inline("text", shown),))
                    yield start, start + len(shown), link
        elif dollars:
            for dollar in _DOLLAR.finditer(word[0]):
                start = word.start() + dollar.start()
                yield start, start + len(dollar[0]), Inline("code", dollar[0])
