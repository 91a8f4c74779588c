"""Files that cannot be opened, read or written, and texts of another encoding."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    close_to,
    message,
    nodes_at_fault,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix
from aiex_ipy.grounding.owners import shown_directory

MOST_ENTRIES = 2_000
"""Entries of a directory looked at."""


def missing_file(moment: Moment) -> Iterator[Diagnosis]:
    """A path that is not there: a name nearby, another directory, a missing directory."""
    error, frame = moment.error, moment.frame
    if type(error) is not FileNotFoundError or type(error.filename) is not str or frame is None:
        return
    path = error.filename
    if _is_program(error, frame, path):
        yield from _missing_program(moment, frame, path)
        return
    if not path or path.startswith(("http:", "https:")):
        return
    if any(ord(each) < 32 for each in path):
        yield _diagnosis(
            frame,
            path,
            f"{path!r} has a control character: a backslash in a text begins one",
            "Write the path with r'…' or with /.",
            "certain",
        )
        return
    if path.startswith("~"):
        yield _diagnosis(
            frame,
            path,
            f"{path!r} is not expanded: Python takes ~ for a name",
            "Use Path(…).expanduser().",
            "certain",
        )
        return
    directory, name = os.path.split(path)
    found = _from_elsewhere(moment, frame, path)
    if found is not None:
        place, full = found
        yield _diagnosis(
            frame,
            path,
            f"{path!r} is looked for in the working directory {shown_directory('.')!r}; it is in "
            f"{place}",
            f"Use {full!r}, or a path relative to __file__ or to the notebook.",
            "certain",
        )
        return
    if directory and not os.path.isdir(directory):
        yield from _missing_directory(frame, path, directory)
        return
    entries = _entries(directory or ".")
    near = close_to(name, entries)
    stem = os.path.splitext(name)[0].casefold()
    near += [
        each
        for each in entries
        if os.path.splitext(each)[0].casefold() == stem and each not in near
    ]
    if near:
        right = os.path.join(directory, near[0])
        yield _diagnosis(
            frame,
            path,
            f"there is no file {path!r}; {right!r} is there, named almost the same",
            f"Write {right!r}.",
            "likely",
            _path_fix(frame, path, right),
        )
        return
    listed = ", ".join(repr(each) for each in entries[:8])
    yield _diagnosis(
        frame,
        path,
        f"there is no {name!r} in {shown_directory(directory or '.')!r}",
        f"Look at what is there: {listed or 'nothing'}.",
        "certain",
    )


def _is_program(error: FileNotFoundError, frame: LiveFrame, path: str) -> bool:
    """True where what is not there is a program that was to run, not its working directory."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    module = at.tb_frame.f_globals.get("__name__") if at is not None else ""
    if module not in {"subprocess", "asyncio.unix_events", "asyncio.base_events"}:
        return False
    given = at.tb_frame.f_locals.get("cwd") if at is not None else None
    return path != given and bool(path)


def _missing_program(moment: Moment, frame: LiveFrame, path: str) -> Iterator[Diagnosis]:
    name = path.partition(" ")[0]
    if "/" in name or os.sep in name:
        why, remedy = f"there is no program {path!r}", "Check its path."
    else:
        why = f"no program {path!r} is on the PATH"
        remedy = "Install it, correct its name, or give its full path (shutil.which finds it)."
    if " " in path:
        why += "; the whole text, with its arguments, is taken for the program's name"
        remedy = f"Give the words as a list: {path.split()!r}."
    yield Diagnosis(
        rule="missing-program",
        certainty="certain",
        cause=f"{why[0].upper()}{why[1:]}.",
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
        remedy=remedy,
    )


def _diagnosis(
    frame: LiveFrame, path: str, why: str, remedy: str, certainty: str, fix: Fix | None = None
) -> Diagnosis:
    return Diagnosis(
        rule="missing-file",
        cause=f"{why[0].upper()}{why[1:]}.",
        certainty="certain" if certainty == "certain" else "likely",
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
        remedy=remedy,
        fix=fix,
    )


def _from_elsewhere(moment: Moment, frame: LiveFrame, path: str) -> tuple[str, str] | None:
    if os.path.isabs(path):
        return None
    tops = {
        "the directory of the file that runs": os.path.dirname(frame.file)
        if os.path.isabs(frame.file)
        else "",
        "the project directory": moment.project_dir,
    }
    for label, top in tops.items():
        if top and os.path.realpath(top) != os.path.realpath("."):
            full = os.path.join(top, path)
            if os.path.exists(full):
                return f"{label}, {shown_directory(top)!r}", os.path.relpath(full)
    here = os.path.basename(path)
    for entry in _directories("."):
        if os.path.exists(os.path.join(entry, here)):
            full = os.path.join(entry, here)
            return f"{entry!r}", full
    above = os.path.join("..", path)
    return ("the directory above", above) if os.path.exists(above) else None


def _missing_directory(frame: LiveFrame, path: str, directory: str) -> Iterator[Diagnosis]:
    parent = directory
    while parent and not os.path.isdir(os.path.dirname(parent) or "."):
        parent = os.path.dirname(parent)
    near = close_to(os.path.basename(parent), _entries(os.path.dirname(parent) or "."))
    right = path.replace(parent, os.path.join(os.path.dirname(parent), near[0]), 1) if near else ""
    if right and os.path.exists(right):
        yield _diagnosis(
            frame,
            path,
            f"there is no directory {parent!r}; {near[0]!r} is there, named almost the same",
            f"Write {right!r}.",
            "likely",
            _path_fix(frame, path, right),
        )
        return
    yield Diagnosis(
        rule="missing-directory",
        certainty="certain",
        cause=f"The directory {parent!r} does not exist (from {shown_directory('.')!r}).",
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
        remedy=f"Make it first: os.makedirs({directory!r}, exist_ok=True)."
        if _writes(frame)
        else "Check the path, or the working directory.",
    )


def _writes(frame: LiveFrame) -> bool:
    for call in nodes_at_fault(frame, ast.Call):
        if text_of(call.func).rpartition(".")[2].startswith(("to_", "write", "save", "dump")):
            return True
        for each in [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "mode")]:
            if isinstance(each, ast.Constant) and str(each.value)[:1] in {"w", "a", "x"}:
                return True
    return False


def _path_fix(frame: LiveFrame, path: str, right: str) -> Fix | None:
    nodes = [
        n
        for n in ast.walk(frame.tree or ast.Module([], []))
        if isinstance(n, ast.Constant) and n.value == path
    ]
    return rewritten(frame, "path", (nodes[0], repr(right))) if len(nodes) == 1 else None


def _entries(directory: str) -> list[str]:
    found: list[str] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                found.append(entry.name)
                if len(found) >= MOST_ENTRIES:
                    break
    except OSError:
        return []
    return sorted(found)


def _directories(top: str) -> list[str]:
    return [each for each in _entries(top)[:200] if each[0] != "." and os.path.isdir(each)][:50]


def wrong_kind_of_file(moment: Moment) -> Iterator[Diagnosis]:
    """A directory opened as a file, a file that may not be opened, one that is closed or opened
    for something else."""
    error, frame = moment.error, moment.frame
    if frame is None or error is None:
        return
    said, rule = message(error), ""
    if type(error) in {IsADirectoryError, NotADirectoryError, PermissionError, FileExistsError}:
        path = error.filename if isinstance(error, OSError) else ""
        words = {
            "IsADirectoryError": (f"{path!r} is a directory, not a file", "Name a file in it."),
            "NotADirectoryError": (
                f"A part of {path!r} is a file, not a directory",
                "Check the path.",
            ),
            "PermissionError": (
                f"This user may not open {path!r}",
                "Choose another place, or change the permissions.",
            ),
            "FileExistsError": (
                f"{path!r} is there already",
                "Choose another name, or pass exist_ok=True or mode 'w'.",
            ),
        }
        why, remedy = words[type(error).__name__]
        if type(error) is PermissionError and type(path) is str and os.path.isdir(path):
            why, remedy = words["IsADirectoryError"][0].replace("''", repr(path)), "Name a file."
        rule = "wrong-kind-of-file"
    elif type(error).__name__ == "UnsupportedOperation" and said in {
        "not readable",
        "not writable",
    }:
        why = f"The file is {said}: the mode it was opened with does not allow it"
        remedy = "Open it with mode 'r' to read, 'w' or 'a' to write, 'r+' for both."
        rule = "file-mode"
    if rule:
        yield Diagnosis(
            rule=rule,
            certainty="certain",
            cause=f"{why}.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy=remedy,
        )


def wrong_encoding(moment: Moment) -> Iterator[Diagnosis]:
    """Bytes that are not of the encoding they are read with: which byte, and what fits."""
    error, frame = moment.error, moment.frame
    if frame is None:
        return
    if type(error) is UnicodeDecodeError:
        data, at = error.object, error.start
        fits = _encodings(data)
        around = shown(data[max(0, at - 15) : at + 15])
        readings = [
            f"{name}: {data[max(0, at - 10) : at + 10].decode(name, 'replace')!r}"
            for name in fits[:1]
            if not name.startswith("utf-16")
        ]
        call = _opening(frame)
        yield Diagnosis(
            rule="wrong-encoding",
            certainty="certain",
            cause=f"Byte 0x{data[at]:02x} at position {at} is not {error.encoding}"
            + (
                f"; the bytes read well as {fits[0]}."
                if fits
                else "; the data may be no text at all."
            ),
            evidence=(
                f"around it: {around}",
                *readings,
                f"{where(frame)}: {text_of(frame.node, 60)}",
            ),
            remedy=f"Pass encoding={fits[0]!r}." if fits else "Open it as bytes: mode 'rb'.",
            fix=_encoding_fix(frame, call, fits[0]) if fits and call is not None else None,
        )
    elif type(error) is UnicodeEncodeError:
        letters = error.object[error.start : error.end][:5]
        call = _opening(frame)
        printed = any(
            text_of(each.func) in {"print", "sys.stdout.write", "sys.stderr.write"}
            and not any(k.arg == "file" for k in each.keywords)
            for each in nodes_at_fault(frame, ast.Call)
        )
        if printed:
            yield Diagnosis(
                rule="wrong-encoding",
                certainty="certain",
                cause=f"The output is written in {error.encoding}, which has no {letters!r} "
                f"(position {error.start}).",
                evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
                remedy="Start Python with PYTHONIOENCODING=utf-8 in the environment, or call "
                "sys.stdout.reconfigure(encoding='utf-8').",
            )
            return
        yield Diagnosis(
            rule="wrong-encoding",
            certainty="certain",
            cause=f"The encoding {error.encoding} has no {letters!r} (position {error.start}).",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy="Write with encoding='utf-8'.",
            fix=_encoding_fix(frame, call, "utf-8") if call is not None else None,
        )


def _encodings(data: bytes) -> list[str]:
    """What the bytes may be. Source: the byte order marks of Unicode; Windows-1252 leaves five
    bytes undefined, Latin-1 none."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return ["utf-16"]
    if data[:3] == b"\xef\xbb\xbf":
        return ["utf-8-sig"]
    if data[:2] in {b"\x1f\x8b", b"PK"} or data[:4] in {b"\x89PNG", b"%PDF"} or b"\0" in data[:200]:
        return []
    found = []
    for name in ("utf-8", "cp1252", "latin-1"):
        try:
            data.decode(name)
        except UnicodeDecodeError:
            continue
        found.append(name)
    return found


def _opening(frame: LiveFrame) -> ast.Call | None:
    """The call that chose the encoding: at the failing place, or the one that opened the file."""
    names = {"open", "read_csv", "read_text", "decode", "encode", "write_text", "read_table"}
    calls = nodes_at_fault(frame, ast.Call)
    if frame.tree is not None:
        calls += [
            n for n in ast.walk(frame.tree) if isinstance(n, ast.Call) and n.lineno <= frame.line
        ]
    opened = [c for c in calls if text_of(c.func).rpartition(".")[2] in names]
    return (
        opened[0]
        if len({id(each) for each in opened}) == 1
        or (opened and opened[0] in nodes_at_fault(frame, ast.Call))
        else None
    )


def _encoding_fix(frame: LiveFrame, call: ast.Call, name: str) -> Fix | None:
    given = next((each for each in call.keywords if each.arg == "encoding"), None)
    if given is not None:
        return rewritten(frame, name, (given.value, f'"{name}"'))
    text = segment(frame, call)
    method = text_of(call.func).rpartition(".")[2]
    if method in {"decode", "encode"}:
        if call.args:
            return rewritten(frame, name, (call.args[0], f'"{name}"'))
        return rewritten(frame, name, (call, f'{text[:-1]}"{name}")'))
    if any(isinstance(each, ast.Constant) and "b" in str(each.value) for each in call.args[1:2]):
        return None
    known, _ = value_of(call.func, frame)
    comma = ", " if call.args or call.keywords else ""
    return (
        rewritten(frame, name, (call, f'{text[:-1]}{comma}encoding="{name}")'))
        if (known or method in {"read_text", "write_text", "read_csv", "open"})
        else None
    )
