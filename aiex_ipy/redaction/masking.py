"""Masks known secrets in text, in the forms text carries them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NoReturn

from msgspec.structs import replace

from aiex_ipy.config.settings import Settings
from aiex_ipy.messages import Message
from aiex_ipy.redaction.known import LEAST_LENGTH, secrets


class Redactor:
    """Replaces known secret values by `[redacted:NAME]`.

    Found are the value itself and its URL, base64 (at any offset), hexadecimal, JSON, Python,
    HTML and quoted-printable forms. Overlapping finds become one mask. No form of any secret is
    left in what is returned, and masking twice changes nothing. Holds the secrets: never show
    or store it.
    """

    def __init__(self, names: Mapping[str, str] | Callable[[], Mapping[str, str]]) -> None:
        """Take each secret value with its name, or a function that is asked for them when text
        first comes; values shorter than 8 characters are not masked."""
        self._names = names
        self._known: list[tuple[str, str]] | None = None

    @classmethod
    def from_settings(
        cls, settings: Settings, environ: Mapping[str, str] | None = None
    ) -> Redactor:
        """Return the redactor for the configured keys and the secrets of the environment."""

        def names() -> Mapping[str, str]:
            return secrets(settings, os.environ if environ is None else environ)

        return cls(names)

    def __repr__(self) -> str:
        return "<Redactor>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A redactor holds secrets and is not pickled.")

    def text(self, text: str) -> str:
        """Return the text with its secrets masked; the same object when it has none."""
        forms = self._forms()
        while finds := list(_found(text, forms)):
            # A mask and its neighbours may make up a secret anew. A mask that is touched is
            # replaced as a whole, so that each round leaves fewer masks or fewer other
            # characters, and the rounds end.
            masks = {(mask, "") for _, mask in forms}
            text = _masked(text, [*finds, *_found(text, masks)])
        return text

    def messages(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """Return the messages with the secrets in their words and tool calls masked."""
        return tuple(self._message(message) for message in messages)

    def _message(self, message: Message) -> Message:
        content = self.text(message.content)
        calls = tuple(
            replace(call, arguments=self.text(call.arguments)) for call in message.tool_calls
        )
        if content is message.content and calls == message.tool_calls:
            return message
        return replace(message, content=content, tool_calls=calls)

    def _forms(self) -> list[tuple[str, str]]:
        """Return every form with its mask, the longest first."""
        if self._known is None:
            names = self._names() if callable(self._names) else self._names
            forms: dict[str, str] = {}
            for value, name in names.items():
                if len(value) >= LEAST_LENGTH:
                    for form in forms_of(value):
                        forms.setdefault(form, name)
            masks = _masks(forms)
            ordered = sorted(forms, key=lambda form: (-len(form), form))
            self._known = [(form, masks[forms[form]]) for form in ordered]
        return self._known


def forms_of(value: str) -> set[str]:
    """Return the forms in which text may carry a value."""
    import base64
    import html
    import json
    import quopri
    from urllib.parse import quote, quote_plus

    data = value.encode("utf-8", "surrogatepass")
    escaped = {quote(data), quote(data, safe=""), quote_plus(data)}
    forms = {
        value,
        *escaped,
        *(_lower_escapes(form) for form in escaped),
        data.hex(),
        data.hex().upper(),
        json.dumps(value)[1:-1],
        json.dumps(value)[1:-1].replace("/", "\\/"),
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        html.escape(value),
        html.escape(value, quote=False),
        quopri.encodestring(data).decode("ascii").replace("=\n", "").rstrip("\n"),
        *_other_line_ends(value),
    }
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        forms.add(encode(data).decode("ascii"))
        forms |= {_steady(encode, data, offset) for offset in range(3)}
    return {form for form in forms if len(form) >= LEAST_LENGTH}


def _other_line_ends(value: str) -> Iterable[str]:
    """Return a value of several lines with each kind of line end."""
    lines = value.splitlines()
    return ("\n".join(lines), "\r\n".join(lines)) if len(lines) > 1 else ()


def _lower_escapes(quoted: str) -> str:
    parts = quoted.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])


def _steady(encode: Callable[[bytes], bytes], data: bytes, offset: int) -> str:
    """Return the characters that stand for `data` whatever is around it, when `offset` bytes
    (modulo 3) are before it. Source: RFC 4648, section 4."""
    encoded = encode(b"\0" * offset + data).decode("ascii").rstrip("=")
    ends_whole = (offset + len(data)) % 3 == 0
    return encoded[(0, 2, 3)[offset] : len(encoded) if ends_whole else -1]


def _found(text: str, forms: Iterable[tuple[str, str]]) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and mask of each find, those of one form merged where they overlap."""
    for form, mask in forms:
        start = text.find(form)
        while start >= 0:
            end = start + len(form)
            following = text.find(form, start + 1)
            while 0 <= following <= end:
                end = following + len(form)
                following = text.find(form, following + 1)
            yield start, end, mask
            start = following


def _masked(text: str, spans: list[tuple[int, int, str]]) -> str:
    """Return the text with each group of overlapping spans replaced by its first mask; a group
    without one, which is an older mask by itself, stays."""
    # At the same start the longer find comes first and gives the name.
    spans.sort(key=lambda span: (span[0], -span[1]))
    out: list[str] = []
    done = 0
    start, end, mask = spans[0]
    for next_start, next_end, next_mask in [*spans[1:], (len(text) + 1, len(text) + 1, "")]:
        if next_start < end:
            end = max(end, next_end)
            mask = mask or next_mask
            continue
        if mask:
            out += (text[done:start], mask)
            done = end
        start, end, mask = next_start, next_end, next_mask
    out.append(text[done:])
    return "".join(out)


def _masks(forms: Mapping[str, str]) -> dict[str, str]:
    """Return a mask for each name: one that holds no form of a secret itself."""
    masks: dict[str, str] = {}
    for number, name in enumerate(dict.fromkeys(forms.values()), start=1):
        candidates = (f"[redacted:{name}]", f"[redacted:{number}]", "[***]")
        masks[name] = next(mask for mask in candidates if not any(form in mask for form in forms))
    return masks
