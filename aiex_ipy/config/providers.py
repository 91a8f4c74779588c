"""Provider instances: what their tables leave out, and where a key may be sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from aiex_ipy.config.keys import BY_KEY, PROVIDER_PREFIX, PROVIDERS
from aiex_ipy.config.settings import ProviderSettings
from aiex_ipy.config.values import Place, Unusable, shown, typed
from aiex_ipy.errors import ConfigError, near_miss


class _Kind(Struct, frozen=True, kw_only=True):
    """What is known of a kind before its module is loaded. `wants_v1` is True where the wire's
    paths stand below `/v1`, False where they do not, None where both are in use. `port` is the
    server's own, for an address that is a bare host."""

    key_variable: str = ""
    url_variables: tuple[str, ...] = ()
    wants_v1: bool | None = None
    port: int | None = None
    has_server: bool = True
    needs_url: bool = False


KINDS: dict[str, _Kind] = {
    # Source: openai 3.x and anthropic 2.x, the variables their clients read.
    "openai": _Kind(key_variable="OPENAI_API_KEY", url_variables=("OPENAI_BASE_URL",)),
    "anthropic": _Kind(
        key_variable="ANTHROPIC_API_KEY", url_variables=("ANTHROPIC_BASE_URL",), wants_v1=False
    ),
    "ollama": _Kind(url_variables=("AIEX_OLLAMA_HOST",), wants_v1=False, port=11434),
    "lm_studio": _Kind(url_variables=("AIEX_LM_STUDIO_HOST",), wants_v1=True, port=1234),
    "openai_compatible": _Kind(needs_url=True),
    "embedded": _Kind(has_server=False),
    "scripted": _Kind(has_server=False),
}

NO_PROVIDER = "none"
NO_KIND = "unknown"
"""The kind of a provider whose own says none, or none that there is."""

Entry = tuple[Any, Place]


def canonical_provider(name: str) -> str:
    """Return a provider's name as it is looked up: `LM-Studio` is `lm_studio`."""
    return name.strip().lower().replace("-", "_")


def kinds() -> tuple[str, ...]:
    """Return the known kinds, those of installed plugins included."""
    from importlib.metadata import entry_points

    plugged = {entry.name for entry in entry_points(group="aiex.providers")}
    return (*KINDS, *sorted(plugged - set(KINDS)))


def kind_of(name: str) -> str | None:
    """Return the kind an instance of this name has when its table tells none.

    It is the longest kind that is the name or stands before a `_` in it.
    """
    for known in (tuple(KINDS), kinds):
        names = known if isinstance(known, tuple) else known()
        fitting = [kind for kind in names if name == kind or name.startswith(f"{kind}_")]
        if fitting:
            return max(fitting, key=len)
    return None


def instances(
    values: Mapping[str, Entry], environ: Mapping[str, str]
) -> tuple[dict[str, ProviderSettings], dict[str, Place]]:
    """Return the instances by name, the configured first, and where each value came from.

    Every kind that works without a table has an instance of its own name. One that cannot be asked
    as it is set has a `fault`. Raises ConfigError for what a project must not say.
    """
    tables: dict[str, dict[str, Entry]] = {}
    for key, entry in values.items():
        if key.startswith(f"{PROVIDERS}."):
            name, word = key.removeprefix(f"{PROVIDERS}.").rsplit(".", 1)
            tables.setdefault(name, {})[word] = entry
    for name, kind in KINDS.items():
        if not kind.needs_url:
            tables.setdefault(name, {})
    made: dict[str, ProviderSettings] = {}
    places: dict[str, Place] = {}
    for name, table in tables.items():
        whole, fault = _sound(name, table, environ)
        served = KINDS.get(whole["kind"][0], _Kind()).has_server
        if served and "timeout_ms" not in whole and "llm.timeout_ms" in values:
            whole["timeout_ms"] = values["llm.timeout_ms"]
        if "fallbacks" in whole:
            written, place = whole["fallbacks"]
            whole["fallbacks"] = tuple(dict.fromkeys(map(canonical_provider, written))), place
        made[name] = ProviderSettings(
            name=name, fault=fault, **{word: whole[word][0] for word in whole}
        )
        for word, (_, place) in whole.items():
            places[f"{PROVIDERS}.{name}.{word}"] = place
    return made, places


def _sound(
    name: str, table: Mapping[str, Entry], environ: Mapping[str, str]
) -> tuple[dict[str, Entry], ConfigError | None]:
    """Return the whole table, or what can be used of it and what is wrong with it.

    Raises ConfigError for what a project must not say, and where an override is part of it, since
    whoever wrote that is there to hear it.
    """
    bad = [value.error for value, _ in table.values() if isinstance(value, Unusable)]
    used = {word: entry for word, entry in table.items() if not isinstance(entry[0], Unusable)}
    whole: dict[str, Entry] = {}
    try:
        whole = _completed(name, used, environ)
    except ConfigError as error:
        if error.code == "untrusted":
            raise
        bad.append(error)
    if not bad:
        return whole, None
    if any(place.layer == "override" for _, place in table.values()):
        raise bad[0]
    try:
        kind = _kind(name, used)
    except ConfigError:
        kind = NO_KIND
    return {"kind": (kind, used["kind"][1] if "kind" in used else Place("default", ""))}, bad[0]


def _completed(
    name: str, table: Mapping[str, Entry], environ: Mapping[str, str]
) -> dict[str, Entry]:
    whole = dict(table)
    kind_name = _kind(name, whole)
    kind = KINDS.get(kind_name, _Kind())
    whole["kind"] = (kind_name, whole["kind"][1] if "kind" in whole else Place("default", ""))
    _refuse_senseless(name, kind_name, kind, whole)
    _refuse_price(name, whole)
    if kind.has_server:
        _find_url(name, kind_name, kind, whole, environ)
        _find_key(name, kind_name, kind, whole, environ)
        _refuse_stranger(name, whole)
        if keeps_key(whole):
            del whole["api_key"]
    return whole


def keeps_key(table: Mapping[str, Entry]) -> bool:
    """True when the address comes from a project's file and the key does not: the user's key is
    not sent to a server of a project's choice, even on this machine."""
    if "base_url" not in table or "api_key" not in table:
        return False
    return not table["base_url"][1].trusted and table["api_key"][1].trusted


def _kind(name: str, table: Mapping[str, Entry]) -> str:
    if "kind" in table:
        written, place = table["kind"]
        kind = canonical_provider(written)
        if kind not in KINDS and kind not in kinds():
            key = f"{PROVIDERS}.{name}.kind"
            raise ConfigError(
                f"{place.key(key)} is {written!r}, which is no kind of provider.",
                code="bad_value",
                hint=near_miss(kind, kinds()),
                key=key,
                value=written,
                file=place.file,
            )
        return kind
    found = kind_of(name)
    if found is None:
        place = next(iter(table.values()))[1]
        raise ConfigError(
            f"The provider {name!r} in {place.source!r} has no kind.",
            code="bad_value",
            hint=f"Set {PROVIDERS}.{name}.kind. {near_miss(name, kinds())}",
            key=f"{PROVIDERS}.{name}.kind",
            file=place.file,
        )
    return found


def _refuse_senseless(name: str, kind_name: str, kind: _Kind, table: Mapping[str, Entry]) -> None:
    without: tuple[str, ...] = () if kind.has_server else ("base_url", "api_key", "api_key_env")
    if kind_name != "scripted":
        without += ("answers",)
    for word in without:
        if word in table:
            place = table[word][1]
            key = f"{PROVIDERS}.{name}.{word}"
            raise ConfigError(
                f"{place.key(key)} means nothing for a provider of kind {kind_name!r}.",
                code="bad_value",
                hint="Remove it.",
                key=key,
                file=place.file,
            )
    if kind.needs_url and "base_url" not in table:
        place = next(iter(table.values()))[1]
        raise ConfigError(
            f"The provider {name!r} in {place.source!r} has no base_url.",
            code="bad_value",
            hint=f"Set {PROVIDERS}.{name}.base_url to the server's address.",
            key=f"{PROVIDERS}.{name}.base_url",
            file=place.file,
        )


def _refuse_price(name: str, table: Mapping[str, Entry]) -> None:
    """Refuse half a price, and a project's: with a price of 0 it would get round a budget."""
    words = "input_usd_per_mtok", "output_usd_per_mtok"
    given = [word for word in words if word in table]
    for word in given:
        place = table[word][1]
        key = f"{PROVIDERS}.{name}.{word}"
        other = words[1 - words.index(word)]
        if not place.trusted:
            raise ConfigError(
                f"{place.key(key)} would let a project say what your calls cost.",
                code="untrusted",
                hint="Set it in your own file with `aiex config set`.",
                key=key,
                file=place.file,
            )
        if len(given) == 1:
            raise ConfigError(
                f"{place.key(key)} is set, and {other} is not.",
                code="conflict",
                hint=f"Set {PROVIDERS}.{name}.{other} too.",
                key=key,
                file=place.file,
            )


def _from_environment(
    word: str, name: str, variable: str, environ: Mapping[str, str]
) -> Entry | None:
    text = environ.get(variable, "").strip()
    if not text:
        return None
    place = Place("environment", variable)
    key = f"{PROVIDERS}.{name}.{word}"
    return typed(BY_KEY[PROVIDER_PREFIX + word], key, text, place, text=True), place


def _find_url(
    name: str, kind_name: str, kind: _Kind, table: dict[str, Entry], environ: Mapping[str, str]
) -> None:
    overridden = "base_url" in table and table["base_url"][1].layer == "override"
    own = name == kind_name
    vendors = not any(variable.startswith("AIEX_") for variable in kind.url_variables)
    for variable in kind.url_variables:
        found = _from_environment("base_url", name, variable, environ)
        # The variables of aiex are about one instance, a vendor's about every one of its kind.
        if found and not overridden and (own or (vendors and "base_url" not in table)):
            table["base_url"] = found
    if "base_url" in table and kind.wants_v1 is not None:
        from urllib.parse import urlsplit

        url, place = table["base_url"]
        bare = url.removesuffix("/v1")
        if kind.port and urlsplit(bare).port is None and bare == f"http://{urlsplit(bare).netloc}":
            bare = f"{bare}:{kind.port}"
        table["base_url"] = (f"{bare}/v1" if kind.wants_v1 else bare, place)


def _find_key(
    name: str, kind_name: str, kind: _Kind, table: dict[str, Entry], environ: Mapping[str, str]
) -> None:
    if "api_key_env" in table:
        variable, place = table["api_key_env"]
        if not place.trusted:
            raise ConfigError(
                f"{place.key(f'{PROVIDERS}.{name}.api_key_env')} would let a project choose "
                "which of your variables is sent away.",
                code="untrusted",
                hint="Set it in your own file with `aiex config set`.",
                key=f"{PROVIDERS}.{name}.api_key_env",
                file=place.file,
            )
        if "api_key" in table:
            raise ConfigError(
                f"The provider {name!r} has both api_key and api_key_env.",
                code="conflict",
                hint="Keep one of the two.",
                key=f"{PROVIDERS}.{name}.api_key_env",
                file=place.file,
            )
        found = _from_environment("api_key", name, variable, environ)
        if found:
            table["api_key"] = found
        return
    if not kind.key_variable:
        return
    table["api_key_env"] = (kind.key_variable, Place("default", ""))
    overridden = "api_key" in table and table["api_key"][1].layer == "override"
    if not overridden and (name == kind_name or "api_key" not in table):
        found = _from_environment("api_key", name, kind.key_variable, environ)
        if found:
            table["api_key"] = found


def _refuse_stranger(name: str, table: Mapping[str, Entry]) -> None:
    """Refuse an address from a project's file that is not on this machine.

    A cloned project would otherwise only have to name its own server to be sent what is asked,
    and the user's key with it.
    """
    if "base_url" not in table:
        return
    url, place = table["base_url"]
    if place.trusted or _is_loopback(url):
        return
    raise ConfigError(
        f"{place.key(f'{PROVIDERS}.{name}.base_url')} is {shown(url)}, and a project cannot say "
        "where your questions and keys are sent.",
        code="untrusted",
        hint="If it is right, set it in your own file with "
        f"`aiex config set {PROVIDERS}.{name}.base_url {url}`.",
        key=f"{PROVIDERS}.{name}.base_url",
        value=url,
        file=place.file,
    )


def _is_loopback(url: str) -> bool:
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d+){3}", host))
