"""Keep secrets and memory addresses out of a captured failure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from types import FunctionType, ModuleType
from typing import Any, TypeVar

from aiex_ipy.grounding.live.static import derives, instance_dict
from aiex_ipy.redaction.known import LEAST_LENGTH
from aiex_ipy.redaction.masking import Redactor
from aiex_ipy.redaction.shapes import (
    WITHHELD,
    assigned_secrets,
    is_secret_text,
    is_token_name,
    mask_assigned,
    mask_forms,
)

MOST_NAMES = 100_000
"""Names of a namespace that are looked at for secrets."""
DEPTH = 3
"""How deep a namespace is looked into: names, what their objects hold, and mappings in those."""
MOST_FIELDS = 50
MOST_INNER = 200
"""Mappings and objects in a namespace that are looked into."""
_PLAIN = (int, float, bool, type(None), bytes, list, tuple, set, type, FunctionType, ModuleType)
MOST_SECRETS = 64
LEAST = 6
"""Characters of a secret that is searched for elsewhere: what is shorter occurs by chance."""
MOST_CHARACTERS = 4_096
"""A longer text under a secret-looking name is no key."""

_CREDENTIALS = re.compile(r"(?:Bearer|Basic|Token)\s+(?P<value>\S+)\Z", re.IGNORECASE)
"""A header of RFC 9110, section 11.4: the scheme and what is secret."""
_ADDRESS = re.compile(r"(?<=\bat )0x[0-9a-fA-F]{6,16}\b")
T = TypeVar("T")


class Mask:
    """Masks what looks like a secret: the values of secret-looking names in the namespaces
    wherever they occur, literals assigned to such names, and texts of a secret's form."""

    def __init__(self, namespaces: Iterable[Any], texts: Iterable[str] = ()) -> None:
        found: dict[str, str] = {}
        for namespace in namespaces:
            for name, value in _texts_of(namespace):
                if len(found) < MOST_SECRETS and len(value) >= LEAST:
                    found.setdefault(value, name)
        for text in texts:
            for name, value in assigned_secrets(text):
                if len(value) >= LEAST:
                    found.setdefault(value, name)
        self._redactor = Redactor(found) if found else None
        short = [re.escape(each) for each in found if len(each) < LEAST_LENGTH]
        self._short = re.compile(rf"(?<!\w)(?:{'|'.join(short)})(?!\w)") if short else None

    def text(self, text: str) -> str:
        """Return the text with secrets and addresses masked."""
        text = mask_forms(mask_assigned(text))
        if self._redactor is not None:
            text = self._redactor.text(text)
        if self._short is not None:
            text = self._short.sub(WITHHELD, text)
        return _ADDRESS.sub("0x…", text) if "0x" in text else text

    def record(self, record: T) -> T:
        """Return a record with all of its texts masked."""
        import msgspec

        plain = mapped(msgspec.to_builtins(record), self.text)
        return msgspec.convert(plain, type(record))


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return built-in containers with every text changed; the keys stay."""
    if type(value) is str:
        return change(value)
    if type(value) is dict:
        return {key: mapped(each, change) for key, each in value.items()}
    if type(value) in (list, tuple):
        return [mapped(each, change) for each in value]
    return value


def _texts_of(namespace: Any) -> Iterable[tuple[str, str]]:
    """The texts under secret-looking names of a namespace, of objects in it, and of plain mappings
    in either."""
    if not derives(type(namespace), dict):
        return
    level = [islice(list(dict.items(namespace)), MOST_NAMES)]
    looked = 0
    for depth in range(DEPTH):
        inner: list[Mapping[Any, Any]] = []
        for items in level:
            for name, value in items:
                if type(value) is str:
                    yield from _secret(name, value)
                elif depth + 1 < DEPTH and looked < MOST_INNER:
                    held = _held(value)
                    looked += bool(held)
                    inner += [held] if held else []
        level = [iter(list(each.items())[:MOST_FIELDS]) for each in inner]  # type: ignore[misc]


def _held(value: Any) -> Mapping[Any, Any]:
    """What a plain mapping or an object of some class holds."""
    if type(value) is dict:
        return value if len(value) <= MOST_FIELDS else {}
    return {} if type(value) in _PLAIN else instance_dict(value)


def _secret(name: Any, value: str) -> Iterable[tuple[str, str]]:
    if type(name) is not str or len(value) > MOST_CHARACTERS:
        return
    given = _CREDENTIALS.match(value)
    if given is not None and is_token_name(name):
        yield name, given["value"]
    elif is_secret_text(name, value):
        yield name, value
