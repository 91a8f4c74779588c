"""Settings from their layers: defaults, files, profile, environment, overrides.

Names are loaded on first use, so that importing `aiex_ipy.config.settings` costs one module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiex_ipy.config.files import ConfigPaths, paths
    from aiex_ipy.config.keys import KeyDoc, describe
    from aiex_ipy.config.loading import Loaded, Origin, load, load_with_origins
    from aiex_ipy.config.providers import canonical_provider
    from aiex_ipy.config.writing import set_value

_HOMES = {
    "ConfigPaths": "files",
    "paths": "files",
    "KeyDoc": "keys",
    "describe": "keys",
    "Loaded": "loading",
    "Origin": "loading",
    "load": "loading",
    "load_with_origins": "loading",
    "canonical_provider": "providers",
    "set_value": "writing",
}

__all__ = [
    "ConfigPaths",
    "KeyDoc",
    "Loaded",
    "Origin",
    "canonical_provider",
    "describe",
    "load",
    "load_with_origins",
    "paths",
    "set_value",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
