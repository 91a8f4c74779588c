"""Whether the names in suggested code exist: attributes, columns, keys, arguments against live
objects; what stands behind the first unknown one is cut off."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

from aiex_ipy.grounding.completing import modules, reading, tables
from aiex_ipy.grounding.completing.evaluating import Indexer, Names, Seen, rebound
from aiex_ipy.grounding.completing.offers import called_by
from aiex_ipy.grounding.completing.place import open_marks, window, word_start
from aiex_ipy.grounding.live.static import MISSING

MOST_CUTS = 40
_DOTTED = (ast.Name, ast.Attribute, ast.Load)
_NAMED = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.ExceptHandler,
    ast.MatchAs,
    ast.MatchStar,
)
_TOP_LEVEL = re.compile(r"^(?!(?:else|elif|except|finally|case)\b)[^\s)\]}#]", re.MULTILINE)
_BETWEEN = re.compile(r"(?<=[\w)\]}\"'])(?=[^\w])|\n")


class Verdict(NamedTuple):
    """What is left of a suggestion. `unconfirmed` are the names that do not exist where it uses
    them; `checked` False: the code could not be read, so nothing is known of its names."""

    text: str
    unconfirmed: tuple[str, ...] = ()
    checked: bool = True


def checked(fragment: str, text: str, suffix: str, names: Names) -> Verdict:
    """Return `text`, which continues `fragment`, as far as its names can stand.

    Names whose owner is not known exactly are left alone: nothing is claimed of them. Runs no
    code of the objects.
    """
    code = window(fragment)
    starts = [found.start() for found in _TOP_LEVEL.finditer(code)]
    for start in (starts[-1:] or [0]) + [0]:
        head = code[start:]
        tree = _tree(head, text, suffix)
        if tree is not None:
            break
    else:
        lines = text.splitlines(keepends=True)[:-1]
        while lines:  # a suggestion whose end was cut off
            whole = "".join(lines).rstrip()
            if _tree(head, whole, suffix) is not None:
                return checked(fragment, whole, suffix, names)
            del lines[-1]
        readable = any(_tree(head, each, suffix) is not None for each in ("", "_"))
        return Verdict("") if readable else Verdict(text, (), False)
    elsewhere = f"{fragment[: word_start(fragment, len(fragment))]}\n{suffix}"
    unknown = sorted(_Reader(tree, head, text, code, elsewhere, names).unknown())
    if not unknown:
        return Verdict(text)
    said = tuple(dict.fromkeys(what for _, what in unknown))
    return Verdict(_cut(head, text, suffix, unknown[0][0]), said)


def _tree(head: str, text: str, suffix: str) -> ast.Module | None:
    """The tree of the code with the suggestion in it, what is open at its end closed."""
    whole = head + text
    closed = whole + _closers(head, whole)
    rest_of_line = suffix.partition("\n")[0]
    indent = " " * 80
    closers = closed.removeprefix(whole)
    more = (f"{whole}_{closers}", f"{closed}: pass", f"{closed}\n{indent}pass")
    for code in (whole + rest_of_line, closed, *more):
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            continue
    return None


def _closers(head: str, code: str) -> str:
    """What closes the brackets of `code`, and the string of `head` if that is still open."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    marks = open_marks(code)
    quotes = [mark for mark in open_marks(head) if mark not in pairs]
    return "".join(
        pairs.get(mark, mark) for mark in reversed(marks) if mark in pairs or mark in quotes
    )


def _cut(head: str, text: str, suffix: str, at: int) -> str:
    """The longest part of `text` before `at` that is whole code, else the part up to the last
    comma or line end."""
    at -= len(head)
    if at <= 0:
        return ""
    line = text.rfind("\n", 0, at)
    if line > 0:  # of later lines only whole ones stay
        at = line
    edges = [found.start() for found in _BETWEEN.finditer(text, 0, at)] + [at]
    for edge in reversed(edges[-MOST_CUTS:]):
        part = text[:edge].rstrip()
        if not re.search(r"\w", part):
            break
        try:
            ast.parse(head + part)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            continue
        return part
    comma = text.rfind(",", 0, at)
    part = text[:comma] if comma > 0 else ""
    return part if re.search(r"\w", part) and _tree(head, part, suffix) is not None else ""


class _Reader:
    """Looks through the tree of `head + text` for names that do not exist and stand in `text`."""

    def __init__(
        self,
        tree: ast.Module,
        head: str,
        text: str,
        code: str,
        elsewhere: str,
        names: Names,
    ) -> None:
        self.tree = tree
        self.code = code
        self.names = names
        self.lines = (head + text).split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)
        # A name may have begun before the cursor.
        self.begin = word_start(head, len(head))
        self.end = len(head) + len(text)
        self.bound = {name for node in ast.walk(tree) for name in _binds(node)}
        self.elsewhere = elsewhere

    def unknown(self) -> Iterator[tuple[int, str]]:
        """Yield where an unknown name stands, in characters of `head + text`, and what it is."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute):
                yield from self._attribute(node)
            elif isinstance(node, ast.Subscript):
                yield from self._subscript(node)
            elif isinstance(node, ast.Call):
                yield from self._call(node)
            elif isinstance(node, ast.Name):
                yield from self._name(node)

    def _known(self, node: ast.expr) -> Seen | None:
        roots = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        if roots & self.bound or any(rebound(root, self.code) for root in roots):
            return None
        return self.names.of_node(node)

    def _owner(self, node: ast.expr, at: int) -> int:
        """Where the owner of a name at `at` begins, if that is a name alone and is suggested too:
        it says nothing without what is wrong of it."""
        start = self._start(node)
        plain = all(isinstance(each, _DOTTED) for each in ast.walk(node))
        return start if plain and start >= self.begin else at

    def _attribute(self, node: ast.Attribute) -> Iterator[tuple[int, str]]:
        at = self._end(node) - len(node.attr)
        if self.begin <= at < self.end and isinstance(node.ctx, ast.Load):
            seen = self._known(node.value)
            if seen is not None and lacks_attribute(seen, node.attr):
                at = self._owner(node.value, at)
                yield at, f"{_short(node.value)}.{node.attr}"

    def _subscript(self, node: ast.Subscript) -> Iterator[tuple[int, str]]:
        at = self._start(node.slice)
        inside = self._end(node.slice) > self.begin and at < self.end
        if inside and isinstance(node.ctx, ast.Load):
            missing = _missing_key(node.slice, self._known(node.value))
            if missing is not None:
                at = self._owner(node.value, at)
                yield at, f"{_short(node.value)}[{missing!r}]"

    def _call(self, node: ast.Call) -> Iterator[tuple[int, str]]:
        given = [(self._start(each), each.arg) for each in node.keywords if each.arg]
        given = [(at, name) for at, name in given if self.begin <= at < self.end]
        if not given or self._known(node.func) is None:
            return
        called = called_by(ast.unparse(node.func), self.names)
        if called is not None and not called.open:
            for at, name in given:
                if name not in called.names:
                    yield at, f"{_short(node.func)}({name}=)"

    def _name(self, node: ast.Name) -> Iterator[tuple[int, str]]:
        at = self._start(node)
        if not self.begin <= at < self.end or not isinstance(node.ctx, ast.Load):
            return
        known = node.id in self.bound or self.names.get(node.id) is not MISSING
        # What stands anywhere else may be bound there in a way that is not seen here.
        if not known and not re.search(rf"\b{node.id}\b|import \*", self.elsewhere):
            yield at, node.id

    def _start(self, node: Any) -> int:
        return self._at(node.lineno, node.col_offset)

    def _end(self, node: Any) -> int:
        return self._at(node.end_lineno, node.end_col_offset)

    def _at(self, line: int, column: int) -> int:
        """Columns are counted in bytes by `ast`."""
        if line > len(self.lines):
            return self.starts[-1]
        text = self.lines[line - 1]
        if not text.isascii():
            column = len(text.encode()[:column].decode(errors="ignore"))
        return self.starts[line - 1] + column


def lacks_attribute(seen: Seen, name: str) -> bool:
    """True when it is certain that what was seen has no attribute `name`."""
    value = seen.value
    if not seen.exact or value is MISSING or type(value) is Indexer:
        return False
    if name in reading.attribute_names(value):
        return False
    if reading.is_a(value, ModuleType):
        own = reading.own(value)
        lazy = "__getattr__" in own and not reading.listed(own)
        return not lazy and name not in modules.submodules(str(own.get("__name__", "")))
    columns = tables.columns(value)
    if columns is not None:
        return columns.whole and name not in columns.names
    return not reading.answers_more(value)


def _missing_key(index: ast.expr, seen: Seen | None) -> Any:
    """The constant text in a subscript that is no column or key, or None."""
    if seen is None or not seen.exact or seen.value is MISSING:
        return None
    elements = index.elts if isinstance(index, ast.List) else [index]
    wanted = [e.value for e in elements if isinstance(e, ast.Constant) and type(e.value) is str]
    columns = tables.columns(seen.value)
    if columns is not None:
        known = columns.names if columns.whole else None
    else:
        listed = reading.keys(seen.value) if type(seen.value) is dict else None
        known = reading.texts(listed[0]) if listed is not None and listed[1] else None
    if known is None:
        return None
    return next((each for each in wanted if each not in known), None)


def _binds(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.alias):
        yield (node.asname or node.name).partition(".")[0]
    elif isinstance(node, _NAMED) and node.name:
        yield node.name


def _short(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:59]}…"
