"""markdown-it-py as CommonMark with tables, strikethrough and formulas; raw HTML off.

Source: CommonMark 0.31.2, GitHub Flavored Markdown 0.29, Pandoc's tex_math_dollars.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

# At this depth of quotes and lists the rest is shown as code: parsers differ on deeper nesting,
# and markdown-it-py drops what lies below its own limit. The other limits keep the worst text of
# 1 MB linear: brackets are tried once per level, short table rows are filled up by the parser.
DEEPEST = 24
DEEPEST_BRACKETS = 10
MOST_CELLS = 100_000


class Parser:
    """markdown-it-py with our rules for formulas, addresses left as they are written."""

    def __init__(self) -> None:
        # The parser's own limit on blocks lies above ours, so that nothing is dropped by it.
        self._blocks = _commonmark(DEEPEST + 8)
        self._blocks.block.ruler.before("table", "too_deep", _too_deep)
        interrupts = ["paragraph", "reference", "blockquote", "list"]
        self._blocks.block.ruler.before("fence", "maths", _maths_block, {"alt": interrupts})
        self._blocks.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
        self._spans = _commonmark(DEEPEST_BRACKETS)
        self._spans.inline.ruler.before("escape", "maths", _maths_inline)

    def block_tokens(self, text: str, environment: dict[str, Any]) -> list[Token]:
        tokens: list[Token] = []
        self._blocks.block.parse(text, self._blocks, environment, tokens)
        return tokens

    def inline_tokens(self, text: str, environment: dict[str, Any]) -> list[Token]:
        return self._spans.inline.parse(text, self._spans, environment, [])


def _commonmark(deepest: int) -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": deepest})
    parser.enable(["table", "strikethrough"])
    parser.disable(["html_block", "html_inline"])
    # Every address is taken as written; `web_address` decides on it when the tree is made.
    rules = {"validateLink": _accept, "normalizeLink": _same, "normalizeLinkText": _same}
    for name, rule in rules.items():
        setattr(parser, name, rule)
    return parser


@cache
def parser() -> Parser:
    """Return the one parser, made on first use."""
    return Parser()


def _accept(url: str) -> bool:
    return True


def _same(url: str) -> str:
    return url


def _too_deep(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.level < DEEPEST or silent:
        return False
    token = state.push("code_block", "code", 0)
    token.content = state.getLines(start, end, state.blkIndent, False)
    state.line = end
    return True


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    from markdown_it.rules_block import table

    before = len(state.tokens)
    if state.env.get("cells", 0) > MOST_CELLS or not table(state, start, end, silent):
        return False
    state.env["cells"] = state.env.get("cells", 0) + (len(state.tokens) - before) // 3
    return True


def _maths_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read `$$ … $$` on lines of its own; the closing `$$` ends a line."""
    first = _line(state, start)
    if not first.startswith("$$") or state.is_code_block(start):
        return False
    rest = first[2:].rstrip()
    if "$$" in rest:
        closing = start
        if not rest.endswith("$$") or rest.count("$$") > 1:
            return False
    else:
        closing = _closing(state, start + 1, end)
        if closing < 0:
            return False
    if not silent:
        lines = [_line(state, at) for at in range(start, closing + 1)]
        token = state.push("maths", "", 0)
        token.content = "\n".join(lines).rstrip()[2:-2]
        token.markup = "$$"
        state.line = closing + 1
    return True


def _closing(state: StateBlock, start: int, end: int) -> int:
    """Return the line that ends in `$$`, or -1; lines once searched in vain are skipped."""
    known_from, known_to = state.env.get("no_closing", (0, 0))
    at = known_to if known_from <= start <= known_to else start
    while at < end:
        if state.sCount[at] < state.blkIndent and not state.isEmpty(at):
            break
        if _line(state, at).rstrip().endswith("$$"):
            return at
        at += 1
    state.env["no_closing"] = (start, at)
    return -1


def _line(state: StateBlock, at: int) -> str:
    return state.src[state.bMarks[at] + state.tShift[at] : state.eMarks[at]]


def _maths_inline(state: StateInline, silent: bool) -> bool:
    """Read `$…$` and `$$…$$`.

    A single `$` opens before a non-blank and after no word character; the next one closes, when
    no blank or backslash is before it and no word character after it. So prices and shell
    variables are text. Source: Pandoc User's Guide, tex_math_dollars.
    """
    source, start, last = state.src, state.pos, state.posMax
    if source[start] != "$":
        return False
    mark = "$$" if source.startswith("$$", start) else "$"
    begin = start + len(mark)
    end = source.find(mark, begin, last)
    if end <= begin:
        return False
    after = end + len(mark)
    if mark == "$" and (
        source[begin].isspace()
        or source[end - 1].isspace()
        or source[end - 1] == "\\"
        or (start > 0 and source[start - 1].isalnum())
        or (after < last and source[after].isalnum())
    ):
        return False
    if not silent:
        token = state.push("maths", "", 0)
        token.content = source[begin:end]
        token.markup = mark
    state.pos = after
    return True
