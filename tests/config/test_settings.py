"""The settings' records."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import msgspec
import pytest

from aiex_ipy.config.settings import Secret

if TYPE_CHECKING:
    from conftest import Place

VALUE = "sk-0123456789"


def test_a_secret_does_not_show_itself() -> None:
    """Not by any form of printing, pickling or encoding that could end in a file or a log."""
    secret = Secret(VALUE)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!s:>20}",
        f"{[secret]}",
        f"{secret!r}",
    ]
    assert VALUE not in "".join(shown)
    for encode in (pickle.dumps, msgspec.json.encode, msgspec.to_builtins):
        with pytest.raises(TypeError):
            encode(secret)
    assert VALUE not in repr(vars(Secret))


def test_a_secret_is_a_value() -> None:
    """It compares, copies and is false when empty."""
    secret = Secret(VALUE)
    assert secret == Secret(VALUE) != Secret("other")
    assert hash(secret) == hash(Secret(VALUE))
    assert secret != VALUE
    assert copy.deepcopy(secret) is secret
    assert not Secret("")
    assert secret.reveal() == VALUE


def test_settings_with_keys_do_not_show_them(place: Place) -> None:
    """A settings record may be printed, as a traceback with variables does."""
    loaded = place.load({"OPENAI_API_KEY": VALUE})
    assert VALUE not in repr(loaded) + str(loaded.settings) + f"{loaded.values}"
