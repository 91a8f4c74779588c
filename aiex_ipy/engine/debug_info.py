"""What a bug report needs to know, without secrets."""

from __future__ import annotations

import os
import platform
import sys
import threading
from importlib import metadata
from typing import Any

from aiex_ipy import __version__
from aiex_ipy.engine.engine import Engine, default_engine
from aiex_ipy.engine.functions import config
from aiex_ipy.engine.status import status_of
from aiex_ipy.redaction import Redactor

PACKAGES = (
    "anthropic",
    "complexipy",
    "executing",
    "httpx2",
    "ipykernel",
    "ipython",
    "ipywidgets",
    "jedi",
    "jupyterlab",
    "msgspec",
    "openai",
    "ruff",
    "xllamacpp",
)
VARIABLES = ("AIEX_", "OPENAI_", "ANTHROPIC_", "OLLAMA_", "HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT")


def debug_info() -> dict[str, Any]:
    """Return versions, settings, status, threads and the names of environment variables set.

    Plain values that can be written as JSON. Keys and other known secrets are masked, values of
    environment variables are left out. The home directory stands as `~`.
    """
    engine = default_engine()
    info = {
        "aiex": __version__,
        "python": sys.version.split()[0],
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "packages": _packages(),
        "shell": _shell(),
        "environment": sorted(name for name in os.environ if name.upper().startswith(VARIABLES)),
        "settings": config(),
        "status": _status(engine),
        "engine": {
            "loop_running": engine.loop_running,
            "threads": sorted(thread.name for thread in threading.enumerate()),
        },
    }
    cleaned: dict[str, Any] = _cleaned(info, engine.view.redactor, os.path.expanduser("~"))
    return cleaned


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _shell() -> str:
    """The kind of IPython shell this runs in; IPython is not imported for that."""
    if "IPython" not in sys.modules:
        return "none"
    get = getattr(sys.modules["IPython"], "get_ipython", None)
    shell = get() if get is not None else None
    return "none" if shell is None else type(shell).__name__


def _status(engine: Engine) -> dict[str, Any]:
    from msgspec import to_builtins

    found: dict[str, Any] = to_builtins(status_of(engine))
    return found


def _cleaned(value: Any, redactor: Redactor, home: str) -> Any:
    if isinstance(value, str):
        return redactor.text(value).replace(home, "~")
    if isinstance(value, dict):
        return {key: _cleaned(each, redactor, home) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(each, redactor, home) for each in value]
    return value
