"""The environment layer: `AIEX_*` variables to keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from aiex_ipy.config.keys import KEYS, PLANNED, KeyDoc, PlannedKey
from aiex_ipy.config.providers import KINDS
from aiex_ipy.errors import ConfigError, near_miss

_BY_VARIABLE: dict[str, KeyDoc | PlannedKey] = {
    **{doc.variable: doc for doc in KEYS if doc.variable},
    **{planned.variable: planned for planned in PLANNED if planned.variable},
}

# Read where they are needed: the instances' addresses.
_READ_ELSEWHERE = frozenset(variable for kind in KINDS.values() for variable in kind.url_variables)

# What Kubernetes and Docker put into the environment for a service called aiex or aiex-….
# Source: Kubernetes documentation, Service, "Environment variables".
_SERVICE = re.compile(
    r"AIEX(_[A-Z0-9]+)*_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_[A-Z]+(_[A-Z]+)?)?)"
)


def variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str, KeyDoc | PlannedKey]]:
    """Yield the variables that are set, sorted: name, text without blanks around it, key.

    An empty variable is not set. Raises ConfigError for an unknown name that begins with
    `AIEX_`.
    """
    for name in sorted(environ):
        if not name.startswith("AIEX_") or name in _READ_ELSEWHERE:
            continue
        text = environ[name].strip()
        if not text:
            continue
        if _SERVICE.fullmatch(name) and (name not in _BY_VARIABLE or "://" in text):
            continue
        if name not in _BY_VARIABLE:
            raise ConfigError(
                f"The environment variable {name!r} is not one that aiex knows.",
                code="unknown_key",
                hint=near_miss(name, sorted({*_BY_VARIABLE, *_READ_ELSEWHERE} - _vendors())),
                key=name,
            )
        yield name, text, _BY_VARIABLE[name]


def _vendors() -> set[str]:
    return {name for name in _READ_ELSEWHERE if not name.startswith("AIEX_")}
