"""Text put into Markdown that every parser shows as it is."""

from __future__ import annotations

import re

from aiex_ipy.render.characters import plain

# Where parsers could see markup the character becomes an entity, which none of them takes for
# markup; a backslash would be read by those that cut out TeX (`\[`, `\(`) first.
_ENTITIES = {ord(c): f"&#{ord(c)};" for c in "[]`\\|${"} | {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord("*"): r"\*",
    ord("~"): r"\~",
}
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_LINE_START = re.compile(r"[#+\-=:]|\d{1,9}(?=[.)])")
# Addresses that parsers make links of; mistune takes what follows one, even a backquote, into it.
_AUTOLINK = re.compile(r"(?<=/)/|(?<=\bxmpp):|(?<=\bwww)\.|(?<=\w)@(?=\w)", re.IGNORECASE)


def escape(text: str) -> str:
    """Return Markdown that shows `text` as literal text on one line, wherever it is put.

    It opens no tag, link, image, emphasis, code, table cell, formula, list, heading, and no
    address in it becomes a link. Blanks and line ends become single spaces. Takes any str.
    """
    return literal_text(" ".join(plain(text).split()), line_start=True)


def literal_text(text: str, *, line_start: bool) -> str:
    """Return one line of `text` as Markdown that every parser shows as it is.

    `line_start` tells that it begins a line, where `#`, `-`, `1.` would begin a block.
    """
    written = text.translate(_ENTITIES)
    written = _UNDERSCORE.sub(r"\\_", written)
    written = _AUTOLINK.sub(lambda m: f"&#{ord(m[0])};", written)
    if written.endswith("!"):
        written = written[:-1] + "&#33;"  # before a link it would make an image
    if line_start and (match := _LINE_START.match(written)):
        at = match.end() if match[0][0].isdigit() else 0
        written = f"{written[:at]}\\{written[at:]}"
    return written
