"""Model text made safe to show: in a terminal, as Markdown, as HTML.

A model's answer is data that anybody may have steered, through a file, a web page or a package
name it was shown. It never reaches a terminal or a notebook as it came.
"""

from __future__ import annotations

from aiex_ipy.render.characters import plain
from aiex_ipy.render.literal import escape

__all__ = ["escape", "plain", "safe_markdown", "sentence", "to_html"]


def safe_markdown(text: str) -> str:
    r"""Return a model's Markdown written anew from allowed constructs only.

    Kept: paragraphs, headings, emphasis, code, lists, quotes, tables, rules, breaks, formulas of
    allowed macros, links to http, https and mailto. Raw HTML is shown as text, an image as its
    words and its address, a refused link as its words. Other parsers (marked, mistune,
    markdown-it) see the same constructs, and so does a pass that cuts out TeX before them. Any
    str, at any point of a stream, in linear time; a second pass changes nothing that shows.
    Ends in a newline unless empty.
    """
    from aiex_ipy.render.allowed import read
    from aiex_ipy.render.as_markdown import write

    return write(read(text))


def sentence(text: str, *, cell: bool = False) -> str:
    """Return one line of ours as Markdown: what stands in backquotes is code, the rest literal.

    As safe as `escape` for any str, also where names of the user's or a model's stand in it. In a
    table's `cell` a bar in code needs a backslash, which would show anywhere else.
    """
    from aiex_ipy.render.as_markdown import write_sentence

    return write_sentence(" ".join(plain(text).split()), cell=cell)


def to_html(markdown: str) -> str:
    """Return Markdown, ours or a model's, as an HTML fragment of allowed tags and attributes.

    The same reduction as `safe_markdown`; the tags and attributes are `as_html.TAGS`.
    """
    from aiex_ipy.render.allowed import read
    from aiex_ipy.render.as_html import write

    return write(read(markdown))
