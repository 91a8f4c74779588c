"""project, end to end: real trees, histories and data; what the focus leads with; bad input."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Settings
from aiex_ipy.engine.engine import Engine
from aiex_ipy.errors import UnknownNameError, UsageError, WorkspaceError
from aiex_ipy.operations import project as operation
from aiex_ipy.operations.project import FOCUSES, ProjectRequest, ProjectSurvey, focus_of
from aiex_ipy.providers.scripted import ScriptedProvider
from aiex_ipy.render.results import render
from aiex_ipy.routing.router import Router

HARD = "def tangle(a, b):\n" + "".join(
    f"    if a > {n}:\n        if b < {n}:\n            return {n}\n" for n in range(12)
)
FILES = {
    "pyproject.toml": '[project]\nname = "shop"\n[project.scripts]\nshop = "shop.cli:main"\n'
    '[project.entry-points."shop.tills"]\ncash = "shop.till:Till"\n',
    "shop/__init__.py": "",
    "shop/__main__.py": "from shop.cli import main\n\nmain()\n",
    "shop/cli.py": "import os\n\nimport requests\n\nfrom shop import till\n\n\n"
    "def main():\n    os.system('ls ' + input())\n    return till.Till(), requests\n",
    "shop/till.py": "from shop import desk\n\n\nclass Till:\n    def pay(self):\n"
    "        return desk\n",
    "shop/desk.py": "from shop import till\n\nuse = till\n\n\n" + HARD,
    "shop/alone.py": "".join(f"x{n} = {n}\n" for n in range(12)),
    "tests/test_till.py": "from shop.till import Till\n\n\ndef test_it():\n    assert Till().pay\n",
    "broken.py": "def f(:\n",
    "n.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": "x = 1\n"}], "nbformat": 4}),
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


@pytest.fixture
def engine(tree: Path) -> Iterator[Engine]:
    settings = Settings(project_dir=str(tree), llm=LLMSettings(default_provider="none"))
    engine = Engine(settings)
    yield engine
    engine.close()


def ask(engine: Engine, path: str = "", focus: str = "all") -> ProjectSurvey:
    return engine.run_sync(ProjectRequest(path=path, focus=focus_of(focus)))


def git(tree: Path, *words: str) -> None:
    person = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *person, *words], cwd=tree, check=True, capture_output=True)


def test_the_facts_of_a_project(engine: Engine) -> None:
    """Size, ways in, cycles, what is untested, what comes from outside, what does not parse."""
    result = ask(engine)
    assert (result.size.files, result.size.test_files, result.size.notebooks) == (9, 1, 1)
    assert [(p.kind, p.name) for p in result.entry_points] == [
        ("command", "shop"),
        ("plugin", "cash"),
        ("package", "python -m shop"),
    ]
    assert result.cycles == (("shop.desk", "shop.till"),)
    assert result.external == {"requests": 1}
    assert result.untested == ("shop.desk", "shop.alone")
    assert result.unparsed == ("broken.py: Invalid syntax, line 1",)
    desk = next(m for m in result.modules if m.name == "shop.desk")
    assert (desk.imported_by, desk.hardest, desk.changes, desk.coverage) == (
        1,
        "tangle",
        None,
        None,
    )
    assert desk.complexity > 15
    assert any(u.unit == "tangle" and "complexity" in u.reason for u in result.worst)
    assert result.history == "Nothing is known of changes: it is no git repository."
    assert result.hot_spots == ()


def test_hot_spots_are_complexity_times_changes(engine: Engine, tree: Path) -> None:
    """From git; a file git does not track has no changes that are known."""
    git(tree, "init", "-q")
    git(tree, "add", "shop", "tests")
    git(tree, "commit", "-qm", "x")
    (tree / "shop/desk.py").write_text(FILES["shop/desk.py"] + "\n")
    git(tree, "commit", "-qam", "y")
    result = ask(engine)
    assert [(m.path, m.changes) for m in result.hot_spots] == [("shop/desk.py", 2)]
    assert result.history == "2 commits in the 365 days up to the newest"
    changes = {m.path: m.changes for m in result.modules}
    assert changes["shop/till.py"] == 1 and changes["n.ipynb"] is None


def test_coverage_is_told_where_there_is_data(engine: Engine, tree: Path) -> None:
    """As coverage.py wrote it, by file and in all; what changed since counts for nothing."""
    import coverage

    data = coverage.CoverageData(str(tree / ".coverage"))
    data.add_lines({str(tree / "shop/till.py"): {1, 4, 5}, str(tree / "shop/alone.py"): {1}})
    data.write()
    data.close()
    later = (tree / ".coverage").stat().st_mtime + 10
    os.utime(tree / "shop/alone.py", (later, later))
    result = ask(engine)
    assert result.coverage is not None
    assert result.coverage.share == 0.75
    assert result.coverage.stale == ("shop/alone.py",)
    assert "changed since '.coverage' was written" in result.notices[0]
    assert "75.0% of 1 module (.coverage)" in render(ask(engine, focus="tests"))


@pytest.mark.parametrize(
    ("focus", "first"),
    [
        ("all", "Size"),
        ("quality", "Worst units"),
        ("performance", "Most complex"),
        ("security", "Findings"),
        ("architecture", "Imports"),
        ("tests", "Coverage"),
    ],
)
def test_the_focus_says_what_leads(engine: Engine, focus: str, first: str) -> None:
    """Other facts first, and findings of that kind alone."""
    result = ask(engine, focus=focus)
    assert render(result).splitlines()[3] == first
    if focus == "security":
        assert {i.category for i in result.findings} == {"security"}
        assert result.findings[0].path == "shop/cli.py"


def test_an_unknown_focus_names_the_near_miss() -> None:
    """And every known one is taken."""
    with pytest.raises(UnknownNameError, match="'security'"):
        focus_of("securty")
    assert [focus_of(word) for word in FOCUSES] == list(FOCUSES)
    assert focus_of("") == focus_of(None) == "all"


def test_every_format_and_a_stable_json(engine: Engine, tree: Path) -> None:
    """The same twice, back from JSON, no absolute path; HTML has the picture with its words."""
    result = ask(engine)
    again = ask(engine)
    for form in ("text", "markdown", "html", "json"):
        shown = render(result, form)  # type: ignore[arg-type]
        assert shown == render(again, form)  # type: ignore[arg-type]
        assert str(tree) not in shown and sys.prefix not in shown
    assert msgspec.json.decode(render(result, "json"), type=ProjectSurvey) == result
    page = render(result, "html")
    assert re.search(r'<img alt="Import graph of 4 modules with \d+ imports; most imp', page)
    assert "<script" not in page and page.count("<svg") == 0
    assert "<img" not in render(result, "markdown")


def test_an_installed_package_by_its_name(engine: Engine) -> None:
    """It is not imported for that."""
    result = ask(engine, "tomlkit")
    assert any(m.name == "tomlkit.parser" for m in result.modules)
    assert result.path == "tomlkit"
    assert all(m.path.endswith(".py") and "tomlkit/" not in m.path for m in result.modules)


@pytest.mark.parametrize(
    ("name", "says", "hint"),
    [
        ("tomlkitt", "no package that can be imported", "Did you mean 'tomlkit'?"),
        ("tomlkit.parser", "is a module", "Name a package"),
        ("math", "is a module", "Name a package"),
    ],
)
def test_a_name_that_is_no_package(engine: Engine, name: str, says: str, hint: str) -> None:
    """A misspelled package is told what is spelled like it; a module is called one."""
    with pytest.raises(UnknownNameError, match=says) as raised:
        ask(engine, name)
    assert hint in str(raised.value.hint)


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("empty", UsageError, "no Python file"),
        ("texts", UsageError, "no Python file"),
        ("n.ipynb", UsageError, "is a file"),
        ("shop/cli.py", UsageError, "is a file"),
        ("missing/here", WorkspaceError, "does not exist"),
    ],
)
def test_a_path_that_is_no_project(
    engine: Engine, tree: Path, path: str, error: type[UsageError], says: str
) -> None:
    """An empty directory, one without Python, a file, a notebook, nothing."""
    (tree / "empty").mkdir()
    (tree / "texts").mkdir()
    (tree / "texts" / "a.md").write_text("x")
    with pytest.raises(error, match=says) as raised:
        ask(engine, path)
    assert raised.value.hint


def test_one_file_is_a_project_too(engine: Engine, tree: Path) -> None:
    """Without a graph, and without a picture."""
    (tree / "one").mkdir()
    (tree / "one" / "a.py").write_text("if __name__ == '__main__':\n    print(1)\n")
    result = ask(engine, "one")
    assert [m.name for m in result.modules] == ["a"]
    assert [p.kind for p in result.entry_points] == ["script"]
    assert "<img" not in render(result, "html")


def test_too_many_files_are_cut_and_said(
    engine: Engine, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests are left out first; what was not read is said."""
    monkeypatch.setattr(operation, "MODULES_AT_MOST", 8)
    result = ask(engine)
    assert result.size.files == 8
    assert not any(module.test for module in result.modules)
    assert "9 files are too many to read at once: the first 8" in result.notices[0]


def test_broken_project_files_are_said(engine: Engine, tree: Path) -> None:
    """A pyproject.toml that is no TOML, coverage data that is none."""
    (tree / "pyproject.toml").write_text("[project")
    (tree / "coverage.xml").write_text("<!DOCTYPE x [<!ENTITY a 'b'>]><x/>")
    notices = " ".join(ask(engine).notices)
    assert "pyproject.toml is no TOML" in notices
    assert "'coverage.xml' was not used: it defines entities" in notices


def test_names_in_a_models_words_are_checked(tree: Path) -> None:
    """Modules and functions that are there pass, invented ones are told."""
    instance = ProviderSettings(name="scripted", kind="scripted")
    settings = Settings(
        project_dir=str(tree),
        llm=LLMSettings(default_provider="scripted", providers={"scripted": instance}),
    )
    words = "`shop.desk` holds `tangle`; mend `shop.ledger` and `requests` first."
    provider = ScriptedProvider(instance, settings, script=(words,))
    engine = Engine(settings, models=Router(settings, providers={"scripted": provider}))
    try:
        result = ask(engine)
    finally:
        engine.close()
    assert result.unconfirmed == ("shop.ledger",)
    assert result.text == words and words.split(";")[0].replace("`", "") in render(result).replace(
        "`", ""
    )
    asked = provider.requests[0].messages[-1].content
    assert "shop.desk: " in asked and str(tree) not in asked


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("package", "modules"), [("sqlalchemy", 200)])
def test_installed_packages_are_surveyed(engine: Engine, package: str, modules: int) -> None:
    """Packages of 50 and more modules: every part has something, under names one can import."""
    pytest.importorskip(package)
    result = ask(engine, package)
    assert len(result.modules) >= modules and not result.unparsed
    assert result.cycles and result.worst and result.findings and result.links
    assert all(module.name.split(".")[0] == package for module in result.modules)
    assert "less connected modules left out" in str(_svg(result))


def _svg(result: ProjectSurvey) -> Any:
    from aiex_ipy.render.survey import picture

    drawn = picture(result)
    return drawn.svg if drawn is not None else None


def test_git_is_there_for_these_tests() -> None:
    """Else the history would be tested nowhere."""
    assert shutil.which("git")


def test_the_standard_library_is_not_taken_for_a_stub_far_below(tmp_path: Path) -> None:
    """`import sys` in a package that ships stubs means Python's own; beside the stubs, the stub."""
    write = {
        "app/__init__.py": "import sys\nimport os.path\nfrom json import dumps\n",
        "app/stubs/3/sys/__init__.pyi": "x: int\n",
        "app/stubs/3/os/__init__.pyi": "import sys\n",
        "json.py": "def dumps(): ...\n",
    }
    for name, text in write.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    engine = Engine(Settings(project_dir=str(tmp_path), llm=LLMSettings(default_provider="none")))
    result = engine.run_sync(ProjectRequest())
    engine.close()
    assert {(link.importer, link.imported) for link in result.links} == {
        ("os", "sys"),  # from beside it
        ("app", "json"),  # the project's own stands first on `sys.path`
    }


@pytest.mark.slow
def test_paths_are_the_same_from_wherever_one_asks(tmp_path: Path) -> None:
    """A package by name, from `/` and from elsewhere: below the surveyed directory."""
    said = []
    program = str(Path(sys.executable).with_name("aiex"))
    for place in ("/", str(tmp_path)):
        run = subprocess.run(
            [program, "ai", "project", "tomlkit", "--output", "json"],
            cwd=place,
            env={**os.environ, "AIEX_DEFAULT_PROVIDER": "none"},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert run.returncode == 0, run.stderr
        said.append(run.stdout)
    assert said[0] == said[1]
    assert json.loads(said[0])["path"] == "tomlkit"
