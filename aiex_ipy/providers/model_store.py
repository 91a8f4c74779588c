"""Local models on disk: pull, list, remove, find.

A known model is one GGUF inside a PyPI wheel; it is kept in `models_dir()` under the file
name it has in the wheel. Any other GGUF is used by its path and never copied or removed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from aiex_ipy.errors import StoreError, UnknownNameError, near_miss

GGUF_MAGIC = b"GGUF"  # Source: ggml docs/gguf.md, "File Structure".


class KnownModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of `local_models.toml`: a GGUF in a wheel of PyPI."""

    model: str
    quantization: str
    distribution: str
    version: str
    member: str
    sha256: str
    size_bytes: int
    download_bytes: int
    licence: str
    source: str
    temperature: float | None = None

    @property
    def file_name(self) -> str:
        return self.member.rpartition("/")[2]


class LocalModel(Struct, frozen=True, kw_only=True):
    """A GGUF on this machine, or one that can be pulled (`installed` False).

    `name` is what the settings and `aiex models` call it: a known name, or the path of an own
    file. `model` is the name answers carry. `sha256`, `licence` and `source` are `""` for an
    own file. `download_bytes` is the size of the download, 0 for an own file. `temperature` is
    what its makers advise, None where that is not known.
    """

    name: str
    model: str
    path: str
    size_bytes: int
    installed: bool
    download_bytes: int = 0
    sha256: str = ""
    licence: str = ""
    source: str = ""
    temperature: float | None = None


class PullProgress(Struct, frozen=True, kw_only=True):
    """Where a pull stands. `step` is `wait` (another process pulls), `download`, `extract`,
    then `done`; `total_bytes` is 0 where it is not known."""

    step: str
    done_bytes: int = 0
    total_bytes: int = 0


Progress = Callable[[PullProgress], None]


def data_dir() -> Path:
    """The user's data directory of aiex: `AIEX_DATA_DIR`, else the platform's own.

    Source: XDG Base Directory Specification 0.8, `$XDG_DATA_HOME`.
    """
    named = os.environ.get("AIEX_DATA_DIR")
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("aiex", appauthor=False))


def models_dir() -> Path:
    return data_dir() / "models"


def known_models() -> dict[str, KnownModel]:
    """The models that can be pulled, by name."""
    table = Path(__file__).with_name("local_models.toml").read_bytes()
    return msgspec.toml.decode(table, type=dict[str, KnownModel])


def list_models() -> list[LocalModel]:
    """Every known model, installed or not. A file of another size does not count as installed."""
    return [_described(name, known) for name, known in known_models().items()]


def find(model: str) -> LocalModel:
    """The installed model that is named: a known name (also the one answers carry), or the path
    of an own GGUF.

    Size and magic are checked, not the content. Raises StoreError when it is not installed,
    not readable or not a GGUF; UnknownNameError when it is neither a known name nor a path.
    """
    known = known_models()
    model = next((name for name, row in known.items() if row.model == model), model)
    if model in known:
        found = _described(model, known[model])
        if found.installed:
            return found
        remedy = f"Run `aiex models pull {model}`."
        if Path(found.path).exists():
            raise StoreError(
                f"The file of the local model {model!r}, {found.path!r}, is damaged: it has not "
                f"the {found.size_bytes} bytes it should have.",
                code="model_damaged",
                hint=remedy,
            )
        size = f"{found.download_bytes / 1e6:.0f} MB"
        raise StoreError(
            f"The local model {model!r} is not on this machine.",
            code="model_missing",
            hint=f"{remedy[:-1]} ({size} to download, {found.licence}).",
        )
    if os.sep in model or model.endswith(".gguf") or Path(model).is_file():
        return _own(Path(model).expanduser().absolute())
    raise UnknownNameError(
        f"There is no local model {model!r}.",
        hint=f"{near_miss(model, list(known))} A GGUF of your own is named by its path.",
    )


def verify(model: LocalModel) -> None:
    """Hash a known model's file (about 0.1 s for 100 MB); raise StoreError when it is damaged."""
    import hashlib

    if not model.sha256:
        return
    try:
        with open(model.path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(Path(model.path), error) from error
    if found != model.sha256:
        raise StoreError(
            f"The file of the local model {model.name!r}, {model.path!r}, is damaged: its SHA-256 "
            f"is {found!r}, not {model.sha256!r}.",
            code="model_damaged",
            hint=f"Run `aiex models pull {model.name}`.",
        )


def pull(name: str, *, progress: Progress = lambda _: None) -> LocalModel:
    """Fetch a known model unless its file is here and whole; blocks.

    The file appears at its place in one step, checked by SHA-256; whatever ends the pull
    earlier (an exception from `progress` does) leaves nothing behind. Raises UnknownNameError,
    StoreError (disk, pip, a wrong SHA-256) or UnavailableError (no network).
    """
    from aiex_ipy.providers import wheel_download

    known = known_models().get(name)
    if known is None:
        raise UnknownNameError(
            f"There is no local model {name!r} to pull.",
            hint=near_miss(name, list(known_models())),
        )
    folder = models_dir()
    with _disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _pull_lock(folder, progress):
            found = _described(name, known)
            if found.installed:
                try:
                    verify(found)
                except StoreError:
                    pass  # damaged: fetched again, and replaced only by a whole one
                else:
                    progress(PullProgress(step="done"))
                    return found
            wheel_download.fetch_member(
                requirement=f"{known.distribution}=={known.version}",
                member=known.member,
                sha256=known.sha256,
                size_bytes=known.size_bytes,
                download_bytes=known.download_bytes,
                target=folder / known.file_name,
                progress=lambda step, done, total: progress(
                    PullProgress(step=step, done_bytes=done, total_bytes=total)
                ),
            )
    progress(PullProgress(step="done"))
    return _described(name, known)


def remove(name: str) -> LocalModel:
    """Delete a known model's file and return what it was. Raises StoreError when there is none."""
    known = known_models().get(name)
    if known is None:
        raise UnknownNameError(
            f"There is no local model {name!r} to remove.",
            hint=near_miss(name, list(known_models())),
        )
    found = _described(name, known)
    with _disk_errors(models_dir()):
        try:
            os.unlink(found.path)
        except FileNotFoundError:
            raise StoreError(
                f"The local model {name!r} is not on this machine.",
                code="model_missing",
                hint="See what is there with `aiex models list`.",
            ) from None
    return found


def _described(name: str, known: KnownModel) -> LocalModel:
    path = models_dir() / known.file_name
    try:
        installed = path.stat().st_size == known.size_bytes
    except OSError:
        installed = False
    return LocalModel(
        name=name,
        model=known.model,
        path=str(path),
        size_bytes=known.size_bytes,
        installed=installed,
        download_bytes=known.download_bytes,
        sha256=known.sha256,
        licence=known.licence,
        source=known.source,
        temperature=known.temperature,
    )


def _own(path: Path) -> LocalModel:
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as error:
        raise _unreadable(path, error) from error
    if magic != GGUF_MAGIC:
        raise StoreError(
            f"The model file {str(path)!r} is not a GGUF: it begins with {magic!r}.",
            code="model_not_gguf",
            hint="Set `llm.embedded.model` to a file in the GGUF format of llama.cpp.",
        )
    return LocalModel(
        name=str(path), model=path.stem, path=str(path), size_bytes=size, installed=True
    )


def _unreadable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The model file {str(path)!r} cannot be read: {error.strerror}.",
        code="model_unreadable",
        hint="Set `llm.embedded.model` to a readable GGUF file or to a name of `aiex models list`.",
    )


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        from aiex_ipy.providers.wheel_download import disk_error

        raise disk_error(folder, error) from error


@contextlib.contextmanager
def _pull_lock(folder: Path, progress: Progress) -> Iterator[None]:
    """One pull at a time in `folder`; the kernel frees the lock when its holder dies."""
    try:
        import fcntl
    except ImportError:  # Windows: two pulls at once each fetch, and the last one's file stays
        yield
        return
    import time

    with open(folder / ".lock", "w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress(PullProgress(step="wait"))
                time.sleep(0.2)
        yield
