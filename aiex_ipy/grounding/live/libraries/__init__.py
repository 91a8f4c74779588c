"""Describers of values of well-known libraries, one module each, loaded when the user has imported
the library.

Each has `describe(value, base, printer)`: `base` is the library's own class that the value is an
instance of, perhaps through a subclass of the user's, whose overriding is then not to be called.
It returns None for what it does not know. A `printer` of depth 0 asks for what is known at once:
no preview, nothing counted.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import is_class, is_of, module_of, mro, qualname

DESCRIBERS = {
    package: package
    for package in (
        "dask",
        "matplotlib",
        "numpy",
        "pandas",
        "polars",
        "pydantic",
        "sklearn",
        "sqlalchemy",
        "torch",
        "xarray",
    )
}
"""The describing module for each package, by the first part of a class' `__module__`."""


def described(value: Any, printer: Printer) -> Description | None:
    """Return what the describer of a library tells of a value, None where there is none."""
    if is_class(value):
        return None
    for each in mro(type(value)):
        package = module_of(each).partition(".")[0]
        describer = DESCRIBERS.get(package)
        if describer is None or package not in sys.modules or not is_of(each, package):
            continue
        module = import_module(f"{__name__}.{describer}")
        found: Description | None = module.describe(value, each, printer)
        if found is not None:
            return found
    return None


def in_short(value: Any) -> str | None:
    """Return a value of a library in a few words, as it is shown inside of other values."""
    found = described(value, Printer(depth=0))
    if found is None:
        return None
    if found.kind == "scalar" and found.value:
        return found.value
    parts = [qualname(type(value))]
    if found.shape is not None:
        parts.append(f"shape {found.shape}")
    elif found.length is not None:
        parts.append(f"length {found.length}")
    if found.dtype:
        parts.append(found.dtype)
    return f"<{' '.join(parts)}>"
