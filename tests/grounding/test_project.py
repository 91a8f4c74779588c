"""The project as a graph: names, imports, cycles, tests and ways in."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.project import (
    Dependency,
    ProjectFacts,
    cycles,
    module_names,
    relate,
)
from aiex_ipy.grounding.python import parse


def of(texts: dict[str, str]) -> ProjectFacts:
    return relate([parse(Subject(path=path, text=text)) for path, text in texts.items()])


def edges(facts: ProjectFacts) -> list[tuple[str, str]]:
    return [(d.importer, d.imported) for d in facts.dependencies]


def test_modules_are_named_as_one_imports_them() -> None:
    """Packages start below the first directory without `__init__.py`; `src` is no package."""
    names = module_names(
        [
            "src/pkg/__init__.py",
            "src/pkg/a.py",
            "src/pkg/sub/__init__.py",
            "src/pkg/sub/b.py",
            "setup.py",
            "tests/test_a.py",
            "tests/unit/test_a.py",
            "space/c.py",
        ]
    )
    assert list(names.values()) == [
        "pkg",
        "pkg.a",
        "pkg.sub",
        "pkg.sub.b",
        "setup",
        "tests.test_a",
        "tests.unit.test_a",
        "space.c",
    ]


def test_a_part_of_a_package_has_whole_names(tmp_path: Path) -> None:
    """Looking at an inner package, or from inside one, the packages around it count."""
    inner = tmp_path / "top" / "mid" / "low"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent, inner.parent.parent):
        (folder / "__init__.py").write_text("")
    (inner / "a.py").write_text("")

    def names(base: Path, shown: str = "") -> dict[str, str]:
        files = {shown + f.relative_to(base).as_posix(): str(f) for f in base.rglob("*.py")}
        return module_names(sorted(files), files)

    assert set(names(tmp_path).values()) == {"top", "top.mid", "top.mid.low", "top.mid.low.a"}
    assert names(inner) == {"__init__.py": "top.mid.low", "a.py": "top.mid.low.a"}
    assert names(inner.parent, "some/where/mid/")["some/where/mid/low/a.py"] == "top.mid.low.a"
    assert module_names(["__init__.py", "a.py"]) == {"__init__.py": "__init__", "a.py": "a"}


def test_imports_lead_to_the_modules_they_name() -> None:
    """Absolute, relative, submodule and attribute imports are told apart."""
    facts = of(
        {
            "p/__init__.py": "from .a import f\n",
            "p/a.py": "import os, json.decoder\nfrom . import b\nfrom .sub import c, g\n",
            "p/b.py": "import p.sub.c as c\n\ndef late():\n    from p import a\n    return a\n",
            "p/sub/__init__.py": "g = 1\n",
            "p/sub/c.py": "from ...beyond import x\nfrom .. import b\nimport requests\n",
        }
    )
    assert edges(facts) == [
        ("p", "p.a"),
        ("p.a", "p.b"),
        ("p.a", "p.sub"),
        ("p.a", "p.sub.c"),
        ("p.b", "p.sub.c"),
        ("p.b", "p.a"),
        ("p.sub.c", "p.b"),
    ]
    a = facts.module("p.a")
    assert a is not None
    assert a.external == ("json", "os")
    assert facts.importers("p.b") == ("p.a", "p.sub.c")


def test_a_compiled_submodule_is_not_a_name_of_its_package() -> None:
    """`from . import _speed` of an extension module does not read the package's front page; what
    the front page defines, imports by name or takes by `*` does."""
    texts = {
        "p/__init__.py": "from p.a import f\nLIMIT = 1\n",
        "p/a.py": "from . import _speed\n",
        "p/b.py": "from . import LIMIT, f\n",
        "q/__init__.py": "from q.c import *\n",
        "q/c.py": "from q import anything\n",
    }
    facts = of(texts)
    assert edges(facts) == [("p", "p.a"), ("p.b", "p"), ("q", "q.c"), ("q.c", "q")]
    assert facts.cycles == (("q", "q.c"),)


def test_scripts_find_the_modules_beside_them() -> None:
    """A folder without `__init__.py` is searched first by what runs there, and only by that."""
    facts = of(
        {
            "tools/main.py": "import helper\nimport p.a\n",
            "tools/helper.py": "",
            "tools/sub/part.py": "from helper import x\n",
            "p/__init__.py": "",
            "p/a.py": "import helper\n",
        }
    )
    assert edges(facts) == [
        ("tools.main", "tools.helper"),
        ("tools.main", "p.a"),
        ("tools.sub.part", "tools.helper"),
    ]


def test_a_cycle_needs_imports_that_run() -> None:
    """Imports in functions and under `TYPE_CHECKING` close no cycle."""
    texts = {
        "a.py": "import b\n",
        "b.py": "import c\n",
        "c.py": "import a\n",
        "d.py": "import e\n",
        "e.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import d\n",
        "f.py": "def g():\n    import h\n    return h\n",
        "h.py": "import f\n",
    }
    assert of(texts).cycles == (("a", "b", "c"),)


def test_tests_are_matched_by_what_they_import() -> None:
    """A test that takes a name from the front page tests the module that defines it."""
    facts = of(
        {
            "p/__init__.py": "from p.a import f\n",
            "p/a.py": "def f(): ...\n",
            "p/b.py": "def g(): ...\n",
            "p/c.py": "def h(): ...\n",
            "tests/test_p.py": "from p import f\nfrom p.b import g\n",
        }
    )
    assert facts.tests == {
        "p": ("tests.test_p",),
        "p.a": ("tests.test_p",),
        "p.b": ("tests.test_p",),
    }
    assert {path for path, m in facts.metrics().items() if not m["tested_by"]} == {
        "p/c.py",
        "tests/test_p.py",
    }


def test_ways_in_are_main_modules_and_guarded_scripts() -> None:
    """`__main__.py` and `if __name__ == "__main__":` make a module one can run."""
    facts = of(
        {
            "p/__init__.py": "",
            "p/__main__.py": "print()\n",
            "tool.py": "def main(): ...\n\nif __name__ == '__main__':\n    main()\n",
            "lib.py": "def f():\n    if __name__ == '__main__':\n        f()\n",
        }
    )
    assert facts.entry_points == ("p.__main__", "tool")


def test_a_file_that_does_not_parse_is_left_out() -> None:
    """The others are related without it."""
    facts = of({"a.py": "import b\n", "b.py": "def (:\n"})
    assert [module.name for module in facts.modules] == ["a"]


def test_symbols_tell_methods_from_functions() -> None:
    """Functions inside functions are no symbols of the module."""
    facts = of({"a.py": "class A:\n    def m(self):\n        def n(): ...\n\ndef _f(): ...\n"})
    assert [(s.name, s.kind, s.public) for s in facts.modules[0].symbols] == [
        ("A", "class", True),
        ("A.m", "method", True),
        ("_f", "function", False),
    ]


@pytest.mark.slow
def test_the_standard_librarys_packages_are_named_as_python_names_them() -> None:
    """Every module of `asyncio`, `json`, `email` and `unittest` is found by its import name."""
    root = Path(os.__file__).parent
    files = [f for p in ("asyncio", "json", "email", "unittest") for f in (root / p).rglob("*.py")]
    subjects = [
        Subject(path=f.relative_to(root).as_posix(), text=f.read_text(encoding="utf-8"))
        for f in files
    ]
    parsed = [parse(subject) for subject in subjects]
    facts = relate(parsed)
    names = {module.name for module in facts.modules}
    assert {"asyncio", "asyncio.base_events", "email.mime.text", "json.decoder"} <= names
    assert facts == relate(parsed[::-1])
    assert "asyncio.base_events" in facts.importers("asyncio.futures")
    places = {
        (subject.path, node.lineno)
        for subject in subjects
        for node in ast.walk(ast.parse(subject.text))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    for edge in facts.dependencies:
        module = facts.module(edge.importer)
        assert module is not None
        assert (module.path, edge.line) in places


graphs = st.lists(st.tuples(st.sampled_from("abcdefg"), st.sampled_from("abcdefg")), max_size=25)


def reachable(pairs: list[tuple[str, str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = [b for a, b in pairs if a == start]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += [b for a, b in pairs if a == name]
    return seen


@given(graphs)
def test_a_cycle_is_exactly_a_group_that_reach_each_other(pairs: list[tuple[str, str]]) -> None:
    """Two modules stand in one group if and only if each can reach the other."""
    pairs = [(a, b) for a, b in pairs if a != b]
    found = cycles([Dependency(importer=a, imported=b, line=1) for a, b in pairs])
    group_of = {name: group for group in found for name in group}
    for a in "abcdefg":
        for b in "abcdefg":
            if a != b:
                mutual = b in reachable(pairs, a) and a in reachable(pairs, b)
                assert mutual == (a in group_of and group_of[a] is group_of.get(b))
    assert found == cycles([Dependency(importer=a, imported=b, line=1) for a, b in pairs[::-1]])


def test_a_long_chain_of_imports_needs_no_recursion() -> None:
    """A chain longer than Python's recursion limit that closes is one cycle."""
    count = sys.getrecursionlimit() * 2
    chain = [
        Dependency(importer=f"m{n:05}", imported=f"m{(n + 1) % count:05}", line=1)
        for n in range(count)
    ]
    (group,) = cycles(chain)
    assert len(group) == count
    assert group[:3] == ("m00000", "m00001", "m00002")
