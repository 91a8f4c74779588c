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
    mask_assigned,
    mask_forms,
)

MOST_NAMES = 100_000
"""Names of a namespace that are looked at for secrets."""
MOST_INNER = 200
"""Mappings and objects in a namespace that are looked into."""
_PLAIN = (int, float, bool, type(None), bytes, list, tuple, set, type, FunctionType, ModuleType)
MOST_SECRETS = 64
LEAST = 6
"""Characters of a secret that is searched for elsewhere: what is shorter occurs by chance."""
MOST_CHARACTERS = 4_096
"""A longer text under a secret-looking name is no key."""

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
    """The texts under secret-looking names of a namespace, and of plain mappings in it."""
    if not derives(type(namespace), dict):
        return
    inner: list[Mapping[Any, Any]] = []
    for name, value in islice(list(dict.items(namespace)), MOST_NAMES):
        if type(value) is str and type(name) is str:
            if len(value) <= MOST_CHARACTERS and is_secret_text(name, value):
                yield name, value
        elif type(value) is dict and len(value) <= 50:
            inner.append(value)
        elif type(value) not in _PLAIN and len(inner) < MOST_INNER:
            inner.append(instance_dict(value))
    for each in inner[:MOST_INNER]:
        for name, value in list(each.items()):
            plain = type(name) is str and type(value) is str and len(value) <= MOST_CHARACTERS
            if plain and is_secret_text(name, value):
                yield name, value
