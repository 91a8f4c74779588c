"""The hooks in the child process: capture an uncaught exception, write it, go on as ever.

Nothing but what Python has loaded anyway is imported before a crash: a program must not find
modules loaded that it would have loaded itself, from files of its own for instance. At a crash our
imports go past the program's directories.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from types import ModuleType, TracebackType
    from typing import Any

    from aiex_ipy.grounding.crash.record import Where


def install(path: str | int) -> None:
    """Write what this process's exceptions are that nobody catches to a file or descriptor, in
    `sys.excepthook`, `threading.excepthook` and `sys.unraisablehook`; the hooks that are there
    are called as ever."""
    shown = sys.excepthook
    unraisable = sys.unraisablehook

    def main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        note(path, "main", error)
        shown(kind, error, trace)

    def finalizer(args: Any) -> None:
        if args.exc_value is not None:
            note(path, "unraisable", args.exc_value)
        unraisable(args)

    sys.excepthook = main
    sys.unraisablehook = finalizer
    _when_loaded("threading", lambda module: _watch_threads(module, path))


def note(path: str | int, where: Where, error: BaseException) -> None:
    """Capture an exception and write it; say so when that does not work, and never raise."""
    try:
        with_own_imports(_write, path, where, error)
    except ImportError:  # a Python without aiex; the parent says so
        return
    except BaseException as trouble:
        print(f"aiex could not capture the error: {type(trouble).__name__}", file=sys.stderr)


def _write(path: str | int, where: Where, error: BaseException) -> None:
    from aiex_ipy.grounding.crash.record import Crash, append
    from aiex_ipy.grounding.diagnosis.diagnose import diagnose
    from aiex_ipy.grounding.failure.capture import capture

    main = sys.modules.get("__main__")
    names = vars(main) if main is not None else None
    failure, moment = capture(error, names=names, project_dir=os.getcwd())
    try:
        diagnoses = diagnose(moment)
    except Exception as trouble:
        print(f"aiex could not diagnose the error: {type(trouble).__name__}", file=sys.stderr)
        diagnoses = ()
    frame = moment.frame
    source = frame.source if frame is not None else None
    crash = Crash(
        where=where,
        failure=failure,
        diagnoses=diagnoses,
        source=source,
        shown=moment.shown(source),
    )
    append(path, crash)


def with_own_imports(run: Callable[..., None], *args: object) -> None:
    """Call a function while modules are found in Python's and installed packages' directories
    alone, and modules of the program that have a name of the standard library's are hidden."""
    paths = list(sys.path)
    hidden = dict(_shadows())
    for name in hidden:
        del sys.modules[name]
    sys.path[:] = [each for each in paths if _is_own(each)]
    try:
        run(*args)
    finally:
        sys.path[:] = paths
        sys.modules.update(hidden)


def _is_own(path: str) -> bool:
    home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))
    packages = f"{os.sep}site-packages"
    return bool(path) and (
        packages in path or path.startswith((sys.prefix, sys.base_prefix)) or path == home
    )


def _shadows() -> Iterator[tuple[str, ModuleType]]:
    library = os.path.dirname(os.__file__)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] not in sys.stdlib_module_names or name == "__main__":
            continue
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and not file.startswith((library, sys.base_prefix, sys.prefix)):
            yield name, module


def _when_loaded(name: str, act: Callable[[ModuleType], None]) -> None:
    """Act once a module is loaded, without loading it: threads die only where it is."""
    if name in sys.modules:
        act(sys.modules[name])
        return

    class Finder:
        """Stands first among the finders until the module is asked for; has it found by those
        after it, and acts when it has been run."""

        @staticmethod
        def find_spec(wanted: str, path: Any = None, target: Any = None) -> Any:
            if wanted != name:
                return None
            sys.meta_path.remove(Finder)
            found = (each.find_spec(wanted, path, target) for each in list(sys.meta_path))
            spec = next((each for each in found if each is not None), None)
            loader: Any = spec.loader if spec is not None else None
            if loader is not None:
                execute = loader.exec_module

                def exec_module(module: ModuleType) -> None:
                    execute(module)
                    act(module)

                loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder)


def _watch_threads(module: Any, path: str | int) -> None:
    shown = module.excepthook

    def died(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            note(path, "thread", args.exc_value)
            with_own_imports(_remember, args)
        shown(args)

    module.excepthook = died


def _remember(args: threading.ExceptHookArgs) -> None:
    """Keep what a thread died of: the main thread may miss what it was to write."""
    try:
        from aiex_ipy.grounding.failure.deaths import note as remember
    except ImportError:  # a Python without aiex; the parent says so
        return
    remember(args)
