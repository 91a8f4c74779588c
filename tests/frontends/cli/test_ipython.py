"""`aiex ipython install|uninstall`: a start-up file that loads aiex, with the user's lines kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aiex_ipy.frontends.cli import ipython

Run = Callable[..., subprocess.CompletedProcess[str]]
OWN = "import math  # mine\n"


@pytest.fixture
def aiex(tmp_path: Path) -> Run:
    """The program, with an IPython directory of its own."""
    env = {**os.environ, "IPYTHONDIR": str(tmp_path), "AIEX_DEFAULT_PROVIDER": "none"}
    env |= {"XDG_CONFIG_HOME": str(tmp_path / "config")}

    def run(*words: str, module: str = "aiex", **more: str) -> subprocess.CompletedProcess[str]:
        program = [str(Path(sys.executable).with_name(module)), *words]
        return subprocess.run(program, env=env | more, text=True, capture_output=True, timeout=60)

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the start-up file stands."""
    return tmp_path / "profile_default" / "startup" / ipython.FILE


@pytest.mark.slow
def test_installed_every_ipython_has_the_helpers(aiex: Run, file: Path) -> None:
    """After `aiex ipython install` the helpers stand in a fresh IPython, and after `uninstall`
    they do not; doing either twice is doing it once."""
    assert aiex("ipython", "install").returncode == 0
    text = file.read_text()
    assert "already" in aiex("ipython", "install").stdout
    assert file.read_text() == text
    shown = aiex("-c", "print(H, callable(ai_debug))", module="ipython")
    assert "H.debug()" in shown.stdout and "True" in shown.stdout, shown.stderr
    assert aiex("ipython", "uninstall").returncode == 0
    assert not file.exists()
    assert "does not load" in aiex("ipython", "uninstall").stdout
    assert "NameError" in aiex("-c", "H", module="ipython").stdout


@pytest.mark.slow
@pytest.mark.parametrize("own", [OWN, OWN.rstrip(), "# é\n" + OWN])
def test_the_users_lines_are_kept(aiex: Run, file: Path, own: str) -> None:
    """What the user wrote into the same file stays, before and after our block."""
    file.parent.mkdir(parents=True)
    file.write_text(own)
    aiex("ipython", "install")
    with file.open("a") as opened:
        opened.write("x = 1\n")
    aiex("ipython", "install")
    assert file.read_text().count(ipython.BEGIN) == 1
    aiex("ipython", "uninstall")
    assert file.read_text().splitlines() == [*own.splitlines(), "x = 1"]


@pytest.mark.slow
def test_a_file_that_cannot_be_told_apart_is_left_alone(aiex: Run, file: Path) -> None:
    """A block without its end is an error with the remedy, and the file stays as it is."""
    file.parent.mkdir(parents=True)
    for text in (f"{ipython.BEGIN}\nx = 1\n", f"{ipython.BLOCK}{ipython.BLOCK}"):
        file.write_text(text)
        done = aiex("ipython", "uninstall")
        assert done.returncode == 2 and "by hand" in done.stderr
        assert file.read_text() == text
    file.write_bytes(b"\xff\xfe")
    assert aiex("ipython", "install").returncode == 2
    assert file.read_bytes() == b"\xff\xfe"


@pytest.mark.slow
def test_a_profile_is_a_name(aiex: Run) -> None:
    """A path or nothing at all is no profile."""
    for name in ("", "../x", "a/b"):
        done = aiex("ipython", "install", "--profile", name)
        assert done.returncode == 2 and "profile" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("place", ["/etc/passwd", "/proc/nope", "/nope/a/b"])
def test_a_directory_that_cannot_be_written_is_refused(aiex: Run, place: str) -> None:
    """IPython would take a temporary directory, and nothing would be loaded ever after."""
    run = aiex("ipython", "install", IPYTHONDIR=place)
    assert run.returncode == 2 and run.stdout == ""
    assert f"IPYTHONDIR={place!r} cannot be used" in run.stderr
    assert "Set IPYTHONDIR to a directory you may write to" in run.stderr
