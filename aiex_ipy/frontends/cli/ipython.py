"""`aiex ipython install|uninstall`: a start-up file that loads aiex, with the user's lines kept."""

from __future__ import annotations

import os
from pathlib import Path

import click

from aiex_ipy.errors import UsageError

FILE = "50-aiex.py"
BEGIN = "# >>> aiex >>>"
END = "# <<< aiex <<<"
BLOCK = f"""\
{BEGIN}
# Written by `aiex ipython install`; `aiex ipython uninstall` takes it away.
# Lines of your own outside these marks stay.
from importlib.util import find_spec as _find_spec

if _find_spec("aiex") is not None:
    get_ipython().run_line_magic("load_ext", "aiex")  # helpers ai(), ai_debug(), …, H; %%aiex
del _find_spec
{END}
"""
PROFILE = click.option("--profile", default="default", metavar="NAME", help="The IPython profile.")


@click.command()
@PROFILE
def install(profile: str) -> None:
    """Load aiex whenever IPython or a kernel of this profile starts.

    Doing it twice is doing it once; what else stands in the start-up file stays.
    """
    file = _file(profile)
    before = _read(file)
    after = _with_block(before, file)
    if after == before:
        print(f"{file} loads aiex already.")
        return
    _write(file, after)
    print(f"{file} loads aiex when IPython starts. Undo it with: aiex ipython uninstall")


@click.command()
@PROFILE
def uninstall(profile: str) -> None:
    """Load aiex no longer; lines of your own in the start-up file stay."""
    file = _file(profile)
    before = _read(file)
    if BEGIN not in before:
        print(f"{file} does not load aiex.")
        return
    head, rest = _around(before, file)
    after = head + rest
    if after.strip():
        _write(file, after)
        print(f"{file} no longer loads aiex; your own lines stay.")
    else:
        file.unlink()
        print(f"{file} is gone.")


def _file(profile: str) -> Path:
    from IPython.paths import get_ipython_dir

    if not profile or Path(profile).name != profile:
        raise UsageError(
            f"{profile!r} is no name of an IPython profile.",
            code="bad_profile",
            hint="Give a name that `ipython profile list` shows.",
        )
    import warnings

    try:
        with warnings.catch_warnings():  # IPython says so, and takes a temporary directory
            warnings.filterwarnings("error", message=".* is not a writable location")
            found = get_ipython_dir()
    except (OSError, UserWarning) as error:
        named = os.environ.get("IPYTHONDIR")
        place = f"IPYTHONDIR={named!r}" if named else "IPython's directory"
        reason = error.strerror if isinstance(error, OSError) else "it is not writable"
        raise UsageError(
            f"{place} cannot be used: {reason}.",
            code="bad_ipython_dir",
            hint="Set IPYTHONDIR to a directory you may write to, or make it writable.",
        ) from error
    return Path(found) / f"profile_{profile}" / "startup" / FILE


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{str(file)!r} cannot be read: {error}.",
            code="bad_startup_file",
            hint="Mend or move the file, then run the command again.",
        ) from error


def _around(text: str, file: Path) -> tuple[str, str]:
    """The text before and after our block."""
    head, _, rest = text.partition(BEGIN)
    block, mark, tail = rest.partition(END)
    if not mark or BEGIN in block or BEGIN in tail:
        raise UsageError(
            f"{str(file)!r} holds {BEGIN!r} and {END!r} in no order that can be told.",
            code="bad_startup_file",
            hint="Take the lines that load aiex out by hand.",
        )
    return head, tail.removeprefix("\n")


def _with_block(text: str, file: Path) -> str:
    if BEGIN in text:
        head, tail = _around(text, file)
        return head + BLOCK + tail
    gap = "" if not text or text.endswith("\n") else "\n"
    return text + gap + BLOCK


def _write(file: Path, text: str) -> None:
    """Write the file whole or not at all."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(text.encode("utf-8"))
        if file.exists():
            beside.chmod(file.stat().st_mode & 0o7777)
        beside.replace(file.resolve())
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(
            f"{str(file)!r} cannot be written: {error.strerror}.",
            code="bad_startup_file",
            hint="Make the directory writable, or name another --profile.",
        ) from error
