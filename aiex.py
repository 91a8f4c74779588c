"""The name users load and import; everything lives in `aiex_ipy`."""

from aiex_ipy import (
    __all__,
    __getattr__,
    __version__,
    load_ipython_extension,
    unload_ipython_extension,
)

__all__ += ["load_ipython_extension", "unload_ipython_extension"]
