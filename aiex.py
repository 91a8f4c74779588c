"""The name users load and import; everything lives in `aiex_ipy`."""

import aiex_ipy as _package
from aiex_ipy import __version__ as __version__
from aiex_ipy import load_ipython_extension as load_ipython_extension
from aiex_ipy import public as __getattr__  # noqa: F401 - Python itself asks for it (PEP 562)
from aiex_ipy import unload_ipython_extension as unload_ipython_extension

__all__ = [*_package.__all__, "load_ipython_extension", "unload_ipython_extension"]


def __dir__() -> list[str]:
    return sorted({*__all__, *globals(), "__getattr__"})
