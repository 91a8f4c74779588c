"""Imports that fail: which distribution has the module, what shadows it, what it is called now."""

from __future__ import annotations

import ast
import linecache
import os
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.distributions import DISTRIBUTIONS, SAME_NAME
from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.removed import MODULES, TABLE, instead, version_of
from aiex_ipy.grounding.diagnosis.sight import (
    close_to,
    message,
    nodes_at_fault,
    public_attributes,
    text_of,
    where,
)
from aiex_ipy.grounding.failure.frames import steps_of
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.failure.sources import library_of
from aiex_ipy.grounding.fix import Fix
from aiex_ipy.grounding.owners import is_users, shown_directory, shown_path


def missing_module(moment: Moment) -> Iterator[Diagnosis]:
    """A module that is not there."""
    error, frame = moment.error, moment.frame
    if type(error) is not ModuleNotFoundError or not error.name or frame is None:
        return
    name: str = error.name
    root = name.partition(".")[0]
    gone = MODULES.get(name) or MODULES.get(_asked(frame, name))
    if gone is not None:
        yield _gone(frame, name if name in MODULES else _asked(frame, name), gone)
        return
    if name != root and root in sys.modules:
        yield from _missing_part(frame, name, root)
        return
    local = _beside(moment, frame, root)
    if local is not None:
        yield local
    near = close_to(root, importable(), 0.8)
    known = root in DISTRIBUTIONS or root in SAME_NAME
    if near and not known:
        yield Diagnosis(
            rule="near-miss-module",
            cause=f"There is no module {root!r}; {near[0]!r} is installed, and is spelled almost "
            "the same.",
            evidence=(f"{where(frame)}: {_statement(frame)}",),
            remedy=f"Write {near[0]!r}.",
            fix=_module_renamed(frame, root, near[0]),
        )
        return
    if local is not None:
        return
    wanted = close_to(root, [*DISTRIBUTIONS, *SAME_NAME], 0.8, 1) if not known else []
    if wanted:
        yield Diagnosis(
            rule="near-miss-module",
            certainty="possible",
            cause=f"There is no module {root!r}; the well-known {wanted[0]!r} is spelled almost "
            "the same.",
            remedy=f"Write {wanted[0]!r}, and install {DISTRIBUTIONS.get(wanted[0], wanted[0])}.",
            fix=_module_renamed(frame, root, wanted[0]),
        )
        return
    distribution = DISTRIBUTIONS.get(name) or DISTRIBUTIONS.get(root, root)
    other = f"; it is in the distribution {distribution!r}" if distribution != root else ""
    yield Diagnosis(
        rule="missing-package",
        cause=f"The module {root!r} is not installed in this environment{other}.",
        certainty="certain" if known else "possible",
        evidence=(
            f"{where(frame)}: {_statement(frame)}",
            f"this Python is the one of {shown_directory(sys.prefix)!r}",
        ),
        remedy=f"Install it: {'%' if frame.source and frame.source.cell else 'python -m '}pip "
        f"install {distribution}",
    )


def _statement(frame: LiveFrame) -> str:
    nodes = [*nodes_at_fault(frame, ast.Import), *nodes_at_fault(frame, ast.ImportFrom)]
    return text_of(nodes[0]) if nodes else "the import"


def _asked(frame: LiveFrame, name: str) -> str:
    """The dotted name an import asked for, of which `name` may be only the first part."""
    for node in nodes_at_fault(frame, ast.Import):
        return node.names[0].name
    for other in nodes_at_fault(frame, ast.ImportFrom):
        full = f"{other.module}.{other.names[0].name}"
        return full if full in MODULES else other.module or name
    return name


def _gone(frame: LiveFrame, name: str, gone: tuple[str, str]) -> Diagnosis:
    since, successor = gone
    since = since if " " in since else f"Python {since}"
    fix = _module_renamed(frame, name, successor, keep=True) if _is_dotted(successor) else None
    return Diagnosis(
        rule="removed-module",
        cause=f"The module {name!r} is no longer there since {since}; this is "
        f"{version_of(name) if ' ' in gone[0] else version_of('sys')}.",
        certainty="certain",
        evidence=(f"{where(frame)}: {_statement(frame)}",),
        remedy=instead(successor),
        fix=fix,
    )


def _is_dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _module_renamed(frame: LiveFrame, old: str, new: str, *, keep: bool = False) -> Fix | None:
    """The import of another module; with `keep` under the old name, which the code uses."""
    for node in (*nodes_at_fault(frame, ast.Import), *nodes_at_fault(frame, ast.ImportFrom)):
        text = segment(frame, node)
        asked: list[str | None] = [node.module] if isinstance(node, ast.ImportFrom) else []
        asked += [each.name for each in node.names] if isinstance(node, ast.Import) else []
        if any(each == old or (each or "").startswith(f"{old}.") for each in asked):
            if isinstance(node, ast.Import):
                parts = [_alias(each, old, new, keep=keep) for each in node.names]
                return rewritten(frame, f"{old} → {new}", (node, f"import {', '.join(parts)}"))
            head, keyword, tail = text.partition(" import ")
            return rewritten(
                frame, f"{old} → {new}", (node, head.replace(old, new, 1) + keyword + tail)
            )
    return None


def _alias(alias: ast.alias, old: str, new: str, *, keep: bool) -> str:
    hit = alias.name == old or alias.name.startswith(f"{old}.")
    if not hit:
        return f"{alias.name} as {alias.asname}" if alias.asname else alias.name
    name = new + alias.name[len(old) :]
    called = alias.asname or (alias.name if keep and "." not in alias.name else "")
    return f"{name} as {called}" if called else name


def _missing_part(frame: LiveFrame, name: str, root: str) -> Iterator[Diagnosis]:
    parent = name.rpartition(".")[0]
    module = sys.modules.get(parent)
    shadow = shadowing_file(module) if module is not None else None
    if shadow is not None:
        yield shadowed(parent, shadow, f"{shadow} is no package and has no {name!r}")
        return
    last = name.rpartition(".")[2]
    near = close_to(last, submodules(module), 0.7) if type(module) is types.ModuleType else []
    hint = f"; it has {near[0]!r}, spelled almost the same" if near else ""
    yield Diagnosis(
        rule="near-miss-module" if near else "missing-submodule",
        cause=f"{parent} has no submodule {last!r}{hint}; this is {version_of(root)}.",
        certainty="likely" if near else "possible",
        evidence=(f"{where(frame)}: {_statement(frame)}",),
        remedy=f"Write {parent}.{near[0]}."
        if near
        else f"See what {parent} offers in this version, or install the version that has it.",
        fix=_module_renamed(frame, name, f"{parent}.{near[0]}") if near else None,
    )


def _beside(moment: Moment, frame: LiveFrame, root: str) -> Diagnosis | None:
    """A file or package of that name in the project that is not on the path."""
    tops = dict.fromkeys(
        os.path.abspath(each)
        for each in (os.path.dirname(frame.file), os.getcwd(), moment.project_dir)
        if each and os.path.isdir(each)
    )
    for top in tops:
        places = [os.path.dirname(top), *_directories(top)]
        for directory in places:
            if os.path.isfile(os.path.join(directory, f"{root}.py")) or os.path.isfile(
                os.path.join(directory, root, "__init__.py")
            ):
                shown = os.path.relpath(directory, top).replace(os.sep, "/")
                return Diagnosis(
                    rule="module-not-on-path",
                    cause=f"{root!r} is a module of yours in {shown!r}, and that directory is not "
                    "on Python's path.",
                    evidence=(f"{where(frame)}: {_statement(frame)}", f"{shown}/{root} is there"),
                    remedy="Run from that directory, install the project (`pip install -e .`), or "
                    "import it by its package.",
                )
    return None


def _directories(top: str) -> list[str]:
    try:
        with os.scandir(top) as entries:
            return [e.path for e in entries if e.is_dir() and e.name[0] not in "._"][:50]
    except OSError:
        return []


def importable() -> list[str]:
    """Return the top modules that can be imported: Python's own and those on the path."""
    names = dict.fromkeys(each for each in sys.stdlib_module_names if each[0] != "_")
    for directory in dict.fromkeys(sys.path):
        try:
            with os.scandir(directory or ".") as entries:
                for entry in entries:
                    stem, dot, ending = entry.name.partition(".")
                    if stem.isidentifier() and (ending.endswith(("py", "so", "pyd")) or not dot):
                        names[stem] = None
        except OSError:
            continue
    names.pop("__pycache__", None)
    return list(names)


def submodules(module: types.ModuleType) -> list[str]:
    """Return the submodules of a package, from its directories alone."""
    found: dict[str, None] = {}
    path = module.__dict__.get("__path__", ())
    for directory in list(path)[:5] if isinstance(path, list) else ():
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    stem, dot, ending = entry.name.partition(".")
                    if stem.isidentifier() and (ending.endswith(("py", "so", "pyd")) or not dot):
                        found[stem] = None
        except OSError:
            continue
    found.pop("__init__", None)
    found.pop("__pycache__", None)
    return list(found)


def shadowing_file(module: Any) -> str | None:
    """Return the user's file that was imported in place of another module of its name, or None."""
    if type(module) is not types.ModuleType:
        return None
    name, file = module.__dict__.get("__name__"), module.__dict__.get("__file__")
    if type(name) is not str or type(file) is not str or "." in name or not is_users(file):
        return None
    if name in sys.stdlib_module_names or name in DISTRIBUTIONS or name in SAME_NAME:
        return shown_path(file, "")
    own = os.path.dirname(os.path.realpath(file))
    for directory in sys.path:
        real = os.path.realpath(directory or ".")
        other = os.path.join(real, name, "__init__.py")
        if real != own and "site-packages" in real and os.path.exists(other):
            return shown_path(file, "")
    return None


def shadowed(name: str, file: str, why: str) -> Diagnosis:
    """Return what is to be said of a module whose place a file of the user's took."""
    kind = "the standard library module" if name in sys.stdlib_module_names else "the package"
    return Diagnosis(
        rule="shadowed-module",
        cause=f"Your own file {file} shadows {kind} {name!r}: it has the same name and is imported "
        "instead of it.",
        certainty="certain",
        evidence=(f"{name} was imported from {file}", why),
        remedy=f"Rename {file.rpartition('/')[2]}, and delete its __pycache__.",
    )


def shadowed_within(moment: Moment) -> Iterator[Diagnosis]:
    """A file of the user's that a library imported in place of the module it means."""
    error, frame = moment.error, moment.frame
    if not isinstance(error, ImportError | AttributeError) or frame is None:
        return
    steps = steps_of(error.__traceback__)
    if not steps or (steps[-1].frame is frame.frame and nodes_at_fault(frame, ast.ImportFrom)):
        return
    said = message(error)
    found = (
        re.search(r"cannot import name '?(\w+)'?(?: from '([\w.]+)')?", said)
        or re.search(r"module '(?P<m>[\w.]+)' has no attribute '(?P<n>\w+)'", said)
        or re.search(r"No module named '(?P<m>\w+)\.(?P<n>\w+)[^']*'; '(?P=m)' is not", said)
    )
    if found is None:
        return
    groups = found.groupdict()
    wanted = groups.get("n") or found[1]
    named = groups.get("m") or (found[2] if not groups else None)
    for name, file in _namesakes(moment):
        if named not in {None, name} or not _true_module_has(name, wanted):
            continue
        own = "".join(linecache.getlines(file))
        if re.search(rf"^(?:def|class|async def)? *{wanted}\b", own, re.M):
            continue
        library = library_of(steps[-1].file, steps[-1].frame.f_globals)
        who = "" if is_users(steps[-1].file) and library == "__main__" else f" by {library}"
        yield shadowed(
            name,
            shown_path(file, moment.project_dir),
            f"{wanted!r} is asked of it{who}, which the real {name} has ({where(frame)})",
        )
        return


def _namesakes(moment: Moment) -> Iterator[tuple[str, str]]:
    """The user's files beside the code that ran that have the name of a module of Python's."""
    tops = (*(os.path.dirname(each.file) for each in moment.frames if os.path.isabs(each.file)),)
    for top in dict.fromkeys((*tops, os.getcwd())):
        try:
            with os.scandir(top) as entries:
                names = sorted(each.name for each in entries)[:2_000]
        except OSError:
            continue
        for each in names:
            stem, _, ending = each.partition(".")
            file = os.path.join(top, each)
            if ending == "py" and stem in sys.stdlib_module_names and is_users(file):
                yield stem, file


def _true_module_has(name: str, wanted: str) -> bool:
    """True if the standard library's module has a name, by its text."""
    home = os.path.dirname(os.__file__)
    for file in (os.path.join(home, f"{name}.py"), os.path.join(home, name, "__init__.py")):
        text = "".join(linecache.getlines(file))
        if text:
            return re.search(rf"\b{wanted}\b", text) is not None or os.path.exists(
                os.path.join(home, name, f"{wanted}.py")
            )
    return False


def missing_member(moment: Moment) -> Iterator[Diagnosis]:
    """`from module import name` where the module has no such name."""
    error, frame = moment.error, moment.frame
    if type(error) is not ImportError or frame is None:
        return
    nodes = nodes_at_fault(frame, ast.ImportFrom)
    if not nodes:
        return
    if "attempted relative import" in message(error):
        yield Diagnosis(
            rule="relative-import",
            cause=f"`{text_of(nodes[0])}` is relative, and the file runs as a script: it belongs "
            "to no package then.",
            certainty="certain",
            evidence=(f"{where(frame)}: {text_of(nodes[0])}",),
            remedy="Run it as a module (`python -m package.module`), or import by the full name.",
        )
        return
    node, name = nodes[0], error.name or nodes[0].module or ""
    module = sys.modules.get(name)
    wanted = next((a.name for a in node.names if a.name in message(error)), None)
    if wanted is None:
        return
    if "partially initialized" in message(error) or "circular import" in message(error):
        yield circle(moment, frame, name)
        return
    shadow = shadowing_file(module)
    if shadow is not None:
        yield shadowed(name, shadow, f"{shadow} does not define {wanted!r}")
        return
    known = TABLE.get(name, {}).get(wanted)
    if known is not None:
        since, successor = known
        since = since if " " in since else f"{name.partition('.')[0]} {since}"
        fix = _member_renamed(frame, node, wanted, successor)
        yield Diagnosis(
            rule="removed-name",
            cause=f"{name}.{wanted} is no longer there: it was removed in {since}; this is "
            f"{version_of(name)}.",
            certainty="certain",
            evidence=(f"{where(frame)}: {text_of(node)}",),
            remedy=instead(successor),
            fix=fix,
        )
        return
    if module is None:
        return
    names = [each for each in public_attributes(module) if not each.startswith("__")]
    near = close_to(wanted, [*names, *submodules(module)], 0.7)
    if near:
        yield Diagnosis(
            rule="near-miss-import",
            cause=f"{name} has no {wanted!r}; it has {near[0]!r}, spelled almost the same.",
            evidence=(f"{where(frame)}: {text_of(node)}",),
            remedy=f"Write {near[0]!r}.",
            fix=_member_renamed(frame, node, wanted, near[0]),
        )
        return
    yield Diagnosis(
        rule="missing-import-name",
        cause=f"{name} has no {wanted!r} in this version ({version_of(name)}).",
        certainty="possible",
        evidence=(f"{where(frame)}: {text_of(node)}",),
        remedy=f"Look up where {wanted!r} is now, or install the version that has it.",
    )


def _member_renamed(frame: LiveFrame, node: ast.ImportFrom, old: str, new: str) -> Fix | None:
    if new.startswith(f"collections.abc.{old}") and len(node.names) == 1:
        text = segment(frame, node).replace("from collections ", "from collections.abc ", 1)
        return rewritten(frame, "moved", (node, text))
    alias = next(each for each in node.names if each.name == old)
    if not new.isidentifier():
        return None
    used = any(
        isinstance(each, ast.Name) and each.id == old
        for each in (ast.walk(frame.tree) if frame.tree is not None else ())
    )
    called = alias.asname or (old if used else "")
    return rewritten(frame, f"{old} → {new}", (alias, f"{new} as {called}" if called else new))


def circle(moment: Moment, frame: LiveFrame, name: str) -> Diagnosis:
    """Return what is to be said of modules that import each other."""
    importing = [
        each
        for each in moment.frames
        if each.user and (each.code.co_name == "<module>") and each.tree is not None
    ]
    files = list(dict.fromkeys(each.place for each in importing))
    lines = tuple(
        f"{where(each)}: {text_of(each.node) if each.node is not None else 'import'}"
        for each in importing
    )
    module = sys.modules.get(name)
    stem = name.rpartition(".")[2]
    file = importing[-1].file if importing else ""
    own = module.__dict__.get("__file__") if type(module) is types.ModuleType else file
    famous = stem in sys.stdlib_module_names or stem in SAME_NAME or stem in DISTRIBUTIONS
    if famous and type(own) is str and is_users(own):
        why = "it imports itself in place of the module it means"
        return shadowed(name, shown_path(own, moment.project_dir), why)
    return Diagnosis(
        rule="circular-import",
        cause=f"Circular import: {' imports '.join([*files, name or 'one of them'])}, which is "
        "still being imported.",
        certainty="certain",
        evidence=lines,
        remedy="Move what both need into a third module, or import inside the function that "
        "needs it.",
    )
