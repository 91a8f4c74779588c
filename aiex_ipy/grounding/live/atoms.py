"""Print values of the standard library that hold no other values: dates, paths, patterns, …

Only instances of exactly these types are printed, by the type's own code, and only where that code
calls nothing of the user's (a time zone may be the user's, for example).
"""

from __future__ import annotations

import sys
from _thread import LockType
from collections.abc import Callable
from typing import Any

from aiex_ipy.grounding.live.static import attribute, full_name, is_class, is_of

_BYTES = 10_000
_UNNAMED = (id(LockType), id(memoryview))  # of these, the module's name is another


def plain(value: Any) -> str | None:
    """Return a value as text, None where its type is not one of these."""
    if is_class(value):
        return None
    kind = type(value)
    name = full_name(kind)
    shown = _SHOWN.get(name)
    if shown is None or not (is_of(kind, name.partition(".")[0]) or id(kind) in _UNNAMED):
        return None
    try:
        return shown(value)
    except Exception:  # of half-made objects; `datetime` and others check what they print
        return None


def _time(value: Any) -> str | None:
    zone = value.tzinfo
    shown = f"{type(value).__name__}({value.replace(tzinfo=None).isoformat()!r}"
    if zone is None:
        return f"{shown})"
    return f"{shown}, {plain(zone) or f'tz {full_name(type(zone))}'})"


def _date(value: Any) -> str:
    return f"date({value.isoformat()!r})"


def _zone(value: Any) -> str | None:
    key = value.key
    return f"tz {key!r}" if type(key) is str else None


def _path(value: Any) -> str | None:
    parts = attribute(value, "_raw_paths")
    if type(parts) is list and not all(type(each) is str for each in parts):
        return None
    return f"{type(value).__name__}({str(value)!r})"


def _decimal(value: Any) -> str:
    size = sys.getsizeof(value)
    return repr(value) if size < _BYTES else f"<a Decimal of {size} bytes>"


def _fraction(value: Any) -> str | None:
    parts = attribute(value, "_numerator"), attribute(value, "_denominator")
    return (
        f"Fraction{parts}" if all(type(p) is int and p.bit_length() < 999 for p in parts) else None
    )


def _pattern(value: Any) -> str | None:
    source = value.pattern
    return f"re.compile({source[:_BYTES]!r})" if type(source) in (str, bytes) else None


def _match(value: Any) -> str:
    return f"<re.Match of {_pattern(value.re) or 'a pattern'}, span {value.span()}>"


def _view(value: Any) -> str:
    try:
        return f"<memoryview of {value.nbytes} bytes>"
    except ValueError:
        return "<released memoryview>"


def _weak(value: Any) -> str:
    target = value()
    return "<dead weakref>" if target is None else f"<weakref to {full_name(type(target))}>"


def _lock(value: Any) -> str:
    return f"<{'locked' if value.locked() else 'unlocked'} {full_name(type(value))}>"


def _uuid(value: Any) -> str | None:
    return f"UUID({str(value)!r})" if type(attribute(value, "int")) is int else None


_SHOWN: dict[str, Callable[[Any], str | None]] = {
    "datetime.datetime": _time,
    "datetime.time": _time,
    "datetime.date": _date,
    "datetime.timedelta": lambda value: repr(value).removeprefix("datetime."),
    "datetime.timezone": lambda value: f"tz {str(value)!r}",
    "zoneinfo.ZoneInfo": _zone,
    "decimal.Decimal": _decimal,
    "fractions.Fraction": _fraction,
    "uuid.UUID": _uuid,
    "re.Pattern": _pattern,
    "re.Match": _match,
    "weakref.ReferenceType": _weak,
    "_thread.lock": _lock,
    "memoryview": _view,
    **{f"pathlib.{name}Path": _path for name in ("Posix", "Windows")},
    **{f"pathlib._local.{name}Path": _path for name in ("Posix", "Windows")},
    **{f"pathlib.Pure{name}Path": _path for name in ("Posix", "Windows")},
    **{f"pathlib._local.Pure{name}Path": _path for name in ("Posix", "Windows")},
}
