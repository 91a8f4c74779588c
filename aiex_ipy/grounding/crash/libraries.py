"""Where exceptions end without `sys.excepthook`: threads, forked processes, `unittest`, pytest.

Each is changed in this process alone, once the program has loaded it: what the program starts
finds nothing of ours. Loads nothing that the program has not.
"""

from __future__ import annotations

import sys

from aiex_ipy.grounding.crash.noting import Failing, note, with_own_imports
from aiex_ipy.grounding.crash.pytest_plugin import NAME, Plugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from typing import Any


def threads(module: Any, path: str | int) -> None:
    """Watch what threads die of."""
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


def processes(module: Any, path: str | int) -> None:
    """Watch what forked processes die of: `multiprocessing` prints it and ends them itself."""
    kind = module.BaseProcess
    started = kind._bootstrap

    def bootstrap(self: Any, *args: Any, **more: Any) -> Any:
        run = self.run

        def watched() -> None:
            try:
                run()
            except Exception as error:
                note(path, "process", error, process=str(self.name))
                if error.__traceback__ is not None:  # what is printed is as without us
                    error.__traceback__ = error.__traceback__.tb_next
                raise

        self.run = watched
        return started(self, *args, **more)

    kind._bootstrap = bootstrap


def results(module: Any, path: str | int) -> None:
    """Watch the failures that `unittest` collects."""
    kind = module.TestResult
    failing = Failing(path)

    def watched(shown: Callable[..., Any]) -> Callable[..., Any]:
        def add(self: Any, test: Any, *rest: Any) -> Any:
            if rest and rest[-1] is not None:
                error = rest[-1][1]
                failing.add(str(rest[0] if len(rest) > 1 else test), _imported(test) or error)
            return shown(self, test, *rest)

        return add

    for name in ("addError", "addFailure", "addSubTest"):
        setattr(kind, name, watched(getattr(kind, name)))


_NOT_IMPORTED: dict[str, BaseException] = {}
"""What importing a test module raised, by the name of the test that tells of it."""


def _imported(test: Any) -> BaseException | None:
    return _NOT_IMPORTED.get(str(test)) if type(test).__name__ == "_FailedTest" else None


def loading(module: Any, path: str | int) -> None:
    """Keep what the import of a test module raised: the test that fails in its stead has the
    text alone."""
    make = module._make_failed_import_test

    def made(*args: Any) -> Any:
        error = sys.exc_info()[1]
        suite, said = make(*args)
        for test in suite:
            if error is not None:
                _NOT_IMPORTED[str(test)] = error
        return suite, said

    module._make_failed_import_test = made


def pytest(module: Any, path: str | int) -> None:
    """Have every plugin manager of pytest's know our plugin, and tell of a broken conftest."""
    manager, broken = module.PytestPluginManager, module.ConftestImportFailure
    plugin = Plugin(path)
    made, failed = manager.__init__, broken.__init__

    def with_plugin(self: Any, *args: Any, **more: Any) -> None:
        made(self, *args, **more)
        self.register(plugin, NAME)

    def with_note(self: Any, *args: Any, **more: Any) -> None:
        failed(self, *args, **more)
        cause = getattr(self, "cause", None)  # of pytest 8.1 and later
        note(path, "main", cause if cause is not None else self.excinfo[1])

    manager.__init__, broken.__init__ = with_plugin, with_note


WATCHERS: dict[str, Callable[[Any, str | int], None]] = {
    "threading": threads,
    "multiprocessing.process": processes,
    "unittest.result": results,
    "unittest.loader": loading,
    "_pytest.config": pytest,
}
"""What is done with a module once it is loaded."""
