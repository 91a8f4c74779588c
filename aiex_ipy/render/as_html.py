"""Allowed constructs written as an HTML fragment."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from aiex_ipy.render.allowed import Block
from aiex_ipy.render.inlines import Inline

TAGS: dict[str, tuple[str, ...]] = {
    "a": ("href", "rel"),
    "blockquote": (),
    "br": (),
    "code": ("class",),
    "em": (),
    **{f"h{level}": () for level in range(1, 7)},
    "hr": (),
    "li": (),
    "ol": ("start",),
    "p": (),
    "pre": (),
    "s": (),
    "strong": (),
    "table": (),
    "tbody": (),
    "td": ("style",),
    "th": ("style",),
    "thead": (),
    "tr": (),
    "ul": (),
}
"""Every tag this module writes, with its attributes.

`href` is http, https or mailto; `rel` is "noopener noreferrer"; `class` is one `language-…`;
`style` is one `text-align`; `start` is a number.
"""


def write(blocks: Iterable[Block]) -> str:
    """Return the blocks as HTML, each on a line of its own; "" for none."""
    return "".join(f"{_block(block)}\n" for block in blocks)


def _block(block: Block) -> str:
    kind = block.kind
    if kind == "hr":
        return "<hr>"
    if kind == "maths":
        return f"<p>$${escape(block.text)}$$</p>"
    if kind == "code":
        language = f' class="language-{escape(block.language)}"' if block.language else ""
        end = "\n" if block.text else ""
        return f"<pre><code{language}>{escape(block.text)}{end}</code></pre>"
    if kind == "heading":
        return f"<h{block.level}>{_inlines(block.words)}</h{block.level}>"
    if kind == "paragraph":
        return f"<p>{_inlines(block.words)}</p>"
    if kind in ("td", "th"):
        align = f' style="text-align:{block.align}"' if block.align else ""
        return f"<{kind}{align}>{_inlines(block.words)}</{kind}>"
    if kind in ("bullet_list", "ordered_list"):
        items = "".join(f"{_item(item, block.tight)}\n" for item in block.inside)
        if kind == "bullet_list":
            return f"<ul>\n{items}</ul>"
        start = f' start="{block.start}"' if block.start != 1 else ""
        return f"<ol{start}>\n{items}</ol>"
    return f"<{kind}>\n{write(block.inside)}</{kind}>"


def _item(item: Block, tight: bool) -> str:
    parts = [
        _inlines(inside.words) if tight and inside.kind == "paragraph" else _block(inside)
        for inside in item.inside
    ]
    lines = "\n".join(parts)
    return f"<li>{lines}</li>"


def _inlines(words: Iterable[Inline]) -> str:
    return "".join(_inline(inline) for inline in words)


def _inline(inline: Inline) -> str:
    kind = inline.kind
    if kind == "text":
        return escape(inline.text)
    if kind == "code":
        return f"<code>{escape(inline.text)}</code>"
    if kind == "maths":
        mark = "$$" if inline.display else "$"
        return f"{mark}{escape(inline.text)}{mark}"
    if kind == "newline":
        return "\n"
    if kind == "break":
        return "<br>\n"
    inside = _inlines(inline.inside)
    if kind == "link":
        return f'<a href="{escape(inline.url)}" rel="noopener noreferrer">{inside}</a>'
    return f"<{kind}>{inside}</{kind}>"
