"""Which installed distribution a file is of."""

from __future__ import annotations

import os
import sys
import sysconfig


def distribution_of(file: str, module: str) -> tuple[str, str]:
    """Return the name and version of the distribution that a module's file came with: that of
    Python itself for the standard library, `("", "")` for the user's own code."""
    real = os.path.realpath(file)
    paths = sysconfig.get_paths()
    sites = [os.path.realpath(paths[key]) + os.sep for key in ("purelib", "platlib")]
    sites += [
        os.path.realpath(path) + os.sep
        for path in sys.path
        if os.path.basename(path) in ("site-packages", "dist-packages")
    ]
    top = module.partition(".")[0]
    if real.startswith(tuple(sites)):
        return _installed(top)
    if top in sys.stdlib_module_names:
        return "Python", ".".join(map(str, sys.version_info[:3]))
    return "", ""


def _installed(top: str) -> tuple[str, str]:
    from importlib import metadata

    for name in (top, top.replace("_", "-")):
        try:
            found = metadata.distribution(name)
        except (metadata.PackageNotFoundError, ValueError):
            continue
        return found.metadata["Name"], found.version
    for name in metadata.packages_distributions().get(top, ()):
        return name, metadata.version(name)
    return "", ""
