"""Which installed distributions were involved in a failure, by version."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable

from aiex_ipy.grounding.failure.record import Version

MOST = 12
HIDDEN = frozenset({"builtins", "__main__", "aiex_ipy", "IPython", "ipykernel"})


def versions_of(names: Iterable[str]) -> tuple[Version, ...]:
    """Return Python's version and those of the packages with these top-level names.

    Read off the names of the `.dist-info` directories, as `grounding.versions` does and for its
    reason; a package whose distribution is called otherwise gives its own `__version__`.
    """
    wanted = [name for name in dict.fromkeys(names) if name not in HIDDEN]
    wanted = [name for name in wanted if name not in sys.stdlib_module_names]
    found = [Version(name="Python", version=platform.python_version())]
    installed = _installed() if wanted else {}
    for name in wanted[:MOST]:
        known = installed.get(_normal(name))
        if known is None:
            module = sys.modules.get(name)
            own = vars(module).get("__version__") if module is not None else None
            known = (name, own) if type(own) is str else None
        if known is not None:
            found.append(Version(name=known[0], version=known[1]))
    return tuple(found)


def _installed() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for entry in sys.path:
        try:
            names = os.listdir(entry or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                distribution, _, version = name.removesuffix(".dist-info").partition("-")
                found.setdefault(_normal(distribution), (distribution, version))
    return found


def _normal(name: str) -> str:
    """Source: PyPA specification "Names and normalization"."""
    return re.sub(r"[-_.]+", "-", name).lower()
