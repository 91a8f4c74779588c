"""Text with nothing in it that steers a terminal, reorders a line or hides."""

from __future__ import annotations

_LAYOUT = {ord("\n"): None, ord("\t"): None}


def plain(text: str) -> str:
    r"""Return `text` with no control but `\n` and `\t`, and nothing that hides or reorders.

    Whole escape sequences (colours, titles, hyperlinks, clipboard writes) disappear, an unended
    one loses its controls only. CR LF, CR, VT, FF, NEL and the Unicode separators become `\n`.
    Bidi overrides and isolates, zero-width spaces, tag characters and rows of variation selectors
    go; joiners stay where a script or an emoji needs them. Halves of a surrogate pair are joined,
    lone ones become U+FFFD. Takes any str, reads it in linear time; a second pass changes
    nothing.
    """
    if text.isascii() and text.translate(_LAYOUT).isprintable():
        return text
    from aiex_ipy.render.steering import cleaned

    return cleaned(text)
