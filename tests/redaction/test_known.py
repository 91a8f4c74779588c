"""Which values are taken for secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aiex_ipy.config import load
from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.redaction import Redactor
from aiex_ipy.redaction.known import secrets

VALUE = "x7Kq-92hf_Lm3"


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY",
        "openai_api_key",
        "SECRET_KEY_BASE",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "GITHUB_PAT",
        "DB_PASSWORD",
        "MYSQL_PWD",
        "DB_PASS",
        "REDIS_PASSWD",
        "GPG_PASSPHRASE",
        "APP_CREDENTIALS",
        "PRIVATE_DATA",
        "MYAPIKEY",
        "SENTRY_DSN",
        "SIGNING_KEYS",
        "KEY1",
    ],
)
def test_a_name_that_looks_secret_makes_a_secret(name: str) -> None:
    """The usual words of variables for keys, tokens and passwords."""
    assert secrets(Settings(), {name: VALUE}) == {VALUE: name}


@pytest.mark.parametrize(
    "name", ["PATH", "PWD", "OLDPWD", "HOME", "KEYBOARD", "PASSAGE", "PATTERN", "USER", "COMPASS"]
)
def test_other_names_do_not(name: str) -> None:
    """Words that only hold such a word are no secrets."""
    assert secrets(Settings(), {name: VALUE}) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEY", "short"),
        ("API_KEY", ""),
        ("POSTGRES_PASSWORD", "postgres"),
        ("DB_PASSWORD", "Password"),
        ("LM_KEY", "not-needed"),
        ("MAX_TOKENS", "16000000"),
        ("GOOGLE_APPLICATION_CREDENTIALS", str(Path(__file__))),
        ("SSH_KEY", "/"),
    ],
)
def test_values_that_anything_could_be_are_left_alone(name: str, value: str) -> None:
    """Masking `postgres` or a path everywhere would spoil the text and hide nothing."""
    assert secrets(Settings(), {name: value}) == {}


def test_a_password_of_digits_is_a_secret() -> None:
    """Only names that mean a number are taken for numbers."""
    assert secrets(Settings(), {"DB_PASSWORD": "1234567890"}) == {"1234567890": "DB_PASSWORD"}


def test_a_secret_that_looks_like_a_path_is_one() -> None:
    """Random base64 may begin with a slash; only paths that exist are left alone."""
    assert secrets(Settings(), {"A_KEY": "/x7Kq/92hf/Lm3"}) == {"/x7Kq/92hf/Lm3": "A_KEY"}


def test_passwords_in_addresses_are_secrets() -> None:
    """Proxies and databases carry theirs in a URL, under any name, and encoded."""
    found = secrets(
        Settings(),
        {
            "HTTPS_PROXY": "http://me:pr%2Fxy-pass@proxy:8080",
            "DATABASE_URL": "postgres://u:db-password-1@h/db",
            "PLAIN_URL": "http://example.org/@x",
            "BROKEN_URL": "http://[x:long-password@y",
        },
    )
    assert found == {
        "pr%2Fxy-pass": "HTTPS_PROXY",
        "pr/xy-pass": "HTTPS_PROXY",
        "db-password-1": "DATABASE_URL",
    }


def test_the_lines_of_a_private_key_are_secrets_each() -> None:
    """A diff or a log shows a key line by line."""
    lines = ("MIIEvQIBADANBgkqhkiG9w0B", "QUFBQUFBQUFBQUFBQUFB", "AA==")
    key = "\n".join(("-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"))
    redactor = Redactor.from_settings(Settings(), {"DEPLOY_KEY": f"{key}\n"})
    assert redactor.text(key) == "[redacted:DEPLOY_KEY]"
    assert redactor.text(key.replace("\n", "\r\n")) == "[redacted:DEPLOY_KEY]"
    assert redactor.text("+ MIIEvQIBADANBgkqhkiG9w0B\n+ -----BEGIN PRIVATE KEY-----") == (
        "+ [redacted:DEPLOY_KEY]\n+ -----BEGIN PRIVATE KEY-----"
    )


def test_the_secrets_in_a_json_value_are_secrets_each() -> None:
    """A service account is a JSON text in one variable."""
    account = json.dumps({"type": "service_account", "private_key_id": VALUE, "n": 1})
    found = secrets(Settings(), {"GCP_CREDENTIALS": account, "OTHER_SECRET": "{no JSON at all}"})
    assert VALUE in found
    assert account in found
    assert "service_account" not in found


def test_configured_keys_are_secrets() -> None:
    """The key of every instance is masked, by its variable or its place in the settings."""
    providers = {
        "openai": ProviderSettings(
            name="openai",
            kind="openai",
            api_key=Secret("sk-aaaaaaaa"),
            api_key_env="OPENAI_API_KEY",
        ),
        "own": ProviderSettings(
            name="own",
            kind="openai_compatible",
            api_key=Secret("sk-bbbbbbbb"),
        ),
        "lm_studio": ProviderSettings(
            name="lm_studio", kind="lm_studio", api_key=Secret("lm-studio")
        ),
    }
    assert secrets(Settings(llm=LLMSettings(providers=providers)), {}) == {
        "sk-aaaaaaaa": "OPENAI_API_KEY",
        "sk-bbbbbbbb": "llm.providers.own.api_key",
    }


def test_the_process_environment_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the first request on, with nothing configured."""
    monkeypatch.setenv("MY_SERVICE_TOKEN", VALUE)
    settings = load(project_dir=str(tmp_path), environ={"HOME": str(tmp_path)})
    assert Redactor.from_settings(settings).text(f"t={VALUE}") == "t=[redacted:MY_SERVICE_TOKEN]"
