"""A pytest plugin that captures the exception of each failing test, in the process that runs it."""

from __future__ import annotations

from aiex_ipy.grounding.crash.noting import Failing, note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = "aiex-crash"


class Plugin:
    """Watches one run of pytest at a time: a run inside a test is the test's own matter."""

    def __init__(self, path: str | int) -> None:
        self.path = path
        self.failing = Failing(path)
        self.runs: list[Any] = []

    def pytest_configure(self, config: Any) -> None:
        """A run begins."""
        self.runs.append(config)

    def pytest_unconfigure(self, config: Any) -> None:
        """A run ends."""
        if config in self.runs:
            self.runs.remove(config)

    def pytest_exception_interact(self, node: Any, call: Any, report: Any) -> None:
        """Capture the failure of a test, or of collecting one."""
        if call.excinfo is None or node.config not in self.runs[:1]:
            return
        error = call.excinfo.value
        if type(error).__name__ == "CollectError" and error.__cause__ is not None:
            error = error.__cause__  # the import that failed, without pytest's words about it
        self.failing.add(node.nodeid, _of_doctest(error))

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        """Capture where an interrupt met the run."""
        if type(excinfo.value) is KeyboardInterrupt:  # pytest has kinds of its own
            note(self.path, "main", excinfo.value)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take what a worker of pytest-xdist tells of a failure: its process is not watched."""
        if report.failed and hasattr(report, "node"):
            self.failing.add(report.nodeid, _of_worker(report.longrepr, report.nodeid))

    def pytest_collectreport(self, report: Any) -> None:
        """The same of what could not be collected."""
        self.pytest_runtest_logreport(report)


def _of_doctest(error: Any) -> BaseException | str:
    """What a doctest failed of: the exception of its code, or its place and the two results."""
    kind = type(error).__name__
    if kind == "MultipleDoctestFailures":
        error = error.failures[0]
        kind = type(error).__name__
    if kind == "UnexpectedException":
        return error.exc_info[1]  # type: ignore[no-any-return]
    if kind != "DocTestFailure":
        return error  # type: ignore[no-any-return]
    test, example = error.test, error.example
    line = (test.lineno or 0) + example.lineno + 1
    said = f"expected {example.want.strip()!r}, got {error.got.strip()!r}"
    return _text(
        [(str(test.filename), line, test.name)], example.source.strip(), f"DocTestFailure: {said}"
    )


def _of_worker(told: Any, name: str) -> str | None:
    """The report of a test as Python prints a traceback, None for one without places."""
    whole = getattr(told, "longrepr", None)
    if isinstance(whole, str):  # of what could not be collected
        return whole
    entries = list(getattr(getattr(told, "reprtraceback", None), "reprentries", None) or [])
    places = [each.reprfileloc for each in entries if getattr(each, "reprfileloc", None)]
    crash = getattr(told, "reprcrash", None)
    if crash is None or not places:
        return None
    function = name.rpartition("::")[2]
    stack = [
        (str(crash.path if number == len(places) - 1 else each.path), each.lineno, function)
        for number, each in enumerate(places)
    ]
    said = str(crash.message)
    named = said.partition(":")[0].replace(".", "").isidentifier() and ":" in said
    marked = [each for each in getattr(entries[-1], "lines", ()) if each.startswith(">")]
    source = marked[-1][1:].strip() if marked else ""
    return _text(stack, source, said if named else f"AssertionError: {said}")


def _text(stack: list[tuple[str, int, str]], source: str, said: str) -> str:
    lines = ["Traceback (most recent call last):"]
    for file, line, function in stack:
        lines += [
            f'  File "{file}", line {line}, in {function}',
            *([f"    {source}"] * bool(source)),
        ]
    return "\n".join([*lines, said])
