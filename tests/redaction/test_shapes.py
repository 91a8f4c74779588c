"""Names and forms that look like secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from aiex_ipy.redaction.shapes import (
    WITHHELD,
    is_secret_name,
    is_token_name,
    mask_code,
    mask_forms,
)


@pytest.mark.parametrize(
    "name",
    [
        *("api_key", "API_KEY", "apiKey", "openai_api_key", "dbPassword", "passwd", "pwd"),
        *("client_secret", "secret", "private_key", "credentials", "AWS_SECRET_ACCESS_KEY"),
        *("passphrase", "x-api-key"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    """In every way of writing them."""
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("key", "keys", "sort_key", "primary_key", "keyboard", "tokenizer", "max_tokens"),
        *("compass", "password_length", "n_secrets", "monkey", "author", "passenger"),
        *("secretary_name", "bypass"),
    ],
)
def test_names_that_only_sound_like_it(name: str) -> None:
    """Words that hold the letters, counts, and keys of other kinds."""
    assert not is_secret_name(name)


def test_tokens_are_secrets_where_they_are_texts() -> None:
    """A name that is met in parsers, too: whoever asks looks at the value as well."""
    assert is_token_name("token") and is_token_name("auth_token") and is_token_name("sessionToken")
    assert not is_token_name("token_count") and not is_token_name("tokenized")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("sk-proj-abcdefghijklmnop1234", WITHHELD),
        ("key=sk-ant-api03-abcdefghijklmnop!", f"key={WITHHELD}!"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", WITHHELD),
        ("AKIAIOSFODNN7EXAMPLE", WITHHELD),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_1", WITHHELD),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----.", f"{WITHHELD}."),
        ("-----BEGIN PRIVATE KEY-----\nMIIEcut", WITHHELD),
        ("Authorization: Bearer abcdefghijkl", f"Authorization: Bearer {WITHHELD}"),
        ("postgres://me:p@ss@host/db", f"postgres://me:{WITHHELD}@host/db"),
        ("https://:token@host/", f"https://:{WITHHELD}@host/"),
        ("host=h password=hunter2 dbname=d", f"host=h password={WITHHELD} dbname=d"),
        ("Server=s;Pwd=hunter2;", f"Server=s;Pwd={WITHHELD};"),
    ],
)
def test_forms_of_secrets_are_masked(text: str, left: str) -> None:
    """Vendors' keys, tokens, private keys also when cut, user information, connection strings."""
    assert mask_forms(text) == left
    assert mask_forms(left) == left


@pytest.mark.parametrize(
    "text",
    ["sk-learn", "task-list-of-the-day-and-more", "http://host:8080/a@b", "eyJ", "a: b", "12:30"],
)
def test_other_texts_stay(text: str) -> None:
    """The same object comes back."""
    assert mask_forms(text) is text


@given(some.text())
def test_masking_twice_changes_nothing(text: str) -> None:
    """What is masked is not masked again."""
    once = mask_forms(text)
    assert mask_forms(once) == once


@pytest.mark.parametrize(
    ("code", "masked"),
    [
        ("token='CCLEAK3'", "token='[withheld]'"),
        ("{'password': ['GGLEAK7', \"x\"]}", "{'password': ['[withheld]', \"[withheld]\"]}"),
        ("self.api_key = 'abc'", "self.api_key = '[withheld]'"),
        ("İİ; db_password='zz'; n = 'a'", "İİ; db_password='[withheld]'; n = 'a'"),
        ("settings['api_key'] = 'abc'", "settings['api_key'] = '[withheld]'"),
        ("token = 'identifier'", "token = 'identifier'"),
        ("keys = ['a', 'b']; password=ask()", "keys = ['a', 'b']; password=ask()"),
    ],
)
def test_literals_of_secrets_are_masked_in_code(code: str, masked: str) -> None:
    """A literal under a secret-looking name goes, what code computes and other texts stay."""
    assert mask_code(code) == masked
    assert mask_code(masked) == masked
