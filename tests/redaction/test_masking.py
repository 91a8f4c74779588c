"""Masking known secrets, in every form text carries them."""

from __future__ import annotations

import base64
import html
import json
import pickle
import quopri
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.messages import Message, ToolCall
from aiex_ipy.redaction import Redactor
from aiex_ipy.redaction.masking import forms_of

SECRET = "sk-Ab+/=<&\"'%é 9"
MASK = "[redacted:THE_KEY]"


@pytest.fixture
def redactor() -> Redactor:
    return Redactor({SECRET: "THE_KEY"})


def test_a_secret_is_masked_by_its_name(redactor: Redactor) -> None:
    """The reader is told what was there, not only that something was."""
    assert redactor.text(f"key = '{SECRET}'\nagain: {SECRET}{SECRET}") == (
        f"key = '{MASK}'\nagain: {MASK}"
    )


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(quote(SECRET), id="url"),
        pytest.param(quote(SECRET, safe=""), id="url, slashes too"),
        pytest.param(quote_plus(SECRET), id="form"),
        pytest.param(quote(SECRET, safe="").lower().replace("sk-ab", "sk-Ab"), id="url, lower"),
        pytest.param(json.dumps(SECRET)[1:-1], id="JSON"),
        pytest.param(json.dumps(SECRET, ensure_ascii=False)[1:-1], id="JSON in UTF-8"),
        pytest.param(repr(SECRET)[1:-1], id="repr"),
        pytest.param(html.escape(SECRET), id="HTML"),
        pytest.param(SECRET.encode().hex(), id="hexadecimal"),
        pytest.param(SECRET.encode().hex().upper(), id="hexadecimal, upper"),
        pytest.param(base64.b64encode(SECRET.encode()).decode(), id="base64"),
        pytest.param(base64.urlsafe_b64encode(SECRET.encode()).decode(), id="base64 for URLs"),
        pytest.param(quopri.encodestring(SECRET.encode()).decode(), id="quoted-printable"),
    ],
)
def test_a_secret_is_masked_in_the_forms_text_carries(redactor: Redactor, form: str) -> None:
    """A URL, a dump, a page or a mail do not show what the plain text would not."""
    assert redactor.text(f"<{form}>") == f"<{MASK}>"


@given(st.binary(max_size=5), st.binary(max_size=5))
def test_base64_is_masked_at_any_offset(before: bytes, after: bytes) -> None:
    """`Authorization: Basic` encodes `user:secret`: at most the two characters that the secret
    shares with its neighbours stay."""
    secret = "sk-0123456789abcdef"
    text = base64.b64encode(before + secret.encode() + after).decode()
    masked = Redactor({secret: "K"}).text(text)
    head, mask, tail = masked.partition("[redacted:K]")
    assert mask
    rest = len(base64.b64encode(before)) + len(base64.b64encode(after)) + 8
    assert len(head) + len(tail) <= rest


def test_overlapping_secrets_become_one_mask() -> None:
    """No rest of the second secret stays beside the mask of the first."""
    redactor = Redactor({"abcdefgh": "A", "efghijkl": "B", "abcdefghijkl-long": "C"})
    assert redactor.text("x abcdefghijkl y") == "x [redacted:A] y"
    assert redactor.text("x abcdefghijkl-long y") == "x [redacted:C] y"
    assert redactor.text("aaaaaaaaa" * 3) == "aaaaaaaaa" * 3
    assert Redactor({"aaaaaaaa": "A"}).text("a" * 20 + "b") == "[redacted:A]b"


def test_a_mask_holds_no_secret() -> None:
    """A secret that is part of a name, or of the word `redacted`, does not come back that way."""
    assert Redactor({"HUNTER2_TOKEN": "HUNTER2_TOKEN"}).text("HUNTER2_TOKEN") == "[redacted:1]"
    assert Redactor({"[redacted:": "A"}).text("x [redacted: y") == "x [***] y"


def test_a_mask_and_its_neighbours_make_no_secret() -> None:
    """Masking goes on until nothing is found, and ends."""
    redactor = Redactor({"12345678": "A", "d:A]xyz1": "B", "e[redacted:": "C"})
    masked = redactor.text("e12345678xyz1 12345678")
    for secret in ("12345678", "d:A]xyz1", "e[redacted:"):
        assert secret not in masked
    assert redactor.text(masked) == masked


def test_text_without_secrets_is_the_same_object(redactor: Redactor) -> None:
    """Nothing is copied where there is nothing to mask."""
    text = "nothing here: sk-Ab, sk-" * 100
    assert redactor.text(text) is text
    assert Redactor({}).text(text) is text
    messages = (Message(role="user", content=text),)
    assert redactor.messages(messages)[0] is messages[0]


def test_messages_are_masked_in_words_and_tool_calls(redactor: Redactor) -> None:
    """What the model is told, and what it asked for and is told again."""
    call = ToolCall(id="1", name="run", arguments=json.dumps({"key": SECRET}))
    messages = redactor.messages(
        (
            Message(role="user", content=SECRET),
            Message(role="assistant", content="ok", tool_calls=(call,)),
            Message(role="tool", content=f"= {SECRET}", tool_call_id="1"),
        )
    )
    assert [message.content for message in messages] == [MASK, "ok", f"= {MASK}"]
    assert messages[1].tool_calls == (
        ToolCall(id="1", name="run", arguments=json.dumps({"key": MASK})),
    )
    assert (messages[2].role, messages[2].tool_call_id) == ("tool", "1")


def test_a_redactor_does_not_show_what_it_holds(redactor: Redactor) -> None:
    """Neither its `repr` nor a pickle, which could end in a file, tells the secrets."""
    assert repr(redactor) == "<Redactor>"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(redactor)


def test_short_values_are_not_secrets() -> None:
    """Seven characters or fewer are met by chance."""
    assert Redactor({"1234567": "A"}).text("x1234567") == "x1234567"


_LETTERS = "ab[]:redact A1+/=%&\n"
_SECRETS = st.dictionaries(
    st.text(_LETTERS, min_size=8, max_size=12),
    st.text("AB_redacted", min_size=1, max_size=9),
    max_size=4,
)


@given(st.data(), _SECRETS)
def test_no_secret_survives_and_masking_twice_changes_nothing(
    data: st.DataObject, secrets: dict[str, str]
) -> None:
    """For any text around any secrets: none of their forms is left, and the rest is kept."""
    redactor = Redactor(secrets)
    forms = sorted({form for secret in secrets for form in forms_of(secret)})
    pieces = st.one_of(st.text(_LETTERS, max_size=6), *([st.sampled_from(forms)] if forms else []))
    text = "".join(data.draw(st.lists(pieces, max_size=6)))
    masked = redactor.text(text)
    assert [form for form in forms if form in masked] == []
    assert redactor.text(masked) == masked
    if not any(form in text for form in forms):
        assert masked == text
