"""The layers, put on top of each other.

Later wins: defaults, team file, user file, project file, profile, environment, overrides.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from aiex_ipy.config import files, keys, provider_names
from aiex_ipy.config.environment import variables
from aiex_ipy.config.keys import KeyDoc, PlannedKey
from aiex_ipy.config.providers import canonical_provider, instances
from aiex_ipy.config.settings import (
    AnalyzeSettings,
    BudgetSettings,
    CacheSettings,
    CircuitBreakerSettings,
    CompletionSettings,
    DisplaySettings,
    EmbeddedSettings,
    LLMSettings,
    NetworkSettings,
    ProviderSettings,
    RateLimitSettings,
    SandboxSettings,
    Settings,
)
from aiex_ipy.config.values import Place, Unusable, shown, typed
from aiex_ipy.errors import ConfigError, near_miss


class Origin(Struct, frozen=True):
    """Where a value came from. `layer` is default, found, team, user, project, profile,
    environment or override; `source` the file (absolute), the variable, or `""`."""

    layer: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.layer} ({self.source})" if self.source else self.layer


class Loaded(Struct, frozen=True, kw_only=True):
    """Settings with their story. `values` and `origins` have the same flat, dotted keys.

    Secrets in `values` are `Secret`s. `warnings` are lines for people, such as a file with a
    key that others can read.
    """

    settings: Settings
    values: dict[str, Any]
    origins: dict[str, Origin]
    warnings: tuple[str, ...]
    paths: files.ConfigPaths


Entries = dict[str, tuple[Any, Place]]


def load(
    *,
    project_dir: str | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    profile: str | None = None,
) -> Settings:
    """Return the settings. `overrides` are dotted keys; a value of None is not set.

    Raises ConfigError for the first problem: file by file in the order of the layers, then the
    variables by name, then the overrides. What is wrong with one provider is kept as its `fault`,
    unless the overrides say something of it.
    """
    return load_with_origins(
        project_dir=project_dir, environ=environ, overrides=overrides, profile=profile
    ).settings


def load_with_origins(
    *,
    project_dir: str | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    profile: str | None = None,
) -> Loaded:
    """Return the settings and where each value came from. Raises ConfigError, see `load`."""
    environ = os.environ if environ is None else environ
    wanted = {key: value for key, value in (overrides or {}).items() if value is not None}
    if project_dir is None and "project_dir" in wanted:
        project_dir = str(wanted["project_dir"])
    if profile is None and "env" in wanted:
        profile = str(wanted["env"])
    found = files.paths(project_dir=project_dir, environ=environ)
    if project_dir is not None:
        wanted["project_dir"] = found.project_dir
    if profile is not None:
        wanted["env"] = profile
    return assemble(found, environ, overrides=wanted)


def assemble(
    found: files.ConfigPaths,
    environ: Mapping[str, str],
    *,
    overrides: Mapping[str, object] | None = None,
    replaced: Mapping[str, Mapping[str, Any]] | None = None,
) -> Loaded:
    """Return the settings of these files; `replaced` are tables to take instead of a file's.

    Raises ConfigError.
    """
    replaced = replaced or {}
    merged: Entries = {}
    profiles: dict[str, Entries] = {}
    read: list[Place] = []
    for layer, path in (("team", found.team), ("user", found.user), ("project", found.project)):
        if path is None:
            continue
        place = Place(
            layer,
            path,
            base_dir=os.path.dirname(path),
            file=path,
            trusted=layer != "project",
        )
        table = replaced[path] if path in replaced else files.read(path)
        read.append(place)
        for name, entries in in_file(table, place).items():
            into = profiles.setdefault(name, {}) if name else merged
            if not place.trusted:
                _refuse_raised(entries, {**merged, **into})
            into.update(entries)
    in_variables = dict(_in_environment(environ))
    in_overrides = dict(_in_overrides(overrides or {}))
    name = (in_overrides.get("env") or in_variables.get("env") or (Settings().env,))[0]
    merged["project_dir"] = (found.project_dir, Place("found", ""))
    for entries in (profiles.get(name, {}), in_variables, in_overrides):
        merged.update(entries)
    return _loaded(merged, environ, found, read)


def _refuse_raised(entries: Entries, before: Entries) -> None:
    """Refuse a project's budget above the user's own. Raises ConfigError."""
    for key in ("llm.budget.cost_usd", "llm.budget.tokens"):
        if key in entries and key in before and entries[key][0] > before[key][0]:
            value, place = entries[key]
            raise ConfigError(
                f"{place.key(key)} is {shown(value)}, and a project cannot raise your budget of"
                f" {shown(before[key][0])}.",
                code="untrusted",
                hint="Remove it, or raise it in your own file with `aiex config set`.",
                key=key,
                value=shown(value),
                file=place.file,
            )


def in_file(table: Mapping[str, Any], place: Place) -> dict[str, Entries]:
    """Return the entries of one file: `""` for its own, the profile's name for a profile's.

    Raises ConfigError.
    """
    profiles = table.get("profiles", {})
    rest = {key: value for key, value in table.items() if key != "profiles"}
    tables: dict[str, Entries] = {"": dict(_in_table(rest, "", "", place))}
    _expect_table(profiles, "profiles", place)
    known = keys.BY_KEY["env"].choices
    for name, content in profiles.items():
        if name not in known:
            raise ConfigError(
                f"{place.key(f'profiles.{name}')} is no profile.",
                code="unknown_key",
                hint=near_miss(name, known),
                key=f"profiles.{name}",
                file=place.file,
            )
        _expect_table(content, f"profiles.{name}", place)
        inner = Place(
            "profile",
            place.source,
            base_dir=place.base_dir,
            file=place.file,
            trusted=place.trusted,
        )
        tables[name] = dict(_in_table(content, "", f"profiles.{name}.", inner))
    return tables


def _expect_table(value: Any, key: str, place: Place) -> None:
    if not isinstance(value, dict):
        raise ConfigError(
            f"{place.key(key)} is {shown(value)}, but must be a table.",
            code="bad_value",
            hint=f"Write [{key}] on a line of its own.",
            key=key,
            file=place.file,
            value=shown(value),
        )


def _in_table(
    table: Mapping[str, Any], section: str, prefix: str, place: Place
) -> Iterator[tuple[str, tuple[Any, Place]]]:
    """Yield canonical keys with their typed values; `prefix` is what stands before them in the
    file, for messages."""
    seen: dict[str, str] = {}
    for written, value in table.items():
        word = written
        if section == keys.PROVIDERS:
            word = provider_names.instance_name(written, prefix, place)
        key = f"{section}.{word}" if section else word
        if keys.is_section(key):
            _once(seen, key, written, prefix, place)
            _expect_table(value, prefix + key, place)
            yield from _in_table(value, key, prefix, place)
            continue
        found = _known(key, prefix + key, section, word, place)
        _once(seen, keys.canonical(key), word, prefix, place)
        if isinstance(found, PlannedKey):
            _refuse(found, prefix + key, value, place)
            continue
        if not found.in_files:
            raise ConfigError(
                f"{place.key(prefix + key)} cannot be set in a file.",
                code="bad_value",
                hint=f"Set {found.variable} in the environment.",
                key=prefix + key,
                file=place.file,
            )
        if found.users_own and not place.trusted:
            raise ConfigError(
                f"{place.key(prefix + key)} says whom you trust on the network, and a project "
                "cannot say that.",
                code="untrusted",
                hint=f"If it is right, set {key} in your own file with `aiex config set`.",
                key=prefix + key,
                file=place.file,
            )
        yield keys.canonical(key), (_typed(found, key, prefix, value, place), place)


def _typed(found: KeyDoc, key: str, prefix: str, value: Any, place: Place) -> Any:
    """Return the value; for one of a provider that cannot be used, what stands for it."""
    try:
        return typed(found, prefix + key, value, place, text=False)
    except ConfigError as error:
        if not key.startswith(f"{keys.PROVIDERS}."):
            raise
        return Unusable(error)


def _once(seen: dict[str, str], canonical: str, word: str, prefix: str, place: Place) -> None:
    if canonical in seen:
        first = seen[canonical]
        raise ConfigError(
            f"{place.key(prefix + canonical)} is set twice, as {first!r} and as {word!r}.",
            code="conflict",
            hint=f"Keep {canonical.rsplit('.', 1)[-1]!r}.",
            key=prefix + canonical,
            file=place.file,
        )
    seen[canonical] = word


def _known(key: str, written: str, section: str, word: str, place: Place) -> KeyDoc | PlannedKey:
    found = keys.find(key)
    if found is None:
        raise ConfigError(
            f"{place.key(written)} is not a setting.",
            code="unknown_key",
            hint=near_miss(word, keys.words_in(section)),
            key=written,
            file=place.file,
        )
    return found


def _refuse(planned: PlannedKey, key: str, value: Any, place: Place) -> None:
    if planned.inert is not None and (type(value), value) == (type(planned.inert), planned.inert):
        return
    raise ConfigError(
        f"{place.key(key)} is a setting of {planned.feature}, which is not built yet.",
        code="not_built",
        hint="Unset it." if place.layer == "environment" else "Remove it.",
        key=key,
        file=place.file,
    )


def _in_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, tuple[Any, Place]]]:
    for name, text, found in variables(environ):
        place = Place("environment", name, base_dir=files.working_directory())
        if isinstance(found, PlannedKey):
            _refuse(found, found.key, _inert_text(found, text), place)
        else:
            yield found.key, (typed(found, found.key, text, place, text=True), place)


def _inert_text(planned: PlannedKey, text: str) -> Any:
    if planned.inert is False:
        return text.lower() not in ("false", "0", "no", "off")
    return 0 if planned.inert == 0 and text == "0" else text


def _in_overrides(wanted: Mapping[str, object]) -> Iterator[tuple[str, tuple[Any, Place]]]:
    place = Place("override", "", base_dir=files.working_directory())
    spelled: dict[str, str] = {}
    seen: dict[str, str] = {}
    for written, value in wanted.items():
        key = canonical_key(written)
        section, _, word = key.rpartition(".")
        if section.startswith(f"{keys.PROVIDERS}."):
            name = written.removeprefix(f"{keys.PROVIDERS}.").partition(".")[0]
            section = f"{keys.PROVIDERS}.{provider_names.instance_name(name, '', place)}"
            if spelled.setdefault(section, name) != name:
                _once(spelled, section, name, "", place)
        _once(seen, key, written.rpartition(".")[2], "", place)
        found = _known(key, written, section, word, place)
        if isinstance(found, PlannedKey):
            _refuse(found, written, value, place)
        else:
            text = isinstance(value, str)
            yield key, (typed(found, key, value, place, text=text), place)


def canonical_key(key: str) -> str:
    """Return a dotted key as it stands in `Loaded.values`: `llm.timeout` is `llm.timeout_ms`,
    `llm.providers.lm-studio.model` is `llm.providers.lm_studio.model`."""
    if key.startswith(f"{keys.PROVIDERS}."):
        name, dot, word = key.removeprefix(f"{keys.PROVIDERS}.").partition(".")
        key = f"{keys.PROVIDERS}.{canonical_provider(name)}{dot}{word}"
    return keys.canonical(key)


def _loaded(
    merged: Entries, environ: Mapping[str, str], found: files.ConfigPaths, read: list[Place]
) -> Loaded:
    providers, provider_places = instances(merged, environ)
    chosen = provider_names.default_and_fallback(merged, providers)
    provider_names.check_fallbacks(providers, provider_places)
    faults = [str(each.fault) for each in providers.values() if each.fault is not None]
    flat = {key: value for key, (value, _) in merged.items()}
    settings = Settings(
        **_fields(flat, ""),
        llm=LLMSettings(
            **{**_fields(flat, "llm"), **chosen},
            providers=providers,
            tasks=dict(provider_names.tasks(merged, providers)),
            rate_limit=RateLimitSettings(**_fields(flat, "llm.rate_limit")),
            circuit_breaker=CircuitBreakerSettings(**_fields(flat, "llm.circuit_breaker")),
            cache=CacheSettings(**_fields(flat, "llm.cache")),
            budget=BudgetSettings(**_fields(flat, "llm.budget")),
            embedded=EmbeddedSettings(**_fields(flat, "llm.embedded")),
        ),
        sandbox=SandboxSettings(**_fields(flat, "sandbox")),
        display=DisplaySettings(**_fields(flat, "display")),
        completion=CompletionSettings(**_fields(flat, "completion")),
        analyze=AnalyzeSettings(**_fields(flat, "analyze")),
        network=NetworkSettings(**_fields(flat, "network")),
    )
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for doc in keys.KEYS:
        if doc.key.startswith(keys.PROVIDER_PREFIX):
            continue
        values[doc.key] = keys.value_at(settings, doc.key)
        origins[doc.key] = _origin(merged[doc.key][1] if doc.key in merged else None)
    for name, provider in providers.items():
        for doc in keys.KEYS:
            word = doc.key.removeprefix(keys.PROVIDER_PREFIX)
            if word != doc.key:
                key = f"{keys.PROVIDERS}.{name}.{word}"
                values[key] = getattr(provider, word)
                origins[key] = _origin(provider_places.get(key))
    return Loaded(
        settings=settings,
        values=values,
        origins=origins,
        warnings=(
            *dict.fromkeys(faults),
            *_exposed(provider_places, read),
            *_kept(providers, provider_places, environ),
        ),
        paths=found,
    )


def _origin(place: Place | None) -> Origin:
    return Origin(place.layer, place.source) if place else Origin("default")


def _fields(flat: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Return the values directly in a section, by word."""
    above = f"{section}." if section else ""
    words = ((key.removeprefix(above), flat[key]) for key in flat if key.startswith(above))
    return {word: value for word, value in words if "." not in word}


def _exposed(places: Mapping[str, Place], read: list[Place]) -> Iterator[str]:
    """Yield a line for each settings file that holds a key and can be read by others."""
    holding = {place.file for key, place in places.items() if key.endswith(".api_key")}
    for place in read:
        if place.file in holding and os.name == "posix":
            mode = os.stat(place.source).st_mode
            if mode & 0o077:
                yield (
                    f"{place.source!r} holds a key and can be read by others "
                    f"(mode {mode & 0o777:o}): run `chmod 600` on it."
                )


def _kept(
    providers: Mapping[str, ProviderSettings],
    places: Mapping[str, Place],
    environ: Mapping[str, str],
) -> Iterator[str]:
    """Yield a line for each provider whose address a project gave and whose key was kept back."""
    for name, provider in providers.items():
        place = places.get(f"{keys.PROVIDERS}.{name}.base_url")
        variable = provider.api_key_env
        if place is None or place.trusted or provider.api_key is not None:
            continue
        if variable and environ.get(variable):
            yield (
                f"{place.source!r} sends provider {name!r} to {provider.base_url!r}, so the key in "
                f"{variable} is not used: set the address in your own file if it is right."
            )


__all__ = ["Loaded", "Origin", "assemble", "canonical_key", "in_file", "load", "load_with_origins"]
