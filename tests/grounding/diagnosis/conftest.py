"""Failures as the rules see them: scripts that raise, and cells that ran one after the other."""

from __future__ import annotations

import ast
import asyncio
import gc
import linecache
import sys
from collections.abc import Iterator

import pytest

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.diagnosis.diagnose import diagnose
from aiex_ipy.grounding.failure.capture import capture
from aiex_ipy.grounding.failure.moment import Moment


class Session:
    """Cells run in one namespace, each compiled under a name of its own, as IPython does."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {"__name__": "__main__"}
        self.cells: list[RanCell] = []
        self.labels: dict[str, str] = {}

    def run(self, code: str) -> BaseException | None:
        number = len(self.cells) + 1
        file = f"<cell {id(self)} {number}>"
        self.labels[file] = f"In[{number}]"
        text = code if code.endswith("\n") else f"{code}\n"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        error: BaseException | None = None
        try:
            tree = ast.parse(text, file)
            run = compile(tree, file, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            waiting = eval(run, self.names)
            if waiting is not None:
                asyncio.run(waiting)
        except BaseException as caught:
            error = caught.with_traceback(caught.__traceback__.tb_next)
        self.cells.append(RanCell(number=number, code=code, ok=error is None))
        return error

    def moment(self, error: BaseException) -> Moment:
        return capture(
            error, cells=self.cells, name_of=self.labels.get, names=self.names, project_dir=""
        )[1]


def diagnosed(*cells: str):
    """What is said of the failure of the last cell."""
    session = Session()
    error = None
    for cell in cells:
        error = session.run(cell)
    assert error is not None, "the last cell was to fail"
    return diagnose(session.moment(error))


def told_of_value(expression: str, *cells: str):
    """What is said of a wrong value."""
    session = Session()
    for cell in cells:
        assert session.run(cell) is None
    value = eval(expression, session.names)
    moment = Moment(cells=session.cells, names=session.names, asked=value, expression=expression)
    return diagnose(moment)


@pytest.fixture
def debugged():
    return diagnosed


@pytest.fixture
def doubted():
    return told_of_value


@pytest.fixture
def session():
    return Session()


@pytest.fixture(autouse=True, scope="module")
def nothing_left() -> Iterator[None]:
    """Let go of what failed at the end of a module, where its filters still hold: a coroutine that
    was never awaited would warn in whichever test runs when it is collected."""
    yield
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            delattr(sys, name)
    gc.collect()


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said here must not depend on how fast the machine imports the rules."""
    monkeypatch.setattr("aiex_ipy.grounding.diagnosis.diagnose.DEADLINE_S", 10.0)
