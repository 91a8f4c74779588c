"""How often the files of a directory were changed, as git remembers it."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

WINDOW_DAYS = 365
"""How far back from its newest commit a history is read: what was busy long ago is calm now."""
COMMITS_AT_MOST = 10_000
DEADLINE_S = 8.0
"""How long git may take; what it told until then counts, and it is said."""
_DAY_S = 86_400
# Nothing a repository configures is run: no pager, hook, signature check, transport.
_QUIET = (
    *("-c", "core.fsmonitor=false"),
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", "log.showSignature=false"),
    "--no-pager",
    "--no-optional-locks",
)
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "LC_ALL": "C",
}


class History(Struct, frozen=True, kw_only=True):
    """`changes` maps the paths below a directory that git tracks to the number of commits that
    changed them, under whatever name, in the `days` up to the newest commit. `problem` says why
    there are none; `notes` what is not whole about them."""

    changes: dict[str, int] = {}
    commits: int = 0
    days: int = WINDOW_DAYS
    notes: tuple[str, ...] = ()
    problem: str = ""


def history_of(directory: str, *, deadline_s: float = DEADLINE_S) -> History:
    """Return the history of the files below an absolute directory; never raises.

    Merges count for nothing, a rename goes on with the old file's commits. A history that was
    cut (a shallow clone) tells what it still has; with one commit it tells nothing.
    """
    import shutil

    git = shutil.which("git")
    if git is None:
        return History(problem="git is not installed")
    command = [git, "-C", directory, *_QUIET]
    try:
        return _read(command, deadline_s)
    except (OSError, subprocess.SubprocessError) as error:
        return History(problem=f"git does not run: {type(error).__name__}")


def _read(command: list[str], deadline_s: float) -> History:
    asked = [*command, "rev-parse", "--is-inside-work-tree", "--is-shallow-repository"]
    done = _run(asked, deadline_s)
    if done.returncode or not done.stdout.startswith(b"true"):
        if b"dubious ownership" in done.stderr:
            return History(problem="git refuses the repository, which belongs to somebody else")
        return History(problem="it is no git repository")
    shallow = b"true" in done.stdout.split(b"\n")[1]
    newest = _run([*command, "log", "-1", "--format=%ct"], deadline_s).stdout.strip()
    if not newest:
        return History(problem="the git repository has no commits")
    since = int(newest) - WINDOW_DAYS * _DAY_S
    told, whole = _log(command, since, deadline_s)
    tracked = _run([*command, "ls-files", "-z"], deadline_s).stdout.split(b"\0")
    counted, commits = _counted(told, drop_roots=shallow)
    notes = []
    if shallow:
        notes.append(f"the git history is cut (a shallow clone): it has {_commits(commits)}")
    if not whole:
        notes.append(f"git was stopped after {deadline_s:g} s: newer commits count alone")
    if commits == COMMITS_AT_MOST:
        notes.append(f"only the newest {COMMITS_AT_MOST} commits count")
    names = [os.fsdecode(name) for name in tracked if name]
    if shallow and not commits:
        return History(problem="the git history is cut (a shallow clone) to its first commit")
    if not names:
        return History(problem="git does not track these files")
    changes = {name: counted.get(name, 0) for name in sorted(names)}
    return History(changes=changes, commits=commits, notes=tuple(notes))


def _commits(count: int) -> str:
    return "1 commit" if count == 1 else f"{count} commits"


def _run(command: list[str], deadline_s: float) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=deadline_s,
        env=os.environ | _ENVIRONMENT,
        check=False,
    )


def _log(command: list[str], since: int, deadline_s: float) -> tuple[bytes, bool]:
    """Return what `git log` tells until the deadline, and whether that is all."""
    process = subprocess.Popen(
        [
            *command,
            "log",
            f"--since={since}",
            f"--max-count={COMMITS_AT_MOST}",
            "--no-merges",
            "--relative",
            "--name-status",
            "-M",
            "-l200",
            "-z",
            "--format=%x01%P",
            "--",
            ".",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | _ENVIRONMENT,
    )
    try:
        return process.communicate(timeout=deadline_s)[0], True
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0], False
    except BaseException:
        process.kill()
        process.communicate()
        raise


def _counted(told: bytes, *, drop_roots: bool) -> tuple[Counter[str], int]:
    """Count the commits by the name a file has now, and all of them.

    A rename met on the way back gives the old name's commits to the new one. `drop_roots` leaves
    out commits without parents: where a history is cut, the first has every file as new.
    """
    counts: Counter[str] = Counter()
    now: dict[str, str] = {}
    commits = 0
    counting = True
    for kind, old, new in _entries(told):
        if not kind:
            counting = bool(old) or not drop_roots
            commits += counting
            continue
        current = now.get(new, new)
        if counting and current:
            counts[current] += 1
        if kind == "R":
            now[old] = current
            now[new] = ""  # further back that name was another file's
    return counts, commits


def _entries(told: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield ("", parents, "") for each commit, (status, old name, name) for each file.

    Source: git-log(1) and git-diff(1), `--name-status -z`.
    """
    parts = iter(told.split(b"\0"))
    for part in parts:
        word = part.lstrip(b"\n")
        if word.startswith(b"\x01"):
            yield "", os.fsdecode(word[1:].strip()), ""
        elif word:
            old = next(parts, None)
            new = next(parts, None) if word[:1] in (b"R", b"C") else old
            if old is None or new is None:
                return
            yield chr(word[0]), os.fsdecode(old), os.fsdecode(new)
