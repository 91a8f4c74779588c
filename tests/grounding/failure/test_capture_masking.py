"""Secrets that a capture meets."""

from __future__ import annotations

from aiex_ipy.grounding.failure.masking import Mask


class _Client:
    def __init__(self, secret: str) -> None:
        self.headers = {"Authorization": f"Bearer {secret}"}


def test_a_secret_is_found_in_what_an_object_holds() -> None:
    """A key that a client keeps in its headers is masked where the source shows it, and a long
    text costs nothing."""
    mask = Mask([{"client": _Client("pat-7c1FqY0u"), "page": "x" * 10_000_000}])
    assert (
        mask.text('Client("https://x", "pat-7c1FqY0u")')
        == 'Client("https://x", "[redacted:Authorization]")'
    )
