"""Whether a result that was thrown away has to do with the value that is doubted."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.sight import columns_of, is_a, is_number, is_table, parents
from aiex_ipy.grounding.diagnosis.worth import worth
from aiex_ipy.grounding.failure.evaluate import Scope

_REDUCING = frozenset(
    {
        "sum", "mean", "median", "min", "max", "count", "nunique", "std", "var", "any", "all",
        "prod", "value_counts",
    }
)  # fmt: skip
"""Methods that give the same whatever the order of the rows."""
_SIZES = frozenset({"shape", "size", "empty"})
_NAMES = frozenset({"columns", "dtypes"})
_ORDERING = frozenset({"sort_values", "sort_index", "sort", "sorted", "reversed"})
_OF_ROWS = frozenset({"dropna", "drop_duplicates", "drop_nulls", "unique"})
_RENAMING = frozenset({"rename", "set_index", "reset_index", "assign", "with_columns"})


class Read:
    """What an expression takes of a table: `rows` (how many), `names` (which columns), `values`;
    of which columns (None: of all), and whether their order matters."""

    __slots__ = ("columns", "ordered", "what")

    def __init__(self, what: str, columns: frozenset[str] | None, ordered: bool) -> None:
        self.what = what
        self.columns = columns
        self.ordered = ordered


def bears_on(base: ast.expr, call: ast.Call, nodes: Iterable[ast.AST], scope: Scope) -> bool:
    """Return whether what a call would have changed of `base` is read by one of the nodes."""
    root, column = _root(base, scope)
    if root is None:
        return False
    method = (
        call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    )
    table = scope.name(root)[1]
    return any(
        _touches(method, call, column, read) for node in nodes for read in _reads(node, root, table)
    )


def made_anew(base: ast.expr, nodes: Iterable[ast.AST], scope: Scope) -> bool:
    """Return whether one of the statements gives `base` another value that it is not read for."""
    root, column = _root(base, scope)
    for node in nodes:
        match node:
            case ast.Assign(targets=[target], value=value):
                own = _root(target, scope)
                read = any(isinstance(n, ast.Name) and n.id == root for n in ast.walk(value))
                if own in {(root, column), (root, "")} and not read:
                    return isinstance(target, ast.Name) or bool(own[1])
    return False


def _root(base: ast.expr, scope: Scope) -> tuple[str | None, str]:
    """The name an expression begins with and the column it asks for, "" for the whole."""
    match base:
        case ast.Name(id=name):
            return name, ""
        case ast.Attribute(value=ast.Name(id=name), attr=column):
            known, value = scope.name(name)
            return name, column if known and is_table(value) and column in columns_of(value) else ""
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str() as column)):
            return name, column
        case ast.Attribute(value=inner) | ast.Subscript(value=inner):
            return _root(inner, scope)
    return None, ""


def _reads(node: ast.AST, root: str, table: Any) -> Iterator[Read]:
    above = parents(node)
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and each.id == root and isinstance(each.ctx, ast.Load):
            yield _read(each, above, table)


def _read(name: ast.Name, above: dict[ast.AST, ast.AST], table: Any) -> Read:
    columns: frozenset[str] | None = None
    at: ast.AST = name
    match above.get(name):
        case ast.Call(func=ast.Name(id="len")):
            return Read("rows", None, False)
        case ast.Attribute(attr=attr) if attr in _SIZES and is_table(table):
            return Read("rows", None, False)
        case ast.Attribute(attr=attr) if attr in _NAMES and is_table(table):
            return Read("names", None, False)
        case ast.Attribute(attr=attr) as up if is_table(table) and attr in columns_of(table):
            columns, at = frozenset({attr}), up
        case ast.Subscript(value=value, slice=key) as up if value is name:
            chosen = _constants(key)
            if chosen and is_table(table):
                columns, at = chosen, up
    reduced, up_ = False, above.get(at)
    while isinstance(up_, ast.Attribute | ast.Call | ast.Subscript):
        if isinstance(up_, ast.Attribute) and up_.attr in _REDUCING:
            reduced = True
        at, up_ = up_, above.get(up_)
    match up_:
        case ast.Call(func=ast.Name(id="len" | "sum" | "max" | "min")):
            reduced = True
    return Read("values", columns, not reduced)


def _constants(key: ast.expr) -> frozenset[str]:
    nodes = key.elts if isinstance(key, ast.List | ast.Tuple) else [key]
    texts = [n.value for n in nodes if isinstance(n, ast.Constant) and type(n.value) is str]
    return frozenset(texts) if len(texts) == len(nodes) else frozenset()


def _touches(method: str, call: ast.Call, column: str, read: Read) -> bool:
    mentioned = {
        n.value
        for part in (*call.args, *(each.value for each in call.keywords))
        for n in ast.walk(part)
        if isinstance(n, ast.Constant) and type(n.value) is str
    }
    if column and read.columns is not None and column not in read.columns:
        return False
    if method in _ORDERING:
        return read.what == "values" and read.ordered
    by_columns = method == "drop" and any(
        each.arg == "columns"
        or (each.arg == "axis" and isinstance(each.value, ast.Constant) and each.value.value != 0)
        for each in call.keywords
    )
    if by_columns or method in _RENAMING:
        named = mentioned | {each.arg for each in call.keywords if each.arg}
        return read.what == "names" or (
            read.what == "values"
            and (bool(read.columns & named) if read.columns is not None else read.ordered)
        )
    if method in _OF_ROWS or method == "drop":
        return read.what == "values" or (read.what == "rows" and not column)
    if read.what != "values":
        return False
    dicts = any(isinstance(each, ast.Dict) for each in call.args)
    return not (dicts and read.columns is not None and not read.columns & mentioned)


def changes(base: ast.expr, call: ast.Call, asked: ast.expr, scope: Scope) -> bool | None:
    """Return whether the doubted value would be another one had the result been kept, None where
    that cannot be told."""
    names = {each.id for each in ast.walk(asked) if isinstance(each, ast.Name)}
    if not isinstance(base, ast.Name) or base.id not in names:
        return None
    known, new = worth(call, scope)
    before, after = worth(asked, scope), worth(asked, Scope({base.id: new}, *scope.mappings))
    plain = (str, int, float, bool)
    if not known or not (before[0] and after[0]):
        return None
    if is_a(before[1], "pandas.DataFrame") or is_a(before[1], "pandas.Series"):
        return type(before[1]) is not type(after[1]) or not bool(before[1].equals(after[1]))
    a, b = (x.item() if is_number(x) and type(x) not in plain else x for x in (before[1], after[1]))
    return a != b if type(a) in plain and type(b) in plain else None
