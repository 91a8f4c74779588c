"""Markdown that is redrawn while it grows."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from aiex_ipy.frontends.ipython.notebook import LEAST_SETTLED, GrowingMarkdown
from aiex_ipy.render.safe import safe_markdown

PARAGRAPH = "Some *words* with `code` and a [link](https://example.org). " * 5 + "\n\n"
CODE = "```python\n" + "x = 1\n\n" * 40 + "```\n\n"


def grown(text: str, size: int) -> str:
    growing = GrowingMarkdown()
    shown = ""
    for end in range(size, len(text) + size, size):
        shown = growing.markdown(text[:end])
    return shown


def test_a_long_answer_is_the_same_in_pieces() -> None:
    """Paragraphs and code blocks look the same whether read at once or settled bit by bit."""
    text = "# Title\n\n" + (PARAGRAPH * 6 + CODE) * 4
    assert grown(text, 700).split() == safe_markdown(text).split()


def test_what_is_settled_is_not_read_again() -> None:
    """A redraw reads about the newest kilobyte, however long the answer is."""
    growing = GrowingMarkdown()
    text = PARAGRAPH * 200
    for end in range(500, len(text), 500):
        growing.markdown(text[:end])
    assert len(text) - growing._upto < LEAST_SETTLED + len(PARAGRAPH) + 500


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["<script>alert(1)</script>", "\n\n", "![x](http://e.vil/)", "```\n"])
    ),
    st.integers(5, 40),
)
def test_pieces_are_as_safe_as_the_whole(pieces: list[str], size: int) -> None:
    """However a text is cut, a reader that lets all markup through shows none of the model's."""
    text = (PARAGRAPH * 4).join(pieces)
    shown = MarkdownIt("commonmark", {"html": True}).render(grown(text, size * 100))
    assert "<script" not in shown and "<img" not in shown
