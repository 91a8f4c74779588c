"""How often files were changed: real git repositories, renames, cut histories, no git at all."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aiex_ipy.workspace.history import WINDOW_DAYS, history_of

Git = Callable[..., None]
DAY = 86_400


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Runs git in a new repository, at a day of its own choice."""
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    names = {"NAME": "A", "EMAIL": "a@example.org"}
    person = {f"GIT_{who}_{k}": v for who in ("AUTHOR", "COMMITTER") for k, v in names.items()}

    def run(*words: str, day: int = 15_000) -> None:
        when = {f"GIT_{who}_DATE": f"{day * DAY} +0000" for who in ("AUTHOR", "COMMITTER")}
        subprocess.run(
            ["git", *words],
            cwd=tmp_path,
            env=os.environ | quiet | person | when,
            check=True,
            capture_output=True,
        )

    run("init", "-q")
    return run


def commit(git: Git, folder: Path, day: int = 15_000, **files: str) -> None:
    for name, text in files.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(exist_ok=True)
        file.with_suffix(".py").write_text(text)
    git("add", "-A")
    git("commit", "-qm", "x", day=day)


def test_changes_are_counted_under_todays_name(git: Git, tmp_path: Path) -> None:
    """A renamed file keeps its commits; a new file with the old name has none of them."""
    body = "".join(f"x{n} = {n}\n" for n in range(30))
    commit(git, tmp_path, old=body, calm="x = 1\n")
    commit(git, tmp_path, old=body + "y = 1\n")
    git("mv", "old.py", "new.py")
    commit(git, tmp_path)
    commit(git, tmp_path, new=body + "y = 2\n")
    commit(git, tmp_path, old="another = 1\n")
    found = history_of(str(tmp_path))
    assert found.changes == {"calm.py": 1, "new.py": 4, "old.py": 1}
    assert (found.commits, found.problem, found.notes) == (5, "", ())


def test_a_directory_counts_its_own_files(git: Git, tmp_path: Path) -> None:
    """Paths are from the directory that was asked about."""
    commit(git, tmp_path, a="1", sub__b="1")
    commit(git, tmp_path, sub__b="2")
    assert history_of(str(tmp_path / "sub")).changes == {"b.py": 2}


def test_only_the_last_year_counts(git: Git, tmp_path: Path) -> None:
    """A year before the newest commit, not before today: the same history tells the same."""
    commit(git, tmp_path, day=15_000, a="1", b="1")
    commit(git, tmp_path, day=15_000 + WINDOW_DAYS + 10, a="2")
    assert history_of(str(tmp_path)).changes == {"a.py": 1, "b.py": 0}


def test_a_cut_history_says_so(git: Git, tmp_path: Path, tmp_path_factory: object) -> None:
    """Its first commit has every file as new, which is no change; alone it tells nothing."""
    for number in range(4):
        commit(git, tmp_path, a=str(number), b="1")
    for depth, changes in ((1, {}), (3, {"a.py": 2, "b.py": 0})):
        clone = tmp_path / f"clone{depth}"
        git("clone", "-q", f"--depth={depth}", f"file://{tmp_path}/.git", str(clone))
        found = history_of(str(clone))
        assert found.changes == changes
        assert "shallow" in (found.problem or found.notes[0])


def test_what_is_unknown_is_said_not_counted(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No commits, files git does not track, no repository, no git."""
    assert "no commits" in history_of(str(tmp_path)).problem
    commit(git, tmp_path, a="1")
    (tmp_path / "new").mkdir()
    assert "does not track" in history_of(str(tmp_path / "new")).problem
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    outside = tmp_path.parent / "outside"
    outside.mkdir()
    assert "no git repository" in history_of(str(outside)).problem
    monkeypatch.setenv("PATH", "")
    assert "not installed" in history_of(str(tmp_path)).problem


def test_nothing_a_repository_configures_is_run(git: Git, tmp_path: Path) -> None:
    """Neither a pager, a file-system monitor, a signature check nor a diff driver."""
    commit(git, tmp_path, a="1")
    ran = tmp_path / "ran"
    script = tmp_path / "script.sh"
    script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    (tmp_path / ".gitattributes").write_text("* diff=evil\n")
    for key in ("core.fsmonitor", "core.pager", "diff.evil.textconv", "diff.external"):
        git("config", key, str(script))
    git("config", "log.showSignature", "true")
    git("config", "gpg.program", str(script))
    assert history_of(str(tmp_path)).commits == 1
    assert not ran.exists()
