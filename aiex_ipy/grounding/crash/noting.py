"""Capture an exception that nobody caught, and write it.

Nothing but what Python has loaded anyway is imported before a crash; then our imports go past the
program's directories.
"""

from __future__ import annotations

import os
import sys

from aiex_ipy.grounding.crash.writing import count, write_quietly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from aiex_ipy.grounding.crash.record import Where

MOST = 5
"""Failing tests that are captured; the first is explained, the others are counted."""


def note(path: str | int, where: Where, error: BaseException | str, process: str = "") -> None:
    """Capture an exception, or a text in which one was printed, and write it; say so when that
    does not work, and never raise."""
    try:
        with_own_imports(_write, path, where, error, process)
    except ImportError:  # a Python without aiex; the parent says so
        write_quietly(path, b'{"type":"unable"}')
    except BaseException as trouble:
        print(f"aiex could not capture the error: {type(trouble).__name__}", file=sys.stderr)


def _write(path: str | int, where: Where, error: BaseException | str, process: str) -> None:
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
        process=process,
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


class Failing:
    """The failing tests of this process: each is counted, the first ones are captured."""

    def __init__(self, path: str | int) -> None:
        self.path = path
        self.seen: set[str] = set()

    def add(self, test: str, error: BaseException | str | None) -> None:
        """Take the failure of a test, once."""
        if test in self.seen:
            return
        self.seen.add(test)
        count(self.path)
        if error is not None and len(self.seen) <= MOST:
            note(self.path, "test", error)
