"""What an expression stands for, told from live names without running anything."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiex_ipy.grounding.completing import reading, tables
from aiex_ipy.grounding.live.static import MISSING, is_class, module_of

DEEPEST = 40
_ACCESSORS = ("loc", "iloc", "at", "iat")


class Seen(NamedTuple):
    """What an expression gives. `value` is MISSING where only the class `cls` is known; `exact`
    False where the value is one like it (rows left out, or its name bound anew since)."""

    value: Any = MISSING
    cls: type | None = None
    exact: bool = True


class Indexer(NamedTuple):
    """`table.loc` and the like: labels before the comma, columns after it."""

    table: Any
    by_label: bool


class Names:
    """The names at a cursor: the namespaces given (the first wins), then the builtins."""

    def __init__(self, *namespaces: Mapping[str, Any]) -> None:
        self.namespaces: tuple[dict[str, Any], ...] = tuple(
            each if type(each) is dict else dict(each) for each in namespaces
        )

    def get(self, name: str) -> Any:
        """Return the value of a name, MISSING when there is none."""
        for each in (*self.namespaces, builtins.__dict__):
            if name in each:
                return each[name]
        return MISSING

    def own(self, name: str) -> Any:
        """Return the value of a name of the namespaces, builtins left out, else MISSING."""
        return next((each[name] for each in self.namespaces if name in each), MISSING)

    def starting_with(self, word: str) -> list[str]:
        """Return the names beginning with `word`, unsorted, without the builtins'."""
        found = [
            name
            for each in self.namespaces
            for name in list(each)
            if type(name) is str and name.startswith(word)
        ]
        return found if len(self.namespaces) < 2 else list(dict.fromkeys(found))

    def evaluate(self, source: str, code: str = "") -> Seen | None:
        """Return what the expression `source` gives; None when that is not known.

        `code` is the text before it: names bound there are no longer sure to be what they were.
        """
        node = parsed(source)
        if node is None:
            return None
        try:
            found = self.of_node(node)
        except RecursionError:
            return None
        if found is not None and code and found.exact:
            roots = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
            if any(rebound(root, code) for root in roots):
                return found._replace(exact=False)
        return found

    def of_node(self, node: ast.expr, depth: int = 0) -> Seen | None:
        """Return what an expression gives; None when that is not known."""
        if depth > DEEPEST:
            return None
        if isinstance(node, ast.Name):
            value = self.get(node.id)
            return None if value is MISSING else Seen(value)
        if isinstance(node, ast.Constant):
            return Seen(node.value) if node.value is not ... else None
        if isinstance(node, ast.Attribute):
            inner = self.of_node(node.value, depth + 1)
            return None if inner is None else _attribute(inner, node.attr)
        if isinstance(node, ast.Subscript):
            inner = self.of_node(node.value, depth + 1)
            return None if inner is None else _item(inner, node.slice)
        if isinstance(node, ast.Call):
            return self._call(node, depth + 1)
        for kind, cls in _DISPLAYS.items():
            if isinstance(node, kind):
                return Seen(cls=cls)
        return None

    def _call(self, node: ast.Call, depth: int) -> Seen | None:
        if isinstance(node.func, ast.Attribute):
            inner = self.of_node(node.func.value, depth)
            keeps = inner is not None and node.func.attr in tables.KEEP_COLUMNS
            if keeps and inner is not None and tables.is_table(inner.value):
                return Seen(inner.value, exact=False)
            made_by = None if inner is None else _class_of(inner)
            called = None if inner is None else _attribute(inner, node.func.attr)
        else:
            made_by = None
            called = self.of_node(node.func, depth)
        if called is None or called.value is MISSING:
            return None
        if is_class(called.value):
            # A metaclass may answer a call with anything.
            calls = reading.in_class(type(called.value), "__call__")
            plain = calls is type.__dict__["__call__"] and called.value is not type
            return Seen(cls=called.value) if plain else None
        return _result_of(called.value, made_by)


_DISPLAYS: dict[type[ast.expr], type] = {
    ast.JoinedStr: str,
    ast.List: list,
    ast.ListComp: list,
    ast.Dict: dict,
    ast.DictComp: dict,
    ast.Set: set,
    ast.SetComp: set,
    ast.Tuple: tuple,
}


def parsed(source: str) -> ast.expr | None:
    """Return the tree of one expression, None for what is none."""
    try:
        return ast.parse(f"({source})", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def rebound(name: str, code: str) -> bool:
    """True when `code` seems to bind `name` (it may be broken code, so this looks at its text)."""
    word = re.escape(name)
    return (
        re.search(
            rf"(?:^|;)[ \t]*(?:[\w, ]*,\s*)?{word}\s*(?:,[\w, ]*)?(?::[^=\n]+)?=(?!=)"
            rf"|\b(?:as|for|def|class|import)\s+(?:[\w, ]*,\s*)?{word}\b|\b{word}\s*:=",
            code,
            re.MULTILINE,
        )
        is not None
    )


def _class_of(seen: Seen) -> type | None:
    return seen.cls if seen.value is MISSING else type(seen.value)


def _attribute(inner: Seen, name: str) -> Seen | None:
    if inner.value is MISSING:
        assert inner.cls is not None
        member = reading.in_class(inner.cls, name)
        if type(member) is property:
            return _result_of(member.fget, inner.cls)
        accessor = _pandas_accessor(inner.cls, member)
        if accessor is not None:
            return Seen(cls=accessor)
        found = reading.attribute(inner.cls, name)
        return None if found is MISSING else Seen(found, exact=False)
    value = inner.value
    if name in _ACCESSORS and (tables.labels(value, 0) is not None):
        return Seen(Indexer(value, name in ("loc", "at")), exact=inner.exact)
    if not is_class(value):
        member = reading.in_class(type(value), name)
        if type(member) is property:
            return _result_of(member.fget, type(value))
        accessor = _pandas_accessor(type(value), member)
        if accessor is not None:
            return Seen(cls=accessor)
    found = reading.attribute(value, name)
    if found is not MISSING:
        return Seen(found, exact=inner.exact)
    return _column(inner, name)


def _pandas_accessor(cls: type, member: Any) -> type | None:
    """The class of `series.str`, `series.dt` and the like, which are made on each access."""
    pandas = [module_of(each).startswith("pandas") for each in (cls, type(member))]
    accessor = reading.own(member).get("_accessor") if all(pandas) else None
    return accessor if is_class(accessor) else None


def _item(inner: Seen, index: ast.expr) -> Seen | None:
    if type(inner.value) is Indexer:
        table = inner.value.table
        if isinstance(index, ast.Tuple) and len(index.elts) == 2:
            last = index.elts[1]
            if isinstance(last, ast.Constant):
                return _column(Seen(table), last.value)
        return Seen(table, exact=False)
    if inner.value is MISSING:
        return None
    if isinstance(index, ast.Constant):
        found = reading.item(inner.value, index.value)
        if found is not MISSING:
            return Seen(found, exact=inner.exact)
        return _column(inner, index.value)
    if isinstance(index, ast.UnaryOp) and isinstance(index.op, ast.USub):
        number = index.operand.value if isinstance(index.operand, ast.Constant) else None
        found = reading.item(inner.value, -number) if type(number) is int else MISSING
        return None if found is MISSING else Seen(found, exact=inner.exact)
    if tables.is_table(inner.value):
        return Seen(inner.value, exact=False)
    return None


def _column(inner: Seen, name: Any) -> Seen | None:
    """What one column of a table is, by its class alone."""
    columns = tables.columns(inner.value)
    if columns is None or name not in columns.names:
        return None
    module = module_of(type(inner.value)).partition(".")[0]
    cls = reading.own(sys.modules[module]).get("Series") if module in ("pandas", "polars") else None
    return Seen(cls=cls) if is_class(cls) else None


def _result_of(called: Any, made_by: type | None) -> Seen | None:
    """What a call gives by the annotation of what is called, where that names a class."""
    function = reading.function(called)
    if function is None or sys.version_info >= (3, 14):  # there annotations are code
        return None
    annotated = function.__annotations__.get("return")
    if type(annotated) is str:
        if annotated == "Self":
            return None if made_by is None else Seen(cls=made_by)
        annotated = function.__globals__.get(annotated)
    if annotated is not None and is_class(annotated):
        return Seen(cls=annotated)
    return None
