"""A model's answer cannot act: no payload leaves the renderer as anything but allowed markup."""

from __future__ import annotations

import re
import subprocess
import sys
from difflib import unified_diff
from html.parser import HTMLParser
from importlib.metadata import metadata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsers import outside, parsers
from payloads import ALL, GLUE, HTML, IMAGES, LINKS, STRUCTURE

from aiex_ipy.render.as_html import TAGS
from aiex_ipy.render.safe import safe_markdown, to_html


def let_through(text: str) -> dict[str, list[str]]:
    """Return what is not allowed in the HTML of `text`, by who made the HTML."""
    markdown = safe_markdown(text)
    html = {name: render(markdown) for name, render in parsers().items()}
    html["to_html"] = to_html(text)
    html["to_html of safe_markdown"] = to_html(markdown)
    return {name: found for name, made in html.items() if (found := outside(made))}


@pytest.mark.parametrize("payload", ALL, ids=range(len(ALL)))
def test_no_payload_becomes_markup_in_any_parser(payload: str) -> None:
    """`to_html`, and five parsers with raw HTML on, make allowed elements only of the output."""
    assert let_through(payload) == {}
    assert let_through(f"text {payload} text\n\n- item\n  {payload}\n> {payload}") == {}


def test_the_check_sees_what_the_parsers_would_let_through() -> None:
    """Unsafe text fails the check in every parser, so a pass of the other tests means something."""
    assert len(ALL) > 200
    for name, render in parsers().items():
        caught = sum(bool(outside(render(payload))) for payload in HTML + LINKS + IMAGES)
        assert caught > 80, name


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(ALL) | st.sampled_from(GLUE), min_size=2, max_size=10))
def test_no_mixture_of_payloads_becomes_markup(parts: list[str]) -> None:
    """Payloads cut into each other by fences, quotes, tables and TeX stay harmless too."""
    assert let_through("".join(parts)) == {}


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(ALL) | st.sampled_from(GLUE), min_size=2, max_size=5))
def test_every_prefix_of_a_stream_is_harmless(parts: list[str]) -> None:
    """An answer is shown 10-20 times a second while it grows; no moment of it is unsafe."""
    text = "".join(parts)
    step = max(1, len(text) // 25)
    for end in range(0, len(text), step):
        assert let_through(text[:end]) == {}


def test_no_code_span_touches_a_tilde() -> None:
    """marked (JupyterLab) reads "~`" as text, and what was code after it as markup."""
    assert safe_markdown("~~`a`~~") == "~~&#8288;`a`~~\n"
    assert safe_markdown("~~a~~`b`\n\\~`c`") == "~~a~~&#8288;`b`\n\\~&#8288;`c`\n"


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(ALL) | st.sampled_from(GLUE) | st.text(), max_size=8))
def test_a_second_pass_changes_nothing_that_shows(parts: list[str]) -> None:
    """Safe Markdown can be stored, read again and rendered again."""
    once = safe_markdown("".join(parts))
    assert to_html(safe_markdown(once)) == to_html(once)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_str_renders(text: str) -> None:
    """Surrogates, controls, unassigned characters: every str gives encodable, harmless output."""
    assert let_through(text) == {}
    safe_markdown(text).encode()


def test_html_is_shown_as_its_source() -> None:
    """A tag in an answer is read as the model wrote it, not dropped and not run."""
    html = to_html("Use <b onclick=x>bold</b> & <br>.")
    assert html == "<p>Use &lt;b onclick=x&gt;bold&lt;/b&gt; &amp; &lt;br&gt;.</p>\n"


def test_images_become_words_and_an_address() -> None:
    """An image says what it is and where, and nothing is fetched."""
    assert (
        safe_markdown("![a *plot*](https://x.example/p.png?q=1)")
        == "a plot (`https://x.example/p.png?q=1`)\n"
    )
    assert safe_markdown("![](x.png)") == "image (`x.png`)\n"
    long = safe_markdown(f"![x](data:image/png;base64,{'A' * 10_000})")
    assert len(long) < 200


def test_links_keep_their_words() -> None:
    """An allowed link stays a link with `rel`, a refused one leaves its words."""
    assert to_html("[a](https://x.example/?a=1&b=(2))") == (
        '<p><a href="https://x.example/?a=1&amp;b=%282%29" rel="noopener noreferrer">a</a></p>\n'
    )
    assert to_html("[a](javascript:alert(1)) [b](/local)") == "<p>a b</p>\n"
    assert to_html("see https://x.example/a_b.") == (
        '<p>see <a href="https://x.example/a_b" rel="noopener noreferrer">'
        "https://x.example/a_b</a>.</p>\n"
    )
    assert 'href="mailto:a@x.example"' in to_html("<a@x.example>")


def test_code_keeps_every_character() -> None:
    """Code is the reason people ask: fences, spans and languages survive, whatever is inside."""
    code = "def f():\n\n    return `x` < \"$y\" & '```' | {'\\(': 1}"
    html = to_html(safe_markdown(f"````python title=x\n{code}\n````"))
    assert html.startswith('<pre><code class="language-python">')
    assert _words(html) == code + "\n"
    for span in ("a|b", "`", "a``b", "$$", "\\begin{x}", "<T>", " x ", "\\"):
        fence = "```" if "``" in span else "``"
        markdown = safe_markdown(f"x {fence} {span} {fence} y")
        assert _words(to_html(markdown)) == f"x {span} y", span


def test_an_unfinished_fence_is_closed() -> None:
    """While code streams in it is shown as code."""
    assert safe_markdown("Look:\n```python\nx = 1") == "Look:\n\n```python\nx = 1\n```\n"


def test_formulas_stay_and_macros_that_act_do_not() -> None:
    """Maths is typeset; `\\href` and its like are shown as source."""
    assert safe_markdown(r"Let $x_1 < \frac{a}{b}$.") == "Let $x_1 \\lt \\frac{a}{b}$.\n"
    assert safe_markdown("$$\n\\begin{cases} 1 \\\\ 2 \\end{cases}\n$$") == (
        "$$\\begin{cases} 1 \\\\ 2 \\end{cases}$$\n"
    )
    assert safe_markdown(r"$\href{javascript:alert(1)}{x}$") == (
        "`$\\href{javascript:alert(1)}{x}$`\n"
    )
    assert safe_markdown("It costs $5 today.") == "It costs &#36;5 today.\n"


def test_benign_markdown_renders_as_before() -> None:
    """Every ordinary construct gives the HTML that the CommonMark parser gives."""
    from markdown_it import MarkdownIt

    plain = MarkdownIt("commonmark", {"xhtmlOut": False}).enable(["table", "strikethrough"])
    for form in (safe_markdown, str):
        ours = to_html(form(BENIGN)).replace(' rel="noopener noreferrer"', "")
        theirs, ours = (_without_blanks(html) for html in (plain.render(BENIGN), ours))
        assert list(unified_diff(theirs, ours, lineterm="", n=0)) == []


@pytest.mark.parametrize("name", ["openai", "markdown-it-py", "ruff", "rich"])
def test_a_real_readme_keeps_its_words_and_structure(name: str) -> None:
    """The README of a package says the same in the same blocks after the renderer."""
    from markdown_it import MarkdownIt

    readme = str(metadata(name).get_payload())
    readme = re.sub(r"\[?!\[[^\]]*\](\([^)]*\)|\[[^\]]*\])(\]\([^)]*\))?", "", readme)
    plain = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    assert _shape(plain.render(safe_markdown(readme))) == _shape(plain.render(readme))
    assert re.sub("</?p>|\\s", "", to_html(safe_markdown(readme))) == re.sub(
        "</?p>|\\s", "", to_html(readme)
    )


def test_only_listed_tags_are_written() -> None:
    """The list of tags is what the renderer writes, all of it and no more."""
    found: set[str] = set()
    for text in (*ALL, BENIGN):
        found.update(re.findall(r"<([a-z0-9]+)", to_html(text)))
    assert found <= set(TAGS)
    assert set(TAGS) - found <= {"h3", "h4", "h5", "h6"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        ">" * 10_000 + " deep",
        "[" * 10_000,
        "![" * 5_000 + "x" + "](y)" * 5_000,
        "*a **b " * 3_000 + "b** a*" * 3_000,
        "\n".join("  " * depth + "- deep" for depth in range(400)),
        "| a " * 2_000 + "|\n" + "|-" * 2_000 + "|\n" + "| deep\n" * 20,
        "$ $$ \\( `" * 3_000,
        "x" * 200_000,
    ],
    ids=["quotes", "brackets", "images", "emphasis", "lists", "table", "tex", "word"],
)
def test_deep_and_long_text_is_bounded(text: str) -> None:
    """Nesting made to exhaust a parser neither crashes nor loses the words."""
    markdown = safe_markdown(text)
    assert len(markdown) < 12 * len(text) + 1000
    assert ("deep" in markdown) == ("deep" in text)
    assert outside(to_html(text)) == []


def test_plain_and_escape_load_no_parser() -> None:
    """The command line's text output does not pay for a Markdown parser."""
    code = (
        "import sys; from aiex_ipy.render.safe import plain, escape; escape(plain('x'));"
        "print({'markdown_it', 'html.parser', 'urllib.parse'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "set()\n"


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("a", "p"):
            self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _read(html: str) -> _Text:
    read = _Text()
    read.feed(html)
    read.close()
    return read


def _words(html: str) -> str:
    return "".join(_read(html).text).removesuffix("\n")


def _without_blanks(html: str) -> list[str]:
    """Return the tags and texts without what only lays out the source."""
    html = html.replace("&#x27;", "'")
    return re.split(r"(?<=>)\s*(?=<)|(?<=>)\s+|\s+(?=</)", html)


def _shape(html: str) -> tuple[list[str], str]:
    read = _read(html)
    return read.tags, "".join("".join(read.text).split())


BENIGN = """\
# Title with `code` and *emphasis*

Second title
------------

A paragraph with **strong**, *em*, ***both***, ~~struck~~, `code`, snake_case_name, __dunder__,
2 * 3 * 4, 5 < 6 & 7 > 3, "quotes", it's, a [link](https://x.example/path?a=1&b=2), x[0], {k: v},
C#, #hash, 100%, a | b, ~approx, a^b, 10. ten, -5, +5, e.g. [this], arrows -> and =>, ellipsis…
line two with a hard break\\
after it, and two blanks
end. Ünïcödé 漢字 עברית 👩‍💻 🏴󠁧󠁢󠁥󠁮󠁧󠁿!

1986\\. A great year. Not a list.
\\- not a list
\\# not a heading

- tight one
- tight two
  - nested
    1. deep
    2. deeper
- three

* loose one

  second paragraph

      indented = "code"

* loose two

7. seven
8. eight

   ```python
   def f(x: int | None = None) -> dict[str, int]:
       return {"<a>": "`b`"}
   ```

> quoted *text*
>
> > deeper
> >
> > - list
>
> ```sh
> ls -l | wc
> ```

| left | center | right | none |
|:-----|:------:|------:|------|
| `a|b` is split | **b** | c | d |
| `x \\| y` | 2 | 3 | `<T>` |

```
no language
```

~~~js
const a = `x${1}`;
~~~

***

<https://auto.example/link> ends.
"""


def test_structures_used_by_models_stay() -> None:
    """Task lists, alerts, footnotes and definitions are shown in a form that reads."""
    assert safe_markdown("- [ ] todo\n- [x] done") == "- \u2610 todo\n- \u2611 done\n"
    assert _words(to_html("> [!NOTE]\n> text")).split() == ["[!NOTE]", "text"]
    for payload in STRUCTURE:
        words = re.findall(r"[a-z]{4,}", _words(to_html(payload)))
        assert set(words) <= set(re.findall(r"[a-z]{4,}", payload.lower())) | {"image"}
