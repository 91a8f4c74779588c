"""The modules that can be imported, found by the names of files; nothing is imported."""

from __future__ import annotations

import os
import sys
from importlib.machinery import all_suffixes

from aiex_ipy.grounding.completing.reading import own

_listed: dict[str, tuple[int, tuple[str, ...]]] = {}
_SUFFIXES = tuple(sorted(all_suffixes(), key=len, reverse=True))


def top_level() -> list[str]:
    """Return the names that `import NAME` finds: built in, frozen, and along `sys.path`."""
    found = set(sys.builtin_module_names) | set(sys.stdlib_module_names)
    for each in list(sys.path):
        if type(each) is str:
            found.update(_inside(each or os.getcwd()))
    return sorted(found)


def submodules(name: str) -> list[str]:
    """Return the modules inside a package: by its live `__path__` if it is imported, else by the
    directories along `sys.path` that have its name."""
    module = sys.modules.get(name)
    paths = own(module).get("__path__") if module is not None else None
    directories = [each for each in paths if type(each) is str] if type(paths) is list else []
    if module is None:
        parts = name.split(".")
        roots = [each or os.getcwd() for each in list(sys.path) if type(each) is str]
        directories = [os.path.join(root, *parts) for root in roots]
    return sorted({inner for directory in directories for inner in _inside(directory)})


def _inside(directory: str) -> tuple[str, ...]:
    """The modules in a directory; listed again when it has changed."""
    try:
        changed = os.stat(directory).st_mtime_ns
        known = _listed.get(directory)
        if known is not None and known[0] == changed:
            return known[1]
        with os.scandir(directory) as entries:
            found = tuple({name for each in entries if (name := _module_name(each))})
    except (OSError, ValueError):  # no directory, not readable, a zip file
        return ()
    _listed[directory] = (changed, found)
    return found


def _module_name(entry: os.DirEntry[str]) -> str:
    name = entry.name
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            name = name.removesuffix(suffix)
            return name if name.isidentifier() and name != "__init__" else ""
    return name if name.isidentifier() and name != "__pycache__" and entry.is_dir() else ""
