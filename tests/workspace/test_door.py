"""Reading the files a user names, and refusing what may not or cannot be read."""

from __future__ import annotations

import hashlib
import io
import json.decoder
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.config.settings import SandboxSettings, Settings
from aiex_ipy.errors import WorkspaceError
from aiex_ipy.workspace import Located, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable


def workspace(project: Path, **sandbox: Any) -> Workspace:
    return Workspace(Settings(project_dir=str(project), sandbox=SandboxSettings(**sandbox)))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is also the working directory."""
    directory = tmp_path / "project"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def refused(project: Path) -> Callable[..., str]:
    """Read and return the refusal as `code: message hint`."""

    def read(path: object, how: dict[str, Any] | None = None, **sandbox: Any) -> str:
        with pytest.raises(WorkspaceError) as caught:
            workspace(project, **sandbox).read(path, **(how or {}))  # type: ignore[arg-type]
        assert caught.value.hint
        return f"{caught.value.code}: {caught.value}"

    return read


def test_a_file_is_read_with_what_is_known_of_it(project: Path) -> None:
    """Text, hash of the bytes, encoding, line end and language come with the path."""
    (project / "lib").mkdir()
    data = b"# -*- coding: latin-1 -*-\r\nname = '\xe9'\r\n"
    (project / "lib" / "a.py").write_bytes(data)
    source = workspace(project).read("lib/a.py")
    assert source.path == "lib/a.py"
    assert source.file == str(project / "lib" / "a.py")
    assert source.text == "# -*- coding: latin-1 -*-\nname = 'é'\n"
    assert source.sha256 == hashlib.sha256(data).hexdigest()
    assert (source.size, source.encoding, source.newline) == (len(data), "latin-1", "\r\n")
    assert source.language == "python"


def test_an_empty_file_is_a_file(project: Path) -> None:
    """Nothing in it is no error here."""
    (project / "empty.py").touch()
    source = workspace(project).read(Path("empty.py"))
    assert (source.text, source.size, source.newline) == ("", 0, "\n")


def test_a_relative_path_starts_from_the_working_directory_then_the_project(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After %cd the names next to the user come first, those of the project still work."""
    (project / "a.py").write_text("project")
    (project / "b.py").write_text("project")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.py").write_text("elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    door = workspace(project)
    assert door.read("a.py").text == "elsewhere"
    assert door.read("b.py").text == "project"


def test_no_shown_path_is_absolute(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results are the same on another machine: project, working directory, library, as named."""
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    for place in (project / "a.py", outside / "b.py", outside / "deep" / "c.py"):
        place.write_text("")
    door = workspace(project)
    assert door.resolve(project / "a.py").path == "a.py"
    assert door.resolve(project).path == "."
    assert door.resolve("../outside/b.py").path == "../outside/b.py"
    assert door.resolve(outside / "b.py").path == "b.py"
    assert door.resolve(json.decoder.__file__).path == "json/decoder.py"
    assert door.resolve(pytest.__file__).path == "pytest/__init__.py"
    monkeypatch.chdir(outside)
    assert door.resolve(outside / "deep" / "c.py").path == "deep/c.py"
    monkeypatch.setenv("HOME", str(outside / "deep"))
    monkeypatch.chdir(project)
    assert door.resolve("~/c.py").path == "~/c.py"


def test_a_missing_file_is_told_with_what_is_like_it(
    project: Path, refused: Callable[..., str]
) -> None:
    """The near miss is looked for where the path first goes wrong."""
    (project / "lib").mkdir()
    (project / "lib" / "module.py").touch()
    assert refused("lib/modul.py") == (
        "missing: 'lib/modul.py' does not exist. Did you mean 'module.py'?"
    )
    assert refused("libb/module.py").endswith("Did you mean 'lib'?")
    assert refused("lib/xyz.py").endswith("Name a file or directory that exists."), "a suffix only"
    assert refused("LIB/x") == "missing: 'LIB/x' does not exist. Did you mean 'lib'?"
    assert refused("zzz") == (
        "missing: 'zzz' does not exist. Name a file or directory that exists."
    )
    assert refused("lib/module.py/x").startswith("missing: ")
    assert refused("").startswith("missing: '' is no path.")
    assert refused("a\0b").startswith("missing: ")
    assert refused("x" * 5000).startswith("unreadable: ")


def test_what_is_no_text_file_is_refused(
    project: Path, refused: Callable[..., str], tmp_path: Path
) -> None:
    """Directories, pipes, sockets, devices and the system's own files: told, not waited for."""
    (project / "sub").mkdir()
    assert refused("sub") == "directory: 'sub' is a directory. Name a file in it."
    os.mkfifo(project / "pipe.py")
    assert refused("pipe.py") == "not_regular: 'pipe.py' is no regular file. Name a text file."
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(project / "s.py"))
        assert refused("s.py").startswith(("not_regular: ", "unreadable: "))
    assert refused("/dev/zero").startswith("denied: 'zero' is not a file of yours but of the sys")
    assert refused("/proc/self/environ").startswith("denied: ")
    (project / "zero.py").symlink_to("/dev/zero")
    assert refused("zero.py").startswith("denied: ")


def test_a_link_to_itself_is_told(project: Path, refused: Callable[..., str]) -> None:
    """A loop of links has a message of its own."""
    (project / "a.py").symlink_to("b.py")
    (project / "b.py").symlink_to("a.py")
    assert refused("a.py") == "loop: 'a.py' is a link that leads to itself. Mend the link."


def test_binary_and_unknown_encodings_are_told_by_offset(
    project: Path, refused: Callable[..., str]
) -> None:
    """A byte that is no text is named with its place."""
    (project / "a.py").write_bytes(b"x = 1\n\0")
    assert refused("a.py") == (
        "binary: 'a.py' is a binary file: it has a NUL byte at offset 6. Name a text file."
    )
    (project / "b.py").write_bytes(b"x = 1\ny = '\xff'\n")
    assert refused("b.py").startswith(
        "encoding: 'b.py' is no utf-8 text: byte 0xff at offset 11, line 2. Save the file as UTF-8"
    )


def test_a_file_that_is_too_large_is_not_read(project: Path, refused: Callable[..., str]) -> None:
    """50 MB take no memory and no time: the size is asked for first."""
    with open(project / "big.py", "wb") as file:
        file.truncate(50_000_000)
    assert refused("big.py") == (
        "too_large: 'big.py' has 50.0 MB; at most 10 MB are read. Raise sandbox.max_file_size_mb "
        "if it should be read."
    )


def test_the_largest_size_is_a_setting(project: Path, refused: Callable[..., str]) -> None:
    """sandbox.max_file_size_mb is in millions of bytes, and the limit itself is still read."""
    (project / "a.py").write_bytes(b"#" * 1_000_001)
    assert refused("a.py", max_file_size_mb=1).startswith("too_large: ")
    assert workspace(project, max_file_size_mb=2).read("a.py").size == 1_000_001
    (project / "a.py").write_bytes(b"#" * 1_000_000)
    assert workspace(project, max_file_size_mb=1).read("a.py").size == 1_000_000


def test_a_suffix_that_is_no_texts_is_refused(project: Path, refused: Callable[..., str]) -> None:
    """Images and archives are told by name, before their bytes are looked at."""
    (project / "a.png").write_bytes(b"\x89PNG")
    assert refused("a.png") == (
        "suffix: 'a.png' has the suffix '.png', which is not read. Add '.png' to "
        "sandbox.allowed_extensions."
    )
    (project / "noname").write_text("text")
    assert refused("noname").startswith("suffix: 'noname' has no suffix. Give the file a suffix,")


def test_the_suffixes_are_a_setting(project: Path, refused: Callable[..., str]) -> None:
    """sandbox.allowed_extensions takes the place of the built-in list."""
    (project / "a.ex").write_text("x")
    (project / "a.py").write_text("x")
    (project / "a.odd").write_text("x")
    guides = (".ex", ".exs", ".md", ".txt")
    assert workspace(project, allowed_extensions=guides).read("a.ex").language == "elixir"
    assert refused("a.py", allowed_extensions=guides).startswith("suffix: 'a.py' has the suffix")
    assert workspace(project, allowed_extensions=(".odd",)).read("a.odd").language == "text"
    assert refused("a.odd").startswith("suffix: ")


def test_a_name_or_first_line_can_stand_for_a_suffix(project: Path) -> None:
    """Makefiles and scripts without a suffix are text too."""
    (project / "Makefile").write_text("all:\n")
    (project / "tool").write_text("#!/usr/bin/env python3\nprint()\n")
    (project / "run").write_text("#!/bin/sh\n")
    door = workspace(project)
    languages = [door.read(name).language for name in ("Makefile", "tool", "run")]
    assert languages == ["make", "python", "shell"]


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        ".env.production",
        "prod.env",
        ".ssh/config.txt",
        ".SSH/config.txt",
        ".aws/credentials",
        "id_rsa",
        "id_ed25519.txt",
        "server.pem",
        "deploy/tls.key",
        "secrets.json",
        "config/secrets.yml",
        "credentials.toml",
        ".netrc",
        ".npmrc",
        "prod.secret.exs",
        "x.tfvars",
        ".docker/config.json",
        ".config/gcloud/x.json",
    ],
)
def test_secret_files_are_always_denied(
    project: Path, refused: Callable[..., str], name: str
) -> None:
    """A place for keys is not read though it was named, unless the flag says so."""
    file = project / name
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text("#!x\n")
    assert refused(name) == (
        f"denied: {name!r} is a place for keys and secrets. Use --allow-secret-file "
        "if it may be read and sent."
    )
    assert workspace(project).read(name, allow_secret_file=True).text == "#!x\n"


@pytest.mark.parametrize(
    "name",
    ["secrets.py", "credentials.py", "keyboard.py", "env.py", "a.md", "config.json", ".environ.py"],
)
def test_source_about_secrets_is_source(project: Path, name: str) -> None:
    """The standard library has a secrets.py; it and its like are read."""
    (project / name).write_text("x = 1\n")
    assert workspace(project).read(name).text == "x = 1\n"


def test_an_example_of_a_secret_file_is_none(project: Path) -> None:
    """.env.example holds no secrets and is what a newcomer asks about."""
    (project / ".env.example").write_text("#!x")
    assert workspace(project).read(".env.example").size == 3


def test_a_link_to_a_secret_file_is_denied(project: Path, refused: Callable[..., str]) -> None:
    """What counts is where a path leads, and also what it is called."""
    (project / ".env").write_text("K=1")
    (project / "notes.txt").symlink_to(".env")
    assert refused("notes.txt").startswith("denied: 'notes.txt' is a place for keys")


def test_denied_paths_are_a_setting(project: Path, refused: Callable[..., str]) -> None:
    """Nothing below sandbox.denied_paths is read, by whatever name, flag or not."""
    (project / "private").mkdir()
    (project / "private" / "a.py").write_text("")
    (project / "private2.py").write_text("")
    (project / "link.py").symlink_to("private/a.py")
    denied = {"denied_paths": (str(project / "private"),)}
    told = "is below one of sandbox.denied_paths. Change the setting if it should be read."
    assert refused("private/a.py", **denied) == f"denied: 'private/a.py' {told}"
    assert refused("link.py", {"allow_secret_file": True}, **denied) == f"denied: 'link.py' {told}"
    assert workspace(project, **denied).read("private2.py").text == ""


def test_denied_patterns_are_a_setting(project: Path, refused: Callable[..., str]) -> None:
    """sandbox.denied_patterns come on top of what is always denied."""
    (project / "secrets.py").write_text("")
    (project / ".env").write_text("")
    patterns = {"denied_patterns": ("**/secrets.*",)}
    assert refused("secrets.py", **patterns) == (
        "denied: 'secrets.py' is denied by sandbox.denied_patterns. Change the setting if it "
        "should be read."
    )
    assert refused(".env", **patterns).startswith("denied: ")


def test_what_was_not_named_is_open_only_in_known_places(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path from a traceback is read in the project, the library, ~/code and allowed_paths."""
    home = tmp_path / "home"
    for directory in (home / "code", tmp_path / "data"):
        directory.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    files = {
        "project": project / "a.py",
        "code": home / "code" / "a.py",
        "home": home / "a.py",
        "data": tmp_path / "data" / "a.py",
        "secret": project / ".env",
    }
    for file in files.values():
        file.write_text("")
    (project / "link.py").symlink_to(files["home"])
    files["link"] = project / "link.py"
    files["library"] = Path(json.decoder.__file__)

    def opened(**sandbox: Any) -> list[str]:
        door = workspace(project, **sandbox)
        return [name for name, file in files.items() if door.is_open(door.resolve(file))]

    assert opened() == ["project", "code", "library"]
    allowed = (str(tmp_path / "data"),)
    assert opened(allowed_paths=allowed) == ["project", "code", "data", "library"]
    assert opened(allowed_paths=allowed, denied_paths=allowed) == ["project", "code", "library"]


def test_a_file_deleted_or_replaced_meanwhile_is_told(
    project: Path, refused: Callable[..., str]
) -> None:
    """Between naming and reading anything can happen to a file."""
    (project / "a.py").write_text("")
    found = workspace(project).resolve("a.py")
    (project / "a.py").unlink()
    assert refused(found).startswith("missing: 'a.py' does not exist.")
    os.mkfifo(project / "a.py")
    assert refused(found).startswith("not_regular: 'a.py' is no regular file.")


def test_a_file_changed_while_it_is_read_is_told(
    project: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the old and half of the new text is never taken for a file."""
    file = project / "a.py"
    file.write_text("x = 1\n")
    real = os.fdopen

    def growing(handle: int, mode: str) -> Any:
        opened = real(handle, mode)

        class Reader:
            def read(self, most: int) -> bytes:
                data = opened.read(most)
                with file.open("a") as other:
                    other.write("y = 2\n")
                return bytes(data)

            def close(self) -> None:
                opened.close()

        return Reader()

    monkeypatch.setattr(os, "fdopen", growing)
    assert refused("a.py").startswith("changed: 'a.py' was changed while it was read.")


def test_a_file_that_may_not_be_read_is_told(
    project: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permission denied and an input error of the disk are told in the system's words."""
    (project / "a.py").write_text("")

    def fails(*args: object) -> int:
        raise OSError(number, os.strerror(number))

    for number, code in ((13, "permission"), (5, "unreadable")):
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", fails)
            told = refused("a.py")
        assert told == (
            f"{code}: 'a.py' cannot be read: {os.strerror(number)}. Make it readable, or name "
            "another file."
        )


def test_a_text_that_is_no_path_is_located_nowhere(project: Path) -> None:
    """The context of a question may be a path or a text, of any size."""
    (project / "a.py").write_text("")
    (project / "sub").mkdir()
    door = workspace(project)
    assert door.locate("a.py") == Located(
        path="a.py", file=str(project / "a.py"), is_directory=False
    )
    found = door.locate("sub")
    assert found is not None
    assert found.is_directory
    for text in ("during API call", "x" * 1_000_000, "a\0b", "a.py\nb.py", "", "x" * 300):
        assert door.locate(text) is None


def test_a_stream_is_read_to_its_end_and_no_further(project: Path) -> None:
    """What comes on stdin has the limits of a file and the name `<stdin>`."""
    door = workspace(project, max_file_size_mb=1)
    source = door.read_stream(io.BytesIO(b"\xef\xbb\xbfx = 1\r\n"))
    assert (source.path, source.file, source.text) == ("<stdin>", None, "x = 1\n")
    assert (source.encoding, source.newline, source.language) == ("utf-8-sig", "\r\n", "python")
    assert door.read_stream(io.BytesIO(b""), name="a.md", language="markdown").path == "a.md"
    for data, code in ((b"#" * 1_000_001, "too_large"), (b"\0", "binary"), (b"\xff", "encoding")):
        with pytest.raises(WorkspaceError) as caught:
            door.read_stream(io.BytesIO(data))
        assert caught.value.code == code
        assert "'<stdin>'" in str(caught.value)


@given(st.text(max_size=40))
def test_any_name_is_located_or_refused_in_words(name: str) -> None:
    """Whatever is named, no other exception leaves than a WorkspaceError."""
    door = workspace(Path(__file__).parent)
    door.locate(name)
    try:
        door.read(name)
    except WorkspaceError as error:
        assert error.message


def test_a_deleted_working_directory_leaves_the_project(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel whose directory was removed still reads its project."""
    (project / "a.py").write_text("x")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    door = workspace(project)
    assert door.read("a.py").path == "a.py"
    assert door.is_open(door.resolve("a.py"))


def test_a_shown_path_can_be_printed(project: Path) -> None:
    """Names with escapes, line breaks or bytes that are no text cannot act on a terminal, and
    can be written as JSON; the file is found all the same."""
    names = (b"esc\x1b[2J.py", b"line\nbreak.py", b"latin-\xe9.py", "right\u202eleft.py".encode())
    for name in names:
        (project / os.fsdecode(name)).write_text("x = 1\n")
    door = workspace(project)
    files = door.walk(".").files
    assert len(files) == 4
    for found in files:
        assert found.path.isprintable()
        found.path.encode()
        assert door.read(found).text == "x = 1\n"
    assert "latin-\ufffd.py" in {found.path for found in files}
