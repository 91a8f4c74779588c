"""The hooks in the child process: capture an uncaught exception, write it, go on as ever.

Nothing but what Python has loaded anyway is imported before a crash: a program must not find
modules loaded that it would have loaded itself, from files of its own for instance. At a crash our
imports go past the program's directories.
"""

from __future__ import annotations

import atexit
import os
import sys

from aiex_ipy.grounding.crash.libraries import WATCHERS
from aiex_ipy.grounding.crash.noting import note
from aiex_ipy.grounding.crash.writing import COUNTED, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType, TracebackType
    from typing import Any


def install(path: str | int) -> None:
    """Write what this process's exceptions are that nobody catches to a file or descriptor: in
    `sys.excepthook` and `sys.unraisablehook`, and in threads, forked processes and tests once
    their modules are loaded. The hooks that are there are called as ever.

    An exception that a hook of the program's own took is found at the interpreter's end.
    """
    shown = sys.excepthook
    unraisable = sys.unraisablehook
    own = os.getpid()
    told: list[int] = []

    def main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        told.append(id(error))
        note(path, "main", error)
        shown(kind, error, trace)

    def finalizer(args: Any) -> None:
        if args.exc_value is not None:
            note(path, "unraisable", args.exc_value)
        unraisable(args)

    def at_end() -> None:
        # Source: Python documentation, `sys.last_value`: set when an exception is not handled.
        error = getattr(sys, "last_value", None)
        if os.getpid() != own or id(error) in told or COUNTED:
            return
        if isinstance(error, BaseException):
            note(path, "hook", error)

    sys.excepthook = main
    sys.unraisablehook = finalizer
    atexit.register(at_end)
    _when_loaded(dict(WATCHERS), path)
    write(path, b'{"type":"watched"}')


def _when_loaded(acts: dict[str, Callable[[Any, str | int], None]], path: str | int) -> None:
    """Act once each module is loaded, without loading it: only where it is can it matter."""
    for name in [each for each in acts if each in sys.modules]:
        acts.pop(name)(sys.modules[name], path)

    class Finder:
        """Stands first among the finders; has a module found by those after it, and acts when it
        has been run."""

        @staticmethod
        def find_spec(wanted: str, within: Any = None, target: Any = None) -> Any:
            if wanted not in acts:
                return None
            act = acts.pop(wanted)
            others = [each for each in list(sys.meta_path) if each is not Finder]
            found = (each.find_spec(wanted, within, target) for each in others)
            spec = next((each for each in found if each is not None), None)
            loader: Any = spec.loader if spec is not None else None
            if loader is not None:
                execute = loader.exec_module

                def exec_module(module: ModuleType) -> None:
                    execute(module)
                    act(module, path)

                loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder)
