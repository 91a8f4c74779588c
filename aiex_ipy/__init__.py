"""An AI coding assistant that lives inside the Jupyter kernel.

Public names are loaded on first use, so that `import aiex` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"

_PUBLIC = {
    "ask": "aiex_ipy.engine.functions",
    "ask_async": "aiex_ipy.engine.functions",
    "analyze": "aiex_ipy.engine.functions",
    "analyze_async": "aiex_ipy.engine.functions",
    "analyze_file": "aiex_ipy.engine.functions",
    "explain": "aiex_ipy.engine.functions",
    "explain_async": "aiex_ipy.engine.functions",
    "Chat": "aiex_ipy.engine.functions",
    "config": "aiex_ipy.engine.functions",
    "load_helpers": "aiex_ipy.frontends.ipython.helpers",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'aiex' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(module), name)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext aiex`: add the helpers and magics to this shell."""
    from aiex_ipy.frontends.ipython.extension import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext aiex`: take away all that `%load_ext aiex` added."""
    from aiex_ipy.frontends.ipython.extension import unload

    unload(shell)
