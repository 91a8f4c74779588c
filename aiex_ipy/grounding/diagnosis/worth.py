"""What an expression over arrays and tables is worth, calculated anew where that is safe and small.

`failure.evaluate` tells names, items and plain numbers; here are added the operations of exact
arrays and tables of numbers, texts and times that change nothing. None of the user's code runs:
columns that hold other objects are not calculated with.
"""

from __future__ import annotations

import ast
import operator
import sys
import warnings
from collections.abc import Callable
from typing import Any

from aiex_ipy.grounding.diagnosis.sight import columns_of, is_a, is_number
from aiex_ipy.grounding.failure.evaluate import UNKNOWN, Found, Scope, evaluate

MOST_VALUES = 20_000
"""Values of an array or table that is calculated with: some 0.1 ms for each operation."""
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_METHODS = frozenset(
    {
        "abs",
        "astype",
        "copy",
        "count",
        "cumsum",
        "drop_duplicates",
        "dropna",
        "fillna",
        "flatten",
        "head",
        "max",
        "mean",
        "median",
        "min",
        "ravel",
        "reset_index",
        "round",
        "set_index",
        "sort_index",
        "sort_values",
        "sum",
        "tail",
        "to_numpy",
        "tolist",
        "unique",
    }
)
"""Methods of arrays and tables that give something new and take no functions."""
_ATTRIBUTES = frozenset({"values", "T"})
_PLAIN = frozenset("biufcMmSU")
"""Kinds of dtypes whose operations run no code of the user's."""


def is_plain(value: Any) -> bool:
    """True for small exact arrays, columns and tables of numbers, texts and times, and numpy's own
    numbers."""
    if is_number(value) and type(value) not in {int, float, complex, bool}:
        return True
    if is_a(value, "numpy.ndarray"):
        return value.size <= MOST_VALUES and value.dtype.kind in _PLAIN
    if is_a(value, "pandas.Series"):
        return len(value) <= MOST_VALUES and _is_plain_column(value)
    if is_a(value, "pandas.DataFrame"):
        if value.shape[1] > 100 or value.size > MOST_VALUES:
            return False
        return all(_is_plain_column(value.iloc[:, at]) for at in range(value.shape[1]))
    return False


def _is_plain_column(column: Any) -> bool:
    kind = getattr(column.dtype, "kind", "O")
    if kind in _PLAIN and str(column.dtype) != "object":
        return True
    if str(column.dtype) in {"str", "string", "category"}:
        return True
    return all(each is None or type(each) in {str, int, float, bool} for each in column.to_numpy())


def worth(node: ast.AST | None, scope: Scope) -> Found:
    """Return whether the value of an expression can be told or calculated safely, and the value."""
    if node is None:
        return UNKNOWN
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            numpy = sys.modules.get("numpy")
            if numpy is None:
                return _worth(node, scope, 0)
            with numpy.errstate(all="ignore"):
                return _worth(node, scope, 0)
    except Exception:  # what cannot be calculated is not known
        return UNKNOWN


def _worth(  # noqa: C901 - one case each
    node: ast.AST, scope: Scope, depth: int
) -> Found:
    found = evaluate(node, scope)
    if found[0] or depth > 12:
        return found
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _both(_BINARY[type(op)], left, right, scope, depth)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
            return _both(_COMPARE[type(op)], left, right, scope, depth)
        case ast.Subscript(value=owner, slice=key):
            return _item(owner, key, scope, depth)
        case ast.Attribute(value=inner, attr=name) if name in _ATTRIBUTES:
            known, owner = _worth(inner, scope, depth + 1)
            if known and is_plain(owner) and not _is_column(owner, name):
                return True, getattr(owner, name)
        case ast.Attribute(value=inner):
            known, owner = _worth(inner, scope, depth + 1)
            if known and is_plain(owner):
                return evaluate(
                    ast.Attribute(value=ast.Name(id="_"), attr=node.attr), Scope({"_": owner})
                )
        case ast.Call(func=ast.Attribute(value=inner, attr=name), args=args, keywords=keywords) if (
            name in _METHODS
        ):
            return _called(inner, name, args, keywords, scope, depth)
        case ast.Call(func=ast.Name(id=name)) if name in _BUILTINS:
            return _builtin(node, name, scope, depth)
    return UNKNOWN


_BUILTINS = {each.__name__: each for each in (sum, len, min, max, abs, round, sorted, set)}
MOST_ITEMS = 10_000
"""Items of a list that a builtin is asked about."""


def _builtin(call: ast.Call, name: str, scope: Scope, depth: int) -> Found:
    """`sum`, `len` and their like of exact lists of numbers or texts."""
    known, own = scope.name(name)
    if (known and own is not _BUILTINS[name]) or call.keywords or len(call.args) > 2:
        return UNKNOWN
    values = [_worth(each, scope, depth + 1) for each in call.args]
    if not values or not all(seen and _is_counted(value) for seen, value in values):
        return UNKNOWN
    return True, _BUILTINS[name](*(value for _, value in values))


def _is_counted(value: Any) -> bool:
    if type(value) in {list, tuple, set, frozenset, dict}:
        return len(value) <= MOST_ITEMS and all(
            type(each) in {int, float, str, bool} for each in value
        )
    if type(value) is int:
        return value.bit_length() < 1_000
    return type(value) in {float, bool}


def _is_column(table: Any, name: str) -> bool:
    return is_a(table, "pandas.DataFrame") and name in columns_of(table)


def _both(
    apply: Callable[[Any, Any], Any], left: ast.expr, right: ast.expr, scope: Scope, depth: int
) -> Found:
    seen_a, a = _worth(left, scope, depth + 1)
    if not seen_a:
        return UNKNOWN
    seen_b, b = _worth(right, scope, depth + 1)
    if not seen_b or not (is_plain(a) or is_plain(b)):
        return UNKNOWN
    if not all(is_plain(each) or is_number(each) or type(each) is str for each in (a, b)):
        return UNKNOWN
    return True, apply(a, b)


def _item(owner: ast.expr, key: ast.expr, scope: Scope, depth: int) -> Found:
    seen, table = _worth(owner, scope, depth + 1)
    told, wanted = _worth(key, scope, depth + 1)
    if not (seen and told):
        return UNKNOWN
    if not is_plain(table):
        return evaluate(
            ast.Subscript(value=ast.Name(id="_"), slice=ast.Name(id="__")),
            Scope({"_": table, "__": wanted}),
        )
    names = type(wanted) is list and all(type(each) is str for each in wanted)
    mask = (is_a(wanted, "numpy.ndarray") or is_a(wanted, "pandas.Series")) and (
        str(wanted.dtype) == "bool"
    )
    plain = type(wanted) is int or (type(wanted) is str and is_a(table, "pandas.Series"))
    if (names and is_a(table, "pandas.DataFrame")) or mask or plain:
        return True, table[wanted]
    return UNKNOWN


def _called(
    inner: ast.expr,
    name: str,
    args: list[ast.expr],
    keywords: list[ast.keyword],
    scope: Scope,
    depth: int,
) -> Found:
    known, owner = _worth(inner, scope, depth + 1)
    if not known or not is_plain(owner) or _is_column(owner, name):
        return UNKNOWN
    given = [evaluate(each, scope) for each in args]
    named = {each.arg: evaluate(each.value, scope) for each in keywords}
    values = [*given, *named.values()]
    if None in named or not all(ok and _is_simple(value) for ok, value in values):
        return UNKNOWN
    if named.get("inplace", (True, False))[1]:
        return UNKNOWN
    return True, getattr(owner, name)(
        *(value for _, value in given), **{str(k): value for k, (_, value) in named.items()}
    )


def _is_simple(value: Any) -> bool:
    if type(value) in {list, tuple}:
        return all(_is_simple(each) for each in value[:50])
    return value is None or type(value) in {str, int, float, bool} or value in {str, int, float}
