"""Text for terminals and names put into Markdown: nothing steers, hides or opens markup."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsers import outside, parsers
from payloads import ALL, GLUE, TERMINAL

from aiex_ipy.render.address import web_address
from aiex_ipy.render.safe import escape, plain, safe_markdown, sentence

STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff]"
)


@pytest.mark.parametrize("payload", ALL, ids=range(len(ALL)))
def test_no_control_reaches_a_terminal(payload: str) -> None:
    """Escapes, controls, bidi overrides and zero-width characters are gone from every form."""
    for form in (plain, escape, safe_markdown, sentence):
        assert not STEERING.search(form(payload)), form


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(TERMINAL) | st.text(), max_size=6))
def test_plain_is_done_once(parts: list[str]) -> None:
    """What `plain` returns, of any str, holds no control and is its own plain form."""
    text = plain("".join(parts))
    assert not STEERING.search(text)
    assert plain(text) == text
    text.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x07!", "click!"),
        ("\x1b]52;c;cm0gLXJm\x07ok", "ok"),
        ("\x1b]0;title\x9cok", "ok"),
        ("\x1bP+q544e\x1b\\ok", "ok"),
        ("\x9b2Jok", "ok"),
        ("\x1b(Bok\x1bc", "ok"),
        ("\x1b]unended shows", "]unended shows"),
        ("safe\rEVIL\r\nnext", "safe\nEVIL\nnext"),
        ("a\x08b\x00c\x7f", "abc"),
        ("a\x0bb\x0cc\u2028d\x85e", "a\nb\nc\nd\ne"),
        ("tab\there\n", "tab\there\n"),
        ("user\u202e \u2066// admin\u2069", "user // admin"),
        ("a\u200bb\u200dc\ufeff", "abc"),
        ("x\U000e0041\U000e0042", "x"),
        ("\ud83d\ude00 \ud800", "😀 \ufffd"),
    ],
)
def test_what_a_terminal_shows(text: str, shown: str) -> None:
    """Whole sequences vanish, a lone CR ends its line, hidden characters go."""
    assert plain(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "👩‍💻 👨‍👩‍👧‍👦 ❤️ 1️⃣ 🏳️‍🌈 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👍🏽",
        "نمی‌خواهم",
        "क्‍ष त्‌न",
        "עברית!\u200f (x)",
        "ελληνικά кириллица 漢字\U000e0100 한국어 ไทย",
        "e\u0301 ñ ß ½ ∑ → “q” …",
    ],
)
def test_scripts_and_emoji_are_kept(text: str) -> None:
    """Joined emoji, flags, Persian and Indic words, Hebrew marks are text, not tricks."""
    assert plain(text) == text


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="\ud800")))
def test_letters_are_never_lost(text: str) -> None:
    """No letter, digit, symbol or punctuation of any script disappears."""
    assert unicodedata.normalize("NFC", plain(text)) == unicodedata.normalize("NFC", text)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(ALL) | st.sampled_from(GLUE) | st.text(), max_size=4))
def test_escaped_text_is_one_paragraph_of_text(parts: list[str]) -> None:
    """A name or message in Markdown shows as itself in every parser and opens nothing."""
    text = "".join(parts)
    shown = " ".join(plain(text).split())
    for name, render in parsers().items():
        html = render(f"**x** {escape(text)} **y**")
        assert re.findall("<[^>]*>", html) == [
            "<p>", "<strong>", "</strong>", "<strong>", "</strong>", "</p>",
        ], name  # fmt: skip
        html = render(escape(text))
        assert re.findall("<[^>]*>", html) == (["<p>", "</p>"] if shown else []), name
        table = render(f"| a |\n|---|\n| {escape(text)} |\n")
        usual = render("| a |\n|---|\n| x |\n")
        assert re.findall("<[^>]*>", table) == re.findall("<[^>]*>", usual), name


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(ALL) | st.sampled_from(["`", "``", "|"]) | st.text(), max_size=5))
def test_a_sentence_holds_text_and_code_only(parts: list[str]) -> None:
    """An analyzer's message, whatever it quotes, opens nothing but code, in every parser and also
    in a table."""
    text = "".join(parts)
    for name, render in parsers().items():
        html = render(f"- {sentence(text)}")
        assert set(re.findall("</?([a-z0-9]+)", html)) <= {"ul", "li", "code"}, name
        table = render(f"| a |\n|---|\n| {sentence(text, cell=True)} |\n")
        usual = render("| a |\n|---|\n| x |\n")
        assert re.sub("</?code>", "", "".join(re.findall("<[^>]*>", table))) == "".join(
            re.findall("<[^>]*>", usual)
        ), name


def test_a_bar_in_quoted_code_shows_as_it_is() -> None:
    """`int | None` has no backslash before its bar, in a list nor in a table."""
    for name, render in parsers().items():
        assert "<code>int | None</code>" in render(f"- {sentence('`int | None`')}"), name
    cell = f"| a |\n|---|\n| {sentence('`int | None`', cell=True)} |\n"
    assert "<code>int | None</code>" in parsers()["gfm-like"](cell)


def test_escaped_text_reads_as_written() -> None:
    """Ordinary names stay readable in the Markdown source."""
    assert escape("my_module.f (line 3)") == "my_module.f (line 3)"
    assert escape("a*b <c> [d] `e` | f\ng") == (
        r"a\*b &lt;c&gt; &#91;d&#93; &#96;e&#96; &#124; f g"
    )
    assert escape("1. x") == "1\\. x"


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        ("https://x.example/a?b=c&d=e#f", "https://x.example/a?b=c&d=e#f"),
        ("HTTP://X.example", "http://X.example"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://x.example:8080/(a)", "https://x.example:8080/%28a%29"),
        ("https://x.example/100%", "https://x.example/100%25"),
        ("mailto:a@b.example?subject=x y", ""),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("javascript:alert(1)", ""),
        ("java\nscript:alert(1)", ""),
        ("//x.example", ""),
        ("/a", ""),
        ("#a", ""),
        ("https:x.example", ""),
        ("https://", ""),
        ("https://u@x.example", ""),
        ("https://[::1]/", ""),
        ("https://x.example/" + "a" * 3000, ""),
        ("https://x.example/?a&lt;b", "https://x.example/?a%26lt;b"),
    ],
)
def test_addresses_of_links(raw: str, url: str) -> None:
    """http, https and mailto in plain ASCII; anything else is no link."""
    assert web_address(raw) == url


def test_names_in_backquotes_are_code_in_our_sentences() -> None:
    """A reader of the Markdown sees code as code, and the rest literally."""
    assert sentence("calls `a_b[0]`, not *c*") == r"calls `a_b[0]`, not \*c\*"
    assert sentence("Take ``obj`` whole") == "Take `obj` whole"
    assert sentence("an `unpaired") == "an &#96;unpaired"
    assert sentence("- no list") == r"\- no list"


@pytest.mark.parametrize("payload", ALL, ids=range(len(ALL)))
@pytest.mark.parametrize("form", ["{}", "`{}`", "`a` {} `b`"])
def test_no_payload_in_our_sentences_becomes_markup(payload: str, form: str) -> None:
    """A payload put into a sentence, in backquotes or not, opens nothing in any parser."""
    text = sentence(form.format(payload))
    assert not STEERING.search(text.replace("&#8288;", ""))
    for name, render in parsers().items():
        assert outside(render(f"- {text}\n")) == [], name
        assert outside(render(f"| a |\n|---|\n| {text} |\n")) == [], name
        assert not re.search("<(h[1-6]|img|a|strong|em)[ >]", render(f"- {text}\n")), name
