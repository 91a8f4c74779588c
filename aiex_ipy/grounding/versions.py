"""Which analyzers gave the facts, by version."""

from __future__ import annotations

import os
import sys
from functools import cache

_ANALYZERS = ("complexipy", "ruff")


@cache
def versions() -> dict[str, str]:
    """Return the analyzers' versions by name, and Python's, whose parser reads the code.

    Read off the names of the `.dist-info` directories beside the packages: `importlib.metadata`
    alone costs three times a bare start of Python. Source: PyPA specification "Recording
    installed projects", directory naming.
    """
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for entry in sys.path:
        try:
            names = os.listdir(entry or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                distribution, _, version = name.removesuffix(".dist-info").partition("-")
                if distribution in _ANALYZERS:
                    found.setdefault(distribution, version)
    return dict(sorted(found.items()))
