"""What `gather` says of Python files: issues, units, numbers, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from aiex_ipy.grounding.facts import ModuleFacts, Subject
from aiex_ipy.grounding.gather import gather


def facts(text: str, path: str = "<stdin>", **more: object) -> ModuleFacts:
    return gather([Subject(path=path, text=text, **more)])[0]  # type: ignore[arg-type]


def rules(found: ModuleFacts) -> list[str]:
    return [issue.rule for issue in found.issues]


def on_disk(folder: Path, name: str, text: str | bytes) -> Subject:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode() if isinstance(text, str) else text
    file.write_bytes(data)
    decoded = data.decode("latin-1") if b"latin-1" in data else data.decode()
    return Subject(path=name, text=decoded, file=str(file))


def test_an_issue_names_its_line_symbol_and_evidence() -> None:
    """A finding can be checked: it cites the line, the enclosing function and the text."""
    found = facts(
        "import subprocess\n\nclass A:\n    def go(self, c):\n"
        "        return subprocess.run(c, shell=True, check=True)\n"
    )
    (issue,) = found.issues
    assert (issue.rule, issue.category, issue.severity) == ("S602", "security", "high")
    assert (issue.line, issue.end_line, issue.symbol) == (5, 5, "A.go")
    assert issue.evidence == "return subprocess.run(c, shell=True, check=True)"


def test_a_syntax_error_is_exactly_one_issue() -> None:
    """A file that does not parse has one issue, of category syntax, and no units."""
    found = facts("import os\ndef f(:\n    pass\nx = (\n")
    (issue,) = found.issues
    assert (issue.category, issue.severity, issue.line) == ("syntax", "critical", 2)
    assert not found.parsed
    assert found.units == ()
    (issue,) = facts('x = """\n').issues
    assert issue.message == "Unterminated triple-quoted string literal"


@pytest.mark.parametrize(
    "text",
    [
        "return 5\n",
        "def f():\n    break\n",
        "def f(a, a):\n    pass\n",
        "x = 1\0\n",
        "x = " + "(" * 3000 + ")" * 3000,
        "x = " + "-" * 100_000 + "1",
        "x = " + "9" * 5000,
        "x = '\ud800'\n\udfff = 1\n",
        "if x:\n\ty = 1\n        z = 2\n",
    ],
)
def test_what_python_refuses_is_a_syntax_issue(text: str) -> None:
    """Text that parses but that `compile` refuses, null bytes and absurd nesting are syntax."""
    found = facts(text)
    assert [issue.category for issue in found.issues] == ["syntax"]
    assert not found.parsed


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "\ufeffx = 1\n", "\x0cx = 1\n"])
def test_odd_but_valid_text_parses(text: str) -> None:
    """Empty files, comments, a byte order mark and form feeds are no errors."""
    found = facts(text)
    assert found.parsed
    assert found.issues == ()


def test_newer_syntax_is_judged_by_the_running_python_not_by_the_target() -> None:
    """ruff is told py311; what this interpreter accepts is no syntax error for that."""
    text = "async def f():\n    return [x async for x in y()]\n\ndef y():\n    yield 1\n"
    assert facts(text).parsed


def test_suppression_comments_do_not_hide_findings() -> None:
    """`# noqa`, `# ruff: noqa` and `# complexipy: ignore` change nothing: a score cannot be
    raised by a comment."""
    body = (
        "def f(c):{}\n    eval(c){}\n"
        + "".join(f"    {'    ' * n}if c:\n" for n in range(6))
        + "    " * 7
        + "c()\n"
    )
    plain = facts(body.format("", ""))
    silenced = facts("# ruff: noqa\n" + body.format("  # complexipy: ignore", "  # noqa: S307"))
    assert rules(plain) == rules(silenced)
    assert "S307" in rules(plain)
    assert "cognitive-complexity" in rules(plain)


def test_a_users_ruff_configuration_changes_nothing(tmp_path: Path) -> None:
    """A `ruff.toml` beside the file cannot switch a rule off."""
    (tmp_path / "ruff.toml").write_text('lint.ignore = ["F"]\nexclude = ["*.py"]\n')
    found = gather([on_disk(tmp_path, "a.py", "import os\n")])[0]
    assert rules(found) == ["F401"]


def test_layout_is_no_issue() -> None:
    """Long lines, semicolons, quotes, blank lines and import order are never reported."""
    found = facts("import sys,os\nx = 'a';  y=\"b\"\nprint( sys,os,x,y )" + " " * 200 + "\n\n\n\n")
    assert found.issues == ()


def test_asserts_are_no_issue_in_tests() -> None:
    """S101 holds for shipped code, not for test modules."""
    text = "def f(x):\n    assert x\n"
    assert rules(facts(text, path="pkg/mod.py", file=None)) == ["S101"]
    for path in ("tests/a.py", "test_a.py", "a_test.py", "conftest.py"):
        assert rules(facts(text, path=path)) == []


def test_the_imports_of_a_package_front_page_are_no_issue(tmp_path: Path) -> None:
    """`__init__.py` imports in order to re-export."""
    subjects = [on_disk(tmp_path, n, "from os import path\n") for n in ("p/__init__.py", "p/b.py")]
    assert [rules(found) for found in gather(subjects)] == [[], ["F401"]]


def test_a_front_page_may_name_its_submodules(tmp_path: Path) -> None:
    """`from package import *` imports the submodules in `__all__`; no other module has any."""
    text = "__all__ = ['parser', 'writer']\n"
    subjects = [on_disk(tmp_path, name, text) for name in ("q/__init__.py", "q/b.py")]
    assert [rules(found) for found in gather(subjects)] == [[], ["F822", "F822"]]


def test_files_that_ruff_cannot_decode_are_read_as_the_workspace_decoded_them(
    tmp_path: Path,
) -> None:
    """A latin-1 file by its coding line is analysed like any other."""
    subject = on_disk(tmp_path, "l.py", b"# -*- coding: latin-1 -*-\nimport os\nx = '\xe9'\n")
    assert rules(gather([subject])[0]) == ["F401"]


def test_texts_and_files_come_back_in_the_given_order(tmp_path: Path) -> None:
    """Files on disk, texts on no disk and other languages may be mixed."""
    subjects = [
        on_disk(tmp_path, "b.py", "import os\n"),
        Subject(path="README.md", text="# hi\n", language="markdown"),
        Subject(path="<stdin>", text="import sys\n"),
        Subject(path="mod.f", text="    def f(x=[]):\n        return x\n", first_line=10),
        on_disk(tmp_path, "a.py", "import re\n"),
    ]
    found = gather(subjects)
    assert [f.path for f in found] == ["b.py", "README.md", "<stdin>", "mod.f", "a.py"]
    assert [rules(f) for f in found] == [["F401"], [], ["F401"], ["B006"], ["F401"]]
    assert found[3].issues[0].line == 10
    assert found[3].units[0].line == 10
    assert found[1].metrics == {"lines": 1.0}


def test_names_undefined_in_a_fragment_need_the_sessions_names() -> None:
    """A live function uses its module's names: undefined is said only when names are known."""
    subject = Subject(path="mod.f", text="def f():\n    return known + missing\n")
    assert rules(gather([subject])[0]) == []
    (found,) = gather([subject], names={"known", "other"})
    assert [i.message for i in found.issues] == ["Undefined name `missing`"]


def test_the_same_subjects_give_the_same_bytes(tmp_path: Path) -> None:
    """Facts are reproducible, alone or in a batch."""
    import argparse
    import textwrap

    files = [Path(m.__file__) for m in (argparse, textwrap)]
    subjects = [Subject(path=f.name, text=f.read_text(), file=str(f)) for f in files]
    batch = gather(subjects)
    assert msgspec.json.encode(batch) == msgspec.json.encode(gather(subjects))
    alone = gather(subjects[:1])[0]
    assert (batch[0].issues, batch[0].units) == (alone.issues, alone.units)
    stdin = [Subject(path=s.path, text=s.text) for s in subjects]
    assert [len(f.units) for f in gather(stdin)] == [len(f.units) for f in batch]


UNITS = '''"""Doc."""
import os

if os.name:
    def a(x):
        """Doc."""
        for i in x:
            if i:
                print(i)
        def inner():
            if x:
                return 1
        return inner

class B:
    @property
    def p(self):
        return 1

    @p.setter
    def p(self, v):
        if v:
            pass

    class C:
        def m(self): ...

def _c(): return 2
'''


def test_units_are_top_level_and_counted_in_statements() -> None:
    """Units hold their functions; docstrings, `...` and `pass` are no statements; closures
    count in the function that holds them; a name defined twice keeps both."""
    found = facts(UNITS)
    module, a, b, c = found.units
    assert (module.name, module.kind, module.statements, module.documented) == (
        "<module>",
        "module",
        2,
        True,
    )
    assert (a.name, a.statements, a.cognitive, a.documented) == ("a", 8, {"a": 5}, True)
    assert b.cognitive == {"B.p": 0, "B.p#2": 1, "B.C.m": 0}
    assert b.lengths == {"B.p": 2, "B.p#2": 2, "B.C.m": 1}
    assert (b.kind, b.documented, b.public) == ("class", False, True)
    assert (c.name, c.public, c.line, c.end_line) == ("_c", False, 28, 28)
    assert found.imports == ("os",)
    assert sum(unit.statements for unit in found.units) == found.metrics["statements"]


def test_complexity_that_cannot_be_measured_is_an_issue() -> None:
    """Code nested beyond complexipy's limit does not get away with no complexity."""
    text = "def f(a):\n    return " + "not " * 900 + "a\n"
    found = facts(text)
    assert found.parsed
    assert "complexity-unmeasured" in rules(found)


def test_evidence_holds_no_secret() -> None:
    """A finding on a hard-coded password cites its line without the password."""
    text = 'password = "correct-horse-battery"\nimport os\n'
    [facts] = gather([Subject(path="a.py", text=text)])
    assert "S105" in {issue.rule for issue in facts.issues}
    assert "correct-horse" not in repr(facts)
    assert any("[withheld]" in issue.evidence for issue in facts.issues)
