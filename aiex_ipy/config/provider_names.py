"""Where one setting names a provider that others describe: spelled right, and to some end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import structs

from aiex_ipy.config.keys import PROVIDERS, TASKS
from aiex_ipy.config.providers import NO_PROVIDER, Entry, canonical_provider
from aiex_ipy.config.settings import ProviderSettings
from aiex_ipy.config.values import Place, shown
from aiex_ipy.errors import ConfigError, near_miss

Providers = Mapping[str, ProviderSettings]
Entries = Mapping[str, Entry]


def instance_name(written: str, prefix: str, place: Place) -> str:
    """Return the name of an instance as it is looked up; `prefix` is what stands before its key.

    Raises ConfigError for a name that could not be told from a model's or from `none`.
    """
    name = canonical_provider(written)
    if name != NO_PROVIDER and re.fullmatch(r"\w+", name):
        return name
    what = "stands for no provider" if name == NO_PROVIDER else "is no name for a provider"
    raise ConfigError(
        f"{written!r} in {place.key(f'{prefix}{PROVIDERS}')} {what}.",
        code="bad_value",
        hint="Choose a name of letters, digits, - and _.",
        key=f"{prefix}{PROVIDERS}",
        value=shown(written),
        file=place.file,
    )


def default_and_fallback(entries: Entries, providers: Providers) -> dict[str, str | None]:
    """Return `default_provider` and `fallback_provider`, None where not set. Raises ConfigError.

    A fallback that is the default is refused where one place says both. A variable that names
    another default for one command leaves the file's fallback as it is.
    """
    found: dict[str, str | None] = {}
    for word in ("default_provider", "fallback_provider"):
        key = f"llm.{word}"
        found[word] = None
        if key in entries:
            found[word] = _known(key, *entries[key], [*providers, NO_PROVIDER])
    name = found["fallback_provider"]
    if name and name != NO_PROVIDER and name == found["default_provider"]:
        default, place = (entries[f"llm.{word}"][1] for word in found)
        if (default.layer, default.file) == (place.layer, place.file):
            raise ConfigError(
                f"{place.key('llm.fallback_provider')} is {name!r}, which is the default provider.",
                code="bad_value",
                hint="Name another provider, or leave the key out.",
                key="llm.fallback_provider",
                value=name,
                file=place.file,
            )
    return found


def tasks(entries: Entries, providers: Providers) -> Iterator[tuple[str, str]]:
    """Yield each task that somebody is preferred for, with the provider's name as it is known."""
    for task in TASKS:
        key = f"llm.tasks.{task}"
        if key not in entries:
            continue
        written, place = entries[key]
        name, slash, model = written.partition("/")
        if name:
            known = [*providers] if slash else [*providers, NO_PROVIDER]
            name = _known(key, name, place, known)
        yield task, f"{name}{slash}{model}"


def check_fallbacks(providers: dict[str, ProviderSettings], places: Mapping[str, Place]) -> None:
    """Give a provider a `fault` whose fallback is no provider, or leads back to where it began; it
    has no fallbacks then. Raises ConfigError where an override names the fallbacks."""
    for name, instance in list(providers.items()):
        key = f"{PROVIDERS}.{name}.fallbacks"
        try:
            _check_fallbacks(name, key, providers, places)
        except ConfigError as error:
            if places[key].layer == "override":
                raise
            providers[name] = structs.replace(instance, fallbacks=(), fault=instance.fault or error)


def _check_fallbacks(
    name: str, key: str, providers: Providers, places: Mapping[str, Place]
) -> None:
    for fallback in providers[name].fallbacks:
        _known(key, fallback, places[key], [*providers])
    way = _way_back(name, providers)
    if way:
        raise ConfigError(
            f"{places[key].key(key)} leads back to {name!r}: {' → '.join(way)}.",
            code="conflict",
            hint=f"Take {way[1]!r} out of it.",
            key=key,
            value=" → ".join(way),
            file=places[key].file,
        )


def _way_back(start: str, providers: Providers) -> list[str]:
    """Return the names from `start` over fallbacks to `start` again, empty when there is no such
    way."""
    ways = [[start]]
    seen = set()
    while ways:
        way = ways.pop(0)
        instance = providers.get(way[-1])
        for fallback in instance.fallbacks if instance else ():
            if fallback == start:
                return [*way, start]
            if fallback not in seen:
                seen.add(fallback)
                ways.append([*way, fallback])
    return []


def _known(key: str, written: str, place: Place, known: list[str]) -> str:
    """Return the name as it is looked up. Raises ConfigError for one that is not `known`."""
    name = canonical_provider(written)
    if name not in known:
        raise ConfigError(
            f"{place.key(key)} is {written!r}, which is no provider.",
            code="bad_value",
            hint=near_miss(name, known),
            key=key,
            value=written,
            file=place.file,
        )
    return name
