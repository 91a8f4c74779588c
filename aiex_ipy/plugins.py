"""Entry points by group: list them, load one on first use, say who provides it.

Groups: `aiex.providers`, `aiex.operations`, `aiex.analyzers`, `aiex.executors`, `aiex.frontends`.
The scan of the installed packages happens at the first question and is kept for the process.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from msgspec import Struct

from aiex_ipy.errors import PluginError, UnknownNameError, near_miss


class Plugin(Struct, frozen=True, kw_only=True):
    """One entry point: `value` is `module:attribute`; `package` and `version` say whose it is."""

    group: str
    name: str
    value: str
    package: str
    version: str


def plugins(group: str) -> tuple[Plugin, ...]:
    """Return the entry points of `group`, ours first, then by name; nothing is imported."""
    return _scan(group)


def load(group: str, name: str) -> Any:
    """Import and return the object registered as `name`.

    Raises UnknownNameError when there is none, PluginError when it cannot be imported or two
    packages claim the name.
    """
    return _load(group, name)


@lru_cache
def _scan(group: str) -> tuple[Plugin, ...]:
    from importlib.metadata import entry_points

    found = {
        Plugin(
            group=group,
            name=point.name,
            value=point.value,
            package=point.dist.name if point.dist else "?",
            version=point.dist.version if point.dist else "?",
        )
        for point in entry_points(group=group)
    }
    return tuple(sorted(found, key=lambda p: (p.package != "aiex", p.name, p.package)))


@lru_cache
def _load(group: str, name: str) -> Any:
    offers = [plugin for plugin in _scan(group) if plugin.name == name]
    if not offers:
        known = sorted({plugin.name for plugin in _scan(group)})
        raise UnknownNameError(f"No plugin {name!r} in {group!r}.", hint=near_miss(name, known))
    if len(offers) > 1:
        owners = " and ".join(repr(plugin.package) for plugin in offers)
        raise PluginError(
            f"{owners} both provide {name!r} in {group!r}.", hint="Uninstall one of them."
        )
    plugin = offers[0]
    module, _, attribute = plugin.value.partition(":")
    try:
        import importlib

        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise PluginError(
            f"Plugin {name!r} of {plugin.package!r} {plugin.version} cannot be loaded: {error!r}.",
            hint=f"Reinstall or uninstall the package {plugin.package!r}.",
        ) from error
    return found
