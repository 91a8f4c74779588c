"""The chosen rules exist, do not depend on layout, and ruff is found, fed and survived."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from aiex_ipy.errors import AiexError
from aiex_ipy.grounding import lint
from aiex_ipy.grounding.facts import ModuleFacts, Subject
from aiex_ipy.grounding.gather import gather
from aiex_ipy.grounding.lint_rules import RULES, classify

STDLIB = Path(os.__file__).parent


def installed_rules() -> dict[str, dict[str, object]]:
    out = subprocess.run(
        [lint.find_ruff(), "rule", "--all", "--output-format", "json"],
        capture_output=True,
        check=True,
    ).stdout
    return {rule["code"]: rule for rule in msgspec.json.decode(out) if rule["code"]}


def test_each_chosen_rule_is_one_the_installed_ruff_has() -> None:
    """None is gone, deprecated or only in preview; the table names no rule twice."""
    known = installed_rules()
    for code in RULES:
        matching = [rule for name, rule in known.items() if name.startswith(code)]
        stable = [r for r in matching if not r["preview"] and "Removed" not in str(r["status"])]
        assert stable, code
    assert classify("F821") == ("correctness", "high")
    assert classify("F404") == classify("F4040") != classify("F401")
    assert classify("E501") is None


def counted(found: ModuleFacts) -> Counter[tuple[str, str]]:
    return Counter((issue.rule, issue.symbol) for issue in found.issues)


@pytest.mark.slow
def test_formatting_changes_neither_issues_nor_units(tmp_path: Path) -> None:
    """Real files before and after `ruff format`: the same findings, statements, complexity."""
    names = sorted(f.name for f in STDLIB.glob("[a-i]*.py"))
    for name in names:
        (tmp_path / name).write_bytes((STDLIB / name).read_bytes())

    def look() -> list[ModuleFacts]:
        files = [tmp_path / name for name in names]
        return gather([Subject(path=f.name, text=f.read_text("utf-8"), file=str(f)) for f in files])

    before = look()
    command = [lint.find_ruff(), "format", "--isolated", "--quiet", str(tmp_path)]
    subprocess.run(command, check=True)
    for old, new in zip(before, look(), strict=True):
        assert counted(old) == counted(new), old.path
        assert [(u.name, u.statements, u.cognitive, u.lengths) for u in old.units] == [
            (u.name, u.statements, u.cognitive, u.lengths) for u in new.units
        ]
        for number in ("statements", "functions", "classes", "cognitive_max"):
            assert old.metrics[number] == new.metrics[number]


def test_messages_hold_no_line_numbers_and_no_paths(tmp_path: Path) -> None:
    """A message is the same wherever the code stands."""
    text = (
        "def f():\n    print(x)\n    global x\n\n\nimport os\nimport os\nfor os in ():\n    pass\n"
    )
    for shift in (0, 7):
        file = tmp_path / f"{shift}.py"
        file.write_text("\n" * shift + text)
    first, second = gather(
        [
            Subject(path="a.py", text=f.read_text(), file=str(f))
            for f in sorted(tmp_path.glob("*.py"))
        ]
    )
    assert [i.message for i in first.issues] == [i.message for i in second.issues]
    assert not any(str(tmp_path) in i.message for i in first.issues)
    ok = "import os\nimport os\nprint(os.name)\n"
    (issue,) = gather([Subject(path="<stdin>", text=ok)])[0].issues
    assert issue.message == "Redefinition of unused `os`: `os` redefined here"


def test_without_ruff_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No binary beside Python, in the package or on PATH: one clear error."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setitem(sys.modules, "ruff", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AiexError, match="'ruff' is not installed") as caught:
        gather([Subject(path="<stdin>", text="x = 1\n")])
    assert caught.value.hint == "Install it with `python -m pip install ruff`."


def test_a_ruff_that_does_not_work_is_an_error_not_a_clean_bill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken binary never reads as "nothing found"."""
    fake = tmp_path / "ruff"
    fake.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(AiexError, match="'ruff' failed: 'broken'"):
        gather([Subject(path="<stdin>", text="x = 1\n")])
    fake.write_bytes(b"\x7fELF nonsense")
    with pytest.raises(AiexError, match="does not start"):
        gather([Subject(path="<stdin>", text="x = 1\n")])


def test_one_text_that_kills_ruff_costs_the_others_nothing(tmp_path: Path) -> None:
    """In a batch the text is found by halves and reported; the others are linted."""
    deep = "x = " + "-" * 50_000 + "1\n"
    texts = ["import os\n", deep, "import re\n", "import sys\n", deep, "import ast\n"]
    subjects = []
    for number, text in enumerate(texts):
        file = tmp_path / f"m{number}.py"
        file.write_text(text)
        subjects.append(Subject(path=file.name, text=text, file=str(file)))
    rules = [[i.rule for i in found.issues] for found in gather(subjects)]
    assert [rules[n] for n in (0, 2, 3, 5)] == [["F401"]] * 4
    assert all(len(rules[n]) == 1 for n in (1, 4))


def test_many_files_go_through_an_argument_file(tmp_path: Path) -> None:
    """Hundreds of long paths are one batch; scratch files are gone afterwards."""
    folder = tmp_path / ("d" * 80)
    folder.mkdir()
    subjects = []
    for number in range(300):
        file = folder / f"module {number:03}.py"
        file.write_text("import os\n" if number % 2 else "x = 1\n")
        subjects.append(Subject(path=file.name, text=file.read_text(), file=str(file)))
    scratch = Path(os.environ.get("TMPDIR", "/tmp"))
    before = set(scratch.glob("aiex-lint-*"))
    found = gather(subjects)
    assert [len(f.issues) for f in found] == [number % 2 for number in range(300)]
    assert set(scratch.glob("aiex-lint-*")) <= before


@pytest.mark.slow
def test_the_standard_library_gives_the_same_bytes_twice_and_no_crash() -> None:
    """Every eleventh file of the library, its tests and its broken samples included."""
    from aiex_ipy.errors import WorkspaceError
    from aiex_ipy.workspace.decoding import decode

    files = [f for f in sorted(STDLIB.rglob("*.py")) if "site-packages" not in f.parts]
    odd = [f for f in files if "bad" in f.name or "data" in f.parts]
    subjects = []
    for file in sorted({*files[::11], *odd}):
        try:
            text, _, _ = decode(file.read_bytes(), path=file.name, language="python")
        except WorkspaceError:
            continue
        subjects.append(
            Subject(path=file.relative_to(STDLIB).as_posix(), text=text, file=str(file))
        )
    first = gather(subjects)
    assert msgspec.json.encode(first) == msgspec.json.encode(gather(subjects))
    for subject, found in zip(subjects, first, strict=True):
        lines = subject.text.splitlines() or [""]
        assert all(1 <= issue.line <= issue.end_line <= len(lines) + 1 for issue in found.issues)
        assert found.parsed or len(found.issues) == 1
