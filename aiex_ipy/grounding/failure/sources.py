"""The source of code that ran: its lines as they ran, parsed once, and whether they changed."""

from __future__ import annotations

import ast
import linecache
import os
import sys
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any, cast

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.failure.evaluate import lookup
from aiex_ipy.grounding.fix import Source
from aiex_ipy.grounding.owners import LIBRARIES, PACKAGES, is_users, shown_path

MOST_PARSED = 400_000
"""Characters of a source that is still parsed: some 10,000 lines, a tenth of a second."""

NameOf = Callable[[str], str | None]
"""Gives the name people know code by, such as `In[3]`, for the name it was compiled under."""
GONE = "its source is not to be had"
CHANGED = "its file has been changed since this code was loaded; the lines are not known"
SHOWN_AS_RAN = "its file has been changed since; these are the lines that ran"


def nameless(file: str) -> str | None:
    """Know no cells: where there is no notebook."""
    return None


class Text:
    """One source as it ran: `lines` with their ends, `tree` None where it does not parse."""

    __slots__ = ("lines", "missing", "tree")

    def __init__(self, lines: Sequence[str], tree: ast.Module | None, missing: str = "") -> None:
        self.lines = lines
        self.tree = tree
        self.missing = missing


class Sources:
    """Where the sources of one capture come from; each is read and parsed once."""

    def __init__(
        self, *, cells: Sequence[RanCell] = (), name_of: NameOf = nameless, project_dir: str = ""
    ) -> None:
        self.cells = cells
        self.name_of = name_of
        self.project_dir = project_dir
        self._texts: dict[str, Text] = {}
        self._users: dict[str, bool] = {}

    def label(self, file: str) -> str | None:
        """Return the name of the cell that was compiled under a file name, or None."""
        return self.name_of(file)

    def is_users(self, file: str, namespace: Any = None) -> bool:
        """True for code that is neither a library's, nor Python's, nor our own. Code without a
        file of its own (`<string>`, `index.pyx`) is whose module it ran in."""
        known = self._users.get(file)
        if known is None:
            if self.name_of(file) is not None:
                known = True
            elif os.path.isabs(file) or (not file.startswith("<") and os.path.exists(file)):
                known = is_users(file)
            elif file.startswith("<frozen "):
                known = False
            else:
                found, home = lookup(namespace, "__file__")
                # not remembered: the next `<string>` may be another's
                return not (found and type(home) is str) or is_users(home)
            self._users[file] = known
        return known

    def text(self, file: str, code: CodeType | None, namespace: Any = None) -> Text:
        """Return the source a code object was made from."""
        if file not in self._texts:
            self._texts[file] = self._read(file, code, namespace)
        return self._texts[file]

    def lines(self, file: str) -> Sequence[str]:
        """Return the lines of a library's file, which is taken to be as it ran."""
        return linecache.getlines(file)

    def source(self, file: str, text: Text) -> Source | None:
        """Return the text that a fix would be for: the cell as typed, or the file."""
        if not text.lines or text.missing:
            return None
        label = self.name_of(file)
        cell = next((each for each in reversed(self.cells) if each.label == label), None)
        if label is None and not os.path.isfile(file):
            return None
        return Source(
            path=label or shown_path(file, self.project_dir),
            text=cell.code if cell is not None else "".join(text.lines),
            cell=cell.number if cell is not None else None,
            file=os.path.abspath(file) if label is None else "",
        )

    def _read(self, file: str, code: CodeType | None, namespace: Any) -> Text:
        lines = linecache.getlines(file, _loading(namespace))
        if not lines:
            return Text((), None, GONE)
        if code is None or len("".join(lines)) > MOST_PARSED or not _checkable(file, namespace):
            return Text(lines, _parsed(file, lines, namespace))
        linecache.checkcache(file)
        again = linecache.getlines(file, _loading(namespace))
        tree = _parsed(file, again, namespace)
        if fits(tree, code, file):
            return Text(again, tree)
        if again != lines and fits(tree := _parsed(file, lines), code, file):
            return Text(lines, tree, SHOWN_AS_RAN)
        return Text((), None, CHANGED)


def library_of(file: str, namespace: Any = None) -> str:
    """Return the name of the package that code which is not the user's belongs to."""
    found, name = lookup(namespace, "__name__")
    if found and type(name) is str and name != "__main__":
        return name.partition(".")[0]
    real = os.path.realpath(file).replace(os.sep, "/")
    for root in (*(each.replace(os.sep, "/") for each in PACKAGES), *LIBRARIES):
        if root in real:
            top = real.rpartition(root)[2].partition("/")[0]
            return top.removesuffix(".py")
    return os.path.basename(file).removesuffix(".py")


def fits(tree: ast.Module | None, code: CodeType, file: str) -> bool:
    """True when compiling the source gives this very code, at these lines."""
    if tree is None:
        return False
    try:
        made = compile(tree, file, "exec", dont_inherit=True, optimize=sys.flags.optimize)
    except (SyntaxError, ValueError, RecursionError):
        return False
    for each in _codes(made):
        if (each.co_name, each.co_firstlineno) == (code.co_name, code.co_firstlineno) and (
            each.co_code,
            each.co_names,
            list(each.co_lines()),
        ) == (code.co_code, code.co_names, list(code.co_lines())):
            return True
    return False


def _codes(code: CodeType) -> list[CodeType]:
    found = [code]
    for each in found:
        found += [inner for inner in each.co_consts if type(inner) is CodeType]
    return found


def _checkable(file: str, namespace: Any) -> bool:
    """True where the code was made from its file as it stands: import hooks that rewrite code
    (pytest's, for one) make another."""
    if not os.path.isfile(file):
        return False
    found, loader = lookup(namespace, "__loader__")
    kind = type(loader)
    return not found or loader is None or kind.__name__ == "SourceFileLoader"


def _loading(namespace: Any) -> dict[str, Any] | None:
    """What `linecache` may ask for source: a loader of Python's own, as `zipimport`'s is."""
    found, loader = lookup(namespace, "__loader__")
    if not found or not type(loader).__module__.startswith(("_frozen_importlib", "zipimport")):
        return None
    return {"__name__": lookup(namespace, "__name__")[1], "__loader__": loader}


def _parsed(file: str, lines: Sequence[str], namespace: Any = None) -> ast.Module | None:
    """The parse tree of the lines: that of `executing`, which keeps it from one capture to the
    next and whose nodes the failing one is found among, when it sees the same lines."""
    text = "".join(lines)
    if not lines or len(text) > MOST_PARSED:
        return None
    import executing

    try:
        source = executing.Source.for_filename(file, _loading(namespace))
        if source.tree is not None and source.text == text:
            return cast(ast.Module, source.tree)
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
