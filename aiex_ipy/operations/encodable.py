"""Texts that no wire, file or child process takes: half of a surrogate pair, which is no UTF-8."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from aiex_ipy.config.values import shown
from aiex_ipy.errors import UsageError


def check_texts(request: msgspec.Struct) -> None:
    """Raise UsageError for a text anywhere in the request that is no UTF-8.

    Bytes that are none come from a command line or a pipe as lone surrogates. The name of a file
    that is there may hold them. Source: PEP 383.
    """
    for name in request.__struct_fields__:
        _check(getattr(request, name), name)


def _check(value: Any, name: str) -> None:
    if isinstance(value, str):
        if not value.isascii() and not is_utf8(value) and not os.path.lexists(value):
            where = next(n for n, char in enumerate(value) if "\ud800" <= char <= "\udfff")
            raise UsageError(
                f"{name.replace('_', ' ').capitalize()} {shown(value)} is no UTF-8 text:"
                f" {value[where]!r} at character {where + 1} is no character.",
                code="not_utf8",
                hint="Give the text in UTF-8.",
            )
    elif isinstance(value, tuple | list):
        for item in value:
            _check(item, name)
    elif isinstance(value, msgspec.Struct):
        for inner in value.__struct_fields__:
            _check(getattr(value, inner), inner)


def is_utf8(text: str) -> bool:
    """Return whether the text can be encoded as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
