"""The environment layer: `AIEX_*` variables to keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from aiex_ipy.config.keys import KEYS, PLANNED, KeyDoc, PlannedKey
from aiex_ipy.errors import ConfigError, near_miss

_BY_VARIABLE: dict[str, KeyDoc | PlannedKey] = {
    **{doc.variable: doc for doc in KEYS if doc.variable},
    **{planned.variable: planned for planned in PLANNED if planned.variable},
}

# Variables without a key: read where they are needed.
OTHER_VARIABLES: dict[str, str] = {
    "AIEX_DATA_DIR": "The directory local models are kept in, in place of the user's data "
    "directory.",
    "AIEX_OLLAMA_HOST": "`llm.providers.ollama.base_url`",
    "AIEX_LM_STUDIO_HOST": "`llm.providers.lm_studio.base_url`",
    "OPENAI_API_KEY": "`llm.providers.openai.api_key`, and of every openai instance without one",
    "OPENAI_BASE_URL": "`llm.providers.openai.base_url`, and of every openai instance without one",
    "ANTHROPIC_API_KEY": "`llm.providers.anthropic.api_key`, and of every anthropic instance "
    "without one",
    "ANTHROPIC_BASE_URL": "`llm.providers.anthropic.base_url`, and of every anthropic instance "
    "without one",
}

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
        if not name.startswith("AIEX_") or name in OTHER_VARIABLES:
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
                hint=near_miss(name, known_variables()),
                key=name,
            )
        yield name, text, _BY_VARIABLE[name]


def known_variables() -> list[str]:
    """Return the names beginning with `AIEX_` that mean something, sorted."""
    names = {*_BY_VARIABLE, *OTHER_VARIABLES}
    return sorted(name for name in names if name.startswith("AIEX_"))
