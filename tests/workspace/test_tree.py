"""Listing a tree of files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiex_ipy.config.settings import SandboxSettings, Settings
from aiex_ipy.errors import ConfigError, WorkspaceError
from aiex_ipy.workspace import Tree, Workspace
from aiex_ipy.workspace.patterns import any_of
from aiex_ipy.workspace.tree import Listing


def walk(directory: Path, *, project: Path | None = None, **how: Any) -> Tree:
    sandbox = SandboxSettings(**how.pop("sandbox", {}))
    made = Workspace(Settings(project_dir=str(project or directory), sandbox=sandbox))
    return made.walk(directory, **how)


def make(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("x = 1\n")


def shown(tree: Tree) -> list[str]:
    return [file.path for file in tree.files]


def test_files_come_sorted_by_path(tmp_path: Path) -> None:
    """The order is that of the paths, whatever the disk's is."""
    make(tmp_path, "b.py", "a/z.py", "a.py", "a-b.py", "a/b/c.py", "B.py", "é.py")
    paths = shown(walk(tmp_path))
    assert paths == sorted(paths)
    assert len(paths) == 7


def test_paths_are_told_from_the_project(tmp_path: Path) -> None:
    """A subdirectory's files carry its name."""
    make(tmp_path, "lib/a.py", "lib/b/c.py")
    assert shown(walk(tmp_path / "lib", project=tmp_path)) == ["lib/a.py", "lib/b/c.py"]


def test_what_is_nobodys_source_is_left_out(tmp_path: Path) -> None:
    """Version control, environments, caches and builds are not walked."""
    make(
        tmp_path,
        "a.py",
        ".git/hooks/x.py",
        "env/pyvenv.cfg",
        "env/lib/x.py",
        ".venv/x.py",
        "node_modules/x.js",
        "__pycache__/x.py",
        ".ipynb_checkpoints/x.ipynb",
        "x.egg-info/x.txt",
        "build/lib/x.py",
        "_build/dev/x.ex",
        "src/build/__init__.py",
        "picture.png",
        "noname",
    )
    assert shown(walk(tmp_path)) == ["a.py", "src/build/__init__.py"]


def test_only_some_languages_can_be_asked_for(tmp_path: Path) -> None:
    """An analysis wants code, not every text."""
    make(tmp_path, "a.py", "b.ipynb", "c.md", "d.ex")
    assert shown(walk(tmp_path, only=("python", "notebook"))) == ["a.py", "b.ipynb"]
    assert shown(walk(tmp_path)) == ["a.py", "b.ipynb", "c.md", "d.ex"]
    assert shown(walk(tmp_path, sandbox={"allowed_extensions": (".ex",)})) == ["d.ex"]


def test_secret_files_are_counted_and_not_listed(tmp_path: Path) -> None:
    """A tree with an .env in it is read without it."""
    make(tmp_path, "a.py", "secrets.json", ".ssh/x.txt", "private/b.py")
    denied = {"denied_paths": (str(tmp_path / "private"),)}
    tree = walk(tmp_path, sandbox=denied)
    assert (shown(tree), tree.skipped) == (["a.py"], 3)


def test_links_are_followed_to_open_files_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project cannot show what is outside of it by a link, nor make a loop."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    project = tmp_path / "project"
    make(project, "a.py", "sub/b.py")
    make(tmp_path, "outside.py", "allowed/c.py")
    (project / "inner.py").symlink_to("sub/b.py")
    (project / "outer.py").symlink_to(tmp_path / "outside.py")
    (project / "allowed.py").symlink_to(tmp_path / "allowed" / "c.py")
    (project / "gone.py").symlink_to("nowhere.py")
    (project / "loop").symlink_to(project)
    monkeypatch.chdir(project)
    tree = walk(project)
    assert (shown(tree), tree.skipped) == (["a.py", "inner.py", "sub/b.py"], 2)
    tree = walk(project, sandbox={"allowed_paths": (str(tmp_path / "allowed"),)})
    assert shown(tree) == ["a.py", "allowed.py", "inner.py", "sub/b.py"]


def test_a_directory_that_cannot_be_listed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the tree is listed all the same; the top one failing is an error."""
    make(tmp_path, "a.py", "closed/b.py")
    real = os.scandir

    def scandir(path: str) -> Any:
        if path.endswith(closed):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    closed = "closed"
    tree = walk(tmp_path)
    assert (shown(tree), tree.unreadable) == (["a.py"], ("closed",))
    closed = tmp_path.name
    with pytest.raises(WorkspaceError, match="cannot be read: Permission denied"):
        walk(tmp_path)


def test_too_many_files_are_an_error_and_not_cut(tmp_path: Path) -> None:
    """A gate must not pass because the bad file was number 20,001."""
    make(tmp_path, *(f"{n}.py" for n in range(4)))
    assert len(walk(tmp_path, limit=4).files) == 4
    with pytest.raises(WorkspaceError, match="holds more than 3 files"):
        walk(tmp_path, limit=3)


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    """Walking a file is refused by name."""
    make(tmp_path, "a.py")
    with pytest.raises(WorkspaceError, match=r"'a.py' is no directory"):
        walk(tmp_path / "a.py", project=tmp_path)


def test_a_tree_without_files_is_empty(tmp_path: Path) -> None:
    """An empty directory has no files and is no error."""
    assert walk(tmp_path).files == ()


def test_gitignore_counts(tmp_path: Path) -> None:
    """What a project ignores is not its source: nested files, `!` rules, rules from above."""
    make(tmp_path, "a.py", "gen/x.py", "gen/keep.py", "sub/a_pb2.py", "sub/deep/b.py", "sub/c.py")
    (tmp_path / ".gitignore").write_text("gen/*\n!gen/keep.py\n*_pb2.py\n# sub\n")
    (tmp_path / "sub" / ".gitignore").write_text("/deep/\n")
    (tmp_path / ".git").mkdir()
    assert [p for p in shown(walk(tmp_path)) if p.endswith(".py")] == [
        "a.py",
        "gen/keep.py",
        "sub/c.py",
    ]
    assert [p for p in shown(walk(tmp_path / "sub", project=tmp_path)) if p.endswith(".py")] == [
        "sub/c.py"
    ]


_GLOBS = st.one_of(
    st.sampled_from(
        ["*", "**", "a", "b/", "/a", "!a", "!*.py", "a/**", "**/b", "a/**/b", "a*/", "[ab]", "[!a]"]
    ),
    st.text("ab*?/!.[]\\ #", min_size=1, max_size=6),
)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@given(
    top=st.lists(_GLOBS, max_size=4),
    inner=st.lists(_GLOBS, max_size=2),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_gitignore_means_what_git_means(
    top: list[str], inner: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Git itself lists the same files for any rules."""
    repository = tmp_path_factory.mktemp("repository")
    make(repository, "a", "b", "c.py", "aa/a", "aa/b/a", "aa/b/c.py", "ab/aa/b/a", "d/a/b/a")
    (repository / ".gitignore").write_text("\n".join(top) + "\n")
    (repository / "aa" / ".gitignore").write_text("\n".join(inner) + "\n")
    git = ["git", "-c", "core.excludesFile=", "-C", str(repository)]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    ours = [os.path.relpath(file, repository) for file, _ in Listing(str(repository), "/none")]
    assert ours == sorted(name for name in listed.stdout.split("\0") if name)
    shutil.rmtree(repository)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("**/.env", ["/.env", "/a/b/.env"], ["/a/.env.x", "/a.env"]),
        ("**/secrets.*", ["/a/secrets.yml", "/secrets."], ["/a/secrets", "/a/xsecrets.y"]),
        ("**/.ssh/**", ["/h/.ssh/id", "/h/.ssh/a/b", "/h/.ssh"], ["/h/.sshx/id"]),
        ("/a/*/c", ["/a/b/c"], ["/a/b/b/c", "/a/c"]),
        ("/a/**/c", ["/a/c", "/a/b/c", "/a/b/b/c"], ["/b/c"]),
        ("x?[0-9].py", ["/d/xa1.py"], ["/d/x1.py", "/d/xab.py"]),
        ("[!a]", ["/b"], ["/a", "/"]),
        ("a.b", ["/x/A.B"], ["/x/acb"]),
    ],
)
def test_a_pattern_matches_whole_paths(pattern: str, matching: list[str], other: list[str]) -> None:
    """`**` is any directories, `*` stays in a name, case does not count."""
    regex = any_of([pattern])
    assert [path for path in matching if not regex.fullmatch(path)] == []
    assert [path for path in other if regex.fullmatch(path)] == []


def test_no_pattern_matches_nothing() -> None:
    """An empty list denies nothing."""
    assert not any_of([]).fullmatch("")


def test_a_tree_may_be_deeper_than_the_stack(tmp_path: Path) -> None:
    """A thousand directories in each other are walked like ten."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("a.py", os.O_CREAT, dir_fd=here))
    os.close(here)
    try:
        (found,) = Listing(str(tmp_path), "/none")
    finally:  # pytest removes its directories by recursion
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)
    assert found[0].endswith("/d/d/a.py")


def test_a_pipe_called_gitignore_is_not_waited_for(tmp_path: Path) -> None:
    """Only a file has rules."""
    make(tmp_path, "sub/a.py")
    os.mkfifo(tmp_path / ".gitignore")
    (tmp_path / ".git").mkdir()
    assert shown(walk(tmp_path / "sub", project=tmp_path)) == ["sub/a.py"]
    assert shown(walk(tmp_path)) == ["sub/a.py"]


@given(st.text("ab/*?[]!^-\\&~|.", max_size=10), st.text("ab/-[]", max_size=6))
def test_any_text_is_a_pattern_or_refused(pattern: str, path: str) -> None:
    """No pattern of a user raises something else or warns; a plain one matches itself."""
    try:
        regex = any_of([pattern])
    except ValueError as error:
        assert str(error) == pattern
        assert re.search(r"\[.*-.*\]", pattern)
    else:
        regex.fullmatch(path)
        if not re.search(r"[*?\[\\]", pattern):
            assert regex.fullmatch(pattern)


def test_a_pattern_with_a_wrong_range_is_told(tmp_path: Path) -> None:
    """A pattern that would deny nothing is an error of the settings."""
    with pytest.raises(ConfigError) as caught:
        walk(tmp_path, sandbox={"denied_patterns": ("**/[z-a]*",)})
    assert str(caught.value) == (
        "'sandbox.denied_patterns' holds '**/[z-a]*', which is no pattern. Correct the range in "
        "its brackets."
    )
