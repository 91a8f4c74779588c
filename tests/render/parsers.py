"""Real Markdown parsers with raw HTML on, and a check of what they let through."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser

ALLOWED = {
    "a": {"href", "rel"},
    **{f"h{level}": set() for level in range(1, 7)},
    **{
        tag: set()
        for tag in [
            "blockquote",
            "br",
            "em",
            "hr",
            "li",
            "p",
            "pre",
            "s",
            "del",
            "strong",
            "table",
            "tbody",
            "thead",
            "tr",
            "ul",
        ]
    },
    "code": {"class"},
    "ol": {"start"},
    "td": {"style", "align"},
    "th": {"style", "align"},
}
HREF = re.compile(r"(?:https?://[a-z0-9_]|mailto:[^\s@]+@)", re.IGNORECASE)
VALUES = {
    "rel": re.compile("noopener noreferrer"),
    "class": re.compile(r"language-[A-Za-z0-9+#._-]+"),
    "start": re.compile(r"\d+"),
    "align": re.compile("left|right|center"),
    "style": re.compile("text-align: ?(?:left|right|center);?"),
}


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED:
            self.found.append(f"<{tag}>")
            return
        for name, value in attrs:
            if name not in ALLOWED[tag]:
                self.found.append(f"<{tag} {name}>")
            elif name == "href":
                if not HREF.match(value or "") or re.search(r"[\x00-\x20<>\"`]", value or ""):
                    self.found.append(f"<{tag} {name}={value!r}>")
            elif not VALUES[name].fullmatch(value or ""):
                self.found.append(f"<{tag} {name}={value!r}>")

    def handle_comment(self, data: str) -> None:
        self.found.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"<?{data}>")

    def unknown_decl(self, data: str) -> None:
        self.found.append(f"<![{data}]>")


def outside(html: str) -> list[str]:
    """Return every element, attribute and address in `html` that is not allowed."""
    parser = _Elements()
    parser.feed(html)
    parser.close()
    return parser.found


@cache
def parsers() -> dict[str, Callable[[str], str]]:
    """Return renderers to HTML by name; each passes raw HTML through."""
    import mistune
    from markdown_it import MarkdownIt
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Bare(IPythonRenderer):
        """nbconvert's renderer without the anchors and colours it adds by itself."""

        def heading(self, text: str, level: int, **attrs: object) -> str:
            return mistune.HTMLRenderer.heading(self, text, level)

        def block_code(self, code: str, info: str | None = None) -> str:
            return mistune.HTMLRenderer.block_code(self, code, info)

    attached = {"x.png": {"image/png": "AAAA"}}
    gfm = mistune.create_markdown(
        escape=False, plugins=["strikethrough", "table", "url", "task_lists", "footnotes", "math"]
    )
    return {
        "commonmark": MarkdownIt("commonmark").render,
        "gfm-like": MarkdownIt("default", {"html": True}).render,
        "mistune": mistune.create_markdown(escape=False),
        "mistune-gfm": lambda text: re.sub('<(div|span) class="math">', "", str(gfm(text))),
        "nbconvert": lambda text: MarkdownWithMath(
            renderer=Bare(escape=False, attachments=attached)
        ).render(text),
    }
