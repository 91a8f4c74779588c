"""test_suggest, end to end: targets, tests there are, coverage, a model's additions, bad input."""

from __future__ import annotations

import functools
import json
import os
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Settings
from aiex_ipy.engine.engine import Engine
from aiex_ipy.errors import UnknownNameError, UsageError
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.operations.suggest_tests import (
    MOST,
    MOST_EACH,
    TestSuggestions,
    TestSuggestRequest,
    request_for,
)
from aiex_ipy.providers.scripted import ScriptedProvider
from aiex_ipy.render.results import render
from aiex_ipy.routing.router import Router

TILL = """\
def pay(sum, n=4):
    if n < 1:
        raise ValueError("n")
    if not sum:
        return None
    return sum / n


class Till:
    def open(self, key):
        return self.keys[key]
"""
TESTS = """\
import pytest
from shop.till import Till, pay


def test_pay_refuses():
    with pytest.raises(ValueError):
        pay(1, 0)


def test_pay():
    assert pay(4) == 1
    assert pay(4, n=1) == 4
"""
FILES = {
    "shop/__init__.py": "",
    "shop/till.py": TILL,
    "tests/test_till.py": TESTS,
    "broken.py": "def f(:\n",
    "empty.py": "",
    "data.toml": "x = 1\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


@pytest.fixture
def engine(project: Path) -> Iterator[Engine]:
    settings = Settings(project_dir=str(project), llm=LLMSettings(default_provider="none"))
    engine = Engine(settings)
    yield engine
    engine.close()


def ask(engine: Engine, target: Any, **more: Any) -> TestSuggestions:
    return engine.run_sync(request_for(target, **more))


def test_tests_that_are_there_are_told_beside_what_they_test(engine: Engine) -> None:
    """An expected exception, both sides of a boundary, a default left out: each with its test;
    what no test shows comes first."""
    result = ask(engine, "shop/till.py", symbol="pay")
    shown = {(s.line, s.kind): s.tested_by for s in result.suggestions}
    assert shown[3, "raise"] == "tests/test_till.py::test_pay_refuses"
    assert shown[2, "boundary"] == "tests/test_till.py::test_pay_refuses"
    assert shown[1, "default"] == "tests/test_till.py::test_pay"
    assert shown[4, "branch"] == ""
    assert [bool(s.tested_by) for s in result.suggestions] == sorted(
        bool(s.tested_by) for s in result.suggestions
    )
    assert [(t.name, t.line) for t in result.existing] == [
        ("test_pay_refuses", 5),
        ("test_pay", 10),
    ]


@pytest.mark.parametrize("kind", ["json", "xml", "sqlite", "relative"])
def test_measured_lines_are_told(engine: Engine, project: Path, kind: str) -> None:
    """Coverage data in each of its forms: which lines the tests ran, and which not."""
    write_coverage(project, kind, {"shop/till.py": ({1, 2, 4, 6, 9, 10}, {3, 5, 11})})
    result = ask(engine, "shop/till.py", symbol="pay")
    run = {(s.line, s.kind): s.run for s in result.suggestions}
    assert run[3, "raise"] is False
    assert run[2, "boundary"] is True
    assert result.measured in ("coverage.json", "coverage.xml", ".coverage")
    assert "not run by the tests" in render(result)


def write_coverage(project: Path, kind: str, files: dict[str, tuple[set[int], set[int]]]) -> None:
    """Write what coverage.py would have written; the database by coverage.py itself."""
    import coverage

    if kind == "json":
        data = {
            name: {"executed_lines": sorted(run), "missing_lines": sorted(missing)}
            for name, (run, missing) in files.items()
        }
        (project / "coverage.json").write_text(json.dumps({"meta": {}, "files": data}))
    elif kind == "xml":
        (project / "coverage.xml").write_text(
            f"<?xml version='1.0' ?><coverage><sources><source>{project}</source></sources>"
            + "".join(
                f'<class filename="{name}"><lines>'
                + "".join(
                    f'<line number="{n}" hits="{int(n in run)}"/>' for n in sorted(run | missing)
                )
                + "</lines></class>"
                for name, (run, missing) in files.items()
            )
            + "</coverage>"
        )
    else:
        data_file = coverage.CoverageData(str(project / ".coverage"))
        start = "" if kind == "relative" else f"{project}/"
        data_file.add_lines({f"{start}{name}": run for name, (run, _) in files.items()})
        data_file.write()
        data_file.close()


def test_coverage_data_is_read_without_being_touched(engine: Engine, project: Path) -> None:
    """Nothing is written beside it, and its own bytes stay."""
    write_coverage(project, "sqlite", {"shop/till.py": ({1}, set())})
    before = {p.name: p.read_bytes() for p in project.iterdir() if p.is_file()}
    ask(engine, "shop/till.py")
    assert {p.name: p.read_bytes() for p in project.iterdir() if p.is_file()} == before


def test_old_and_broken_coverage_data_is_said_and_not_used(engine: Engine, project: Path) -> None:
    """Lines that moved since would be told wrongly."""
    write_coverage(project, "json", {"shop/till.py": ({1}, {2})})
    os.utime(project / "coverage.json", (1, 1))
    result = ask(engine, "shop/till.py")
    assert result.notices == ("'coverage.json' is older than shop/till.py and was not used.",)
    assert {s.run for s in result.suggestions} == {None}
    (project / "coverage.json").write_text("{}")
    assert "no output of `coverage json`" in ask(engine, "shop/till.py").notices[0]
    (project / "coverage.json").unlink()
    (project / ".coverage").write_bytes(b"SQLite format 3\0 nonsense")
    assert "no data of coverage.py" in ask(engine, "shop/till.py").notices[0]


def test_live_objects_are_found_in_their_files(engine: Engine) -> None:
    """A function, method, class, module, instance, partial: by file and qualified name."""
    for value, symbol in (
        (statistics.quantiles, "quantiles"),
        (functools.partial(statistics.quantiles, n=4), "quantiles"),
        (statistics.NormalDist.cdf, "NormalDist.cdf"),
        (statistics.NormalDist(0, 1).cdf, "NormalDist.cdf"),
        (statistics.NormalDist.mean, "NormalDist.mean"),
        (statistics.NormalDist(0, 1), "NormalDist"),
        (statistics, ""),
    ):
        result = ask(engine, value)
        assert (result.symbol, result.path) == (symbol, "statistics.py")
        assert result.suggestions or result.notices


def test_objects_without_source_are_refused(engine: Engine) -> None:
    """Built-in and compiled functions have no branches that could be read."""
    for value in (len, dict.get, 3, math_sqrt()):
        with pytest.raises(UsageError, match="no Python source"):
            ask(engine, value)


def math_sqrt() -> Any:
    import math

    return math.sqrt


def test_code_that_does_not_parse_is_an_error(engine: Engine) -> None:
    """An empty list would read as: nothing to test."""
    with pytest.raises(UsageError, match=r"broken\.py cannot be parsed: .*, line 1") as raised:
        ask(engine, "broken.py")
    assert raised.value.hint == "Mend line 1, then ask again."
    with pytest.raises(UsageError, match="<stdin> cannot be parsed"):
        ask(engine, Subject(path="<stdin>", text="x = 1\ny = (\n"))


@pytest.mark.parametrize("name", ["math", "math.sqrt", "msgspec._core"])
def test_a_compiled_module_is_called_compiled(engine: Engine, name: str) -> None:
    """It is there, and has no source to read."""
    with pytest.raises(UnknownNameError, match="is compiled: it has no Python source"):
        ask(engine, name)


def test_a_misspelled_function_is_found_among_many(engine: Engine, project: Path) -> None:
    """All names of the module are compared, private ones after the public."""
    text = "".join(f"def _a{n}(): ...\n" for n in range(60)) + "def check_array(): ...\n"
    (project / "many.py").write_text(text + "def _check_y(): ...\n")
    with pytest.raises(UnknownNameError) as raised:
        ask(engine, "many.check_arrayy")
    assert "Did you mean 'check_array'?" in str(raised.value.hint)


class Guarded:
    """Refuses even to tell its class."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_hostile_objects_stand_for_their_class(engine: Engine) -> None:
    """Its `__class__` is not asked for either."""
    assert ask(engine, Guarded()).symbol == "Guarded"


class Spy:
    """Notes which of its methods run."""

    ran: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        self.ran.append(name)
        raise RuntimeError(name)

    def __repr__(self) -> str:
        self.ran.append("repr")
        raise RuntimeError

    def __len__(self) -> int:
        self.ran.append("len")
        raise RuntimeError


def test_nothing_of_an_object_runs(engine: Engine) -> None:
    """An instance stands for its class; no method of it is called."""
    assert ask(engine, Spy()).symbol == "Spy"
    assert Spy.ran == []


def test_source_without_a_file_keeps_its_line_numbers(engine: Engine) -> None:
    """A piece of a file counts as in that file; a cell is named as such."""
    subject = Subject(path="In[3]", text="    def f(n):\n        return 1 / n\n", first_line=40)
    result = ask(engine, subject)
    assert (result.symbol, result.path, result.suggestions[0].line) == ("f", "In[3]", 41)


def test_a_notebook_counts_in_cells(engine: Engine, project: Path) -> None:
    """The line is the one in the cell."""
    cells = [
        {"cell_type": "code", "source": "x = 1\n"},
        {"cell_type": "code", "source": "def f(n):\n    return 1 / n\n"},
    ]
    (project / "n.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4, "metadata": {}}))
    (found,) = [s for s in ask(engine, "n.ipynb").suggestions if s.kind == "division"]
    assert (found.cell, found.line) == (2, 2)
    assert "cell 2, line 2" in render(ask(engine, "n.ipynb"))


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("empty.py", "is empty"),
        ("data.toml", "is no Python code"),
    ],
)
def test_what_is_no_code_is_said(engine: Engine, target: str, says: str) -> None:
    """Not an error: a result without suggestions."""
    result = ask(engine, target)
    assert result.suggestions == () and result.kind == "text"
    assert says in result.notices[0]


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("shop", UsageError),
        ("", UsageError),
        ("nothing_here", UnknownNameError),
        ("sys.nothing", UnknownNameError),
    ],
)
def test_a_target_that_is_none_is_an_error_with_a_remedy(
    engine: Engine, target: str, error: type[UsageError]
) -> None:
    """A directory, nothing, an unknown name."""
    with pytest.raises(error) as raised:
        ask(engine, target)
    assert raised.value.hint


def test_a_wrong_symbol_names_the_near_miss(engine: Engine) -> None:
    """As explain does."""
    with pytest.raises(UnknownNameError, match="'pay'"):
        ask(engine, "shop/till.py", symbol="pai")


def test_a_module_tells_the_weightiest_of_each_function(engine: Engine) -> None:
    """No function fills the list, and what is left out is counted."""
    result = ask(engine, "argparse")
    each: dict[str, int] = {}
    for suggestion in result.suggestions:
        each[suggestion.symbol] = each.get(suggestion.symbol, 0) + 1
    assert max(each.values()) <= MOST_EACH
    assert len(result.suggestions) == MOST and result.left_out > 0
    assert "left out; name one function" in render(result)


def test_a_function_is_told_whole_with_those_inside_it(engine: Engine, project: Path) -> None:
    """A function named alone is not cut for having functions inside it."""
    body = "".join(f"    if n == {n}:\n        n = 0\n" for n in range(20))
    inner = "    def inner(m):\n        return 1 / m\n"
    (project / "outer.py").write_text(f"def outer(n):\n{inner}{body}    return inner\n")
    result = ask(engine, "outer.py", symbol="outer")
    assert len(result.suggestions) == 21 and not result.left_out
    assert {s.symbol for s in result.suggestions} == {"outer", "outer.inner"}


def test_the_result_is_stable_and_has_no_absolute_path(engine: Engine, project: Path) -> None:
    """The same twice, back from JSON, and no path of this machine in any format."""
    result = ask(engine, "shop/till.py")
    again = ask(engine, "shop/till.py")
    formats = [render(result, form) for form in ("text", "markdown", "html", "json")]  # type: ignore[arg-type]
    assert formats == [render(again, form) for form in ("text", "markdown", "html", "json")]  # type: ignore[arg-type]
    assert not any(str(project) in text or sys.prefix in text for text in formats)
    assert msgspec.json.decode(formats[3], type=TestSuggestions) == result


def test_what_a_model_adds_names_lines_that_are_there(project: Path) -> None:
    """A line outside the target and what is known already is dropped, evidence that is not there
    marked; the rest is added last."""
    instance = ProviderSettings(name="scripted", kind="scripted")
    settings = Settings(
        project_dir=str(project),
        llm=LLMSettings(default_provider="scripted", providers={"scripted": instance}),
    )
    claims = [
        {"line": 6, "symbol": "sum", "evidence": "sum / n", "test": "sum is infinite", "why": "w"},
        {"line": 6, "symbol": "tip", "evidence": "tip / n", "test": "tip is 0", "why": ""},
        {"line": 600, "symbol": "sum", "evidence": "sum", "test": "far away", "why": ""},
        {"line": 6, "symbol": "sum", "evidence": "sum / n", "test": "SUM is  infinite", "why": ""},
    ]
    provider = ScriptedProvider(instance, settings, script=(json.dumps({"tests": claims}),))
    engine = Engine(settings, models=Router(settings, providers={"scripted": provider}))
    try:
        result = engine.run_sync(TestSuggestRequest(target="shop/till.py", symbol="pay"))
    finally:
        engine.close()
    added = [s for s in result.suggestions if s.source == "model"]
    assert [(s.test, s.confirmed) for s in added] == [
        ("sum is infinite", True),
        ("tip is 0", False),
    ]
    assert result.notices[-1].startswith("2 suggestions were left out")
    assert "UNCONFIRMED" in render(result) and "UNCONFIRMED" in render(result, "markdown")
    asked = provider.requests[0].messages[-1].content
    assert "6:     return sum / n" in asked and "line 3: raises ValueError" in asked
