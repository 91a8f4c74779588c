"""Which values are secrets: configured keys, and variables whose names say so."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from aiex_ipy.config.settings import Settings

LEAST_LENGTH = 8  # what is shorter is too likely to be met by chance
_LEAST_LINE = 16

_TELLING = (
    r"(?i:SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|PASSCODE|CREDENTIAL|PRIVATE|APIKEY"
    r"|KEYS?(?![A-Z])|(?<![A-Z])(?:PASS|PAT|DSN)(?![A-Z])|(?<=_)PWD(?![A-Z]))"
)

# Values that stand where a secret could and that a text may well hold for other reasons: what
# servers that check no key are given, the passwords of a developer's database, plain words.
_NO_KEY = ("dummy-key", "example-key", "lm-studio", "no-key-needed", "no-key-required")
_NOT_SET = ("not-needed", "notneeded", "not-used", "sk-no-key-required", "your-api-key")
_DEFAULT = ("changeit", "changeme", "minioadmin", "mysecret", "password", "postgres", "rabbitmq")
_WORDS = ("anonymous", "development", "disabled", "keychain", "localhost", "optional", "passphrase")
_MORE_WORDS = ("placeholder", "postgresql", "production", "redacted", "required", "secret-key")
_NAMES = ("secret_key", "secretkey", "undefined", "username", "your-key-here")
_COMMON = frozenset((*_NO_KEY, *_NOT_SET, *_DEFAULT, *_WORDS, *_MORE_WORDS, *_NAMES))


def secrets(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return each secret value with the name it is masked by.

    Left out are values shorter than 8 characters, words in common use, numbers that are no
    password, and paths that exist.
    """
    found: dict[str, str] = {}
    for name, value in _candidates(settings, environ):
        value = value.strip()
        if value not in found and _is_secret(name, value):
            found[value] = name
            for line in value.splitlines():
                # A private key is quoted line by line, in a diff for instance.
                if len(line.strip()) >= _LEAST_LINE and not line.startswith("-----"):
                    found.setdefault(line.strip(), name)
    return found


def _candidates(settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for provider in settings.llm.providers.values():
        if provider.api_key:
            label = provider.api_key_env or f"llm.providers.{provider.name}.api_key"
            yield label, provider.api_key.reveal()
    for name in sorted(environ):
        value = environ[name]
        if re.search(_TELLING, name):
            yield name, value
            yield from _in_json(name, value)
        yield from _in_url(name, value)


def _in_url(name: str, value: str) -> Iterator[tuple[str, str]]:
    if "://" not in value or "@" not in value:
        return
    from urllib.parse import unquote, urlsplit

    try:
        password = urlsplit(value.strip()).password
    except ValueError:
        return
    if password:
        yield name, password
        yield name, unquote(password)


def _in_json(name: str, value: str) -> Iterator[tuple[str, str]]:
    if not value.lstrip().startswith("{"):
        return
    import json

    try:
        content: Any = json.loads(value)
    except ValueError:
        return
    for key, inner in content.items():
        if isinstance(inner, str) and re.search(_TELLING, key):
            yield name, inner


def _is_secret(name: str, value: str) -> bool:
    if len(value) < LEAST_LENGTH or value.lower() in _COMMON:
        return False
    if value.isdecimal() and not re.search("PASS|PWD|SECRET", name, re.IGNORECASE):
        return False  # MAX_TOKENS, KEYTIMEOUT
    if value.startswith(("/", "~", ".")) and len(value) < 1024 and "\0" not in value:
        return not os.path.exists(os.path.expanduser(value))
    return True
