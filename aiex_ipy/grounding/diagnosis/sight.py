"""What rules may look at: types, values and texts of live objects, read without running any of
the user's code."""

from __future__ import annotations

import ast
import difflib
import re
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from aiex_ipy.grounding.failure.evaluate import (
    UNKNOWN,
    Found,
    Scope,
    evaluate,
    isinstance_,
    own_storage,
)
from aiex_ipy.grounding.failure.evaluate import length as evaluate_length
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

Node = TypeVar("Node", bound=ast.AST)
LONGEST_TEXT = 80
"""Characters of one value or expression in a sentence."""
MOST_ITEMS = 5
MOST_KEYS = 5_000
"""Keys or columns compared with a misspelled one."""
MOST_COMPARED = 500
"""Those of them whose likeness is measured."""
NUMBERS = (int, float, complex, bool)
SCALARS = (*NUMBERS, str, bytes, bytearray, type(None))
CONTAINERS = (list, tuple, dict, set, frozenset)
_SECRET = re.compile(r"pass(word|wd|phrase)?$|secret|token|api_?key|credential|private_?key", re.I)
_SEPARATORS = re.compile(r"[\W_]+")
_module_of = type.__dict__["__module__"].__get__
_name_of = type.__dict__["__qualname__"].__get__
_mro_of = type.__dict__["__mro__"].__get__
_dict_of = type.__dict__["__dict__"].__get__


def is_secret(name: str) -> bool:
    """True for a name whose value is not to be shown."""
    return _SECRET.search(name) is not None


def type_name(value: Any) -> str:
    """Return the name of a value's type as its users write it: `str`, `pandas.DataFrame`."""
    return class_name(type(value))


def class_name(kind: type) -> str:
    """Return the name of a class with its top package, without that of builtins and sessions."""
    module = _module_of(kind)
    root = module.partition(".")[0] if isinstance(module, str) else ""
    name: str = _name_of(kind)
    return name if root in {"builtins", "__main__", ""} else f"{root}.{name}"


def mro(kind: type) -> tuple[type, ...]:
    """Return the classes a class is made of, without asking its metaclass."""
    found: tuple[type, ...] = _mro_of(kind)
    return found


def namespace(kind: type) -> Mapping[str, Any]:
    """Return a class's own namespace, without asking its metaclass."""
    found: Mapping[str, Any] = _dict_of(kind)
    return found


def is_a(value: Any, dotted: str) -> bool:
    """True if the type of `value` is exactly the class `module.Class` of an imported module."""
    module, _, name = dotted.rpartition(".")
    return type(value) is getattr(sys.modules.get(module), name, object)


def is_table(value: Any) -> bool:
    """True for exact data frames of pandas and polars."""
    return is_a(value, "pandas.DataFrame") or is_a(value, "polars.DataFrame")


def has_class(value: Any, module: str, name: str) -> bool:
    """True if a class of that name from that top package is among the value's classes."""
    return any(
        _name_of(each) == name and str(_module_of(each)).partition(".")[0] == module
        for each in mro(type(value))
    )


def columns_of(table: Any) -> list[Any]:
    """Return the column names of an exact data frame."""
    return list(table.columns)[:MOST_KEYS]


def cut(text: str, most: int = LONGEST_TEXT) -> str:
    """Return the text on one line, its end left out where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def shown(value: Any, name: str = "") -> str:  # noqa: C901 - one case each
    """Return a value in few words: exact builtins as Python writes them, others by their type."""
    if name and is_secret(name):
        return f"a {type_name(value)} (withheld)"
    kind = type(value)
    if kind in {str, bytes, bytearray}:
        return cut(repr(value[:LONGEST_TEXT])) + ("…" if len(value) > LONGEST_TEXT else "")
    if kind is int and value.bit_length() > 250:
        return f"an int of {value.bit_length()} bits"
    if kind in SCALARS:
        return repr(value)
    if kind in CONTAINERS:
        return _container(value)
    if kind is range:
        return repr(value)
    if is_a(value, "numpy.ndarray"):
        return f"an array of shape {value.shape}, dtype {value.dtype}"
    if is_table(value):
        rows, columns = value.shape
        return f"a DataFrame of {rows} rows × {columns} columns"
    if is_a(value, "pandas.Series"):
        return f"a Series of {len(value)} values, dtype {value.dtype}"
    if kind is types.ModuleType:
        return f"the module {module_name(value)}"
    if kind is types.FunctionType:
        return f"the function {value.__code__.co_name}"
    if isinstance_(value, type):
        return f"the class {class_name(value)}"
    if is_number(value):
        return repr(value.item())
    label = type_name(value)
    return f"{'an' if label[:1].lower() in 'aeiou' else 'a'} {label}"


def is_number(value: Any) -> bool:
    """True for exact Python numbers and numpy scalars that are numbers."""
    if type(value) in NUMBERS:
        return True
    generic = getattr(sys.modules.get("numpy"), "number", None)
    return (
        generic is not None and _module_of(type(value)) == "numpy" and generic in mro(type(value))
    )


def _container(value: Any) -> str:
    kind = type(value)
    count = len(value)
    label = f"a {kind.__name__} of {count} item{'' if count == 1 else 's'}"
    if not count:
        return f"an empty {kind.__name__}"
    items = (
        list(value.values() if kind is dict else value)[: MOST_ITEMS + 1] if count < 1000 else []
    )
    keys = list(value)[: MOST_ITEMS + 1] if kind is dict and count < 1000 else []
    secret = any(type(key) is str and is_secret(key) for key in keys)
    if not items or secret or len(items) > MOST_ITEMS:
        return label
    if not all(type(each) in SCALARS and _is_short(each) for each in (*items, *keys)):
        return label
    text = repr(value)
    return f"{label}, {text}" if len(text) <= LONGEST_TEXT else label


def _is_short(value: Any) -> bool:
    return not isinstance(value, str | bytes | bytearray | int) or (
        value.bit_length() < 100 if isinstance(value, int) else len(value) < LONGEST_TEXT
    )


def module_name(module: Any) -> str:
    """Return a module's name as its namespace tells it."""
    found = types.ModuleType.__getattribute__(module, "__dict__").get("__name__", "?")
    return found if type(found) is str else "?"


def message(error: BaseException | None) -> str:
    """Return what an exception says; a class with a text method of the user's is not asked."""
    if error is None:
        return ""
    writer = next(each for each in mro(type(error)) if "__str__" in namespace(each))
    module = str(_module_of(writer)).partition(".")[0]
    if module == "builtins" or module in sys.stdlib_module_names or module in _LIBRARIES:
        try:
            return str(error)
        except Exception:  # a library's text method may fail over half-made values
            return ""
    arguments = BaseException.__dict__["args"].__get__(error)
    first = arguments[0] if arguments else ""
    return first if type(first) is str else ""


_LIBRARIES = frozenset({"numpy", "pandas", "polars", "sklearn", "torch", "json", "yaml", "jax"})


def matches(moment: Moment, kind: type[BaseException], pattern: str) -> re.Match[str] | None:
    """Return the match of a pattern in the message of an error of a kind, or None."""
    if moment.error is None or not issubclass(type(moment.error), kind):
        return None
    return re.search(pattern, message(moment.error))


def close_to(word: str, known: Iterable[Any], cutoff: float = 0.7, most: int = 3) -> list[str]:
    """Return the texts among `known` spelled almost like `word`, the closest first.

    Texts that differ only in case, spaces, `_` and `-` come before all others. Source: difflib's
    ratio; 0.7 lets one slip through in a word of four letters.
    """
    texts = dict.fromkeys(each for each in known if type(each) is str and each != word)
    plain, letters, size = _plain(word), set(word.casefold()), len(word)
    same: list[str] = []
    likely: dict[str, str] = {}
    for text in texts:
        low = text.casefold()
        # Both follow from a ratio of 0.6 at least, or nearly; they spare difflib most texts.
        if len(letters & set(low)) * 2 >= len(letters) and size <= 2 * len(text) <= 4 * size:
            likely.setdefault(low, text)
        if plain and _plain(text) == plain:
            same.append(text)
    if len(likely) > MOST_COMPARED:
        ranked = sorted(likely, key=lambda low: -len(letters & set(low)) + len(set(low) - letters))
        likely = {low: likely[low] for low in ranked[:MOST_COMPARED]}
    near = difflib.get_close_matches(word.casefold(), list(likely), n=most, cutoff=cutoff)
    return list(dict.fromkeys([*same, *(likely[low] for low in near)]))[:most]


def _plain(text: str) -> str:
    return _SEPARATORS.sub("", text).casefold()


def where(frame: LiveFrame | None, line: int | None = None) -> str:
    """Return a place as people read it."""
    if frame is None:
        return "unknown place"
    return f"{frame.place}, line {line or frame.line}"


def text_of(node: ast.AST | None, most: int = LONGEST_TEXT) -> str:
    """Return the source of a node on one line."""
    if node is None:
        return ""
    try:
        return cut(ast.unparse(node), most)
    except (RecursionError, ValueError):
        return ""


def nodes_at_fault(frame: LiveFrame | None, kind: type[Node]) -> list[Node]:
    """Return the nodes of a kind at the failing place: the failing node first if it is one, then
    those inside it, or where it is unknown those of the failing line."""
    if frame is None or frame.tree is None:
        return []
    if frame.node is not None:
        return [each for each in ast.walk(frame.node) if isinstance(each, kind)]
    return [
        each
        for each in ast.walk(frame.tree)
        if isinstance(each, kind)
        and getattr(each, "lineno", 0) <= frame.line <= (getattr(each, "end_lineno", 0) or 0)
        and getattr(each, "end_lineno", 0) - getattr(each, "lineno", 0) < 20
    ]


def value_of(node: ast.AST | None, frame: LiveFrame | None) -> Found:
    """Return whether the value of an expression can be told safely, and the value."""
    if node is None or frame is None:
        return UNKNOWN
    return evaluate(node, Scope(frame.locals, frame.globals))


def name_value(name: str, frame: LiveFrame) -> Found:
    """Return the value of a name as the frame sees it."""
    return Scope(frame.locals, frame.globals).name(name)


def length(value: Any) -> int | None:
    """Return `len` of exact builtins, arrays, frames and columns; None for anything else."""
    known, size = evaluate_length(value)
    return size if known else None


def public_attributes(value: Any) -> list[str]:
    """Return the attribute names of an object from its own namespace and its classes'."""
    names: dict[str, None] = {}
    if type(value) is types.ModuleType:
        return [each for each in value.__dict__ if type(each) is str]
    own = own_storage(value) or {}
    for space in (own, *(namespace(each) for each in mro(type(value)))):
        names.update(dict.fromkeys(each for each in space if type(each) is str))
    if isinstance_(value, type):
        for each in mro(value):
            names.update(dict.fromkeys(namespace(each)))
    slots = (namespace(each).get("__slots__", ()) for each in mro(type(value)))
    for each in slots:
        if type(each) in {tuple, list}:
            names.update(dict.fromkeys(slot for slot in each if type(slot) is str))
    return list(names)


def enclosing_function(
    frame: LiveFrame,
) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None:
    """Return the function whose code a frame runs, or None for a module or cell."""
    if frame.tree is None or frame.code.co_name == "<module>":
        return None
    best: Any = None
    for node in ast.walk(frame.tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if node.lineno <= frame.line <= (node.end_lineno or 0):
            name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
            fits = frame.code.co_name in {
                name,
                "<genexpr>",
                "<listcomp>",
                "<dictcomp>",
                "<setcomp>",
            }
            if fits and (best is None or node.lineno >= best.lineno):
                best = node
    found: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None = best
    return found


def parents(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    """Return each node's parent."""
    return {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}


def in_scope(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of a scope: not those of functions and classes inside it."""
    waiting = list(body)[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        waiting.extend(list(ast.iter_child_nodes(node))[::-1])
