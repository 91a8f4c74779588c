"""Evaluate expressions against live names without running any of the user's code.

Names, attributes, subscripts with known keys, arithmetic of plain numbers and texts, and `len`:
each only where what would run is Python's own or a recognised library's. Everything else is "not
known", never guessed. Descriptors, `__getattr__`, `__getitem__` and comparisons of user-defined
classes are not called.
"""

from __future__ import annotations

import ast
import builtins
import operator
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from types import FunctionType, MemberDescriptorType, MethodType
from typing import Any

from aiex_ipy.grounding.live.static import (
    MISSING,
    class_attribute,
    derives,
    instance_dict,
    is_class,
    module_of,
)

Found = tuple[bool, Any]
UNKNOWN: Found = (False, None)

MOST_DIGITS = 1 << 64
"""Numbers beyond this are not calculated with: a power or product could take for ever."""
MOST_CHARACTERS = 10_000
"""Texts beyond this are not put together."""
MOST_KEYS = 100_000
"""A mapping with more keys is not looked into."""
MOST_COLUMNS = 10_000
"""A table with more columns is not searched for one."""

_NUMBERS = (int, float, complex, bool)
_KEYS = (*_NUMBERS, str, bytes, type(None))
_SEQUENCES = (list, tuple, str, bytes, bytearray, range, deque)
_SIZED = (*_SEQUENCES, dict, set, frozenset, OrderedDict, defaultdict)
_MAPPINGS = (dict, OrderedDict, defaultdict)
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
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}
_ARRAY_ATTRIBUTES = frozenset({"shape", "dtype", "ndim", "size", "nbytes", "T"})
_TABLE_ATTRIBUTES = frozenset({"columns", "index", "shape", "dtypes", "ndim", "size", "height"})
_COLUMN_ATTRIBUTES = frozenset({"index", "shape", "dtype", "name", "ndim", "size"})


class Scope:
    """Where names are looked up: locals, globals, builtins, in this order."""

    __slots__ = ("mappings",)

    def __init__(self, *mappings: Mapping[str, Any]) -> None:
        self.mappings = mappings

    def name(self, name: str) -> Found:
        """Return whether the name has a value here, and the value."""
        for mapping in (*self.mappings, vars(builtins)):
            found = lookup(mapping, name)
            if found[0]:
                return found
        return UNKNOWN


def lookup(mapping: Any, key: Any) -> Found:
    """Return a key's value in a dictionary, or in a subclass's own storage; `__missing__`,
    `__getitem__` and `get` of the subclass are not called."""
    try:
        if derives(type(mapping), dict):
            value = dict.get(mapping, key, MISSING)
        elif type(mapping).__name__ == "FrameLocalsProxy" and type(mapping).__module__ in (
            "builtins",
            "",
        ):
            value = mapping.get(key, MISSING)
        else:
            return UNKNOWN
    except Exception:  # an unhashable key, or a key's own `__eq__`
        return UNKNOWN
    return UNKNOWN if value is MISSING else (True, value)


def isinstance_(value: Any, kind: type) -> bool:
    """`isinstance` by the real type alone: `__class__` and metaclasses are not asked."""
    return derives(type(value), kind)


def own_storage(value: Any) -> Mapping[str, Any]:
    """Return the instance's `__dict__` without asking its class, `{}` where it has none."""
    return instance_dict(value)


def evaluate(node: ast.AST, scope: Scope) -> Found:
    """Return whether the value of an expression is known, and the value."""
    try:
        return _evaluate(node, scope, 0)
    except Exception:  # what is not known must never become a second failure
        return UNKNOWN


def _evaluate(node: ast.AST, scope: Scope, depth: int) -> Found:
    if depth > 50:
        return UNKNOWN
    rule = _RULES.get(type(node))
    return rule(node, scope, depth + 1) if rule is not None else UNKNOWN


def _constant(node: ast.Constant, scope: Scope, depth: int) -> Found:
    return True, node.value


def _name(node: ast.Name, scope: Scope, depth: int) -> Found:
    return scope.name(node.id)


def _attribute(node: ast.Attribute, scope: Scope, depth: int) -> Found:
    known, owner = _evaluate(node.value, scope, depth)
    return attribute(owner, node.attr) if known else UNKNOWN


def _subscript(node: ast.Subscript, scope: Scope, depth: int) -> Found:
    known, owner = _evaluate(node.value, scope, depth)
    if not known:
        return UNKNOWN
    known, key = _evaluate(node.slice, scope, depth)
    return item(owner, key) if known else UNKNOWN


def _slice(node: ast.Slice, scope: Scope, depth: int) -> Found:
    parts = []
    for part in (node.lower, node.upper, node.step):
        known, value = (True, None) if part is None else _evaluate(part, scope, depth)
        if not known or type(value) not in (int, type(None)):
            return UNKNOWN
        parts.append(value)
    return True, slice(*parts)


def _items(node: ast.Tuple | ast.List, scope: Scope, depth: int) -> Found:
    found = []
    for each in node.elts:
        known, value = _evaluate(each, scope, depth)
        if not known:
            return UNKNOWN
        found.append(value)
    return True, tuple(found) if isinstance(node, ast.Tuple) else found


def _binary(node: ast.BinOp, scope: Scope, depth: int) -> Found:
    apply = _BINARY.get(type(node.op))
    known, left = _evaluate(node.left, scope, depth)
    if apply is None or not known:
        return UNKNOWN
    known, right = _evaluate(node.right, scope, depth)
    if not known or not _small(left) or not _small(right):
        return UNKNOWN
    texts = isinstance(left, str) + isinstance(right, str)
    if texts and not (texts == 2 and isinstance(node.op, ast.Add)):
        return UNKNOWN
    return True, apply(left, right)


def _small(value: Any) -> bool:
    if type(value) is str:
        return len(value) <= MOST_CHARACTERS
    if type(value) is int:
        return -MOST_DIGITS <= value <= MOST_DIGITS
    return type(value) in _NUMBERS


def _unary(node: ast.UnaryOp, scope: Scope, depth: int) -> Found:
    known, value = _evaluate(node.operand, scope, depth)
    if not known or type(value) not in _KEYS:
        return UNKNOWN
    return True, _UNARY[type(node.op)](value)


def _compare(node: ast.Compare, scope: Scope, depth: int) -> Found:
    known, left = _evaluate(node.left, scope, depth)
    for operation, part in zip(node.ops, node.comparators, strict=True):
        if not known:
            return UNKNOWN
        known, right = _evaluate(part, scope, depth)
        apply = _COMPARE.get(type(operation))
        identity = isinstance(operation, ast.Is | ast.IsNot)
        plain = _plain(left) and _plain(right)
        if not known or apply is None or not (identity or plain):
            return UNKNOWN
        if not apply(left, right):
            return True, False  # as Python does, which compares no further
        left = right
    return True, True


def _boolean(node: ast.BoolOp, scope: Scope, depth: int) -> Found:
    value: Any = None
    for part in node.values:
        known, value = _evaluate(part, scope, depth)
        if not known or type(value) not in _KEYS:
            return UNKNOWN
        if bool(value) is isinstance(node.op, ast.Or):
            break
    return True, value


def _call(node: ast.Call, scope: Scope, depth: int) -> Found:
    """`len(x)` and `type(x)` of Python's own."""
    if len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
        return UNKNOWN
    known, function = _evaluate(node.func, scope, depth)
    if not known or (function is not len and function is not type):
        return UNKNOWN
    known, value = _evaluate(node.args[0], scope, depth)
    if not known:
        return UNKNOWN
    if function is type:
        return True, type(value)
    return length(value)


def _named(node: ast.NamedExpr, scope: Scope, depth: int) -> Found:
    return _evaluate(node.target, scope, depth)


_RULES: dict[type[ast.AST], Callable[[Any, Scope, int], Found]] = {
    ast.Attribute: _attribute,
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.Call: _call,
    ast.Compare: _compare,
    ast.Constant: _constant,
    ast.List: _items,
    ast.Name: _name,
    ast.NamedExpr: _named,
    ast.Slice: _slice,
    ast.Subscript: _subscript,
    ast.Tuple: _items,
    ast.UnaryOp: _unary,
}


def length(value: Any) -> Found:
    """Return `len(value)` where that runs no code of the user's."""
    kind = type(value)
    if kind in _SIZED or _recognised(kind) in ("array", "table", "column", "index"):
        return True, len(value)
    return UNKNOWN


def attribute(owner: Any, name: str) -> Found:
    """Return an attribute's value, read statically: of the instance's or class's own storage,
    or one known to be plain of a recognised library's type. No property runs."""
    what = _recognised(type(owner))
    if what == "array" and name in _ARRAY_ATTRIBUTES:
        return True, getattr(owner, name)
    if what == "column" and name in _COLUMN_ATTRIBUTES:
        return True, getattr(owner, name)
    if what == "table":
        if name in _TABLE_ATTRIBUTES and not _has_column(owner, name):
            return True, getattr(owner, name)
        if class_attribute(type(owner), name) is MISSING:  # `df.count` is the method
            found = _column(owner, name)
            if found[0]:
                return found
    kind = owner if is_class(owner) else type(owner)
    held = class_attribute(kind, name)
    if kind is not owner:
        own = lookup(instance_dict(owner), name)
        overridden = held is not MISSING and class_attribute(type(held), "__set__") is not MISSING
        if own[0] and not overridden:
            return own
    return _bound(owner, held, kind) if held is not MISSING else UNKNOWN


def _bound(owner: Any, held: Any, kind: type) -> Found:
    """What reading an attribute that a class holds gives, where that runs no code."""
    what = type(held)
    if what is MemberDescriptorType:  # a slot
        return UNKNOWN if kind is owner else (True, held.__get__(owner))
    if what is staticmethod:
        return True, held.__func__
    if what is FunctionType:
        return True, held if kind is owner else MethodType(held, owner)
    if what is classmethod:
        return True, MethodType(held.__func__, kind)
    return UNKNOWN if class_attribute(what, "__get__") is not MISSING else (True, held)


def item(owner: Any, key: Any) -> Found:
    """Return `owner[key]` where that runs no code of the user's."""
    if not _plain_key(key):
        return UNKNOWN
    kind = type(owner)
    if kind in _MAPPINGS:
        return lookup(owner, key) if _plain_keys(owner) else UNKNOWN
    if kind in _SEQUENCES and (type(key) is slice or (type(key) is not str and _plain(key))):
        return True, owner[key]
    what = _recognised(kind)
    if what == "array" and not isinstance(key, str | list):
        return True, owner[key]
    if what == "table" and type(key) is str:
        return _column(owner, key)
    return UNKNOWN


def _plain_key(key: Any) -> bool:
    if type(key) is tuple:
        return all(_plain_key(each) for each in key)
    if type(key) is slice:
        return all(type(part) in (int, type(None)) for part in (key.start, key.stop, key.step))
    return _plain(key)


def _plain(value: Any) -> bool:
    """True for Python's own scalars and texts, and numpy's scalars."""
    return type(value) in _KEYS or _recognised(type(value)) == "scalar"


def _plain_keys(mapping: Any) -> bool:
    """True where finding a key cannot ask a key of a user's class whether it is equal."""
    return len(mapping) <= MOST_KEYS and all(_plain_key(each) for each in dict.keys(mapping))


def _recognised(kind: type) -> str:
    """What a library's type is, by identity with the library as it is loaded: a subclass may
    have code of the user's, and nothing is imported for this."""
    top = module_of(kind).partition(".")[0]
    library = sys.modules.get(top) if top in _LIBRARY_TYPES else None
    if library is None:
        return ""
    names = vars(library)
    for word, name in _LIBRARY_TYPES[top]:
        if names.get(name) is kind:
            return word
    if top == "numpy" and names.get(kind.__name__) is kind and issubclass(kind, names["generic"]):
        return "scalar"
    return ""


_LIBRARY_TYPES: dict[str, tuple[tuple[str, str], ...]] = {
    "numpy": (("array", "ndarray"),),
    "pandas": (
        ("table", "DataFrame"),
        ("column", "Series"),
        ("index", "Index"),
        ("index", "RangeIndex"),
    ),
    "polars": (("table", "DataFrame"), ("column", "Series")),
}


def _has_column(table: Any, name: str) -> bool:
    columns = table.columns
    return len(columns) <= MOST_COLUMNS and any(
        type(each) is str and each == name for each in columns
    )


def _column(table: Any, name: str) -> Found:
    columns = list(table.columns) if _has_column(table, name) else []
    at = [number for number, each in enumerate(columns) if type(each) is str and each == name]
    if len(at) != 1:  # of two columns with one name a copy would be made
        return UNKNOWN
    if type(table).__module__.startswith("polars"):
        return True, table.get_column(name)
    return True, table.iloc[:, at[0]]  # `table[name]` would fill a cache in the user's object
