"""Whether the names in suggested code exist: attributes, columns, keys, arguments against live
objects; what stands behind the first unknown one is cut off."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

from aiex_ipy.grounding.completing import modules, reading, tables, taking
from aiex_ipy.grounding.completing.evaluating import Indexer, Names, Seen, rebound
from aiex_ipy.grounding.completing.offers import called_by
from aiex_ipy.grounding.completing.place import open_marks, window, word_start
from aiex_ipy.grounding.live.static import MISSING, module_of

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
        self.whole = f"{code}{text}"

    def unknown(self) -> Iterator[tuple[int, str]]:
        """Yield where an unknown name stands, in characters of `head + text`, and what it is."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute):
                yield from self._attribute(node)
            elif isinstance(node, ast.Subscript):
                yield from self._subscript(node)
            elif isinstance(node, ast.Call):
                yield from self._call(node)
                yield from self._columns_of_call(node)
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
            lacks = seen is not None and lacks_attribute(seen, node.attr)
            if lacks or self._lacks_made(node.value, node.attr):
                at = self._owner(node.value, at)
                yield at, f"{_short(node.value)}.{node.attr}"

    def _subscript(self, node: ast.Subscript) -> Iterator[tuple[int, str]]:
        at = self._start(node.slice)
        inside = self._end(node.slice) > self.begin and at < self.end
        if inside and isinstance(node.ctx, ast.Load):
            missing = _missing_key(node.slice, self._known(node.value))
            if missing is None and isinstance(node.value, ast.Call):
                table = self._table(node.value)
                wanted = taking.constants([node.slice])
                missing = next((e.value for e in wanted if _no_column(table, e.value)), None)
            if missing is not None and not self._made_here(missing):
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

    def _columns_of_call(self, node: ast.Call) -> Iterator[tuple[int, str]]:
        """Texts in a call that must be columns and are none."""
        if self._end(node) <= self.begin or not isinstance(node.func, ast.Attribute):
            return
        table = self._table(node.func.value)
        library = module_of(type(table)).partition(".")[0]
        if library in taking.METHODS:
            wanted = list(taking.column_texts(node, library))
            if library == "polars":
                for call in taking.expression_columns(node):
                    wanted += taking.constants(call.args)
                wanted = [each for each in wanted if not taking.is_pattern(each.value)]
            elif node.func.attr in tables.TAKE_EXPRESSIONS:
                yield from self._queried(node, table)
        else:
            plotted = taking.table_of_plot(node)
            if plotted is None or not self._plots(node.func):
                return
            table = self._table(plotted)
            wanted = list(taking.plotted_texts(node))
        for each in wanted:
            at = self._start(each.node)
            inside = self._end(each.node) > self.begin and at < self.end
            if inside and _no_column(table, each.value) and not self._made_here(each.value):
                yield at, f"{_short(node.func)}({each.value!r})"

    def _queried(self, node: ast.Call, table: Any) -> Iterator[tuple[int, str]]:
        found = taking.names_in_query(node)
        if found is None or not self.begin < self._end(found[0]):
            return
        at = self._start(found[0])
        for name in found[1]:
            if at < self.end and _no_column(table, name) and not self._made_here(name):
                yield at, f"{_short(node.func)}({name})"

    def _plots(self, function: ast.expr) -> bool:
        seen = self._known(function)
        called = None if seen is None else reading.function(seen.value)
        return called is not None and called.__module__.startswith(taking.PLOTTING)

    def _table(self, node: ast.expr) -> Any:
        """The table whose very columns an expression has, MISSING where that is not known."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method, table = node.func.attr, MISSING
            if method in taking.SAME_COLUMNS and all(e.arg != "axis" for e in node.keywords):
                table = self._table(node.func.value)
            chosen = method == "filter" and module_of(type(table)).startswith("pandas")
            return MISSING if chosen else table
        if isinstance(node, ast.Subscript):
            masks = ast.Compare | ast.BinOp | ast.UnaryOp | ast.Slice
            return self._table(node.value) if isinstance(node.slice, masks) else MISSING
        seen = self._known(node)
        if seen is None or not seen.exact or seen.value is MISSING:
            return MISSING
        return MISSING if tables.columns(seen.value) is None else seen.value

    def _lacks_made(self, node: ast.expr, name: str) -> bool:
        """True when a method's result has the columns of a table and no attribute `name`."""
        table = self._table(node) if isinstance(node, ast.Call) else MISSING
        if not _no_column(table, name) or self._made_here(name):
            return False
        assert isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if not module_of(type(table)).startswith("pandas"):
            return False
        grouped = node.func.attr == "groupby"
        known = tables.grouped_names() if grouped else reading.class_names(type(table))
        return name not in known

    def _made_here(self, column: str) -> bool:
        """True when the code around seems to make the column."""
        name = re.escape(column)
        quoted = rf"""['"]{name}['"]"""
        made = (
            rf"{quoted}\s*\]\s*[-+*/|&]?=(?!=)|\b{name}\s*=(?!=)|alias\(\s*{quoted}"
            rf"|:\s*{quoted}|insert\([^)]*{quoted}|\.columns\s*=(?!=)"
        )
        return re.search(made, self.whole) is not None

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


def _no_column(table: Any, name: str) -> bool:
    """True when it is certain that a table has no such column, nor an index of that name."""
    columns = None if table is MISSING else tables.columns(table)
    if columns is None or not columns.whole or name in columns.names:
        return False
    return name not in tables.index_names(table)


def _missing_key(index: ast.expr, seen: Seen | None) -> Any:
    """The constant text in a subscript that is no column or key, or None."""
    if seen is None or not seen.exact or seen.value is MISSING:
        return None
    if type(seen.value) is Indexer:
        if not seen.value.by_label or not isinstance(index, ast.Tuple) or len(index.elts) != 2:
            return None
        index, seen = index.elts[1], Seen(seen.value.table)
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
