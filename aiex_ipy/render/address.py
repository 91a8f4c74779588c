"""The addresses a link may have."""

from __future__ import annotations

import re

from aiex_ipy.render.characters import plain

LONGEST_URL = 2000

_HTTP = re.compile(r"(https?)://([^/?#\\]*)(.*)", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9_][a-z0-9_.-]*(?::\d{1,5})?", re.IGNORECASE)
_MAILTO = re.compile(r"mailto:([^\s@]+@[^\s@?]+(?:\?\S*)?)", re.IGNORECASE)
_AMPERSAND = re.compile("&[^&]*")
_MARKUP = frozenset("<>\"'`()[]\\ ")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def web_address(raw: str) -> str:
    """Return `raw` as an http, https or mailto URL in ASCII, or "" when it is none of them.

    Refused: relative and protocol-relative addresses, every other scheme however it is written,
    user names before the host, IPv6 literals, line breaks, more than `LONGEST_URL` characters.
    Brackets, quotes, backslashes, `$`, `*` and blanks come out percent-encoded.
    """
    from urllib.parse import quote

    raw = plain(raw).strip()
    if len(raw) > LONGEST_URL or "\n" in raw or "\t" in raw:
        return ""
    keep = "/?#@&+,;=:%-._~"
    if match := _HTTP.fullmatch(raw):
        scheme, host, rest = match.groups()
        if not host.isascii():
            try:
                host = host.encode("idna").decode("ascii")
            except UnicodeError:
                return ""
        if not _HOST.fullmatch(host):
            return ""
        start = f"{scheme.lower()}://{host}"
    elif match := _MAILTO.fullmatch(raw):
        start, rest = "mailto:", match[1]
    else:
        return ""
    rest = quote(_STRAY_PERCENT.sub("%25", rest), safe=keep)
    return start + _AMPERSAND.sub(_no_entity, rest)


def _no_entity(match: re.Match[str]) -> str:
    """Encode an ampersand that a parser which decodes twice (mistune) would turn into markup."""
    from html import unescape

    decoded = unescape(match[0])
    safe = decoded.isprintable() and _MARKUP.isdisjoint(decoded)
    return match[0] if safe else f"%26{match[0][1:]}"
